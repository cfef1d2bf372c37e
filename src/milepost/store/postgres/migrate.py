"""Brings the tables up to date, and checks that they are those which the migrations make."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from milepost.errors import SchemaChanged, SchemaTooNew, StoreError
from milepost.logs import logger
from milepost.store.migrate import expected_schema, migrations
from milepost.store.statements import load

CATALOG = load("postgres/catalog")

CLOCKS_APART_S = 2.0
"""Of a lease so much is not missed. It is judged by the time of day, on whichever machine."""

_KINDS = {"v": "VIEW", "m": "MATERIALIZED VIEW", "f": "FOREIGN TABLE", "S": "SEQUENCE"}
_NAME = re.compile(r"^CREATE (?:OR REPLACE )?(?:UNIQUE )?[A-Z]+(?: [A-Z]+)* (\"?[\w ]+\"?)")


async def migrate(connection: Any) -> None:
    """Runs the migrations that are missing, all in one transaction, one process at a time.

    Raises SchemaTooNew and SchemaChanged, with nothing altered.
    """
    steps = migrations("postgres")
    async with connection.transaction():
        await connection.execute(CATALOG["one_at_a_time"].text)
        version = await version_of(connection)
        _check_version(version, latest=steps[-1].number)
        if version == 0 and (await describe(connection)).strip():
            raise SchemaChanged("It holds tables that are not Milepost's")
        for step in steps[version:]:
            await connection.execute(step.text)
            await connection.execute(CATALOG["raise_version"].text, step.number)
        await _check(connection)


async def prepare(connection: Any) -> None:
    """Makes a connection to a migrated database ready for use.

    Raises SchemaTooNew when a newer program has migrated it meanwhile. Commits wait for the disk
    whatever the database's own setting: accepted means stored.
    """
    _check_version(await version_of(connection), latest=migrations("postgres")[-1].number)
    await connection.execute(CATALOG["wait_for_the_disk"].text)


async def check_settings(connection: Any) -> None:
    """Raises StoreError for a database that is not Unicode; logs what endangers stored orders."""
    unsafe = [row[0] for row in await connection.fetch(CATALOG["unsafe_settings"].text)]
    if "server_encoding" in unsafe:
        raise StoreError("The database's encoding must be UTF8")
    log = logger("postgres")
    if unsafe:
        log.warning("unsafe_settings", off=unsafe)
    there = await connection.fetchval(CATALOG["clock"].text)
    apart_s = abs((there - datetime.now(UTC)).total_seconds())
    if apart_s > CLOCKS_APART_S:
        log.warning("clocks_differ", seconds=round(apart_s, 1))


def _check_version(version: int, *, latest: int) -> None:
    if version > latest:
        raise SchemaTooNew(f"It is at {version}; this version knows {latest}")


async def version_of(connection: Any) -> int:
    """The number of the latest migration, 0 for an empty database."""
    if not await connection.fetchval(CATALOG["has_version"].text):
        return 0
    version: int = await connection.fetchval(CATALOG["version"].text)
    return version


async def describe(connection: Any) -> str:
    """The schema as text: each table, index, trigger and function, by kind and name."""
    schema = await connection.fetchval(CATALOG["schema_name"].text)
    inside: dict[str, list[str]] = {}
    for name in ("columns", "constraints"):
        for table, text in await connection.fetch(CATALOG[name].text):
            inside.setdefault(table, []).append(f"    {text}")
    found = [
        _table(name, kind, options, inside.get(name, []))
        for name, kind, options in await connection.fetch(CATALOG["tables"].text)
    ]
    for name in ("indexes", "triggers", "functions"):
        for _, text in await connection.fetch(CATALOG[name].text):
            found.append(text.replace(f" {schema}.", " ").rstrip() + ";")
    return "\n\n".join(found) + "\n"


def _table(name: str, kind: str, options: list[str], inside: list[str]) -> str:
    if kind in _KINDS:
        return f"CREATE {_KINDS[kind]} {name};"
    ending = ")"
    if options:
        listed = ",\n    ".join(option.replace("=", " = ", 1) for option in sorted(options))
        ending = f") WITH (\n    {listed}\n)"
    return f"CREATE TABLE {name} (\n" + ",\n".join(inside) + f"\n{ending};"


async def _check(connection: Any) -> None:
    wanted = _by_name(expected_schema("postgres"))
    found = _by_name(await describe(connection))
    different = [name for name in wanted | found if wanted.get(name) != found.get(name)]
    if different:
        raise SchemaChanged(f"Different: {', '.join(sorted(different))}")


def _by_name(schema: str) -> dict[str, str]:
    """The statements of a schema by the names of what they create, however they are laid out."""
    found: dict[str, str] = {}
    for statement in re.split(r"\n\n(?=CREATE )", schema):
        plain = " ".join(statement.split())
        if plain:
            name = _NAME.match(plain)
            found[name[1] if name else plain] = plain
    return found
