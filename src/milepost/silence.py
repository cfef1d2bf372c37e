"""The flow that hears what is not said: orders that stay too long where they are.

It looks from time to time for orders that are overdue, through an index that holds no other. Each
is raised once for as long as it does not move, together with the news of it, and its silence ends
by itself when it does. Any number of processes may look: an account is looked at by one at a time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from milepost.contracts.contract import Contract
from milepost.contracts.operational import silence_notice_of
from milepost.delivery.silence import SilenceEvent, SilenceNotice, SilenceType
from milepost.errors import MilepostError
from milepost.logs import logger
from milepost.metrics import Metrics
from milepost.orders.lifecycle import State
from milepost.orders.silence import (
    DEFAULTS,
    Own,
    Silence,
    SilenceKind,
    Threshold,
    check_threshold,
    overdue,
    thresholds,
)
from milepost.ports import AccountNow, Now, Page
from milepost.ports.core import Account
from milepost.ports.silence import Heard, Raised, SilenceFilter, SilenceStore
from milepost.waiting import woken

AT_ONCE = 200
"""How many orders one transaction raises, or ends."""

TURNS = 20
"""How many such transactions an account gets before the next one has its turn."""

MOST_HEARD = 100_000
"""Words that wait to be put on record; those beyond count when they are said again."""

PAUSE_S = 0.05
"""How long others have their way between two parts of a long look."""


class SilentAccounts(SilenceStore, Protocol):
    """What the flow needs of the store."""

    async def accounts(self) -> Sequence[Account]:
        """All accounts, oldest first."""


class Looked(msgspec.Struct, frozen=True):
    """What a look has raised and ended, how much it has told of, and whether there is more."""

    raised: int = 0
    ended: int = 0
    told: int = 0
    more: bool = False


class ThresholdView(msgspec.Struct, frozen=True):
    """A threshold that counts, and what it is by default; seconds, null for switched off."""

    state: State
    kind: SilenceKind
    after_s: int | None
    default_s: int | None
    changed: bool
    why: str


class Silences:
    """Raises and ends silences, keeps their thresholds, and lists them."""

    def __init__(
        self,
        store: SilentAccounts,
        *,
        rooms: Mapping[str, Contract],
        now: Now,
        account_now: AccountNow,
        every_s: float,
        look: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        """`look` tells the dispatcher that something may be due."""
        self._store = store
        self._rooms = rooms
        self._now = now
        self._account_now = account_now
        self._every_s = every_s
        self._look = look
        self._metrics = metrics
        self._heard: dict[tuple[str, str], datetime] = {}
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.counted: Mapping[SilenceKind, int] = dict.fromkeys(SilenceKind, 0)
        self._log = logger("silence")

    # life

    def start(self) -> None:
        """Begins to look from time to time."""
        self._task = asyncio.create_task(self._look_for_ever())

    async def stop(self) -> None:
        """Puts on record what was heard, if the database takes it, and looks no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
            with suppress(MilepostError):
                await self.put_heard()

    def look_soon(self) -> None:
        """Has it look at once: a clock was moved."""
        self._soon.set()

    async def _look_for_ever(self) -> None:
        while True:
            await woken(self._soon, within_s=self._every_s)
            self._soon.clear()
            try:
                if (await self.look()).more:
                    self._soon.set()
            except MilepostError as error:
                self._log.error("silence_failed", error=str(error))

    # hearing

    def hear(self, account_id: str, order_id: str, *, at: datetime) -> None:
        """Notes a word of a carrier's that changes nothing; it counts from the next look on."""
        name = (account_id, order_id)
        if name in self._heard or len(self._heard) < MOST_HEARD:
            self._heard[name] = max(at, self._heard.get(name, at))

    async def put_heard(self) -> None:
        """Puts on record what was heard. Raises StoreError, and then keeps it."""
        while self._heard:
            names = list(self._heard)[:AT_ONCE]
            taken = {name: self._heard.pop(name) for name in names}
            try:
                await self._store.put_heard([Heard(*name, at) for name, at in taken.items()])
            except BaseException:
                for name, at in taken.items():
                    self.hear(*name, at=at)
                raise

    # looking

    async def look(self) -> Looked:
        """Looks at every account once: what is overdue is raised, what has moved ends.

        An account with very much to raise goes on at the next look. Raises StoreError.
        """
        await self.put_heard()
        sum_ = Looked()
        for account in await self._store.accounts():
            looked = await self._look_at(account.account_id)
            sum_ = Looked(
                sum_.raised + looked.raised,
                sum_.ended + looked.ended,
                sum_.told + looked.told,
                sum_.more or looked.more,
            )
        self.counted = {
            **dict.fromkeys(SilenceKind, 0),
            **await self._store.count_silences(),
        }
        if sum_.told:
            self._look()
        return sum_

    async def look_at(self, account_id: str) -> Looked:
        """Looks at one account, which need not wait until all are looked at. Raises StoreError."""
        await self.put_heard()
        looked = await self._look_at(account_id)
        if looked.told:
            self._look()
        return looked

    async def _look_at(self, account_id: str) -> Looked:
        now = await self._account_now(account_id)
        wanted = overdue(await self._store.silence_thresholds(account_id), now=now)
        if not await self._store.is_silence_due(account_id, wanted=wanted, now=now):
            return Looked()

        def tell(type_: SilenceType, count: int, first: Sequence[Silence]) -> SilenceNotice:
            event = SilenceEvent(type_, now, account_id, count, first)
            return silence_notice_of(event, rooms=self._rooms)

        async def end() -> Raised:
            return await self._store.end_silences(
                account_id, limit=AT_ONCE, tell=tell, now=now, due_at=self._now()
            )

        async def raise_() -> Raised:
            return await self._store.raise_silences(
                account_id, wanted=wanted, limit=AT_ONCE, tell=tell, now=now, due_at=self._now()
            )

        # What has moved ends first: it may be overdue again where it is now.
        ended = await self._in_turns(end)
        raised = await self._in_turns(raise_)
        for kind, number in raised.kinds.items():
            self._metrics.silences_raised.add(kind.value, number=number)
        for kind, number in ended.kinds.items():
            self._metrics.silences_ended.add(kind.value, number=number)
        if raised.kinds or ended.kinds:
            self._log.warning(
                "silences",
                account=account_id,
                raised=sum(raised.kinds.values()),
                ended=sum(ended.kinds.values()),
            )
        return Looked(
            sum(raised.kinds.values()),
            sum(ended.kinds.values()),
            raised.told + ended.told,
            raised.more or ended.more,
        )

    async def _in_turns(self, act: Callable[[], Awaitable[Raised]]) -> Raised:
        kinds: Counter[SilenceKind] = Counter()
        told, more = 0, True
        for turn in range(TURNS):
            if turn:
                await asyncio.sleep(PAUSE_S)
            part = await act()
            kinds.update(part.kinds)
            told, more = told + part.told, part.more
            if not more:
                break
        return Raised(kinds, more, told)

    # thresholds

    async def thresholds(self, account_id: str) -> Sequence[ThresholdView]:
        """Every threshold that counts for the account, with its default."""
        own = await self._store.silence_thresholds(account_id)
        return [_view(one, own=own) for one in thresholds(own)]

    async def set_thresholds(self, account_id: str, wanted: Own) -> Sequence[ThresholdView]:
        """Sets those that are named, None for never; they count from the next look on.

        What was raised before stays raised until its order moves. Raises InvalidInput.
        """
        for state, after in wanted.items():
            check_threshold(state, after, field=state.value)
        now = await self._account_now(account_id)
        await self._store.set_silence_thresholds(account_id, wanted, now=now)
        return await self.thresholds(account_id)

    async def replace_thresholds(self, account_id: str, own: Own) -> Sequence[ThresholdView]:
        """Sets those that are named, and all others to their defaults. Raises InvalidInput."""
        await self.set_thresholds(account_id, own)
        return await self.reset_thresholds(account_id, [s for s in DEFAULTS if s not in own])

    async def reset_thresholds(
        self, account_id: str, states: Sequence[State]
    ) -> Sequence[ThresholdView]:
        """Goes back to the defaults of these. Raises InvalidInput."""
        for state in states:
            check_threshold(state, None, field=state.value)
        await self._store.reset_silence_thresholds(account_id, states)
        return await self.thresholds(account_id)

    # reading

    async def silences(
        self, account_id: str, *, wanted: SilenceFilter, page: Page
    ) -> tuple[Sequence[Silence], str | None]:
        """A page of them, newest first. Raises InvalidInput for a cursor that no page gave."""
        return await self._store.silences(account_id, wanted=wanted, page=page)


def _view(one: Threshold, *, own: Own) -> ThresholdView:
    default = DEFAULTS[one.state].after
    return ThresholdView(
        one.state, one.kind, _seconds(one.after), _seconds(default), one.state in own, one.why
    )


def _seconds(after: timedelta | None) -> int | None:
    return None if after is None else int(after.total_seconds())
