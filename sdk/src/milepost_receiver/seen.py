"""Telling a first delivery from a repeat: at least once on the wire, once in your books."""

from __future__ import annotations

import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Protocol, Self

from milepost_receiver.database import Connection, DbApiSession, trouble
from milepost_receiver.errors import ConfigurationInvalid, DeliveryIdMissing, SeenUnavailable

CAPACITY = 100_000
BUSY_SECONDS = 5.0

_CREATE = """
CREATE TABLE IF NOT EXISTS milepost_seen (
    delivery_id TEXT NOT NULL PRIMARY KEY,
    seen_at INTEGER NOT NULL
) WITHOUT ROWID
"""
_ADD = "INSERT INTO milepost_seen (delivery_id, seen_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
_FORGET = "DELETE FROM milepost_seen WHERE delivery_id = ?"
_PRUNE = "DELETE FROM milepost_seen WHERE seen_at < ?"

_CREATE_ANYWHERE = """
CREATE TABLE IF NOT EXISTS milepost_seen (
    delivery_id TEXT NOT NULL PRIMARY KEY,
    seen_at BIGINT NOT NULL
)
"""
_ADD_NAMED = """
INSERT INTO milepost_seen (delivery_id, seen_at) VALUES (:delivery_id, :seen_at)
ON CONFLICT DO NOTHING
"""
_FORGET_NAMED = "DELETE FROM milepost_seen WHERE delivery_id = :delivery_id"
_PRUNE_NAMED = "DELETE FROM milepost_seen WHERE seen_at < :before"


class Seen(Protocol):
    """A record of the deliveries that were seen.

    A replay by an operator has an id of its own, so it counts as a first time.
    """

    def first_time(self, delivery_id: str | None) -> bool:
        """Whether this id is new, which it is for one caller only, and not again after that.

        Raises DeliveryIdMissing for None, which is what the provider itself sends.
        """
        ...

    def forget(self, delivery_id: str | None) -> None:
        """Lets the id count as new again: for when the work that it began has failed."""
        ...


class MemorySeen:
    """The last `capacity` ids, in memory: what used longest ago is forgotten first."""

    __slots__ = ("_capacity", "_ids", "_lock")

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        if not capacity > 0:
            raise ConfigurationInvalid("capacity", expected="a positive number")
        self._capacity = capacity
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._ids)

    def first_time(self, delivery_id: str | None) -> bool:
        name = _named(delivery_id)
        with self._lock:
            first = name not in self._ids
            self._ids[name] = None
            self._ids.move_to_end(name)
            if len(self._ids) > self._capacity:
                self._ids.popitem(last=False)
        return first

    def forget(self, delivery_id: str | None) -> None:
        with self._lock:
            self._ids.pop(_named(delivery_id), None)


class SqliteSeen:
    """All ids, in the table `milepost_seen` of an SQLite database, until they are pruned.

    Given a path, each id is on disk when `first_time` returns. Given your own connection, the id
    joins the transaction that is open there and is kept or undone with the rest of your work, which
    makes "once" exact; committing is then yours, and so are the connection's threads. Every method
    raises SeenUnavailable when the database cannot be used.
    """

    __slots__ = ("_connection", "_lock", "_now", "_own")

    def __init__(
        self,
        database: str | Path | sqlite3.Connection,
        *,
        busy_seconds: float = BUSY_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._lock = Lock()
        self._now = now
        self._own = not isinstance(database, sqlite3.Connection)
        with _unavailable():
            self._connection = (
                database
                if isinstance(database, sqlite3.Connection)
                else _open(database, busy_seconds=busy_seconds)
            )
            self._connection.execute(_CREATE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def first_time(self, delivery_id: str | None) -> bool:
        return self._change(_ADD, _named(delivery_id), round(self._now() * 1_000_000)) == 1

    def forget(self, delivery_id: str | None) -> None:
        self._change(_FORGET, _named(delivery_id))

    def prune(self, *, before: float) -> int:
        """Drops ids first seen before this time in seconds since the epoch; answers how many.

        Keep them longer than the sender goes on trying, which may be for days.
        """
        return self._change(_PRUNE, round(before * 1_000_000))

    def close(self) -> None:
        """Closes what was opened here; a connection that was given stays open."""
        if self._own:
            with self._lock:
                self._connection.close()

    def _change(self, statement: str, *values: str | int) -> int:
        with self._lock, _unavailable():
            cursor = self._connection.execute(statement, values)
            changed = cursor.rowcount
            cursor.close()
            return changed


class DbSeen:
    """All ids, in the table `milepost_seen` of your database, as part of your transaction.

    The connection is of DB-API 2.0, without autocommit, to SQLite or PostgreSQL. The id is kept or
    undone with the rest of your work, which makes "once" exact; committing is yours. Every method
    raises SeenUnavailable when the database cannot be used.
    """

    __slots__ = ("_now", "_session")

    def __init__(
        self,
        connection: Connection,
        *,
        paramstyle: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._session = DbApiSession(connection, paramstyle=paramstyle)
        self._now = now

    def create(self) -> Self:
        """Makes the table if it is missing, in your transaction."""
        self._change(_CREATE_ANYWHERE)
        return self

    def first_time(self, delivery_id: str | None) -> bool:
        seen_at = round(self._now() * 1_000_000)
        return self._change(_ADD_NAMED, delivery_id=_named(delivery_id), seen_at=seen_at) == 1

    def forget(self, delivery_id: str | None) -> None:
        self._change(_FORGET_NAMED, delivery_id=_named(delivery_id))

    def prune(self, *, before: float) -> int:
        """Drops ids first seen before this time in seconds since the epoch; answers how many."""
        return self._change(_PRUNE_NAMED, before=round(before * 1_000_000))

    def _change(self, statement: str, **values: object) -> int:
        with trouble(SeenUnavailable, expected="a database that can be written"):
            return self._session.change(statement, **values)


def _open(path: str | Path, *, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _named(delivery_id: str | None) -> str:
    if not isinstance(delivery_id, str) or not delivery_id:
        raise DeliveryIdMissing("webhook-id")
    return delivery_id


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
        raise SeenUnavailable(expected="an SQLite database that can be written") from error
