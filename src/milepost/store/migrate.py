"""Numbered migrations, and the check that the tables are those which they make.

Each migration is one file; all that are missing run in one transaction with the number that they
leave behind. What the tables must look like after the last one is kept beside them as text: a
difference means that somebody else has altered them, and nothing is written to such a database.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import msgspec

from milepost.errors import SchemaChanged, SchemaTooNew
from milepost.store.statements import SQL_FOLDER


class Migration(msgspec.Struct, frozen=True):
    """One step of the schema: its number, its name and its SQL."""

    number: int
    name: str
    text: str


def migrations(database: str) -> tuple[Migration, ...]:
    """The migrations of a kind of database, `sqlite` for one, from the first to the last."""
    folder = SQL_FOLDER / database / "migrations"
    found = [
        Migration(int(file.name[:4]), file.name[5:-4], file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return tuple(sorted(found, key=lambda migration: migration.number))


def expected_schema(database: str) -> str:
    """What `describe` must give after the last migration."""
    return (SQL_FOLDER / database / "schema.sql").read_text(encoding="utf-8")


def migrate_sqlite(connection: sqlite3.Connection) -> None:
    """Brings the tables up to date and checks them.

    Raises SchemaTooNew and SchemaChanged, with nothing altered.
    """
    steps = migrations("sqlite")
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version > steps[-1].number:
            raise SchemaTooNew(f"It is at {version}; this version knows {steps[-1].number}")
        if version == 0 and describe_sqlite(connection).strip():
            raise SchemaChanged("It holds tables that are not Milepost's")
        for step in steps[version:]:
            _run(connection, step)
        _check(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def describe_sqlite(connection: sqlite3.Connection) -> str:
    """The schema as text: each table, index and trigger as SQLite keeps it, by name."""
    rows = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' "
        "ESCAPE '\\' ORDER BY name"
    )
    return "\n\n".join(row[0] + ";" for row in rows) + "\n"


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _run(connection: sqlite3.Connection, step: Migration) -> None:
    for statement in _statements(step.text):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {step.number}")


def _statements(text: str) -> Iterator[str]:
    """The statements of a script, one by one: triggers hold semicolons of their own."""
    lines: list[str] = []
    for line in text.splitlines():
        lines.append(line)
        if sqlite3.complete_statement("\n".join(lines)):
            yield "\n".join(lines).strip()
            lines = []
    if "".join(lines).strip():
        raise ValueError("a migration ends in the middle of a statement")


def _check(connection: sqlite3.Connection) -> None:
    wanted = _by_name(expected_schema("sqlite"))
    found = _by_name(describe_sqlite(connection))
    different = [name for name in wanted | found if wanted.get(name) != found.get(name)]
    if different:
        raise SchemaChanged(f"Different: {', '.join(sorted(different))}")


def _by_name(schema: str) -> dict[str, str]:
    """The statements of a schema by the names of what they create, however they are laid out."""
    found: dict[str, str] = {}
    for statement in _statements(schema):
        plain = " ".join(statement.split())
        name = re.match(r"CREATE (?:UNIQUE )?\w+ \"?(\w+)", plain)
        found[name[1] if name else plain] = plain
    return found
