"""Updates come in and get their verdict; what is not applied is kept for the operator."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doors.desk import Desk


def test_an_update_by_natural_key_or_by_id_moves_the_order(desk: Desk) -> None:
    order_id = desk.order()
    by_key = desk.update(state="verified", source="warehouse", raw="OK")
    assert by_key.status == 200
    assert by_key.json == {
        "verdict": "applied",
        "why": by_key.json["why"],
        "order_id": order_id,
        "store": "berlin",
        "order_key": "B-1",
        "state": "verified",
        "reason": None,
        "sequence": 2,
    }
    by_id = desk.post("/v1/updates", {"order_id": order_id, "state": "submitted"})
    assert by_id.json["state"] == "submitted"
    events = desk.get(f"/v1/orders/{order_id}/events").json["events"]
    assert [(e["sequence"], e["state"], e["source"], e["raw"]) for e in events] == [
        (1, "created", "api", None),
        (2, "verified", "warehouse", "OK"),
        (3, "submitted", "api", None),
    ]


def test_a_skip_is_told_in_the_history(desk: Desk) -> None:
    order_id = desk.order()
    desk.update(state="picking")
    events = desk.get(f"/v1/orders/{order_id}/events").json["events"]
    assert events[1]["skipped"] == ["verifying", "verified", "scheduled", "submitted"]


def test_the_same_update_twice_is_a_duplicate_and_sends_nothing(desk: Desk) -> None:
    desk.order()
    desk.endpoint()
    facts = {"state": "shipped", "carrier": "ups", "tracking_number": "1Z"}
    assert desk.update(**facts).json["verdict"] == "applied"
    again = desk.update(**facts)
    assert again.status == 200
    assert again.json["verdict"] == "duplicate"
    assert len(desk.get("/v1/deliveries").json["deliveries"]) == 1


def test_an_older_update_is_stale_and_kept(desk: Desk) -> None:
    order_id = desk.order()
    desk.update(state="packed", occurred_at="2026-11-23T08:00:00Z")
    late = desk.update(state="picking", occurred_at="2026-11-23T07:00:00Z")
    assert late.status == 200
    assert late.json["verdict"] == "stale"
    assert late.json["state"] == "packed"
    (kept,) = desk.get("/v1/quarantine?verdict=stale").json["updates"]
    assert kept["order_id"] == order_id
    assert kept["update"]["state"] == "picking"


def test_an_illegal_move_answers_409_with_the_states_that_are_allowed_next(desk: Desk) -> None:
    desk.order()
    desk.update(state="cancel_requested")
    desk.update(state="cancelled")
    answer = desk.update(state="packed")
    assert answer.status == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["type"] == "urn:milepost:problem:illegal-move"
    assert answer.json["state"] == "cancelled"
    assert answer.json["allowed"] == []
    desk.order("B-2")
    desk.update("B-2", state="shipped")
    desk.clock.forward(seconds=1)
    problem = desk.update("B-2", state="picking").json
    assert problem["state"] == "shipped"
    assert "delivered" in problem["allowed"]
    assert "picking" not in problem["allowed"]
    assert len(desk.get("/v1/quarantine?verdict=illegal").json["updates"]) == 2


def test_a_correction_needs_a_note_and_then_goes_back(desk: Desk) -> None:
    order_id = desk.order()
    desk.update(state="delivered")
    refused = desk.update(state="in_transit", correction=True)
    assert refused.status == 422
    assert refused.json["field"] == "note"
    told = desk.update(state="in_transit", correction=True, note="wrong parcel scanned")
    assert told.json["verdict"] == "applied"
    last = desk.get(f"/v1/orders/{order_id}/events").json["events"][-1]
    assert last["correction"]
    assert last["note"] == "wrong parcel scanned"


def test_a_correction_that_is_posted_again_does_not_take_the_order_back(desk: Desk) -> None:
    order_id = desk.order()
    desk.endpoint()
    back: dict[str, Any] = {
        "state": "in_transit",
        "correction": True,
        "note": "wrong parcel scanned",
        "occurred_at": "2026-11-23T07:30:00Z",
    }
    desk.update(state="delivered", occurred_at="2026-11-23T08:00:00Z")
    assert desk.update(**back).json["verdict"] == "applied"
    desk.update(state="delivered", occurred_at="2026-11-23T08:30:00Z")
    before = desk.get(f"/v1/orders/{order_id}").json
    sent = desk.get("/v1/deliveries").json["deliveries"]
    again = desk.update(**back)
    assert again.status == 200
    assert (again.json["verdict"], again.json["state"]) == ("duplicate", "delivered")
    assert again.json["why"].startswith("this correction was applied before")
    assert desk.get(f"/v1/orders/{order_id}").json == before
    assert desk.get("/v1/deliveries").json["deliveries"] == sent
    assert desk.get("/v1/quarantine").json["updates"] == []
    other = desk.update(**{**back, "occurred_at": "2026-11-23T07:31:00Z"})
    assert (other.json["verdict"], other.json["state"]) == ("applied", "in_transit")


def test_an_update_ahead_of_its_order_waits_for_it(desk: Desk) -> None:
    early = desk.update("B-9", state="shipped", tracking_number="1Z9")
    assert early.status == 202
    assert early.json["verdict"] == "orphan"
    assert early.json["order_id"] is None
    assert len(desk.get("/v1/quarantine?verdict=orphan").json["updates"]) == 1
    desk.clock.forward(seconds=5)
    order_id = desk.order("B-9")
    shown = desk.get(f"/v1/orders/{order_id}").json
    assert shown["state"] == "shipped"
    assert shown["parcels"][0]["tracking_number"] == "1Z9"
    assert desk.get("/v1/quarantine").json["updates"] == []


def test_an_unknown_order_id_is_not_found_and_nothing_is_kept(desk: Desk) -> None:
    answer = desk.post("/v1/updates", {"order_id": "ord_nothing", "state": "shipped"})
    assert answer.status == 404
    assert answer.json["type"] == "urn:milepost:problem:unknown-record"
    assert desk.get("/v1/quarantine").json["updates"] == []


def test_a_poorer_update_never_erases_a_tracking_number(desk: Desk) -> None:
    order_id = desk.order()
    desk.update(state="shipped", carrier="ups", tracking_number="1Z")
    desk.update(state="in_transit")
    (parcel,) = desk.get(f"/v1/orders/{order_id}").json["parcels"]
    assert (parcel["carrier"], parcel["tracking_number"], parcel["state"]) == (
        "ups",
        "1Z",
        "in_transit",
    )


def test_parcels_are_told_one_by_one_and_flag_trouble(desk: Desk) -> None:
    order_id = desk.order()
    desk.update(state="shipped", parcel="1", details={"weight": {"value": 1.5, "unit": "kg"}})
    desk.update(state="shipped", parcel="2")
    desk.update(state="delivered", parcel="1")
    desk.update(state="attempt_failed", parcel="2")
    shown = desk.get(f"/v1/orders/{order_id}").json
    assert shown["state"] != "delivered"
    assert shown["attention"]
    assert [p["state"] for p in shown["parcels"]] == ["delivered", "attempt_failed"]
    assert shown["parcels"][0]["details"]["weight"] == {"value": "1.5", "unit": "kg"}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"state": "shiped"}, "state", "one of created, "),
    ({"state": 7}, "state", ""),
    ({}, "state", "a state"),
    ({"note": "nothing else"}, "state", "a state"),
    ({"state": "shipped", "colour": 1}, "colour", "no such field"),
    ({"state": "shipped", "reason": "future_date"}, "reason", "this state"),
    ({"reason": "future_date", "updating": True}, "reason", "this state"),
    ({"state": "scheduled", "reason": "because"}, "reason", "one of future_date"),
    ({"state": "shipped", "occurred_at": "2026-11-23T08:00:00"}, "occurred_at", ""),
    ({"state": "shipped", "occurred_at": "2026-11-24T08:00:01Z"}, "occurred_at", "24 hours"),
    ({"state": "shipped", "occurred_at": "1989-12-31T23:59:59Z"}, "occurred_at", "1990"),
    ({"state": "shipped", "occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at", ""),
    ({"state": "shipped", "occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at", ""),
    ({"state": "shipped", "source_sequence": -1}, "source_sequence", ">= 0"),
    ({"state": "shipped", "source_sequence": 10**400}, "source_sequence", ""),
    ({"state": "shipped", "source": ""}, "source", "1"),
    ({"state": "shipped", "carrier": ""}, "carrier", "1"),
    ({"state": "shipped", "tracking_url": "javascript:alert(1)"}, "tracking_url", "https?"),
    ({"state": "shipped", "correction": "yes", "note": "x"}, "correction", "bool"),
    (
        {"state": "shipped", "details": {"weight": {"value": "1e400", "unit": "kg"}}},
        "details.weight.value",
        "number",
    ),
    (
        {"state": "shipped", "details": {"weight": {"value": 1, "unit": "stone"}}},
        "details.weight.unit",
        "kg",
    ),
    (
        {"state": "shipped", "details": {"extensions": {"acme": {}}}},
        "details.extensions.acme",
        "shipmonk",
    ),
    (
        {"state": "shipped", "details": {"extensions": {"shipmonk": {"x": 1}}}},
        "details.extensions.shipmonk.x",
        "no such field",
    ),
]


@pytest.mark.parametrize(("facts", "field", "expected"), REFUSED, ids=lambda v: str(v)[:40])
def test_a_bad_update_is_refused_with_its_field_and_what_was_expected(
    desk: Desk, facts: dict[str, Any], field: str, expected: str
) -> None:
    desk.order()
    answer = desk.update(**facts)
    assert answer.status == 422, answer.body
    assert answer.json["field"] == field
    assert expected in answer.json["expected"]
    assert desk.get("/v1/quarantine").json["updates"] == []


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"store": "berlin"},
        {"order_key": "B-1"},
        {"order_id": "ord_1", "store": "berlin", "order_key": "B-1"},
        {"order_id": "ord_1", "store": "berlin"},
    ],
)
def test_an_update_names_its_order_in_exactly_one_way(desk: Desk, named: dict[str, str]) -> None:
    answer = desk.post("/v1/updates", {**named, "state": "shipped"})
    assert answer.status == 422
    assert answer.json["field"] == "order_id"


def test_a_batch_of_updates_has_a_verdict_for_each(desk: Desk) -> None:
    order_id = desk.order()
    key = {"store": "berlin", "order_key": "B-1"}
    updates = [
        {**key, "state": "shipped"},
        {**key, "state": "shipped"},
        {**key, "state": "picking", "occurred_at": "2026-11-23T08:00:01Z"},
        {"store": "berlin", "order_key": "B-2", "state": "shipped"},
        {"order_id": "ord_nothing", "state": "shipped"},
        {**key, "state": "gone"},
        {"order_id": order_id, "state": "delivered"},
    ]
    results = desk.post("/v1/updates/batch", {"updates": updates}).json["results"]
    assert [r.get("verdict") for r in results] == [
        "applied",
        "duplicate",
        "illegal",
        "orphan",
        None,
        None,
        "applied",
    ]
    assert "in_transit" in results[2]["allowed"]
    assert results[2]["state"] == "shipped"
    assert [r["problem"]["status"] for r in results[4:6]] == [404, 422]
    assert results[6]["state"] == "delivered"
    assert len(desk.get(f"/v1/orders/{order_id}/events").json["events"]) == 3


def test_a_batch_of_more_than_a_thousand_updates_is_refused_whole(desk: Desk) -> None:
    one = {"store": "berlin", "order_key": "B-1", "state": "shipped"}
    answer = desk.post("/v1/updates/batch", {"updates": [one] * 1_001})
    assert answer.status == 422
    assert answer.json["field"] == "updates"
    assert desk.get("/v1/quarantine").json["updates"] == []
