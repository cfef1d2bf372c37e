"""Reconciliations: begun on demand or when it is time, and gone on with part by part.

A run is leased to one process, which keeps what it is about to mend before it mends it and notes
each part with all that came of it. So a process may end anywhere: when its lease is over another
one goes on with the part that was not noted, finds what is left of it, and mends nothing twice,
because an order that was mended differs no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from zlib import crc32

import msgspec

from milepost.contracts.read_access import Access, check_read_access
from milepost.errors import (
    InvalidInput,
    MilepostError,
    Overloaded,
    ReconciliationRuns,
    UnknownRecord,
)
from milepost.intake import UpdateInput, UpdateResult
from milepost.logs import logger
from milepost.ports import AccountNow, Lease, NewId, Now, OrderRef, Page, Store
from milepost.ports.receiving import Source
from milepost.ports.reconciling import (
    Choice,
    Found,
    OneOrder,
    Open,
    Provider,
    Reconciliation,
    RunState,
    Unanswered,
)
from milepost.reconciling.parts import Compared, Mend, compared, stores_of
from milepost.waiting import woken

RUN = "rec_"
LEASE = timedelta(minutes=5)
"""How long a part may take: longer than all its requests, each with its own time limit."""

LOOK_EVERY_S = 30.0
RUNS_AT_ONCE = 4
"""Runs that one process goes on with at once."""

MOST_KEPT = 10_000
"""Differences of a run that are kept; all are counted."""

RUNS_KEPT = 20
"""Runs of a source that are kept after their end."""

MOST_COUNTED = 1_000_000
MOST_FAILURES = 6
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=5)
INTAKE_PAUSE = timedelta(seconds=5)
LONGEST_RUN = timedelta(hours=24)
"""A run that a provider has kept waiting for so long is given up."""

LISTED_BEFORE = timedelta(days=7)
"""From when on a provider's own list is looked through the first time."""

OVERLAP = timedelta(hours=1)
"""How far a list reaches back before the last run, so that no order falls in between."""

STOPPED = "stopped by the operator"
REMOVED = "its source was removed, or can no longer be asked"
WAITED_TOO_LONG = "the provider kept it waiting for a day"

Sources = Callable[[str | None], Awaitable[Sequence[Source]]]
"""The sources of an account, or of all."""

Updates = Callable[[str, Sequence[UpdateInput]], Awaitable[Sequence[UpdateResult]]]
"""Intake's way to decide on updates of an account; may raise MilepostError."""

Progress = Callable[[Reconciliation], None]


