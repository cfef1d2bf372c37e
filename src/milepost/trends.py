"""How things go over time: counted in memory as they happen, put on record every few seconds.

These are numbers for charts and not the truth, which are orders, deliveries and attempts: a process
that dies takes those of its last seconds with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from milepost.delivery.model import OPERATIONS, Outcome
from milepost.delivery.outcome import Abandon
from milepost.errors import StoreError
from milepost.logs import logger
from milepost.orders.lifecycle import State
from milepost.ports import Now, Settlement, TrendStore
from milepost.ports.trends import STEP, WITHIN, Pending, Trend, Waiting

FLUSHED_EVERY_S = 5.0
KEPT = timedelta(days=14)
FORGOTTEN_EVERY = timedelta(hours=1)

FRESH = timedelta(seconds=15)
"""How old the numbers of orders by state may be before they are counted anew."""

SHARE_OF_TIME = 50
"""Counting orders may take this part of the time: what takes a second is done every 50 s."""

MOST_PENDING = 10_000
"""Where counting what is pending ends: a number this large says enough."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOUNDS_S = tuple(bound.total_seconds() for bound in WITHIN)
Key = tuple[str, str, datetime]


class StateCounts(msgspec.Struct, frozen=True, gc=False):
    """How many orders were in each state at that time; None while they are counted first."""

    counts: Mapping[State, int]
    counted_at: datetime | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(slots=True)
class _Counting:
    """What is counted of one step until it is put on record."""

    accepted: int = 0
    attempts: int = 0
    failed: int = 0
    acknowledged: int = 0
    abandoned: int = 0
    within: list[int] = field(default_factory=lambda: [0] * (len(WITHIN) + 1))

    def trend(self, key: Key) -> Trend:
        account_id, endpoint_id, began_at = key
        return Trend(
            account_id,
            endpoint_id,
            began_at,
            self.accepted,
            self.attempts,
            self.failed,
            self.acknowledged,
            self.abandoned,
            tuple(self.within),
        )


@dataclass(slots=True)
class _States:
    """The numbers of one account, and the counting that is on its way."""

    found: StateCounts
    took: timedelta = timedelta()
    counting: asyncio.Task[None] | None = None


def step_of(at: datetime) -> datetime:
    """The beginning of the step that a moment is in."""
    return at - (at - _EPOCH) % STEP


class Trends:
    """Counts, keeps and shows how things go; cheap enough to be told of everything."""

    def __init__(self, store: TrendStore, *, now: Now) -> None:
        self._store = store
        self._now = now
        self._counting: dict[Key, _Counting] = {}
        self._states: dict[str, _States] = {}
        self._accounts: set[str] = set()
        self._forgotten_at: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self._log = logger("trends")

    # counting

    def accepted(self, account_id: str, number: int) -> None:
        """Counts orders and updates that were just taken in."""
        self._of(account_id, "", step_of(self._now())).accepted += number

    def note(self, settlements: Sequence[Settlement]) -> None:
        """Counts a batch of attempts that were just settled."""
        now = self._now()
        step = step_of(now)
        for settlement in settlements:
            claimed = settlement.claimed
            if claimed.order_id.startswith(OPERATIONS):
                continue
            endpoint = claimed.endpoint
            counting = self._of(endpoint.account_id, endpoint.endpoint_id, step)
            counting.attempts += 1
            if settlement.attempt.outcome is not Outcome.ACKNOWLEDGED:
                counting.failed += 1
                counting.abandoned += isinstance(settlement.step, Abandon)
                continue
            counting.acknowledged += 1
            if claimed.received_at is not None:
                took_s = (now - claimed.received_at).total_seconds()
                counting.within[sum(took_s > bound for bound in _BOUNDS_S)] += 1

    def _of(self, account_id: str, endpoint_id: str, step: datetime) -> _Counting:
        key = (account_id, endpoint_id, step)
        found = self._counting.get(key)
        if found is None:
            found = self._counting[key] = _Counting()
        return found

    # keeping

    def start(self) -> None:
        """Begins to put on record what is counted."""
        self._task = asyncio.create_task(self._flush_for_ever())

    async def stop(self) -> None:
        """Puts on record what there is."""
        for states in self._states.values():
            if states.counting is not None:
                states.counting.cancel()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(StoreError):
            await self.flush()

    async def flush(self) -> None:
        """Puts on record what was counted since the last time. Raises StoreError and keeps it."""
        counted, self._counting = self._counting, {}
        if not counted:
            return
        try:
            await self._store.add_trends([one.trend(key) for key, one in counted.items()])
        except BaseException:
            self._keep(counted)
            raise
        self._accounts |= {key[0] for key in counted}

    def _keep(self, counted: Mapping[Key, _Counting]) -> None:
        for key, earlier in counted.items():
            now = self._of(*key)
            now.accepted += earlier.accepted
            now.attempts += earlier.attempts
            now.failed += earlier.failed
            now.acknowledged += earlier.acknowledged
            now.abandoned += earlier.abandoned
            now.within = [a + b for a, b in zip(now.within, earlier.within, strict=True)]

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSHED_EVERY_S)
            try:
                await self.flush()
                await self._forget()
            except StoreError as error:
                self._log.warning("trends_not_kept", error=str(error))

    async def _forget(self) -> None:
        now = self._now()
        if self._forgotten_at is not None and now - self._forgotten_at < FORGOTTEN_EVERY:
            return
        self._forgotten_at = now
        for account_id in self._accounts:
            await self._store.forget_trends(account_id, before=now - KEPT)

    # showing

    async def steps(
        self, account_id: str, *, since: datetime, endpoint_id: str | None = None
    ) -> Sequence[Trend]:
        """The steps since then, oldest first: the account's, or one endpoint's."""
        return await self._store.trends(account_id, since=step_of(since), endpoint_id=endpoint_id)

    async def by_endpoint(self, account_id: str, *, since: datetime) -> Mapping[str, Trend]:
        """What was counted since then of each endpoint, by its id."""
        return await self._store.endpoint_trends(account_id, since=step_of(since))

    async def pending(self, account_id: str) -> Pending:
        """What waits to be acknowledged, counted up to MOST_PENDING."""
        return await self._store.pending(account_id, most=MOST_PENDING)

    async def waiting(self, account_id: str) -> Mapping[str, Waiting]:
        """What waits at each endpoint of the account, counted up to MOST_PENDING each."""
        return await self._store.waiting(account_id, most=MOST_PENDING)

    def states(self, account_id: str) -> StateCounts:
        """How many orders are in each state, as last counted; counted anew when it is time.

        It never waits: the first answer holds nothing, and what comes next is there a moment later.
        """
        known = self._states.get(account_id)
        if known is None:
            known = self._states[account_id] = _States(StateCounts({}))
        at = known.found.counted_at
        is_old = at is None or self._now() - at >= max(FRESH, known.took * SHARE_OF_TIME)
        if known.counting is None and is_old:
            known.counting = asyncio.create_task(self._count(account_id, known))
        return known.found

    async def counted(self, account_id: str) -> StateCounts:
        """The same, once it was counted at all."""
        found = self.states(account_id)
        counting = self._states[account_id].counting
        if found.counted_at is None and counting is not None:
            await asyncio.wait((counting,))
        return self._states[account_id].found

    async def _count(self, account_id: str, known: _States) -> None:
        began_at = self._now()
        try:
            counts = await self._store.state_counts(account_id)
            known.found = StateCounts(counts, self._now())
        except StoreError as error:
            self._log.warning("orders_not_counted", error=str(error))
        finally:
            known.took = self._now() - began_at
            known.counting = None
