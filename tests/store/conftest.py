"""A store that is open, of each kind that there is, and accounts at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost.ports import Store
from tests.store.desk import ACCOUNT, OPENERS, OTHER, Desk, Run


@pytest.fixture
def run() -> Iterator[Run[Any]]:
    """Runs what a store's method returns, all of a test in one loop."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(params=OPENERS)
def another(
    request: pytest.FixtureRequest, tmp_path: Path, run: Run[Any]
) -> Iterator[Callable[[], Store]]:
    """Opens the test's database once more, as another process would."""
    opened: list[Store] = []

    def open_one() -> Store:
        store = OPENERS[request.param](tmp_path)
        run(store.open())
        opened.append(store)
        return store

    yield open_one
    for store in reversed(opened):
        run(store.close())


@pytest.fixture
def store(another: Callable[[], Store]) -> Store:
    """A store that is open and empty."""
    return another()


@pytest.fixture
def desk(store: Store, run: Run[Any]) -> Desk:
    """An account with one store, at an open database."""
    desk = Desk(store, run, ACCOUNT)
    desk.open_account()
    return desk


@pytest.fixture
def neighbor(store: Store, run: Run[Any]) -> Desk:
    """Another account in the same database, whose records have the same names."""
    desk = Desk(store, run, OTHER)
    desk.open_account()
    return desk
