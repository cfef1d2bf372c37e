"""Scans over HTTP, and how an order's parcels are watched."""

from __future__ import annotations

from typing import Any

import pytest

from milepost.carrier_sources import SourceInput
from tests.doors.desk import START, Desk

AT = "2026-11-23T09:00:00Z"


def ship(desk: Desk, key: str = "K1", number: str = "1Z") -> str:
    desk.post("/v1/orders", {"store": "berlin", "order_key": key})
    told = desk.post(
        "/v1/updates",
        {"store": "berlin", "order_key": key, "state": "shipped", "tracking_number": number},
    )
    return str(told.json["order_id"])


def push(desk: Desk, *scans: dict[str, Any]) -> list[dict[str, Any]]:
    answer = desk.post("/v1/scans", {"scans": list(scans)})
    assert answer.status == 200, answer.json
    found: list[dict[str, Any]] = answer.json["results"]
    return found


def test_each_scan_of_a_request_has_a_result_and_a_bad_one_spoils_no_other(desk: Desk) -> None:
    order_id = ship(desk)
    results = push(
        desk,
        {"tracking_number": "1Z", "occurred_at": AT, "state": "in_transit"},
        {"tracking_number": "1Z", "occurred_at": AT, "state": "picking"},
        {"tracking_number": "1Z", "occurred_at": AT, "raw": "??"},
        {"tracking_number": "1Z", "occurred_at": AT},
        {"tracking_number": "1Z", "occurred_at": "2031-01-01T00:00:00Z", "state": "delivered"},
        {"tracking_number": "1Z", "state": "delivered"},
        {"tracking_number": "2Z", "occurred_at": AT, "state": "delivered"},
        {"tracking_number": "1Z", "occurred_at": AT, "state": "in_transit"},
        {"tracking_number": "1Z", "occurred_at": AT, "state": "delivered", "color": 1},
    )
    assert [r["index"] for r in results] == list(range(9))
    first = results[0]
    assert (first["verdict"], first["order_id"], first["state"]) == (
        "applied", order_id, "in_transit",
    )  # fmt: skip
    told = [r["problem"].get("field", r["problem"]["type"]) for r in results if "problem" in r]
    assert told == [
        "state", "raw", "state", "occurred_at", "occurred_at",
        "urn:milepost:problem:unknown-record", "color",
    ]  # fmt: skip
    assert results[7]["verdict"] == "duplicate"


@pytest.mark.parametrize("scans", [[], [{}] * 1_001])
def test_a_request_has_from_one_to_a_thousand_scans(desk: Desk, scans: list[object]) -> None:
    assert desk.post("/v1/scans", {"scans": scans}).status == 422


def test_a_parcel_of_another_account_is_not_found(desk: Desk) -> None:
    ship(desk)
    other = desk.another("other")
    (result,) = push(other, {"tracking_number": "1Z", "occurred_at": AT, "state": "delivered"})
    assert result["problem"]["type"] == "urn:milepost:problem:unknown-record"


def test_an_order_shows_how_its_parcels_are_watched(desk: Desk) -> None:
    desk.run(desk.hub.tracking.sources.put(desk.account_id, "sim", SourceInput("simulator")))
    order_id = ship(desk)
    push(desk, {"tracking_number": "1Z", "occurred_at": AT, "state": "in_transit"})
    desk.run(desk.hub.tracking.tracker.catch_up())
    answer = desk.get(f"/v1/orders/{order_id}/trackings")
    (shown,) = answer.json["trackings"]
    assert shown["parcel"] == "unnamed"
    assert (shown["asks"], shown["ended"], shown["failures"]) == (1, None, 0)
    assert shown["since_at"] <= shown["asked_at"] < shown["due_at"]
    assert shown["asked_at"] >= START.isoformat().replace("+00:00", "Z")
    assert "scans" not in shown
    other = desk.another("other")
    assert other.get(f"/v1/orders/{order_id}/trackings").status == 404
