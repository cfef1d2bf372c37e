"""The time of an account: ours, or ahead of ours where its clock was moved forward; pure.

Whatever is decided of an account's orders, and whatever that waits for, happens at its time. What
passes between machines happens at ours: requests, their signatures, leases and limits.
"""

from __future__ import annotations

from datetime import datetime, timedelta

NOT_AHEAD = timedelta()
"""A clock that is as ours."""

MOST_AHEAD = timedelta(days=3_660)
"""How far a clock can be moved altogether."""

ONE_TICK = timedelta(microseconds=1)
"""The shortest time that there is."""


def there(ours: datetime, *, ahead: timedelta) -> datetime:
    """What a clock that is so far ahead shows when ours shows this."""
    return ours + ahead


def ours(there: datetime, *, ahead: timedelta) -> datetime:
    """What our clock shows when one that is so far ahead shows this."""
    return there - ahead


def next_stop(now: datetime, *, goal: datetime, due_at: datetime | None) -> datetime:
    """Where a clock that shows `now` is moved to on its way to a goal: not past what is due.

    All three are times of the account.
    """
    stop = goal if due_at is None else min(due_at, goal)
    return max(stop, now)
