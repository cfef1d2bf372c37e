"""What was not delivered, and what each endpoint acknowledged of an order, on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from milepost.delivery.model import Delivery
from milepost.ports import Page
from milepost.ports.answers import QueuedPage, Told
from milepost.store.cursors import write_cursor
from milepost.store.resend_rows import (
    AfterUndelivered,
    after_values,
    queued_after,
    queued_page_of,
    told_of_rows,
)
from milepost.store.rows import delivery_of
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session


def undelivered(
    session: Session, account_id: str, *, endpoint_id: str | None, page: Page
) -> tuple[list[Delivery], str | None]:
    rows = session.rows(
        "undelivered",
        account_id=account_id,
        endpoint_id=endpoint_id,
        **after_values(page.after, shape=AfterUndelivered),
        limit=page.limit + 1,
    )
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    following = write_cursor(tuple(shown[-1][n] for n in (7, 1, 3, 2))) if more else None
    return [delivery_of(row) for row in shown], following


def queued(
    session: Session,
    account_id: str,
    endpoint_id: str,
    *,
    since: datetime,
    until: datetime,
    page: Page,
) -> QueuedPage:
    rows = session.rows(
        "queued_page",
        account_id=account_id,
        endpoint_id=endpoint_id,
        **queued_after(page, since=since),
        limit=page.limit + 1,
    )
    return queued_page_of(rows, page=page, until=until)


def told(session: Session, account_id: str, order_id: str) -> list[Told]:
    named = {"account_id": account_id, "order_id": order_id}
    return told_of_rows(session.rows("told", **named), session.rows("acknowledged_last", **named))


class AnswersOnSqlite:
    """The part of the store that tells what was not delivered."""

    _readers: Readers

    async def undelivered(
        self, account_id: str, *, endpoint_id: str | None, page: Page
    ) -> tuple[Sequence[Delivery], str | None]:
        work = partial(undelivered, account_id=account_id, endpoint_id=endpoint_id, page=page)
        return await self._readers.run(work)

    async def queued(
        self, account_id: str, endpoint_id: str, *, since: datetime, until: datetime, page: Page
    ) -> QueuedPage:
        work = partial(
            queued,
            account_id=account_id,
            endpoint_id=endpoint_id,
            since=since,
            until=until,
            page=page,
        )
        return await self._readers.run(work)

    async def told(self, account_id: str, order_id: str) -> Sequence[Told]:
        return await self._readers.run(partial(told, account_id=account_id, order_id=order_id))
