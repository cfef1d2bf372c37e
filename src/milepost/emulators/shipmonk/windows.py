"""How many requests an account may make in a span of time, as ShipMonk publishes its limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime

from milepost.errors import MilepostError

MOST_REMEMBERED = 4_096
"""Accounts whose use is remembered; beyond it those whose span is over are forgotten."""


class TooManyRequests(MilepostError):
    """The account asks for more than it may; nothing was done."""

    def __init__(self, detail: str, *, again_at: datetime) -> None:
        super().__init__(detail)
        self.again_at = again_at


def retry_after(at: datetime) -> bytes:
    """When to ask again, as an RFC 1123 date (published)."""
    return format_datetime(at, usegmt=True).encode()


class Window:
    """At most so many requests of an account in each span, which begins with its first request.

    It counts what this process is asked; several processes count for themselves.
    """

    def __init__(self, most: int, *, span: timedelta, now: Callable[[], datetime]) -> None:
        self._most = most
        self._span = span
        self._now = now
        self._seen: dict[str, tuple[datetime, int]] = {}

    def enter(self, account_id: str) -> None:
        """Counts a request. Raises TooManyRequests."""
        now = self._now()
        ends_at, number = self._seen.get(account_id, (now, 0))
        if now >= ends_at:
            self._forget(now)
            ends_at, number = now + self._span, 0
        if number >= self._most:
            minutes = self._span.total_seconds() / 60
            raise TooManyRequests(
                f"At most {self._most} requests in {minutes:g} min",
                # A date has whole seconds; a receiver that waits for it must not be early.
                again_at=ends_at.replace(microsecond=0) + timedelta(seconds=1),
            )
        self._seen[account_id] = (ends_at, number + 1)

    def _forget(self, now: datetime) -> None:
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen = {who: seen for who, seen in self._seen.items() if seen[0] > now}
