"""Several sources tell of the same order: whose word stands, and what is never lost."""

from __future__ import annotations

import pytest

from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, ParcelDetails
from milepost.orders.move import OTHERWISE
from tests.core.making import after, hear, minute, new_order, parcel_of, says, shipped, states_of

S = State


def in_transit(**facts: object) -> Order:
    return after(new_order(), says(S.IN_TRANSIT, 10, source="carrier", **facts))


def test_of_the_same_moment_the_source_of_higher_precedence_is_believed() -> None:
    order = in_transit(precedence=5)
    told = hear(order, says(S.EXCEPTION, 10, source="shop", precedence=1))
    assert told.verdict is Verdict.STALE
    assert "carrier says in_transit" in told.why
    assert "goes before shop" in told.why


def test_a_source_of_higher_precedence_overrules_what_was_said_of_the_same_moment() -> None:
    order = after(new_order(), says(S.PACKED, 10, source="shop", precedence=1))
    told = hear(order, says(S.ON_HOLD, 10, source="warehouse", precedence=5))
    assert told.verdict is Verdict.APPLIED
    assert (told.order.told_by, told.order.precedence) == ("warehouse", 5)


def test_overruling_what_only_a_correction_undoes_needs_trust() -> None:
    order = after(new_order(), says(S.DELIVERED, 10, source="shop"))
    word = {"source": "carrier", "precedence": 5, "current": True}
    assert hear(order, says(S.EXCEPTION, 10, **word)).verdict is Verdict.ILLEGAL
    told = hear(order, says(S.EXCEPTION, 10, trusted=True, **word))
    assert told.verdict is Verdict.APPLIED
    assert told.event is not None
    assert (told.event.correction, told.event.note) == (True, OTHERWISE)


def test_what_happened_later_wins_over_any_precedence() -> None:
    order = in_transit(precedence=100)
    told = hear(order, says(S.OUT_FOR_DELIVERY, 11, source="shop"))
    assert told.verdict is Verdict.APPLIED
    late = hear(told.order, says(S.EXCEPTION, 10, source="carrier", precedence=100))
    assert late.verdict is Verdict.STALE
    assert "which shop told" in late.why


def test_the_numbers_of_one_source_say_nothing_of_another() -> None:
    order = after(new_order(), says(S.PACKING, 9, source="a", source_sequence=700))
    told = hear(order, says(S.PACKED, 9, source="b", source_sequence=2))
    assert told.verdict is Verdict.APPLIED
    again = hear(told.order, says(S.READY_TO_SHIP, 9, source="a", source_sequence=699))
    assert again.verdict is Verdict.APPLIED


def test_parcels_keep_the_numbers_of_their_own_source() -> None:
    order = after(
        shipped("A", "B"),
        says(S.IN_TRANSIT, 50, parcel="A", source="a", source_sequence=9),
        says(S.IN_TRANSIT, 50, parcel="B", source="b", source_sequence=4),
    )
    stale = hear(order, says(S.EXCEPTION, 50, parcel="A", source="a", source_sequence=8))
    assert stale.verdict is Verdict.STALE
    assert "a's sequence 8 is before its 9" in stale.why
    other = hear(order, says(S.EXCEPTION, 50, parcel="A", source="b", source_sequence=8))
    assert other.verdict is Verdict.APPLIED


def test_a_source_without_times_goes_by_its_own_numbers_not_by_arrival() -> None:
    order = after(new_order(), says(S.OUT_FOR_DELIVERY, source="hub", source_sequence=7))
    late = hear(order, says(S.IN_TRANSIT, source="hub", source_sequence=6), now=minute(90_000))
    assert late.verdict is Verdict.STALE
    assert late.order is order


def test_a_coarse_word_never_takes_back_a_finer_one() -> None:
    order = after(shipped(at=5), says(S.EXCEPTION, 10, source="carrier", tracking_number="T1"))
    covers = ((S.EXCEPTION, None), (S.DELAYED, None))
    told = hear(order, says(S.IN_TRANSIT, 20, source="shop", covers=covers))
    assert told.verdict is Verdict.DUPLICATE
    assert told.order.state is S.EXCEPTION


