"""The clocks of accounts: how far one is ahead of ours, what waits for it, and moving it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from milepost.orders.lifecycle import State

AccountNow = Callable[[str], Awaitable[datetime]]
"""The time of an account, by its id; may raise StoreError."""


class Clock(msgspec.Struct, frozen=True, gc=False):
    """How far the clock of an account is ahead of ours; it can be moved if that is a sandbox."""

    account_id: str
    sandbox: bool
    ahead: timedelta


class Waits(msgspec.Struct, frozen=True, gc=False):
    """What of an account waits for a time.

    `under_way` are the things that are due or being done; `next_at` is when, by our clock, the next
    of the others comes due, None where there is none. `quiet` is since when, by the account's, the
    first order of each state was not heard of any more.
    """

    under_way: int = 0
    next_at: datetime | None = None
    quiet: Mapping[State, datetime] = {}


class ClockStore(Protocol):
    """Every method may raise StoreError."""

    async def clock(self, account_id: str) -> Clock:
        """Raises UnknownRecord."""

    async def waits(self, clock: Clock, *, now: datetime) -> Waits:
        """What of the account waits, given its clock; endpoints that rest have nothing to wait for.

        Reads all that waits of the account.
        """

    async def move_clock(self, clock: Clock, *, by: timedelta, now: datetime) -> bool:
        """Moves a clock and, in the same transaction, brings nearer all that waits for it.

        Whether it was moved: it was not if it no longer stands as it was seen. What is leased or
        due already stays as it is. Every intake of the account that commits after it sees it moved.
        """
