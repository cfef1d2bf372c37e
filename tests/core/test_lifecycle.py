"""The table of the lifecycle against an independent reading of its rules."""

from __future__ import annotations

from itertools import pairwise

import pytest

from milepost.orders.lifecycle import (
    BEFORE_SHIPPING,
    CARRIER,
    EDGES,
    ENDS,
    HARD_ENDS,
    INTAKE,
    LATE,
    MAIN_LINE,
    MOVING,
    NEEDS_ATTENTION,
    PARCEL_ORDER,
    PARCEL_RANK,
    RANK,
    REASONS,
    SIDE,
    SOFT_ENDS,
    WAREHOUSE_LINE,
    EdgeClass,
    Reason,
    State,
    allowed_next,
    passed_over,
    way_to,
)
from tests.core import reading


def edges_of(edge_class: EdgeClass) -> set[tuple[str, str]]:
    return {(e.origin.value, e.target.value) for e in EDGES.values() if e.edge_class is edge_class}


def test_there_are_thirty_states_with_the_names_of_the_rules() -> None:
    assert len(State) == 30
    assert {state.value for state in State} == reading.STATES


def test_there_are_360_normal_edges_and_45_corrections_and_none_is_both() -> None:
    normal, corrections = edges_of(EdgeClass.NORMAL), edges_of(EdgeClass.CORRECTION)
    assert (len(normal), len(corrections)) == (360, 45)
    assert normal.isdisjoint(corrections)
    assert len(EDGES) == 405


def test_the_reading_itself_has_360_and_45_edges_and_none_is_both() -> None:
    assert (len(reading.NORMAL), len(reading.CORRECTIONS)) == (360, 45)
    assert reading.NORMAL.isdisjoint(reading.CORRECTIONS)


def test_the_normal_edges_are_those_of_the_rules() -> None:
    assert edges_of(EdgeClass.NORMAL) == reading.NORMAL


def test_the_corrections_are_those_of_the_rules() -> None:
    assert edges_of(EdgeClass.CORRECTION) == reading.CORRECTIONS


def test_every_edge_stands_under_its_own_ends_and_says_why() -> None:
    for (origin, target), edge in EDGES.items():
        assert (edge.origin, edge.target) == (origin, target)
        assert origin is not target
        assert edge.why


def test_the_groups_are_those_of_the_rules() -> None:
    assert set(BEFORE_SHIPPING) == reading.states_in("PRE")
    assert set(WAREHOUSE_LINE) == reading.states_in("WH")
    assert set(MOVING) == reading.states_in("MOVING")
    assert set(LATE) == reading.states_in("LATE")
    assert set(CARRIER) == reading.CARRIER
    assert set(SIDE) == {"on_hold", "backordered"}
    assert set(INTAKE) == reading.states_in("INTAKE")
    assert list(MAIN_LINE) == reading.MAIN_LINE
    assert set(NEEDS_ATTENTION) == reading.states_in("TROUBLE")


def test_a_hard_end_has_no_normal_exit() -> None:
    assert set(HARD_ENDS) == reading.HARD_ENDS
    assert [allowed_next(state) for state in HARD_ENDS] == [(), (), ()]


def test_delivered_is_left_by_corrections_only_and_the_other_soft_ends_by_late_scans() -> None:
    assert set(SOFT_ENDS) == reading.SOFT_ENDS
    assert allowed_next(State.DELIVERED) == ()
    assert allowed_next(State.DELIVERED, correction=True)
    assert State.DELIVERED in allowed_next(State.EXPIRED)
    assert State.DELIVERED in allowed_next(State.UNTRACKED)


def test_nothing_leaves_returned_or_fulfilled_elsewhere_even_by_correction() -> None:
    assert allowed_next(State.RETURNED, correction=True) == ()
    assert allowed_next(State.FULFILLED_ELSEWHERE, correction=True) == ()


def test_every_state_that_is_no_end_has_a_normal_way_to_an_end() -> None:
    for state in set(State) - ENDS:
        seen, waiting = {state}, [state]
        while waiting:
            fresh = set(allowed_next(waiting.pop())) - seen
            seen |= fresh
            waiting += fresh
        assert seen & ENDS, state


def test_every_state_can_be_reached_from_created() -> None:
    seen, waiting = {State.CREATED}, [State.CREATED]
    while waiting:
        fresh = set(allowed_next(waiting.pop())) - seen
        seen |= fresh
        waiting += fresh
    assert seen == set(State)


@pytest.mark.parametrize("origin", State)
def test_what_is_allowed_next_is_what_the_rules_say_in_the_order_of_the_states(
    origin: State,
) -> None:
    normal = {b for a, b in reading.NORMAL if a == origin}
    corrected = {b for a, b in reading.CORRECTIONS if a == origin}
    assert allowed_next(origin) == tuple(s for s in State if s in normal)
    assert allowed_next(origin, correction=True) == tuple(
        s for s in State if s in normal | corrected
    )


@pytest.mark.parametrize("origin", State)
def test_a_way_is_there_for_any_update_or_for_a_correction_or_not_at_all(origin: State) -> None:
    for target in State:
        pair = (origin.value, target.value)
        assert (way_to(origin, target) is not None) == (pair in reading.NORMAL)
        assert (way_to(origin, target, correction=True) is not None) == (
            pair in reading.NORMAL | reading.CORRECTIONS
        )


def test_a_step_of_the_main_line_passes_nothing_over() -> None:
    for origin, target in pairwise(MAIN_LINE):
        assert passed_over(origin, target) == ()


def test_a_skip_passes_over_all_that_lies_between() -> None:
    assert passed_over(State.SUBMITTED, State.READY_TO_SHIP) == (
        State.PICKING,
        State.PACKING,
        State.PACKED,
    )
    assert passed_over(State.CREATED, State.DELIVERED) == MAIN_LINE[1:-1]


def test_nothing_is_passed_over_backward_or_off_the_main_line() -> None:
    assert passed_over(State.SUBMITTED, State.SCHEDULED) == ()
    assert passed_over(State.ON_HOLD, State.SHIPPED) == ()
    assert passed_over(State.PICKING, State.CANCELLED) == ()
    assert passed_over(State.PICKING, State.PICKING) == ()


def test_only_a_scheduled_order_takes_a_reason_and_takes_them_all() -> None:
    assert dict(REASONS) == {State.SCHEDULED: frozenset(Reason)}
    assert {reason.value for reason in Reason} == {
        "future_date",
        "subscription",
        "package_forwarding",
        "merchant_facility",
    }


def test_ranks_follow_the_main_line_and_the_order_of_parcels() -> None:
    assert sorted(RANK, key=lambda s: RANK[s]) == list(MAIN_LINE)
    assert sorted(PARCEL_RANK, key=lambda s: PARCEL_RANK[s]) == list(PARCEL_ORDER)
    assert set(PARCEL_ORDER) == set(CARRIER)
    assert PARCEL_ORDER[-1] is State.DELIVERED
