"""Decides on what sources send: each message once, and its updates like all others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from milepost.intake.draft import Draft
from milepost.intake.inputs import MessageInput, MessageResult
from milepost.orders.events import QUARANTINED, Move, Update, Verdict
from milepost.orders.model import Order
from milepost.orders.move import move
from milepost.ports import Mentioned, OrderRef, Quarantined
from milepost.ports.core import RECEIPT, UPDATE
from milepost.ports.receipts import OPEN, WEIGHT, Receipt, ReceiptVerdict, Word

CAME_BEFORE = "a message with this id came before"
NO_ORDER_YET = "there is no order with this key yet; the update is kept and applies when it comes"
KEPT = "it tells of something that is no order's status"
ERASED = "the order's personal data was erased; of the message only its hash is kept"

_PLACES = {verdict: place for place, verdict in enumerate(WEIGHT)}
_VERDICTS = {verdict: ReceiptVerdict(verdict.value) for verdict in Verdict}


def refs_of(item: MessageInput) -> tuple[OrderRef, ...]:
    """The orders that a message speaks of; one of its account alone where it names none."""
    if item.updates:
        if len(item.updates) == 1:
            return (item.updates[0].ref,)
        return tuple(dict.fromkeys(update.ref for update in item.updates))
    receipt = item.receipt
    if receipt.order_key is None:
        return (OrderRef(receipt.account_id),)
    return (OrderRef(receipt.account_id, store=receipt.store, order_key=receipt.order_key),)


def mentioned_by(items: Sequence[MessageInput]) -> Mentioned:
    """What a decision on these messages has to see besides their orders."""
    messages = [
        (item.receipt.account_id, item.receipt.source, item.receipt.message_id)
        for item in items
        if item.receipt.message_id is not None and not item.again
    ]
    receipts = [(i.receipt.account_id, i.receipt.receipt_id) for i in items if i.again]
    return Mentioned(messages, receipts)


def take_message(draft: Draft, item: MessageInput, orders: Sequence[Order | None]) -> MessageResult:
    """What is decided of one message, given the orders of its refs as they were found."""
    receipt = item.receipt
    if item.again:
        known = _as_it_is(draft, item)
        if known is None or known.verdict not in OPEN:
            return _settled(receipt, known)
        receipt = known
    elif (first := _first_of(draft, receipt)) is not None:
        return MessageResult(first, ReceiptVerdict.REPEATED, CAME_BEFORE)
    found = dict(zip(refs_of(item), orders, strict=True))
    words = [_word_of(draft, item, place, found) for place in range(len(item.updates))]
    words += item.words
    ref, before = next(iter(found.items()))
    receipt = _decided(receipt, words, order=draft.latest(ref, before))
    name = (receipt.account_id, receipt.receipt_id)
    (draft.decided if item.again else draft.receipts)[name] = receipt
    return MessageResult(receipt.receipt_id, receipt.verdict, receipt.why, receipt.words)


def _first_of(draft: Draft, receipt: Receipt) -> str | None:
    """The receipt of the same message if it came before; remembers this one if it did not."""
    if receipt.message_id is None:
        return None
    name = (receipt.account_id, receipt.source, receipt.message_id)
    known = draft.snapshot.messages.get(name)
    if known is None:
        known = draft.messages.setdefault(name, receipt.receipt_id)
    return None if known == receipt.receipt_id else known


def _as_it_is(draft: Draft, item: MessageInput) -> Receipt | None:
    """The receipt on record, with what is told of it now: a mapping may have changed."""
    asked = item.receipt
    name = (asked.account_id, asked.receipt_id)
    known = draft.decided.get(name) or draft.snapshot.receipts.get(name)
    if known is None:
        return None
    return msgspec.structs.replace(
        known,
        store=asked.store,
        order_key=asked.order_key,
        message=asked.message,
    )


def _settled(asked: Receipt, known: Receipt | None) -> MessageResult:
    """Somebody else was faster, or it is gone."""
    if known is None:
        return MessageResult(asked.receipt_id, ReceiptVerdict.REPEATED, "it is not there any more")
    return MessageResult(known.receipt_id, known.verdict, known.why, known.words)


def _word_of(
    draft: Draft, item: MessageInput, place: int, found: Mapping[OrderRef, Order | None]
) -> Word:
    ref, update = item.updates[place].ref, item.updates[place].update
    order = draft.latest(ref, found[ref])
    update_id = f"{UPDATE}{item.receipt.receipt_id.removeprefix(RECEIPT)}-{place + 1}"
    state = None if update.state is None else update.state.value
    if order is None:
        draft.quarantine(
            ref,
            update,
            None,
            verdict=Verdict.ORPHAN,
            why="there is no order with this key yet",
            update_id=update_id,
        )
        return Word(ReceiptVerdict.ORPHAN, NO_ORDER_YET, update.parcel, state)
    result = moved_by_source(draft, order, update)
    draft.apply(result, before=order)
    draft.hear(update, result)
    if result.verdict in QUARANTINED and order.erased_at is None:
        draft.quarantine(
            ref, update, order, verdict=result.verdict, why=result.why, update_id=update_id
        )
    elif item.again:
        _take_out(draft, item, place, result, update_id=update_id)
    parcel = None if order.erased_at is not None else update.parcel
    return Word(_VERDICTS[result.verdict], result.why, parcel, state)


def _take_out(
    draft: Draft, item: MessageInput, place: int, result: Move, *, update_id: str
) -> None:
    """Notes that an update is applied now which was kept in quarantine before."""
    told, order = item.updates[place], result.order
    draft.released.append(
        Quarantined(
            account_id=order.account_id,
            update_id=update_id,
            verdict=result.verdict,
            why=result.why,
            source=told.update.source,
            store=order.store,
            order_key=order.order_key,
            order_id=order.order_id,
            occurred_at=told.update.occurred_at,
            received_at=draft.now,
            update=told.update,
            released_at=draft.now,
        )
    )


def moved_by_source(draft: Draft, order: Order, update: Update) -> Move:
    """The order after an update of a source, which may correct where it is a trusted one.

    It corrects only what is illegal otherwise, and evidently newer: what is late stays stale, and
    a word without a time of its own may be. Standing words are weighed by `move` itself.
    """
    result = move(order, update, now=draft.now)
    may_correct = update.trusted and not update.current and update.occurred_at is not None
    if result.verdict is not Verdict.ILLEGAL or update.correction or not may_correct:
        return result
    word = f" {update.raw!r}" if update.raw else ""
    note = f"{update.source} is trusted to correct, and told{word}"
    corrected = move(
        order, msgspec.structs.replace(update, correction=True, note=note), now=draft.now
    )
    return corrected if corrected.event is not None else result


def _decided(receipt: Receipt, words: Sequence[Word], *, order: Order | None) -> Receipt:
    """The receipt with its verdict: of several words the one that matters most."""
    verdict, why = ReceiptVerdict.KEPT, KEPT
    if words:
        first = min(words, key=lambda word: _PLACES[word.verdict])
        verdict, why = first.verdict, first.why
    known = order or receipt
    decided = msgspec.structs.replace(
        receipt,
        verdict=verdict,
        why=why,
        words=tuple(words),
        store=known.store,
        order_key=known.order_key,
        order_id=known.order_id,
        message=receipt.message if verdict in OPEN else b"",
    )
    return _emptied(decided) if order is not None and order.erased_at is not None else decided


def _emptied(receipt: Receipt) -> Receipt:
    """Whatever comes for an erased order may hold again what was erased."""
    return msgspec.structs.replace(
        receipt,
        why=ERASED,
        words=tuple(Word(word.verdict, state=word.state) for word in receipt.words),
        word="",
        tracking_number=None,
        message=b"",
        body=b"",
        sha256=hashlib.sha256(receipt.body).digest(),
    )


def follow(draft: Draft, released: Sequence[Quarantined], *, order: Order) -> None:
    """Has the receipts of updates that waited for this order say what became of those."""
    told: dict[str, list[Quarantined]] = {}
    for kept in released:
        if kept.receipt_id is not None:
            told.setdefault(kept.receipt_id, []).append(kept)
    for receipt_id, updates in told.items():
        name = (order.account_id, receipt_id)
        new = draft.receipts.get(name)
        receipt = new or draft.decided.get(name) or draft.snapshot.receipts.get(name)
        if receipt is None:
            continue
        words = [
            Word(
                _VERDICTS[kept.verdict],
                kept.why,
                kept.update.parcel,
                None if kept.update.state is None else kept.update.state.value,
            )
            for kept in sorted(updates, key=_place_of)
        ]
        words += [word for word in receipt.words if word.verdict is ReceiptVerdict.UNMAPPED]
        decided = _decided(receipt, words, order=order)
        (draft.decided if new is None else draft.receipts)[name] = decided


def _place_of(kept: Quarantined) -> int:
    return int(kept.update_id.rpartition("-")[2])
