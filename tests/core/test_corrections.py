"""A correction that is told again is no news, whatever has happened to the order since."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.orders.corrections import MOST_CORRECTIONS, TOLD_BEFORE
from milepost.orders.erasure import erased
from milepost.orders.events import Move, Update, Verdict
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order, ParcelDetails
from tests.core.making import ARRIVAL, after, corrects, hear, minute, new_order, says, shipped
from tests.core.test_walks import updates

S = State
BACK = corrects(S.IN_TRANSIT, 15, note="nobody was at home")


def delivered_again() -> Order:
    """Delivered, taken back, and delivered in truth."""
    return after(shipped("1"), says(S.DELIVERED, 20), BACK, says(S.DELIVERED, 30))


def is_told_again(order: Order, update: Update) -> bool:
    told = hear(order, update)
    if told.why != TOLD_BEFORE:
        return False
    assert (told.verdict, told.event) == (Verdict.DUPLICATE, None)
    assert told.order is order
    return True


def test_a_correction_told_again_does_not_take_an_order_back_that_has_moved_on() -> None:
    order = delivered_again()
    assert is_told_again(order, BACK)
    assert is_told_again(after(order, corrects(S.RETURNING, 40)), BACK)


@pytest.mark.parametrize(
    "other",
    [
        {"occurred_at": minute(16)},
        {"occurred_at": None},
        {"source": "carrier"},
        {"state": S.EXCEPTION},
        {"source_sequence": 4},
        {"raw": "Departed"},
        {"parcel": "1"},
        {"carrier": "UPS"},
        {"carrier_service": "Ground"},
        {"tracking_number": "T1"},
        {"tracking_url": "https://ups.example/T1"},
        {"details": ParcelDetails(number=1)},
        {"details": ParcelDetails(extensions={"x": msgspec.Raw(b"1")})},
        {"updating": True},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_correction_is_applied_like_the_first(other: dict[str, Any]) -> None:
    told = hear(delivered_again(), msgspec.structs.replace(BACK, **other))
    assert told.verdict is Verdict.APPLIED
    assert told.order.state is not S.DELIVERED
    assert told.event is not None
    assert told.event.correction


def test_another_reason_is_another_correction() -> None:
    put_off = corrects(S.SCHEDULED, 5, reason=Reason.SUBSCRIPTION)
    order = after(new_order(S.VERIFIED), put_off, says(S.SUBMITTED, 10))
    assert is_told_again(order, put_off)
    other = msgspec.structs.replace(put_off, reason=Reason.FUTURE_DATE)
    assert hear(order, other).order.reason is Reason.FUTURE_DATE


@pytest.mark.parametrize(
    "otherwise",
    [
        {"note": "as I said"},
        {"occurred_at": minute(15).astimezone(timezone(timedelta(hours=9)))},
        {"source": "reconciled:warehouse"},
        {"precedence": 9},
        {"covers": ((S.EXCEPTION, None),)},
        {"past": True},
        {"correction": False, "note": None},
        {"trusted": False},
    ],
    ids=lambda otherwise: next(iter(otherwise)),
)
def test_how_a_correction_is_to_be_taken_makes_no_other_of_it(otherwise: dict[str, Any]) -> None:
    assert is_told_again(delivered_again(), msgspec.structs.replace(BACK, **otherwise))


def test_a_correction_without_a_time_of_its_own_is_a_new_one_each_time() -> None:
    undated = corrects(S.IN_TRANSIT)
    order = after(shipped("1"), says(S.DELIVERED, 20))
    for day in range(3):
        arrival = ARRIVAL + timedelta(days=day)
        back = hear(order, undated, now=arrival)
        assert (back.verdict, back.order.state) == (Verdict.APPLIED, S.IN_TRANSIT)
        assert back.order.corrections == ()
        order = hear(back.order, says(S.DELIVERED), now=arrival + timedelta(hours=1)).order
        assert order.state is S.DELIVERED


def test_a_correction_is_remembered_where_it_took_a_normal_step_too() -> None:
    earlier = corrects(S.IN_TRANSIT, 12)
    order = after(shipped("1"), earlier, says(S.EXCEPTION, 20))
    assert is_told_again(order, earlier)
    assert hear(order, corrects(S.IN_TRANSIT, 13)).order.state is S.IN_TRANSIT


def test_what_was_no_correction_is_not_remembered() -> None:
    order = after(shipped("1"), says(S.IN_TRANSIT, 12), says(S.EXCEPTION, 20))
    assert order.corrections == ()
    assert hear(order, corrects(S.IN_TRANSIT, 12)).verdict is Verdict.APPLIED


def test_a_correction_that_was_refused_is_not_remembered() -> None:
    order = new_order(S.PICKING)
    too_early = corrects(S.RETURNED, 3)
    assert hear(order, too_early).verdict is Verdict.ILLEGAL
    order = after(order, says(S.SHIPPED, 10), says(S.RETURNING, 11))
    assert hear(order, too_early).order.state is S.RETURNED


def test_corrections_of_two_parcels_are_remembered_side_by_side() -> None:
    order = after(shipped("A", "B"), says(S.DELIVERED, 20))
    both = [corrects(S.IN_TRANSIT, 15, parcel=name) for name in ("A", "B")]
    order = after(order, *both, says(S.DELIVERED, 30))
    assert all(is_told_again(order, update) for update in both)


def test_a_standing_word_is_weighed_by_its_time_alone() -> None:
    order = after(delivered_again(), corrects(S.RETURNING, 14))
    standing = msgspec.structs.replace(BACK, current=True)
    assert hear(order, standing).why != TOLD_BEFORE


def test_so_many_corrections_are_remembered_and_the_oldest_is_forgotten_first() -> None:
    order = after(shipped("1"), says(S.DELIVERED, 20))
    told = [
        corrects(S.IN_TRANSIT if number % 2 else S.RETURNING, number)
        for number in range(MOST_CORRECTIONS + 1)
    ]
    order = after(order, *told)
    assert len(order.corrections) == MOST_CORRECTIONS
    assert [is_told_again(order, update) for update in told] == [False] + [True] * MOST_CORRECTIONS


def test_the_mark_of_a_correction_is_the_same_in_every_process_and_every_version() -> None:
    assert delivered_again().corrections == ("fe2445dc14b53242",)


def test_an_erased_order_remembers_no_correction() -> None:
    assert erased(delivered_again(), at=ARRIVAL).corrections == ()


# --- walks ----------------------------------------------------------------------------------------


def as_said(update: Update) -> Update:
    """What a source said, without all that tells how it is to be taken: the oracle of the marks."""
    return msgspec.structs.replace(
        update,
        source=update.source.removeprefix("reconciled:"),
        correction=False,
        trusted=False,
        note=None,
        precedence=0,
        covers=(),
        past=False,
        whole=False,
    )


def is_dated_correction(update: Update) -> bool:
    noted = update.note is not None and update.note.strip() != ""
    asked = update.correction and update.trusted and noted
    return asked and not update.current and update.occurred_at is not None


def check_as_if_none_had_been_before(before: Order, update: Update, told: Move) -> None:
    """What is new is decided as by an order that remembers nothing."""
    plain = hear(msgspec.structs.replace(before, corrections=()), update)
    assert (told.verdict, told.why, told.event) == (plain.verdict, plain.why, plain.event)
    without = msgspec.structs.replace(told.order, corrections=())
    assert without == msgspec.structs.replace(plain.order, corrections=())


@st.composite
def happenings(draw: st.DrawFn, order: Order, said: list[Update], clock: int) -> Update:
    """What comes next: anything, a correction, or one that was told, or nearly that one, again."""
    kind = draw(st.sampled_from(["anything", "correction", "again", "again"]))
    if kind == "again" and said:
        again = draw(st.sampled_from(said))
        return msgspec.structs.replace(
            again,
            source=draw(st.sampled_from(["", "reconciled:"])) + again.source,
            note=draw(st.sampled_from([again.note, "once more"])),
            parcel=draw(st.sampled_from([again.parcel, again.parcel, again.parcel, "A", "B"])),
        )
    update = draw(updates(order, clock))
    if kind == "anything":
        return update
    return msgspec.structs.replace(
        update, correction=True, trusted=True, note="seen it", current=False
    )


@settings(max_examples=200)
@given(st.data())
def test_a_correction_with_a_time_is_applied_once_whatever_came_in_between(
    data: st.DataObject,
) -> None:
    order = new_order()
    said: list[Update] = []
    taken: list[Update] = []
    for clock in range(0, 10 * data.draw(st.integers(2, 14)), 10):
        update = data.draw(happenings(order, said, clock))
        told = hear(order, update)
        if not update.current and as_said(update) in taken:
            assert (told.verdict, told.event) == (Verdict.DUPLICATE, None)
            assert told.order is order
        else:
            check_as_if_none_had_been_before(order, update, told)
        if told.verdict is Verdict.APPLIED and is_dated_correction(update):
            taken.append(as_said(update))
            said.append(update)
        order = told.order
    assert len(order.corrections) == len(taken) <= MOST_CORRECTIONS
    for update in said:
        again = hear(order, update)
        assert (again.verdict, again.order) == (Verdict.DUPLICATE, order)
