"""A merchant's integration against a real `serve`: what it may do, and what its receiver sees."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from tests.system.processes import Process, Town, until
from tests.system.shipmonk_client import Integration, Receiver

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "tests/contracts/shipmonk.schema.json").read_text(encoding="utf-8"))
SANDBOX_SPEED = 1_200
"""20 minutes are a second."""

SECRET = "whsec"
WHOLE_WAY = [
    "queued_to_submit",
    "submitted",
    "pick_in_progress",
    "pack_in_progress",
    "packed",
    "awaiting_pick_up",
    "awaiting_carrier_processing",
    "en_route",
    "delivered",
]


class Shop(NamedTuple):
    """A merchant with a hub behind it."""

    client: Integration
    receiver: Receiver
    hub: Process
    key: str

    def tell(self, key: str, state: str, **said: Any) -> None:
        """The warehouse or a carrier says so."""
        update = {"store": "main", "order_key": key, "state": state, "source": "wms", **said}
        answer = self.hub.ask("POST", "/v1/updates", update, key=self.key)
        assert answer.status == 200, answer


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shipmonk")
    town = Town(
        folder,
        f"sqlite:///{folder}/milepost.db",
        MILEPOST_PORT="0",
        MILEPOST_SANDBOX="true",
        MILEPOST_SANDBOX_SPEED=str(SANDBOX_SPEED),
    )
    with Receiver(username="merchant", password="pass word", secret=SECRET) as receiver:
        try:
            hub = town.start("serve")
            key = hub.ready["api_key"]
            stores = hub.ask("GET", "/v1/stores", key=key).body["stores"]
            endpoint = {
                "contract": "shipmonk",
                "url": receiver.url,
                "credentials": {
                    "username": "merchant",
                    "password": "pass word",
                    "signature_secret": SECRET,
                },
            }
            assert hub.ask("POST", "/v1/endpoints", endpoint, key=key).status == 201
            warehouse = {"name": "Florida", "timezone": "America/New_York"}
            assert hub.ask("PUT", "/v1/warehouses/FL1", warehouse, key=key).status == 200
            client = Integration(hub.ready["url"], key, store_id=stores[0]["number"])
            yield Shop(client, receiver, hub, key)
        finally:
            for process in town.processes:
                process.close()


def test_an_order_is_created_completed_and_told_of_exactly(shop: Shop) -> None:
    made = shop.client.save("whole", warehouse="FL1", shipping_paid=136.0, gift_message="for you")
    assert (made.http_status, made.body) == (200, {"message": "Order was created"})
    shop.receiver.wait_for("whole", WHOLE_WAY[:2])
    assert shop.client.complete("whole").http_status == 200
    shop.receiver.wait_for("whole", WHOLE_WAY)
    seen = shop.receiver.of("whole")
    assert all(one.basic and one.signed for one in seen)
    for one in seen:
        jsonschema.validate(one.body, SCHEMA)
    last = seen[-1].body
    assert last == shop.client.read("whole")
    assert b'"shipping_paid":136.0,' in seen[-1].raw
    assert last["warehouse"]["identifier"] == "FL1"
    assert last["packages"][0]["tracking_number"]
    assert last["order_status"] == "fulfilled"


def test_what_is_asked_for_has_the_bytes_of_what_was_told(shop: Shop) -> None:
    shop.client.save("bytes", taxes_paid=0.10)
    shop.receiver.wait_for("bytes", WHOLE_WAY[:2])
    raw = shop.client.call("GET", "orders", orderKey="bytes").raw
    assert raw == b'{"status":200,"data":' + shop.receiver.of("bytes")[-1].raw + b"}"


def test_every_package_has_its_own_tracking_number(shop: Shop) -> None:
    shop.client.save("packages")
    assert shop.client.complete("packages", pack_type="multipack").http_status == 200
    shop.receiver.wait_for("packages", WHOLE_WAY)
    packages = shop.receiver.of("packages")[-1].body["packages"]
    assert len({package["tracking_number"] for package in packages}) == 2


@pytest.mark.parametrize(
    ("scenario", "statuses"),
    [
        ("backorder", ["backorder", "submitted", *WHOLE_WAY[2:]]),
        ("hold", ["on_hold", "submitted", *WHOLE_WAY[2:]]),
        ("undeliverable", [*WHOLE_WAY[2:-1], "undeliverable"]),
        ("untrackable", [*WHOLE_WAY[2:-2], "shipped_untrackable"]),
        ("cancelled", ["cancelled"]),
        ("cancellation_requested", ["pick_in_progress", "cancellation_requested", "cancelled"]),
        (
            "cancellation_refused",
            ["pick_in_progress", "cancellation_requested", *WHOLE_WAY[3:]],
        ),
    ],
)
def test_a_scenario_of_the_sandbox_plays(shop: Shop, scenario: str, statuses: list[str]) -> None:
    shop.client.save(scenario)
    assert shop.client.complete(scenario, scenario=scenario).http_status == 200
    shop.receiver.wait_for(scenario, [*WHOLE_WAY[:2], *statuses])


def test_an_order_can_be_held_released_and_cancelled_in_time(shop: Shop) -> None:
    shop.client.save("held")
    assert shop.client.save("held", "onHold").body == {"message": "Order was updated"}
    assert shop.client.read("held")["order_status"] == "onHold"
    shop.client.save("held")
    shop.client.save("held", "cancelled")
    expected = [*WHOLE_WAY[:2], "on_hold", "submitted", "cancelled"]
    shop.receiver.wait_for("held", expected)
    again = shop.client.save("held")
    assert again.http_status == 400
    assert "cancelled" in again.body["data"]["message"]


def test_a_cancellation_that_comes_too_late_is_refused(shop: Shop) -> None:
    shop.client.save("late")
    shop.tell("late", "picking")
    assert shop.client.save("late", "cancelled").http_status == 200
    assert shop.client.read("late")["processing_status"] == "cancellation_requested"
    shop.tell("late", "packed")
    refused = shop.client.save("late", "cancelled")
    assert (refused.http_status, refused.body["status"]) == (400, 400)
    assert shop.client.read("late")["processing_status"] == "packed"


def test_items_cannot_change_while_they_are_picked_and_nothing_once_packed(shop: Shop) -> None:
    shop.client.save("edited")
    shop.client.save("edited", items=[{"sku": "PEN", "quantity": 5, "line_key": "1"}])
    assert [item["quantity"] for item in shop.client.read("edited")["items"]] == [5]
    shop.tell("edited", "picking")
    kept = [{"sku": "PEN", "quantity": 5, "line_key": "1"}]
    assert shop.client.save("edited", items=[]).http_status == 400
    assert shop.client.save("edited", items=kept, gift_from="Ann").http_status == 200
    shop.tell("edited", "packed")
    assert shop.client.save("edited", items=kept, gift_from="Ben").http_status == 400
    assert shop.client.save("edited", items=kept, gift_from="Ann").http_status == 200


def test_an_order_waits_for_its_time_and_is_submitted_then(shop: Shop) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    shop.client.save("later", submit_at="2099-01-01T00:00:00+00:00")
    assert shop.client.read("later")["processing_status"] == "queued_to_submit"
    assert shop.client.submit("later", soon.isoformat()).http_status == 200
    until(lambda: shop.client.read("later")["processing_status"] == "submitted")
    assert datetime.now(UTC) >= soon
    shop.receiver.wait_for("later", WHOLE_WAY[:2])
    now = shop.client.save("now", submit_at="2099-01-01T00:00:00+00:00")
    assert now.http_status == 200
    assert shop.client.submit("now", "2020-01-01T00:00:00Z").http_status == 200
    assert shop.client.read("now")["processing_status"] == "submitted"
    shop.tell("now", "picking")
    assert shop.client.submit("now", "2020-01-01T00:00:00Z").http_status == 400


def test_a_bad_address_makes_the_order_unable_to_submit_until_it_is_mended(shop: Shop) -> None:
    shop.client.save("address", ship_to={"street1": "1 Main St", "country_code": "US"})
    shown = shop.client.read("address")
    assert shown["processing_status"] == "unable_to_submit"
    assert shown["actions_required"]["address"]
    assert shop.client.submit("address", "2020-01-01T00:00:00Z").http_status == 400
    shop.client.save("address")
    shown = shop.client.read("address")
    assert (shown["processing_status"], shown["actions_required"]["address"]) == (
        "submitted",
        False,
    )
    shop.receiver.wait_for("address", ["queued_to_submit", "unable_to_submit", "submitted"])


def test_fulfilled_by_somebody_else_is_answered_and_never_told(shop: Shop) -> None:
    shop.client.save("elsewhere", "fulfilled")
    assert shop.client.read("elsewhere")["processing_status"] == "fulfilled_by_3rd"
    time.sleep(0.3)
    assert shop.receiver.statuses("elsewhere") == ["queued_to_submit"]


def test_what_is_wrong_is_named(shop: Shop) -> None:
    unknown = shop.client.save("wrong", colour="red")
    assert unknown.http_status == 400
    assert "colour" in json.dumps(unknown.body)
    elsewhere = shop.client.call("POST", "order", {**shop.client.order("wrong"), "store_id": 99})
    assert (elsewhere.http_status, elsewhere.body["data"]["field"]) == (400, "store_id")
    assert shop.client.save("wrong", warehouse="XX1").body["data"]["field"] == "warehouse"
    assert shop.client.call("GET", "orders", orderKey="wrong").http_status == 404
    assert shop.client.call("GET", "orders").http_status == 400
    assert shop.client.call("POST", "orders").http_status == 405
    stranger = Integration(shop.hub.ready["url"], "mp_nobody", store_id=1)
    assert stranger.call("GET", "orders", orderKey="whole").http_status == 401
    shop.client.save("unpicked", "onHold")
    assert shop.client.complete("unpicked").http_status == 400


def test_orders_are_listed_page_by_page_with_every_filter(shop: Shop) -> None:
    for number in range(5):
        shop.client.save(f"list-{number}", order_type="work_order")
    shop.client.save("list-0", "cancelled", order_type="work_order")

    def listed(**asked: Any) -> list[str]:
        answered = shop.client.call("GET", "orders-list", **asked)
        assert answered.http_status == 200, answered
        for order in answered.body["data"]["orders"]:
            jsonschema.validate(order, SCHEMA)
        return [order["order_key"] for order in answered.body["data"]["orders"]]

    names = [f"list-{number}" for number in range(5)]
    assert listed(orderType="work_order") == names
    assert listed(orderType="work_order", sortOrder="DESC", pageSize=2, page=2) == [
        "list-2",
        "list-1",
    ]
    assert listed(orderType="work_order", orderStatus="cancelled") == ["list-0"]
    assert listed(**{"orderKeys[]": ["list-3", "list-1"]}) == ["list-1", "list-3"]
    assert listed(**{"orderNumbers[0]": "#list-2"}) == ["list-2"]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert listed(updatedAtStart=tomorrow.strftime("%Y-%m-%d %H:%M:%S")) == []
    assert set(names) <= set(listed(updatedAtEnd=tomorrow.isoformat()))
    assert "list-1" not in listed(shippedAtEnd=tomorrow.isoformat())
    assert shop.client.call("GET", "orders-list", pageSize=101).http_status == 400
    assert shop.client.call("GET", "orders-list", colour="red").http_status == 400


def test_warehouses_are_listed(shop: Shop) -> None:
    answered = shop.client.call("GET", "warehouses").body
    assert answered["paginator"] == {"total": 1, "pages": 1, "page": 1}
    assert answered["data"][0]["identifier"] == "FL1"
    assert answered["data"][0]["timezone"] == "America/New_York"


def test_a_split_makes_parts_with_a_life_of_their_own(shop: Shop) -> None:
    shop.client.save("split")
    assert shop.client.complete("split", scenario="split").http_status == 200
    shop.receiver.wait_for("split", WHOLE_WAY)
    shop.receiver.wait_for("split-2", WHOLE_WAY)
    left, part = shop.client.read("split"), shop.client.read("split-2")
    assert [item["sku"] for item in left["items"]] == ["PEN"]
    assert [item["sku"] for item in part["items"]] == ["INK"]
    related = {"main_order": {"order_number": "#split", "parts": [{"order_number": "#split-2"}]}}
    assert left["order_parts"] == part["order_parts"] == related
    one, other = left["packages"][0]["tracking_number"], part["packages"][0]["tracking_number"]
    assert one != other


def test_every_required_action_stops_the_order_until_it_is_settled(shop: Shop) -> None:
    shop.client.save("actions")
    order_id = shop.hub.ask("GET", "/v1/orders?limit=1", key=shop.key).body["orders"][0]["order_id"]
    path = f"/v1/orders/{order_id}/actions"
    names = [
        name for name in shop.client.read("actions")["actions_required"] if "hazmat" not in name
    ]
    assert len(names) == 14
    for name in names:
        assert shop.hub.ask("POST", path, {name: True}, key=shop.key).status == 200
        shown = shop.client.read("actions")
        assert shown["processing_status"] == "unable_to_submit"
        assert [n for n, on in shown["actions_required"].items() if on] == [name]
        assert shop.hub.ask("POST", path, {name: False}, key=shop.key).status == 200
        shown = shop.client.read("actions")
        assert shown["processing_status"] == "submitted"
        assert not any(shown["actions_required"].values())
    expected = ["queued_to_submit", "submitted", *["unable_to_submit", "submitted"] * 14]
    shop.receiver.wait_for("actions", expected)
    assert shop.hub.ask("POST", path, {"colour": True}, key=shop.key).status == 422
    assert shop.hub.ask("POST", path, {}, key=shop.key).status == 422
    shop.tell("actions", "picking")
    assert shop.hub.ask("POST", path, {"customs": True}, key=shop.key).status == 409


def test_an_operator_splits_an_order_and_nothing_is_half_done(shop: Shop) -> None:
    shop.client.save("taken")
    shop.client.save("parts")
    order_id = shop.hub.ask("GET", "/v1/orders?limit=1", key=shop.key).body["orders"][0]["order_id"]

    def split(*parts: dict[str, Any]) -> Any:
        return shop.hub.ask("POST", f"/v1/orders/{order_id}/split", {"parts": parts}, key=shop.key)

    one = {"order_key": "parts-2", "lines": [{"line_key": "1", "quantity": 1}]}
    taken = {"order_key": "taken", "lines": [{"line_key": "1", "quantity": 1}]}
    too_many = {"order_key": "parts-3", "lines": [{"line_key": "1", "quantity": 3}]}
    assert split(one, taken).status == 409
    assert shop.client.call("GET", "orders", orderKey="parts-2").http_status == 404
    assert split(too_many).status == 422
    assert split(one).status == 201
    quantities = {
        key: [(item["sku"], item["quantity"]) for item in shop.client.read(key)["items"]]
        for key in ("parts", "parts-2")
    }
    assert quantities == {"parts": [("PEN", 1), ("INK", 1)], "parts-2": [("PEN", 1)]}
    assert shop.client.read("parts-2")["processing_status"] == "submitted"


def published_schema() -> Any:
    """ShipMonk's own schema of the body, where its interface description lies beside us."""
    beside = ROOT.parent / "shared" / "contracts" / "shipmonk-openapi-v1.024.json"
    if not beside.exists():
        return SCHEMA
    described = json.loads(beside.read_text(encoding="utf-8"))
    (name,) = [n for n in described["components"]["schemas"] if n.endswith(BODY)]
    return {"$ref": f"#/components/schemas/{name}", "components": described["components"]}


