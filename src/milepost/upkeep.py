"""Upkeep: what is over is cleared away, a little at a time and by one process at a time.

An order's time is over when nothing of it has moved for as long as the settings say: counted from
its last change and from its last delivery, whichever was later. While a delivery is pending it is
not over at all. What was begun and not finished is finished first.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from milepost.delivery.model import ENDPOINT_TEST, OPERATIONS
from milepost.errors import MilepostError, UpkeepBusy
from milepost.logs import logger
from milepost.orders.lifecycle import ENDS, State
from milepost.orders.model import FAKE_ORDER, REAL_ORDER
from milepost.ports import Lease, Now, Store
from milepost.ports.core import RECEIPT, UPDATE
from milepost.ports.upkeep import Notice, Standing
from milepost.secrecy import Secrecy

ORDERS_READ_AT_ONCE = 500
ORDERS_DROPPED_AT_ONCE = 100
ROWS_AT_ONCE = 500

SHARE_OF_WORK = 3
"""It rests for this many times as long as the last part took: others come first."""

LEASE = timedelta(minutes=2)
FIRST_LOOK_S, LOOK_EVERY_S = 30.0, 60.0

ONE_TICK = timedelta(milliseconds=1)
"""Ids know no shorter time."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH_MS = 1_000
_RANDOM_CHARACTERS = 16


class Retention(msgspec.Struct, frozen=True):
    """For how long orders are kept after their end, and those that never end; None is for ever."""

    ended: timedelta | None
    never_ended: timedelta | None

    def kept_for(self, state: State) -> timedelta | None:
        """For how long an order in this state is kept."""
        return self.ended if state in ENDS else self.never_ended

    def is_due(self, standing: Standing, *, now: datetime) -> bool:
        """Whether the order's time is over."""
        kept_for = self.kept_for(standing.state)
        if kept_for is None or standing.is_pending:
            return False
        last = max(standing.updated_at, standing.settled_at or standing.updated_at)
        return last + kept_for <= now

    @property
    def shortest(self) -> timedelta | None:
        """How old an order is at least when its time is over; None when no order's ever is."""
        return min((k for k in (self.ended, self.never_ended) if k is not None), default=None)


class Report(msgspec.Struct, frozen=True):
    """What an upkeep did: how many orders, kept updates, receipts and notices went, rows in all.

    `expired` counts endpoints that lost a secret whose time was over, `looked_at` the orders that
    were old enough to be looked at.
    """

    looked_at: int = 0
    orders: int = 0
    updates: int = 0
    receipts: int = 0
    notices: int = 0
    expired: int = 0
    rows: int = 0
    seconds: float = 0.0

    @property
    def removed(self) -> Counter[str]:
        """How much of what went."""
        return Counter(
            orders=self.orders,
            updates=self.updates,
            receipts=self.receipts,
            notices=self.notices,
        )

    def plus(self, **more: float) -> Report:
        """The report with so much more."""
        return msgspec.structs.replace(
            self, **{name: getattr(self, name) + number for name, number in more.items()}
        )


Progress = Callable[[Report], None]


