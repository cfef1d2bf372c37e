"""Counts over time, and how many orders are in which state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from milepost.orders.lifecycle import State
from milepost.ports.trends import Pending, Trend, Waiting
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.session import Session
from milepost.store.postgres.writing import written
from milepost.store.rows import micros
from milepost.store.trend_rows import (
    began_at_of,
    pending_of,
    trend_of,
    trend_values,
    waiting_of,
)


async def add_trends(session: Session, trends: Sequence[Trend]) -> None:
    # In the same order by every process, so that none of them waits for another in a circle.
    ordered = sorted(trends, key=lambda t: (t.account_id, t.began_at, t.endpoint_id))
    async with session.transaction():
        for trend in ordered:
            await session.write("add_trend", **trend_values(trend))


async def trends(
    session: Session, account_id: str, *, since: datetime, endpoint_id: str | None
) -> Sequence[Trend]:
    asked = {"account_id": account_id, "since": micros(since)}
    if endpoint_id is None:
        rows = await session.rows("trends_of_account", **asked)
    else:
        rows = await session.rows("trends_of_endpoint", **asked, endpoint_id=endpoint_id)
    name = endpoint_id or ""
    return [
        trend_of(row, account_id=account_id, endpoint_id=name, began_at=began_at_of(row))
        for row in rows
    ]


async def forget_trends(session: Session, account_id: str, *, before: datetime) -> int:
    return await session.write("forget_trends", account_id=account_id, before=micros(before))


class TrendsOnPostgres:
    """The part of the store that has to do with numbers over time."""

    _main: Pool
    _readers: Pool

    async def add_trends(self, trends: Sequence[Trend]) -> None:
        await written(self._main, partial(add_trends, trends=trends))

    async def trends(
        self, account_id: str, *, since: datetime, endpoint_id: str | None = None
    ) -> Sequence[Trend]:
        async with self._readers.session() as session:
            return await trends(session, account_id, since=since, endpoint_id=endpoint_id)

    async def endpoint_trends(self, account_id: str, *, since: datetime) -> Mapping[str, Trend]:
        async with self._readers.session() as session:
            rows = await session.rows(
                "trends_by_endpoint", account_id=account_id, since=micros(since)
            )
        return {
            row[0]: trend_of(row, account_id=account_id, endpoint_id=row[0], began_at=since)
            for row in rows
            if row[0]
        }

    async def forget_trends(self, account_id: str, *, before: datetime) -> int:
        return await written(
            self._main, partial(forget_trends, account_id=account_id, before=before)
        )

    async def state_counts(self, account_id: str) -> Mapping[State, int]:
        async with self._readers.session() as session:
            rows = await session.rows("state_counts", account_id=account_id)
        return {State(row[0]): row[1] for row in rows}

    async def pending(self, account_id: str, *, most: int) -> Pending:
        async with self._readers.session() as session:
            row = await session.row("pending_of_account", account_id=account_id, most=most)
        return pending_of(row)

    async def waiting(self, account_id: str, *, most: int) -> Mapping[str, Waiting]:
        async with self._readers.session() as session:
            rows = await session.rows("waiting_by_endpoint", account_id=account_id, most=most)
        return {row[0]: waiting_of(row) for row in rows}
