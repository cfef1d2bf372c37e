"""Reading: orders by any id, their history, lists page by page, deliveries with their attempts."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from milepost.delivery.model import Reply
from milepost.ports import Page
from tests.doors.desk import Desk


def pages(desk: Desk, target: str, name: str, *, limit: int) -> list[list[Any]]:
    """All pages of a list, cursor by cursor."""
    found = []
    after: str | None = ""
    while after is not None:
        mark = "&" if "?" in target else "?"
        cursor = f"&after={quote(str(after))}" if after else ""
        answer = desk.get(f"{target}{mark}limit={limit}{cursor}")
        assert answer.status == 200, answer.body
        found.append(answer.json[name])
        after = answer.json["next"]
        assert len(found) < 50
    return found


def test_an_order_is_shown_with_its_parcels_and_what_each_contract_shows(desk: Desk) -> None:
    order_id = desk.order("B-1", order_number="1001")
    desk.update(state="shipped", carrier="ups", tracking_number="1Z")
    shown = desk.get(f"/v1/orders/{order_id}").json
    assert shown["order_number"] == "1001"
    assert shown["state"] == "shipped"
    assert shown["previous_state"] == "created"
    assert shown["words"]["withings"]["status"] == "SHIPPED"
    assert shown["words"]["shipmonk"]["processing_status"] == "awaiting_carrier_processing"
    assert shown["parcels"][0]["tracking_number"] == "1Z"
    assert "account_id" not in shown


@pytest.mark.parametrize("text", ["ORDER_ID", "B 1/ü", "1001", "1Z9&x=1"])
def test_an_order_is_found_by_any_of_its_ids(desk: Desk, text: str) -> None:
    order_id = desk.order("B 1/ü", order_number="1001")
    desk.order("other")
    desk.update("B 1/ü", state="shipped", tracking_number="1Z9&x=1")
    sought = quote(order_id if text == "ORDER_ID" else text, safe="")
    found = desk.get(f"/v1/orders/find?q={sought}").json["orders"]
    assert [o["order_id"] for o in found] == [order_id]


def test_nothing_is_found_where_nothing_is(desk: Desk) -> None:
    desk.order()
    assert desk.get("/v1/orders/find?q=B").json == {"orders": []}


def test_orders_are_listed_newest_first_page_by_page(desk: Desk) -> None:
    ids = [desk.order(f"B-{i}") for i in range(7)]
    found = pages(desk, "/v1/orders", "orders", limit=3)
    assert [len(page) for page in found] == [3, 3, 1]
    assert [o["order_id"] for page in found for o in page] == ids[::-1]


def test_a_list_of_orders_is_narrowed_by_store_and_state(desk: Desk) -> None:
    assert desk.send("PUT", "/v1/stores/paris", {}).status == 200
    desk.order("B-1")
    desk.order("B-2")
    desk.post("/v1/orders", {"store": "paris", "order_key": "P-1"})
    desk.update("B-2", state="cancelled")
    keys = {
        target: [o["order_key"] for o in desk.get(target).json["orders"]]
        for target in (
            "/v1/orders?store=paris",
            "/v1/orders?store=berlin&state=cancelled",
            "/v1/orders?state=created",
            "/v1/orders?store=nowhere",
        )
    }
    assert list(keys.values()) == [["P-1"], ["B-2"], ["P-1", "B-1"], []]


def test_a_history_is_read_in_order_page_by_page(desk: Desk) -> None:
    order_id = desk.order()
    for state in ("verified", "submitted", "packed", "shipped"):
        desk.update(state=state)
    found = pages(desk, f"/v1/orders/{order_id}/events", "events", limit=2)
    assert [[e["sequence"] for e in page] for page in found] == [[1, 2], [3, 4], [5]]
    rest = desk.get(f"/v1/orders/{order_id}/events?after=4").json["events"]
    assert [e["state"] for e in rest] == ["shipped"]


def test_a_delivery_is_shown_with_its_body_and_every_attempt(sending: Desk) -> None:
    replies = iter([Reply(500, body=b"not \xff now"), Reply(200, body=b"thanks")])
    sending.outside.answer = lambda _request: next(replies)
    endpoint_id = sending.endpoint(schedule="rehearsal")["endpoint"]["endpoint_id"]
    order_id = sending.order()
    sending.run(_sleep(0.1))
    sending.clock.forward(seconds=2)
    sending.quiet()
    (listed,) = sending.get(f"/v1/orders/{order_id}/deliveries").json["deliveries"]
    assert listed["delivery_id"] == f"{order_id}-1-{endpoint_id}"
    shown = sending.get(f"/v1/deliveries/{listed['delivery_id']}").json
    assert shown["state"] == "acknowledged"
    assert shown["body_encoding"] == "utf-8"
    assert '"order.created"' in shown["body"]
    assert shown["body"].encode() == sending.outside.requests[0].body
    assert [(a["attempt"], a["status"], a["outcome"]) for a in shown["attempts_made"]] == [
        (1, 500, "server_error"),
        (2, 200, "acknowledged"),
    ]
    assert shown["attempts_made"][1]["response"] == "thanks"


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


def test_deliveries_are_narrowed_by_endpoint_order_and_state(desk: Desk) -> None:
    first = desk.endpoint()["endpoint"]["endpoint_id"]
    desk.endpoint()
    order_id = desk.order("B-1")
    desk.order("B-2")
    assert [len(p) for p in pages(desk, "/v1/deliveries", "deliveries", limit=3)] == [3, 1]
    for query, number in (
        (f"endpoint={first}", 2),
        (f"order={order_id}", 2),
        (f"order={order_id}&endpoint={first}", 1),
        ("state=pending", 4),
        ("state=abandoned", 0),
    ):
        assert len(desk.get(f"/v1/deliveries?{query}").json["deliveries"]) == number, query


def test_a_settled_delivery_is_sent_again_under_a_new_name(sending: Desk) -> None:
    sending.endpoint()
    order_id = sending.order()
    sending.quiet()
    name = sending.get("/v1/deliveries").json["deliveries"][0]["delivery_id"]
    answer = sending.post(f"/v1/deliveries/{name}/resend")
    assert answer.status == 202
    assert answer.json["delivery_id"] == f"{name}-r1"
    assert answer.json["replay"] == 1
    sending.quiet()
    first, again = (dict(r.headers) for r in sending.outside.requests)
    assert (first["webhook-id"], again["webhook-id"]) == (name, f"{name}-r1")
    assert again["milepost-replay"] == "1"
    assert again["milepost-order"] == order_id
    assert sending.get(f"/v1/deliveries/{name}").status == 200
    assert sending.get(f"/v1/deliveries/{name}-r1").status == 200
    assert sending.get(f"/v1/deliveries/{name}-r2").status == 404


def test_what_is_pending_already_is_not_queued_twice(desk: Desk) -> None:
    desk.endpoint()
    desk.order()
    name = desk.get("/v1/deliveries").json["deliveries"][0]["delivery_id"]
    answer = desk.post(f"/v1/deliveries/{name}/resend")
    assert answer.status == 202
    assert answer.json["replay"] == 0


def test_what_was_given_up_can_be_listed_and_sent_again(sending: Desk) -> None:
    sending.outside.answer = lambda _request: Reply(500)
    endpoint_id = sending.endpoint()["endpoint"]["endpoint_id"]
    sending.order()
    insights, account_id = sending.hub.insights, sending.account_id
    for _ in range(20):
        sending.run(_sleep(0.05))
        sending.clock.forward(days=2)
    sending.quiet()
    (lost,), after = sending.run(insights.undelivered(account_id, page=Page()))
    assert (lost.endpoint_id, lost.state, after) == (endpoint_id, "abandoned", None)
    listed = sending.get("/v1/deliveries?state=abandoned").json["deliveries"]
    assert [d["delivery_id"] for d in listed] == [lost.delivery_id]
    sending.outside.answer = lambda _request: Reply(204)
    assert sending.post(f"/v1/deliveries/{lost.delivery_id}/resend").status == 202
    sending.quiet()
    assert sending.run(insights.counts(account_id)).deliveries["acknowledged"] == 1


@pytest.mark.parametrize(
    "target",
    [
        "/v1/orders",
        "/v1/deliveries",
        "/v1/quarantine",
        "/v1/orders/ORDER/deliveries",
        "/v1/orders/ORDER/events",
    ],
)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=-1", "limit"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("limit=1e3", "limit"),
        ("limit=" + "9" * 5_000, "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=", "limit"),
        ("after=%21%21", "after"),
        ("after=", "after"),
        ("after=%00", "after"),
        ("after=%FF", ""),
        ("after=" + "x" * 5_000, "after"),
        ("colour=red", "colour"),
        ("&".join(f"a{i}=1" for i in range(30)), ""),
    ],
    ids=lambda v: v[:20],
)
def test_a_bad_parameter_is_refused_by_its_name(
    desk: Desk, target: str, query: str, field: str
) -> None:
    order_id = desk.order()
    answer = desk.get(f"{target.replace('ORDER', order_id)}?{query}")
    assert answer.status == 422, answer.body
    assert answer.json["field"] == field


@pytest.mark.parametrize(
    "target",
    [
        "/v1/orders?state=gone",
        "/v1/deliveries?state=gone",
        "/v1/quarantine?verdict=gone",
        "/v1/orders/find",
        "/v1/orders/find?q=",
        f"/v1/orders/find?q={'x' * 256}",
        "/v1/stores?x=1",
        "/v1/contracts?x=1",
    ],
)
def test_a_parameter_outside_its_set_is_refused(desk: Desk, target: str) -> None:
    assert desk.get(target).status == 422


def test_a_cursor_of_another_list_is_refused_or_finds_nothing_foreign(desk: Desk) -> None:
    desk.endpoint()
    for i in range(3):
        desk.order(f"B-{i}")
    cursor = desk.get("/v1/orders?limit=1").json["next"]
    answer = desk.get(f"/v1/deliveries?after={quote(cursor)}")
    assert answer.status == 422
    assert answer.json["field"] == "after"
