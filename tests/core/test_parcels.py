"""Parcels: which one an update speaks of, what is kept of it, and where the order is with them."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from milepost.orders.events import EventType, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Lot, PackedItem, ParcelDetails, Weight
from tests.core.making import (
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


# --- which parcel ---------------------------------------------------------------------------------


def test_a_parcel_that_no_source_names_is_called_unnamed() -> None:
    order = after(new_order(S.PACKED), says(S.SHIPPED, 1))
    assert states_of(order) == {"unnamed": "shipped"}


def test_facts_alone_announce_a_parcel_that_has_no_state_yet() -> None:
    told = hear(new_order(S.PACKED), says(tracking_number="1Z", carrier="UPS"))
    assert told.verdict is Verdict.APPLIED
    assert told.order.state is S.PACKED
    assert states_of(told.order) == {"unnamed": None}
    assert told.event is not None
    assert told.event.type is EventType.UPDATED
    assert told.event.parcel == "unnamed"
    assert told.event.parcel_state is None


def test_a_state_of_the_warehouse_may_announce_a_parcel_too() -> None:
    order = after(new_order(), says(S.PACKED, 1, parcel="A", tracking_number="1Z"))
    assert order.state is S.PACKED
    assert states_of(order) == {"A": None}


def test_a_state_of_the_warehouse_alone_makes_no_parcel() -> None:
    assert after(new_order(), says(S.PACKED, 1)).parcels == ()


def test_a_parcel_that_nobody_named_takes_the_first_name_that_it_is_told() -> None:
    order = after(new_order(S.PACKED), says(S.SHIPPED, 1), says(S.IN_TRANSIT, 2, parcel="A"))
    assert states_of(order) == {"A": "in_transit"}
    assert order.state is S.IN_TRANSIT


def test_a_parcel_that_nobody_named_stays_apart_from_one_with_another_number() -> None:
    order = after(
        new_order(S.PACKED),
        says(S.SHIPPED, 1, tracking_number="1Z"),
        says(S.SHIPPED, 2, parcel="A", tracking_number="2Z"),
    )
    assert states_of(order) == {"unnamed": "shipped", "A": "shipped"}


def test_a_refused_update_names_no_parcel() -> None:
    order = after(new_order(S.PACKED), says(S.DELIVERED, 2))
    told = hear(order, says(S.IN_TRANSIT, 3, parcel="A"))
    assert told.verdict is Verdict.ILLEGAL
    assert told.order is order


def test_a_named_parcel_is_made_when_it_is_new_and_found_when_it_is_known() -> None:
    order = after(
        new_order(S.PACKED),
        says(S.SHIPPED, 1, parcel="A"),
        says(S.SHIPPED, 2, parcel="B"),
        says(S.IN_TRANSIT, 3, parcel="A"),
    )
    assert states_of(order) == {"A": "in_transit", "B": "shipped"}


def test_a_parcel_is_found_by_its_tracking_number() -> None:
    order = after(
        new_order(S.PACKED),
        says(S.SHIPPED, 1, parcel="A", tracking_number="1Z"),
        says(S.SHIPPED, 2, parcel="B", tracking_number="2Z"),
        says(S.IN_TRANSIT, 3, tracking_number="2Z"),
    )
    assert states_of(order) == {"A": "shipped", "B": "in_transit"}


def test_a_tracking_number_that_nothing_has_goes_to_the_only_parcel_that_has_none() -> None:
    order = after(shipped("A"), says(S.IN_TRANSIT, 20, tracking_number="1Z"))
    assert states_of(order) == {"A": "in_transit"}
    assert parcel_of(order, "A").tracking_number == "1Z"


def test_another_tracking_number_is_another_parcel_and_names_it() -> None:
    order = after(
        new_order(S.PACKED),
        says(S.SHIPPED, 1, tracking_number="1Z"),
        says(S.SHIPPED, 2, tracking_number="2Z"),
    )
    assert states_of(order) == {"unnamed": "shipped", "2Z": "shipped"}
    assert parcel_of(order, "2Z").tracking_number == "2Z"


def test_a_late_scan_of_an_old_label_is_about_the_parcel_that_was_relabeled() -> None:
    order = after(
        new_order(S.PACKED),
        says(S.SHIPPED, 1, tracking_number="1Z", carrier="UPS"),
        says(S.SHIPPED, 2, tracking_number="2Z", carrier="UPS"),
        says(None, 3, parcel="2Z", tracking_number="3Z"),
        says(S.IN_TRANSIT, 4, tracking_number="2Z"),
    )
    assert states_of(order) == {"unnamed": "shipped", "2Z": "in_transit"}
    assert parcel_of(order, "2Z").carrier == "UPS"


def test_a_state_that_names_no_parcel_moves_all_of_them() -> None:
    told = hear(shipped("A", "B"), says(S.IN_TRANSIT, 20))
    assert states_of(told.order) == {"A": "in_transit", "B": "in_transit"}
    assert told.event is not None
    assert told.event.parcel is None
    assert told.event.parcel_state is S.IN_TRANSIT


def test_a_state_for_all_moves_those_that_may_go_there() -> None:
    order = after(shipped("A", "B"), says(S.RETURNING, 20, parcel="A"))
    told = hear(order, says(S.DELIVERED, 30))
    assert told.verdict is Verdict.APPLIED
    assert states_of(told.order) == {"A": "returning", "B": "delivered"}
    assert told.event is not None
    assert told.event.parcel == "B"


def test_a_state_for_all_that_tells_nothing_new_of_any_is_a_duplicate() -> None:
    order = after(shipped("A", "B"), says(S.DELAYED, 20, parcel="A"), says(S.IN_TRANSIT, 15))
    assert states_of(order) == {"A": "delayed", "B": "in_transit"}
    told = hear(order, says(S.IN_TRANSIT, 15))
    assert told.verdict is Verdict.DUPLICATE
    assert told.order is order


def test_a_state_that_no_parcel_may_go_to_has_the_verdict_of_the_least_advanced_one() -> None:
    order = after(
        shipped("A", "B"), says(S.DELAYED, 50, parcel="A"), says(S.IN_TRANSIT, 20, parcel="B")
    )
    assert hear(order, says(S.SHIPPED, 45, parcel="A")).verdict is Verdict.STALE
    told = hear(order, says(S.SHIPPED, 45))
    assert told.verdict is Verdict.ILLEGAL
    assert told.why == "there is no way from in_transit to shipped"


# --- facts ----------------------------------------------------------------------------------------


def test_facts_alone_change_no_state_and_are_told_as_an_update() -> None:
    order = shipped("A", at=10)
    told = hear(order, says(None, 20, parcel="A", tracking_number="1Z"))
    assert told.event is not None
    assert told.event.type is EventType.UPDATED
    assert (told.event.previous_state, told.event.state) == (S.SHIPPED, S.SHIPPED)
    assert told.order.state_at == minute(10)
    assert parcel_of(told.order, "A").state_at == minute(10)


def test_a_known_state_with_new_facts_is_applied_and_keeps_its_time() -> None:
    told = hear(shipped("A", at=10), says(S.SHIPPED, 20, parcel="A", tracking_number="1Z"))
    assert told.verdict is Verdict.APPLIED
    assert told.event is not None
    assert told.event.type is EventType.UPDATED
    assert parcel_of(told.order, "A").state_at == minute(10)


def test_a_poorer_update_never_erases_a_tracking_number_or_a_carrier() -> None:
    rich = {
        "carrier": "UPS",
        "carrier_service": "Ground",
        "tracking_number": "1Z",
        "tracking_url": "https://example.com/1Z",
    }
    order = after(new_order(S.PACKED), says(S.SHIPPED, 1, parcel="A", **rich))
    order = after(order, says(S.IN_TRANSIT, 2, parcel="A"), says(S.DELAYED, 3))
    parcel = parcel_of(order, "A")
    assert {name: getattr(parcel, name) for name in rich} == rich


def test_a_richer_update_replaces_what_it_tells_and_leaves_the_rest() -> None:
    order = after(new_order(S.PACKED), says(parcel="A", carrier="UPS", tracking_number="1Z"))
    order = after(order, says(parcel="A", carrier="DHL"))
    parcel = parcel_of(order, "A")
    assert (parcel.carrier, parcel.tracking_number) == ("DHL", "1Z")


def test_poorer_details_never_erase_richer_ones() -> None:
    item = PackedItem("SKU", 2, lots=(Lot("L1"),))
    rich = ParcelDetails(
        number=3,
        weight=Weight(Decimal("1.5"), "kg"),
        items=(item,),
        extensions={"one": msgspec.Raw(b"1")},
    )
    order = after(new_order(S.PACKED), says(parcel="A", details=rich))
    order = after(
        order,
        says(parcel="A", details=ParcelDetails(extensions={"two": msgspec.Raw(b"2")})),
    )
    details = parcel_of(order, "A").details
    assert details is not None
    assert (details.number, details.weight, details.items) == (3, rich.weight, (item,))
    assert {name: bytes(raw) for name, raw in details.extensions.items()} == {
        "one": b"1",
        "two": b"2",
    }


def test_the_same_details_are_a_duplicate() -> None:
    details = ParcelDetails(number=0, extensions={"one": msgspec.Raw(b"1")})
    again = ParcelDetails(number=0, extensions={"one": msgspec.Raw(b"1")})
    order = after(new_order(S.PACKED), says(parcel="A", details=details))
    assert hear(order, says(parcel="A", details=again)).verdict is Verdict.DUPLICATE


# --- where the order is ---------------------------------------------------------------------------


def test_the_order_is_where_its_least_advanced_parcel_is() -> None:
    order = shipped("A", "B")
    order = after(order, says(S.IN_TRANSIT, 20, parcel="A"))
    assert order.state is S.SHIPPED
    order = after(order, says(S.INFO_RECEIVED, 21, parcel="B"))
    assert order.state is S.INFO_RECEIVED
    order = after(order, says(S.OUT_FOR_DELIVERY, 22, parcel="B"))
    assert order.state is S.IN_TRANSIT


def test_an_announced_parcel_holds_the_order_at_shipped() -> None:
    order = after(
        new_order(S.PACKED), says(parcel="A"), says(parcel="B"), says(S.DELIVERED, 20, parcel="A")
    )
    assert order.state is S.SHIPPED
    assert states_of(order) == {"A": "delivered", "B": None}


def test_an_order_is_delivered_only_when_all_its_parcels_are() -> None:
    order = after(shipped("A", "B", "C"), says(S.IN_TRANSIT, 20))
    for name in ("A", "B"):
        order = after(order, says(S.DELIVERED, 30, parcel=name))
        assert order.state is S.IN_TRANSIT
    order = after(order, says(S.DELIVERED, 30, parcel="C"))
    assert order.state is S.DELIVERED


def test_what_happens_to_a_parcel_ahead_is_an_update_of_the_order() -> None:
    told = hear(shipped("A", "B", at=10), says(S.IN_TRANSIT, 20, parcel="A"))
    assert told.event is not None
    assert told.event.type is EventType.UPDATED
    assert (told.event.parcel, told.event.parcel_state) == ("A", S.IN_TRANSIT)
    assert told.event.occurred_at == minute(20)
    assert told.event.state is S.SHIPPED
    assert told.order.state_at == minute(10)


@pytest.mark.parametrize(
    "state", [S.ATTEMPT_FAILED, S.EXCEPTION, S.UNDELIVERABLE, S.RETURNING], ids=str
)
def test_any_parcel_in_trouble_flags_the_order_for_attention(state: State) -> None:
    order = shipped("A", "B")
    assert not order.attention
    order = after(order, says(state, 20, parcel="A"))
    assert order.state is S.SHIPPED
    assert order.attention


def test_each_parcel_has_its_own_time() -> None:
    order = after(shipped("A", "B"), says(S.IN_TRANSIT, 50, parcel="A"))
    assert hear(order, says(S.DELAYED, 40, parcel="A")).verdict is Verdict.STALE
    assert hear(order, says(S.DELAYED, 40, parcel="B")).verdict is Verdict.APPLIED


def test_each_parcel_has_the_numbers_of_its_own_source() -> None:
    order = after(shipped("A", "B"), says(S.IN_TRANSIT, 50, parcel="A", source_sequence=9))
    late = {"source_sequence": 8}
    assert hear(order, says(S.DELAYED, 50, parcel="A", **late)).verdict is Verdict.STALE
    assert hear(order, says(S.DELAYED, 50, parcel="B", **late)).verdict is Verdict.APPLIED


def test_a_scan_that_is_older_than_the_word_of_the_warehouse_is_stale() -> None:
    order = after(new_order(), says(S.PACKED, 50))
    assert hear(order, says(S.IN_TRANSIT, 40)).verdict is Verdict.STALE


# --- parcels that come late -----------------------------------------------------------------------


def test_a_new_parcel_behind_does_not_take_a_moving_order_back() -> None:
    order = after(shipped("A"), says(S.IN_TRANSIT, 20))
    told = hear(order, says(S.SHIPPED, 21, parcel="B"))
    assert told.verdict is Verdict.APPLIED
    assert told.order.state is S.IN_TRANSIT
    assert states_of(told.order) == {"A": "in_transit", "B": "shipped"}
    order = after(told.order, says(S.OUT_FOR_DELIVERY, 22, parcel="A"))
    assert order.state is S.IN_TRANSIT
    order = after(order, says(S.IN_TRANSIT, 23, parcel="B"), says(S.DELIVERED, 24, parcel="A"))
    assert order.state is S.IN_TRANSIT
    assert after(order, says(S.DELIVERED, 25, parcel="B")).state is S.DELIVERED


def test_a_parcel_announced_late_keeps_the_order_from_being_delivered() -> None:
    order = after(shipped("A"), says(S.IN_TRANSIT, 20), says(parcel="B", tracking_number="2Z"))
    order = after(order, says(S.DELIVERED, 30, parcel="A"))
    assert order.state is S.IN_TRANSIT


@pytest.mark.parametrize("state", [None, S.SHIPPED, S.IN_TRANSIT])
def test_a_new_parcel_on_a_delivered_order_is_refused(state: State | None) -> None:
    order = after(shipped("A"), says(S.DELIVERED, 30))
    told = hear(order, says(state, 40, parcel="B"))
    assert told.verdict is Verdict.ILLEGAL
    assert told.order is order
    assert told.why


def test_a_new_parcel_on_a_delivered_order_is_taken_as_a_correction() -> None:
    order = after(shipped("A"), says(S.DELIVERED, 30))
    told = hear(order, corrects(S.IN_TRANSIT, 40, parcel="B"))
    assert told.verdict is Verdict.APPLIED
    assert told.order.state is S.IN_TRANSIT
    assert told.event is not None
    assert told.event.correction


def test_a_new_parcel_that_arrives_delivered_leaves_a_delivered_order_delivered() -> None:
    order = after(shipped("A"), says(S.DELIVERED, 30), says(S.DELIVERED, 31, parcel="B"))
    assert order.state is S.DELIVERED


@pytest.mark.parametrize("trust", [False, True])
def test_a_new_parcel_on_a_returned_order_is_refused(trust: bool) -> None:
    order = after(shipped("A"), says(S.RETURNING, 30), says(S.RETURNED, 40))
    update = corrects if trust else says
    assert hear(order, update(S.IN_TRANSIT, 50, parcel="B")).verdict is Verdict.ILLEGAL
    assert hear(order, says(parcel="B", carrier="UPS")).verdict is Verdict.ILLEGAL


# --- ends -----------------------------------------------------------------------------------------


def test_the_last_parcel_delivered_while_another_came_back_returns_the_order() -> None:
    order = after(
        shipped("A", "B"),
        says(S.IN_TRANSIT, 20),
        says(S.RETURNING, 30, parcel="A"),
        says(S.RETURNED, 40, parcel="A"),
    )
    assert order.state is S.IN_TRANSIT
    told = hear(order, says(S.DELIVERED, 50, parcel="B"))
    assert told.verdict is Verdict.APPLIED
    assert told.order.state is S.RETURNED
    assert told.event is not None
    assert told.event.skipped == (S.RETURNING,)
    assert not told.event.correction


def test_a_parcel_moves_again_on_an_order_that_was_untracked() -> None:
    order = after(shipped("A"), says(S.UNTRACKED, 20))
    told = hear(order, says(S.OUT_FOR_DELIVERY, 30, parcel="B"))
    assert told.order.state is S.OUT_FOR_DELIVERY
    assert told.event is not None
    assert told.event.skipped == (S.IN_TRANSIT,)


def test_a_parcel_in_trouble_reopens_an_expired_order() -> None:
    order = after(shipped("A"), says(S.EXPIRED, 20))
    told = hear(order, says(S.UNDELIVERABLE, 30, parcel="B"))
    assert told.order.state is S.UNDELIVERABLE
    assert told.event is not None
    assert told.event.skipped == (S.IN_TRANSIT,)


def test_an_order_whose_parcels_were_delivered_after_all_is_delivered() -> None:
    order = after(
        shipped("A"),
        says(S.RETURNING, 20),
        says(S.SHIPPED, 21, parcel="B"),
        says(S.EXPIRED, 30, parcel="A"),
        says(S.DELIVERED, 40, parcel="A"),
    )
    assert order.state is S.RETURNING
    told = hear(order, says(S.DELIVERED, 50, parcel="B"))
    assert told.order.state is S.DELIVERED
    assert told.event is not None
    assert told.event.skipped == (S.EXPIRED,)


def test_beside_a_parcel_without_tracking_the_order_stays_where_the_others_left_it() -> None:
    order = after(
        shipped("A", "B"),
        says(S.UNTRACKED, 20, parcel="A"),
        says(S.IN_TRANSIT, 30, parcel="B"),
        says(S.DELIVERED, 40, parcel="B"),
    )
    assert order.state is S.IN_TRANSIT
    assert after(order, says(S.DELIVERED, 50, parcel="A")).state is S.DELIVERED


def test_an_order_that_waits_beside_a_parcel_without_tracking_ends_when_its_time_is_over() -> None:
    order = after(
        shipped("A", "B"),
        says(S.UNTRACKED, 20, parcel="A"),
        says(S.IN_TRANSIT, 30, parcel="B"),
    )
    too_early = hear(order, says(S.EXPIRED, 35, parcel="A"))
    assert (too_early.verdict, too_early.order) == (Verdict.ILLEGAL, order)
    order = after(order, says(S.DELIVERED, 40, parcel="B"))
    assert order.state is S.IN_TRANSIT
    told = hear(order, says(S.EXPIRED, 50, parcel="A"))
    assert told.verdict is Verdict.APPLIED
    assert told.event is not None
    assert (told.event.type, told.event.parcel) == (EventType.STATE_CHANGED, "A")
    assert told.order.state is S.EXPIRED
    assert states_of(told.order) == {"A": "untracked", "B": "delivered"}
    assert told.order.lead_parcel is not None
    assert told.order.lead_parcel.parcel == "A"
    assert hear(told.order, says(S.EXPIRED, 60, parcel="A")).verdict is Verdict.DUPLICATE
    assert after(told.order, says(S.DELIVERED, 70, parcel="A")).state is S.DELIVERED


def test_an_order_that_has_ended_as_untracked_does_not_expire_as_well() -> None:
    order = after(shipped("A"), says(S.UNTRACKED, 20, parcel="A"))
    assert order.state is S.UNTRACKED
    assert hear(order, says(S.EXPIRED, 30, parcel="A")).verdict is Verdict.ILLEGAL


# --- corrections of parcels -----------------------------------------------------------------------


def test_a_correction_of_one_parcel_takes_the_order_with_it() -> None:
    order = after(shipped("A", "B"), says(S.DELIVERED, 30))
    told = hear(order, corrects(S.RETURNING, 40, parcel="A"))
    assert told.order.state is S.RETURNING
    assert states_of(told.order) == {"A": "returning", "B": "delivered"}
    assert told.event is not None
    assert told.event.correction


def test_a_correction_of_a_parcel_is_marked_even_when_the_order_stays_where_it_is() -> None:
    order = after(shipped("A", "B"), says(S.DELIVERED, 30, parcel="A"))
    told = hear(order, corrects(S.IN_TRANSIT, 40, parcel="A", note="wrong door"))
    assert told.order.state is S.SHIPPED
    assert told.event is not None
    assert told.event.correction
    assert told.event.type is EventType.UPDATED
    assert told.event.note == "wrong door"


def test_a_correction_of_a_parcel_is_marked_even_when_the_order_takes_a_normal_step() -> None:
    order = after(shipped("A", "B"), says(S.UNDELIVERABLE, 20), says(S.RETURNING, 30, parcel="A"))
    assert order.state is S.UNDELIVERABLE
    told = hear(order, corrects(S.IN_TRANSIT, 40, parcel="A"))
    assert told.order.state is S.IN_TRANSIT
    assert told.event is not None
    assert told.event.correction


def test_a_correction_of_a_parcel_needs_what_every_correction_needs() -> None:
    order = after(shipped("A", "B"), says(S.DELIVERED, 30, parcel="A"))
    for lacking in ({"trusted": False}, {"note": " "}, {"correction": False}):
        told = hear(order, corrects(S.IN_TRANSIT, 40, parcel="A", **lacking))
        assert told.verdict is Verdict.ILLEGAL
        assert told.order is order


# --- orders that were learned of late -------------------------------------------------------------


def test_the_first_parcel_of_an_order_learned_of_late_is_where_the_order_is() -> None:
    order = new_order(S.DELIVERED, previous_state=S.IN_TRANSIT)
    assert hear(order, says(S.IN_TRANSIT, 5)).verdict is Verdict.ILLEGAL
    assert hear(order, says(S.DELIVERED, 5)).verdict is Verdict.APPLIED
    assert hear(order, says(S.DELIVERED, -5)).verdict is Verdict.STALE
