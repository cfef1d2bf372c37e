"""Sending many again: a part is queued once and at its place in its lane, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

from milepost.delivery.model import (
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointState,
    Outcome,
)
from milepost.delivery.outcome import Abandon, Retry
from milepost.errors import InvalidInput, TooManyResends, UnknownRecord
from milepost.orders.lifecycle import State
from milepost.ports import Page, Store
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
from tests.store.desk import ACCOUNT, HOLD, NOW, SOMEONE, Desk, Run, an_endpoint, at
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


def given_up(desk: Desk) -> None:
    """Gives up the heads of all lanes."""
    heads: Sequence[Any] = desk.claim(now=at(1))
    while heads:
        heads = desk.settle(*heads, step=Abandon(), outcome=FAILED, now=at(1))


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