def test_a_coarse_word_still_brings_its_facts() -> None:
    order = after(shipped(at=5), says(S.EXCEPTION, 10, source="carrier", tracking_number="T1"))
    covers = ((S.EXCEPTION, None),)
    order = after(order, says(S.IN_TRANSIT, 20, source="shop", covers=covers, carrier="UPS"))
    assert order.state is S.EXCEPTION
    assert (order.parcels[0].carrier, order.parcels[0].tracking_number) == ("UPS", "T1")


def test_a_late_poorer_word_never_erases_a_tracking_number() -> None:
    order = in_transit(tracking_number="T1", carrier="UPS", tracking_url="https://t.example/1")
    for update in (
        says(S.SHIPPED, 5, source="shop"),
        says(S.DELAYED, 12, source="shop"),
        says(S.IN_TRANSIT, source="shop", precedence=9),
        says(S.RETURNING, 20, source="shop", current=True, trusted=True),
    ):
        order = hear(order, update).order
        parcel = order.parcels[0]
        assert (parcel.tracking_number, parcel.carrier) == ("T1", "UPS")
        assert parcel.tracking_url == "https://t.example/1"


def test_a_fact_of_a_source_of_higher_precedence_stays_unless_something_later_is_told() -> None:
    order = in_transit(carrier="UPS", precedence=5)
    same = hear(order, says(S.IN_TRANSIT, source="shop", carrier="ups ground"))
    assert same.verdict is Verdict.DUPLICATE
    order = after(order, says(S.IN_TRANSIT, source="shop", carrier_service="Ground"))
    assert (order.parcels[0].carrier, order.parcels[0].carrier_service) == ("UPS", "Ground")
    order = after(order, says(S.IN_TRANSIT, 30, source="shop", carrier="DHL"))
    assert order.parcels[0].carrier == "DHL"


def test_a_word_about_the_whole_order_moves_only_the_parcels_that_its_source_told_of() -> None:
    order = after(
        shipped("A", "B", "C"),
        says(S.IN_TRANSIT, 20, parcel="A", source="shop", tracking_number="TA"),
        says(S.IN_TRANSIT, 20, parcel="B", source="shop"),
        says(S.EXCEPTION, 20, parcel="C", source="carrier"),
    )
    told = hear(order, says(S.DELIVERED, 30, source="shop", tracking_number="TA", whole=True))
    assert states_of(told.order) == {"A": "delivered", "B": "delivered", "C": "exception"}
    assert told.order.state is S.EXCEPTION


def test_a_source_takes_back_its_own_word_and_not_anothers() -> None:
    own = after(new_order(), says(S.DELIVERED, 10, source="shop", tracking_number="T1"))
    back = says(S.RETURNING, 20, source="shop", current=True, trusted=True)
    told = hear(own, back)
    assert told.verdict is Verdict.APPLIED
    assert told.event is not None
    assert told.event.correction
    anothers = after(new_order(), says(S.DELIVERED, 10, source="carrier", tracking_number="T1"))
    assert hear(anothers, back).verdict is Verdict.ILLEGAL
    careful = says(S.RETURNING, 20, source="shop", current=True)
    assert hear(own, careful).verdict is Verdict.ILLEGAL


def test_a_word_of_the_same_time_takes_nothing_back() -> None:
    order = after(new_order(), says(S.DELIVERED, 10, source="shop"))
    again = says(S.EXCEPTION, 10, source="shop", current=True, trusted=True)
    assert hear(order, again).verdict is Verdict.ILLEGAL
    unnumbered = says(S.EXCEPTION, source="shop", current=True, trusted=True)
    assert hear(order, unnumbered).verdict is Verdict.ILLEGAL


