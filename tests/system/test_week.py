"""Two hubs and a merchant live a week with chaos on every link; the merchant knows the truth."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from benchmarks.week import judge
from benchmarks.week.__main__ import week
from benchmarks.week.judge import expected_word, in_words, wrong
from benchmarks.week.lives import CONTRACTS, Life, lives
from benchmarks.week.merchant import TABLES
from milepost.orders.lifecycle import State, way_to

ORDERS = 18


@pytest.mark.processes
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_after_a_week_of_chaos_the_merchant_knows_the_truth_of_every_order(store: str) -> None:
    report = week(ORDERS, seed=3, tick_h=24.0, store=store)
    assert report["wrong"] == [], in_words(report)
    assert report["killed"] == ["merchant", "books", "provider"]
    harmed = {name for link in report["links"].values() for name in link}
    assert harmed >= {"lost", "answer_lost", "doubled", "echoed"}
    handled: Counter[str] = Counter()
    for counts in report["merchant_hub"].values():
        handled.update(counts)
    assert all(handled[name] for name in ("applied", "duplicate", "repeated on arrival")), handled
    assert report["merchant"]["duplicate"] > 0
    assert json.loads(json.dumps(report)) == report


def test_the_same_seed_makes_the_same_lives_and_every_life_is_legal() -> None:
    told = lives(300, seed=5)
    assert told == lives(300, seed=5) != lives(300, seed=6)
    assert {life.contract for life in told} == set(CONTRACTS)
    assert sum(life.watched for life in told) > 50
    for life in told:
        here = State.CREATED
        for happening in life.happenings:
            assert way_to(here, State(happening.state)) is not None, (life, here)
            here = State(happening.state)


@contextmanager
def books(path: Path, believed: list[tuple[str, str, str, str | None]]) -> Iterator[Path]:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLES)
        for contract, order_key, word, number in believed:
            row = (contract, order_key, 1, word, number)
            database.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", row)
        database.commit()
    yield path


def truth(life: Life) -> tuple[str, str, str, str | None]:
    number = life.happenings[-1].facts.get("tracking_number")
    return life.contract, life.order_key, expected_word(life), number


def test_the_judge_finds_an_order_that_is_unknown_behind_or_tracked_wrong(tmp_path: Path) -> None:
    told = [life for life in lives(60, seed=1) if life.happenings[-1].facts][:4]
    right = [truth(life) for life in told]
    with books(tmp_path / "right.db", right) as path:
        assert wrong(told, books=path) == []
    behind = (*right[1][:2], "something older", right[1][3])
    mistaken = (*right[2][:3], "1ZWRONG")
    with books(tmp_path / "wrong.db", [behind, mistaken, right[3]]) as path:
        found = wrong(told, books=path)
        assert judge.believed(path)[right[3][:2]] == right[3][2:]
    assert len(found) == 3
    assert "nothing" in found[0]
    assert "something older" in found[1]
    assert "1ZWRONG" in found[2]
