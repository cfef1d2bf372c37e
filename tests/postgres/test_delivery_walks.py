"""Claim, crash, expiry, settle and replay under a virtual clock, on PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from milepost.store.postgres import PostgresStore
from tests.flows.walk import Walk
from tests.keys import a_vault
from tests.postgres.invariants import broken
from tests.postgres.server import database_of


class WalkOnPostgres(Walk):
    """A database of its own for each walk, whose tables are looked at afterwards."""

    @staticmethod
    def open_store(folder: Path) -> PostgresStore:
        return PostgresStore(database_of(folder), vault=a_vault())

    def teardown(self) -> None:
        url = database_of(Path(self.folder.name))
        super().teardown()
        assert asyncio.run(broken(url)) == {}


def test_whatever_happens_nothing_is_lost_or_reordered() -> None:
    run_state_machine_as_test(
        WalkOnPostgres,
        settings=settings(
            max_examples=8,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
