"""Milepost's own contract that comes in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from milepost.contracts import INCOMING, Notice
from milepost.contracts.incoming import Message, MessageKind
from milepost.contracts.standard import payloads
from milepost.errors import InvalidInput, SourceRefused
from milepost.orders.events import EventType
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Parcel
from tests.contracts.orders import OCCURRED_AT, STORE, event, order
from tests.contracts.two_hubs import headers, reader

READ = reader("standard")
EARLIER = datetime(2026, 5, 5, 12, 0, tzinfo=UTC)


def sent(state: State = State.IN_TRANSIT, **facts: Any) -> dict[str, Any]:
    known = order(state, **facts)
    content = payloads.body(Notice(known, event(known), STORE), payloads.Options()).content
    told: dict[str, Any] = msgspec.json.decode(content)
    return told


def read(told: dict[str, Any]) -> Message:
    content = msgspec.json.encode(told)
    data = told["data"]
    return READ(
        headers(content, order_id=data["order"]["order_id"], sequence=data["sequence"]), content
    )


def test_an_event_tells_its_order_its_time_and_its_number() -> None:
    message = read(sent(State.SCHEDULED, reason=Reason.SUBSCRIPTION))
    assert (message.kind, message.order_key, message.store) == (MessageKind.ORDER, "key-1", "main")
    (update,) = message.updates
    assert (update.state, update.reason) == (State.SCHEDULED, Reason.SUBSCRIPTION)
    assert update.occurred_at == OCCURRED_AT
    assert update.source_sequence == 7
    assert message.message_id is not None


def test_each_parcel_is_told_with_its_own_state_and_time() -> None:
    parcels = (
        Parcel("A", State.IN_TRANSIT, OCCURRED_AT, tracking_number="T1"),
        Parcel("B", State.DELIVERED, EARLIER),
        Parcel("C"),
    )
    third, first, second = read(sent(parcels=parcels)).updates
    assert (first.parcel, first.state, first.tracking_number) == ("A", State.IN_TRANSIT, "T1")
    assert (second.parcel, second.state, second.occurred_at) == ("B", State.DELIVERED, EARLIER)
    assert (third.parcel, third.state) == ("C", None)
    assert not first.whole


def test_parcels_that_are_all_alike_move_at_once() -> None:
    parcels = (Parcel("A", State.DELIVERED), Parcel("B", State.DELIVERED))
    assert all(update.whole for update in read(sent(State.DELIVERED, parcels=parcels)).updates)


def test_a_correction_is_told_as_one() -> None:
    told = sent(State.PICKING)
    told["data"] |= {"correction": True, "note": "packed by mistake"}
    (update,) = read(told).updates
    assert (update.correction, update.note, update.trusted) == (True, "packed by mistake", False)


def test_an_order_beside_parcels_without_tracking_can_have_expired() -> None:
    *_, last = read(sent(State.EXPIRED, parcels=(Parcel("A", State.UNTRACKED),))).updates
    assert (last.parcel, last.state) == ("A", State.EXPIRED)


@pytest.mark.parametrize(
    ("said", "unmapped"),
    [
        ({"state": "beamed"}, "state: beamed"),
        ({"reason": "a whim"}, "reason: a whim"),
        ({"parcels": [{"parcel": "A", "state": "lost"}]}, "parcels.state: lost"),
    ],
)
def test_a_word_that_means_nothing_is_shown(said: dict[str, Any], unmapped: str) -> None:
    told = sent(State.PACKED)
    told["data"]["order"] |= said
    message = read(told)
    assert (message.updates, message.unmapped) == ((), (unmapped,))


@pytest.mark.parametrize("kind", [EventType.TEST.value, EventType.ERASED.value, "order.sung"])
def test_events_that_tell_of_no_step_are_kept(kind: str) -> None:
    message = read(sent() | {"type": kind})
    assert (message.kind, message.word, message.updates) == (MessageKind.OTHER, kind, ())


def test_an_unsigned_event_is_refused() -> None:
    content = msgspec.json.encode(sent())
    with pytest.raises(SourceRefused):
        READ({}, content)
    proved = headers(content, order_id="ord_1", sequence=7)
    with pytest.raises(SourceRefused):
        READ(proved, content + b" ")


def test_more_parcels_than_an_order_may_have_are_refused() -> None:
    told = sent()
    told["data"]["order"]["parcels"] *= 501
    with pytest.raises(InvalidInput):
        read(told)


def test_a_source_needs_a_secret() -> None:
    with pytest.raises(InvalidInput):
        reader("standard", secrets=[])
    assert INCOMING["standard"].credentials.__struct_fields__ == ("secrets",)
