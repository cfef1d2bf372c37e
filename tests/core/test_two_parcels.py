"""Every life of an order with two parcels that any updates can lead to, walked through whole."""

from __future__ import annotations

import functools
from itertools import pairwise

from milepost.orders.events import Verdict
from milepost.orders.lifecycle import ENDS, MOVING, State
from milepost.orders.model import Order, Parcel, rolled_up
from tests.core import reading
from tests.core.making import DAWN, corrects, hear, new_order, says

S = State
Place = tuple[State, tuple[State | None, ...]]
"""Where an order is, and where each of its parcels is."""


def place_of(order: Order) -> Place:
    return order.state, tuple(p.state for p in order.parcels)


def order_at(place: Place) -> Order:
    state, parcels = place
    return new_order(
        state,
        previous_state=S.CREATED,
        shipped_at=DAWN if state in reading.CARRIER else None,
        parcels=tuple(
            Parcel(name, state=s, state_at=DAWN if s else None, created_at=DAWN)
            for name, s in zip("AB", parcels, strict=False)
        ),
    )


def rolled(parcels: tuple[State | None, ...]) -> State | None:
    return rolled_up(tuple(Parcel(str(i), state=s) for i, s in enumerate(parcels)))


def legal(here: State, there: State, *, corrected: bool) -> bool:
    step = (here.value, there.value)
    return step in reading.NORMAL or (corrected and step in reading.CORRECTIONS)


@functools.cache
def places(*, corrected: bool) -> frozenset[Place]:
    """All the places that an order can come to; each step there is checked."""
    says_so = corrects if corrected else says
    seen: set[Place] = set()
    waiting: list[Place] = [(S.CREATED, ())]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        order = order_at(place)
        for state in State:
            about_parcels = state in reading.CARRIER
            for name in (None, "A", "B") if about_parcels else (None,):
                told = hear(order, says_so(state, 1, parcel=name))
                if told.verdict is Verdict.APPLIED:
                    assert told.event is not None
                    way = (place[0], *told.event.skipped, told.order.state)
                    direct = legal(place[0], told.order.state, corrected=corrected)
                    through = len(way) == 3 and all(
                        legal(a, b, corrected=False) for a, b in pairwise(way)
                    )
                    assert place[0] is told.order.state or direct or through, way
                    waiting.append(place_of(told.order))
        for name in "AB":
            told = hear(order, says(parcel=name))
            if told.verdict is Verdict.APPLIED:
                waiting.append(place_of(told.order))
    return frozenset(seen)


def test_every_state_of_the_lifecycle_is_among_the_places() -> None:
    assert {state for state, _ in places(corrected=False)} == set(State)


def test_an_order_is_delivered_exactly_when_all_its_parcels_are() -> None:
    for state, parcels in places(corrected=False) | places(corrected=True):
        if parcels:
            assert (state is S.DELIVERED) == (set(parcels) == {S.DELIVERED})


def test_an_order_that_came_back_has_no_parcel_on_its_way() -> None:
    for state, parcels in places(corrected=False) | places(corrected=True):
        if state is S.RETURNED:
            assert S.RETURNED in parcels
            assert set(parcels) <= {S.RETURNED, S.DELIVERED}


def test_no_order_has_ended_while_a_parcel_of_it_is_known_to_move() -> None:
    moving = {*MOVING, S.UNDELIVERABLE, S.RETURNING}
    for state, parcels in places(corrected=False):
        assert state not in ENDS or moving.isdisjoint(parcels), (state, parcels)


def test_an_order_is_held_only_where_no_update_could_take_it_further() -> None:
    for state, parcels in places(corrected=False):
        goal = rolled(parcels)
        if goal is not None and goal is not state:
            assert not legal(state, goal, corrected=False)


def test_an_order_with_two_parcels_is_held_in_these_ways_and_no_others() -> None:
    held: dict[State, set[State]] = {}
    for state, parcels in places(corrected=False):
        goal = rolled(parcels)
        if goal is not None and goal is not state:
            held.setdefault(state, set()).add(goal)
    new = {S.SHIPPED, S.INFO_RECEIVED}
    assert held == {
        S.INFO_RECEIVED: {S.SHIPPED},
        **{state: {*new, S.UNTRACKED} for state in (*MOVING, S.UNDELIVERABLE, S.EXPIRED)},
        S.RETURNING: {*new, *MOVING, S.UNDELIVERABLE, S.UNTRACKED},
        S.UNTRACKED: new,
    }
