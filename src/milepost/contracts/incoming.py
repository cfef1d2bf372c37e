"""The shape of a receiving room: how one provider's messages are proved, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from milepost.orders.events import Update

Headers = Mapping[str, str]
"""The headers of a request by their lower-case names."""


class MessageKind(StrEnum):
    """What a message is about; only orders and tracking are told on, the others are kept."""

    ORDER = "order"
    TRACKING = "tracking"
    SHIPMENT = "shipment"
    RETURN = "return"
    RECEIVING = "receiving"
    OTHER = "other"


class Message(msgspec.Struct, frozen=True, gc=False):
    """What one message of a provider says, in our words as far as we know them.

    `message_id` is the provider's own id of it, the same when it repeats it; None where it gives
    none. The order is named by `order_key` (with the provider's own id or name of the `store`,
    where it says one), or by its `tracking_number` alone. `word` is the provider's status as it
    came. `updates` come in the order in which they are to be decided, one a parcel where parcels
    differ; their `source` is filled in by who takes the message. `unmapped` says which of its
    words mean nothing to us; nothing is guessed for those.
    """

    kind: MessageKind
    message_id: str | None = None
    order_key: str | None = None
    store: str | None = None
    tracking_number: str | None = None
    word: str = ""
    updates: tuple[Update, ...] = ()
    unmapped: tuple[str, ...] = ()


Read = Callable[[Headers, bytes], Message]
"""Proves and reads one request of a source.

Raises SourceRefused for what is not proved, and InvalidInput for what cannot be read at all (no
JSON, no form, too deep); what can be read and is not understood comes back as it is.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A provider whose messages are taken in, as one value; a room makes it.

    credentials: what its messages are proved by; all its fields are secrets.
    options: what else a source of it may be set up with.
    reader: a source's credentials and options, and the clock in seconds since the epoch, as the
    function that proves and reads; made once for many requests. Raises InvalidInput.
    proves: in a sentence, what proves a message beside the secret path.
    """

    name: str
    title: str
    credentials: type[msgspec.Struct]
    options: type[msgspec.Struct]
    reader: Callable[[Any, Any, Callable[[], float]], Read]
    proves: str
