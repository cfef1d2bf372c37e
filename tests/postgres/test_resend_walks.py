"""Random walks with resends beside the model of lanes, on PostgreSQL."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.flows.test_resends import walks
from tests.postgres.test_lane_walks import WalkOnPostgres
from tests.store.test_resend_walks import SETTINGS, ResendWalk


class ResendWalkOnPostgres(ResendWalk, WalkOnPostgres):
    """The same walks; the tables are looked at when each is over."""


def test_whatever_is_sent_again_the_store_does_what_the_model_does() -> None:
    run_state_machine_as_test(ResendWalkOnPostgres, settings=settings(max_examples=6, **SETTINGS))


def test_what_was_chosen_is_sent_again_once_and_in_order_whatever_happens() -> None:
    once = walks(WalkOnPostgres.open_store)
    settings(max_examples=8, suppress_health_check=list(HealthCheck))(once)()
