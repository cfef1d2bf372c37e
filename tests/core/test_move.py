"""What one update does to an order that no carrier has yet, and what it may never do."""

from __future__ import annotations

import pytest

from milepost.orders.events import EventType, Update, Verdict
from milepost.orders.lifecycle import Reason, State
from milepost.orders.move import MOST_PARCELS
from tests.core.making import (
    ARRIVAL,
    DAWN,
    after,
    corrects,
    hear,
    minute,
    new_order,
    parcel_of,
    says,
    shipped,
    states_of,
)

S = State


# --- applied --------------------------------------------------------------------------------------


def test_a_legal_newer_update_moves_the_order_and_tells_what_happened() -> None:
    order = new_order(S.SUBMITTED)
    told = hear(order, says(S.PICKING, 3, raw="pick_in_progress", note="aisle 4"))
    assert told.verdict is Verdict.APPLIED
    assert told.order.state is S.PICKING
    assert told.order.state_at == minute(3)
    assert told.order.previous_state is S.SUBMITTED
    assert told.order.sequence == 2
    assert told.order.updated_at == ARRIVAL
    event = told.event
    assert event is not None
    assert (event.account_id, event.order_id, event.sequence) == ("acc_1", "ord_1", 2)
    assert event.type is EventType.STATE_CHANGED
    assert (event.previous_state, event.state) == (S.SUBMITTED, S.PICKING)
    assert (event.occurred_at, event.received_at) == (minute(3), ARRIVAL)
    assert (event.source, event.raw, event.note) == ("warehouse", "pick_in_progress", "aisle 4")
    assert (event.skipped, event.correction, event.parcel) == ((), False, None)


def test_an_update_without_a_time_happened_when_it_arrived() -> None:
    told = hear(new_order(), says(S.VERIFIED))
    assert told.order.state_at == ARRIVAL
    assert told.event is not None
    assert told.event.occurred_at == ARRIVAL


def test_a_skip_records_the_steps_it_passed_over() -> None:
    told = hear(new_order(S.SUBMITTED), says(S.READY_TO_SHIP, 1))
    assert told.event is not None
    assert told.event.skipped == (S.PICKING, S.PACKING, S.PACKED)
    assert told.order.previous_state is S.SUBMITTED


def test_the_state_before_is_kept_while_only_facts_change() -> None:
    order = after(new_order(), says(S.VERIFIED, 1), says(S.SUBMITTED, 2))
    order = after(order, says(carrier="UPS"))
    assert order.previous_state is S.VERIFIED
    assert order.state_at == minute(2)
    assert order.sequence == 4


def test_the_first_update_may_tell_of_a_time_before_milepost_knew_the_order() -> None:
    told = hear(new_order(), says(S.VERIFIED, -600))
    assert told.verdict is Verdict.APPLIED
    assert told.order.state_at == minute(-600)


# --- duplicates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [None, 1, 2, 9])
def test_the_same_state_without_new_facts_is_a_duplicate_whenever_it_was(at: float | None) -> None:
    order = after(new_order(), says(S.VERIFIED, 2))
    told = hear(order, says(S.VERIFIED, at))
    assert told.verdict is Verdict.DUPLICATE
    assert told.order is order
    assert told.event is None
    assert told.why


def test_the_same_facts_without_a_state_are_a_duplicate() -> None:
    update = says(parcel="A", carrier="UPS", tracking_number="1Z")
    order = after(new_order(S.PACKED), update)
    assert hear(order, update).verdict is Verdict.DUPLICATE


def test_an_update_that_tells_nothing_is_a_duplicate() -> None:
    order = new_order(S.PACKED)
    told = hear(order, Update("warehouse"))
    assert told.verdict is Verdict.DUPLICATE
    assert told.order is order


# --- stale ----------------------------------------------------------------------------------------


def test_an_update_that_happened_before_what_is_known_is_stale() -> None:
    order = after(new_order(), says(S.PACKED, 9))
    told = hear(order, says(S.READY_TO_SHIP, 8))
    assert told.verdict is Verdict.STALE
    assert told.order is order
    assert told.event is None
    assert minute(8).isoformat() in told.why
    assert minute(9).isoformat() in told.why


