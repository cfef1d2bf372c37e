"""A real PostgreSQL for the tests, started when the first one needs it.

One server for each process that runs tests, of whichever version the package brings, gone when the
process ends; each test gets a database of its own, copied from one that is migrated already.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Mapping
from functools import cache
from itertools import count
from pathlib import Path

import asyncpg

from benchmarks import postgres
from benchmarks.postgres import ask, execute
from milepost.store.postgres import PostgresStore
from tests.keys import a_vault

__all__ = ["Server", "ask", "database_of", "execute", "give_back", "new_database", "shared_server"]

TEMPLATE = "milepost_template"
FAST = {
    # Nothing here survives the process anyway.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "5s",
    "deadlock_timeout": "200ms",
}


class Server(postgres.Server):
    """A server that is fast and forgets; it can be stopped, started and killed."""

    def __init__(
        self, *, settings: Mapping[str, str] | None = None, copy_of: Server | None = None
    ) -> None:
        super().__init__(settings={**FAST, **(settings or {})}, copy_of=copy_of)


@cache
def shared_server() -> Server:
    """The server of this process."""
    server = Server()
    atexit.register(server.remove)

    async def make_template() -> None:
        await execute(server.url("postgres"), f"CREATE DATABASE {TEMPLATE}")
        store = PostgresStore(server.url(TEMPLATE), vault=a_vault())
        await store.open()
        await store.close()

    asyncio.run(make_template())
    return server


_numbers = count(1)


def new_database(*, empty: bool = False) -> str:
    """The URL of a database of its own, migrated unless it shall be empty."""
    server = shared_server()
    name = f"milepost_{next(_numbers)}"
    template = "template0" if empty else TEMPLATE
    asyncio.run(execute(server.url("postgres"), f"CREATE DATABASE {name} TEMPLATE {template}"))
    return server.url(name)


EMPTY = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
        IF name <> 'schema_version' THEN
            EXECUTE format('DELETE FROM %I', name);
        END IF;
    END LOOP;
END
$$
"""
_CATALOGS = "class attribute constraint trigger proc namespace type"
SHAPE = (
    "SELECT array[\n"
    + "".join(
        f"(SELECT count(*) || ':' || max(xmin::text::bigint) FROM {table}),\n"
        for table in ("schema_version", *(f"pg_{word}" for word in _CATALOGS.split()))
    )
    + "(SELECT count(*)::text FROM pg_db_role_setting JOIN pg_database"
    " ON pg_database.oid = setdatabase WHERE datname = current_database())]::text"
)
"""Says something else after whatever alters the tables, their version or what is set for them."""

_lent: dict[Path, str] = {}
_free: list[str] = []


def database_of(folder: Path) -> str:
    """The URL of the database of this folder, which stands for a test; the same for each call.

    Databases go from hand to hand, because making one takes longer than most tests. One that a
    test has altered is handed on to nobody.
    """
    if folder not in _lent:
        _lent[folder] = _free.pop() if _free else new_database()
    return _lent[folder]


def give_back(folder: Path) -> None:
    """The folder's database is needed no more, and nobody is connected to it."""
    url = _lent.pop(folder)
    if asyncio.run(_emptied(url, shape=_new_shape())):
        _free.append(url)


@cache
def _new_shape() -> str:
    (found,) = ask(new_database(), SHAPE)
    return str(found)


async def _emptied(url: str, *, shape: str) -> bool:
    """Whether the database still has this shape; its rows are gone then."""
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval(SHAPE) != shape:
            return False
        await connection.execute(EMPTY)
        return True
    finally:
        await connection.close()
