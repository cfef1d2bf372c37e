"""Claims of due heads, and the leases they give."""

from __future__ import annotations

from milepost.delivery.model import (
    Body,
    DeliveryState,
    EndpointState,
    Outcome,
)
from milepost.delivery.outcome import Retry
from milepost.orders.lifecycle import State
from milepost.ports import Changes, Lease
from tests.store.desk import (
    ACCOUNT,
    ME,
    NOW,
    SOMEONE,
    Desk,
    a_delivery,
    an_order,
    at,
    names,
)

PENDING, ACKNOWLEDGED, ABANDONED = (
    DeliveryState.PENDING,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.ABANDONED,
)
FAILED = Outcome.SERVER_ERROR


# claiming


def test_only_the_head_of_a_lane_is_claimed(desk: Desk) -> None:
    endpoint = desk.endpoint()
    first = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, State.PACKED, to=[endpoint])
    second = desk.place("K2", to=[endpoint])
    assert names(desk.claim()) == [("ep_a", first.order_id, 1), ("ep_a", second.order_id, 1)]
    assert desk.claim() == ()


def test_a_claim_holds_all_that_is_sent(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = an_order("K1")
    body = Body(b"<x/>", content_type="application/xml")
    desk.change(Changes(created=[order], deliveries=[a_delivery(endpoint, order, body=body)]))
    (claimed,) = desk.claim()
    assert claimed.endpoint == endpoint
    assert (claimed.order_id, claimed.sequence, claimed.body) == (order.order_id, 1, body)
    assert (claimed.previous, claimed.attempts, claimed.tries, claimed.replay) == (0, 0, 0, 0)


def test_what_is_not_due_yet_is_not_claimed(desk: Desk) -> None:
    desk.place("K1", to=[desk.endpoint()], now=at(10))
    assert desk.claim(now=at(9.999_999)) == ()
    assert len(desk.claim(now=at(10))) == 1


def test_the_oldest_due_come_first_over_all_endpoints(desk: Desk) -> None:
    a, b = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    for number, endpoint in enumerate((b, a, a, b, a)):
        desk.place(f"K{number}", to=[endpoint], now=at(number))
    claimed = [c.order_id for _ in range(3) for c in desk.claim(now=at(9), limit=2)]
    assert [sorted(claimed[:2]), sorted(claimed[2:4]), claimed[4:]] == [
        ["ord_k0", "ord_k1"],
        ["ord_k2", "ord_k3"],
        ["ord_k4"],
    ]


def test_no_endpoint_gets_more_than_it_has_room_for(desk: Desk) -> None:
    a, b, c = (desk.endpoint(f"ep_{name}") for name in "abc")
    for number in range(5):
        desk.place(f"K{number}", to=[a, b, c])
    claimed = desk.claim(room=3, held={"ep_a": 1, "ep_b": 3})
    got = [c.endpoint.endpoint_id for c in claimed]
    assert (got.count("ep_a"), got.count("ep_b"), got.count("ep_c")) == (2, 0, 3)
    assert desk.claim(room=3, held={"ep_a": 9, "ep_b": 3, "ep_c": 3}) == ()


def test_a_limit_of_none_claims_nothing(desk: Desk) -> None:
    desk.place("K1", to=[desk.endpoint()])
    assert desk.claim(limit=0) == ()
    assert len(desk.claim(limit=1)) == 1


def test_a_paused_endpoint_is_not_claimed_until_it_is_resumed(desk: Desk) -> None:
    endpoint = desk.endpoint(state=EndpointState.PAUSED)
    order = desk.place("K1", to=[endpoint])
    assert desk.claim() == ()
    for state in (EndpointState.ACTIVE, EndpointState.PAUSED, EndpointState.ACTIVE):
        desk.run(desk.store.set_endpoint_state(ACCOUNT, "ep_a", state=state, why="", now=at(1)))
    assert names(desk.claim()) == [("ep_a", order.order_id, 1)]


def test_two_owners_never_hold_the_same_lane(desk: Desk) -> None:
    endpoint = desk.endpoint()
    for number in range(10):
        desk.place(f"K{number}", to=[endpoint])
    mine, theirs = desk.claim(limit=4), desk.claim(owner=SOMEONE)
    assert len(mine) == 4
    assert len(theirs) == 6
    assert not set(names(mine)) & set(names(theirs))


# leases


def test_a_lane_whose_lease_ran_out_is_claimed_again(desk: Desk) -> None:
    order = desk.place("K1", to=[desk.endpoint()])
    desk.claim(owner=SOMEONE, lease_s=60)
    assert desk.claim(now=at(59.999_999)) == ()
    assert names(desk.claim(now=at(60))) == [("ep_a", order.order_id, 1)]


def test_a_settlement_counts_until_somebody_else_has_the_lane(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (late,) = desk.claim(lease_s=60)
    (theirs,) = desk.claim(owner=SOMEONE, now=at(61))
    assert desk.settle(late, now=at(62)) == []
    assert desk.states(endpoint, order) == [PENDING]
    assert desk.attempts(endpoint, order) == []
    desk.settle(theirs, owner=SOMEONE, now=at(63))
    assert desk.states(endpoint, order) == [ACKNOWLEDGED]
    assert len(desk.attempts(endpoint, order)) == 1


def test_a_lease_that_ran_out_unnoticed_still_settles(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim(lease_s=1), now=at(500))
    assert desk.states(endpoint, order) == [ACKNOWLEDGED]


def test_a_lease_that_ran_out_still_settles_when_others_were_claimed_before_it(
    desk: Desk,
) -> None:
    endpoint = desk.endpoint()
    first, second = desk.place("K1", to=[endpoint]), desk.place("K2", to=[endpoint], now=at(1))
    claimed = {c.order_id: c for c in desk.claim(now=at(1), lease_s=1)}
    assert names(desk.claim(owner=SOMEONE, now=at(9), room=1)) == [("ep_a", first.order_id, 1)]
    desk.settle(*claimed.values(), now=at(10))
    assert desk.states(endpoint, first) == [PENDING]
    assert desk.states(endpoint, second) == [ACKNOWLEDGED]


def test_the_same_settlement_counts_once(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    (head,) = desk.claim()
    assert [c.sequence for c in desk.settle(head, head)] == [2]
    assert desk.settle(head) == []
    assert desk.states(endpoint, order) == [ACKNOWLEDGED, PENDING]
    assert len(desk.attempts(endpoint, order)) == 1


def test_an_owner_that_claimed_its_own_lane_again_settles_once(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (first,) = desk.claim(lease_s=1)
    (second,) = desk.claim(now=at(2))
    desk.settle(second, step=Retry(at(30)), outcome=FAILED, now=at(3))
    desk.settle(first, now=at(4))
    assert desk.states(endpoint, order) == [PENDING]
    assert [a.outcome for a in desk.attempts(endpoint, order)] == [FAILED]


def test_a_settlement_of_an_earlier_claim_does_not_count_for_a_later_one(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (first,) = desk.claim()
    desk.settle(first, step=Retry(at(10)), outcome=FAILED)
    (second,) = desk.claim(now=at(10))
    desk.settle(first, now=at(11))
    assert desk.states(endpoint, order) == [PENDING]
    desk.settle(second, now=at(12))
    assert [a.attempt for a in desk.attempts(endpoint, order)] == [1, 2]


def test_renewing_prolongs_every_lease_of_the_owner_and_no_other(desk: Desk) -> None:
    a, b = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    desk.place("K1", to=[a, b], lease=True)
    order = desk.place("K2", to=[b])
    desk.claim(owner=SOMEONE)
    desk.run(desk.store.renew(lease=Lease(ME, at(120))))
    assert names(desk.claim(now=at(119), lease_s=1)) == [("ep_b", order.order_id, 1)]
    assert len(desk.claim(now=at(120))) == 3


def test_releasing_gives_back_the_leases_of_the_owner_and_no_other(desk: Desk) -> None:
    a, b = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    order = desk.place("K1", to=[a, b], lease=True)
    desk.place("K2", to=[a])
    desk.claim(owner=SOMEONE)
    desk.run(desk.store.release(owner=ME, now=at(1)))
    assert names(desk.claim(now=at(1))) == [(e, order.order_id, 1) for e in ("ep_a", "ep_b")]


def test_what_was_released_cannot_be_settled_by_its_former_owner(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (head,) = desk.claim()
    desk.run(desk.store.release(owner=ME, now=NOW))
    desk.settle(head)
    assert desk.states(endpoint, order) == [PENDING]
