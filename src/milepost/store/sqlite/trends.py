"""Counts over time, and how many orders are in which state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from milepost.orders.lifecycle import State
from milepost.ports.trends import Pending, Trend, Waiting
from milepost.store.rows import micros
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer
from milepost.store.trend_rows import (
    began_at_of,
    pending_of,
    trend_of,
    trend_values,
    waiting_of,
)


def add_trends(session: Session, trends: Sequence[Trend]) -> None:
    for trend in trends:
        session.write("add_trend", **trend_values(trend))


def trends(
    session: Session, account_id: str, *, since: datetime, endpoint_id: str | None
) -> Sequence[Trend]:
    asked = {"account_id": account_id, "since": micros(since)}
    if endpoint_id is None:
        rows = session.rows("trends_of_account", **asked)
    else:
        rows = session.rows("trends_of_endpoint", **asked, endpoint_id=endpoint_id)
    name = endpoint_id or ""
    return [
        trend_of(row, account_id=account_id, endpoint_id=name, began_at=began_at_of(row))
        for row in rows
    ]


def endpoint_trends(session: Session, account_id: str, *, since: datetime) -> Mapping[str, Trend]:
    rows = session.rows("trends_by_endpoint", account_id=account_id, since=micros(since))
    return {
        row[0]: trend_of(row, account_id=account_id, endpoint_id=row[0], began_at=since)
        for row in rows
        if row[0]
    }


def forget_trends(session: Session, account_id: str, *, before: datetime) -> int:
    return session.write("forget_trends", account_id=account_id, before=micros(before))


def state_counts(session: Session, account_id: str) -> Mapping[State, int]:
    return {State(row[0]): row[1] for row in session.rows("state_counts", account_id=account_id)}


def pending(session: Session, account_id: str, *, most: int) -> Pending:
    return pending_of(session.row("pending_of_account", account_id=account_id, most=most))


def waiting(session: Session, account_id: str, *, most: int) -> Mapping[str, Waiting]:
    rows = session.rows("waiting_by_endpoint", account_id=account_id, most=most)
    return {row[0]: waiting_of(row) for row in rows}


class TrendsOnSqlite:
    """The part of the store that has to do with numbers over time."""

    _writer: Writer
    _readers: Readers

    async def add_trends(self, trends: Sequence[Trend]) -> None:
        await self._writer.run(partial(add_trends, trends=trends), weight=len(trends) or 1)

    async def trends(
        self, account_id: str, *, since: datetime, endpoint_id: str | None = None
    ) -> Sequence[Trend]:
        work = partial(trends, account_id=account_id, since=since, endpoint_id=endpoint_id)
        return await self._readers.run(work)

    async def endpoint_trends(self, account_id: str, *, since: datetime) -> Mapping[str, Trend]:
        return await self._readers.run(partial(endpoint_trends, account_id=account_id, since=since))

    async def forget_trends(self, account_id: str, *, before: datetime) -> int:
        return await self._writer.run(partial(forget_trends, account_id=account_id, before=before))

    async def state_counts(self, account_id: str) -> Mapping[State, int]:
        return await self._readers.run(partial(state_counts, account_id=account_id))

    async def pending(self, account_id: str, *, most: int) -> Pending:
        return await self._readers.run(partial(pending, account_id=account_id, most=most))

    async def waiting(self, account_id: str, *, most: int) -> Mapping[str, Waiting]:
        return await self._readers.run(partial(waiting, account_id=account_id, most=most))
