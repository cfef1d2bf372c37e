"""What the demonstration plays, as data: thirteen orders, what happens to each, who hears of it.

The words are written down here by hand and not asked of the code that makes them: they are what
the two contracts publish, and the demonstration fails when anything else arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

WITHINGS_SHOP = "withings-shop"
SHIPMONK_SHOP = "shipmonk-shop"

SILENT = None
"""The shop's contract shows nothing new, so it is not notified."""


class Step(msgspec.Struct, frozen=True):
    """One update: the state, the hours since the order was made, and the contract's word for it.

    `verdict` is what the hub must decide; only what is applied is told to anybody. `facts` go
    with the update as they are.
    """

    state: str
    hours: float
    word: str | None
    source: str = "warehouse"
    verdict: str = "applied"
    facts: Mapping[str, object] = MappingProxyType({})


class Scenario(msgspec.Struct, frozen=True):
    """One order's life. `first` is the word that its creation is notified with."""

    key: str
    title: str
    shop: str
    steps: tuple[Step, ...]
    first: str | None = SILENT
    replaces: str | None = None

    def words(self) -> tuple[str, ...]:
        """What its shop's contract is told, in this order."""
        told = (self.first, *(step.word for step in self._applied()))
        return tuple(word for word in told if word is not None)

    def states(self) -> tuple[str, ...]:
        """What the neutral contract is told: every state."""
        return ("created", *(step.state for step in self._applied()))

    def _applied(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.verdict == "applied")


def _parcel(number: str, carrier: str = "UPS", service: str = "Standard") -> Mapping[str, object]:
    return MappingProxyType(
        {"carrier": carrier, "carrier_service": service, "tracking_number": number}
    )


def _by_carrier(*steps: tuple[str, float, str | None]) -> tuple[Step, ...]:
    return tuple(Step(state, hours, word, "carrier") for state, hours, word in steps)


_TAKEN_BY_WITHINGS = (
    Step("verified", 0.1, "VERIFIED"),
    Step("submitted", 1, "PROCESSING"),
)
_PACKED_BY_WITHINGS = (
    *_TAKEN_BY_WITHINGS,
    Step("picking", 3, SILENT),
    Step("packed", 5, "OPEN"),
)

WITHINGS = (
    Scenario(
        "WI-1001",
        "shipped and delivered",
        WITHINGS_SHOP,
        (
            *_PACKED_BY_WITHINGS,
            Step("shipped", 8, "SHIPPED", facts=_parcel("1Z999AA10123456784")),
            *_by_carrier(
                ("info_received", 9, "info_received"),
                ("in_transit", 20, "in_transit"),
                ("out_for_delivery", 44, SILENT),
                ("delivered", 50, "delivered"),
            ),
        ),
    ),
    Scenario(
        "WI-1002",
        "trashed",
        WITHINGS_SHOP,
        (*_TAKEN_BY_WITHINGS, Step("cancelled", 2, "TRASHED")),
    ),
    Scenario(
        "WI-1003",
        "failed",
        WITHINGS_SHOP,
        (*_TAKEN_BY_WITHINGS, Step("submit_failed", 2, "FAILED")),
    ),
    Scenario(
        "WI-1004",
        "on backhold",
        WITHINGS_SHOP,
        (*_TAKEN_BY_WITHINGS, Step("on_hold", 2, "BACKHOLD")),
    ),
    Scenario(
        "WI-1005",
        "replacement of WI-1001",
        WITHINGS_SHOP,
        (
            *_PACKED_BY_WITHINGS,
            Step("shipped", 7, "SHIPPED", facts=_parcel("1Z999AA10123456795")),
            *_by_carrier(("in_transit", 21, "in_transit"), ("delivered", 47, "delivered")),
        ),
        replaces="WI-1001",
    ),
    Scenario(
        "WI-1006",
        "returned to the sender",
        WITHINGS_SHOP,
        (
            *_PACKED_BY_WITHINGS,
            Step("shipped", 6, "SHIPPED", facts=_parcel("1Z999AA10123456806")),
            *_by_carrier(
                ("in_transit", 18, "in_transit"),
                ("attempt_failed", 40, "failed_attempt"),
                ("returning", 64, "return"),
                ("returned", 100, SILENT),
            ),
        ),
    ),
)

