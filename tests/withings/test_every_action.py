"""A client written from the published description works against a real hub, action by action."""

from __future__ import annotations

import ast
import concurrent.futures
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.hub import Hub
from tests.system.processes import until
from tests.withings.client import MIXES, Client, an_address, an_order
from tests.withings.receiver import NotifyUri

HERE = Path(__file__).parent
BAD = an_address(zip="ABC")
SHIPPED = {"carrier": "UPS", "carrier_service": "Ground", "tracking_number": "1Z999AA10123456784"}

pytestmark = pytest.mark.processes


@dataclass
class Stage:
    """A hub, one client application of it, and the receiver behind its notify URI."""

    hub: Hub
    receiver: NotifyUri
    client_id: str
    secret: str

    def client(self, **given: Any) -> Client:
        url = f"http://127.0.0.1:{self.hub.port}"
        return Client(url, self.client_id, self.secret, **given)

    def warehouse(self, ref: str, state: str, **facts: Any) -> None:
        """What the warehouse or a carrier tells over the hub's own interface."""
        told = {"store": "shop", "order_key": ref, "state": state, **facts}
        assert self.hub.call("POST", "/v1/updates", told)["verdict"] == "applied"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("withings")
    hub = Hub(folder, MILEPOST_TEST_STEP_S="0.1", MILEPOST_CLIENT_CALLS_PER_MINUTE="5000")
    with NotifyUri() as receiver:
        made = hub.call(
            "POST",
            "/v1/clients",
            {"name": "shop", "billing_id": "4711", "notify_uri": receiver.url},
        )
        try:
            yield Stage(hub, receiver, made["client"]["client_id"], made["secret"])
        finally:
            hub.stop()


def created(answer: Any, ref: str) -> str:
    """The order_id of the one order that was created."""
    assert answer.status == 0, answer
    (order,) = answer.body["orders"]
    assert order["customer_ref_id"] == ref
    order_id: str = order["order_id"]
    return order_id


def test_the_client_imports_the_standard_library_alone() -> None:
    for name in ("client.py", "receiver.py"):
        tree = ast.parse((HERE / name).read_text(encoding="utf-8"))
        roots = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert {root.partition(".")[0] for root in roots} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_order_is_placed_and_read_however_parameters_are_sent(
    stage: Stage, method: str, mix: str
) -> None:
    client = stage.client(method=method, mix=mix)
    ref = f"{method}-{mix}"
    answer = client.create_order(an_order(ref), customerid="4711")
    order_id = created(answer, ref)
    assert re.fullmatch("D[0-9A-Z]+", order_id)
    assert answer.body["orders"][0] == {
        "order_id": order_id,
        "customer_ref_id": ref,
        "status": "VERIFIED",
        "products": [{"ean": "3700546702518", "quantity": 3}],
    }
    assert re.fullmatch("[0-9]+", answer.body["dropshipmentorderid"])
    for read in (client.detail, client.order_status):
        by_id, by_ref = read(order_ids=[order_id]), read(customer_ref_ids=[ref])
        assert by_id.body == by_ref.body
        assert by_id.body["orders"][0]["status"] == "VERIFIED"
    assert set(client.http_statuses) == {200}


def test_a_nonce_is_40_hexadecimal_digits_and_is_used_once(stage: Stage) -> None:
    client = stage.client()
    nonce = client.nonce()
    assert re.fullmatch("[0-9a-f]{40}", nonce)
    assert client.detail(customer_ref_ids=["none"], nonce=nonce).status == 0
    again = client.detail(customer_ref_ids=["none"], nonce=nonce)
    assert (again.status, again.body) == (401, {})
    assert client.detail(customer_ref_ids=["none"], nonce="0" * 40).status == 401


def test_of_many_calls_with_one_nonce_one_is_answered(stage: Stage) -> None:
    nonce = stage.client().nonce()

    def call(_: int) -> int:
        return stage.client().detail(customer_ref_ids=["none"], nonce=nonce).status

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(call, range(16)))
    assert statuses == [0, *[401] * 15]


