"""Which orders a message speaks of, and the updates that it holds for them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from milepost.contracts.incoming import Message
from milepost.intake import MessageInput, UpdateInput
from milepost.orders.events import Update
from milepost.orders.lifecycle import CARRIER, ENDS
from milepost.orders.model import Order, Parcel
from milepost.orders.tracking import state_beside
from milepost.ports import OrderRef, Store
from milepost.ports.receipts import Receipt, ReceiptVerdict, Word
from milepost.ports.receiving import Source

NO_PARCEL_YET = "no parcel has this tracking number yet; it applies when one gets it"
ON_THE_WAY_BACK = "the parcel is on its way back: this word says nothing new"
MEANS_NOTHING = "means nothing to us; nothing was guessed"

_ON_THE_WAY = CARRIER - ENDS


async def input_of(
    store: Store, message: Message, *, receipt: Receipt, source: Source, again: bool = False
) -> MessageInput:
    """What intake is told of a message; where it names a tracking number alone, that is looked up.

    Raises StoreError.
    """
    words = tuple(
        Word(ReceiptVerdict.UNMAPPED, f"{told}: {MEANS_NOTHING}") for told in message.unmapped
    )
    if message.order_key is not None:
        ours = source.stores.get(message.store or "", source.store)
        ref = OrderRef(receipt.account_id, store=ours, order_key=message.order_key)
        updates = tuple(UpdateInput(ref, _told(u, source)) for u in message.updates)
        named = msgspec.structs.replace(receipt, store=ours, order_key=message.order_key)
        return MessageInput(named, updates, words, again=again)
    if message.tracking_number is None:
        return MessageInput(receipt, (), words, again=again)
    pairs = await parcels_with(store, receipt.account_id, message.tracking_number)
    if not pairs:
        if message.updates:
            words = (Word(ReceiptVerdict.ORPHAN, NO_PARCEL_YET), *words)
        return MessageInput(receipt, (), words, again=again)
    return _of_parcels(message, pairs, words, receipt=receipt, source=source, again=again)


async def parcels_with(
    store: Store, account_id: str, number: str
) -> Sequence[tuple[Order, Parcel]]:
    """The parcels with this number that are on their way; where none is, all of them.

    Carriers give a number again to another parcel, when the first has long arrived.
    """
    orders = await store.find_orders(account_id, number)
    found = [(o, p) for o in orders for p in o.parcels if p.tracking_number == number]
    return [pair for pair in found if pair[1].state in _ON_THE_WAY] or found


def _of_parcels(
    message: Message,
    pairs: Sequence[tuple[Order, Parcel]],
    words: tuple[Word, ...],
    *,
    receipt: Receipt,
    source: Source,
    again: bool,
) -> MessageInput:
    updates: list[UpdateInput] = []
    for order, parcel in pairs:
        ref = OrderRef(receipt.account_id, order.order_id)
        here = parcel.state
        for update in message.updates:
            target = update.state
            if target is not None and target in CARRIER:
                target = state_beside(target, here)
                if target is None:
                    words += (Word(ReceiptVerdict.DUPLICATE, ON_THE_WAY_BACK, parcel.parcel),)
                    continue
                here = target
            told = msgspec.structs.replace(update, state=target, parcel=parcel.parcel)
            updates.append(UpdateInput(ref, _told(told, source)))
    first = pairs[0][0]
    named = msgspec.structs.replace(receipt, store=first.store, order_key=first.order_key)
    return MessageInput(named, tuple(updates), words, again=again)


def _told(update: Update, source: Source) -> Update:
    return msgspec.structs.replace(
        update, source=source.source, precedence=source.precedence, trusted=source.trusted
    )
