"""When a delivery is tried again: schedules are data, and each names where it comes from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec

LONGEST_RETRY_AFTER = timedelta(hours=24)
JITTER = 0.1
"""How much longer than its schedule a wait may be, so that retries do not come all at once."""


class Schedule(msgspec.Struct, frozen=True):
    """The waits between attempts in seconds, the first after attempt 1, and who published them.

    `spreads_s` say by how much each wait may be longer by chance, where the source says so;
    without them it is JITTER.
    """

    name: str
    title: str
    source: str
    waits_s: tuple[int, ...]
    spreads_s: tuple[int, ...] = ()

    @property
    def attempts(self) -> int:
        """How many attempts there are in all."""
        return len(self.waits_s) + 1

    def spreads(self) -> list[float]:
        """By how many seconds each wait may be longer."""
        return [float(s) for s in self.spreads_s] or [wait * JITTER for wait in self.waits_s]

    def wait_s(self, tries: int, *, chance: float) -> float:
        """How long to wait after so many attempts; `chance` in [0, 1) makes it longer."""
        wait = self.waits_s[tries - 1]
        spread = self.spreads_s[tries - 1] if self.spreads_s else wait * JITTER
        return wait + spread * chance


MINUTE, HOUR, DAY = 60, 3_600, 86_400

REHEARSAL = Schedule(
    name="rehearsal",
    title="20 retries, one second apart",
    source="Milepost: for sandboxes, demonstrations and tests",
    waits_s=(1,) * 20,
)


def retry_at(
    schedule: Schedule,
    *,
    tries: int,
    now: datetime,
    chance: float,
    retry_after: str | None = None,
) -> datetime | None:
    """When to try again after `tries` attempts; None when the schedule is at its end.

    `chance` in [0, 1) sets the jitter. `retry_after` is the receiver's header as it came: seconds
    or an HTTP date (RFC 9110 §10.2.3); it only ever makes the wait longer, up to a day.
    """
    if tries > len(schedule.waits_s):
        return None
    wait = timedelta(seconds=schedule.wait_s(tries, chance=chance))
    asked = read_retry_after(retry_after, now=now)
    if asked is not None:
        wait = max(wait, min(asked, LONGEST_RETRY_AFTER))
    return now + wait


def read_retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait: seconds or an HTTP date (RFC 9110 §10.2.3).

    None for one that is missing or says neither; less than nothing for a time that is over.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), DAY))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return at - now
