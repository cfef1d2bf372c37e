"""Which corrections an order has taken already: one that is told again is no news."""

from __future__ import annotations

import hashlib
from datetime import UTC

import msgspec

from milepost.orders.events import Update
from milepost.orders.evidence import is_correcting
from milepost.orders.model import Order

MOST_CORRECTIONS = 16
"""So many of its latest corrections an order remembers."""

TOLD_BEFORE = "this correction was applied before; with another time, or none, it is a new one"

# What a source says, and not how it is to be taken: neither its note, nor how far it is trusted.
_SAID = (
    "state",
    "reason",
    "source_sequence",
    "raw",
    "parcel",
    "carrier",
    "carrier_service",
    "tracking_number",
    "tracking_url",
    "details",
    "updating",
)


def told_before(order: Order, update: Update) -> bool:
    """Whether the order has taken these words of this source, of that moment, as a correction.

    A correction may tell of an earlier time, so that nothing else shows that it comes again.
    Standing words are never meant: those are always weighed by their time.
    """
    if not order.corrections or update.current:
        return False
    return _mark(update) in order.corrections


def remembering(order: Order, update: Update) -> tuple[str, ...]:
    """The marks of the corrections that the order has taken once this update is applied."""
    mark = _mark(update) if is_correcting(update) else None
    if mark is None:
        return order.corrections
    return (*order.corrections, mark)[-MOST_CORRECTIONS:]


def _mark(update: Update) -> str | None:
    """16 characters that are the same where the same is told again; None without a time of its own.

    What is told without a time happens whenever it arrives, and is another thing each time.
    """
    if update.occurred_at is None:
        return None
    said = [getattr(update, name) for name in _SAID]
    told = msgspec.json.encode([update.teller, update.occurred_at.astimezone(UTC), *said])
    return hashlib.sha256(told).hexdigest()[:16]