_TAKEN_BY_SHIPMONK = (
    Step("verified", 0.2, SILENT),
    Step("submitted", 1, "submitted"),
)
_PACKED_BY_SHIPMONK = (
    Step("picking", 10, "pick_in_progress"),
    Step("packing", 11, "pack_in_progress"),
    Step("packed", 12, "packed"),
    Step("ready_to_ship", 13, "awaiting_pick_up"),
)
_QUEUED = "queued_to_submit"

IN_TROUBLE = Scenario(
    "SM-2001",
    "its receiver fails twice",
    SHIPMONK_SHOP,
    (*_TAKEN_BY_SHIPMONK, Step("picking", 10, "pick_in_progress")),
    first=_QUEUED,
)
"""Played first and alone for its receiver, so that it meets both failures."""

SHIPMONK = (
    Scenario(
        "SM-2002",
        "all the way to the door",
        SHIPMONK_SHOP,
        (
            *_TAKEN_BY_SHIPMONK,
            *_PACKED_BY_SHIPMONK,
            Step("shipped", 14, "awaiting_carrier_processing", facts=_parcel("940011189956")),
            *_by_carrier(
                ("info_received", 15, SILENT),
                ("in_transit", 24, "en_route"),
                ("out_for_delivery", 48, SILENT),
                ("delivered", 55, "delivered"),
            ),
        ),
        first=_QUEUED,
    ),
    Scenario(
        "SM-2003",
        "backordered, then released",
        SHIPMONK_SHOP,
        (
            Step("verified", 0.2, SILENT),
            Step("backordered", 1, "backorder"),
            Step("submitted", 9, "submitted"),
            *_PACKED_BY_SHIPMONK,
            Step("shipped", 15, "awaiting_carrier_processing", facts=_parcel("940011189963")),
            *_by_carrier(("in_transit", 26, "en_route"), ("delivered", 70, "delivered")),
        ),
        first=_QUEUED,
    ),
    Scenario(
        "SM-2004",
        "held, then released",
        SHIPMONK_SHOP,
        (
            *_TAKEN_BY_SHIPMONK,
            Step("on_hold", 2, "on_hold", "operator"),
            Step("on_hold", 2, SILENT, "operator", verdict="duplicate"),
            Step("submitted", 5, "submitted", "operator"),
            Step("verified", 3, SILENT, verdict="stale"),
            *_PACKED_BY_SHIPMONK,
            Step("shipped", 14, "awaiting_carrier_processing", facts=_parcel("940011189970")),
            *_by_carrier(("in_transit", 25, "en_route"), ("delivered", 49, "delivered")),
        ),
        first=_QUEUED,
    ),
    Scenario(
        "SM-2005",
        "cancelled in time",
        SHIPMONK_SHOP,
        (
            *_TAKEN_BY_SHIPMONK,
            Step("cancel_requested", 2, "cancellation_requested", "operator"),
            Step("cancelled", 3, "cancelled"),
            Step("shipped", 4, SILENT, verdict="illegal"),
        ),
        first=_QUEUED,
    ),
    Scenario(
        "SM-2006",
        "undeliverable",
        SHIPMONK_SHOP,
        (
            *_TAKEN_BY_SHIPMONK,
            *_PACKED_BY_SHIPMONK,
            Step("shipped", 14, "awaiting_carrier_processing", facts=_parcel("940011189987")),
            *_by_carrier(
                ("in_transit", 24, "en_route"),
                ("attempt_failed", 50, SILENT),
                ("undeliverable", 74, "undeliverable"),
            ),
        ),
        first=_QUEUED,
    ),
    Scenario(
        "SM-2007",
        "shipped untrackable",
        SHIPMONK_SHOP,
        (
            *_TAKEN_BY_SHIPMONK,
            *_PACKED_BY_SHIPMONK,
            Step("shipped", 14, "awaiting_carrier_processing"),
            Step("untracked", 15, "shipped_untrackable"),
        ),
        first=_QUEUED,
    ),
)

ALL = (IN_TROUBLE, *WITHINGS, *SHIPMONK)
FAILURES = 2
"""How often the receiver of the first order answers 500 before it accepts."""

SHOWN = "WI-1006"
"""The order whose timeline is shown in the end."""