def test_what_is_signed_wrongly_is_refused_and_uses_no_nonce_up(stage: Stage) -> None:
    client, stranger = stage.client(), stage.client()
    stranger.client_secret = "somebody else's secret"
    nonce = client.nonce()
    assert stranger.get_nonce().status == 401
    assert stranger.create_order(an_order("forged"), nonce=nonce).status == 401
    assert client.create_order(an_order("forged"), nonce=nonce, signature="0" * 64).status == 401
    unknown = stage.client()
    unknown.client_id = "nobody"
    assert unknown.get_nonce().status == 401
    assert client.detail(customer_ref_ids=["forged"], nonce=nonce).body == {"orders": []}


def test_ten_orders_are_taken_and_eleven_are_not(stage: Stage) -> None:
    client = stage.client()
    orders = [an_order(f"ten-{n}") for n in range(10)]
    answer = client.create_order(*orders)
    assert [o["customer_ref_id"] for o in answer.body["orders"]] == [f"ten-{n}" for n in range(10)]
    eleven = client.create_order(*(an_order(f"eleven-{n}") for n in range(11)))
    assert (eleven.status, eleven.body) == (501, {})
    assert client.detail(customer_ref_ids=["eleven-0"]).body == {"orders": []}


def test_one_bad_address_fails_the_whole_request_unless_it_is_forced(stage: Stage) -> None:
    client = stage.client()
    orders = [an_order("good-1"), an_order("bad", address=BAD), an_order("good-2")]
    refused = client.create_order(*orders)
    assert refused.status == 503
    assert refused.body == {"invalid_address_customer_ref_ids": ["bad"]}
    (reason,) = refused.whole["reasons"]
    assert reason["customer_ref_id"] == "bad"
    assert reason["field"] == "address.zip"
    assert "FR" in reason["reason"]
    everything = {"customer_ref_ids": ["good-1", "bad", "good-2"]}
    assert client.detail(**everything).body == {"orders": []}
    orders[1]["force_address"] = True
    assert client.create_order(*orders).status == 0
    assert [o["status"] for o in client.detail(**everything).body["orders"]] == ["VERIFIED"] * 3
    stage.receiver.wait_for("bad", 1)
    assert stage.receiver.words("bad") == ["VERIFIED"]


def test_a_reference_is_taken_once_and_a_request_that_repeats_one_creates_nothing(
    stage: Stage,
) -> None:
    client = stage.client()
    created(client.create_order(an_order("once")), "once")
    again = client.create_order(an_order("new-beside"), an_order("once"))
    assert (again.status, again.body) == (400, {})
    assert [r["customer_ref_id"] for r in again.whole["reasons"]] == ["once"]
    twice = client.create_order(an_order("twin"), an_order("twin"))
    assert twice.status == 400
    assert client.detail(customer_ref_ids=["new-beside", "twin"]).body == {"orders": []}


def test_a_user_order_answers_a_code_and_the_partners_own_id(stage: Stage) -> None:
    client = stage.client()
    answer = client.create_user_order(an_order("user-1"))
    created(answer, "user-1")
    assert re.fullmatch("[0-9a-f]{40}", answer.body["user"]["code"])
    assert answer.body["user"]["external_id"] == "person-1"
    for wrong in ({"shortname": "A-A"}, {"gender": "3"}, {"measures": "tall"}, {"email": ""}):
        assert client.create_user_order(an_order("user-2"), **wrong).status == 501, wrong
    bad = client.create_user_order(an_order("user-2", address=BAD))
    assert (bad.status, bad.body) == (503, {"invalid_address_customer_ref_ids": ["user-2"]})


def test_an_order_is_changed_until_the_warehouse_has_it(stage: Stage) -> None:
    client = stage.client()
    order_id = created(client.create_order(an_order("change")), "change")
    products = [{"partner_ref": "REF-12345", "quantity": 1}]
    changed = client.update(order_id, an_order("change", products=products))
    assert changed.status == 0
    assert changed.body["orders"][0]["products"] == products
    assert client.update(order_id, an_order("change", address=BAD)).status == 503
    assert client.update(order_id, an_order("another")).status == 501
    assert client.update("D0", an_order("change")).status == 501
    stage.warehouse("change", "submitted")
    assert client.update(order_id, an_order("change")).status == 524
    assert stage.receiver.wait_for("change", 2)
    assert stage.receiver.words("change") == ["VERIFIED", "PROCESSING"]


