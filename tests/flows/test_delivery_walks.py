"""Claim, crash, expiry, settle and replay under a virtual clock, on a real SQLite file."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from milepost.delivery.model import Reply
from tests.flows.walk import ABANDONED, ACKNOWLEDGED, PENDING, Walk
from tests.store.desk import NOW, OPENERS, an_order


class WalkOnSqlite(Walk):
    """One file; two processes take turns at it."""

    open_store = staticmethod(OPENERS["sqlite"])


def test_whatever_happens_nothing_is_lost_or_reordered() -> None:
    run_state_machine_as_test(
        WalkOnSqlite,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class WalkToShipmonk(WalkOnSqlite):
    """One endpoint, of ShipMonk."""

    kinds: ClassVar = {"ep_s": {"contract": "shipmonk"}}


def test_after_100_retries_5_minutes_apart_it_is_abandoned_and_can_be_sent_again() -> None:
    """The first of ShipMonk's published schedules is what its endpoints get unasked."""
    walk = WalkToShipmonk()
    try:
        walk.begin()
        walk.take_in(key="K1", count=2, number=0, born_leased=True)
        process, endpoint, order = walk.processes[0], walk.endpoints["ep_s"], an_order("K1")
        for tried in range(100):
            assert walk.now == NOW + tried * timedelta(minutes=5)
            walk.round(process, Reply(404))
            assert walk.desk.states(endpoint, order) == [PENDING, PENDING]
            walk.wait_for_the_next()
        walk.round(process, Reply(404))
        attempts = walk.desk.attempts(endpoint, order, 1)
        assert [a.attempt for a in attempts] == list(range(1, 102))
        # The lane goes on: what follows is tried for the first time.
        assert walk.desk.states(endpoint, order) == [ABANDONED, PENDING]
        assert len(walk.desk.attempts(endpoint, order, 2)) == 1

        again = walk.desk.resend(endpoint, order, 1, now=walk.now)
        assert (again.replay, again.tries) == (1, 0)
        walk.round(process, Reply(500))
        assert walk.desk.delivery(endpoint, order, 1).due_at == walk.now + timedelta(minutes=5)
        walk.wait_for_the_next()
        walk.round(process, Reply(204))
        assert walk.desk.states(endpoint, order) == [ACKNOWLEDGED, ACKNOWLEDGED]
        assert walk.receipts["ep_s", order.order_id][-2].delivery_id.endswith("-1-ep_s-r1")
    finally:
        walk.teardown()
