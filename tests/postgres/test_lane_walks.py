"""Random walks beside a simple model, on PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from milepost.store.postgres import PostgresStore
from tests.keys import a_vault
from tests.postgres.invariants import broken
from tests.postgres.server import database_of, give_back
from tests.store.test_lane_walks import Walk


class WalkOnPostgres(Walk):
    """Any number of processes dispatch from it: taking the dispatch over ends nobody's leases."""

    @staticmethod
    def open_store(folder: Path) -> PostgresStore:
        return PostgresStore(database_of(folder), vault=a_vault())

    def teardown(self) -> None:
        url = database_of(Path(self._folder.name))
        super().teardown()
        assert asyncio.run(broken(url)) == {}
        give_back(Path(self._folder.name))

    @rule()
    def crash(self) -> None:
        """The process ends without a word, and the next one begins."""
        self._runner.run(self._store.close())
        self._open()
        self._runner.run(self._store.take_dispatch())


def test_whatever_happens_the_store_does_what_the_model_does() -> None:
    run_state_machine_as_test(
        WalkOnPostgres,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )
