"""Whatever orders there are, an upkeep removes none that is young, alive or owed to somebody."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.orders.lifecycle import ENDS, State
from milepost.ports.upkeep import Standing
from milepost.store.sqlite import SqliteStore
from milepost.upkeep import Retention, first_id
from milepost.wiring import Ulids, now
from tests.store.desk import NOW, Desk
from tests.store.test_retention import (
    KEPT,
    Life,
    an_upkeep,
    check_rows,
    is_over,
    live,
    orders_left,
)

DAY = timedelta(days=1)
AGES = st.sampled_from((0, 1, 89, 90, 91, 399, 400, 401))


@st.composite
def any_life(draw: st.DrawFn) -> Life:
    changed = draw(AGES)
    told = draw(st.one_of(st.none(), AGES.filter(lambda age: age <= changed)))
    pending = told is None and draw(st.booleans())
    return Life(draw(st.sampled_from(State)), changed, told, pending)


@settings(max_examples=25)
@given(st.lists(any_life(), max_size=8))
def test_no_order_goes_before_its_time_nor_while_it_is_owed_to_anybody(told: list[Life]) -> None:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        store = SqliteStore(Path(folder) / "hub.db")
        runner.run(store.open())
        try:
            desk = Desk(store, runner.run)
            desk.open_account()
            endpoint = desk.endpoint()
            # What is pending would be claimed when another one's notification is sent.
            ordered = sorted(told, key=lambda life: life.pending)
            names = {live(desk, endpoint, n, life): life for n, life in enumerate(ordered)}
            runner.run(an_upkeep(desk).run())
            left = orders_left(desk)
            assert left == {name for name, life in names.items() if not is_over(life)}
            check_rows(desk, [names[name] for name in left])
        finally:
            runner.run(store.close())


@given(
    st.sampled_from(State),
    st.integers(0, 1_000),
    st.none() | st.integers(0, 1_000),
    st.booleans(),
)
def test_the_rule_counts_from_whatever_came_last(
    state: State, changed: int, settled: int | None, is_pending: bool
) -> None:
    settled_at = None if settled is None else NOW - settled * DAY
    standing = Standing("ord_1", state, NOW - changed * DAY, is_pending, settled_at)
    quiet = min(changed, changed if settled is None else settled)
    kept_for = 90 if state in ENDS else 400
    assert KEPT.is_due(standing, now=NOW) == (not is_pending and quiet >= kept_for)
    forever = Retention(ended=None, never_ended=None)
    assert not forever.is_due(standing, now=NOW)


def test_ids_are_after_the_time_at_which_they_were_made_and_before_any_later_one() -> None:
    ulid = Ulids()
    for _ in range(100):
        before, made, after = now(), ulid(), now() + timedelta(seconds=1)
        assert first_id("ord_", before) <= f"ord_{made}" < first_id("ord_", after)


@pytest.mark.parametrize("days", [0, 1, 20_000])
def test_a_first_id_is_as_long_as_any(days: int) -> None:
    assert len(first_id("ord_", NOW + days * DAY)) == len("ord_") + 26
