"""Milepost's own contract as it comes in: another Milepost, or whoever speaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from milepost.contracts.contract import Reading
from milepost.contracts.incoming import Incoming, Message, MessageKind, Read
from milepost.contracts.proving import (
    LONGEST_WORD,
    NoOptions,
    Sealed,
    Secrets,
    name,
    reader_of,
    unmapped,
    web_url,
)
from milepost.contracts.standard.payloads import NAME, reads
from milepost.errors import InvalidInput
from milepost.orders.events import EventType, Update
from milepost.orders.lifecycle import CARRIER, PARCEL_RANK, State
from milepost_receiver import (
    OperationalNotification,
    Receiver,
    StandardNotification,
    StandardOrder,
    StandardParcel,
)

MOST_PARCELS = 500
"""As many as an order has at most."""

_TELLING = frozenset((EventType.CREATED, EventType.STATE_CHANGED, EventType.UPDATED))
"""The events whose order is told on; the others are kept."""


class Credentials(Sealed, frozen=True):
    """The endpoint's `whsec_…` secrets, at least one."""

    secrets: Secrets


def reader(credentials: Credentials, _options: NoOptions, now: Callable[[], float]) -> Read:
    return reader_of(
        lambda: Receiver.standard(secrets=credentials.secrets, operational=True, now=now),
        _message,
    )


def _message(told: StandardNotification | OperationalNotification) -> Message:
    if isinstance(told, OperationalNotification) or told.type not in _TELLING:
        word = told.type[:LONGEST_WORD]
        return Message(MessageKind.OTHER, message_id=told.delivery_id, word=word)
    order = told.order
    if len(order.parcels) > MOST_PARCELS:
        raise InvalidInput(field="data.order.parcels", expected=f"at most {MOST_PARCELS}")
    message = Message(
        MessageKind.ORDER,
        message_id=told.delivery_id,
        order_key=name("data.order.order_key", order.order_key),
        store=name("data.order.store", order.store),
        word=order.state[:LONGEST_WORD],
    )
    try:
        reading = _reading(order.state, reason=order.reason)
        states = [p.state and _reading(p.state).state for p in order.parcels]
    except InvalidInput:
        return msgspec.structs.replace(message, unmapped=_strange(order))
    updates = tuple(_updates(told, reading, tuple(state or None for state in states)))
    return msgspec.structs.replace(message, updates=updates)


def _reading(state: str, *, reason: str | None = None) -> Reading:
    return reads({"state": state, "reason": reason})


def _strange(order: StandardOrder) -> tuple[str, ...]:
    known = frozenset(State)
    if order.state not in known:
        return unmapped("state", order.state)
    for parcel in order.parcels:
        if parcel.state is not None and parcel.state not in known:
            return unmapped("parcels.state", parcel.state)
    return unmapped("reason", order.reason or "")


def _updates(
    told: StandardNotification, reading: Reading, states: tuple[State | None, ...]
) -> Iterator[Update]:
    """One update a parcel, with the state of the order until a carrier has it."""
    shipped = reading.state in CARRIER
    whole = Update(
        source="",
        state=reading.state,
        reason=reading.reason,
        occurred_at=told.occurred_at,
        source_sequence=told.sequence,
        raw=told.order.state,
        correction=told.correction,
        note=told.note if told.correction else None,
        current=True,
        whole=set(states) == {reading.state},
    )
    if not told.order.parcels:
        yield whole
    # The least advanced first, so that the order does not end before its last parcel has.
    pairs = sorted(zip(told.order.parcels, states, strict=True), key=lambda pair: _rank(pair[1]))
    for parcel, state in pairs:
        update = _of_parcel(parcel, whole)
        if shipped and state is None:
            yield msgspec.structs.replace(update, state=None, reason=None, raw=None)
        elif shipped and state is not reading.state:
            at = parcel.state_at or told.occurred_at
            yield msgspec.structs.replace(update, state=state, raw=parcel.state, occurred_at=at)
        else:
            yield update
    waits = State.UNTRACKED in states and reading.state is State.EXPIRED
    if waits:
        # An order beside parcels without tracking ends by itself; the parcels stay as they are.
        untracked = told.order.parcels[states.index(State.UNTRACKED)]
        yield _of_parcel(untracked, whole)


def _rank(state: State | None) -> int:
    return -1 if state is None else PARCEL_RANK.get(state, -1)


def _of_parcel(parcel: StandardParcel, whole: Update) -> Update:
    return msgspec.structs.replace(
        whole,
        parcel=name("parcels.parcel", parcel.parcel),
        carrier=name("parcels.carrier", parcel.carrier),
        carrier_service=name("parcels.carrier_service", parcel.carrier_service),
        tracking_number=name("parcels.tracking_number", parcel.tracking_number),
        tracking_url=web_url(parcel.tracking_url),
    )


INCOMING = Incoming(
    name=NAME,
    title="Milepost standard",
    credentials=Credentials,
    options=NoOptions,
    reader=reader,
    proves="its Standard Webhooks signature (HMAC-SHA256 over id, time and body)",
)
