"""One connection to the file and the named statements it runs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from milepost.errors import StoreError
from milepost.store.rows import Row
from milepost.store.statements import Statement, load

T = TypeVar("T")

STATEMENTS = load(
    "records",
    "secrets",
    "sqlite/upkeep",
    "health",
    "attention",
    "reading",
    "sqlite/intake",
    "sqlite/lanes",
    "sqlite/health",
    "sqlite/attention",
    "sqlite/lists",
    "sqlite/merchants",
    "sqlite/backlog",
    "resends",
    "sqlite/resends",
    "sqlite/answers",
    "withings",
    "egress",
    "reconciling",
    "sqlite/reconciling",
    "people",
    "trends",
    "sqlite/trends",
    "merchants",
    "tracking",
    "sqlite/tracking",
    "silence",
    "sqlite/silence",
    "clocks",
    "sqlite/clocks",
    "receiving",
    "sqlite/receiving",
)

OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables; UPDATE FROM is older."""

BUSY_TIMEOUT_S = 10
PAGE_BYTES = 8_192
"""Two orders or bodies of the usual size in one page; larger ones make single commits dearer."""
CACHE_KIB = 64 * 1024
STATEMENTS_KEPT = 512

CHECKPOINT_PAGES = 8_000
"""Pages of log before they are written back: a page that changes often is written back once."""

SIZES = (50, 10, 3, 1)
"""How many rows go into one statement: few texts to keep prepared, few steps for any batch."""

ALIKE_FROM = 10
"""With how many rows it is looked which columns are alike in all; fewer would be so by chance, and
each choice of columns is a text of its own to prepare."""


class Session:
    """Runs named statements on one connection, used by one thread at a time.

    Nothing here begins or ends a transaction by itself.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._execute = connection.execute

    def rows(self, name: str, /, **values: Any) -> list[Row]:
        """Every row of a statement; its optional lines are there for values that are not None."""
        return self._run(name, values).fetchall()

    def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row of a statement, if there is one."""
        found: Row | None = self._run(name, values).fetchone()
        return found

    def write(self, name: str, /, **values: Any) -> int:
        """How many rows a statement has changed."""
        return self._run(name, values).rowcount

    def batch(self, name: str, rows: Sequence[Row]) -> list[Row]:
        """Every row of a statement for batches, which takes these rows."""
        statement = STATEMENTS[name]
        found: list[Row] = []
        start = 0
        for size in SIZES:
            while len(rows) - start >= size:
                columns = list(zip(*rows[start : start + size], strict=True))
                found += self._run_columns(statement, size, columns).fetchall()
                start += size
        return found

    def _run_columns(
        self, statement: Statement, size: int, columns: Sequence[Sequence[Any]]
    ) -> sqlite3.Cursor:
        """Binds what a column holds in every row once: binding is most of what a row costs."""
        alike = tuple([size >= ALIKE_FROM and c.count(c[0]) == size for c in columns])
        parameters = [c[0] for c, is_alike in zip(columns, alike, strict=True) if is_alike]
        for column, is_alike in zip(columns, alike, strict=True):
            if not is_alike:
                parameters += column
        return self._run_text(statement.of_rows(size, alike), parameters)

    def _run(self, name: str, values: dict[str, Any]) -> sqlite3.Cursor:
        statement: Statement = STATEMENTS[name]
        if not statement.options:
            return self._run_text(statement.text, values)
        given = frozenset(word for word, value in values.items() if value is not None)
        return self._run_text(statement.given(given), values)

    def _run_text(self, text: str, values: Any) -> sqlite3.Cursor:
        try:
            return self._execute(text, values)
        except (OverflowError, UnicodeEncodeError) as error:
            raise StoreError(f"A value does not fit its column: {error}") from error


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection whose transactions are begun and ended by hand.

    The file is made if it is missing, for nobody but its owner: it holds secrets. Without memory
    maps, because an error of the disk would then end the process instead of one statement.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; {wanted} is needed")
    if not read_only:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_KEPT,
    )
    try:
        for name, value in _settings(read_only=read_only):
            answer = connection.execute(f"PRAGMA {name} = {value}").fetchone()
            if name == "journal_mode" and answer != ("wal",):
                raise StoreError(f"{path} does not take a write-ahead log: {answer}")
    except (sqlite3.Error, StoreError):
        connection.close()
        raise
    return connection


def _settings(*, read_only: bool) -> tuple[tuple[str, str | int], ...]:
    if read_only:
        return (("query_only", "ON"), ("cache_size", -CACHE_KIB // 4))
    return (
        ("page_size", PAGE_BYTES),
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("foreign_keys", "OFF"),
        ("temp_store", "MEMORY"),
        ("cache_size", -CACHE_KIB),
        ("wal_autocheckpoint", CHECKPOINT_PAGES),
    )


@contextmanager
def store_errors() -> Generator[None, None, None]:
    """Turns what the database raises into StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(str(error)) from error


def in_one_snapshot(session: Session, read: Callable[[Session], T]) -> T:
    """What `read` returns, all of it read from the same state of the database."""
    session.connection.execute("BEGIN")
    try:
        return read(session)
    finally:
        session.connection.execute("ROLLBACK")