def test_at_the_same_time_the_lower_number_of_the_source_is_stale() -> None:
    order = after(new_order(), says(S.PACKING, 9, source_sequence=7))
    told = hear(order, says(S.PACKED, 9, source_sequence=6))
    assert told.verdict is Verdict.STALE
    assert "sequence 6" in told.why


def test_at_the_same_time_the_higher_number_of_the_source_decides_against_the_rank() -> None:
    order = after(new_order(), says(S.ON_HOLD, 1), says(S.SUBMITTED, 9, source_sequence=7))
    order = after(order, says(S.SCHEDULED, 9, source_sequence=8))
    assert order.state is S.SCHEDULED


def test_at_the_same_time_and_number_the_rank_on_the_main_line_decides() -> None:
    order = after(new_order(), says(S.PACKED, 9, source_sequence=7))
    told = hear(order, says(S.PICKING, 9, source_sequence=7))
    assert told.verdict is Verdict.STALE
    assert "main line" in told.why


def test_at_the_same_time_without_numbers_the_rank_on_the_main_line_decides() -> None:
    order = after(new_order(), says(S.PACKED, 9))
    assert hear(order, says(S.PICKING, 9)).verdict is Verdict.STALE
    assert hear(order, says(S.READY_TO_SHIP, 9)).verdict is Verdict.APPLIED


def test_at_the_same_time_a_legal_step_back_is_applied_as_it_arrives() -> None:
    order = after(new_order(), says(S.SUBMITTED, 9))
    assert hear(order, says(S.SCHEDULED, 9)).verdict is Verdict.APPLIED


def test_a_number_of_only_one_of_two_updates_decides_nothing() -> None:
    order = after(new_order(), says(S.PACKING, 9, source_sequence=7))
    assert hear(order, says(S.PACKED, 9)).verdict is Verdict.APPLIED


def test_new_facts_of_an_older_state_are_stale() -> None:
    order = after(new_order(), says(S.PACKED, 9))
    told = hear(order, says(S.PACKED, 8, tracking_number="1Z"))
    assert told.verdict is Verdict.STALE
    assert told.order is order


# --- illegal --------------------------------------------------------------------------------------


def test_a_step_that_is_not_in_the_table_is_illegal() -> None:
    order = after(new_order(), says(S.CANCELLED, 1))
    told = hear(order, says(S.PICKING, 2))
    assert told.verdict is Verdict.ILLEGAL
    assert told.order is order
    assert told.event is None
    assert told.why == "there is no way from cancelled to picking"


def test_a_correction_that_is_not_one_is_illegal_and_says_what_it_needs() -> None:
    order = after(new_order(), says(S.PACKED, 1))
    told = hear(order, says(S.PICKING, 2))
    assert told.verdict is Verdict.ILLEGAL
    assert told.why == "packed → picking is a correction: it needs a trusted source and a note"


def test_a_carrier_cannot_have_what_was_fulfilled_elsewhere() -> None:
    order = after(new_order(), says(S.FULFILLED_ELSEWHERE, 1))
    told = hear(order, says(S.DELIVERED, 2))
    assert told.verdict is Verdict.ILLEGAL
    assert told.order is order


def test_an_order_has_at_most_so_many_parcels() -> None:
    order = new_order(S.PACKED)
    for number in range(MOST_PARCELS):
        order = after(order, says(parcel=str(number)))
    told = hear(order, says(parcel="one too many"))
    assert told.verdict is Verdict.ILLEGAL
    assert str(MOST_PARCELS) in told.why
    assert hear(order, says(parcel="7", carrier="UPS")).verdict is Verdict.APPLIED


# --- corrections ----------------------------------------------------------------------------------


def test_a_trusted_correction_with_a_note_is_applied_and_marked() -> None:
    order = after(new_order(), says(S.PACKED, 5))
    told = hear(order, corrects(S.PICKING, 6, note="wrong size"))
    assert told.verdict is Verdict.APPLIED
    assert told.order.state is S.PICKING
    assert told.event is not None
    assert told.event.correction
    assert told.event.note == "wrong size"
    assert told.event.type is EventType.STATE_CHANGED


