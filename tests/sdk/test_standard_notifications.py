"""The standard contract as a typed notification."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from milepost_receiver import BodyMalformed, HeaderMalformed, Receiver, StandardNotification
from tests.sdk.senders import (
    NOW,
    ORDER_ID,
    SECRET,
    delivery_id,
    envelope,
    now,
    numbered,
    signed,
    standard_order,
    text,
)


def read(body: Any, **headers: str) -> StandardNotification:
    raw = text(body)
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Receiver.standard(secrets=[SECRET], now=now).read({**signed(raw), **told}, raw)


def test_every_field_of_the_envelope_is_read() -> None:
    body = envelope(note="by hand", parcel="1", correction=True)
    notification = read(body, **numbered())
    assert notification.type == "order.state_changed"
    assert notification.timestamp == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert notification.occurred_at == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert notification.received_at == datetime(2026, 1, 5, 8, 0, 0, 250_000, tzinfo=UTC)
    assert notification.source == "east-warehouse"
    assert notification.raw == "Handed over"
    assert notification.correction is True
    assert notification.note == "by hand"
    assert notification.skipped == ("picking", "packing")
    assert notification.parcel == "1"
    assert notification.words == body["data"]["words"]
    assert notification.received == text(body)
    assert notification.known


def test_every_field_of_the_order_and_of_its_parcels_is_read() -> None:
    order = read(envelope()).order
    sent = standard_order()
    for name in dataclasses.fields(order):
        if name.name != "parcels":
            assert getattr(order, name.name) == sent[name.name]
    (parcel,) = order.parcels
    assert dataclasses.asdict(parcel) == {
        **sent["parcels"][0],
        "state_at": datetime(2026, 1, 5, 8, tzinfo=UTC),
    }
    assert parcel.state_at is not None
    assert parcel.state_at.tzinfo is UTC


def test_the_headers_say_which_delivery_it_is() -> None:
    notification = read(envelope(), **numbered(attempt=3))
    assert notification.delivery_id == delivery_id()
    assert notification.order_id == ORDER_ID
    assert (notification.sequence, notification.previous) == (7, 6)
    assert (notification.attempt, notification.replay) == (3, None)


def test_order_and_sequence_come_from_the_signed_body_when_the_headers_are_gone() -> None:
    notification = read(envelope())
    assert (notification.order_id, notification.sequence) == (ORDER_ID, 7)
    assert (notification.previous, notification.attempt) == (None, None)


def test_a_body_that_disagrees_with_the_headers_is_refused() -> None:
    with pytest.raises(BodyMalformed) as caught:
        read(envelope(sequence=8), **numbered())
    assert caught.value.at == "data.sequence"
    with pytest.raises(BodyMalformed) as caught:
        read(envelope(order=standard_order(order_id="ord_other")), **numbered())
    assert caught.value.at == "data.order.order_id"


def test_an_unknown_state_is_kept_and_said_to_be_unknown() -> None:
    notification = read(envelope(order=standard_order(state="teleported")))
    assert notification.order.state == "teleported"
    assert not notification.known


def test_an_unknown_state_of_a_parcel_is_said_to_be_unknown() -> None:
    parcels = [{**standard_order()["parcels"][0], "state": "teleported"}]
    notification = read(envelope(order=standard_order(parcels=parcels)))
    assert notification.order.parcels[0].state == "teleported"
    assert not notification.known


def test_an_unknown_type_of_event_is_kept_and_said_to_be_unknown() -> None:
    notification = read({**envelope(), "type": "order.sung_about"})
    assert notification.type == "order.sung_about"
    assert not notification.known


def test_fields_that_nobody_expected_change_nothing() -> None:
    plain, richer = read(envelope()), read(envelope(mood="good"))
    assert dataclasses.replace(richer, received=plain.received) == plain


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "data.order.order_id"),
        ({**envelope(), "type": 5}, "type"),
        ({**envelope(), "timestamp": "2026-01-05T08:00:00"}, "timestamp"),
        ({**envelope(), "timestamp": "0001-01-01T00:00:00+23:00"}, "timestamp"),
        ({**envelope(), "data": []}, "data"),
        (envelope(sequence="7"), "data.sequence"),
        (envelope(sequence=7.0), "data.sequence"),
        (envelope(sequence=True), "data.sequence"),
        (envelope(sequence=10**400), "data.sequence"),
        (envelope(occurred_at=None), "data.occurred_at"),
        (envelope(correction="perhaps"), "data.correction"),
        (envelope(skipped="picking"), "data.skipped"),
        (envelope(skipped=[1]), "data.skipped"),
        (envelope(words=[]), "data.words"),
        (envelope(order=standard_order(state="")), "data.order.state"),
        (envelope(order=standard_order(attention=None)), "data.order.attention"),
        (envelope(order=standard_order(parcels=[3])), "data.order.parcels"),
        (envelope(order=standard_order(parcels=[{}])), "data.order.parcels[0].parcel"),
    ],
)
def test_a_field_that_does_not_fit_is_named(body: Any, at: str) -> None:
    with pytest.raises(BodyMalformed) as caught:
        read(body)
    assert caught.value.at == at
    assert at in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        {"milepost-sequence": "0"},
        {"milepost-sequence": "seven"},
        {"milepost-sequence": "7.0"},
        {"milepost-sequence": "9" * 5_000},
        {"milepost-previous": "-1"},
        {"milepost-previous": "7"},
        {"milepost-attempt": "0"},
        {"milepost-attempt": ""},
        {"milepost-replay": "0"},
        {"milepost-order": ""},
        {"milepost-order": "o" * 300},
    ],
)
def test_a_delivery_header_that_does_not_fit_is_named(header: dict[str, str]) -> None:
    with pytest.raises(HeaderMalformed) as caught:
        read(envelope(), **{**numbered(), **header})
    assert caught.value.at == next(iter(header))


def test_a_notification_is_frozen_hashable_and_survives_pickling() -> None:
    notification = read(envelope(), **numbered())
    with pytest.raises(dataclasses.FrozenInstanceError):
        notification.note = "changed"  # type: ignore[misc]
    assert not hasattr(notification, "__dict__")
    again = pickle.loads(pickle.dumps(notification))
    assert again == notification
    assert len({again, notification}) == 1


def test_the_raw_body_stays_out_of_the_repr() -> None:
    assert "received=" not in repr(read(envelope()))
    assert str(NOW) not in repr(read(envelope()))
