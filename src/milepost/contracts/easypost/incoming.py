"""EasyPost's tracker events as they come in.

Published: the header X-Hmac-Signature, the event around the tracker, the closed set of statuses.
What each status is in our words is ours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
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
from milepost_receiver.body import ReadOnly

NAME = "easypost"
TRACKER = "tracker."
"""How the description of an event about a tracker begins."""

MEANINGS: Mapping[str, State | None] = MappingProxyType(
    {
        "unknown": None,
        "pre_transit": State.INFO_RECEIVED,
        "in_transit": State.IN_TRANSIT,
        "out_for_delivery": State.OUT_FOR_DELIVERY,
        "delivered": State.DELIVERED,
        "available_for_pickup": State.AVAILABLE_FOR_PICKUP,
        "return_to_sender": State.RETURNING,
        "failure": State.EXCEPTION,
        "cancelled": State.EXCEPTION,
        "error": None,
    }
)
"""The ten published statuses; two of them say nothing of where a parcel is."""


class Credentials(Sealed, frozen=True):
    """The webhook's secret, as it was given to EasyPost; several while one replaces another."""

    secrets: Annotated[Secrets, msgspec.Meta(min_length=1)]


class _Signature(BodyHmac):
    """`hmac-sha256-hex=` and the digest in hex."""

    __slots__ = ()
    headers: ClassVar[frozenset[str]] = frozenset({"x-hmac-signature"})

    @staticmethod
    def written(digest: bytes) -> str:
        return f"hmac-sha256-hex={digest.hex()}"


def reader(credentials: Credentials, _options: NoOptions, _now: Callable[[], float]) -> Read:
    keys = [unicodedata.normalize("NFKD", secret).encode() for secret in credentials.secrets]
    return tracking_reader(NAME, proof=_Signature(keys), tell=_message)


def _message(told: Tracked) -> Message:
    event = told.body
    tracker = event.get("result")
    description = text_of(event, "description") or ""
    event_id = text_of(event, "id")
    number = text_of(tracker, "tracking_code") if isinstance(tracker, ReadOnly) else None
    if number is None or not isinstance(tracker, ReadOnly) or not description.startswith(TRACKER):
        word = description[:LONGEST_WORD]
        return Message(MessageKind.OTHER, message_id=name("id", event_id), word=word)
    status = text_of(tracker, "status")
    return message_of(
        (
            Checkpoint(scanned, moment_of(detail, "datetime"))
            for detail in objects_of(tracker, "tracking_details")
            if (scanned := text_of(detail, "status")) is not None
        ),
        now=None if status is None else Checkpoint(status, moment_of(tracker, "updated_at")),
        meanings=MEANINGS,
        message_id=event_id,
        tracking_number=number,
    )


INCOMING = Incoming(
    name=NAME,
    title="EasyPost trackers",
    credentials=Credentials,
    options=NoOptions,
    reader=reader,
    proves="X-Hmac-Signature (HMAC-SHA256 over the raw body with the webhook's secret)",
)
