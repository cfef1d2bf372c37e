"""A person's data is erased: from one order, or from every order that has her address."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from milepost.orders.erasure import erased, erasing
from milepost.orders.events import OrderEvent
from milepost.orders.model import Address, Order, OrderContent, Text
from milepost.ports import AccountNow, Now, OrderFilter, Page, Store

ROWS_AT_ONCE = 500
LOOKED_AT_ONCE = 200
"""Orders that are read at once: there is no index of people, and none could be erased from."""

Email = Annotated[str, msgspec.Meta(min_length=3, max_length=320)]


class ErasureInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether pending deliveries are abandoned for it, and a note that stays in the history.

    A note must not say again what is erased.
    """

    abandon_pending: bool = False
    note: Text | None = None


class Erasure(msgspec.Struct, frozen=True):
    """An order without a person, when that was done, and how many deliveries were abandoned."""

    order_id: str
    store: str
    order_key: str
    erased_at: datetime
    abandoned: int


class Look(msgspec.Struct, frozen=True):
    """The orders with this address among the next that were looked at, and where to go on."""

    orders: Sequence[Order]
    looked_at: int
    after: str | None


class Eraser:
    """Erases what is known of a person; what was sent to whom, and when, stays on record."""

    def __init__(self, store: Store, *, now: Now, account_now: AccountNow) -> None:
        self._store = store
        self._now = now
        self._account_now = account_now

    async def erase(
        self, account_id: str, order_id: str, wanted: ErasureInput, *, source: str
    ) -> Erasure:
        """Takes the person out of an order; when it returns, nothing of her is on record there.

        It can be done again. Raises UnknownRecord, DeliveriesPending.
        """
        now, there = self._now(), await self._account_now(account_id)

        def without_person(known: Order) -> tuple[Order, OrderEvent]:
            after = erased(known, at=there)
            return after, erasing(after, source=source, note=wanted.note, at=there)

        done = await self._store.erase_order(
            account_id, order_id, erase=without_person, abandon=wanted.abandon_pending, now=now
        )
        more = True
        while more:
            swept = await self._store.sweep(name=(account_id, order_id), limit=ROWS_AT_ONCE)
            more = swept.more
            await asyncio.sleep(0)
        await self._store.finish_erasing()
        order = done.order
        return Erasure(
            order_id=order_id,
            store=order.store,
            order_key=order.order_key,
            erased_at=order.erased_at or there,
            abandoned=done.abandoned,
        )

    async def find(
        self, account_id: str, email: str, *, after: str | None, limit: int = LOOKED_AT_ONCE
    ) -> Look:
        """Looks through the next so many orders, newest first, for one with this address.

        Orders are looked through one by one: begin again at `after` until it is None.
        """
        page = Page(after, limit)
        orders, following = await self._store.orders(account_id, wanted=OrderFilter(), page=page)
        wanted = email.strip().casefold()
        found = [order for order in orders if wanted in _emails(order.content)]
        return Look(found, len(orders), following)


def _emails(content: OrderContent) -> set[str]:
    told = [content.customer_email, _email(content.ship_to), _email(content.ship_from)]
    return {email.strip().casefold() for email in told if email}


def _email(address: Address | None) -> str | None:
    return None if address is None else address.email
