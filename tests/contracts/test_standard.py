"""The neutral contract: the envelope, and when there is something new to tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from milepost.contracts import ROOMS, Notice, sample
from milepost.contracts.standard.payloads import Options
from milepost.errors import InvalidInput
from milepost.orders.events import EventType
from milepost.orders.lifecycle import REASONS, Reason, State
from milepost.orders.model import Order, OrderContent, Parcel
from tests.contracts import orders, shapes

ROOM = ROOMS["standard"]
DATA = [
    "sequence",
    "occurred_at",
    "received_at",
    "source",
    "raw",
    "correction",
    "note",
    "skipped",
    "parcel",
    "order",
    "words",
]
ORDER = [
    "order_id",
    "store",
    "order_key",
    "order_number",
    "state",
    "reason",
    "previous_state",
    "attention",
    "replacement_for",
    "parcels",
]
PARCEL = [
    "parcel",
    "state",
    "carrier",
    "carrier_service",
    "tracking_number",
    "tracking_url",
    "state_at",
]


def told(notice: Notice) -> Any:
    return msgspec.json.decode(ROOM.body(notice, Options()).content)


@given(order=shapes.any_order())
@settings(max_examples=40)
def test_every_field_is_there_whatever_is_known(order: Order) -> None:
    envelope = told(orders.notice(order))
    assert list(envelope) == ["type", "timestamp", "data"]
    assert list(envelope["data"]) == DATA
    assert list(envelope["data"]["order"]) == ORDER
    assert all(list(parcel) == PARCEL for parcel in envelope["data"]["order"]["parcels"])
    shown = envelope["data"]["order"]
    assert shown["state"] == order.state
    assert shown["order_number"] == order.number
    assert [p["tracking_number"] for p in shown["parcels"]] == [
        p.tracking_number for p in order.parcels
    ]


@pytest.mark.parametrize("kind", EventType)
def test_the_type_is_that_of_the_event(kind: EventType) -> None:
    assert told(orders.notice(orders.order(), type=kind))["type"] == kind.value


def test_times_are_told_in_utc_and_the_timestamp_is_that_of_the_event() -> None:
    local = datetime(2026, 5, 6, 11, 30, tzinfo=timezone(timedelta(hours=2)))
    envelope = told(orders.notice(orders.order(), occurred_at=local))
    assert envelope["timestamp"] == envelope["data"]["occurred_at"] == "2026-05-06T09:30:00Z"
    assert envelope["data"]["received_at"] == "2026-05-06T09:30:01.250000Z"


def test_the_state_before_is_that_of_the_event_and_not_of_the_order() -> None:
    order = orders.order(State.IN_TRANSIT, previous_state=State.SHIPPED)
    envelope = told(orders.notice(order, previous_state=State.IN_TRANSIT))
    assert envelope["data"]["order"]["previous_state"] == "in_transit"


def test_what_others_would_show_is_told_beside_the_state() -> None:
    order = orders.order(State.EXCEPTION, previous_state=State.IN_TRANSIT)
    others = {name: room.words(order) for name, room in ROOMS.items() if room is not ROOM}
    envelope = told(Notice(order, orders.event(order), orders.STORE, others))
    assert envelope["data"]["words"] == {
        "withings": {"status": "SHIPPED", "parcel_status": "exception"},
        "shipmonk": {"processing_status": "en_route", "order_status": "fulfilled"},
    }
    assert ROOM.shows_others
    assert [name for name, room in ROOMS.items() if room.shows_others] == ["standard"]


def test_a_parcel_in_trouble_asks_for_attention() -> None:
    parcels = (Parcel("1", state=State.IN_TRANSIT), Parcel("2", state=State.ATTEMPT_FAILED))
    order = orders.order(State.IN_TRANSIT, parcels=parcels)
    assert told(orders.notice(order))["data"]["order"]["attention"] is True


def test_a_correction_tells_its_note_and_what_was_skipped() -> None:
    facts = {"correction": True, "note": "scanned twice", "skipped": (State.PICKING,), "raw": "X"}
    data = told(orders.notice(orders.order(), parcel="1", **facts))["data"]
    assert data["correction"] is True
    assert data["note"] == "scanned twice"
    assert data["skipped"] == ["picking"]
    assert data["raw"] == "X"
    assert data["parcel"] == "1"


def test_a_test_notification_says_that_it_is_one() -> None:
    order, event = sample(orders.STORE, now=datetime(2026, 1, 1, tzinfo=UTC), order_id="tst_1")
    envelope = told(Notice(order, event, orders.STORE))
    assert envelope["type"] == "endpoint.test"
    assert envelope["data"]["order"]["order_id"] == "tst_1"
    assert envelope["data"]["sequence"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.PACKED},
        {"reason": Reason.SUBSCRIPTION},
        {"parcels": (orders.PARCEL,)},
        {"parcels": (msgspec.structs.replace(orders.PARCEL, tracking_url="https://x.example"),)},
        {"parcels": (msgspec.structs.replace(orders.PARCEL, carrier_service="Air"),)},
        {"content": OrderContent(order_number="other")},
        {"content": OrderContent(replacement_for="key-0")},
    ],
)
def test_whatever_the_envelope_shows_is_news_when_it_changes(change: dict[str, Any]) -> None:
    before = orders.order(State.SCHEDULED)
    assert ROOM.shown(before) != ROOM.shown(msgspec.structs.replace(before, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 8},
        {"updated_at": datetime(2026, 6, 1, tzinfo=UTC)},
        {"content": OrderContent(customer_notes="other")},
    ],
)
def test_what_the_envelope_does_not_show_is_no_news(change: dict[str, Any]) -> None:
    before = orders.order(State.SCHEDULED)
    assert ROOM.shown(before) == ROOM.shown(msgspec.structs.replace(before, **change))


@pytest.mark.parametrize("state", State)
def test_a_state_and_its_reasons_are_read_by_their_names(state: State) -> None:
    for reason in (None, *REASONS.get(state, ())):
        reading = ROOM.reads(ROOM.words(orders.order(state, reason)))
        assert (reading.state, reading.reason) == (state, reason)


def test_a_reason_that_the_state_does_not_take_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        ROOM.reads({"state": "packed", "reason": "subscription"})
    assert caught.value.field == "reason"


def test_the_default_schedule_is_the_one_that_the_specification_recommends() -> None:
    hours = 3_600
    assert ROOM.schedules[0].waits_s == (
        5,
        300,
        1_800,
        *(n * hours for n in (2, 5, 10, 14, 20, 24)),
    )
    assert ROOM.schedules[0].attempts == 10
