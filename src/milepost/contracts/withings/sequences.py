"""Which word can follow which: what is published of it, what is inferred, and what we allow beside.

All words are published values. Their order is published as a picture, which is not to be had as
text; a few steps stand in words beside the values. Every other step that is drawn is inferred from
what the words say. What the lifecycle allows beyond these (a step that was passed over, a scan that
comes late) is ours: it is sent when it happens, and it is in the table of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from types import MappingProxyType

import msgspec

from milepost.contracts.withings.payloads import (
    BY_PARCEL_STATUS,
    BY_STATUS,
    PENDING,
    SHIPPED,
    SHOWN,
)
from milepost.orders.lifecycle import EDGES, EdgeClass, State


class Origin(StrEnum):
    """Where it is known from that one word can follow another."""

    PUBLISHED = "published"
    INFERRED = "inferred"
    OURS = "ours"
    CORRECTION = "correction"


class Step(msgspec.Struct, frozen=True):
    """One word that can follow another, where that is known from, and why it is so."""

    before: str
    after: str
    origin: Origin
    why: str


BEFORE_SHIPPING = ("VERIFIED", "PROCESSING", "FAILED", "OPEN", "BACKHOLD")
"""The statuses that an order can be cancelled in."""

UNDERWAY = ("in_transit", "delayed", "failed_attempt", "exception", "pickup")
"""The parcel statuses of a parcel that is on its way."""

UNDELIVERED = (PENDING, "info_received", *UNDERWAY)
WORDS = (*BY_STATUS, *BY_PARCEL_STATUS)
"""Every word, the statuses first."""

_PUBLISHED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("PROCESSING", ("OPEN",), "OPEN is said of orders that were processed successfully"),
    ("OPEN", (SHIPPED,), "OPEN waits to be sent to the parcel service, SHIPPED was sent"),
    (SHIPPED, (PENDING,), "once shipped there is a parcel status; pending until an event comes"),
    *((word, ("expired",), "not delivered 45 days after it was created") for word in UNDELIVERED),
)
_INFERRED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("CREATED", ("ADDRESS VERIFICATION",), "the older, asynchronous check of the address"),
    ("ADDRESS VERIFICATION", ("VERIFIED", "ADDRESS ERROR"), "what the check can end in"),
    ("ADDRESS ERROR", ("VERIFIED",), "corrected, or forced with force_address"),
    ("VERIFIED", ("PROCESSING", "FAILED"), "handed to logistics, or not"),
    ("FAILED", ("PROCESSING",), "handed over after all"),
    ("PROCESSING", ("FAILED", "BACKHOLD"), "given back, or held"),
    ("OPEN", ("BACKHOLD",), "held"),
    ("BACKHOLD", ("PROCESSING", "OPEN"), "released"),
    *((word, ("TRASHED",), "cancelled before it shipped") for word in BEFORE_SHIPPING),
    (SHIPPED, ("info_received", "in_transit"), "the first event of the carrier"),
    (PENDING, ("info_received", "in_transit"), "the first event of the carrier"),
    ("info_received", ("in_transit",), "it is in the carrier's network"),
    *(
        (word, (*(w for w in UNDERWAY if w is not word), "delivered", "return"), "on its way")
        for word in UNDERWAY
    ),
)


def words_from(state: State) -> tuple[str, ...]:
    """The words that can have been the last ones of an order that is in this state.

    An order that ships is SHIPPED, and then pending until the carrier tells something.
    """
    return (SHIPPED, PENDING) if state is State.SHIPPED else words_to(state)


def words_to(state: State) -> tuple[str, ...]:
    """The word that the notice of a change into this state brings, if it has any."""
    pair = SHOWN.get(state)
    if pair is None:
        return ()
    status, parcel_status = pair
    return (status if parcel_status is None or state is State.SHIPPED else parcel_status,)


def _drawn() -> Mapping[tuple[str, str], Step]:
    return {
        (before, after): Step(before, after, origin, why)
        for origin, rules in ((Origin.INFERRED, _INFERRED), (Origin.PUBLISHED, _PUBLISHED))
        for before, afters, why in rules
        for after in afters
    }


def _allowed() -> Mapping[tuple[str, str], Step]:
    """Every step between words that the lifecycle allows, normal edges before corrections."""
    steps: dict[tuple[str, str], Step] = {}
    for edge_class in EdgeClass:
        for edge in EDGES.values():
            if edge.edge_class is not edge_class:
                continue
            origin = Origin.OURS if edge_class is EdgeClass.NORMAL else Origin.CORRECTION
            for pair in product(words_from(edge.origin), words_to(edge.target)):
                if pair[0] != pair[1]:
                    steps.setdefault(pair, Step(*pair, origin, edge.why))
    return steps


DRAWN: Mapping[tuple[str, str], Step] = MappingProxyType(_drawn())
"""The steps that are drawn: published ones and inferred ones."""

STEPS: Mapping[tuple[str, str], Step] = MappingProxyType({**_allowed(), **DRAWN})
"""Every step that can be seen: those that are drawn, and what the lifecycle allows beside them."""
