"""The first flow: what comes in is decided, stored and queued in one transaction.

Accepted means committed: a result is handed back only after the commit. What waits while one
transaction is on its way goes into the next one together, so concurrent callers share a commit;
there is one intake transaction at a time, because whatever is parallel would have to be parallel
by lane.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, cast

from milepost.contracts.contract import Contract
from milepost.delivery.model import Claimed
from milepost.errors import Overloaded, Stopping
from milepost.intake.decision import Decision
from milepost.intake.draft import Outlet, Submission
from milepost.intake.inputs import (
    Input,
    MessageInput,
    MessageResult,
    OrderInput,
    OrderResult,
    Result,
    UpdateInput,
    UpdateResult,
)
from milepost.metrics import Metrics
from milepost.orders.events import Verdict
from milepost.ports import Lease, NewId, Now, Store
from milepost.ports.tracing import Tracing

MOST_IN_A_TRANSACTION = 400
"""Items that share one commit; more would make the first of them wait too long."""

_OF_UPDATES = frozenset(verdict.value for verdict in Verdict)


class Hear(Protocol):
    """Who wants to know of a carrier's word that leaves an order where it is."""

    def __call__(self, account_id: str, order_id: str, *, at: datetime) -> None:
        """It was said of this order at this time."""


def _heard_by_nobody(account_id: str, order_id: str, *, at: datetime) -> None:
    """What a process does with it that raises no silences."""


def _counted_by_nobody(account_id: str, number: int) -> None:
    """Where no numbers over time are kept."""