BODY = "_PublicApiOrderDetailOutput"
LIVES: dict[str, list[dict[str, Any]]] = {
    "life-sub": [{"state": "scheduled", "reason": "subscription"}, {"state": "submitted"}],
    "life-fwd": [{"state": "scheduled", "reason": "package_forwarding"}, {"state": "backordered"}],
    "life-label": [
        {"state": "scheduled", "reason": "merchant_facility"},
        {"state": "submit_failed"},
    ],
    "life-hold": [{"state": "verified"}, {"state": "on_hold"}, {"state": "cancel_requested"}],
    "life-gone": [{"state": "cancelled"}],
    "life-third": [{"state": "fulfilled_elsewhere"}],
    "life-way": [
        *({"state": state} for state in ("submitted", "picking", "packing", "packed")),
        {"state": "ready_to_ship"},
        {"state": "shipped", "carrier": "UPS", "tracking_number": "1Z1", "parcel": "1"},
        {"state": "in_transit", "parcel": "1"},
        {"state": "delivered", "parcel": "1"},
    ],
    "life-lost": [{"state": "shipped", "carrier": "UPS"}, {"state": "undeliverable"}],
    "life-dark": [{"state": "shipped", "carrier": "UPS"}, {"state": "untracked"}],
}
"""Lives that together show every status but `updating`, which is a flag over one."""


