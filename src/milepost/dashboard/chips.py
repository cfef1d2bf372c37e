"""Which color goes with which word; the word is always there too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from milepost.orders.lifecycle import State

KINDS = ("calm", "busy", "good", "warn", "bad")

_WORDS: Mapping[str, tuple[str, ...]] = {
    "calm": (
        *("created", "verifying", "scheduled", "superseded", "duplicate", "untracked", "expired"),
        *("fulfilled_elsewhere", "cancelled", "disabled", "revoked", "over", "unknown", "idle"),
        *("released", "stopped", "read-only"),
    ),
    "busy": (
        *("verified", "submitted", "picking", "packing", "packed", "ready_to_ship", "shipped"),
        *("info_received", "in_transit", "out_for_delivery", "pending", "running", "retried"),
        *("available_for_pickup", "merchant"),
    ),
    "good": (
        *("delivered", "acknowledged", "applied", "active", "healthy", "done", "enabled", "open"),
        *("operator", "verified_ok"),
    ),
    "warn": (
        *("on_hold", "backordered", "cancel_requested", "attempt_failed", "delayed", "returning"),
        *("returned", "stale", "orphan", "unmapped", "paused", "waiting", "slow"),
    ),
    "bad": (
        *("address_error", "submit_failed", "exception", "undeliverable", "illegal", "abandoned"),
        *("failing", "failed", "rejected"),
    ),
}

_KIND_OF: Mapping[str, str] = MappingProxyType(
    {word: kind for kind, words in _WORDS.items() for word in words}
)

UNCOLORED = [state for state in State if state.value not in _KIND_OF]
"""States that no color was given to; a test sees to it that there are none."""


def kind_of(word: str) -> str:
    """One of KINDS; `calm` for a word that has none."""
    return _KIND_OF.get(word, "calm")


def shown_word(word: str) -> str:
    """A word of a closed set as people read it: `out_for_delivery` is "Out for delivery"."""
    plain = word.replace("_", " ")
    return plain[:1].upper() + plain[1:]
