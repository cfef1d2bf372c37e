"""Withings order updates as they come in, in JSON or as a form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from milepost.contracts.incoming import Incoming, Message, MessageKind, Read
from milepost.contracts.proving import (
    LONGEST_WORD,
    NoOptions,
    Sealed,
    Secrets,
    name,
    reader_of,
    unmapped,
)
from milepost.contracts.withings.extensions import NAME
from milepost.contracts.withings.payloads import BY_PARCEL_STATUS, SHOWN, reads
from milepost.errors import InvalidInput
from milepost.orders.events import Meaning, Update
from milepost.orders.lifecycle import State
from milepost_receiver import Receiver, WithingsNotification

COVERS: Mapping[State, tuple[Meaning, ...]] = MappingProxyType(
    {
        state: tuple((other, None) for other in SHOWN if SHOWN[other] == pair and other != state)
        for state, pair in SHOWN.items()
    }
)
"""The other states that look the same in Withings' words."""


class Credentials(Sealed, frozen=True):
    """What Milepost adds, where a Milepost sends: the endpoint's `whsec_…` secrets.

    Withings itself signs nothing: with none, the secret path and the networks are the proof.
    """

    secrets: Secrets = ()


def reader(credentials: Credentials, _options: NoOptions, now: Callable[[], float]) -> Read:
    secrets = credentials.secrets
    return reader_of(
        lambda: Receiver.withings(secrets=secrets or None, accept_unsigned=not secrets, now=now),
        partial(_message, signed=bool(secrets)),
    )


def _message(told: WithingsNotification, *, signed: bool) -> Message:
    word = (told.parcel_status or told.status or "")[:LONGEST_WORD]
    update = _update(told, word=word, signed=signed)
    return Message(
        MessageKind.ORDER,
        message_id=told.delivery_id,
        order_key=name("customer_ref", told.customer_ref),
        tracking_number=name("tracking_number", told.tracking_number),
        word=word,
        updates=(update,) if update else (),
        unmapped=() if update else _strange(told),
    )


def _update(told: WithingsNotification, *, word: str, signed: bool) -> Update | None:
    """The state, which is one of the whole order, and the parcel that the notice shows."""
    try:
        reading = reads({"status": told.status, "parcel_status": told.parcel_status})
    except InvalidInput:
        return None
    return Update(
        source="",
        state=reading.state,
        source_sequence=told.sequence if signed else None,
        raw=word,
        carrier=name("carrier", told.carrier),
        carrier_service=name("carrier_service", told.carrier_service),
        tracking_number=name("tracking_number", told.tracking_number),
        current=True,
        covers=COVERS.get(reading.state or State.CREATED, ()),
        whole=True,
    )


def _strange(told: WithingsNotification) -> tuple[str, ...]:
    parcel_status = told.parcel_status
    if parcel_status is not None and parcel_status not in BY_PARCEL_STATUS:
        return unmapped("parcel_status", parcel_status)
    return unmapped("status", told.status or "")


INCOMING = Incoming(
    name=NAME,
    title="Withings order updates",
    credentials=Credentials,
    options=NoOptions,
    reader=reader,
    proves=(
        "Withings signs nothing: the secret path and the provider's networks; where another "
        "Milepost sends, its Standard Webhooks signature as well"
    ),
)
