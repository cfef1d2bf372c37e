"""What happened to an order and what did not: events, kept updates and messages in one line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from milepost.insights import EventView, OrderLife
from milepost.insights.views import QuarantineView
from milepost.orders.events import EventType
from milepost.orders.lifecycle import State
from milepost.orders.naming import ONLY_PARCEL
from milepost.ports.receipts import Receipt, ReceiptVerdict

_TITLES = {
    EventType.CREATED: "Created",
    EventType.UPDATED: "New facts",
    EventType.ERASED: "Personal data erased",
}


class Entry(msgspec.Struct, frozen=True):
    """One line of the timeline.

    `verdict` is empty for an event, which happened; `occurred_at` is its source's time, None where
    none was told. `facts` are names and values of what else was told.
    """

    key: str
    kind: str
    received_at: datetime
    occurred_at: datetime | None
    title: str
    state: State | None
    source: str
    raw: str | None
    verdict: str = ""
    why: str = ""
    note: str | None = None
    correction: bool = False
    skipped: tuple[State, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    update_id: str | None = None
    receipt_id: str | None = None
    sequence: int = 0


def timeline(life: OrderLife, receipts: Sequence[Receipt]) -> Sequence[Entry]:
    """The latest first, by the time at which it came in.

    Of a message whose update stands there anyway, applied or kept, there is no second line. With
    earlier events left out, what came in before the first one shown is left out too.
    """
    entries = [_of_event(event) for event in life.events]
    entries += [_of_kept(kept) for kept in life.kept]
    shown = {e.receipt_id for e in entries if e.receipt_id}
    entries += [
        _of_receipt(receipt)
        for receipt in receipts
        if receipt.receipt_id not in shown and receipt.verdict is not ReceiptVerdict.APPLIED
    ]
    if life.earlier and life.events:
        first = life.events[0].received_at
        entries = [entry for entry in entries if entry.received_at >= first]
    if life.events and life.events[-1].sequence < life.order.sequence:
        last = life.events[-1].received_at
        entries = [entry for entry in entries if entry.received_at <= last]
    return sorted(entries, key=lambda e: (e.received_at, e.sequence), reverse=True)


def _of_event(event: EventView) -> Entry:
    changed = event.type in (EventType.CREATED, EventType.STATE_CHANGED)
    facts = []
    if event.parcel not in (None, ONLY_PARCEL):
        facts.append(("Parcel", event.parcel))
    if event.parcel_state is not None and event.parcel_state is not event.state:
        facts.append(("Parcel is", event.parcel_state.value.replace("_", " ")))
    if event.reason is not None:
        facts.append(("Reason", event.reason.value.replace("_", " ")))
    return Entry(
        key=f"e{event.sequence}",
        kind="event",
        received_at=event.received_at,
        occurred_at=event.occurred_at,
        title=_TITLES.get(event.type, ""),
        state=event.state if changed else None,
        source=event.source,
        raw=event.raw,
        note=event.note,
        correction=event.correction,
        skipped=tuple(event.skipped),
        facts=tuple(facts),
        sequence=event.sequence,
    )


def _of_kept(kept: QuarantineView) -> Entry:
    told = kept.update
    state = told.get("state")
    facts = [
        (name.replace("_", " ").capitalize(), str(told[name]))
        for name in ("parcel", "carrier", "tracking_number")
        if told.get(name)
    ]
    of_receipt, dash, _ = kept.update_id.partition("-")
    return Entry(
        key=kept.update_id,
        kind="kept",
        received_at=kept.received_at,
        occurred_at=kept.occurred_at,
        title="" if state else "Facts",
        state=State(state) if state else None,
        source=kept.source,
        raw=told.get("raw"),
        verdict=str(kept.verdict),
        why=kept.why,
        note=told.get("note"),
        correction=bool(told.get("correction")),
        facts=tuple(facts),
        update_id=None if kept.released_at is not None else kept.update_id,
        receipt_id=of_receipt.replace("upd_", "rcp_") if dash else None,
    )


def _of_receipt(receipt: Receipt) -> Entry:
    return Entry(
        key=receipt.receipt_id,
        kind="receipt",
        received_at=receipt.received_at,
        occurred_at=None,
        title="Message",
        state=None,
        source=receipt.source,
        raw=receipt.word or None,
        verdict=str(receipt.verdict),
        why=receipt.why,
        receipt_id=receipt.receipt_id,
    )
