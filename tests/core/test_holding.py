"""Which lanes a process holds, and until when it may send of them without asking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from milepost.delivery.holding import Holding, Term
from milepost.delivery.model import Body, Claimed, Endpoint

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
ENDPOINT = Endpoint(
    account_id="acc_one",
    endpoint_id="ep_a",
    contract="standard",
    url="https://receiver.example/",
    schedule="rehearsal",
    created_at=NOW,
    updated_at=NOW,
)
HEAD = Claimed(
    endpoint=ENDPOINT,
    order_id="ord_1",
    sequence=1,
    previous=0,
    attempts=0,
    tries=0,
    replay=0,
    body=Body(b"{}"),
)
TERM = Term(NOW, 100.0)


def test_a_request_may_be_begun_while_both_clocks_say_that_the_lease_lasts() -> None:
    holding = Holding()
    assert holding.take(HEAD, TERM)
    assert holding.sure(HEAD, now=NOW, now_s=100.0)
    assert not holding.sure(HEAD, now=LATER, now_s=100.0)
    # Somebody has set the clock back, but time has passed all the same.
    assert not holding.sure(HEAD, now=NOW - timedelta(hours=1), now_s=100.5)
    holding.prolong(HEAD, Term(LATER, 101.0))
    assert holding.sure(HEAD, now=LATER, now_s=101.0)


def test_the_same_head_claimed_again_is_held_once_and_for_longer() -> None:
    holding = Holding()
    assert holding.take(HEAD, TERM)
    assert not holding.take(msgspec.structs.replace(HEAD), Term(LATER, 101.0))
    assert holding.sure(HEAD, now=LATER, now_s=101.0)
    assert holding.leave(HEAD) is None
    assert holding.take(HEAD, TERM)


def test_another_head_of_a_lane_waits_until_the_one_before_it_is_let_go_of() -> None:
    holding = Holding()
    assert holding.take(HEAD, TERM)
    for changed in ({"sequence": 2}, {"attempts": 1}, {"replay": 1}):
        another = msgspec.structs.replace(HEAD, **changed)
        assert not holding.take(another, Term(LATER, 101.0))
        assert holding.leave(HEAD) == another
        assert holding.sure(another, now=LATER, now_s=101.0)
        assert holding.leave(another) is None
        assert holding.take(HEAD, TERM)


def test_lanes_of_other_endpoints_and_orders_are_others() -> None:
    holding = Holding()
    elsewhere = msgspec.structs.replace(ENDPOINT, endpoint_id="ep_b")
    heads = [
        HEAD,
        msgspec.structs.replace(HEAD, order_id="ord_2"),
        msgspec.structs.replace(HEAD, endpoint=elsewhere),
    ]
    assert [holding.take(head, TERM) for head in heads] == [True, True, True]
    assert [holding.leave(head) for head in heads] == [None, None, None]
