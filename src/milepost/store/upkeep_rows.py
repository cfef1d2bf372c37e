"""What the upkeep reads and writes, as rows, the same for every database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from milepost.delivery.model import OPERATIONS, DeliveryState
from milepost.orders.erasure import erased_update
from milepost.ports.upkeep import Aged, ErasedBody, Notice, Standing, UpkeepRecord
from milepost.store.rows import STATES, Row, moment, moment_or_none, quarantined_of

CLEARED_ORDER = (
    "clear_attempts",
    "clear_bodies",
    "clear_erased_bodies",
    "clear_deliveries",
    "clear_events",
    "clear_parcels",
    "clear_content",
    "clear_quarantined",
    "clear_receipts",
    "clear_tracking",
    "clear_rehearsal",
    "clear_silences",
    "clear_differences",
)
"""The statements that clear away what an order leaves behind, each so many rows at most."""

ERASED_IN_PLACE = ("erase_attempts", "erase_events", "erase_silences", "erase_differences")
"""Those that empty what is about a person, likewise."""

BODIES_AT_ONCE = 50
ORDERS_AT_ONCE = 50

ORDER_SCOPE, PERSON_SCOPE = "order", "person"

_PENDING = DeliveryState.PENDING.value
_encode = msgspec.json.Encoder().encode


def upkeep_of(row: Row | None) -> UpkeepRecord:
    if row is None:
        return UpkeepRecord()
    return UpkeepRecord(
        begun_at=moment_or_none(row[0]),
        ended_at=moment_or_none(row[1]),
        report=row[2],
        owner=row[3],
        leased_until=moment_or_none(row[4]),
    )


def aged_of(row: Row) -> Aged:
    return Aged(row[0], STATES[row[1]], moment(row[2]))


def standing_of(row: Row) -> Standing:
    return Standing(
        order_id=row[0],
        state=STATES[row[1]],
        updated_at=moment(row[2]),
        is_pending=bool(row[3]),
        settled_at=moment_or_none(row[4]),
    )


def notice_of(row: Row) -> Notice:
    return Notice(row[0], row[1], row[2])


def notice_range(prefix: str, after: Notice | None) -> dict[str, Any]:
    """From where to where the deliveries are whose order ids begin with this."""
    first = after or Notice(prefix, "", 0)
    return {**msgspec.structs.asdict(first), "before": prefix[:-1] + chr(ord(prefix[-1]) + 1)}


def is_old_notice(row: Row, *, until: int) -> bool:
    """Whether a row of a page of notices is of no order, settled by then, and not needed."""
    order_id, _, sequence, state, settled_at, latest, of_order = row
    named_by_next = order_id.startswith(OPERATIONS) and sequence == latest
    settled = state != _PENDING and settled_at is not None and settled_at <= until
    return settled and not of_order and not named_by_next


def erased_body_of(row: Row | None) -> ErasedBody | None:
    return None if row is None else ErasedBody(sha256=row[0], size=row[1], content_type=row[2])


def digest_of(content: bytes) -> bytes:
    """What proves later which bytes were sent: their SHA-256."""
    return hashlib.sha256(content).digest()


def erased_quarantined(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What becomes of updates that were kept, without those that hold nothing of a person."""
    changes: list[dict[str, Any]] = []
    for row in rows:
        kept = quarantined_of(row)
        left = _encode(erased_update(kept.update))
        if left != row[10]:
            named = {"account_id": kept.account_id, "update_id": kept.update_id}
            changes.append({**named, "content": left})
    return changes
