"""The one thread that writes: whatever waits for it shares a transaction and its commit."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from milepost.errors import Overloaded, StoreError
from milepost.logs import logger
from milepost.metrics import Metrics
from milepost.store.sqlite.session import BUSY_TIMEOUT_S, Session

T = TypeVar("T")

LARGEST_TRANSACTION = 2_000
"""Rows by which a transaction is full; more would let those that came first wait too long."""

TURN_WITHIN_S: float = BUSY_TIMEOUT_S
"""How long it waits for other processes that write before it fails."""

BETWEEN_LOOKS_S = 0.0003
"""How often it looks whether another process has ended its transaction, which takes some ms. SQLite
itself would look ever more rarely, and one of two busy processes would be left out."""


_PRIMARY_CODE = 0xFF
"""What of an extended error code of SQLite's is the error itself."""


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    work: Callable[[Session], T]
    weight: int
    done: asyncio.Future[T]
    result: T | None = None
    error: BaseException | None = None

    def resolve(self) -> None:
        if self.done.done():
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.result)  # type: ignore[arg-type]


class Writer:
    """Runs jobs in the order they came, each all or nothing, and answers after their commit.

    `connect` is called on the thread, and `begun` and `undone` on it too: after each BEGIN, and
    after anything was rolled back.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        begun: Callable[[Session], None],
        undone: Callable[[], None],
        most_waiting: int,
        metrics: Metrics,
        slow_s: float,
    ) -> None:
        self._connect = connect
        self._begun = begun
        self._undone = undone
        self._most_waiting = most_waiting
        self._waiting = 0
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._accepts = False
        self._metrics = metrics
        self._slow_s = slow_s
        self._log = logger("store")
        metrics.watch(
            "milepost_store_rows_waiting",
            "About how many rows wait for the writing thread.",
            lambda: self._waiting,
        )
        self.commits = 0

    async def open(self) -> None:
        """Connects, on the thread, if it has not. Raises what connecting raises."""
        if self._accepts:
            return
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="milepost-write", daemon=True
        )
        self._thread.start()
        await opened
        self._accepts = True

    async def run(
        self, work: Callable[[Session], T], *, weight: int = 1, may_wait: bool = True
    ) -> T:
        """What `work` returns, once it is on disk.

        `weight` is about how many rows it writes; work that may not wait in a long queue is
        refused with Overloaded. Raises what `work` raises, and StoreError when the database does.
        """
        if not self._accepts or self._loop is None:
            raise StoreError("It is closed")
        if not may_wait and self._waiting and self._waiting + weight > self._most_waiting:
            raise Overloaded("Too much is waiting to be stored; try again in a moment")
        job = _Job(work, weight, self._loop.create_future())
        self._waiting += weight
        self._jobs.put(job)
        # A caller that is cancelled goes away without an answer; the job is done all the same.
        result: T = await job.done
        return result

    async def close(self) -> None:
        """Lets what was accepted finish and disconnects."""
        self._accepts = False
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    # on the thread

    def _run(self, opened: asyncio.Future[None]) -> None:
        try:
            session = Session(self._connect())
        except BaseException as error:  # noqa: BLE001 - whoever opens must hear of it
            self._call(opened.set_exception, error)
            return
        self._call(opened.set_result, None)
        try:
            session.connection.execute("PRAGMA busy_timeout = 0")
            self._serve(session)
        finally:
            session.connection.close()

    def _serve(self, session: Session) -> None:
        first: _Job[Any] | None
        while (first := self._jobs.get()) is not None:
            batch = [first]
            weight, last = first.weight, False
            while weight < LARGEST_TRANSACTION and not last:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    last = True
                else:
                    batch.append(job)
                    weight += job.weight
            self._commit(session, batch)
            self._call(self._resolve, batch)
            if last:
                break

    def _commit(self, session: Session, batch: list[_Job[Any]]) -> None:
        connection = session.connection
        before, began = connection.total_changes, time.perf_counter()
        try:
            _take_turn(connection)
            self._begun(session)
            for job in batch:
                self._attempt(session, job, alone=len(batch) == 1)
            written = time.perf_counter()
            connection.execute("COMMIT")
            self.commits += 1
        except BaseException as error:  # noqa: BLE001 - the callers must hear of it, not the thread
            self._roll_back(connection)
            self._undone()
            for job in batch:
                job.error = job.error or _told(error)
        else:
            self._measure(began, written, rows=connection.total_changes - before, jobs=len(batch))

    def _measure(self, began: float, written: float, *, rows: int, jobs: int) -> None:
        ended = time.perf_counter()
        metrics = self._metrics
        metrics.transaction_s.see((ended - began,))
        metrics.commit_s.see((ended - written,))
        metrics.transaction_rows.see((rows,))
        if ended - began > self._slow_s:
            # Not from here: a log that cannot be written must not end the thread.
            self._call(
                partial(
                    self._log.warning,
                    "slow_transaction",
                    ms=round((ended - began) * 1_000),
                    commit_ms=round((ended - written) * 1_000),
                    rows=rows,
                    jobs=jobs,
                )
            )

    def _attempt(self, session: Session, job: _Job[Any], *, alone: bool) -> None:
        """Runs one job so that its failure undoes nothing but its own work."""
        connection = session.connection
        if alone:
            job.result = job.work(session)
            return
        connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(session)
        except BaseException as error:
            if not connection.in_transaction:
                # The database has undone the whole transaction, and with it the jobs before.
                raise
            job.error = _told(error)
            connection.execute("ROLLBACK TO job")
            self._undone()
        connection.execute("RELEASE job")

    @staticmethod
    def _roll_back(connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            # The next BEGIN tells whether the connection is still of use.
            return

    def _resolve(self, batch: list[_Job[Any]]) -> None:
        for job in batch:
            self._waiting -= job.weight
            job.resolve()

    def _call(self, callback: Callable[..., object], *args: object) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            # The loop has ended, and with it whoever waited.
            return


def _take_turn(connection: sqlite3.Connection) -> None:
    """Begins a transaction as soon as no other process is in one."""
    until = time.monotonic() + TURN_WITHIN_S
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise
            time.sleep(BETWEEN_LOOKS_S)
        else:
            return


def _told(error: BaseException) -> BaseException:
    if isinstance(error, sqlite3.Error):
        told = StoreError(str(error))
        told.__cause__ = error
        return told
    return error
