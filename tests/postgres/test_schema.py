"""Migrations, the check of what they made, and what the tables themselves refuse."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import asyncpg
import pytest

from milepost.delivery.model import BacklogPolicy, EndpointState, LanePolicy, Operational
from milepost.errors import SchemaChanged, SchemaTooNew, StoreError
from milepost.orders.events import Verdict
from milepost.store.migrate import expected_schema, migrations
from milepost.store.postgres import PostgresStore
from milepost.store.postgres.migrate import describe, migrate
from tests.keys import a_vault
from tests.postgres.server import execute, new_database
from tests.store.desk import NOW, Desk, Run

LATEST = migrations("postgres")[-1].number


@pytest.fixture
def connection(url: str, run: Run[Any]) -> Iterator[Any]:
    """A migrated database, as a person with a shell would open it."""
    connection = run(asyncpg.connect(url))
    yield connection
    run(connection.close())


def open_and_close(url: str) -> None:
    async def life() -> None:
        store = PostgresStore(url, vault=a_vault())
        try:
            await store.open()
        finally:
            await store.close()

    asyncio.run(life())


def test_the_migrations_make_the_schema_that_is_kept_beside_them(run: Run[Any]) -> None:
    connection = run(asyncpg.connect(new_database(empty=True)))
    for step in migrations("postgres"):
        run(connection.execute(step.text))
    made, kept = run(describe(connection)), expected_schema("postgres")
    run(connection.close())
    changes = "\n".join(difflib.unified_diff(kept.splitlines(), made.splitlines(), lineterm=""))
    assert made == kept, changes


def test_the_schema_that_is_kept_can_be_typed_into_a_shell(run: Run[Any]) -> None:
    connection = run(asyncpg.connect(new_database(empty=True)))
    run(connection.execute("SET check_function_bodies = off"))
    text = expected_schema("postgres")
    parts = re.split(r"\n\n(?=CREATE )", text)
    functions = [part for part in parts if part.startswith("CREATE OR REPLACE FUNCTION")]
    for part in functions:
        run(connection.execute(part))
        text = text.replace(part, "")
    run(connection.execute(text))
    assert run(describe(connection)) == expected_schema("postgres")
    run(connection.close())


def test_migrating_again_changes_nothing(connection: Any, url: str, run: Run[Any]) -> None:
    before = run(describe(connection))
    open_and_close(url)
    assert run(describe(connection)) == before
    assert run(connection.fetchval("SELECT number FROM schema_version")) == LATEST


def test_processes_that_open_a_new_database_at_once_agree() -> None:
    url = new_database(empty=True)

    async def race() -> None:
        stores = [PostgresStore(url, vault=a_vault()) for _ in range(5)]
        await asyncio.gather(*(store.open() for store in stores))
        for store in stores:
            assert await store.accounts() == []
            await store.close()

    asyncio.run(race())


def test_a_migration_that_fails_leaves_nothing_behind(run: Run[Any]) -> None:
    connection = run(asyncpg.connect(new_database(empty=True)))
    run(connection.execute("CREATE DOMAIN text_of_ours AS text; CREATE TYPE lanes AS (a integer)"))
    with pytest.raises(asyncpg.PostgresError):
        run(migrate(connection))
    run(connection.execute("DROP TYPE lanes"))
    run(migrate(connection))
    run(connection.close())


def test_a_database_of_a_newer_version_is_left_alone(url: str, connection: Any) -> None:
    asyncio.run(execute(url, f"UPDATE schema_version SET number = {LATEST + 1}"))
    with pytest.raises(SchemaTooNew, match=str(LATEST + 1)):
        open_and_close(url)


def test_a_program_whose_database_becomes_newer_uses_no_new_connection(
    url: str, store: PostgresStore, run: Run[Any]
) -> None:
    assert run(store.accounts()) == []
    asyncio.run(execute(url, f"UPDATE schema_version SET number = {LATEST + 1}"))

    async def at_once() -> list[Any]:
        calls = (store.accounts() for _ in range(3))
        return await asyncio.gather(*calls, return_exceptions=True)

    assert {type(found) for found in run(at_once())} == {list, SchemaTooNew}


@pytest.mark.parametrize(
    ("meddling", "name"),
    [
        ("ALTER TABLE orders ADD COLUMN color TEXT", "orders"),
        ("DROP INDEX lanes_due", "lanes_due"),
        ("DROP TRIGGER attempts_stay ON attempts", "attempts_stay"),
        ("CREATE TABLE notes (note TEXT)", "notes"),
        ("ALTER TABLE lanes RENAME COLUMN due_at TO due", "lanes"),
        ("CREATE VIEW v AS SELECT 1 AS one", "v"),
        ("ALTER TABLE lanes RESET (fillfactor)", "lanes"),
        ("ALTER TABLE bodies ALTER COLUMN content SET STORAGE EXTENDED", "bodies"),
        ("ALTER TABLE endpoints DROP CONSTRAINT endpoints_state", "endpoints"),
        ("ALTER FUNCTION texts VOLATILE", "texts"),
        ("DROP INDEX orders_by_key; CREATE INDEX orders_by_key ON orders (store)", "orders_by_key"),
    ],
)
def test_tables_that_somebody_has_altered_are_refused_by_name(
    url: str, meddling: str, name: str
) -> None:
    asyncio.run(execute(url, meddling))
    with pytest.raises(SchemaChanged, match=rf"\b{name}\b"):
        open_and_close(url)


def test_what_is_in_other_schemas_and_statistics_are_no_alteration(url: str) -> None:
    asyncio.run(
        execute(url, "ANALYZE", "CREATE SCHEMA beside", "CREATE TABLE beside.notes (note TEXT)")
    )
    open_and_close(url)


def test_a_database_of_something_else_is_left_alone(run: Run[Any]) -> None:
    url = new_database(empty=True)
    asyncio.run(execute(url, "CREATE TABLE recipes (name TEXT)"))
    with pytest.raises(SchemaChanged):
        open_and_close(url)
    connection = run(asyncpg.connect(url))
    assert "CREATE TABLE recipes" in run(describe(connection))
    run(connection.close())


def test_a_database_that_is_no_unicode_is_refused(run: Run[Any]) -> None:
    url = new_database(empty=True)
    name = url.partition("?")[0].rpartition("/")[2]
    asyncio.run(
        execute(
            url.replace(f"/{name}?", "/postgres?"),
            f"DROP DATABASE {name}",
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
        )
    )
    with pytest.raises(StoreError):
        open_and_close(url)


# what the tables refuse


def closed_set(table: str, column: str) -> set[str]:
    """The values that a table's check allows in a column."""
    found = re.search(rf"CREATE TABLE {table} \((.*?)\n\)", expected_schema("postgres"), re.DOTALL)
    assert found is not None
    check = re.search(rf"CONSTRAINT {table}_{column} CHECK (.*)", found[1])
    assert check is not None
    return set(re.findall(r"'(\w+)'", check[1]))


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("endpoints", "state", EndpointState),
        ("endpoints", "lane_policy", LanePolicy),
        ("endpoints", "backlog_policy", BacklogPolicy),
        ("endpoints", "operational", Operational),
        ("quarantine", "verdict", Verdict),
    ],
)
def test_the_tables_allow_exactly_the_words_of_the_code(
    table: str, column: str, kind: type[StrEnum]
) -> None:
    assert closed_set(table, column) == {member.value for member in kind}


