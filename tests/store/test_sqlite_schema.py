"""Migrations, the check of what they made, and what the tables themselves refuse."""

from __future__ import annotations

import asyncio
import difflib
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path

import pytest

from milepost.delivery.model import (
    BacklogPolicy,
    DeliveryState,
    EndpointState,
    LanePolicy,
    Operational,
)
from milepost.errors import SchemaChanged, SchemaTooNew, StoreError
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.ports.receipts import ReceiptVerdict
from milepost.store.migrate import (
    describe_sqlite,
    expected_schema,
    migrate_sqlite,
    migrations,
)
from milepost.store.sqlite import SqliteStore

LATEST = migrations("sqlite")[-1].number


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "milepost.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A migrated database, as a person with a shell would open it."""
    open_and_close(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def open_and_close(path: Path) -> None:
    async def life() -> None:
        store = SqliteStore(path)
        try:
            await store.open()
        finally:
            await store.close()

    asyncio.run(life())


def test_the_migrations_make_the_schema_that_is_kept_beside_them() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate_sqlite(connection)
        made, kept = describe_sqlite(connection), expected_schema("sqlite")
    changes = "\n".join(difflib.unified_diff(kept.splitlines(), made.splitlines(), lineterm=""))
    assert made == kept, changes


def test_a_new_database_is_at_the_latest_migration(connection: sqlite3.Connection) -> None:
    assert connection.execute("PRAGMA user_version").fetchone() == (LATEST,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_database_can_be_read_by_its_owner_alone(
    path: Path, connection: sqlite3.Connection
) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_migrating_again_changes_nothing(path: Path, connection: sqlite3.Connection) -> None:
    before = connection.execute("PRAGMA schema_version").fetchone()
    open_and_close(path)
    assert connection.execute("PRAGMA schema_version").fetchone() == before


def test_two_processes_that_open_a_new_database_at_once_agree(path: Path) -> None:
    async def race() -> None:
        stores = [SqliteStore(path) for _ in range(4)]
        await asyncio.gather(*(store.open() for store in stores))
        for store in stores:
            assert await store.accounts() == []
            await store.close()

    asyncio.run(race())


def test_a_database_of_a_newer_version_is_left_alone(
    path: Path, connection: sqlite3.Connection
) -> None:
    connection.execute(f"PRAGMA user_version = {LATEST + 1}")
    with pytest.raises(SchemaTooNew, match=str(LATEST + 1)):
        open_and_close(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (LATEST + 1,)


@pytest.mark.parametrize(
    ("meddling", "name"),
    [
        ("ALTER TABLE orders ADD COLUMN color TEXT", "orders"),
        ("DROP INDEX lanes_due", "lanes_due"),
        ("DROP TRIGGER attempts_stay", "attempts_stay"),
        ("CREATE TABLE notes (note TEXT)", "notes"),
        ("ALTER TABLE lanes RENAME COLUMN due_at TO due", "lanes"),
        ("CREATE VIEW v AS SELECT 1", "v"),
    ],
)
def test_tables_that_somebody_has_altered_are_refused_by_name(
    path: Path, connection: sqlite3.Connection, meddling: str, name: str
) -> None:
    connection.execute(meddling)
    with pytest.raises(SchemaChanged, match=rf"\b{name}\b"):
        open_and_close(path)


def test_statistics_that_somebody_has_gathered_are_no_alteration(
    path: Path, connection: sqlite3.Connection
) -> None:
    connection.execute("ANALYZE")
    open_and_close(path)


@pytest.mark.parametrize("table", ["recipes", "orders"])
def test_a_database_of_something_else_is_left_alone(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"CREATE TABLE {table} (name TEXT)")
    with pytest.raises(SchemaChanged):
        open_and_close(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [(table,)]


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"a letter to the editor, " * 99)
    with pytest.raises(StoreError):
        open_and_close(path)
    assert path.read_bytes().startswith(b"a letter")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        open_and_close(tmp_path / "nowhere" / "milepost.db")


# what the tables refuse


def closed_set(table: str, column: str) -> set[str]:
    """The values that a table's check allows in a column."""
    found = re.search(rf"CREATE TABLE {table} \((.*?)\n\)", expected_schema("sqlite"), re.DOTALL)
    assert found is not None
    check = re.search(
        rf"    {column} TEXT NOT NULL(?: DEFAULT '\w+')? CHECK \((.*?)\n    \)", found[1], re.DOTALL
    )
    assert check is not None
    return set(re.findall(rf"{column} = '(\w+)'", check[1]))


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("orders", "state", State),
        ("deliveries", "state", DeliveryState),
        ("endpoints", "state", EndpointState),
        ("endpoints", "lane_policy", LanePolicy),
        ("endpoints", "backlog_policy", BacklogPolicy),
        ("endpoints", "operational", Operational),
        ("quarantine", "verdict", Verdict),
        ("receipts", "verdict", ReceiptVerdict),
    ],
)
def test_the_tables_allow_exactly_the_words_of_the_code(
    table: str, column: str, kind: type[StrEnum]
) -> None:
    assert closed_set(table, column) == {member.value for member in kind}


def insert_order(connection: sqlite3.Connection, state: str) -> None:
    connection.execute(
        "INSERT INTO orders (account_id, order_id, store, order_key, state, state_at, sequence,"
        " created_at, updated_at, updating) VALUES ('a', ?, 's', ?, ?, 0, 1, 0, 0, 0)",
        (state, state, state),
    )


def test_an_order_can_be_in_each_state_of_the_lifecycle_and_in_no_other(
    connection: sqlite3.Connection,
) -> None:
    for state in State:
        insert_order(connection, state.value)
    for word in ("", "CREATED", "lost"):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            insert_order(connection, word)


def test_events_and_attempts_are_never_changed(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO order_events (account_id, order_id, sequence, type, state, source,"
        " occurred_at, received_at, correction) VALUES ('a', 'o', 1, 't', 's', 'x', 0, 0, 0)"
    )
    connection.execute(
        "INSERT INTO attempts VALUES ('a', 'o', 'e', 1, 1, 0, 0, 1.0, 'x', 2, '', x'')"
    )
    for change in (
        "UPDATE order_events SET state = 'shipped'",
        "UPDATE order_events SET note = 'another' WHERE order_id = 'o'",
        "UPDATE order_events SET note = NULL, source = 'y'",
        "UPDATE attempts SET status = 200",
        "UPDATE attempts SET response = x'00'",
        "UPDATE attempts SET response = x'', detail = 'another'",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            connection.execute(change)


def test_what_people_said_in_events_and_attempts_can_be_emptied(
    connection: sqlite3.Connection,
) -> None:
    connection.execute(
        "INSERT INTO order_events (account_id, order_id, sequence, type, state, source,"
        " occurred_at, received_at, correction, raw, parcel, note)"
        " VALUES ('a', 'o', 1, 't', 's', 'x', 0, 0, 0, 'r', 'p', 'n')"
    )
    connection.execute(
        "INSERT INTO attempts VALUES ('a', 'o', 'e', 1, 1, 0, 0, 1.0, 'x', 2, '', x'41')"
    )
    connection.execute("UPDATE order_events SET raw = NULL, parcel = NULL, note = NULL")
    connection.execute("UPDATE attempts SET response = x''")
    assert connection.execute("SELECT raw, parcel, note FROM order_events").fetchone() == (
        None,
        None,
        None,
    )
    assert connection.execute("SELECT response FROM attempts").fetchone() == (b"",)


def test_a_lane_has_an_owner_exactly_while_it_is_leased(connection: sqlite3.Connection) -> None:
    for owner, until in (("me", None), (None, 5)):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            connection.execute(
                "INSERT INTO lanes VALUES ('a', 'e', 'o', 1, 0, ?, ?)", (owner, until)
            )


def test_every_key_and_every_index_begins_with_the_account(
    connection: sqlite3.Connection,
) -> None:
    indexes = connection.execute(
        "SELECT t.name, i.name FROM pragma_table_list t, pragma_index_list(t.name) i"
        " WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite%'"
    ).fetchall()
    assert len(indexes) > 20
    # By a client id, or a source's path, alone it is found out which account is meant.
    for table, index in [one for one in indexes if one[0] not in ("client_ids", "source_paths")]:
        columns = connection.execute(f"PRAGMA index_info({index})").fetchall()
        assert columns[0][2] == "account_id", (table, index)


def test_every_table_is_strict(connection: sqlite3.Connection) -> None:
    lax = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND NOT strict AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    assert lax == []
