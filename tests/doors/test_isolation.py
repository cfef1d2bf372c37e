"""What belongs to another account answers exactly as if it did not exist, on every route."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from milepost.api.app import ROUTES
from milepost.api.door import Route
from milepost.api.examples import REQUESTS
from tests.doors.desk import Answer, Desk

NAMED = [
    route
    for route in ROUTES
    # What is public belongs to no account.
    if "{" in route.path and route.name not in ("putStore", "putWarehouse") and not route.public
]
UNKNOWN = {
    "order_id": "ord_00000000000000000000000000",
    "endpoint_id": "ep_0000000000",
    "delivery_id": "ord_00000000000000000000000000-1-ep_0000000000",
    "store": "nowhere",
    "client_id": "nobody",
    "resend_id": "rsd_00000000000000000000000000",
    "reconciliation_id": "rec_00000000000000000000000000",
    "source": "nothing",
    "receipt_id": "rcp_00000000000000000000000000",
}
BODIES: dict[str, Any] = {
    "changeClient": {"name": "mine now"},
    "replaceOrder": {},
    "requireActions": {"customs": True},
    "splitOrder": {"parts": [{"order_key": "x", "lines": [{"sku": "PEN", "quantity": 1}]}]},
    "reconcileSource": {"dry_run": True},
    "rotateSecret": {},
    "eraseOrder": {},
    "changeEndpoint": {"description": "mine now"},
    "changeSource": {"trusted": True},
}


def said(answer: Answer) -> tuple[int, dict[str, Any]]:
    """An answer without what differs from request to request."""
    return answer.status, {k: v for k, v in answer.json.items() if k != "request_id"}


def a_reconciliation(desk: Desk) -> str:
    """The id of a comparison with the provider of the account's only source."""
    (source,) = desk.run(desk.hub.store.sources(desk.account_id))
    access = msgspec.json.encode({"client_id": "hidden", "client_secret": "hidden"})
    desk.run(desk.hub.store.put_source(msgspec.structs.replace(source, read_access=access)))
    begun = desk.post(f"/v1/sources/{source.source}/reconcile", {})
    assert begun.status == 202, begun.body
    name: str = begun.json["reconciliation_id"]
    return name


@pytest.fixture
def foreign(desk: Desk) -> tuple[Desk, dict[str, str]]:
    """A desk that has everything itself, and the ids of what another account has."""
    other = desk.another()
    other.send("PUT", "/v1/stores/theirs", {})
    endpoint_id = other.endpoint()["endpoint"]["endpoint_id"]
    order_id = other.order("hidden-key", order_number="hidden-number")
    other.update("hidden-key", state="shipped", tracking_number="hidden-tracking")
    other.update("hidden-key", state="picking")
    delivery_id = other.get("/v1/deliveries").json["deliveries"][-1]["delivery_id"]
    client = other.post("/v1/clients", {"name": "hidden-client", "billing_id": "hidden-billing"})
    since = {"endpoint_id": endpoint_id, "since": "2026-01-01T00:00:00Z"}
    (resend,) = other.post("/v1/resends/latest", since).json["resends"]
    told = {"source": "hidden-source", "kind": "withings", "store": "theirs"}
    path = other.post("/v1/sources", told).json["path"]
    message = {"customer_id": "1", "customer_ref": "hidden-key", "status": "CREATED"}
    assert other.post(path, message).status == 200
    (receipt,) = other.get("/v1/receipts").json["receipts"]
    desk.endpoint()
    desk.order()
    ids = {
        "order_id": order_id,
        "endpoint_id": endpoint_id,
        "delivery_id": delivery_id,
        "store": "theirs",
        "client_id": client.json["client"]["client_id"],
        "resend_id": resend["resend_id"],
        "reconciliation_id": a_reconciliation(other),
        "source": "hidden-source",
        "receipt_id": receipt["receipt_id"],
    }
    return desk, ids


