"""Telling a first delivery from a repeat, in memory and in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from milepost_receiver import (
    ConfigurationInvalid,
    DeliveryIdMissing,
    MemorySeen,
    Seen,
    SeenUnavailable,
    SqliteSeen,
)
from tests.sdk.senders import delivery_id


@pytest.fixture(params=["memory", "sqlite"])
def seen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Seen]:
    if request.param == "memory":
        yield MemorySeen()
    else:
        with SqliteSeen(tmp_path / "seen.db") as opened:
            yield opened


def test_an_id_is_new_once(seen: Seen) -> None:
    assert seen.first_time(delivery_id())
    assert not seen.first_time(delivery_id())
    assert not seen.first_time(delivery_id())


def test_other_ids_are_new(seen: Seen) -> None:
    assert seen.first_time(delivery_id(1))
    assert seen.first_time(delivery_id(2))


def test_a_replay_counts_as_new(seen: Seen) -> None:
    assert seen.first_time(delivery_id())
    assert seen.first_time(delivery_id(replay=1))
    assert seen.first_time(delivery_id(replay=2))
    assert not seen.first_time(delivery_id(replay=1))


def test_a_forgotten_id_is_new_again(seen: Seen) -> None:
    assert seen.first_time(delivery_id())
    seen.forget(delivery_id())
    seen.forget("never seen")
    assert seen.first_time(delivery_id())


@pytest.mark.parametrize("missing", [None, "", 5, b"x"])
def test_without_an_id_no_answer_is_given(seen: Seen, missing: Any) -> None:
    with pytest.raises(DeliveryIdMissing):
        seen.first_time(missing)
    with pytest.raises(DeliveryIdMissing):
        seen.forget(missing)


def test_of_many_threads_one_is_the_first(seen: Seen) -> None:
    with ThreadPoolExecutor(8) as pool:
        for n in range(20):
            answers = list(pool.map(seen.first_time, [delivery_id(n)] * 8))
            assert sorted(answers) == [False] * 7 + [True]


def test_memory_forgets_what_was_used_longest_ago() -> None:
    seen = MemorySeen(capacity=2)
    assert seen.first_time("a")
    assert seen.first_time("b")
    assert not seen.first_time("a")
    assert seen.first_time("c")
    assert len(seen) == 2
    assert not seen.first_time("a")
    assert seen.first_time("b")


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_memory_of_nothing_is_refused(capacity: int) -> None:
    with pytest.raises(ConfigurationInvalid):
        MemorySeen(capacity=capacity)


def test_two_connections_share_one_memory(tmp_path: Path) -> None:
    path = tmp_path / "seen.db"
    with SqliteSeen(path) as one, SqliteSeen(path) as other:
        assert one.first_time("a")
        assert not other.first_time("a")
        assert other.first_time("b")
        assert not one.first_time("b")


def test_of_many_connections_one_is_the_first(tmp_path: Path) -> None:
    path = tmp_path / "seen.db"

    def count_firsts(_: int) -> int:
        with SqliteSeen(path, busy_seconds=30) as seen:
            return sum(seen.first_time(f"id-{n}") for n in range(25))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(count_firsts, range(4))) == 25


def test_what_was_seen_is_still_seen_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "seen.db"
    with SqliteSeen(str(path)) as seen:
        assert seen.first_time("a")
    with SqliteSeen(path) as seen:
        assert not seen.first_time("a")


def test_on_your_own_connection_an_id_is_kept_or_undone_with_your_work(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE work (what TEXT)")
        seen = SqliteSeen(connection)
        assert seen.first_time("a")
        connection.execute("INSERT INTO work VALUES ('half done')")
        connection.rollback()
        with connection:
            assert seen.first_time("a")
            connection.execute("INSERT INTO work VALUES ('done')")
        with connection:
            assert not seen.first_time("a")
        assert connection.execute("SELECT what FROM work").fetchall() == [("done",)]
        seen.close()
        assert connection.execute("SELECT count(*) FROM milepost_seen").fetchone() == (1,)


def test_an_id_that_another_connection_has_not_committed_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        mine = SqliteSeen(connection)
        assert mine.first_time("a")
        with SqliteSeen(path, busy_seconds=0.01) as other:
            with pytest.raises(SeenUnavailable):
                other.first_time("a")
            connection.rollback()
            assert other.first_time("a")


def test_pruning_drops_what_was_first_seen_before(tmp_path: Path) -> None:
    clock = iter([100.0, 200.0, 300.0, 300.0])
    with SqliteSeen(tmp_path / "seen.db", now=lambda: next(clock)) as seen:
        assert seen.first_time("old")
        assert seen.first_time("newer")
        assert seen.prune(before=200.0) == 1
        assert seen.first_time("old")
        assert not seen.first_time("newer")


def test_a_database_that_cannot_be_used_raises_our_own_error(tmp_path: Path) -> None:
    with pytest.raises(SeenUnavailable):
        SqliteSeen(tmp_path / "no" / "such" / "folder.db")
    (tmp_path / "text.db").write_text("no database at all, but some text that is long enough")
    with pytest.raises(SeenUnavailable):
        SqliteSeen(tmp_path / "text.db")
    closed = SqliteSeen(tmp_path / "seen.db")
    closed.close()
    with pytest.raises(SeenUnavailable):
        closed.first_time("a")
    with SqliteSeen(":memory:") as seen, pytest.raises(SeenUnavailable):
        seen.first_time("\ud800")
