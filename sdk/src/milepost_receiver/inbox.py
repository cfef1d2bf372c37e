"""Answer before working: what arrives is written down first, in your database, and worked later."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Generic, Self, TypeVar

from milepost_receiver import inbox_sql as sql
from milepost_receiver.database import Connect, Database, DbApiDatabase, Session, trouble
from milepost_receiver.errors import ConfigurationInvalid, InboxUnavailable
from milepost_receiver.gaps import Arrival, compare
from milepost_receiver.headers import HeaderSource, pick_headers
from milepost_receiver.inbox_work import Entry, Worked, Worker, Workshop
from milepost_receiver.notification import LONGEST_NAME, Notification
from milepost_receiver.receiver import READ_HEADERS, Receiver
from milepost_receiver.shipmonk import ShipMonkNotification
from milepost_receiver.withings import WithingsNotification

N = TypeVar("N", bound=Notification)

LEASE_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 3_600.0
MICROSECOND = 1_000_000

_ORDER_NAMES: Mapping[type[Notification], str] = {
    ShipMonkNotification: "order_key",
    WithingsNotification: "customer_ref",
}


@dataclass(frozen=True, slots=True)
class Fetched(Generic[N]):
    """A notification that was read from the hub, with the headers that it is sent with."""

    headers: Mapping[str, str]
    notification: N


@dataclass(frozen=True, slots=True)
class Kept(Generic[N]):
    """What became of a notification that arrived.

    `first_time` is False for one that is in the inbox already. `arrival` is how it stands to the
    newest of its order that was kept before it.
    """

    notification: N = field(repr=False)
    first_time: bool
    arrival: Arrival


class Inbox(Generic[N]):
    """Notifications in your own database: each is kept once, and worked once, in order.

    `receive` verifies, reads and commits, which takes one short transaction: then the sender may be
    answered. `work` hands over what is kept, order by order, each in a transaction with your own
    writes. `connect` gives a connection (sqlite3, psycopg and others of DB-API 2.0, without
    autocommit) or lends one, as pools do. SQLite from 3.24 and PostgreSQL are understood.

    Several inboxes may share the tables under different names. Usable from any thread and process.
    Whatever goes wrong in the database is raised as InboxUnavailable, whose status is 503, so that
    the sender tries again.
    """

    def __init__(
        self,
        receiver: Receiver[N],
        *,
        connect: Connect | None = None,
        database: Database | None = None,
        name: str | None = None,
        paramstyle: str | None = None,
        lease_seconds: float = LEASE_SECONDS,
        longest_wait_seconds: float = LONGEST_WAIT_SECONDS,
        most_failures: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`lease_seconds`: after that, what a worker took and never finished is taken by another.

        After a failure work waits 2 seconds, then twice as long each time, up to
        `longest_wait_seconds`; with `most_failures` it is given up after so many.
        """
        if database is None and connect is not None:
            database = DbApiDatabase(connect, paramstyle=paramstyle)
        if database is None:
            raise ConfigurationInvalid("connect", expected="a callable that gives a connection")
        if not (lease_seconds > 0 and longest_wait_seconds > 0):
            raise ConfigurationInvalid("lease_seconds", expected="a positive number")
        self.receiver = receiver
        self.name = receiver.contract if name is None else name
        self._database = database
        self._now = now
        self._arrived = Event()
        self._workshop = Workshop(
            receiver,
            name=self.name,
            lease=round(lease_seconds * MICROSECOND),
            longest_wait=round(longest_wait_seconds * MICROSECOND),
            most_failures=most_failures,
            now=self._micros,
        )

    def __repr__(self) -> str:
        return f"Inbox({self.name})"

    def create(self) -> Self:
        """Makes the tables that are missing; they are in `inbox_sql.TABLES` for your migrations."""
        with self._session() as session, session.transaction():
            for table in sql.TABLES:
                session.change(table)
        return self

    def receive(self, headers: HeaderSource, body: bytes | bytearray | memoryview) -> Kept[N]:
        """Verifies, reads and keeps what arrived; it is on disk when this returns.

        Raises what `Receiver.read` raises, and InboxUnavailable. What the provider itself sent has
        no delivery id: each of those is kept, for a repeat of it cannot be told.
        """
        picked = pick_headers(headers, wanted=self.receiver.wanted_headers)
        notification = self.receiver.read(picked, body)
        with self._session() as session, session.transaction():
            kept = self._keep(session, Fetched(picked, notification))
        self._arrived.set()
        return kept

    def keep_missing(self, found: Sequence[Fetched[N]], *, place: str | None) -> int:
        """Keeps those whose order and sequence are not here yet, with the place; how many.

        The place is where reading goes on another time: it is kept together with what was read, or
        neither is.
        """
        with self._session() as session, session.transaction():
            added = sum(
                not self._has(session, f) and self._keep(session, f).first_time for f in found
            )
            if place is not None:
                session.change(sql.KEEP_PLACE, inbox=self.name, place=place, now=self._micros())
        self._arrived.set()
        return added

    def place(self) -> str | None:
        """Where reading what was missed goes on; None before the first time."""
        with self._session() as session, session.transaction():
            found = session.rows(sql.PLACE, inbox=self.name)
        return str(found[0][0]) if found else None

    def work(
        self,
        function: Callable[[Entry[N]], object],
        *,
        stale: Callable[[Entry[N]], object] | None = None,
        stop: Event | None = None,
    ) -> Worked:
        """Hands over all that is due, until nothing is; how much that was.

        Each call of `function` is in a transaction of `entry.connection`: what you write there is
        committed together with the mark that this one is done, or not at all. Do not commit
        yourself. One order's notifications come in order, one at a time; when `function` raises,
        all is undone and that order waits. What is older than one that is done goes to `stale`, or
        nowhere: it must not be applied.
        """
        with self._session() as session:
            return self._workshop.work(session, function, stale=stale, stop=stop)

    def run(
        self,
        function: Callable[[Entry[N]], object],
        *,
        stop: Event,
        stale: Callable[[Entry[N]], object] | None = None,
        poll_seconds: float = 1.0,
    ) -> None:
        """Works until it is stopped: at once when something arrives here, else every so often."""
        while not stop.is_set():
            self._arrived.clear()
            self._workshop.round(self.work, self._database, function, stale=stale, stop=stop)
            if not stop.is_set():
                self._arrived.wait(poll_seconds)

    def start(
        self,
        function: Callable[[Entry[N]], object],
        *,
        stale: Callable[[Entry[N]], object] | None = None,
        poll_seconds: float = 1.0,
    ) -> Worker:
        """A thread that works until it is stopped; leaving a `with` around it stops it."""

        def run(stop: Event) -> None:
            self.run(function, stop=stop, stale=stale, poll_seconds=poll_seconds)

        return Worker(run, name=f"inbox {self.name}", wake=self._arrived.set)

    def waiting(self) -> int:
        """How many are kept and not done."""
        with self._session() as session, session.transaction():
            ((number,),) = session.rows(sql.WAITING, inbox=self.name)
        return int(number)

    def prune(self, *, before: float) -> int:
        """Drops what was done before this time in seconds since the epoch; how many that were.

        Keep them longer than the sender goes on trying, which may be for days.
        """
        with self._session() as session, session.transaction():
            return session.change(sql.PRUNE, inbox=self.name, before=round(before * MICROSECOND))

    def _has(self, session: Session, one: Fetched[N]) -> bool:
        named = self._named(one.notification)
        return bool(named["sequence"] and session.rows(sql.HAS, **named))

    def _keep(self, session: Session, one: Fetched[N]) -> Kept[N]:
        notification, now = one.notification, self._micros()
        named = self._named(notification)
        headers = {name: one.headers[name] for name in READ_HEADERS if name in one.headers}
        added = session.change(
            sql.ADD,
            **named,
            delivery_id=notification.delivery_id or f"unnamed-{uuid.uuid4().hex}",
            headers=json.dumps(headers),
            body=notification.received,
            now=now,
        )
        if not added:
            return Kept(notification, first_time=False, arrival=Arrival.DUPLICATE)
        session.change(sql.ADD_ORDER, **named, now=now)
        session.change(sql.WAKE_ORDER, **named, now=now)
        ((last, _),) = session.rows(sql.SEQUENCES, **named)
        session.change(sql.NOTE_KEPT, **named)
        return Kept(notification, first_time=True, arrival=compare(last, notification))

    def _named(self, notification: N) -> dict[str, object]:
        own = _ORDER_NAMES.get(type(notification))
        name = notification.order_id or (own and getattr(notification, own))
        return {
            "inbox": self.name,
            # What belongs to no order waits for nothing.
            "order_name": _key(name or notification.delivery_id) or f"unnamed-{uuid.uuid4().hex}",
            "sequence": notification.sequence or 0,
        }

    def _micros(self) -> int:
        return round(self._now() * MICROSECOND)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with (
            trouble(InboxUnavailable, expected="a database that can be written"),
            self._database.session() as session,
        ):
            yield session


def _key(name: str | None) -> str | None:
    """A name that every database takes into an index: no NUL, and not too long."""
    if name is None or (len(name) <= LONGEST_NAME and name.isprintable()):
        return name
    return f"sha256-{hashlib.sha256(name.encode()).hexdigest()}"
