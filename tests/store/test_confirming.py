"""Whose the lanes are that a process holds but is no longer sure of."""

from __future__ import annotations

from collections.abc import Sequence

from milepost.delivery.model import Claimed, DeliveryState, Outcome
from milepost.delivery.outcome import Retry
from milepost.orders.lifecycle import State
from milepost.ports import Lease
from tests.store.desk import ME, SOMEONE, Desk, at, names


def confirm(desk: Desk, *claimed: Claimed, until: float = 120) -> Sequence[Claimed]:
    found: Sequence[Claimed] = desk.run(desk.store.confirm(claimed, lease=Lease(ME, at(until))))
    return found


def test_lanes_that_nobody_took_over_are_still_ours_and_prolonged(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    desk.place("K2", to=[endpoint])
    held = desk.claim(lease_s=60)
    assert names(confirm(desk, *held)) == names(held)
    assert desk.claim(owner=SOMEONE, now=at(119)) == ()
    assert len(desk.claim(owner=SOMEONE, now=at(120))) == 2


def test_lanes_that_somebody_else_has_are_not_ours_and_not_touched(desk: Desk) -> None:
    endpoint = desk.endpoint()
    for key in ("K1", "K2"):
        desk.place(key, to=[endpoint])
    held = desk.claim(lease_s=60)
    (theirs,) = desk.claim(owner=SOMEONE, now=at(61), limit=1)
    assert names(confirm(desk, *held, until=200)) == [
        one for one in names(held) if one[1] != theirs.order_id
    ]
    assert len(desk.claim(owner=SOMEONE, now=at(121))) == 1


def test_what_somebody_else_has_sent_is_not_ours_though_the_lane_came_back_to_us(
    desk: Desk,
) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    (late,) = desk.claim(lease_s=60)
    (theirs,) = desk.claim(owner=SOMEONE, now=at(61))
    (following,) = desk.settle(theirs, owner=SOMEONE, now=at(62))
    desk.settle(
        following,
        owner=SOMEONE,
        step=Retry(at(70)),
        outcome=Outcome.SERVER_ERROR,
        now=at(63),
    )
    (again,) = desk.claim(now=at(70))
    assert confirm(desk, late) == []
    assert names(confirm(desk, again)) == [("ep_a", order.order_id, 2)]
    desk.settle(again, now=at(71))
    assert desk.states(endpoint, order) == [DeliveryState.ACKNOWLEDGED] * 2


def test_an_attempt_that_somebody_else_has_made_makes_the_claim_before_it_void(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.place("K1", to=[endpoint])
    (late,) = desk.claim(lease_s=60)
    (theirs,) = desk.claim(owner=SOMEONE, now=at(61))
    desk.settle(theirs, owner=SOMEONE, step=Retry(at(70)), outcome=Outcome.SERVER_ERROR, now=at(62))
    (again,) = desk.claim(now=at(70))
    assert confirm(desk, late) == []
    assert names(confirm(desk, again)) == names([again])


def test_an_earlier_one_that_is_sent_again_takes_nothing_from_us(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    (held,) = desk.settle(*desk.claim())
    desk.resend(endpoint, order, 1, now=at(5))
    assert names(confirm(desk, held)) == [("ep_a", order.order_id, 2)]


def test_what_an_operator_has_removed_or_given_back_is_not_ours(desk: Desk) -> None:
    a, b = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    desk.place("K1", to=[a, b])
    held = desk.claim()
    desk.run(desk.store.delete_endpoint(desk.account_id, "ep_a", now=at(1)))
    assert [one[0] for one in names(confirm(desk, *held))] == ["ep_b"]
    desk.run(desk.store.release(owner=ME, now=at(2)))
    assert not confirm(desk, *held)
    assert not confirm(desk)
