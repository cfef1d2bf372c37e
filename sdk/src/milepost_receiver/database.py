"""Your database as the kit uses it: DB-API 2.0 with any way of writing parameters."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, cast

from milepost_receiver.errors import ConfigurationInvalid, ReceiverError

_NAME = re.compile(r":([a-z_]+)")

_WRITTEN: Mapping[str, Callable[[str, int], str]] = {
    "qmark": lambda _name, _place: "?",
    "numeric": lambda _name, place: f":{place}",
    "named": lambda name, _place: f":{name}",
    "format": lambda _name, _place: "%s",
    "pyformat": lambda name, _place: f"%({name})s",
}
_BY_NAME = frozenset({"named", "pyformat"})


class Connection(Protocol):
    """A connection of DB-API 2.0, as sqlite3, psycopg and most others make them."""

    def cursor(self) -> Any: ...

    def commit(self) -> object: ...

    def rollback(self) -> object: ...

    def close(self) -> object: ...


Connect: TypeAlias = "Callable[[], Connection | AbstractContextManager[Connection]]"
"""Gives a connection, or, as pools do, something that lends one for a `with`."""


class Session(Protocol):
    """One connection for a while, and the transactions on it."""

    @property
    def connection(self) -> Any: ...

    def transaction(self) -> AbstractContextManager[object]:
        """Commits at the end of a `with`, and undoes everything when it is left by an error."""
        ...

    def change(self, text: str, **values: object) -> int:
        """Runs a statement; how many rows it changed."""
        ...

    def rows(self, text: str, **values: object) -> list[tuple[Any, ...]]: ...


class Database(Protocol):
    """Where sessions come from."""

    def session(self) -> AbstractContextManager[Session]: ...

    def rest(self) -> None:
        """Called between two rounds of work."""
        ...


@lru_cache(maxsize=256)
def written(text: str, *, paramstyle: str) -> tuple[str, tuple[str, ...]]:
    """A statement with `:name` parameters in another style, and the names in order."""
    write, names = _WRITTEN[paramstyle], tuple(_NAME.findall(text))
    places = iter(range(1, len(names) + 1))
    return _NAME.sub(lambda found: write(found[1], next(places)), text), names


def paramstyle_of(connection: object, *, paramstyle: str | None = None) -> str:
    """How the driver of this connection takes parameters. Raises ConfigurationInvalid."""
    found = paramstyle
    for kind in () if paramstyle else type(connection).__mro__:
        module = sys.modules.get(kind.__module__.partition(".")[0])
        found = found or getattr(module, "paramstyle", None)
    if found not in _WRITTEN:
        raise ConfigurationInvalid("paramstyle", expected=", ".join(_WRITTEN))
    return cast("str", found)


@contextmanager
def trouble(error: type[ReceiverError], *, expected: str) -> Iterator[None]:
    """Raises this error instead of whatever a driver raises."""
    try:
        yield
    except ReceiverError:
        raise
    # Every driver has errors of its own, and the kit imports none of them.
    except Exception as cause:
        raise error(expected=expected) from cause


class DbApiSession:
    """A connection of DB-API 2.0; transactions begin by themselves, as the standard says."""

    __slots__ = ("_connection", "_paramstyle")

    def __init__(self, connection: Connection, *, paramstyle: str | None = None) -> None:
        self._paramstyle = paramstyle_of(connection, paramstyle=paramstyle)
        self._connection = connection
        if _commits_by_itself(connection):
            raise ConfigurationInvalid("connect", expected="a connection without autocommit")

    @property
    def connection(self) -> Connection:
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            yield
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise

    def change(self, text: str, **values: object) -> int:
        cursor = self._run(text, values)
        changed = cursor.rowcount
        cursor.close()
        return int(changed)

    def rows(self, text: str, **values: object) -> list[tuple[Any, ...]]:
        cursor = self._run(text, values)
        found = cursor.fetchall()
        cursor.close()
        # Some drivers are set to give each row as a dictionary.
        return [tuple(row.values() if isinstance(row, dict) else row) for row in found]

    def _run(self, text: str, values: Mapping[str, object]) -> Any:
        sql, names = written(text, paramstyle=self._paramstyle)
        cursor = self._connection.cursor()
        if not names:
            cursor.execute(sql)
        elif self._paramstyle in _BY_NAME:
            cursor.execute(sql, {name: values[name] for name in names})
        else:
            cursor.execute(sql, tuple(values[name] for name in names))
        return cursor


class DbApiDatabase:
    """A database by the callable that gives connections to it."""

    __slots__ = ("_connect", "_paramstyle")

    def __init__(self, connect: Connect, *, paramstyle: str | None = None) -> None:
        self._connect = connect
        self._paramstyle = paramstyle

    @contextmanager
    def session(self) -> Generator[Session]:
        given = self._connect()
        if hasattr(given, "cursor"):
            connection = cast("Connection", given)
            try:
                yield DbApiSession(connection, paramstyle=self._paramstyle)
            finally:
                connection.close()
        else:
            with given as lent:
                yield DbApiSession(lent, paramstyle=self._paramstyle)

    def rest(self) -> None:
        """Nothing: a connection lives as long as a session."""


def _commits_by_itself(connection: object) -> bool:
    autocommit = getattr(connection, "autocommit", None)
    if autocommit is True or autocommit is False:
        return autocommit
    # With sqlite3 the older setting says so, unless the newer one is there and says something.
    of_sqlite = type(connection).__mro__[-2].__module__.partition(".")[0] == "sqlite3"
    return of_sqlite and getattr(connection, "isolation_level", "") is None
