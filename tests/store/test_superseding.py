"""Where the latest suffices: what waits becomes needless, what was begun or asked for does not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from milepost.delivery.model import Body, Claimed, DeliveryState, Endpoint, EndpointState, Outcome
from milepost.delivery.outcome import Abandon, Retry
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.ports import Changes, OrderRef
from tests.store.desk import HOLD, SOMEONE, Desk, a_delivery, an_event, an_order, at, moved

PENDING, ACKNOWLEDGED, ABANDONED, SUPERSEDED = (
    DeliveryState.PENDING,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.ABANDONED,
    DeliveryState.SUPERSEDED,
)
FAILED = Outcome.SERVER_ERROR


def steps(
    desk: Desk,
    order: Order | None,
    *,
    to: Endpoint,
    count: int = 1,
    lease: bool = False,
    now: float = 0,
) -> tuple[Order, Sequence[Claimed]]:
    """The next steps of an order in one transaction, each of which makes those before needless."""
    known = order
    order = an_order("K1", sequence=0) if order is None else order
    events, deliveries = [], []
    for _ in range(count):
        order = moved(order, State.PICKING)
        events.append(an_event(order))
        deliveries.append(a_delivery(to, order, lease=lease, supersedes=True))
    changes = Changes(
        created=[order] if known is None else [],
        changed=[] if known is None else [order],
        events=events,
        deliveries=deliveries,
    )
    ref = OrderRef(desk.account_id, store="shop", order_key="K1")
    return order, desk.change(changes, refs=[ref], now=at(now))


def sent(claimed: Sequence[Claimed]) -> list[tuple[int, int]]:
    return [(c.sequence, c.previous) for c in claimed]


def test_of_what_waits_only_the_latest_is_sent_and_names_the_gap(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, _ = steps(desk, None, to=endpoint)
    for second in (1, 2):
        order, _ = steps(desk, order, to=endpoint, now=second)
    assert desk.states(endpoint, order) == [SUPERSEDED, SUPERSEDED, PENDING]
    heads = desk.claim(now=at(9))
    assert sent(heads) == [(3, 2)]
    assert heads[0].body == Body(f"{order.order_id} 3".encode())
    assert desk.settle(*heads, now=at(9)) == []
    assert desk.states(endpoint, order) == [SUPERSEDED, SUPERSEDED, ACKNOWLEDGED]
    assert desk.claim(now=at(10**6)) == ()


def test_what_was_superseded_stays_on_record_with_when_and_can_be_sent_again(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, _ = steps(desk, None, to=endpoint)
    order, _ = steps(desk, order, to=endpoint, now=5)
    gone = desk.delivery(endpoint, order, 1)
    assert (gone.state, gone.settled_at, gone.due_at, gone.attempts) == (SUPERSEDED, at(5), None, 0)
    desk.settle(*desk.claim(now=at(6)), now=at(6))
    again = desk.resend(endpoint, order, 1, now=at(7))
    assert (again.state, again.replay) == (PENDING, 1)
    assert [(c.sequence, c.replay) for c in desk.claim(now=at(7))] == [(1, 1)]


def test_several_steps_at_once_leave_the_last(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, _ = steps(desk, None, to=endpoint, count=3)
    assert desk.states(endpoint, order) == [SUPERSEDED, SUPERSEDED, PENDING]
    assert sent(desk.claim()) == [(3, 2)]


def test_what_is_on_its_way_is_never_superseded(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, _ = steps(desk, None, to=endpoint)
    (on_wire,) = desk.claim()
    for second in (1, 2, 3):
        order, _ = steps(desk, order, to=endpoint, now=second)
    assert desk.states(endpoint, order) == [PENDING, SUPERSEDED, SUPERSEDED, PENDING]
    following = desk.settle(on_wire, now=at(4))
    assert sent(following) == [(4, 3)]
    desk.settle(*following, now=at(5))
    assert desk.states(endpoint, order) == [ACKNOWLEDGED, SUPERSEDED, SUPERSEDED, ACKNOWLEDGED]


def test_what_is_born_on_its_way_is_not_superseded_by_its_own_transaction(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, born = steps(desk, None, to=endpoint, count=3, lease=True)
    assert sent(born) == [(1, 0)]
    assert desk.states(endpoint, order) == [PENDING, SUPERSEDED, PENDING]
    assert sent(desk.settle(*born)) == [(3, 2)]


def test_a_lease_that_ran_out_protects_until_the_lane_is_claimed_again(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, _ = steps(desk, None, to=endpoint)
    desk.claim(lease_s=10)
    order, _ = steps(desk, order, to=endpoint, now=60)
    assert desk.states(endpoint, order) == [PENDING, PENDING]
    assert sent(desk.claim(owner=SOMEONE, now=at(61))) == [(1, 0)]


def test_a_lease_that_was_given_back_protects_nothing(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, _ = steps(desk, None, to=endpoint)
    desk.claim()
    desk.run(desk.store.release(owner="me", now=at(1)))
    order, _ = steps(desk, order, to=endpoint, now=2)
    assert desk.states(endpoint, order) == [SUPERSEDED, PENDING]


def test_what_was_tried_keeps_its_place_and_its_schedule(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, _ = steps(desk, None, to=endpoint)
    desk.settle(*desk.claim(), step=Retry(at(300)), outcome=FAILED, now=at(1))
    for second in (2, 3):
        order, _ = steps(desk, order, to=endpoint, now=second)
    assert desk.states(endpoint, order) == [PENDING, SUPERSEDED, PENDING]
    assert desk.claim(now=at(299)) == ()
    (again,) = desk.claim(now=at(300))
    assert (again.sequence, again.attempts) == (1, 1)
    assert sent(desk.settle(again, now=at(301))) == [(3, 2)]


def test_what_an_operator_sent_again_is_not_superseded(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, _ = steps(desk, None, to=endpoint)
    desk.settle(*desk.claim())
    desk.resend(endpoint, order, 1, now=at(1))
    for second in (2, 3):
        order, _ = steps(desk, order, to=endpoint, now=second)
    assert desk.states(endpoint, order) == [PENDING, SUPERSEDED, PENDING]
    (replay,) = desk.claim(now=at(4))
    assert (replay.sequence, replay.replay) == (1, 1)


def test_what_is_on_its_way_behind_a_replay_is_not_superseded(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, _ = steps(desk, None, to=endpoint)
    desk.settle(*desk.claim())
    order, _ = steps(desk, order, to=endpoint)
    (on_wire,) = desk.claim()
    desk.resend(endpoint, order, 1, now=at(1))
    for second in (2, 3):
        order, _ = steps(desk, order, to=endpoint, now=second)
    assert desk.states(endpoint, order) == [PENDING, PENDING, SUPERSEDED, PENDING]
    (replay,) = desk.settle(on_wire, now=at(4))
    assert (replay.sequence, replay.replay) == (1, 1)
    assert desk.delivery(endpoint, order, 2).state is ACKNOWLEDGED
    assert sent(desk.settle(replay, now=at(5))) == [(4, 3)]


def test_while_an_endpoint_is_paused_the_latest_is_parked(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.run(
        desk.store.set_endpoint_state(
            desk.account_id, "ep_a", state=EndpointState.PAUSED, why="", now=at(0)
        )
    )
    order, _ = steps(desk, None, to=endpoint)
    for second in (1, 2):
        order, _ = steps(desk, order, to=endpoint, now=second)
    assert desk.states(endpoint, order) == [SUPERSEDED, SUPERSEDED, PENDING]
    assert desk.claim(now=at(3)) == ()
    desk.run(
        desk.store.set_endpoint_state(
            desk.account_id, "ep_a", state=EndpointState.ACTIVE, why="", now=at(4)
        )
    )
    assert sent(desk.claim(now=at(4))) == [(3, 2)]


def test_a_held_lane_stays_held(desk: Desk) -> None:
    endpoint = desk.endpoint(**HOLD)
    order, _ = steps(desk, None, to=endpoint)
    desk.settle(*desk.claim(), step=Abandon(), outcome=FAILED)
    for second in (1, 2):
        order, _ = steps(desk, order, to=endpoint, now=second)
    assert desk.states(endpoint, order) == [ABANDONED, SUPERSEDED, PENDING]
    assert desk.claim(now=at(10**6)) == ()
    desk.resend(endpoint, order, 1, now=at(3))
    heads = desk.claim(now=at(3))
    assert [c.sequence for c in heads] == [1]
    assert sent(desk.settle(*heads, now=at(4))) == [(3, 2)]


@pytest.mark.parametrize("count", [1, 2])
def test_every_step_is_sent_to_whoever_wants_every_step(desk: Desk, count: int) -> None:
    endpoint, every = desk.endpoint(), desk.endpoint("ep_b")
    order = desk.place("K1", to=[endpoint, every])
    for _ in range(count):
        order = desk.move(order, State.PICKING, to=[every])
    assert desk.states(every, order) == [PENDING] * (count + 1)
    assert desk.states(endpoint, order) == [PENDING]