class Intake:
    """Takes orders and updates in; when a call returns, what it accepted is on disk."""

    def __init__(
        self,
        store: Store,
        *,
        rooms: Mapping[str, Contract],
        outlet: Outlet,
        now: Now,
        new_id: NewId,
        max_waiting: int,
        admit: Callable[[], Awaitable[None]],
        metrics: Metrics,
        accepted: Callable[[str, int], None] = _counted_by_nobody,
        tracing: Tracing | None = None,
    ) -> None:
        """`accepted` is told of each account's number of inputs after their commit."""
        self._store = store
        self._rooms = rooms
        self._outlet = outlet
        self._now = now
        self._new_id = new_id
        self._max_waiting = max_waiting
        self._admit = admit
        self._metrics = metrics
        self._tracing = tracing
        metrics.watch(
            "milepost_intake_items_waiting",
            "Orders and updates that wait for their transaction.",
            lambda: self._count,
        )
        self._waiting: list[Submission] = []
        self._count = 0
        self._writer: asyncio.Task[None] | None = None
        self._stopping = False
        self._accepted = accepted
        self._hear: Hear = _heard_by_nobody

    async def orders(
        self, account_id: str, inputs: Sequence[OrderInput], *, whole: bool = False
    ) -> Sequence[OrderResult]:
        """Creates or updates orders by their natural key; the results are in the same order.

        All of a `whole` request are refused when one of them is. Raises Overloaded or Stopping,
        with nothing accepted; StoreError, likewise.
        """
        return cast(Sequence[OrderResult], await self._submit(account_id, inputs, whole=whole))

    async def updates(
        self, account_id: str, inputs: Sequence[UpdateInput]
    ) -> Sequence[UpdateResult]:
        """Decides on updates; the results are in the same order.

        Raises Overloaded or Stopping, with nothing accepted; StoreError, likewise.
        """
        return cast(Sequence[UpdateResult], await self._submit(account_id, inputs))

    async def messages(
        self, account_id: str, inputs: Sequence[MessageInput]
    ) -> Sequence[MessageResult]:
        """Decides on messages of sources, each once; the results are in the same order.

        Raises Overloaded or Stopping, with nothing accepted; StoreError, likewise.
        """
        return cast(Sequence[MessageResult], await self._submit(account_id, inputs))

    def heard_by(self, hear: Hear) -> None:
        """Has this called after the commit of each carrier's word that changed no state."""
        self._hear = hear

    async def stop(self) -> None:
        """Refuses what is new and waits until what was taken in is committed."""
        self._stopping = True
        while self._writer is not None:
            await asyncio.shield(self._writer)

    async def _submit(
        self, account_id: str, inputs: Sequence[Input], *, whole: bool = False
    ) -> Sequence[Result]:
        if not inputs:
            return ()
        await self._admit()
        if self._stopping:
            raise Stopping
        if self._count and self._count + len(inputs) > self._max_waiting:
            raise Overloaded("Too much is waiting to be stored; try again in a moment")
        submission = Submission(
            account_id,
            inputs,
            asyncio.get_running_loop().create_future(),
            whole=whole,
            origin=None if self._tracing is None else self._tracing.here(),
        )
        self._waiting.append(submission)
        self._count += len(inputs)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        # A caller that goes away does not take back what it has handed in: others share its commit.
        return await submission.done

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = self._next_batch()
                self._count -= sum(len(s.inputs) for s in batch)
                await self._commit(batch)
        finally:
            self._writer = None

    def _next_batch(self) -> list[Submission]:
        size = 0
        for i, submission in enumerate(self._waiting):
            size += len(submission.inputs)
            if i and size > MOST_IN_A_TRANSACTION:
                batch, self._waiting = self._waiting[:i], self._waiting[i:]
                return batch
        batch, self._waiting = self._waiting, []
        return batch

    async def _commit(self, batch: list[Submission]) -> None:
        now, lease = self._now(), self._outlet.lease()
        decision = Decision(
            batch, rooms=self._rooms, outlet=self._outlet, now=now, new_id=self._new_id
        )
        try:
            if self._tracing is None:
                claimed = await self._change(decision, lease=lease, now=now)
            else:
                claimed = await self._trace(batch, decision, self._tracing, lease=lease, now=now)
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller must get it
            decision.give_back(())
            _fail(batch, error)
        else:
            decision.give_back(claimed)
            for submission, results in zip(batch, decision.results, strict=True):
                if not submission.done.done():
                    submission.done.set_result(results)
            accepted: Counter[str] = Counter()
            for submission in batch:
                accepted[submission.account_id] += len(submission.inputs)
            for account_id, number in accepted.items():
                self._accepted(account_id, number)
            self._outlet.take(claimed, lease=lease)
            if decision.queued.total() > len(claimed):
                self._outlet.look()
            self._count_up(decision)
            for heard in decision.heard:
                self._hear(heard.account_id, heard.order_id, at=heard.at)

    async def _change(
        self, decision: Decision, *, lease: Lease, now: datetime
    ) -> Sequence[Claimed]:
        return await self._store.change_orders(
            decision.refs,
            decide=decision.decide,
            lease=lease,
            now=now,
            mentioned=decision.mentioned,
        )

    async def _trace(
        self,
        batch: list[Submission],
        decision: Decision,
        tracing: Tracing,
        *,
        lease: Lease,
        now: datetime,
    ) -> Sequence[Claimed]:
        origins = [submission.origin for submission in batch]
        with tracing.transaction(origins, items=len(decision.refs)) as transaction:
            claimed = await self._change(decision, lease=lease, now=now)
            transaction.queued(decision.told)
        return claimed

    def _count_up(self, decision: Decision) -> None:
        results = [result for one in decision.results for result in one]
        told = [r for r in results if not isinstance(r, MessageResult)]
        real = [result for result in told if result.order is None or not result.order.fake]
        orders: Counter[str] = Counter(r.outcome for r in real if isinstance(r, OrderResult))
        verdicts: list[str] = [r.verdict for r in real if isinstance(r, UpdateResult)]
        messages = [result for result in results if isinstance(result, MessageResult)]
        words = [word.verdict for message in messages for word in message.words]
        verdicts += [verdict for verdict in words if verdict in _OF_UPDATES]
        self._metrics.orders.add_each(orders)
        self._metrics.updates.add_each(Counter(verdicts))
        self._metrics.queued.add_each(decision.queued)


def _fail(batch: Sequence[Submission], error: Exception) -> None:
    for submission in batch:
        if not submission.done.done():
            submission.done.set_exception(error)
