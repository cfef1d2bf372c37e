"""Clocks of accounts as rows and back, the same for every database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from milepost.errors import UnknownRecord
from milepost.orders.clock import ours, there
from milepost.orders.lifecycle import State
from milepost.ports.clocks import Clock, Waits
from milepost.store.rows import Row, micros, moment

MOVED = ("move_lanes", "move_deliveries", "move_rehearsals")
"""The statements that bring nearer what waits for a time of ours."""

WAITING = ("waiting_lanes", "waiting_rehearsals")
"""The statements that tell what waits for a time of ours; that of the trackings is for another."""


def span(time: timedelta) -> int:
    """A length of time in microseconds."""
    return time // timedelta(microseconds=1)


def clock_of(row: Row | None, account_id: str) -> Clock:
    """Raises UnknownRecord where there is no such account."""
    if row is None:
        raise UnknownRecord(account_id)
    return Clock(account_id, bool(row[0]), timedelta(microseconds=row[1]))


def moved_values(clock: Clock, *, by: timedelta) -> dict[str, Any]:
    """What moves the clock itself."""
    return {
        "account_id": clock.account_id,
        "seen": span(clock.ahead),
        "ahead": span(clock.ahead + by),
    }


def there_at(clock: Clock, *, now: datetime) -> int:
    """The account's time as it is kept."""
    return micros(there(now, ahead=clock.ahead))


def waits_of(rows: Iterable[Row], trackings: Row, quiet: Iterable[Row], *, clock: Clock) -> Waits:
    """What waits, each row with how much is under way and when the next comes due."""
    under_way, next_at = trackings
    times = [] if next_at is None else [ours(moment(next_at), ahead=clock.ahead)]
    for count, due_at in rows:
        under_way += count
        if due_at is not None:
            times.append(moment(due_at))
    silent = {State(state): moment(since) for state, since in quiet}
    return Waits(int(under_way), min(times, default=None), silent)