@pytest.mark.parametrize(
    "lacking",
    [
        {"correction": False},
        {"trusted": False},
        {"note": None},
        {"note": ""},
        {"note": " \t\n"},
    ],
    ids=["not asked for", "not trusted", "no note", "empty note", "blank note"],
)
def test_a_correction_needs_to_be_asked_for_by_a_trusted_source_with_a_note(
    lacking: dict[str, object],
) -> None:
    order = after(new_order(), says(S.PACKED, 5))
    told = hear(order, corrects(S.PICKING, 6, **lacking))
    assert told.verdict is Verdict.ILLEGAL
    assert told.order is order


def test_a_correction_may_tell_of_an_earlier_time() -> None:
    order = after(new_order(), says(S.PACKED, 5))
    order = after(order, corrects(S.PICKING, 3))
    assert (order.state, order.state_at) == (S.PICKING, minute(3))


def test_a_correction_makes_no_edge_that_is_not_in_the_table() -> None:
    order = after(new_order(), says(S.FULFILLED_ELSEWHERE, 1))
    assert hear(order, corrects(S.PICKING, 2)).verdict is Verdict.ILLEGAL


def test_a_normal_step_is_no_correction_even_where_one_was_offered() -> None:
    told = hear(new_order(S.PICKING), corrects(S.PACKING, 1))
    assert told.verdict is Verdict.APPLIED
    assert told.event is not None
    assert not told.event.correction


def test_a_correction_twice_is_a_duplicate() -> None:
    order = after(new_order(), says(S.PACKED, 5), corrects(S.PICKING, 6))
    assert hear(order, corrects(S.PICKING, 6)).verdict is Verdict.DUPLICATE


@pytest.mark.parametrize("target", [S.PACKED, S.READY_TO_SHIP, S.ON_HOLD, S.CANCELLED])
def test_a_correction_back_to_the_warehouse_unships_the_parcels(target: State) -> None:
    order = shipped("A", "B", at=10)
    assert order.shipped_at == minute(10)
    order = after(order, corrects(target, 12))
    assert order.state is target
    assert order.shipped_at is None
    assert states_of(order) == {"A": None, "B": None}
    assert all(p.state_at is None and p.source_sequence is None for p in order.parcels)


def test_what_was_unshipped_ships_again() -> None:
    order = after(shipped("A", at=10), corrects(S.PACKED, 12), says(S.IN_TRANSIT, 14, parcel="A"))
    assert (order.state, order.shipped_at) == (S.IN_TRANSIT, minute(14))
    assert states_of(order) == {"A": "in_transit"}


def test_a_cancelled_order_that_had_shipped_is_corrected_to_where_it_is() -> None:
    order = after(new_order(), says(S.CANCELLED, 5))
    assert hear(order, says(S.IN_TRANSIT, 6)).verdict is Verdict.ILLEGAL
    told = hear(order, corrects(S.IN_TRANSIT, 6))
    assert told.verdict is Verdict.APPLIED
    assert told.order.state is S.IN_TRANSIT
    assert told.event is not None
    assert told.event.correction


# --- reasons --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", Reason)
def test_a_scheduled_order_has_its_reason(reason: Reason) -> None:
    told = hear(new_order(S.VERIFIED), says(S.SCHEDULED, 1, reason=reason))
    assert told.order.reason is reason
    assert told.event is not None
    assert told.event.reason is reason


def test_the_reason_goes_with_the_state() -> None:
    order = after(new_order(), says(S.SCHEDULED, 1, reason=Reason.SUBSCRIPTION))
    order = after(order, says(S.SUBMITTED, 2))
    assert order.reason is None


def test_another_reason_changes_the_state() -> None:
    order = after(new_order(), says(S.SCHEDULED, 1, reason=Reason.SUBSCRIPTION))
    told = hear(order, says(S.SCHEDULED, 2, reason=Reason.FUTURE_DATE))
    assert told.verdict is Verdict.APPLIED
    assert told.event is not None
    assert told.event.type is EventType.STATE_CHANGED
    assert (told.event.previous_state, told.event.state) == (S.SCHEDULED, S.SCHEDULED)
    assert (told.order.reason, told.order.state_at) == (Reason.FUTURE_DATE, minute(2))
    assert told.order.previous_state is S.CREATED