@pytest.mark.parametrize("state", [S.RETURNING, S.UNDELIVERABLE, S.ATTEMPT_FAILED, S.EXPIRED])
def test_what_a_carrier_has_was_shipped_even_if_nobody_said_so(state: S) -> None:
    order = new_order()
    assert hear(order, says(state, 10)).verdict is Verdict.ILLEGAL
    told = hear(order, says(state, 10, current=True))
    assert told.verdict is Verdict.APPLIED
    assert told.event is not None
    assert told.event.skipped == (S.SHIPPED,)
    assert "by way of shipped" in told.why


def test_an_untold_step_never_stands_in_for_a_correction() -> None:
    order = after(new_order(), says(S.READY_TO_SHIP, 10, source="shop"))
    told = hear(order, says(S.SUBMITTED, 20, source="shop", current=True))
    assert told.verdict is Verdict.ILLEGAL


def test_scans_that_are_told_again_beside_a_newer_one_are_no_news() -> None:
    order = in_transit(tracking_number="T1")
    old = says(S.INFO_RECEIVED, 5, source="carrier", tracking_number="T1", past=True)
    told = hear(order, old)
    assert told.verdict is Verdict.DUPLICATE
    assert told.order is order


def test_packages_are_told_apart_by_their_numbers_until_they_have_tracking() -> None:
    def package(number: int, tracking: str | None = None, at: float = 10) -> Order:
        details = ParcelDetails(number=number)
        return after(order, says(S.SHIPPED, at, tracking_number=tracking, details=details))

    order = after(new_order(), says(S.SHIPPED, 10, details=ParcelDetails(number=1)))
    order = package(2)
    assert len(order.parcels) == 2
    order = package(2, "T2", 11)
    order = package(1, "T1", 11)
    assert [p.tracking_number for p in order.parcels] == ["T1", "T2"]


def test_packages_may_share_one_tracking_number() -> None:
    order = new_order()
    for number in (1, 2, 3):
        details = ParcelDetails(number=number)
        order = after(order, says(S.SHIPPED, 10, tracking_number="T1", details=details))
    assert [p.details and p.details.number for p in order.parcels] == [1, 2, 3]
    again = says(S.SHIPPED, 10, tracking_number="T1", details=ParcelDetails(number=2))
    assert hear(order, again).verdict is Verdict.DUPLICATE


def test_who_told_last_is_known_of_the_order_and_of_each_parcel() -> None:
    order = after(shipped("A", "B"), says(S.IN_TRANSIT, 20, parcel="A", source="x", precedence=3))
    assert (parcel_of(order, "A").told_by, parcel_of(order, "A").precedence) == ("x", 3)
    assert (parcel_of(order, "B").told_by, parcel_of(order, "B").precedence) == ("warehouse", 0)
    assert order.told_by == "warehouse"


def test_a_word_that_is_said_again_after_others_were_missed_makes_those_stale() -> None:
    order = after(new_order(), says(S.IN_TRANSIT, source="hub", source_sequence=2, current=True))
    order = after(order, says(S.IN_TRANSIT, source="hub", source_sequence=5, current=True))
    missed = says(S.EXCEPTION, source="hub", source_sequence=4, current=True)
    assert hear(order, missed).verdict is Verdict.STALE


def test_a_late_word_makes_no_parcel_that_its_source_never_told_of_again() -> None:
    order = after(
        shipped("A"), says(S.DELIVERED, parcel="A", source="hub", source_sequence=5, current=True)
    )
    late = says(S.DELAYED, parcel="old", source="hub", source_sequence=4, current=True)
    told = hear(order, late)
    assert (told.verdict, len(told.order.parcels)) == (Verdict.STALE, 1)


def test_what_is_first_heard_of_as_returned_was_shipped_and_sent_back() -> None:
    told = hear(new_order(), says(S.RETURNED, 10, current=True))
    assert told.event is not None
    assert told.event.skipped == (S.SHIPPED, S.RETURNING)
