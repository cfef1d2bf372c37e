"""What each contract owes its receivers, said apart from the product so that it can be held to it.

Lives are lists of steps, each of which becomes one event of the order. A contract owes a
notification when its published word for the order changes to one that it sends; the neutral
contract owes every event here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

CREATED = "created"
RENUMBERED = "renumbered"
"""The order is told again with another order number, which only the neutral contract shows."""

CONTRACTS = ("standard", "shipmonk", "withings")

LIVES: tuple[tuple[str, ...], ...] = (
    (
        CREATED,
        "verified",
        "submitted",
        "picking",
        RENUMBERED,
        "packing",
        "packed",
        "ready_to_ship",
        "shipped",
        "info_received",
        "in_transit",
        "out_for_delivery",
        "delivered",
    ),
    (CREATED, "verified", "on_hold", "submitted", "picking", "packed", "shipped", "in_transit",
     "attempt_failed", "out_for_delivery", "delivered"),
    (CREATED, "address_error", "verified", "submitted", "cancelled"),
    (CREATED, "submitted", "backordered", "picking", RENUMBERED, "packing", "ready_to_ship",
     "shipped", "in_transit", "exception", "in_transit", "delivered"),
)  # fmt: skip

_WITHINGS = {
    "address_error": "ADDRESS ERROR",
    "verified": "VERIFIED",
    "submitted": "PROCESSING",
    "picking": "PROCESSING",
    "packing": "PROCESSING",
    "packed": "OPEN",
    "ready_to_ship": "OPEN",
    "on_hold": "BACKHOLD",
    "backordered": "BACKHOLD",
    "cancelled": "TRASHED",
    "shipped": "SHIPPED pending",
    "info_received": "info_received",
    "in_transit": "in_transit",
    "out_for_delivery": "in_transit",
    "attempt_failed": "failed_attempt",
    "exception": "exception",
    "delivered": "delivered",
}
"""A new order is only answered, never notified, so it has no word here."""

_SHIPMONK = {
    CREATED: "queued_to_submit",
    "address_error": "unable_to_submit",
    "verified": "queued_to_submit",
    "submitted": "submitted",
    "picking": "pick_in_progress",
    "packing": "pack_in_progress",
    "packed": "packed",
    "ready_to_ship": "awaiting_pick_up",
    "on_hold": "on_hold",
    "backordered": "backorder",
    "cancelled": "cancelled",
    "shipped": "awaiting_carrier_processing",
    "info_received": "awaiting_carrier_processing",
    "in_transit": "en_route",
    "out_for_delivery": "en_route",
    "attempt_failed": "en_route",
    "exception": "en_route",
    "delivered": "delivered",
}
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"withings": _WITHINGS, "shipmonk": _SHIPMONK}
)


def owed(contract: str, steps: Sequence[str]) -> list[int]:
    """The sequences, from 1, of the events of which this contract owes a notification."""
    words = _WORDS.get(contract)
    if words is None:
        return list(range(1, len(steps) + 1))
    told: list[int] = []
    shown: str | None = None
    for sequence, step in enumerate(steps, start=1):
        if step == RENUMBERED:
            continue
        word = words.get(step)
        if word is not None and word != shown:
            told.append(sequence)
        shown = word
    return told


def states(steps: Sequence[str]) -> list[str]:
    """The state of the order after each step."""
    kept: list[str] = []
    for step in steps:
        kept.append(kept[-1] if step == RENUMBERED else step)
    return kept