def test_events_and_attempts_are_never_changed(desk: Desk, connection: Any) -> None:
    endpoint = desk.endpoint()
    desk.place("K1", to=[endpoint], lease=True)
    desk.run(desk.store.release(owner="me", now=NOW))
    desk.settle(*desk.claim())
    for change in (
        "UPDATE order_events SET state = 'shipped'",
        "UPDATE order_events SET note = 'another' WHERE order_id = 'ord_k1'",
        "UPDATE order_events SET note = NULL, source = 'y'",
        "UPDATE attempts SET status = 200",
        "UPDATE attempts SET response = '\\x00'",
        "UPDATE attempts SET response = '', detail = 'another'",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never changed"):
            desk.run(connection.execute(change))
    # What people said in them can be emptied, which is how a person's data is erased.
    desk.run(connection.execute("UPDATE order_events SET raw = NULL, parcel = NULL, note = NULL"))
    desk.run(connection.execute("UPDATE attempts SET response = ''"))


def test_every_key_and_every_index_begins_with_the_account(connection: Any, run: Run[Any]) -> None:
    rows = run(
        connection.fetch(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid, 1, true)"
            " FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE relnamespace = 'public'::regnamespace"
        )
    )
    assert len(rows) > 20
    # By a client id alone it is found out which account is meant.
    others = {(index, column) for index, column in rows if column != "account_id"}
    assert others == {("client_ids_pkey", "client_id"), ("source_paths_pkey", "digest")}


def test_texts_by_which_rows_are_found_compare_byte_by_byte(connection: Any, run: Run[Any]) -> None:
    rows = run(
        connection.fetch(
            "SELECT DISTINCT collname FROM pg_index"
            " JOIN pg_class ON pg_class.oid = indexrelid"
            " CROSS JOIN unnest(indcollation::oid[]) AS found (id)"
            " JOIN pg_collation ON pg_collation.oid = found.id"
            " WHERE relnamespace = 'public'::regnamespace"
        )
    )
    assert {row[0] for row in rows} == {"C", "POSIX", "ucs_basic"}


# durability


def test_commits_wait_for_the_disk_even_where_the_database_would_not(
    url: str, run: Run[Any]
) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    asyncio.run(execute(url, f"ALTER DATABASE {name} SET synchronous_commit = off"))
    store = PostgresStore(url, vault=a_vault())
    run(store.open())

    async def setting() -> str:
        async with store._main.session() as session:
            found: str = await session.connection.fetchval("SHOW synchronous_commit")
            return found

    assert run(setting()) == "on"
    run(store.close())