def test_an_older_reason_is_stale() -> None:
    order = after(new_order(), says(S.SCHEDULED, 5, reason=Reason.SUBSCRIPTION))
    told = hear(order, says(S.SCHEDULED, 4, reason=Reason.FUTURE_DATE))
    assert told.verdict is Verdict.STALE
    assert hear(order, says(None, 4, reason=Reason.FUTURE_DATE)).verdict is Verdict.STALE


def test_a_poorer_update_never_erases_the_reason() -> None:
    order = after(new_order(), says(S.SCHEDULED, 1, reason=Reason.SUBSCRIPTION))
    assert hear(order, says(S.SCHEDULED, 2)).verdict is Verdict.DUPLICATE
    order = after(order, says(S.SCHEDULED, 3, updating=True))
    assert order.reason is Reason.SUBSCRIPTION


def test_a_reason_may_come_after_the_state() -> None:
    order = after(new_order(), says(S.SCHEDULED, 1))
    order = after(order, says(None, 2, reason=Reason.FUTURE_DATE))
    assert (order.state, order.reason) == (S.SCHEDULED, Reason.FUTURE_DATE)


@pytest.mark.parametrize("state", [None, S.PACKED, S.IN_TRANSIT])
def test_a_reason_for_a_state_that_takes_none_is_illegal(state: State | None) -> None:
    order = new_order(S.SUBMITTED)
    told = hear(order, says(state, 1, reason=Reason.FUTURE_DATE))
    assert told.verdict is Verdict.ILLEGAL
    assert told.order is order
    assert "takes no reason future_date" in told.why


# --- the flag of an edit --------------------------------------------------------------------------


def test_an_edit_is_a_flag_over_the_state() -> None:
    order = new_order(S.PICKING)
    told = hear(order, says(updating=True, raw="updating"))
    assert told.verdict is Verdict.APPLIED
    assert told.order.updating
    assert told.order.state is S.PICKING
    assert told.event is not None
    assert told.event.type is EventType.UPDATED


def test_the_flag_stays_until_a_source_takes_it_back() -> None:
    order = after(new_order(S.PICKING), says(updating=True), says(S.PACKING, 2))
    assert order.updating
    order = after(order, says(S.PACKED, 3, updating=False))
    assert not order.updating
    assert hear(order, says(updating=False)).verdict is Verdict.DUPLICATE


def test_a_carrier_state_can_take_the_flag_back() -> None:
    order = after(new_order(S.PACKED), says(updating=True), says(S.IN_TRANSIT, 3, updating=False))
    assert (order.state, order.updating) == (S.IN_TRANSIT, False)


def test_a_known_carrier_state_can_take_the_flag_back() -> None:
    order = after(shipped("A", at=10), says(updating=True))
    told = hear(order, says(S.SHIPPED, 14, updating=False))
    assert told.verdict is Verdict.APPLIED
    assert not told.order.updating
    assert told.event is not None
    assert told.event.type is EventType.UPDATED
    assert told.order.state_at == minute(10)


# --- shipped_at -----------------------------------------------------------------------------------


def test_an_order_was_shipped_when_a_carrier_first_had_it() -> None:
    order = after(new_order(S.PACKED), says(S.IN_TRANSIT, 7), says(S.DELIVERED, 90))
    assert order.shipped_at == minute(7)


def test_an_order_that_no_carrier_has_was_not_shipped() -> None:
    order = after(new_order(), says(S.PACKED, 7), says(S.CANCELLED, 9))
    assert order.shipped_at is None


def test_nothing_else_of_the_order_changes() -> None:
    order = new_order(S.PACKED)
    moved = after(order, says(S.IN_TRANSIT, 7, tracking_number="1Z", carrier="UPS"))
    assert (moved.store, moved.order_key, moved.content) == ("shop", "K-1", order.content)
    assert moved.created_at == DAWN
    assert parcel_of(moved, "unnamed").created_at == ARRIVAL
