"""The clocks of accounts: what time it is in each, and moving that of a sandbox forward.

Moving is one transaction, after which whatever waited for a time that has come is due. A jump over
a long time makes it all due at once; on the way in steps, each next thing is waited for until it is
done, so that what follows from it comes in its order.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from milepost.errors import ClockStuck, InvalidInput, NoSandbox, UnknownRecord
from milepost.orders.clock import MOST_AHEAD, ONE_TICK, next_stop, there
from milepost.orders.silence import Own, thresholds
from milepost.ports import Now
from milepost.ports.clocks import Clock, ClockStore

LOOKS_EVERY_S = 0.05
"""How soon it is noticed that what was due is done."""

PATIENCE_S = 90.0
"""How long what is due may take without anything changing; a request may take most of a minute."""

MORE_THAN_AHEAD = f"at most {MOST_AHEAD.days:,} days ahead of the real time altogether"


_SPAN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)


def read_span(text: str) -> timedelta:
    """A length of time as it is written: 3d, 8h, 90m, 1d12h. Raises InvalidInput."""
    found = _SPAN.fullmatch(text.strip())
    days, hours, minutes, seconds = found.groups(default="0") if found else "0000"
    span = timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    if span < ONE_TICK:
        raise InvalidInput(field="by", expected="a length of time such as 3d, 8h, 90m or 1d12h30s")
    return span


class ClockView(msgspec.Struct, frozen=True):
    """The clock of an account: its time, when the next thing comes due, and how many are under way.

    That is what is due or being done. Of an account that is no sandbox neither is looked up.
    """

    sandbox: bool
    now: datetime
    ahead_s: float
    next_due_at: datetime | None = None
    under_way: int = 0


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field="to", expected=MORE_THAN_AHEAD) from None


class ClockedStore(ClockStore, Protocol):
    """What the flow needs of the store."""

    async def silence_thresholds(self, account_id: str) -> Own:
        """What the account has set itself."""


class Clocks:
    """What time it is in each account. Every method may raise StoreError."""

    def __init__(
        self,
        store: ClockedStore,
        *,
        now: Now,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`pause` waits for so many seconds."""
        self._store = store
        self._now = now
        self._pause = pause
        self._patience_s = patience_s
        # An account is a sandbox for ever or never, so that most are looked up once.
        self._as_ours: set[str] = set()
        self._wakes: list[Callable[[], None]] = []
        self._raise_silences: Callable[[str], Awaitable[object]] | None = None

    def helped_by(self, raise_silences: Callable[[str], Awaitable[object]]) -> None:
        """Has this called for an account, on the way step by step, when a silence is due there."""
        self._raise_silences = raise_silences

    def wakes(self, *looks: Callable[[], None]) -> None:
        """Has these called whenever something may have become due."""
        self._wakes += looks

    async def now(self, account_id: str) -> datetime:
        """What the clock of this account shows; ours, where there is no such account."""
        now = self._now()
        if account_id in self._as_ours:
            return now
        try:
            clock = await self._store.clock(account_id)
        except UnknownRecord:
            return now
        if not clock.sandbox:
            self._as_ours.add(account_id)
        return there(now, ahead=clock.ahead)

    async def show(self, account_id: str) -> ClockView:
        """Raises UnknownRecord."""
        view, _ = await self._looked(await self._store.clock(account_id))
        return view

    async def goal(
        self, account_id: str, *, by: timedelta | None = None, to: datetime | None = None
    ) -> datetime:
        """The time of the account that either of these means.

        Raises UnknownRecord, NoSandbox, and InvalidInput for a time that has passed or is too far.
        """
        if (by is None) == (to is None):
            raise InvalidInput(field="", expected="either by or to")
        clock = await self._sandbox(account_id)
        now = there(self._now(), ahead=clock.ahead)
        field, goal = ("by", now) if to is None else ("to", _in_utc(to))
        if by is not None:
            if by < ONE_TICK or by > MOST_AHEAD:
                raise InvalidInput(
                    field="by", expected=f"a time that is not over, {MORE_THAN_AHEAD}"
                )
            goal = now + by
        if goal <= now:
            expected = f"a time after {now.isoformat()}: a clock never goes back"
            raise InvalidInput(field=field, expected=expected)
        if goal - self._now() > MOST_AHEAD:
            raise InvalidInput(field=field, expected=MORE_THAN_AHEAD)
        return goal

    async def jump(self, account_id: str, *, to: datetime) -> ClockView:
        """Moves the clock there at once; all that comes due on the way is due together then.

        A clock that shows a later time already stays. Raises UnknownRecord, NoSandbox.
        """
        while True:
            clock = await self._sandbox(account_id)
            if not await self._move(clock, to=to):
                continue
            view, is_silent = await self._looked(await self._sandbox(account_id))
            if is_silent and self._raise_silences is not None:
                await self._raise_silences(account_id)
                view = await self.show(account_id)
            return view

    async def step(self, account_id: str, *, to: datetime) -> ClockView:
        """Moves the clock to whatever comes due next, and no further than this time.

        It stays as long as something is under way. Raises UnknownRecord, NoSandbox.
        """
        clock = await self._sandbox(account_id)
        view, is_silent = await self._looked(clock)
        if is_silent and self._raise_silences is not None:
            # Whoever looks for silences does so seldom.
            await self._raise_silences(account_id)
        if not view.under_way:
            here = there(self._now(), ahead=clock.ahead)
            await self._move(clock, to=next_stop(here, goal=to, due_at=view.next_due_at))
            view = await self.show(account_id)
        return view

    async def play(
        self,
        account_id: str,
        *,
        to: datetime,
        told: Callable[[ClockView], None] = lambda _view: None,
    ) -> ClockView:
        """Moves the clock there step by step, and returns once what was due on the way is done.

        `told` hears of each look. It can be ended and begun again at any time. Raises ClockStuck
        when nobody does what is due, UnknownRecord and NoSandbox.
        """
        waited_s, before = 0.0, None
        while True:
            view = await self.step(account_id, to=to)
            told(view)
            if view.now >= to and not view.under_way:
                return view
            if not view.under_way:
                waited_s = 0.0
                continue
            standing = (view.under_way, view.next_due_at)
            waited_s = waited_s + LOOKS_EVERY_S if standing == before else 0.0
            before = standing
            if waited_s > self._patience_s:
                raise ClockStuck(view.under_way, at=view.now.isoformat())
            await self._pause(LOOKS_EVERY_S)

    async def _sandbox(self, account_id: str) -> Clock:
        clock = await self._store.clock(account_id)
        if not clock.sandbox:
            raise NoSandbox
        return clock

    async def _move(self, clock: Clock, *, to: datetime) -> bool:
        """Whether it stands there or later; not if somebody else has moved it meanwhile."""
        now = self._now()
        by = to - there(now, ahead=clock.ahead)
        if by < ONE_TICK:
            return True
        moved = await self._store.move_clock(clock, by=by, now=now)
        for look in self._wakes:
            look()
        return moved

    async def _looked(self, clock: Clock) -> tuple[ClockView, bool]:
        """How the clock stands, and whether a silence is due."""
        now = self._now()
        here = there(now, ahead=clock.ahead)
        shown = ClockView(clock.sandbox, here, clock.ahead.total_seconds())
        if not clock.sandbox:
            return shown, False
        waits = await self._store.waits(clock, now=now)
        own = await self._store.silence_thresholds(clock.account_id)
        silent_at = [
            waits.quiet[one.state] + one.after
            for one in thresholds(own)
            if one.after is not None and one.state in waits.quiet
        ]
        due = [at for at in silent_at if at > here]
        if waits.next_at is not None:
            due.append(there(waits.next_at, ahead=clock.ahead))
        overdue = sum(at <= here for at in silent_at)
        view = msgspec.structs.replace(
            shown, next_due_at=min(due, default=None), under_way=waits.under_way + overdue
        )
        return view, overdue > 0