def test_an_order_is_cancelled_until_it_has_shipped(stage: Stage) -> None:
    client = stage.client()
    order_id = created(client.create_order(an_order("cancel")), "cancel")
    stage.warehouse("cancel", "ready_to_ship")
    answer = client.delete(order_id)
    assert (answer.status, answer.body) == (0, {})
    assert client.delete(order_id).status == 0
    assert client.detail(order_ids=[order_id]).body["orders"][0]["status"] == "TRASHED"
    stage.receiver.wait_for("cancel", 3)
    assert stage.receiver.words("cancel") == ["VERIFIED", "OPEN", "TRASHED"]

    order_id = created(client.create_order(an_order("gone")), "gone")
    stage.warehouse("gone", "shipped", **SHIPPED)
    late = client.delete(order_id)
    assert (late.status, late.body) == (277, {})


def test_a_whole_life_with_a_hold_and_a_failed_hand_over_is_notified_as_published(
    stage: Stage,
) -> None:
    client = stage.client()
    order_id = created(client.create_order(an_order("life")), "life")
    device = {"sku": "3700546702518", "serial_number": "SN-1", "mac_address": "00:24:e4:00:00:01"}
    details = {"extensions": {"withings": {"devices": [device]}}}
    stage.warehouse("life", "submit_failed")
    stage.warehouse("life", "submitted")
    stage.warehouse("life", "on_hold")
    stage.warehouse("life", "submitted")
    stage.warehouse("life", "ready_to_ship")
    stage.warehouse("life", "shipped", **SHIPPED, details=details)
    for state in ("in_transit", "attempt_failed", "delayed", "exception", "available_for_pickup"):
        stage.warehouse("life", state)
    stage.warehouse("life", "delivered")
    notices = stage.receiver.wait_for("life", 13)
    constant = {"customer_id": "4711", "customer_ref": "life", "is_replacement": False}
    before = ["VERIFIED", "FAILED", "PROCESSING", "BACKHOLD", "PROCESSING", "OPEN"]
    after = ["in_transit", "failed_attempt", "delayed", "exception", "pickup", "delivered"]
    assert notices == [
        *({**constant, "status": status} for status in before),
        {**constant, "status": "SHIPPED", **SHIPPED},
        *({**constant, "parcel_status": status, **SHIPPED} for status in after),
    ]
    (order,) = client.detail(order_ids=[order_id]).body["orders"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", order.pop("ship_date"))
    assert order == {
        "order_id": order_id,
        "customer_ref_id": "life",
        "status": "SHIPPED",
        "parcel_status": "delivered",
        "is_replacement": False,
        **SHIPPED,
        "products": [
            {
                "ean": "3700546702518",
                "quantity": 3,
                "mac_addresses": ["00:24:e4:00:00:01"],
                "serial_numbers": ["SN-1"],
                "hash_deviceids": [],
                "devices": [{"serial_number": "SN-1", "mac_address": "00:24:e4:00:00:01"}],
            }
        ],
    }


def test_a_replacement_names_its_original_in_notices_and_answers(stage: Stage) -> None:
    client = stage.client()
    created(client.create_order(an_order("broken")), "broken")
    (endpoint,) = stage.hub.call("GET", "/v1/endpoints")["endpoints"]
    path = f"/v1/endpoints/{endpoint['endpoint_id']}"
    options = {"customer_id": "4711", "order_id": True, "original_serial_number": True}
    stage.hub.call("PATCH", path, {"options": options})
    try:
        original = stage.hub.call("GET", "/v1/orders/find?q=broken")["orders"][0]["order_id"]
        made = stage.hub.call(
            "POST", f"/v1/orders/{original}/replacement", {"original_serial_number": "SN-9"}
        )
        assert made["order_key"] == "broken-R1"
        (notice,) = stage.receiver.wait_for("broken-R1", 1)
    finally:
        stage.hub.call("PATCH", path, {"options": {"customer_id": "4711"}})
    (order,) = client.detail(customer_ref_ids=["broken-R1"]).body["orders"]
    assert order["is_replacement"] is True
    assert order["original_customer_ref"] == "broken"
    assert notice == {
        "customer_id": "4711",
        "customer_ref": "broken-R1",
        "order_id": order["order_id"],
        "status": "VERIFIED",
        "is_replacement": True,
        "original_customer_ref": "broken",
        "original_serial_number": "SN-9",
    }


SEQUENCES = {
    1: [
        "VERIFIED",
        "PROCESSING",
        "OPEN",
        "SHIPPED",
        "pending",
        "info_received",
        "in_transit",
        "delivered",
    ],
    2: ["VERIFIED", "PROCESSING", "TRASHED"],
    3: ["VERIFIED", "PROCESSING", "FAILED"],
    4: ["VERIFIED", "PROCESSING", "BACKHOLD"],
}


def test_each_test_mode_plays_its_sequence_and_nothing_after_it(stage: Stage) -> None:
    client = stage.client()
    before = stage.hub.call("GET", "/v1/orders?limit=200")["orders"]
    for mode in SEQUENCES:
        answer = client.create_order(an_order(f"fake-{mode}"), testmode=str(mode))
        assert answer.body["orders"][0]["status"] == "VERIFIED"
    for mode, words in SEQUENCES.items():
        stage.receiver.wait_for(f"fake-{mode}", len(words))
    time.sleep(0.2)
    for mode, words in SEQUENCES.items():
        assert stage.receiver.words(f"fake-{mode}") == words
    shipped = stage.receiver.of("fake-1")[3:]
    assert all({"carrier", "carrier_service", "tracking_number"} <= set(n) for n in shipped)
    assert [("status" in n, "parcel_status" in n) for n in shipped] == [
        (True, False),
        *[(False, True)] * 4,
    ]
    fakes = stage.hub.call("GET", "/v1/orders?limit=200")["orders"][: -len(before)]
    assert all(order["order_id"].startswith("tst_") for order in fakes)
    assert client.create_order(an_order("fake-9"), testmode="9").status == 501


def test_a_hub_that_is_killed_goes_on_with_its_fake_orders(stage: Stage) -> None:
    assert stage.client().create_order(an_order("killed"), testmode="1").status == 0
    stage.receiver.wait_for("killed", 2)
    stage.hub.kill()
    assert len(stage.receiver.of("killed")) < len(SEQUENCES[1])
    stage.hub.start()
    until(lambda: SEQUENCES[1][-1] in stage.receiver.words("killed"), within_s=45)
    # What was on its way when the hub was killed may come again, and nothing else.
    assert list(dict.fromkeys(stage.receiver.words("killed"))) == SEQUENCES[1]


def test_unknown_actions_and_missing_parameters_get_the_numbers_of_their_families(
    stage: Stage,
) -> None:
    client = stage.client()
    assert client.send("/v2/order", {"action": "createorder"}).status == 2554
    assert client.send("/v2/dropshipment", {"action": "getnonce"}).status == 2554
    assert client.send("/v2/dropshipment", {"action": "steal"}).status == 2554
    assert client.send("/v2/dropshipment", {}).status == 501
    assert client.send("/v2/dropshipment", {"action": "delete"}).status == 501
    assert client.detail().status == 501
    assert client.detail(order_ids=["D1"], customer_ref_ids=["x"]).status == 501
    assert client.create_order(an_order("x"), customerid="another").status == 501
    assert client.call("createorder", order="not json").status == 501
    assert client.create_order(an_order("x", products=[{"quantity": 1}])).status == 501
    assert set(client.http_statuses) == {200}


def test_everything_was_told_as_json(stage: Stage) -> None:
    assert stage.client().create_order(an_order("as-json")).status == 0
    stage.receiver.wait_for("as-json", 1)
    assert stage.receiver.content_types == {"application/json"}
