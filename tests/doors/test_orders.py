"""Orders come in: created, updated, unchanged or refused, one at a time and in batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.doors.desk import Desk, opened

FULL = {
    "store": "berlin",
    "order_key": "B-1",
    "order_number": "1001",
    "ordered_at": "2026-11-20T09:30:00+01:00",
    "currency": "EUR",
    "customer_email": "ada@example.com",
    "ship_to": {"name": "Ada", "street1": "Beispielweg 1", "country_code": "DE"},
    "lines": [{"sku": "SCALE-1", "quantity": 2, "price": 99.95}],
    "shipping_paid": "4.90",
    "references": [{"type": "portal", "value": "x"}],
    "extensions": {"withings": {"original_serial_number": "00-24-e4"}},
}


def test_a_new_order_is_created_and_says_where_it_is(desk: Desk) -> None:
    answer = desk.post("/v1/orders", FULL)
    assert answer.status == 201
    told = answer.json
    assert told == {
        "outcome": "created",
        "order_id": told["order_id"],
        "store": "berlin",
        "order_key": "B-1",
        "state": "created",
        "sequence": 1,
    }
    assert answer.headers["location"] == f"/v1/orders/{told['order_id']}"
    shown = desk.get(answer.headers["location"]).json
    assert shown["content"]["lines"] == [{"sku": "SCALE-1", "quantity": 2, "price": "99.95"}]
    assert shown["content"]["ordered_at"] == "2026-11-20T08:30:00Z"
    assert shown["content"]["extensions"] == FULL["extensions"]


def test_the_same_content_twice_changes_nothing_and_sends_nothing(desk: Desk) -> None:
    desk.endpoint()
    first = desk.post("/v1/orders", FULL).json
    again = desk.post("/v1/orders", FULL)
    assert again.status == 200
    assert again.json == {**first, "outcome": "unchanged"}
    assert len(desk.get(f"/v1/orders/{first['order_id']}/events").json["events"]) == 1
    assert len(desk.get("/v1/deliveries").json["deliveries"]) == 1


def test_other_content_updates_the_same_order(desk: Desk) -> None:
    order_id = desk.order("B-1", order_number="1")
    answer = desk.post(
        "/v1/orders", {"store": "berlin", "order_key": "B-1", "order_number": "2", "source": "erp"}
    )
    assert answer.status == 200
    assert answer.json["outcome"] == "updated"
    assert answer.json["order_id"] == order_id
    assert answer.json["sequence"] == 2
    events = desk.get(f"/v1/orders/{order_id}/events").json["events"]
    assert [(e["type"], e["source"]) for e in events] == [
        ("order.created", "api"),
        ("order.updated", "erp"),
    ]


def test_an_order_can_say_when_its_source_made_it(desk: Desk) -> None:
    order_id = desk.order("B-1", occurred_at="2026-11-22T23:00:00-02:00")
    shown = desk.get(f"/v1/orders/{order_id}").json
    assert shown["state_at"] == "2026-11-23T01:00:00Z"
    assert desk.update(state="verified", occurred_at="2026-11-23T02:00:00Z").status == 200


def test_an_order_of_an_unknown_store_is_refused_by_name(desk: Desk) -> None:
    answer = desk.post("/v1/orders", {"store": "paris", "order_key": "B-1"})
    assert answer.status == 422
    assert answer.json["field"] == "store"
    assert answer.json["expected"] == "a store of this account"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"colour": "red"}, "colour", "no such field"),
    ({"lines": [{"sku": "A", "quantity": 1, "colour": 1}]}, "lines[0].colour", "no such field"),
    ({"lines": [{"quantity": 1}]}, "lines[0].sku", "a value"),
    ({"lines": [{"sku": "A", "quantity": "1"}]}, "lines[0].quantity", "int"),
    ({"lines": [{"sku": "A", "quantity": -1}]}, "lines[0].quantity", ">= 0"),
    ({"lines": [{"sku": "A", "quantity": 1.5}]}, "lines[0].quantity", "int"),
    ({"lines": [{"sku": "A", "quantity": 10**30}]}, "lines[0].quantity", "<="),
    ({"lines": [{"sku": "A", "quantity": 1, "price": "NaN"}]}, "lines[0].price", "number"),
    ({"lines": [{"sku": "A", "quantity": 1, "price": "1e400"}]}, "lines[0].price", "number"),
    ({"lines": [{"sku": "A", "quantity": 1, "price": 1e300}]}, "lines[0].price", "number"),
    ({"lines": [{"sku": "A", "quantity": 1, "price": "0.12345678901"}]}, "lines[0].price", "9"),
    ({"lines": {}}, "lines", "array"),
    ({"ship_to": {"country_code": "Germany"}}, "ship_to.country_code", "[A-Z]{2}"),
    ({"currency": "eur"}, "currency", "[A-Z]{3}"),
    ({"order_number": ""}, "order_number", "1"),
    ({"order_number": "x" * 256}, "order_number", "255"),
    ({"order_key": None}, "order_key", "str"),
    ({"ordered_at": "yesterday"}, "ordered_at", "RFC 3339"),
    ({"ordered_at": "2026-11-20T09:30:00"}, "ordered_at", ""),
    ({"ordered_at": "0001-01-01T00:00:00+14:00"}, "ordered_at", ""),
    ({"ordered_at": "1989-12-31T00:00:00Z"}, "ordered_at", "1990"),
    ({"ordered_at": "1990-01-01T00:00:00+14:00"}, "ordered_at", "1990"),
    ({"ordered_at": "9999-12-31T23:59:59-14:00"}, "ordered_at", ""),
    ({"occurred_at": "2026-11-24T08:00:01Z"}, "occurred_at", "24 hours"),
    ({"occurred_at": "1989-12-31T23:59:59Z"}, "occurred_at", "1990"),
    ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at", ""),
    ({"extensions": {"acme": {}}}, "extensions.acme", "withings"),
    ({"extensions": {"withings": {"x": 1}}}, "extensions.withings.x", "no such field"),
    ({"extensions": {"withings": 1}}, "extensions.withings", "object"),
    (
        {"lines": [{"sku": "A", "quantity": 1, "extensions": {"shipmonk": {"x": 1}}}]},
        "lines[0].extensions.shipmonk.x",
        "no such field",
    ),
    ({"extensions": {"withings": {"original_serial_number": "x" * 70_000}}}, "extensions", "65536"),
]


@pytest.mark.parametrize(("content", "field", "expected"), REFUSED, ids=lambda v: str(v)[:40])
def test_bad_content_is_refused_with_its_field_and_what_was_expected(
    desk: Desk, content: dict[str, Any], field: str, expected: str
) -> None:
    answer = desk.post("/v1/orders", {"store": "berlin", "order_key": "B-1", **content})
    assert answer.status == 422, answer.body
    assert answer.json["field"].startswith(field)
    assert expected in answer.json["expected"]
    assert desk.get("/v1/orders").json["orders"] == []


def test_a_batch_takes_what_is_good_and_refuses_what_is_not(desk: Desk) -> None:
    orders = [
        {"store": "berlin", "order_key": "1"},
        {"store": "berlin", "order_key": "2", "colour": "red"},
        {"store": "paris", "order_key": "3"},
        {"store": "berlin", "order_key": "4", "extensions": {"acme": {}}},
        7,
        {"store": "berlin", "order_key": "1"},
        {"store": "berlin", "order_key": "1", "order_number": "one"},
    ]
    answer = desk.post("/v1/orders/batch", {"orders": orders})
    assert answer.status == 200
    results = answer.json["results"]
    assert [r["index"] for r in results] == list(range(7))
    assert [r["outcome"] for r in results] == [
        "created",
        "refused",
        "refused",
        "refused",
        "refused",
        "unchanged",
        "updated",
    ]
    assert [r["problem"]["field"] for r in results[1:5]] == [
        "colour",
        "store",
        "extensions.acme",
        "",
    ]
    assert all(r["problem"]["status"] == 422 for r in results[1:5])
    assert len({r["order_id"] for r in (results[0], *results[5:])}) == 1
    assert len(desk.get("/v1/orders").json["orders"]) == 1


@pytest.mark.parametrize("number", [0, 1_001])
def test_a_batch_of_none_or_too_many_is_refused_whole(desk: Desk, number: int) -> None:
    orders = [{"store": "berlin", "order_key": str(i)} for i in range(number)]
    answer = desk.post("/v1/orders/batch", {"orders": orders})
    assert answer.status == 422
    assert answer.json["field"] == "orders"
    assert "1 to 1000" in answer.json["expected"]
    assert desk.get("/v1/orders").json["orders"] == []


def test_a_batch_of_a_thousand_is_taken(desk: Desk) -> None:
    orders = [{"store": "berlin", "order_key": str(i)} for i in range(1_000)]
    results = desk.post("/v1/orders/batch", {"orders": orders}).json["results"]
    assert {r["outcome"] for r in results} == {"created"}
    assert len({r["order_id"] for r in results}) == 1_000


def test_one_order_of_a_batch_may_not_be_larger_than_one_alone(tmp_path: Path) -> None:
    with opened(tmp_path, max_order_bytes=1_000) as desk:
        large = {"store": "berlin", "order_key": "2", "customer_notes": "x" * 1_000}
        assert desk.post("/v1/orders", large).status == 413
        results = desk.post(
            "/v1/orders/batch", {"orders": [{"store": "berlin", "order_key": "1"}, large]}
        ).json["results"]
    assert results[0]["outcome"] == "created"
    assert results[1]["problem"]["status"] == 413
    assert results[1]["problem"]["type"] == "urn:milepost:problem:too-large"
