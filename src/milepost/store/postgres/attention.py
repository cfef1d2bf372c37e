"""What asks for a person: read from what is on record, without what was put aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from milepost.delivery.model import Delivery
from milepost.errors import UnknownRecord
from milepost.orders.events import Verdict
from milepost.ports import Page, Quarantined
from milepost.ports.receipts import Receipt
from milepost.store.cursors import Number, next_cursor, read_cursor
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.session import Session
from milepost.store.postgres.writing import written
from milepost.store.receiving_rows import receipt_of
from milepost.store.rows import delivery_of, micros, micros_or_none, moment, quarantined_of


class _AfterDelivery(NamedTuple):
    after_created: Number
    after_order: str
    after_sequence: Number
    after_endpoint: str


class _AfterUpdate(NamedTuple):
    after_received: Number
    after_update: str


class _AfterReceipt(NamedTuple):
    after_receipt: str


async def dismiss(
    session: Session, account_id: str, items: Sequence[str], *, now: datetime
) -> None:
    """In the order of the key, as everybody does who changes several."""
    async with session.transaction():
        for item in sorted(items):
            await session.write("put_dismissal", account_id=account_id, item=item, now=micros(now))


class AttentionOnPostgres:
    """The part of the store that has to do with what asks for a person."""

    _main: Pool
    _readers: Pool

    async def abandoned(
        self, account_id: str, *, after: datetime | None, page: Page
    ) -> tuple[Sequence[Delivery], str | None]:
        place = read_cursor(page.after, shape=_AfterDelivery)
        async with self._readers.session() as session:
            rows = await session.rows(
                "abandoned_page",
                account_id=account_id,
                after=micros_or_none(after),
                **({} if place is None else place._asdict()),
                limit=page.limit + 1,
            )
        found = [delivery_of(row) for row in rows[: page.limit]]
        return found, next_cursor(rows, limit=page.limit, columns=(7, 1, 3, 2))

    async def unresolved(
        self,
        account_id: str,
        *,
        verdict: Verdict,
        after: datetime | None,
        until: datetime,
        page: Page,
    ) -> tuple[Sequence[Quarantined], str | None]:
        place = read_cursor(page.after, shape=_AfterUpdate)
        async with self._readers.session() as session:
            rows = await session.rows(
                "unresolved_page",
                account_id=account_id,
                verdict=verdict.value,
                after=micros_or_none(after),
                until=micros(until),
                **({} if place is None else place._asdict()),
                limit=page.limit + 1,
            )
        found = [quarantined_of(row) for row in rows[: page.limit]]
        return found, next_cursor(rows, limit=page.limit, columns=(9, 1))

    async def unmapped(
        self, account_id: str, *, after: datetime | None, page: Page
    ) -> tuple[Sequence[Receipt], str | None]:
        place = read_cursor(page.after, shape=_AfterReceipt)
        async with self._readers.session() as session:
            rows = await session.rows(
                "unmapped_page",
                account_id=account_id,
                after=micros_or_none(after),
                after_receipt=None if place is None else place.after_receipt,
                limit=page.limit + 1,
            )
        found = [receipt_of(row) for row in rows[: page.limit]]
        return found, next_cursor(rows, limit=page.limit, columns=(1,))

    async def kept(self, account_id: str, update_id: str) -> Quarantined:
        async with self._readers.session() as session:
            row = await session.row("kept_update", account_id=account_id, update_id=update_id)
        if row is None:
            raise UnknownRecord(update_id)
        return quarantined_of(row)

    async def kept_of_order(
        self, account_id: str, order_id: str, *, limit: int
    ) -> Sequence[Quarantined]:
        async with self._readers.session() as session:
            rows = await session.rows(
                "kept_of_order", account_id=account_id, order_id=order_id, limit=limit
            )
        return [quarantined_of(row) for row in rows]

    async def dismiss(self, account_id: str, items: Sequence[str], *, now: datetime) -> None:
        await written(self._main, partial(dismiss, account_id=account_id, items=items, now=now))

    async def dismissed(self, account_id: str, items: Sequence[str]) -> Mapping[str, datetime]:
        async with self._readers.session() as session:
            rows = await session.batch("dismissed", [(account_id, item) for item in items])
        return {items[position - 1]: moment(at) for position, at in rows}