def test_every_route_with_a_name_in_its_path_is_in_this_test() -> None:
    assert len(NAMED) >= 12
    assert {name for r in NAMED for name in re.findall(r"{(\w+)}", r.path)} == set(UNKNOWN)


@pytest.mark.parametrize("route", NAMED, ids=lambda r: r.name)
def test_a_foreign_id_answers_like_one_that_does_not_exist(
    foreign: tuple[Desk, dict[str, str]], route: Route[Any, Any]
) -> None:
    desk, ids = foreign
    body = BODIES.get(route.name)
    theirs = desk.send(route.method, route.path.format(**ids), body)
    nobodys = desk.send(route.method, route.path.format(**UNKNOWN), body)
    assert theirs.status == 404
    assert said(theirs) == said(nobodys)


def test_a_foreign_id_answers_the_same_to_its_own_account_as_before(
    foreign: tuple[Desk, dict[str, str]],
) -> None:
    desk, ids = foreign
    for route in NAMED:
        desk.send(route.method, route.path.format(**ids), BODIES.get(route.name))
    shown = desk.hub.insights
    account_id = next(
        a.account_id for a in desk.run(desk.hub.operations.accounts()) if a.name == "other"
    )
    endpoint = desk.run(shown.endpoint(account_id, ids["endpoint_id"]))
    assert endpoint.description == ""
    assert endpoint.state == "active"


def test_no_list_shows_what_is_foreign(foreign: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = foreign
    for target in (
        "/v1/orders",
        "/v1/orders/find?q=hidden-key",
        "/v1/orders/find?q=hidden-number",
        "/v1/orders/find?q=hidden-tracking",
        f"/v1/orders/find?q={ids['order_id']}",
        "/v1/orders?store=theirs",
        "/v1/deliveries",
        f"/v1/deliveries?endpoint={ids['endpoint_id']}",
        f"/v1/deliveries?order={ids['order_id']}",
        "/v1/quarantine",
        "/v1/endpoints",
        "/v1/stores",
        "/v1/clients",
        "/v1/resends",
        "/v1/reconciliations",
        "/v1/sources",
        "/v1/receipts",
        "/v1/receipts?source=hidden-source",
        "/v1/deliveries/undelivered",
        f"/v1/deliveries/undelivered?endpoint={ids['endpoint_id']}",
    ):
        answer = desk.get(target)
        assert answer.status == 200, target
        body = answer.body.decode()
        assert "hidden" not in body, target
        assert not any(theirs in body for theirs in ids.values()), target


def test_an_update_cannot_reach_a_foreign_order(foreign: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = foreign
    by_id = desk.post("/v1/updates", {"order_id": ids["order_id"], "state": "cancelled"})
    assert by_id.status == 404
    (result,) = desk.post(
        "/v1/updates/batch", {"updates": [{"order_id": ids["order_id"], "state": "cancelled"}]}
    ).json["results"]
    assert result["problem"]["status"] == 404
    assert desk.update("hidden-key", state="cancelled").status == 202
    assert desk.order("hidden-key") != ids["order_id"]


def test_an_endpoint_cannot_subscribe_to_a_foreign_store(
    foreign: tuple[Desk, dict[str, str]],
) -> None:
    desk, _ = foreign
    told = {**REQUESTS["createEndpoint"], "stores": ["theirs"], "statuses": None}
    answer = desk.post("/v1/endpoints", told)
    assert answer.status == 422
    assert "theirs" not in answer.json["expected"]


def test_a_cursor_of_one_account_opens_nothing_in_another(
    foreign: tuple[Desk, dict[str, str]],
) -> None:
    desk, _ = foreign
    other = desk.another("third")
    for i in range(3):
        other.order(f"third-{i}")
    cursor = other.get("/v1/orders?limit=1").json["next"]
    answer = desk.get(f"/v1/orders?after={cursor}")
    assert "third-" not in answer.body.decode()
