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
from milepost.store.receiving_rows import receipt_of
from milepost.store.rows import delivery_of, micros, micros_or_none, moment, quarantined_of
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer


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


def abandoned(
    session: Session, account_id: str, *, after: datetime | None, page: Page
) -> tuple[Sequence[Delivery], str | None]:
    place = read_cursor(page.after, shape=_AfterDelivery)
    rows = session.rows(
        "abandoned_page",
        account_id=account_id,
        after=micros_or_none(after),
        **({} if place is None else place._asdict()),
        limit=page.limit + 1,
    )
    found = [delivery_of(row) for row in rows[: page.limit]]
    return found, next_cursor(rows, limit=page.limit, columns=(7, 1, 3, 2))


def unresolved(
    session: Session,
    account_id: str,
    *,
    verdict: Verdict,
    after: datetime | None,
    until: datetime,
    page: Page,
) -> tuple[Sequence[Quarantined], str | None]:
    place = read_cursor(page.after, shape=_AfterUpdate)
    rows = session.rows(
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


def unmapped(
    session: Session, account_id: str, *, after: datetime | None, page: Page
) -> tuple[Sequence[Receipt], str | None]:
    place = read_cursor(page.after, shape=_AfterReceipt)
    rows = session.rows(
        "unmapped_page",
        account_id=account_id,
        after=micros_or_none(after),
        after_receipt=None if place is None else place.after_receipt,
        limit=page.limit + 1,
    )
    found = [receipt_of(row) for row in rows[: page.limit]]
    return found, next_cursor(rows, limit=page.limit, columns=(1,))


def kept(session: Session, account_id: str, *, update_id: str) -> Quarantined:
    row = session.row("kept_update", account_id=account_id, update_id=update_id)
    if row is None:
        raise UnknownRecord(update_id)
    return quarantined_of(row)


def kept_of_order(
    session: Session, account_id: str, *, order_id: str, limit: int
) -> Sequence[Quarantined]:
    rows = session.rows("kept_of_order", account_id=account_id, order_id=order_id, limit=limit)
    return [quarantined_of(row) for row in rows]


def dismiss(session: Session, account_id: str, items: Sequence[str], *, now: datetime) -> None:
    for item in items:
        session.write("put_dismissal", account_id=account_id, item=item, now=micros(now))


def dismissed(session: Session, account_id: str, items: Sequence[str]) -> Mapping[str, datetime]:
    wanted = [(i, account_id, item) for i, item in enumerate(items)]
    return {items[row[0]]: moment(row[1]) for row in session.batch("dismissed", wanted)}


class AttentionOnSqlite:
    """The part of the store that has to do with what asks for a person."""

    _writer: Writer
    _readers: Readers

    async def abandoned(
        self, account_id: str, *, after: datetime | None, page: Page
    ) -> tuple[Sequence[Delivery], str | None]:
        work = partial(abandoned, account_id=account_id, after=after, page=page)
        return await self._readers.run(work)

    async def unresolved(
        self,
        account_id: str,
        *,
        verdict: Verdict,
        after: datetime | None,
        until: datetime,
        page: Page,
    ) -> tuple[Sequence[Quarantined], str | None]:
        work = partial(
            unresolved,
            account_id=account_id,
            verdict=verdict,
            after=after,
            until=until,
            page=page,
        )
        return await self._readers.run(work)

    async def unmapped(
        self, account_id: str, *, after: datetime | None, page: Page
    ) -> tuple[Sequence[Receipt], str | None]:
        work = partial(unmapped, account_id=account_id, after=after, page=page)
        return await self._readers.run(work)

    async def kept(self, account_id: str, update_id: str) -> Quarantined:
        work = partial(kept, account_id=account_id, update_id=update_id)
        return await self._readers.run(work)

    async def kept_of_order(
        self, account_id: str, order_id: str, *, limit: int
    ) -> Sequence[Quarantined]:
        work = partial(kept_of_order, account_id=account_id, order_id=order_id, limit=limit)
        return await self._readers.run(work)

    async def dismiss(self, account_id: str, items: Sequence[str], *, now: datetime) -> None:
        work = partial(dismiss, account_id=account_id, items=items, now=now)
        await self._writer.run(work, weight=len(items) or 1)

    async def dismissed(self, account_id: str, items: Sequence[str]) -> Mapping[str, datetime]:
        return await self._readers.run(partial(dismissed, account_id=account_id, items=items))
