"""What an operator does to deliveries: sends again, tests, deletes an endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from milepost.delivery.model import (
    ENDPOINT_TEST,
    Body,
    DeliveryState,
    NewDelivery,
    Outcome,
)
from milepost.delivery.outcome import Abandon, Retry
from milepost.errors import AlreadyExists, UnknownRecord
from milepost.orders.lifecycle import State
from tests.store.desk import (
    ACCOUNT,
    NOW,
    SOMEONE,
    Desk,
    an_endpoint,
    an_order,
    at,
)

PENDING, ACKNOWLEDGED, ABANDONED = (
    DeliveryState.PENDING,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.ABANDONED,
)
FAILED = Outcome.SERVER_ERROR


# sent again by an operator


def test_what_is_sent_again_is_a_new_replay_with_fresh_tries(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim(), step=Retry(at(1)), outcome=FAILED)
    desk.settle(*desk.claim(now=at(1)), step=Abandon(), outcome=FAILED)
    again = desk.resend(endpoint, order, now=at(9))
    assert (again.state, again.replay, again.tries, again.attempts) == (PENDING, 1, 0, 2)
    assert (again.due_at, again.settled_at) == (at(9), None)
    assert again.delivery_id == f"{order.order_id}-1-ep_a-r1"
    (claimed,) = desk.claim(now=at(9))
    assert (claimed.replay, claimed.tries, claimed.attempts) == (1, 0, 2)
    assert claimed.body == Body(f"{order.order_id} 1".encode())
    desk.settle(claimed, now=at(10))
    assert [(a.attempt, a.replay) for a in desk.attempts(endpoint, order)] == [
        (1, 0),
        (2, 0),
        (3, 1),
    ]
    assert desk.resend(endpoint, order).replay == 2


def test_what_is_pending_is_not_sent_again_but_returned(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    assert desk.resend(endpoint, order, now=at(5)) == desk.delivery(endpoint, order)
    assert desk.delivery(endpoint, order).replay == 0
    assert len(desk.claim(now=NOW)) == 1


def test_what_is_sent_again_goes_before_what_waits(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim())
    order = desk.move(order, State.PICKING, to=[endpoint])
    desk.settle(*desk.claim(), step=Retry(at(500)), outcome=FAILED)
    desk.resend(endpoint, order, 1, now=at(5))
    (first,) = desk.claim(now=at(5))
    assert first.sequence == 1
    assert desk.settle(first, now=at(6)) == []
    assert desk.claim(now=at(499)) == ()
    assert [c.sequence for c in desk.claim(now=at(500))] == [2]


def test_what_is_sent_again_waits_for_the_one_on_the_wire(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim())
    order = desk.move(order, State.PICKING, State.PACKED, to=[endpoint])
    (on_wire,) = desk.claim()
    desk.resend(endpoint, order, 1, now=at(1))
    assert desk.claim(owner=SOMEONE, now=at(1)) == ()
    (again,) = desk.settle(on_wire, now=at(2))
    assert (again.sequence, again.replay) == (1, 1)
    assert [c.sequence for c in desk.settle(again, now=at(3))] == [3]


def test_a_failed_head_lets_the_one_sent_again_go_first(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim())
    order = desk.move(order, State.PICKING, to=[endpoint])
    (on_wire,) = desk.claim()
    desk.resend(endpoint, order, 1, now=at(1))
    desk.settle(on_wire, step=Retry(at(100)), outcome=FAILED, now=at(2))
    (again,) = desk.claim(now=at(2))
    assert again.sequence == 1
    assert desk.settle(again, now=at(3)) == []
    assert [c.sequence for c in desk.claim(now=at(100))] == [2]


def test_a_later_one_sent_again_does_not_hurry_the_head(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    heads = desk.settle(*desk.claim())
    desk.settle(*heads)
    desk.resend(endpoint, order, 1, now=at(1))
    desk.settle(*desk.claim(now=at(1)), step=Retry(at(100)), outcome=FAILED, now=at(2))
    desk.resend(endpoint, order, 2, now=at(3))
    assert desk.claim(now=at(99)) == ()
    assert [c.sequence for c in desk.claim(now=at(100))] == [1]


def test_what_is_not_there_cannot_be_sent_again(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    for case in ((endpoint, order, 2), (endpoint, an_order("K2"), 1)):
        with pytest.raises(UnknownRecord):
            desk.resend(*case)
    with pytest.raises(UnknownRecord):
        desk.resend(an_endpoint("ep_x"), order)


# tests and deletions


def a_test_notification(desk: Desk, **given: Any) -> NewDelivery:
    return NewDelivery(
        **{
            "endpoint": an_endpoint(account_id=desk.account_id),
            "order_id": f"{ENDPOINT_TEST}1",
            "sequence": 1,
            "status": "test",
            "body": Body(b"test"),
            **given,
        }
    )


def test_a_test_notification_is_queued_and_sent_like_any_other(desk: Desk) -> None:
    endpoint = desk.endpoint()
    queued = desk.run(desk.store.add_delivery(a_test_notification(desk, lease=True), now=at(3)))
    assert (queued.state, queued.created_at, queued.due_at) == (PENDING, at(3), at(3))
    (claimed,) = desk.claim(now=at(3))
    assert (claimed.endpoint, claimed.body, claimed.previous) == (endpoint, Body(b"test"), 0)
    desk.settle(claimed)
    found, body = desk.run(desk.store.delivery(ACCOUNT, "ep_a", f"{ENDPOINT_TEST}1", 1))
    assert (found.state, body) == (ACKNOWLEDGED, b"test")


def test_a_test_notification_needs_an_endpoint_and_a_new_name(desk: Desk) -> None:
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.add_delivery(a_test_notification(desk), now=NOW))
    desk.endpoint()
    desk.run(desk.store.add_delivery(a_test_notification(desk), now=NOW))
    with pytest.raises(AlreadyExists):
        desk.run(desk.store.add_delivery(a_test_notification(desk), now=NOW))


def test_one_order_can_be_told_to_another_endpoint_later_in_other_words(desk: Desk) -> None:
    a, b = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    order = desk.place("K1", to=[a])
    other = a_test_notification(desk, endpoint=b, order_id=order.order_id, body=Body(b"other"))
    desk.run(desk.store.add_delivery(other, now=NOW))
    bodies = {c.endpoint.endpoint_id: c.body.content for c in desk.claim()}
    assert bodies == {"ep_a": f"{order.order_id} 1".encode(), "ep_b": b"other"}


def test_deleting_an_endpoint_abandons_what_is_pending_and_keeps_history(desk: Desk) -> None:
    a, b = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    done = desk.place("K0", to=[a])
    desk.settle(*desk.claim())
    first = desk.move(desk.place("K1", to=[a, b]), State.PICKING, State.PACKED, to=[a, b])
    second = desk.place("K2", to=[a, b])
    on_wire = [c for c in desk.claim(limit=3) if c.endpoint == a]
    assert desk.run(desk.store.delete_endpoint(ACCOUNT, "ep_a", now=at(5))) == 4
    assert desk.states(a, done) == [ACKNOWLEDGED]
    assert desk.states(a, first) == [ABANDONED] * 3
    assert desk.delivery(a, second).settled_at == at(5)
    assert desk.states(b, first) == [PENDING] * 3
    assert desk.settle(*on_wire) == []
    assert desk.states(a, first) == [ABANDONED] * 3
    assert {c.endpoint.endpoint_id for c in desk.claim(now=at(900))} == {"ep_b"}
    assert len(desk.attempts(a, done)) == 1
    with pytest.raises(UnknownRecord):
        desk.resend(a, done)
    desk.endpoint("ep_a")
    assert "ep_a" not in {c.endpoint.endpoint_id for c in desk.claim(now=at(10**6))}


def test_an_endpoint_with_nothing_pending_is_deleted_with_a_count_of_none(desk: Desk) -> None:
    desk.endpoint()
    assert desk.run(desk.store.delete_endpoint(ACCOUNT, "ep_a", now=NOW)) == 0


def test_a_settle_or_claim_of_nothing_is_nothing(desk: Desk) -> None:
    assert desk.settle() == ()
    assert desk.claim() == ()