class Reconciling:
    """Compares sources' orders with their providers'. `rest` waits so many seconds."""

    def __init__(
        self,
        store: Store,
        *,
        sources: Sources,
        provider_of: Callable[[Access], Provider],
        updates: Updates,
        now: Now,
        account_now: AccountNow,
        new_id: NewId,
        owner: str,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._sources = sources
        self._provider_of = provider_of
        self._updates = updates
        self._now = now
        self._account_now = account_now
        self._new_id = new_id
        self._owner = owner
        self._rest = rest
        self._log = logger("reconciling")
        self._wanted = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._going_on: dict[str, asyncio.Task[None]] = {}

    # what an operator asks for

    async def begin(
        self,
        account_id: str,
        source: str,
        *,
        choice: Choice | None = None,
        dry_run: bool = False,
    ) -> Reconciliation:
        """Begins to compare; without a choice the open orders that the source has been quiet of.

        The same that runs already goes on and is returned. Raises UnknownRecord, InvalidInput for
        a source that cannot be asked or an order of another store, and ReconciliationRuns.
        """
        found = await self._source(account_id, source)
        access = self._access(found)
        if access is None:
            expected = "a source with read_access, which says how its provider is asked"
            raise InvalidInput(field="source", expected=expected)
        if isinstance(choice, OneOrder):
            order = await self._store.order(OrderRef(account_id, order_id=choice.order_id))
            if order.store not in stores_of(found):
                raise InvalidInput(field="order", expected="an order of the source's stores")
        run = await self._new(found, access, choice=choice, dry_run=dry_run)
        begun = await self._store.add_reconciliation(run, keep=RUNS_KEPT)
        if begun is not None and begun.run_id != run.run_id:
            alike = type(begun.choice) is type(run.choice) and begun.dry_run == dry_run
            if not alike or (choice is not None and begun.choice != choice):
                raise ReconciliationRuns(f"It is {begun.run_id}")
        self._wanted.set()
        return begun or run

    async def find(self, account_id: str, run_id: str) -> Reconciliation:
        """Raises UnknownRecord."""
        return await self._store.find_reconciliation(account_id, run_id)

    async def list(
        self, account_id: str, *, source: str | None = None, page: Page
    ) -> tuple[Sequence[Reconciliation], str | None]:
        """A page of runs, newest first."""
        return await self._store.reconciliations(account_id, source=source, page=page)

    async def differences(
        self, account_id: str, run_id: str, *, page: Page
    ) -> tuple[Sequence[Found], str | None]:
        """A page of what a run has found, by order."""
        return await self._store.differences(account_id, run_id, page=page)

    async def stop_run(self, account_id: str, run_id: str) -> Reconciliation:
        """Ends one that runs; what it has mended stays so. Raises UnknownRecord."""
        return await self._end(account_id, run_id, RunState.STOPPED, STOPPED)

    async def run(
        self, begun: Reconciliation, *, progress: Progress = lambda _run: None
    ) -> Reconciliation:
        """Goes on with a run until it has ended, whoever does its parts; the run then."""
        run = begun
        while run.state is RunState.RUNNING:
            progress(run)
            taken = await self._take(run)
            if taken is not None and taken.due_at <= self._now():
                await self._go_on_or_give_back(taken, progress)
            run = await self.find(run.account_id, run.run_id)
            if run.state is RunState.RUNNING:
                wait_s = (run.due_at - self._now()).total_seconds()
                await self._rest(min(max(wait_s, 0.2), 5.0))
        progress(run)
        return run

    # going on

    async def go_on(self, run: Reconciliation, *, progress: Progress = lambda _run: None) -> None:
        """Does part after part of a run that this process has leased, until it ends or rests.

        Raises StoreError.
        """
        again = await self._store.pending_orders(run.account_id, run.run_id)
        while run.state is RunState.RUNNING:
            after = await self._part(run, again=again)
            if after is None:
                return
            run, again = after, ()
            progress(run)
        if run.state is RunState.DONE:
            self._log.info(
                "reconciliation_done",
                run=run.run_id,
                source=run.source,
                asked=run.asked,
                differences=run.differences,
                applied=run.applied,
            )

    async def _part(self, run: Reconciliation, *, again: Sequence[str]) -> Reconciliation | None:
        """The run after its next part; None when there is nothing to do for now."""
        found = await self._askable(run)
        if found is None:
            return await self._end(run.account_id, run.run_id, RunState.FAILED, REMOVED)
        source, access = found
        now = await self._account_now(run.account_id)
        provider = self._provider_of(access)
        told = await compared(self._store, run, source, provider, now=now, again=again)
        if isinstance(told, Unanswered):
            await self._put_off(run, told)
            return None
        try:
            decided = await self._mended(run, told.mends)
        except Overloaded as error:
            await self._give_back(run, wait=INTAKE_PAUSE, failures=run.failures, why=str(error))
            return None
        if decided is None:
            return None
        return await self._note(run, told, decided)

    async def _askable(self, run: Reconciliation) -> tuple[Source, Access] | None:
        try:
            source = await self._source(run.account_id, run.source)
            access = self._access(source)
        except (UnknownRecord, InvalidInput):
            return None
        return None if access is None else (source, access)

    async def _mended(self, run: Reconciliation, mends: Sequence[Mend]) -> Sequence[Found] | None:
        """The differences with what was decided of each; None when the run is somebody else's."""
        if run.dry_run:
            return [one.found for one in mends]
        wanted = [(one.found, one.update) for one in mends if one.update is not None]
        if not wanted:
            return [one.found for one in mends]
        room = max(MOST_KEPT - run.differences, 0)
        pending = [msgspec.structs.replace(found, pending=True) for found, _ in wanted]
        if not await self._store.note_differences(run, pending[:room], lease=self._lease()):
            return None
        inputs = [
            UpdateInput(OrderRef(run.account_id, order_id=found.order_id), update)
            for found, update in wanted
        ]
        results = iter(await self._updates(run.account_id, inputs))
        return [
            one.found if one.update is None else _decided(one.found, next(results)) for one in mends
        ]

    async def _note(
        self, run: Reconciliation, told: Compared, found: Sequence[Found]
    ) -> Reconciliation | None:
        part = msgspec.structs.replace(told.part, found=found)
        return await self._store.advance_reconciliation(
            run, part, most=MOST_KEPT, lease=self._lease(), now=self._now()
        )

    async def _put_off(self, run: Reconciliation, told: Unanswered) -> None:
        self._log.warning("provider_failed", run=run.run_id, source=run.source, why=told.why)
        failures = run.failures + (told.wait is None)
        if told.is_final or failures >= MOST_FAILURES:
            await self._end(run.account_id, run.run_id, RunState.FAILED, told.why)
        elif self._now() - run.asked_at > LONGEST_RUN:
            await self._end(run.account_id, run.run_id, RunState.FAILED, WAITED_TOO_LONG)
        else:
            pause = told.wait
            if pause is None:
                pause = min(FIRST_PAUSE * 2**run.failures, LONGEST_PAUSE)
            await self._give_back(run, wait=pause, failures=failures, why=told.why)

    async def _give_back(
        self, run: Reconciliation, *, wait: timedelta, failures: int, why: str
    ) -> None:
        await self._store.put_off_reconciliation(
            run, owner=self._owner, until=self._now() + wait, failures=failures, why=why
        )

    async def _end(self, account_id: str, run_id: str, state: RunState, why: str) -> Reconciliation:
        run = await self._store.end_reconciliation(
            account_id, run_id, state=state, why=why, now=self._now()
        )
        self._log.info("reconciliation_ended", run=run_id, state=run.state.value, why=run.why)
        return run

    async def _take(self, run: Reconciliation) -> Reconciliation | None:
        return await self._store.take_reconciliation(
            run.account_id, run.run_id, lease=self._lease(), now=self._now()
        )

    def _lease(self) -> Lease:
        return Lease(self._owner, self._now() + LEASE)

    # by itself

    def start(self) -> None:
        """Goes on with whatever runs, whoever has begun it, and begins what is due."""
        self._work = asyncio.create_task(self._for_ever())
        self._work.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Leaves what it was about to whoever comes next, at once."""
        tasks = [task for task in (self._work, *self._going_on.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._work = None
        self._going_on.clear()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("reconciling_failed", exc_info=error)

    async def _for_ever(self) -> None:
        while True:
            self._wanted.clear()
            try:
                await self.begin_due()
                await self._take_up()
            except MilepostError as error:
                self._log.error("reconciling_failed", error=str(error))
            await woken(self._wanted, within_s=LOOK_EVERY_S)

    async def _take_up(self) -> None:
        room = RUNS_AT_ONCE - len(self._going_on)
        if room <= 0:
            return
        due = await self._store.due_reconciliations(now=self._now(), limit=RUNS_AT_ONCE)
        for run in due[:room]:
            taken = await self._take(run)
            if taken is not None and taken.run_id not in self._going_on:
                task = asyncio.create_task(self._tend(taken))
                self._going_on[taken.run_id] = task
                task.add_done_callback(self._ended)

    async def _go_on_or_give_back(self, run: Reconciliation, progress: Progress) -> None:
        try:
            await self.go_on(run, progress=progress)
        except asyncio.CancelledError:
            # Whoever comes next need not wait until the lease is over.
            with suppress(MilepostError):
                await self._give_back(run, wait=timedelta(0), failures=run.failures, why="")
            raise

    async def _tend(self, run: Reconciliation) -> None:
        """Goes on with a run, and has the others looked at when there is room again."""
        try:
            await self._go_on_or_give_back(run, lambda _run: None)
        except MilepostError as error:
            self._log.error("reconciliation_held_up", run=run.run_id, error=str(error))
        finally:
            self._going_on.pop(run.run_id, None)
            self._wanted.set()

    async def begin_due(self) -> int:
        """Begins what it is time for, once over all processes; returns how many runs."""
        begun = 0
        for source in await self._sources(None):
            try:
                access = self._access(source)
            except InvalidInput as error:
                self._log.error("read_access_unusable", source=source.source, error=str(error))
                continue
            if access is not None and access.every_h:
                begun += await self._begin_if_due(source, access)
        return begun

    async def _begin_if_due(self, source: Source, access: Access) -> bool:
        last = await self._store.last_reconciliation(source.account_id, source.source)
        every = timedelta(hours=access.every_h)
        if self._now() < _due_at(source, last, every=every):
            return False
        run = await self._new(source, access, choice=None, dry_run=False)
        not_since = source.created_at if last is None else last.asked_at
        added = await self._store.add_reconciliation(run, not_since=not_since, keep=RUNS_KEPT)
        return added is not None and added.run_id == run.run_id

    # what a run is made of

    async def _source(self, account_id: str, name: str) -> Source:
        for source in await self._sources(account_id):
            if source.source == name:
                return source
        raise UnknownRecord(name)

    @staticmethod
    def _access(source: Source) -> Access | None:
        return check_read_access(source.kind, source.read_access)

    async def _new(
        self, source: Source, access: Access, *, choice: Choice | None, dry_run: bool
    ) -> Reconciliation:
        now = self._now()
        last = await self._store.last_reconciliation(source.account_id, source.source)
        since = None
        if last is not None:
            through = last.state is RunState.DONE
            since = last.asked_at - OVERLAP if through else last.listed_since
        total = await self._store.number_of_orders(
            source.account_id, stores_of(source), most=MOST_COUNTED
        )
        one = isinstance(choice, OneOrder)
        quiet_since = await self._account_now(source.account_id) - timedelta(hours=access.quiet_h)
        return Reconciliation(
            account_id=source.account_id,
            run_id=RUN + self._new_id(),
            source=source.source,
            choice=choice or Open(quiet_since),
            dry_run=dry_run,
            asked_at=now,
            due_at=now,
            total=1 if one else total,
            listed_since=None if one else since or now - LISTED_BEFORE,
        )


def _due_at(source: Source, last: Reconciliation | None, *, every: timedelta) -> datetime:
    """When a source is due: a tenth earlier or later than its time, the same for all processes."""
    name = f"{source.account_id}/{source.source}/{'' if last is None else last.run_id}"
    chance = crc32(name.encode()) / 2**32
    if last is None:
        return source.created_at + every * chance / 10
    return last.asked_at + every * (0.9 + 0.2 * chance)


def _decided(found: Found, result: UpdateResult) -> Found:
    return msgspec.structs.replace(found, verdict=result.verdict, why=result.why)
