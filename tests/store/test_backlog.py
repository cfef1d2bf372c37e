"""What waits to be sent: counted over all accounts, no further than asked, and from indexes."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from milepost.delivery.model import EndpointState
from milepost.orders.lifecycle import State
from milepost.ports import Backlog
from milepost.store.migrate import migrate_sqlite
from milepost.store.sqlite.session import STATEMENTS
from tests.store.desk import ACCOUNT, NOW, Desk, at

MANY = 1_000


def backlog(desk: Desk, *, after_s: float = 60, most: int = MANY) -> Backlog:
    found: Backlog = desk.run(desk.store.backlog(now=at(after_s), most=most))
    return found


def test_nothing_waits_in_an_empty_database(desk: Desk) -> None:
    desk.endpoint()
    assert backlog(desk) == Backlog()


def test_a_lane_waits_once_however_many_of_its_deliveries_are_pending(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.move(desk.place("K1", to=[endpoint]), State.PICKING, State.PACKED, to=[endpoint])
    desk.place("K2", to=[endpoint], now=at(5))
    found = backlog(desk)
    assert (found.pending, found.due, found.parked) == (4, 2, 0)
    assert found.oldest_at == found.oldest_due_at == NOW


def test_what_is_leased_or_not_due_yet_is_pending_and_does_not_wait(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.place("K1", to=[endpoint])
    desk.place("K2", to=[endpoint], now=at(100))
    assert len(desk.claim(now=at(1))) == 1
    found = backlog(desk, after_s=10)
    assert (found.pending, found.due, found.oldest_due_at) == (2, 0, None)
    assert found.oldest_at == NOW


def test_what_was_received_waits_no_more(desk: Desk) -> None:
    desk.place("K1", to=[desk.endpoint()])
    desk.settle(*desk.claim())
    assert backlog(desk) == Backlog()


def test_lanes_of_a_paused_endpoint_are_parked(desk: Desk) -> None:
    paused, active = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    desk.place("K1", to=[paused], now=at(-50))
    desk.place("K2", to=[paused, active])
    desk.run(
        desk.store.set_endpoint_state(
            ACCOUNT, "ep_a", state=EndpointState.PAUSED, why="because", now=NOW
        )
    )
    found = backlog(desk)
    assert (found.pending, found.due, found.parked) == (3, 1, 2)
    assert (found.oldest_at, found.oldest_due_at) == (at(-50), NOW)


def test_all_accounts_are_counted(desk: Desk, neighbor: Desk) -> None:
    desk.place("K1", to=[desk.endpoint()])
    neighbor.place("K1", to=[neighbor.endpoint()], now=at(-5))
    found = backlog(desk)
    assert (found.pending, found.due, found.oldest_at) == (2, 2, at(-5))


@pytest.mark.parametrize("most", [1, 3, 4, 5])
def test_nothing_is_counted_further_than_asked(desk: Desk, neighbor: Desk, most: int) -> None:
    for one in (desk, neighbor):
        endpoint = one.endpoint()
        for key in ("K1", "K2"):
            one.place(key, to=[endpoint])
    found = backlog(desk, most=most)
    assert (found.pending, found.due) == (min(most, 4), min(most, 4))


def test_a_claim_tells_when_its_event_was_taken_in(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint], now=at(3))
    desk.move(order, State.PICKING, to=[endpoint], now=at(7))
    (first,) = desk.claim(now=at(20))
    (second,) = desk.settle(first, now=at(21))
    assert (first.received_at, second.received_at) == (at(3), at(7))


def test_sqlite_counts_from_indexes_alone() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate_sqlite(connection)

        def plan(name: str) -> list[str]:
            text, values = STATEMENTS[name].text, {"now": 0, "most": MANY}
            rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
            return [row[3] for row in rows]

        deliveries = "SEARCH deliveries USING COVERING INDEX deliveries_open"
        keys = "(account_id=? AND state=?)"
        assert plan("backlog_of_accounts").count(f"{deliveries} {keys}") == 2
        lanes = "SEARCH lanes USING COVERING INDEX lanes_due"
        keys = "(account_id=? AND endpoint_id=? AND leased_until=? AND due_at<?)"
        assert plan("backlog_of_endpoints").count(f"{lanes} {keys}") == 2
        steps = [*plan("backlog_of_accounts"), *plan("backlog_of_endpoints")]
        scanned = {step.split()[1] for step in steps if step.startswith("SCAN")}
        assert {name for name in scanned if not name.startswith("(subquery")} == {
            "accounts",
            "endpoints",
        }
