"""What was not delivered, and what each endpoint acknowledged of an order, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from milepost.delivery.model import Delivery
from milepost.ports import Page
from milepost.ports.answers import QueuedPage, Told
from milepost.store.cursors import write_cursor
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.session import Session
from milepost.store.resend_rows import (
    AfterUndelivered,
    after_values,
    queued_after,
    queued_page_of,
    told_of_rows,
)
from milepost.store.rows import delivery_of


async def undelivered(
    session: Session, account_id: str, *, endpoint_id: str | None, page: Page
) -> tuple[list[Delivery], str | None]:
    rows = await session.rows(
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


async def queued(
    session: Session,
    account_id: str,
    endpoint_id: str,
    *,
    since: datetime,
    until: datetime,
    page: Page,
) -> QueuedPage:
    rows = await session.rows(
        "queued_page",
        account_id=account_id,
        endpoint_id=endpoint_id,
        **queued_after(page, since=since),
        limit=page.limit + 1,
    )
    return queued_page_of(rows, page=page, until=until)


async def told(session: Session, account_id: str, order_id: str) -> list[Told]:
    named = {"account_id": account_id, "order_id": order_id}
    async with session.one_state():
        rows = await session.rows("told", **named)
        acknowledged = await session.rows("acknowledged_last", **named)
    return told_of_rows(rows, acknowledged)


class AnswersOnPostgres:
    """The part of the store that tells what was not delivered."""

    _readers: Pool

    async def undelivered(
        self, account_id: str, *, endpoint_id: str | None, page: Page
    ) -> tuple[Sequence[Delivery], str | None]:
        async with self._readers.session() as session:
            return await undelivered(session, account_id, endpoint_id=endpoint_id, page=page)

    async def queued(
        self, account_id: str, endpoint_id: str, *, since: datetime, until: datetime, page: Page
    ) -> QueuedPage:
        async with self._readers.session() as session:
            return await queued(
                session, account_id, endpoint_id, since=since, until=until, page=page
            )

    async def told(self, account_id: str, order_id: str) -> Sequence[Told]:
        async with self._readers.session() as session:
            return await told(session, account_id, order_id)
