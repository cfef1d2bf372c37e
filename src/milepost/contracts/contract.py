"""The shape of a contract room: what our event looks like in its words, and how it is delivered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from milepost.contracts.refusal import refusal
from milepost.delivery.health import OperationalEvent
from milepost.delivery.model import Body, Claimed
from milepost.delivery.retry import Schedule
from milepost.delivery.silence import SilenceEvent
from milepost.errors import InvalidInput
from milepost.orders.events import OrderEvent
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order, Store

T = TypeVar("T", bound=msgspec.Struct)

Words = Mapping[str, str | None]
"""What a contract shows of an order, by its own field names."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a provider's words say of an order.

    `state` is None for words that say only that an edit is being taken in (`updating`).
    """

    state: State | None
    reason: Reason | None = None
    updating: bool = False


class Notice(msgspec.Struct, frozen=True, gc=False):
    """An event to tell of: the order after it, its store, and what other contracts would show."""

    order: Order
    event: OrderEvent
    store: Store
    others: Mapping[str, Words] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """How a contract's words follow each other: as an SVG document, and as a Mermaid chart.

    The chart has every step when it is asked for in full.
    """

    svg: Callable[[], str]
    mermaid: Callable[[bool], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A contract as one value; a room makes it of its payloads and its delivery rules.

    shown: what an endpoint last saw of the order; an event is sent only when it has changed.
    words: the same for people and for the neutral envelope.
    status: the word that a subscription names; sends: whether that word is ever notified.
    body: the notification's bytes. reads: a provider's words as our state; raises InvalidInput.
    headers: what the contract adds to our common headers, given the claimed delivery.
    received: whether a reply's status means that the receiver has it.
    options, credentials, extensions: what an endpoint, and an order or parcel, may say in it.
    latest_suffices: whether a notification says all that those before it said, so that an endpoint
    may choose to get the latest of a backlog alone.
    diagram: how its words follow each other, where that is drawn.
    operational, silence: the bytes of an operational event, of an endpoint or of silences, with
    its number, where they have a form in it.
    """

    name: str
    title: str
    statuses: tuple[str, ...]
    shown: Callable[[Order], Hashable]
    words: Callable[[Order], Words]
    status: Callable[[Order], str]
    sends: frozenset[str]
    body: Callable[[Notice, Any], Body]
    reads: Callable[[Words], Reading]
    headers: Callable[[Claimed], tuple[tuple[str, str], ...]]
    received: Callable[[int], bool]
    schedules: tuple[Schedule, ...]
    timeout_s: float
    options: type[msgspec.Struct]
    credentials: type[msgspec.Struct]
    order_extensions: type[msgspec.Struct] | None = None
    parcel_extensions: type[msgspec.Struct] | None = None
    line_extensions: type[msgspec.Struct] | None = None
    shows_others: bool = False
    latest_suffices: bool = False
    operational: Callable[[OperationalEvent, int], Body] | None = None
    silence: Callable[[SilenceEvent, int], Body] | None = None
    diagram: Diagram | None = None

    def schedule(self, name: str) -> Schedule:
        """The schedule of this name. Raises InvalidInput naming those that there are."""
        for schedule in self.schedules:
            if schedule.name == name:
                return schedule
        names = ", ".join(s.name for s in self.schedules)
        raise InvalidInput(field="schedule", expected=f"one of {names}")


@lru_cache(maxsize=8_192)
def read_as(shape: type[T], raw: bytes) -> T:
    """The JSON as this struct, decoded once for equal bytes.

    Raises InvalidInput with the path of the field and what was expected.
    """
    return read_under("", shape=shape, raw=raw)


def read_under(path: str, *, shape: type[T], raw: bytes) -> T:
    """The JSON as this struct, where `path` says what it is part of.

    Raises InvalidInput with the whole path of the field and what was expected.
    """
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refusal(error, shape=shape, under=path) from None
