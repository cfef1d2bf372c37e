"""Statements in every style of parameters, and ids seen in a transaction of one's own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from milepost_receiver import (
    ConfigurationInvalid,
    DbSeen,
    DeliveryIdMissing,
    SeenUnavailable,
)
from milepost_receiver.database import DbApiSession, paramstyle_of, written
from tests.sdk.databases import SHOPS, Shop, postgres_shop
from tests.sdk.senders import delivery_id

TEXT = "SELECT :b, :a, :b"


@pytest.mark.parametrize(
    ("style", "wanted"),
    [
        ("qmark", "SELECT ?, ?, ?"),
        ("numeric", "SELECT :1, :2, :3"),
        ("named", "SELECT :b, :a, :b"),
        ("format", "SELECT %s, %s, %s"),
        ("pyformat", "SELECT %(b)s, %(a)s, %(b)s"),
    ],
)
def test_a_statement_is_written_in_the_style_of_the_driver(style: str, wanted: str) -> None:
    assert written(TEXT, paramstyle=style) == (wanted, ("b", "a", "b"))


@pytest.mark.parametrize("style", ["qmark", "named"])
def test_sqlite_understands_what_is_written(style: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        session = DbApiSession(connection, paramstyle=style)
        assert session.rows(TEXT, a=1, b=2) == [(2, 1, 2)]


@pytest.mark.parametrize("style", ["format", "pyformat"])
def test_postgresql_understands_what_is_written(style: str, tmp_path: Path) -> None:
    with closing(postgres_shop(tmp_path).connect()) as connection:
        session = DbApiSession(connection, paramstyle=style)
        assert session.rows("SELECT CAST(:b AS integer), CAST(:a AS integer)", a=1, b=2) == [(2, 1)]


def test_rows_are_tuples_whatever_the_connection_makes_of_them(tmp_path: Path) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        assert DbApiSession(connection).rows("SELECT 1 AS a, 2 AS b") == [(1, 2)]
    with closing(postgres_shop(tmp_path).connect()) as connection:
        connection.row_factory = dict_row
        assert DbApiSession(connection).rows("SELECT 1 AS a, 2 AS b") == [(1, 2)]


def test_the_style_is_found_by_the_connections_driver(tmp_path: Path) -> None:
    class Ours(sqlite3.Connection):
        """A connection of a class of one's own."""

    with closing(sqlite3.connect(":memory:", factory=Ours)) as connection:
        assert paramstyle_of(connection) == sqlite3.paramstyle
    with closing(postgres_shop(tmp_path).connect()) as connection:
        assert paramstyle_of(connection) == psycopg.paramstyle
    for stranger in (object(), ModuleType("nothing")):
        with pytest.raises(ConfigurationInvalid):
            paramstyle_of(stranger)
        assert paramstyle_of(stranger, paramstyle="format") == "format"


@pytest.fixture(params=sorted(SHOPS))
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    found = SHOPS[request.param](tmp_path)
    found.run("CREATE TABLE work (what TEXT)")
    return found


def test_an_id_is_seen_or_not_together_with_the_work(shop: Shop) -> None:
    with closing(shop.connect()) as connection:
        seen = DbSeen(connection).create()
        connection.commit()
        assert seen.first_time(delivery_id())
        connection.cursor().execute("INSERT INTO work VALUES ('half')")
        connection.rollback()
        assert seen.first_time(delivery_id())
        connection.cursor().execute("INSERT INTO work VALUES ('done')")
        connection.commit()
        assert not seen.first_time(delivery_id())
        assert seen.first_time(delivery_id(replay=1))
        connection.commit()
    assert shop.run("SELECT what FROM work") == [("done",)]


def test_an_id_is_forgotten_or_pruned(shop: Shop) -> None:
    clock = iter([100.0, 200.0, 300.0])
    with closing(shop.connect()) as connection:
        seen = DbSeen(connection, now=lambda: next(clock)).create()
        assert seen.first_time("old")
        assert seen.first_time("new")
        assert seen.prune(before=150) == 1
        seen.forget("new")
        assert seen.first_time("new")
        connection.commit()


@pytest.mark.parametrize("missing", [None, "", 5])
def test_without_an_id_no_answer_is_given(missing: Any) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        seen = DbSeen(connection).create()
        with pytest.raises(DeliveryIdMissing):
            seen.first_time(missing)


def test_a_database_that_cannot_be_used_raises_our_own_error(shop: Shop) -> None:
    connection = shop.connect()
    seen = DbSeen(connection)
    with pytest.raises(SeenUnavailable):
        seen.first_time("a")
    connection.close()
    with pytest.raises(SeenUnavailable):
        seen.create()
