"""What settling a delivery does to its lane."""

from __future__ import annotations

from milepost.delivery.model import (
    DeliveryState,
    EndpointState,
    LanePolicy,
    Outcome,
)
from milepost.delivery.outcome import Abandon, Acknowledge, Pause, Retry
from milepost.orders.lifecycle import State
from milepost.ports import Changes, Lease, Settlement
from tests.store.desk import (
    ACCOUNT,
    HOLD,
    ME,
    SOMEONE,
    Desk,
    a_delivery,
    an_attempt,
    at,
    names,
)

PENDING, ACKNOWLEDGED, ABANDONED = (
    DeliveryState.PENDING,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.ABANDONED,
)
FAILED = Outcome.SERVER_ERROR


# settling


def test_what_was_acknowledged_is_on_record_with_its_attempt(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (head,) = desk.claim()
    attempt = an_attempt(head, status=201, detail="fine", response=b"\x00ok", started_at=at(0.5))
    assert desk.settle(head, now=at(1)) == []
    assert [a.outcome for a in desk.attempts(endpoint, order)] == [Outcome.ACKNOWLEDGED]
    found = desk.delivery(endpoint, order)
    assert (found.state, found.attempts, found.tries) == (ACKNOWLEDGED, 1, 1)
    assert (found.settled_at, found.due_at, found.outcome) == (
        at(1),
        None,
        Outcome.ACKNOWLEDGED,
    )
    assert attempt.attempt == found.attempts


def test_every_fact_of_an_attempt_is_kept(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (head,) = desk.claim()
    attempt = an_attempt(
        head, Outcome.TIMEOUT, status=0, detail="15 s", response=b"\x00x", duration_ms=15_000.125
    )
    desk.run(
        desk.store.settle(
            [Settlement(head, attempt, Retry(at(9)))], lease=Lease(ME, at(60)), now=at(1)
        )
    )
    assert desk.attempts(endpoint, order) == [attempt]


def test_the_next_delivery_of_the_lane_follows_leased_to_the_same_owner(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, State.PACKED, to=[endpoint])
    heads = desk.claim()
    seen = []
    while heads:
        seen += [(c.sequence, c.previous, c.body.content) for c in heads]
        assert desk.claim(owner=SOMEONE) == ()
        heads = desk.settle(*heads)
    assert seen == [(n, n - 1, f"{order.order_id} {n}".encode()) for n in (1, 2, 3)]
    assert desk.states(endpoint, order) == [ACKNOWLEDGED] * 3


def test_a_retry_keeps_its_lane_waiting_and_no_other(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    other = desk.place("K2", to=[endpoint])
    first, second = sorted(desk.claim(), key=lambda c: c.order_id)
    assert desk.settle(first, step=Retry(at(30)), outcome=FAILED, now=at(1)) == []
    assert desk.settle(second, now=at(1)) == []
    assert desk.claim(now=at(29)) == ()
    (again,) = desk.claim(now=at(30))
    assert (again.order_id, again.sequence) == (order.order_id, 1)
    assert (again.attempts, again.tries) == (1, 1)
    assert desk.states(endpoint, other) == [ACKNOWLEDGED]
    waiting = desk.delivery(endpoint, order)
    assert (waiting.due_at, waiting.outcome, waiting.settled_at) == (at(30), FAILED, None)


def test_attempts_are_numbered_through(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    for number in range(3):
        desk.settle(*desk.claim(now=at(number)), step=Retry(at(number + 1)), outcome=FAILED)
    desk.settle(*desk.claim(now=at(3)))
    assert [a.attempt for a in desk.attempts(endpoint, order)] == [1, 2, 3, 4]


def test_a_lane_goes_on_when_its_head_is_given_up_and_names_the_gap(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    following = desk.settle(*desk.claim(), step=Abandon(), outcome=FAILED, now=at(1))
    assert [(c.sequence, c.previous) for c in following] == [(2, 1)]
    assert desk.states(endpoint, order) == [ABANDONED, PENDING]
    given_up = desk.delivery(endpoint, order)
    assert (given_up.settled_at, given_up.due_at, given_up.outcome) == (at(1), None, FAILED)


def test_a_lane_with_nothing_pending_begins_anew(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    assert desk.settle(*desk.claim(), step=Abandon(), outcome=FAILED) == []
    desk.move(order, State.PICKING, to=[endpoint])
    assert [(c.sequence, c.previous) for c in desk.claim()] == [(2, 1)]


def test_a_pause_records_the_attempt_and_parks_everything_pending(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    other = desk.move(desk.place("K2", to=[endpoint]), State.PICKING, to=[endpoint])
    gone, fine = sorted(desk.claim(), key=lambda c: c.order_id)
    assert desk.settle(gone, step=Pause("410 Gone"), outcome=Outcome.GONE, now=at(1)) == []
    paused = desk.run(desk.store.endpoint(ACCOUNT, "ep_a"))
    assert (paused.state, paused.state_why, paused.updated_at) == (
        EndpointState.PAUSED,
        "410 Gone",
        at(1),
    )
    assert desk.settle(fine, now=at(2)) == []
    assert desk.claim(now=at(999)) == ()
    assert [a.outcome for a in desk.attempts(endpoint, order)] == [Outcome.GONE]
    desk.run(
        desk.store.set_endpoint_state(
            ACCOUNT, "ep_a", state=EndpointState.ACTIVE, why="", now=at(3)
        )
    )
    assert names(desk.claim(now=at(3))) == [
        ("ep_a", order.order_id, 1),
        ("ep_a", other.order_id, 2),
    ]


def test_a_pause_stops_the_lanes_that_are_settled_with_it(desk: Desk) -> None:
    endpoint = desk.endpoint()
    for key in ("K1", "K2"):
        desk.move(desk.place(key, to=[endpoint]), State.PICKING, to=[endpoint])
    first, second = desk.claim()
    following = desk.run(
        desk.store.settle(
            [
                Settlement(first, an_attempt(first), Acknowledge()),
                Settlement(second, an_attempt(second, Outcome.GONE), Pause("gone")),
            ],
            lease=Lease(ME, at(60)),
            now=at(1),
        )
    )
    assert following == []


# holding


def test_under_hold_a_lane_waits_when_its_head_is_given_up(desk: Desk) -> None:
    endpoint = desk.endpoint(**HOLD)
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    assert desk.settle(*desk.claim(), step=Abandon(), outcome=FAILED) == []
    assert desk.claim(now=at(10**8)) == ()
    desk.move(order, State.PACKED, to=[endpoint], lease=True)
    assert desk.claim(now=at(10**8)) == ()
    assert desk.states(endpoint, order) == [ABANDONED, PENDING, PENDING]


def test_under_hold_what_comes_after_a_given_up_delivery_waits_too(desk: Desk) -> None:
    endpoint = desk.endpoint(**HOLD)
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim(), step=Abandon(), outcome=FAILED)
    delivery = a_delivery(endpoint, desk.move(order, State.PICKING), lease=True)
    assert desk.change(Changes(deliveries=[delivery])) == []
    assert desk.claim(now=at(10**8)) == ()


def test_sending_the_given_up_delivery_again_ends_the_hold(desk: Desk) -> None:
    endpoint = desk.endpoint(**HOLD)
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    desk.settle(*desk.claim(), step=Abandon(), outcome=FAILED)
    desk.resend(endpoint, order, now=at(5))
    assert desk.claim(now=at(4)) == ()
    (again,) = desk.claim(now=at(5))
    assert (again.sequence, again.replay) == (1, 1)
    assert [c.sequence for c in desk.settle(again, now=at(6))] == [2]


def test_a_hold_ends_when_the_policy_changes(desk: Desk) -> None:
    endpoint = desk.endpoint(**HOLD)
    desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    desk.settle(*desk.claim(), step=Abandon(), outcome=FAILED)
    desk.endpoint(**HOLD, updated_at=at(1))
    assert desk.claim(now=at(2)) == ()
    desk.endpoint(lane_policy=LanePolicy.GO_ON, updated_at=at(3))
    assert [c.sequence for c in desk.claim(now=at(3))] == [2]
