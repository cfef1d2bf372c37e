"""Sending many again: a part is queued once and at its place in its lane, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Any

import pytest

from milepost.delivery.model import (
    Body,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointState,
    NewDelivery,
    Outcome,
)
from milepost.delivery.outcome import Abandon, Retry
from milepost.errors import InvalidInput, TooManyResends, UnknownRecord
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.ports import Changes, OrderRef, Page, Store
from milepost.ports.resends import (
    Advance,
    Between,
    Choice,
    Failed,
    Latest,
    OfOrder,
    Place,
    Resend,
    ResendState,
)
from milepost.resends import Resends
from tests.store.desk import (
    ACCOUNT,
    HOLD,
    NOW,
    SOMEONE,
    Desk,
    Run,
    a_delivery,
    an_endpoint,
    an_event,
    at,
    moved,
)
from tests.store.test_erasing import erase, sweep

PENDING, ACKNOWLEDGED, ABANDONED = (
    DeliveryState.PENDING,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.ABANDONED,
)
FAILED = Outcome.SERVER_ERROR
FIRST = Place("ord_z", 1)


def asked(
    desk: Desk,
    endpoint: Endpoint,
    *,
    choice: Choice | None = None,
    name: str = "rsd_1",
    asked_at: datetime = NOW,
    most: int = 10,
) -> Resend:
    wanted = Resend(desk.account_id, name, endpoint.endpoint_id, choice or Failed(NOW), asked_at)
    found: Resend = desk.run(desk.store.add_resend(wanted, most=most))
    return found


def part(
    *chosen: tuple[str, int], newest: bool = False, place: Place = FIRST, ends: bool = False
) -> Advance:
    return Advance(chosen, newest, examined=len(chosen), place=place, ends=ends)


def queue(desk: Desk, resend: Resend, advance: Advance, *, now: datetime = NOW) -> Resend:
    found: Resend = desk.run(desk.store.advance_resend(resend, advance, now=now))
    return found


def given_up(desk: Desk, *, s: float = 1) -> None:
    """Gives up the heads of all lanes."""
    heads: Sequence[Any] = desk.claim(now=at(s))
    while heads:
        heads = desk.settle(*heads, step=Abandon(), outcome=FAILED, now=at(s))


# what is queued


def test_a_part_goes_back_into_its_lanes_in_order_and_counts_what_it_queued(desk: Desk) -> None:
    endpoint = desk.endpoint()
    first = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    second = desk.place("K2", to=[endpoint])
    given_up(desk)
    resend = asked(desk, endpoint, asked_at=at(2))
    chosen = [(second.order_id, 1), (first.order_id, 2), (first.order_id, 1)]
    after = queue(desk, resend, part(*chosen), now=at(3))
    assert (after.queued, after.examined, after.state) == (3, 3, ResendState.RUNNING)
    assert after.place == FIRST
    assert desk.run(desk.store.find_resend(ACCOUNT, "rsd_1")) == after
    heads = desk.claim(now=at(3))
    assert sorted((c.order_id, c.sequence, c.replay, c.tries) for c in heads) == [
        ("ord_k1", 1, 1, 0),
        ("ord_k2", 1, 1, 0),
    ]
    following = desk.settle(*heads, now=at(4))
    assert [(c.order_id, c.sequence, c.replay) for c in following] == [("ord_k1", 2, 1)]


def test_a_part_that_somebody_else_has_queued_is_not_queued_again(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    given_up(desk)
    resend = asked(desk, endpoint, asked_at=at(2))
    after = queue(desk, resend, part((order.order_id, 1)), now=at(3))
    desk.settle(*desk.claim(now=at(3)), now=at(3))
    assert queue(desk, resend, part((order.order_id, 1)), now=at(4)) == after
    assert desk.delivery(endpoint, order).replay == 1
    assert desk.states(endpoint, order) == [ACKNOWLEDGED]


def test_what_was_settled_after_the_resend_was_asked_for_is_left_alone(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    heads = desk.settle(*desk.claim(), now=at(1))
    desk.settle(*heads, now=at(5))
    resend = asked(desk, endpoint, asked_at=at(4))
    chosen = [(order.order_id, 1), (order.order_id, 2)]
    assert queue(desk, resend, part(*chosen), now=at(6)).queued == 1
    assert desk.states(endpoint, order) == [PENDING, ACKNOWLEDGED]


def test_what_is_pending_or_unknown_is_left_alone(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    resend = asked(desk, endpoint, asked_at=at(1))
    chosen = [(order.order_id, 1), (order.order_id, 7), ("ord_none", 1)]
    assert queue(desk, resend, part(*chosen), now=at(2)).queued == 0
    assert desk.delivery(endpoint, order).replay == 0
    (head,) = desk.claim(now=at(2))
    assert (head.order_id, head.attempts) == (order.order_id, 0)
    assert desk.settle(head, now=at(3)) == []
    assert desk.claim(now=at(99)) == ()


def test_of_the_newest_only_what_still_is_the_newest_is_queued(desk: Desk) -> None:
    endpoint = desk.endpoint()
    first = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    second = desk.place("K2", to=[endpoint])
    given_up(desk)
    # By the time that the part is queued, something new has come for one of the orders.
    desk.move(second, State.PICKING, to=[endpoint], now=at(2))
    resend = asked(desk, endpoint, choice=Latest(NOW), asked_at=at(2))
    chosen = [(first.order_id, 1), (first.order_id, 2), (second.order_id, 1)]
    assert queue(desk, resend, part(*chosen, newest=True), now=at(3)).queued == 1
    assert desk.states(endpoint, first) == [ABANDONED, PENDING]
    assert desk.states(endpoint, second) == [ABANDONED, PENDING]
    heads = desk.claim(now=at(3))
    assert sorted((c.order_id, c.sequence, c.replay) for c in heads) == [
        ("ord_k1", 2, 1),
        ("ord_k2", 2, 0),
    ]


def test_a_lane_with_a_head_on_the_wire_goes_on_with_what_was_sent_again(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim(), now=at(1))
    desk.move(order, State.PICKING, State.PACKED, to=[endpoint], now=at(1))
    (on_wire,) = desk.claim(now=at(1))
    resend = asked(desk, endpoint, asked_at=at(2))
    assert queue(desk, resend, part((order.order_id, 1)), now=at(2)).queued == 1
    assert desk.claim(owner=SOMEONE, now=at(3)) == ()
    (again,) = desk.settle(on_wire, now=at(3))
    assert (again.sequence, again.replay) == (1, 1)
    assert [c.sequence for c in desk.settle(again, now=at(4))] == [3]


def test_a_lane_that_waits_for_its_next_attempt_does_not_go_sooner(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    (second,) = desk.settle(*desk.claim(), now=at(1))
    desk.settle(second, now=at(1))
    order = desk.move(order, State.PACKED, to=[endpoint], now=at(1))
    desk.settle(*desk.claim(now=at(1)), step=Retry(at(500)), outcome=FAILED, now=at(1))
    resend = asked(desk, endpoint, asked_at=at(2))
    chosen = [(order.order_id, 3)]
    assert queue(desk, resend, part(*chosen), now=at(2)).queued == 0
    assert desk.claim(now=at(499)) == ()
    assert [c.sequence for c in desk.claim(now=at(500))] == [3]


def test_a_held_lane_is_let_go_by_what_is_sent_again_and_by_nothing_else(desk: Desk) -> None:
    endpoint = desk.endpoint(**HOLD)
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    desk.settle(*desk.claim(), step=Abandon(), outcome=FAILED, now=at(1))
    assert desk.claim(now=at(1)) == ()
    resend = asked(desk, endpoint, asked_at=at(2))
    after = queue(desk, resend, part((order.order_id, 2)), now=at(2))
    assert (after.queued, desk.claim(now=at(2))) == (0, ())
    queue(desk, after, part((order.order_id, 1), place=Place("ord_z", 2)), now=at(3))
    (head,) = desk.claim(now=at(3))
    assert head.sequence == 1
    assert [c.sequence for c in desk.settle(head, now=at(4))] == [2]


def test_what_is_sent_again_to_a_paused_endpoint_is_parked(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    given_up(desk)
    state = EndpointState.PAUSED
    pause = desk.store.set_endpoint_state(ACCOUNT, "ep_a", state=state, why="so", now=at(2))
    desk.run(pause)
    resend = asked(desk, endpoint, asked_at=at(2))
    assert queue(desk, resend, part((order.order_id, 1)), now=at(2)).queued == 1
    assert desk.claim(now=at(3)) == ()
    assert desk.run(desk.store.due_lanes(ACCOUNT, "ep_a", now=at(3), most=10)) == 1


def test_a_resend_ends_with_its_endpoint(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    given_up(desk)
    resend = asked(desk, endpoint, asked_at=at(2))
    desk.run(desk.store.delete_endpoint(ACCOUNT, "ep_a", now=at(2)))
    after = queue(desk, resend, part((order.order_id, 1)), now=at(3))
    assert (after.state, after.queued, after.finished_at) == (ResendState.STOPPED, 0, at(3))
    assert after.why == "its endpoint was removed"
    assert desk.states(endpoint, order) == [ABANDONED]
    with pytest.raises(UnknownRecord):
        asked(desk, endpoint, name="rsd_2")


def test_a_resend_ends_with_its_last_part_and_then_changes_nothing_more(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    given_up(desk)
    resend = asked(desk, endpoint, asked_at=at(2))
    after = queue(desk, resend, part(place=Place(), ends=True), now=at(3))
    assert (after.state, after.finished_at) == (ResendState.DONE, at(3))
    assert queue(desk, after, part((order.order_id, 1)), now=at(4)) == after
    assert desk.states(endpoint, order) == [ABANDONED]


# resends themselves


@pytest.mark.parametrize(
    "choice",
    [
        Failed(at(-1)),
        Between(at(-5), at(5)),
        OfOrder("ord_k1", first=2, last=9),
        Latest(at(-7)),
    ],
    ids=lambda choice: type(choice).__name__,
)
def test_what_was_asked_for_comes_back_as_it_was(
    desk: Desk, another: Callable[[], Store], run: Run[Any], choice: Choice
) -> None:
    made = asked(desk, desk.endpoint(), choice=choice, asked_at=at(3))
    assert run(another().find_resend(ACCOUNT, "rsd_1")) == made
    assert (made.choice, made.asked_at, made.state) == (choice, at(3), ResendState.RUNNING)


def test_the_same_that_runs_already_is_not_begun_again(desk: Desk) -> None:
    first, other = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    one = asked(desk, first)
    assert asked(desk, first, name="rsd_2", asked_at=at(9)) == one
    assert asked(desk, first, name="rsd_3", choice=Latest(NOW)).resend_id == "rsd_3"
    assert asked(desk, other, name="rsd_4").resend_id == "rsd_4"
    queue(desk, one, part(ends=True))
    assert asked(desk, first, name="rsd_5").resend_id == "rsd_5"


def test_no_more_of_an_endpoint_run_than_may(desk: Desk) -> None:
    endpoint = desk.endpoint()
    one = asked(desk, endpoint, most=2)
    asked(desk, endpoint, name="rsd_2", choice=Failed(at(1)), most=2)
    with pytest.raises(TooManyResends, match="2 run already"):
        asked(desk, endpoint, name="rsd_3", choice=Failed(at(2)), most=2)
    assert asked(desk, endpoint, name="rsd_4", most=2) == one
    desk.run(desk.store.stop_resend(ACCOUNT, "rsd_1", why="enough", now=at(5)))
    asked(desk, endpoint, name="rsd_3", choice=Failed(at(2)), most=2)


def test_a_resend_that_is_stopped_queues_nothing_more_and_says_why(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    given_up(desk)
    resend = asked(desk, endpoint, asked_at=at(2))
    stopped = desk.run(desk.store.stop_resend(ACCOUNT, "rsd_1", why="enough", now=at(5)))
    assert (stopped.state, stopped.why, stopped.finished_at) == (
        ResendState.STOPPED,
        "enough",
        at(5),
    )
    assert queue(desk, resend, part((order.order_id, 1)), now=at(6)) == stopped
    assert desk.states(endpoint, order) == [ABANDONED]
    again = desk.run(desk.store.stop_resend(ACCOUNT, "rsd_1", why="more", now=at(7)))
    assert again == stopped
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.stop_resend(ACCOUNT, "rsd_2", why="", now=at(7)))


def test_resends_are_listed_newest_first_and_those_that_run_oldest_first(desk: Desk) -> None:
    endpoint = desk.endpoint()
    for n in range(5):
        asked(desk, endpoint, name=f"rsd_{n}", choice=Failed(at(n)))
    desk.run(desk.store.stop_resend(ACCOUNT, "rsd_2", why="", now=at(9)))
    found, after = desk.run(desk.store.resends(ACCOUNT, page=Page(limit=3)))
    assert [r.resend_id for r in found] == ["rsd_4", "rsd_3", "rsd_2"]
    found, after = desk.run(desk.store.resends(ACCOUNT, page=Page(after, limit=3)))
    assert ([r.resend_id for r in found], after) == (["rsd_1", "rsd_0"], None)
    running = desk.run(desk.store.running_resends(limit=3))
    assert [r.resend_id for r in running] == ["rsd_0", "rsd_1", "rsd_3"]
    with pytest.raises(InvalidInput):
        desk.run(desk.store.resends(ACCOUNT, page=Page("WzEsMl0")))


def test_nobody_sees_or_moves_the_resends_of_another_account(desk: Desk, neighbor: Desk) -> None:
    for one in (desk, neighbor):
        endpoint = one.endpoint()
        one.place("K1", to=[endpoint])
    given_up(desk)
    asked(desk, an_endpoint(), asked_at=at(2))
    store = neighbor.store
    with pytest.raises(UnknownRecord):
        neighbor.run(store.find_resend(neighbor.account_id, "rsd_1"))
    with pytest.raises(UnknownRecord):
        neighbor.run(store.stop_resend(neighbor.account_id, "rsd_1", why="", now=at(3)))
    assert neighbor.run(store.resends(neighbor.account_id, page=Page())) == ([], None)
    mine = asked(neighbor, an_endpoint(account_id=neighbor.account_id), asked_at=at(2))
    queue(neighbor, mine, part(("ord_k1", 1)), now=at(3))
    order = desk.run(desk.store.delivery(ACCOUNT, "ep_a", "ord_k1", 1))[0]
    assert order.replay == 0


# what a resend chooses from


def test_what_was_given_up_is_read_by_its_age_page_by_page(desk: Desk) -> None:
    endpoint, other = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    for n in (3, 1, 2):
        desk.place(f"K{n}", to=[endpoint, other], now=at(-n))
    desk.move(desk.place("K9", to=[endpoint], now=at(-9)), State.PICKING, to=[endpoint])
    given_up(desk)
    desk.place("K0", to=[endpoint], now=at(1))
    found: list[Delivery] = []
    place = Place()
    while page := desk.run(desk.store.failed(ACCOUNT, "ep_a", after=place, limit=2)):
        found += page
        last = page[-1]
        place = Place(last.order_id, last.sequence, last.created_at)
    assert [(d.order_id, d.sequence) for d in found] == [
        ("ord_k9", 1),
        ("ord_k3", 1),
        ("ord_k2", 1),
        ("ord_k1", 1),
        ("ord_k9", 2),
    ]
    assert {d.endpoint_id for d in found} == {"ep_a"}


def test_orders_are_walked_by_their_ids_with_the_time_of_their_last_change(desk: Desk) -> None:
    first = desk.place("K1")
    desk.place("K2", updated_at=at(7))
    desk.move(first, State.PICKING, updated_at=at(5))
    desk.place("K3")
    found = desk.run(desk.store.changed_orders(ACCOUNT, after="", limit=2))
    assert [(o.order_id, o.created_at, o.updated_at) for o in found] == [
        ("ord_k1", NOW, at(5)),
        ("ord_k2", NOW, at(7)),
    ]
    (last,) = desk.run(desk.store.changed_orders(ACCOUNT, after="ord_k2", limit=2))
    assert last.order_id == "ord_k3"


def test_what_was_queued_for_an_endpoint_is_read_by_order_whole_or_the_newest(desk: Desk) -> None:
    endpoint, other = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    first = desk.place("K1", to=[endpoint, other])
    desk.settle(*desk.claim(), now=at(1))
    desk.move(first, State.PICKING, State.PACKED, to=[endpoint], now=at(2))
    desk.place("K2", to=[other])
    desk.place("K3", to=[endpoint])

    def read(*names: str, newest: bool) -> list[tuple[str, int, DeliveryState]]:
        found = desk.run(desk.store.told_of(ACCOUNT, "ep_a", names, newest=newest))
        return [(d.order_id, d.sequence, d.state) for d in found]

    names = ("ord_k3", "ord_k2", "ord_k1", "ord_none")
    assert read(*names, newest=False) == [
        ("ord_k1", 1, ACKNOWLEDGED),
        ("ord_k1", 2, PENDING),
        ("ord_k1", 3, PENDING),
        ("ord_k3", 1, PENDING),
    ]
    assert read(*names, newest=True) == [("ord_k1", 3, PENDING), ("ord_k3", 1, PENDING)]
    assert read(newest=True) == []


def test_due_lanes_are_counted_as_far_as_asked(desk: Desk) -> None:
    endpoint = desk.endpoint()
    for n in range(5):
        desk.place(f"K{n}", to=[endpoint])
    desk.claim(limit=1)
    count = desk.store.due_lanes
    assert desk.run(count(ACCOUNT, "ep_a", now=NOW, most=10)) == 4
    assert desk.run(count(ACCOUNT, "ep_a", now=NOW, most=3)) == 3
    assert desk.run(count(ACCOUNT, "ep_a", now=at(-1), most=3)) == 0
    assert desk.run(count(ACCOUNT, "ep_b", now=NOW, most=3)) == 0


def test_what_was_erased_is_neither_chosen_nor_queued(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    stays = desk.place("K2", to=[endpoint])
    given_up(desk)
    resend = asked(desk, endpoint, asked_at=at(2))
    erase(desk, order)
    assert queue(desk, resend, part((order.order_id, 1)), now=at(3)).queued == 0
    sweep(desk, order)
    store, names = desk.store, (order.order_id, stays.order_id)
    for newest in (True, False):
        told = desk.run(store.told_of(ACCOUNT, "ep_a", names, newest=newest))
        assert [d.order_id for d in told] == [stays.order_id]
    failed = desk.run(store.failed(ACCOUNT, "ep_a", after=Place(), limit=9))
    assert [d.order_id for d in failed] == [stays.order_id]


# what a page shows of it before it begins


def of_every_kind(desk: Desk, endpoint: Endpoint) -> None:
    """Notifications that were sent, given up, made needless or erased, or are on their way."""
    to = [endpoint]
    test = NewDelivery(endpoint, "tst_1", 1, "test", Body(b"{}"))
    desk.run(desk.store.add_delivery(test, now=NOW))

    def order(key: str, first: int, second: int | None = None, *, new: bool = False) -> Order:
        known = desk.place(key, to=to, now=at(first), updated_at=at(first))
        if second is None:
            return known
        after = moved(known, State.PICKING, updated_at=at(second))
        told = a_delivery(endpoint, after, supersedes=new)
        changes = Changes(changed=[after], events=[an_event(after)], deliveries=[told])
        desk.change(changes, refs=[OrderRef(ACCOUNT, order_id=known.order_id)], now=at(second))
        return after

    order("SENT", 0, 1)
    gone = order("GONE", 0)
    order("NEEDLESS", 0, 1, new=True)
    heads = desk.claim(now=at(2))
    while heads:
        heads = desk.settle(*heads, now=at(2))
    erase(desk, gone)
    sweep(desk, gone)
    order("FAILED", 3, 3)
    given_up(desk, s=3)
    order("WIRE", 4)
    desk.claim(now=at(4))
    order("WAITS", 5, 6)


@pytest.mark.parametrize(
    ("choice", "total", "pending"),
    [
        (Failed(NOW), 2, 0),
        (Between(NOW, at(9)), 5, 3),
        (Between(at(1), at(5)), 4, 2),
        (Latest(at(-9)), 3, 2),
    ],
    ids=["failed", "between", "in_a_shorter_span", "latest"],
)
def test_a_glance_counts_what_a_resend_then_queues(
    desk: Desk, choice: Choice, total: int, pending: int
) -> None:
    endpoint = desk.endpoint()
    of_every_kind(desk, endpoint)
    ids = map(str, count())
    resends = Resends(
        desk.store, now=lambda: at(10), new_id=lambda: next(ids), look=lambda: None, part=2
    )
    named: Any = {"endpoint_id": endpoint.endpoint_id}
    (counted,) = desk.run(resends.forecast(ACCOUNT, choice, **named))
    seen = desk.run(resends.glance(ACCOUNT, choice, **named, most=99))
    assert (seen.total, seen.pending, seen.more) == (total, pending, False)
    assert (seen.statuses, seen.pending) == (counted.statuses, counted.pending)
    assert set(seen.first) == set(counted.first)
    (resend,) = desk.run(resends.begin(ACCOUNT, choice, **named))
    while resend.state is ResendState.RUNNING:
        resend = desk.run(resends.advance(resend))
    assert resend.queued == seen.total
    for one in seen.first:
        found, _ = desk.run(
            desk.store.delivery(ACCOUNT, one.endpoint_id, one.order_id, one.sequence)
        )
        assert (found.state, found.replay) == (PENDING, 1)


def test_the_newest_that_were_given_up_are_read_no_further_than_asked(desk: Desk) -> None:
    endpoint, other = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    for n in (3, 1, 2):
        desk.place(f"K{n}", to=[endpoint, other], now=at(-n))
    gone = desk.place("K0", to=[endpoint], now=at(0))
    given_up(desk)
    erase(desk, gone)
    sweep(desk, gone)
    desk.place("K9", to=[endpoint], now=at(1))
    found = desk.run(desk.store.failed_last(ACCOUNT, "ep_a", limit=3))
    assert [(c.delivery.order_id, c.has_body, c.order) for c in found] == [
        ("ord_k0", False, None),
        ("ord_k1", True, None),
        ("ord_k2", True, None),
    ]


def test_what_was_queued_in_a_span_is_read_with_its_orders_no_further_than_asked(
    desk: Desk,
) -> None:
    endpoint, other = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    first = desk.place("K1", to=[endpoint, other], now=at(1), created_at=at(1), updated_at=at(1))
    gone = desk.place("K2", to=[endpoint], now=at(2))
    desk.settle(*desk.claim(now=at(2)), step=Abandon(), outcome=FAILED, now=at(2))
    # One on the wire, one at the head of its lane, and one behind it.
    desk.move(first, State.PICKING, to=[endpoint], now=at(3), updated_at=at(3))
    desk.claim(now=at(3))
    last = desk.place("K3", to=[endpoint], now=at(4))
    desk.move(last, State.PICKING, to=[endpoint], now=at(5))
    desk.place("K4", to=[other], now=at(5))
    erase(desk, gone)
    sweep(desk, gone)
    test = NewDelivery(endpoint, "tst_1", 1, "test", Body(b"{}"))
    desk.run(desk.store.add_delivery(test, now=at(4)))

    def read(since: int, until: int, limit: int = 9) -> list[tuple[str, int, DeliveryState, bool]]:
        found = desk.run(
            desk.store.queued_between(
                ACCOUNT, "ep_a", since=at(since), until=at(until), limit=limit
            )
        )
        assert [c.delivery.order_id for c in found if c.order is None] == [
            c.delivery.order_id for c in found if c.delivery.order_id == "tst_1"
        ]
        return [
            (c.delivery.order_id, c.delivery.sequence, c.delivery.state, c.has_body) for c in found
        ]

    whole = [
        ("ord_k1", 1, ABANDONED, True),
        ("ord_k2", 1, ABANDONED, False),
        ("ord_k1", 2, PENDING, True),
        ("ord_k3", 1, PENDING, True),
        ("tst_1", 1, PENDING, True),
        ("ord_k3", 2, PENDING, True),
    ]
    assert read(0, 9) == read(1, 5) == whole
    assert read(2, 4) == whole[1:5]
    assert read(0, 9, limit=3) == whole[:3]
    assert read(6, 9) == []


def test_orders_are_read_by_the_time_of_their_last_change(desk: Desk) -> None:
    first = desk.place("K1", updated_at=at(1))
    desk.place("K2", updated_at=at(2))
    desk.place("K3", updated_at=at(3))
    desk.move(first, State.PICKING, updated_at=at(4))

    def read(since: int, limit: int = 9) -> list[tuple[str, datetime]]:
        found = desk.run(desk.store.orders_changed_since(ACCOUNT, since=at(since), limit=limit))
        return [(o.order_id, o.updated_at) for o in found]

    whole = [("ord_k2", at(2)), ("ord_k3", at(3)), ("ord_k1", at(4))]
    assert read(0) == read(2) == whole
    assert read(2, limit=2) == whole[:2]
    assert read(4) == whole[2:]
    assert read(5) == []


def test_nobody_looks_at_what_another_account_may_send_again(desk: Desk, neighbor: Desk) -> None:
    endpoint = desk.endpoint()
    desk.place("K1", to=[endpoint])
    given_up(desk)
    store, stranger = neighbor.store, neighbor.account_id
    span: Any = {"since": at(-9), "until": at(9), "limit": 9}
    assert neighbor.run(store.failed_last(stranger, "ep_a", limit=9)) == []
    assert neighbor.run(store.queued_between(stranger, "ep_a", **span)) == []
    assert neighbor.run(store.orders_changed_since(stranger, since=at(-9), limit=9)) == []
