"""How things went over time, in steps of five minutes: numbers for charts, and no truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from milepost.orders.lifecycle import State

STEP = timedelta(minutes=5)

WITHIN = tuple(timedelta(seconds=seconds) for seconds in (0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0))
"""Bounds of how long a notification takes from intake to its acknowledgement; the rest is later."""


class Trend(msgspec.Struct, frozen=True, gc=False):
    """What was counted in one step that began at `began_at`.

    `endpoint_id` is empty for what belongs to none: `accepted` are orders and updates that were
    taken in. `within` counts the acknowledged by WITHIN, with one more for those that took longer.
    """

    account_id: str
    endpoint_id: str
    began_at: datetime
    accepted: int = 0
    attempts: int = 0
    failed: int = 0
    acknowledged: int = 0
    abandoned: int = 0
    within: tuple[int, ...] = (0,) * (len(WITHIN) + 1)


class Pending(msgspec.Struct, frozen=True, gc=False):
    """What of an account waits to be acknowledged: how many deliveries, and since when."""

    count: int
    oldest_at: datetime | None


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """How many orders wait for something to be acknowledged, and when the next is tried.

    `next_at` is None where nothing is to be tried: nothing waits, is held, or is being sent.
    """

    orders: int = 0
    next_at: datetime | None = None


class TrendStore(Protocol):
    """Counts over time. Every method may raise StoreError."""

    async def add_trends(self, trends: Sequence[Trend]) -> None:
        """Adds these counts to those of their steps, of which each is named once."""

    async def trends(
        self, account_id: str, *, since: datetime, endpoint_id: str | None = None
    ) -> Sequence[Trend]:
        """The steps since then, oldest first: the account's added up, or one endpoint's."""

    async def endpoint_trends(self, account_id: str, *, since: datetime) -> Mapping[str, Trend]:
        """What was counted since then of each endpoint, by its id."""

    async def forget_trends(self, account_id: str, *, before: datetime) -> int:
        """Removes the account's steps that began before; returns how many."""

    async def state_counts(self, account_id: str) -> Mapping[State, int]:
        """How many orders are in each state; reads an index of all orders of the account."""

    async def pending(self, account_id: str, *, most: int) -> Pending:
        """How many deliveries of the account are pending, counted up to `most`."""

    async def waiting(self, account_id: str, *, most: int) -> Mapping[str, Waiting]:
        """What waits at each endpoint, by its id; of each no more than `most` are counted."""