def test_every_status_that_is_visited_is_told_and_read_by_the_schema(shop: Shop) -> None:
    own, published = (
        jsonschema.Draft202012Validator(schema) for schema in (SCHEMA, published_schema())
    )
    read = set()
    for key, life in LIVES.items():
        order = {"store": "main", "order_key": key, "order_number": key}
        assert shop.hub.ask("POST", "/v1/orders", order, key=shop.key).status == 201
        for step in [{}, *life]:
            if step:
                shop.tell(key, **{"source": "wms", **step})
            shown = shop.client.read(key)
            own.validate(shown)
            published.validate(shown)
            read.add(shown["processing_status"])
    told = set()
    until(lambda: sum(len(shop.receiver.of(key)) for key in LIVES) == NOTIFIED)
    for key in LIVES:
        for webhook in shop.receiver.of(key):
            assert webhook.basic
            assert webhook.signed
            own.validate(webhook.body)
            published.validate(webhook.body)
            told.add(webhook.body["processing_status"])
    assert told == SENT
    assert read == SENT | GET_ONLY


NOTIFIED = sum(1 + len(life) for life in LIVES.values()) - 3
"""All but two statuses that exist for reading only, and one that shows what was shown before."""

GET_ONLY = {"fulfilled_by_3rd", "awaiting_label_request_from_merchant_facility"}
SENT = {
    "backorder", "unable_to_submit", "queued_to_submit", "subscription", "package_forwarding",
    "on_hold", "submitted", "pick_in_progress", "pack_in_progress", "packed", "awaiting_pick_up",
    "awaiting_carrier_processing", "en_route", "delivered", "undeliverable", "shipped_untrackable",
    "cancellation_requested", "cancelled",
}  # fmt: skip
"""The published list of what is notified."""