class Old(Protocol):
    """Counts or removes what is old and belongs to no order, up to a limit."""

    def __call__(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> Awaitable[int]: ...


def first_id(prefix: str, at: datetime) -> str:
    """What no id with this prefix that was made before this time comes after."""
    milliseconds = int(at.timestamp() * _EPOCH_MS)
    made = "".join(_ALPHABET[milliseconds >> shift & 31] for shift in range(45, -1, -5))
    return prefix + made + "0" * _RANDOM_CHARACTERS


class Upkeep:
    """Clears away what is over. `rest` waits so many seconds, `owner` names this process."""

    def __init__(
        self,
        store: Store,
        *,
        secrecy: Secrecy,
        retention: Retention,
        every: timedelta,
        owner: str,
        now: Now,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
        done: Progress = lambda _report: None,
    ) -> None:
        self._store = store
        self._secrecy = secrecy
        self.retention = retention
        self._every = every
        self._owner = owner
        self._now = now
        self._rest = rest
        self._done = done
        self._log = logger("upkeep")
        self._work: asyncio.Task[None] | None = None

    # by itself

    def start(self) -> None:
        """Does it from time to time, as long as nobody else has."""
        self._work = asyncio.create_task(self._for_ever())
        self._work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Task[None]) -> None:
        if not work.cancelled() and (error := work.exception()) is not None:
            self._log.error("upkeep_failed", exc_info=error)

    async def stop(self) -> None:
        """Leaves what it was about to the next one."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None

    async def _for_ever(self) -> None:
        await self._rest(FIRST_LOOK_S)
        while True:
            try:
                if await self._take(not_since=self._now() - self._every):
                    report = await self._run_taken(lambda _report: None)
                    self._log.info("upkeep_done", **msgspec.structs.asdict(report))
            except MilepostError as error:
                self._log.error("upkeep_failed", error=str(error))
            await self._rest(min(LOOK_EVERY_S, self._every.total_seconds()))

    async def _take(self, *, not_since: datetime | None) -> bool:
        now = self._now()
        lease = Lease(self._owner, now + LEASE)
        return await self._store.take_upkeep(lease=lease, now=now, not_since=not_since)

    # by hand

    async def run(self, *, progress: Progress = lambda _report: None) -> Report:
        """Does it now. Raises UpkeepBusy while another process does."""
        if not await self._take(not_since=None):
            raise UpkeepBusy
        return await self._run_taken(progress)

    async def would_do(self, *, progress: Progress = lambda _report: None) -> Report:
        """What an upkeep would do now, without doing anything."""
        return await self._round(progress, keep=None).whole()

    async def _run_taken(self, progress: Progress) -> Report:
        report = await self._round(progress, keep=self._keep).whole()
        if report.rows:
            await self._store.finish_erasing()
        told = msgspec.json.encode(report).decode()
        await self._store.end_upkeep(owner=self._owner, report=told, now=self._now())
        self._done(report)
        return report

    def _round(self, progress: Progress, *, keep: Callable[[], Awaitable[None]] | None) -> _Round:
        return _Round(
            self._store,
            secrecy=self._secrecy,
            retention=self.retention,
            now=self._now(),
            rest=self._rest,
            progress=progress,
            keep=keep,
        )

    async def _keep(self) -> None:
        """Raises UpkeepBusy when it was too slow and somebody else does it by now."""
        lease = Lease(self._owner, self._now() + LEASE)
        if not await self._store.renew_upkeep(lease=lease):
            raise UpkeepBusy


class _Round:
    """One time through everything; `keep` keeps the lease, and without it nothing is done."""

    def __init__(
        self,
        store: Store,
        *,
        secrecy: Secrecy,
        retention: Retention,
        now: datetime,
        rest: Callable[[float], Awaitable[None]],
        progress: Progress,
        keep: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._store = store
        self._secrecy = secrecy
        self._retention = retention
        self._now = now
        self._rest = rest
        self._progress = progress
        self._keep = keep
        self._dry = keep is None
        self._report = Report()
        self._began = self._part_began = time.perf_counter()

    async def whole(self) -> Report:
        await self._sweep()
        for account in await self._store.accounts():
            await self._expired(account.account_id)
            for prefix in (REAL_ORDER, FAKE_ORDER):
                await self._orders(account.account_id, prefix)
            if self._retention.ended is not None:
                until = self._now - self._retention.ended
                await self._updates(account.account_id, until)
                await self._receipts(account.account_id, until)
                for prefix in (ENDPOINT_TEST, OPERATIONS):
                    await self._notices(account.account_id, prefix, until)
        return self._report.plus(seconds=round(time.perf_counter() - self._began, 3))

    async def _tell(self, **more: int) -> None:
        """Notes a part, keeps the lease, and lets the others go first. Raises UpkeepBusy."""
        self._report = self._report.plus(**more)
        self._progress(self._report)
        if self._keep is not None:
            await self._keep()
        took_s = time.perf_counter() - self._part_began
        await self._rest(took_s * SHARE_OF_WORK)
        self._part_began = time.perf_counter()

    async def _sweep(self) -> None:
        more = not self._dry
        while more:
            swept = await self._store.sweep(name=None, limit=ROWS_AT_ONCE)
            more = swept.more
            if swept.rows:
                await self._tell(rows=swept.rows)

    async def _expired(self, account_id: str) -> None:
        act = self._secrecy.expired if self._dry else self._secrecy.drop_expired
        count = await act(account_id)
        if count:
            await self._tell(expired=count)

    async def _orders(self, account_id: str, prefix: str) -> None:
        if self._retention.shortest is None:
            return
        # Ids begin with the time at which they were made: younger orders are not looked at.
        before = first_id(prefix, self._now - self._retention.shortest + ONE_TICK)
        after, full = prefix, True
        while full:
            aged = await self._store.aged_orders(
                account_id, after=after, before=before, limit=ORDERS_READ_AT_ONCE
            )
            full = len(aged) == ORDERS_READ_AT_ONCE
            after = aged[-1].order_id if aged else after
            old = [
                order.order_id
                for order in aged
                if (kept_for := self._retention.kept_for(order.state)) is not None
                and order.updated_at + kept_for <= self._now
            ]
            for i in range(0, len(old), ORDERS_DROPPED_AT_ONCE):
                await self._drop(account_id, old[i : i + ORDERS_DROPPED_AT_ONCE])
            if aged:
                await self._tell(looked_at=len(aged))

    async def _drop(self, account_id: str, order_ids: list[str]) -> None:
        if self._dry:
            found = await self._store.standings(account_id, order_ids)
            await self._tell(orders=sum(map(self._is_due, found)))
            return
        dropped = await self._store.drop_orders(
            account_id, order_ids, is_due=self._is_due, now=self._now
        )
        if dropped:
            await self._tell(orders=len(dropped))
            await self._sweep()

    def _is_due(self, standing: Standing) -> bool:
        return self._retention.is_due(standing, now=self._now)

    async def _updates(self, account_id: str, until: datetime) -> None:
        act = self._store.old_quarantined if self._dry else self._store.drop_quarantined
        await self._of_no_order(act, account_id, UPDATE, until, what="updates")

    async def _receipts(self, account_id: str, until: datetime) -> None:
        act = self._store.old_receipts if self._dry else self._store.drop_receipts
        await self._of_no_order(act, account_id, RECEIPT, until, what="receipts")

    async def _of_no_order(
        self, act: Old, account_id: str, prefix: str, until: datetime, *, what: str
    ) -> None:
        before = first_id(prefix, until + ONE_TICK)
        # What is only counted is there the next time too: it is counted all at once.
        limit = 2**31 - 1 if self._dry else ROWS_AT_ONCE
        count = limit
        while count == limit:
            count = await act(account_id, before=before, until=until, limit=limit)
            if count:
                await self._tell(**{what: count}, rows=count)

    async def _notices(self, account_id: str, prefix: str, until: datetime) -> None:
        after: Notice | None = None
        while True:
            old, after = await self._store.old_notices(
                account_id, prefix=prefix, after=after, until=until, limit=ROWS_AT_ONCE
            )
            count = len(old)
            if old and not self._dry:
                count = await self._store.drop_notices(account_id, old)
            if count:
                await self._tell(notices=count, rows=count)
            if after is None:
                return
