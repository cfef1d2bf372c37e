"""Counts over time, and how many orders are in which state, as every store keeps them."""

from __future__ import annotations

from datetime import timedelta

from milepost.orders.lifecycle import State
from milepost.ports.trends import STEP, Pending, Trend, Waiting
from tests.store.desk import ACCOUNT, NOW, OTHER, Desk

LONG_AGO = NOW - timedelta(days=1)
WITHIN = (1, 2, 3, 4, 5, 6, 7)


def a_trend(endpoint_id: str = "ep_1", *, account_id: str = ACCOUNT, steps: int = 0) -> Trend:
    return Trend(account_id, endpoint_id, NOW + steps * STEP, 1, 9, 5, 4, 3, WITHIN)


def test_counts_of_a_step_add_up_however_often_they_are_told(desk: Desk) -> None:
    for _ in range(3):
        desk.run(desk.store.add_trends([a_trend()]))
    (kept,) = desk.run(desk.store.trends(ACCOUNT, since=LONG_AGO, endpoint_id="ep_1"))
    assert kept == Trend(ACCOUNT, "ep_1", NOW, 3, 27, 15, 12, 9, tuple(3 * n for n in WITHIN))


def test_an_account_is_the_sum_of_its_endpoints_step_by_step(desk: Desk) -> None:
    told = [a_trend("ep_1"), a_trend("ep_2"), a_trend("", steps=2), a_trend(account_id=OTHER)]
    desk.run(desk.store.add_trends(told))
    first, second = desk.run(desk.store.trends(ACCOUNT, since=LONG_AGO))
    assert (first.began_at, first.acknowledged, first.within) == (
        NOW,
        8,
        tuple(2 * n for n in WITHIN),
    )
    assert (second.began_at, second.endpoint_id, second.accepted) == (NOW + 2 * STEP, "", 1)
    assert desk.run(desk.store.trends(ACCOUNT, since=NOW + STEP)) == [second]


def test_each_endpoint_is_summed_over_the_time(desk: Desk) -> None:
    desk.run(desk.store.add_trends([a_trend("ep_1"), a_trend("ep_1", steps=1), a_trend("")]))
    found = desk.run(desk.store.endpoint_trends(ACCOUNT, since=LONG_AGO))
    assert {name: trend.attempts for name, trend in found.items()} == {"ep_1": 18}


def test_what_is_old_is_forgotten_account_by_account(desk: Desk) -> None:
    desk.run(desk.store.add_trends([a_trend(), a_trend(steps=1), a_trend(account_id=OTHER)]))
    assert desk.run(desk.store.forget_trends(ACCOUNT, before=NOW + STEP)) == 1
    assert len(desk.run(desk.store.trends(ACCOUNT, since=LONG_AGO))) == 1
    assert len(desk.run(desk.store.trends(OTHER, since=LONG_AGO))) == 1


def test_orders_are_counted_by_state_and_what_waits_up_to_the_most(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.place("a", to=[endpoint])
    desk.place("b", to=[endpoint])
    assert desk.run(desk.store.state_counts(ACCOUNT)) == {State.CREATED: 2}
    assert desk.run(desk.store.state_counts(OTHER)) == {}
    pending = desk.run(desk.store.pending(ACCOUNT, most=10))
    assert pending.count == 2
    assert desk.run(desk.store.pending(ACCOUNT, most=1)) == Pending(1, pending.oldest_at)
    assert desk.run(desk.store.pending(OTHER, most=10)) == Pending(0, None)


def test_what_waits_is_told_by_endpoint_with_when_the_next_is_tried(desk: Desk) -> None:
    busy, idle = desk.endpoint(), desk.endpoint("ep_b")
    desk.place("a", to=[busy])
    desk.place("b", to=[busy])
    waiting = desk.run(desk.store.waiting(ACCOUNT, most=10))
    assert {name: found.orders for name, found in waiting.items()} == {
        busy.endpoint_id: 2,
        idle.endpoint_id: 0,
    }
    assert waiting[idle.endpoint_id] == Waiting()
    assert desk.run(desk.store.waiting(ACCOUNT, most=1))[busy.endpoint_id].orders == 1
    assert desk.run(desk.store.waiting(OTHER, most=10)) == {}
