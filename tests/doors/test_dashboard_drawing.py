"""The way of an order over the lifecycle, as it is drawn on its page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from milepost.dashboard.orders_drawing import PLACES, drawing
from milepost.insights import EventView
from milepost.orders.events import EventType
from milepost.orders.lifecycle import State


def an_event(sequence: int, state: State, **given: Any) -> EventView:
    at = datetime(2026, 11, 23, 8, sequence, tzinfo=UTC)
    told = {
        "sequence": sequence,
        "type": EventType.CREATED if sequence == 1 else EventType.STATE_CHANGED,
        "state": state,
        "previous_state": None,
        "reason": None,
        "parcel": None,
        "parcel_state": None,
        "source": "api",
        "raw": None,
        "occurred_at": at,
        "received_at": at,
        "skipped": [],
        "correction": False,
        "note": None,
        **given,
    }
    return EventView(**told)


def test_every_state_has_a_place_of_its_own() -> None:
    assert set(PLACES) == set(State)
    assert len(set(PLACES.values())) == len(State)


def test_the_way_is_drawn_with_what_was_passed_over() -> None:
    drawn = drawing(
        [
            an_event(1, State.CREATED),
            an_event(2, State.VERIFIED, skipped=[State.VERIFYING]),
            an_event(3, State.ON_HOLD),
            an_event(4, State.VERIFIED),
            an_event(5, State.SHIPPED),
            an_event(6, State.PACKED, correction=True),
        ]
    )
    looks = {station.state: station.look for station in drawn.stations}
    assert looks[State.VERIFYING] == "skipped"
    assert looks[State.ON_HOLD] == "been"
    assert looks[State.PACKED] == "here"
    assert looks[State.DELIVERED] == "off"
    assert [leg.correction for leg in drawn.legs].count(True) == 1
    assert drawn.told.endswith("then shipped, then packed by a correction.")


def test_nothing_is_drawn_of_no_events() -> None:
    assert drawing([]).told == "Nothing has happened to the order."
