"""Working what an inbox has kept: one order at a time, each notification in your transaction."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, Thread
from typing import Any, Generic, Self, TypeVar

from milepost_receiver import inbox_sql as sql
from milepost_receiver.database import Database, Session
from milepost_receiver.errors import InboxUnavailable
from milepost_receiver.gaps import Arrival, compare
from milepost_receiver.notification import Notification
from milepost_receiver.receiver import Receiver

N = TypeVar("N", bound=Notification)

FIRST_WAIT = 2_000_000
MOST_DOUBLINGS = 40

_log = logging.getLogger("milepost_receiver")


class Outcome(StrEnum):
    """What became of a notification that was kept."""

    DONE = "done"
    STALE = "stale"
    GIVEN_UP = "given_up"
    FAILED = "failed"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True)
class Entry(Generic[N]):
    """A notification to be worked.

    `connection` is in the transaction that also marks it done. `arrival` is how it stands to the
    last one of its order that is done. `failures` counts how often it has failed before.
    """

    notification: N
    arrival: Arrival
    connection: Any = field(repr=False)
    failures: int = 0

    @property
    def stale(self) -> bool:
        """Whether a newer one of the order is done: then it must not be applied."""
        again = self.arrival is Arrival.DUPLICATE and self.notification.replay is None
        return again or self.arrival is Arrival.OUT_OF_ORDER


@dataclass(frozen=True, slots=True)
class Worked:
    """How many were worked: `failed` is of attempts, the others are of notifications."""

    done: int = 0
    stale: int = 0
    failed: int = 0
    given_up: int = 0


class Worker:
    """A thread at work."""

    def __init__(
        self, run: Callable[[Event], object], *, name: str, wake: Callable[[], object]
    ) -> None:
        self._stop = Event()
        self._wake = wake
        self._thread = Thread(target=run, args=(self._stop,), name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self, *, timeout: float | None = None) -> None:
        """Ends it after what it has begun; waits for that."""
        self._stop.set()
        self._wake()
        self._thread.join(timeout)


class _OvertakenError(Exception):
    """Somebody else has done it meanwhile: our transaction must not be kept."""


@dataclass(frozen=True, slots=True)
class _Claimed:
    order: dict[str, object]
    delivery_id: str
    sequence: int
    headers: str
    body: bytes
    failures: int
    last: int


class Workshop(Generic[N]):
    """Takes entries out of an inbox and hands them over; times are microseconds."""

    def __init__(
        self,
        receiver: Receiver[N],
        *,
        name: str,
        lease: int,
        longest_wait: int,
        most_failures: int | None,
        now: Callable[[], int],
    ) -> None:
        self._receiver = receiver
        self._name = name
        self._lease = lease
        self._longest_wait = longest_wait
        self._most_failures = most_failures
        self._now = now

    def work(
        self,
        session: Session,
        function: Callable[[Entry[N]], object],
        *,
        stale: Callable[[Entry[N]], object] | None,
        stop: Event | None,
    ) -> Worked:
        """All that is due, until nothing is."""
        counted: Counter[Outcome] = Counter()
        while orders := self._due(session):
            for order in orders:
                for outcome in self._work_order(session, order, function, stale=stale):
                    counted[outcome] += 1
                    if stop is not None and stop.is_set():
                        return _worked(counted)
        return _worked(counted)

    def round(
        self,
        work: Callable[..., Worked],
        database: Database,
        function: Callable[[Entry[N]], object],
        **given: Any,
    ) -> None:
        """Works once, and only notes it when the database is away: it will be there again."""
        try:
            work(function, **given)
        except InboxUnavailable as error:
            _log.warning("inbox %s: %s", self._name, error, exc_info=error)
        finally:
            database.rest()

    def _due(self, session: Session) -> list[str]:
        with session.transaction():
            found = session.rows(sql.DUE_ORDERS, inbox=self._name, now=self._now())
        orders = [str(row[0]) for row in found]
        # Several workers that take the same list would wait for each other at every one.
        random.shuffle(orders)
        return orders

    def _work_order(
        self,
        session: Session,
        order_name: str,
        function: Callable[[Entry[N]], object],
        *,
        stale: Callable[[Entry[N]], object] | None,
    ) -> Iterator[Outcome]:
        order: dict[str, object] = {"inbox": self._name, "order_name": order_name}
        while (claimed := self._claim(session, order)) is not None:
            outcome = self._work_one(session, claimed, function, stale=stale)
            yield outcome
            if outcome in {Outcome.FAILED, Outcome.OVERTAKEN}:
                return

    def _claim(self, session: Session, order: dict[str, object]) -> _Claimed | None:
        now = self._now()
        with session.transaction():
            if not session.change(sql.CLAIM_ORDER, **order, now=now, until=now + self._lease):
                return None
            found = session.rows(sql.NEXT_ENTRY, **order)
            if not found:
                session.change(sql.POSTPONE, **order, until=None)
                return None
            ((_, last),) = session.rows(sql.SEQUENCES, **order)
        delivery_id, sequence, headers, body, failures = found[0]
        return _Claimed(order, delivery_id, sequence, headers, bytes(body), failures, last)

    def _work_one(
        self,
        session: Session,
        claimed: _Claimed,
        function: Callable[[Entry[N]], object],
        *,
        stale: Callable[[Entry[N]], object] | None,
    ) -> Outcome:
        try:
            with session.transaction():
                entry = self._entry(session, claimed)
                outcome = Outcome.STALE if entry.stale else Outcome.DONE
                if not entry.stale:
                    function(entry)
                elif stale is not None:
                    stale(entry)
                self._mark(session, claimed, outcome=outcome, sequence=claimed.sequence)
        except _OvertakenError:
            return Outcome.OVERTAKEN
        # Whatever your function raises, the notification stays and is worked again.
        except Exception as error:  # noqa: BLE001
            _log.warning("inbox %s: %s failed", self._name, claimed.delivery_id, exc_info=error)
            return self._note_failure(session, claimed, why=type(error).__name__)
        return outcome

    def _entry(self, session: Session, claimed: _Claimed) -> Entry[N]:
        notification = self._receiver.read_trusted(json.loads(claimed.headers), claimed.body)
        arrival = compare(claimed.last, notification)
        return Entry(notification, arrival, session.connection, claimed.failures)

    def _mark(
        self,
        session: Session,
        claimed: _Claimed,
        *,
        outcome: Outcome,
        sequence: int,
        why: str | None = None,
    ) -> None:
        given = {"now": self._now(), "delivery_id": claimed.delivery_id, **claimed.order}
        if not session.change(sql.MARK, **given, outcome=outcome.value, why=why):
            raise _OvertakenError
        # Locked by a statement of its own, so that the next one sees all that has arrived.
        session.change(sql.LOCK_ORDER, **claimed.order)
        session.change(sql.ADVANCE, **given, sequence=sequence)

    def _note_failure(self, session: Session, claimed: _Claimed, *, why: str) -> Outcome:
        failures = claimed.failures + 1
        try:
            with session.transaction():
                if self._most_failures is not None and failures >= self._most_failures:
                    self._mark(session, claimed, outcome=Outcome.GIVEN_UP, sequence=0, why=why)
                    return Outcome.GIVEN_UP
                wait = min(FIRST_WAIT << min(claimed.failures, MOST_DOUBLINGS), self._longest_wait)
                given = {"why": why, "delivery_id": claimed.delivery_id, **claimed.order}
                if not session.change(sql.NOTE_FAILURE, **given):
                    raise _OvertakenError
                session.change(sql.POSTPONE, **claimed.order, until=self._now() + wait)
        except _OvertakenError:
            return Outcome.OVERTAKEN
        return Outcome.FAILED


def _worked(counted: Counter[Outcome]) -> Worked:
    return Worked(
        done=counted[Outcome.DONE],
        stale=counted[Outcome.STALE],
        failed=counted[Outcome.FAILED] + counted[Outcome.GIVEN_UP],
        given_up=counted[Outcome.GIVEN_UP],
    )
