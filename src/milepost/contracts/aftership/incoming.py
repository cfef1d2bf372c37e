"""AfterShip's tracking events as they come in.

Published: the header aftership-hmac-sha256, the event around the tracking, nine tags and their
subtags. What each of them is in our words is ours.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, ClassVar

import msgspec

from milepost.contracts.checkpoints import (
    BodyHmac,
    Checkpoint,
    Tracked,
    message_of,
    moment_of,
    objects_of,
    text_of,
    tracking_reader,
)
from milepost.contracts.incoming import Incoming, Message, MessageKind, Read
from milepost.contracts.proving import LONGEST_WORD, NoOptions, Sealed, Secrets, name
from milepost.orders.lifecycle import State
from milepost_receiver.body import Json, ReadOnly

NAME = "aftership"

TAGS: Mapping[str, State | None] = MappingProxyType(
    {
        "Pending": None,
        "InfoReceived": State.INFO_RECEIVED,
        "InTransit": State.IN_TRANSIT,
        "OutForDelivery": State.OUT_FOR_DELIVERY,
        "AttemptFail": State.ATTEMPT_FAILED,
        "Delivered": State.DELIVERED,
        "AvailableForPickup": State.AVAILABLE_FOR_PICKUP,
        "Exception": State.EXCEPTION,
        "Expired": State.EXPIRED,
    }
)
"""The nine published tags; the first says that nothing is known yet."""

SUBTAGS: Mapping[str, State] = MappingProxyType(
    {
        "Exception_004": State.DELAYED,
        "Exception_005": State.DELAYED,
        "Exception_010": State.RETURNING,
        "Exception_011": State.RETURNED,
        "Exception_016": State.DELAYED,
        "Exception_017": State.DELAYED,
    }
)
"""The subtags that say more than their tag in our words; the others are what their tag is."""

MEANINGS: Mapping[str, State | None] = MappingProxyType({**TAGS, **SUBTAGS})


class Credentials(Sealed, frozen=True):
    """The account's webhook secret; several while one replaces another."""

    secrets: Annotated[Secrets, msgspec.Meta(min_length=1)]


class _Signature(BodyHmac):
    """The digest in base64."""

    __slots__ = ()
    headers: ClassVar[frozenset[str]] = frozenset({"aftership-hmac-sha256"})

    @staticmethod
    def written(digest: bytes) -> str:
        return base64.b64encode(digest).decode()


def reader(credentials: Credentials, _options: NoOptions, _now: Callable[[], float]) -> Read:
    keys = [secret.encode() for secret in credentials.secrets]
    return tracking_reader(NAME, proof=_Signature(keys), tell=_message)


def _message(told: Tracked) -> Message:
    event = told.body
    tracking = event.get("msg")
    event_id = text_of(event, "event_id")
    number = text_of(tracking, "tracking_number") if isinstance(tracking, ReadOnly) else None
    if number is None or not isinstance(tracking, ReadOnly):
        word = (text_of(event, "event") or "")[:LONGEST_WORD]
        return Message(MessageKind.OTHER, message_id=name("event_id", event_id), word=word)
    tag = _word(tracking)
    at = moment_of(tracking, "updated_at")
    return message_of(
        (
            Checkpoint(scanned, _scanned_at(checkpoint))
            for checkpoint in objects_of(tracking, "checkpoints")
            if (scanned := _word(checkpoint)) is not None
        ),
        now=None if tag is None else Checkpoint(tag, at),
        meanings=MEANINGS,
        message_id=event_id,
        tracking_number=number,
    )


def _word(said: Mapping[str, Json]) -> str | None:
    """The subtag where it says more than the tag, else the tag."""
    subtag = text_of(said, "subtag")
    return subtag if subtag in SUBTAGS else text_of(said, "tag")


def _scanned_at(checkpoint: Mapping[str, Json]) -> datetime | None:
    """When it was scanned; where that has no offset, when AfterShip learned of it."""
    return moment_of(checkpoint, "checkpoint_time") or moment_of(checkpoint, "created_at")


INCOMING = Incoming(
    name=NAME,
    title="AfterShip tracking",
    credentials=Credentials,
    options=NoOptions,
    reader=reader,
    proves="aftership-hmac-sha256 (HMAC-SHA256 over the raw body with the webhook secret)",
)
