"""The suite of every store, on PostgreSQL; one entry in its list of stores would do the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost.store.postgres import PostgresStore
from tests.keys import a_vault
from tests.postgres.server import database_of, give_back
from tests.store.desk import ACCOUNT, OTHER, Desk, Run


@pytest.fixture
def run() -> Iterator[Run[Any]]:
    """Runs what a store's method returns, all of a test in one loop."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A database of the test's own, migrated and empty."""
    yield database_of(tmp_path)
    give_back(tmp_path)


@pytest.fixture
def another(url: str, run: Run[Any]) -> Iterator[Callable[[], PostgresStore]]:
    """Opens the test's database once more, as another process would."""
    opened: list[PostgresStore] = []

    def open_one() -> PostgresStore:
        store = PostgresStore(url, vault=a_vault())
        run(store.open())
        opened.append(store)
        return store

    yield open_one
    for store in reversed(opened):
        run(store.close())


@pytest.fixture
def store(another: Callable[[], PostgresStore]) -> PostgresStore:
    """A store that is open and empty."""
    return another()


@pytest.fixture
def desk(store: PostgresStore, run: Run[Any]) -> Desk:
    """An account with one store, at an open database."""
    desk = Desk(store, run, ACCOUNT)
    desk.open_account()
    return desk


@pytest.fixture
def neighbor(store: PostgresStore, run: Run[Any]) -> Desk:
    """Another account in the same database, whose records have the same names."""
    desk = Desk(store, run, OTHER)
    desk.open_account()
    return desk
