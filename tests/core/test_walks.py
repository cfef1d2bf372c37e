"""Walks of random updates: whatever sources say, a life stays one that the rules allow."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.orders.events import EventType, Move, OrderEvent, Update, Verdict
from milepost.orders.lifecycle import REASONS, Reason, State, allowed_next
from milepost.orders.model import Order, PackedItem, Parcel, ParcelDetails, Weight, rolled_up
from milepost.orders.move import OTHERWISE
from tests.core import reading
from tests.core.making import ARRIVAL, hear, minute, new_order, says

FACTS = ("carrier", "carrier_service", "tracking_number", "tracking_url")

maybe = st.none
# Names and numbers are few and overlap, so that updates meet on the same parcels.
PARCELS = st.sampled_from([None, None, "A", "B", "N1"])
NUMBERS = st.sampled_from([None, None, None, "N1", "N2"])
DETAILS = st.builds(
    ParcelDetails,
    number=maybe() | st.integers(0, 2),
    weight=maybe() | st.just(Weight(Decimal(1), "kg")),
    items=st.sampled_from([(), (PackedItem("SKU", 1),)]),
    extensions=st.sampled_from([{}, {"x": msgspec.Raw(b"1")}, {"x": msgspec.Raw(b"2")}]),
)


@st.composite
def updates(draw: st.DrawFn, order: Order, clock: int) -> Update:
    """What a source may say of this order: mostly what could be true, sometimes anything."""
    near = allowed_next(order.state, correction=True) or tuple(State)
    state = draw(st.none() | st.sampled_from(near) | st.sampled_from(near) | st.sampled_from(State))
    return Update(
        source=draw(st.sampled_from(["warehouse", "carrier"])),
        state=state,
        reason=draw(maybe() | st.sampled_from(Reason)) if state is State.SCHEDULED else None,
        occurred_at=draw(st.none() | st.integers(-4, 8).map(lambda m: minute(clock + m))),
        source_sequence=draw(maybe() | st.integers(0, 5)),
        raw=draw(st.sampled_from([None, "WORD"])),
        parcel=draw(PARCELS),
        carrier=draw(st.sampled_from([None, None, "UPS", "DHL"])),
        tracking_number=draw(NUMBERS),
        details=draw(st.none() | st.none() | DETAILS),
        updating=draw(st.sampled_from([None, None, True, False])),
        correction=draw(st.booleans()),
        trusted=draw(st.booleans()),
        note=draw(st.sampled_from([None, "", " ", "seen it", "seen it"])),
        precedence=draw(st.sampled_from([0, 0, 10])),
        covers=draw(st.sampled_from([(), (), tuple((s, None) for s in near[:3])])),
        current=draw(st.sampled_from([False, False, True])),
        whole=draw(st.sampled_from([False, False, True])),
        past=draw(st.sampled_from([False, False, True])),
    )


IN_TWO_STEPS = {(a, d) for a, b in reading.NORMAL for c, d in reading.NORMAL if b == c}


def is_corrected(update: Update) -> bool:
    noted = update.correction and update.note and update.note.strip()
    return bool(update.trusted and (noted or update.current))


# --- what has to hold after every single update ---------------------------------------------------


def check_refused(before: Order, told: Move) -> None:
    assert told.order is before
    assert told.event is None
    assert told.verdict in (Verdict.DUPLICATE, Verdict.STALE, Verdict.ILLEGAL)
    assert told.why


def check_event(before: Order, update: Update, told: Move) -> OrderEvent:
    after, event = told.order, told.event
    assert event is not None
    assert event.sequence == after.sequence == before.sequence + 1
    assert (event.account_id, event.order_id) == (before.account_id, before.order_id)
    assert (event.previous_state, event.state) == (before.state, after.state)
    assert event.reason is after.reason
    assert event.received_at == after.updated_at == ARRIVAL
    assert event.occurred_at == (update.occurred_at or ARRIVAL)
    assert (event.source, event.raw) == (update.source, update.raw)
    assert event.note == (OTHERWISE if event.correction and not update.note else update.note)
    changed = (before.state, before.reason) != (after.state, after.reason)
    assert event.type is (EventType.STATE_CHANGED if changed else EventType.UPDATED)
    return event


def check_step(before: Order, event: OrderEvent) -> None:
    """The step is an edge of its class, or goes by normal edges through what was skipped."""
    step = (before.state.value, event.state.value)
    if step[0] == step[1]:
        assert event.skipped == ()
    elif step in reading.NORMAL:
        line = reading.MAIN_LINE
        along = line[line.index(step[0]) + 1 : line.index(step[1])] if {*step} <= {*line} else []
        assert list(event.skipped) == along
    elif step in reading.CORRECTIONS and event.correction:
        assert event.skipped == ()
    else:
        assert event.skipped
        assert len(event.skipped) == 1 or event.state is State.RETURNED
        way = (step[0], *(state.value for state in event.skipped), step[1])
        assert all(pair in reading.NORMAL for pair in pairwise(way)), way


def check_correction(update: Update, event: OrderEvent) -> None:
    if event.correction:
        assert is_corrected(update)
        assert update.state is not None


def check_parcels(before: Order, update: Update, after: Order) -> None:
    """Parcels never vanish, take only steps of the table, and keep every fact."""
    known = {p.parcel: p for p in before.parcels}
    if (
        list(known) == ["unnamed"]
        and update.parcel not in (None, "unnamed")
        and len(after.parcels) == 1
    ):
        # The only parcel, which nobody had named, has taken the name that it was now told.
        known = {after.parcels[0].parcel: known["unnamed"]}
    now = {p.parcel: p for p in after.parcels}
    assert len(now) == len(after.parcels)
    assert list(now)[: len(known)] == list(known)
    under_way = any(p.state for p in before.parcels)
    for name, parcel in now.items():
        was = known.get(name, Parcel(name))
        if parcel.state is not was.state and parcel.state is not None:
            here = was.state or (State.SHIPPED if under_way else before.state)
            step = (here.value, parcel.state.value)
            legal = reading.NORMAL | (reading.CORRECTIONS if is_corrected(update) else set())
            if update.current:
                # What lies between was never told.
                legal |= IN_TWO_STEPS | {
                    (a, "returned") for a, b in reading.NORMAL if b == "shipped"
                }
            assert step[0] == step[1] or step in legal
        check_facts(was, parcel)


def check_facts(was: Parcel, parcel: Parcel) -> None:
    for fact in FACTS:
        assert getattr(was, fact) is None or getattr(parcel, fact) is not None
    assert was.created_at is None or was.created_at == parcel.created_at
    if was.details is not None:
        assert parcel.details is not None
        assert was.details.number is None or parcel.details.number is not None
        assert was.details.weight is None or parcel.details.weight is not None
        assert parcel.details.items or not was.details.items
        assert set(was.details.extensions) <= set(parcel.details.extensions)


def check_order(order: Order) -> None:
    """The order as it stands is consistent with itself and with its parcels."""
    assert order.reason is None or order.reason in REASONS.get(order.state, ())
    assert (order.shipped_at is not None) == (order.state in reading.CARRIER)
    rolled = rolled_up(order.parcels)
    if order.state not in reading.CARRIER:
        assert rolled is None
        assert all(p.state_at is None for p in order.parcels)
        return
    assert rolled is not None
    if order.state is not rolled:
        # Held: no update could have taken it there, and it has not ended for good.
        assert (order.state.value, rolled.value) not in reading.NORMAL
        assert order.state not in (State.DELIVERED, State.RETURNED)


def check(before: Order, update: Update, told: Move) -> None:
    again = hear(told.order, update)
    assert again.verdict is not Verdict.APPLIED
    assert again.order is told.order
    if told.verdict is not Verdict.APPLIED:
        check_refused(before, told)
        return
    assert again.verdict is Verdict.DUPLICATE
    event = check_event(before, update, told)
    check_step(before, event)
    check_correction(update, event)
    check_parcels(before, update, told.order)
    check_order(told.order)
    assert told.order.content == before.content
    assert told.order.created_at == before.created_at


@settings(max_examples=300)
@given(st.data())
def test_no_walk_of_updates_leaves_the_table_or_forgets_a_fact(data: st.DataObject) -> None:
    order, events, heard = new_order(), [], []
    for clock in range(0, 10 * data.draw(st.integers(1, 14)), 10):
        update = data.draw(updates(order, clock))
        told = hear(order, update)
        check(order, update, told)
        if told.event is not None:
            heard.append(update)
            events.append(told.event)
        order = told.order
    assert [event.sequence for event in events] == list(range(2, 2 + len(events)))
    assert replayed(new_order(), events) == facts_of_the_order(order)
    assert retold(new_order(), heard) == order


def facts_of_the_order(order: Order) -> tuple[object, ...]:
    return (
        order.sequence,
        order.state,
        order.reason,
        order.previous_state,
        order.state_at,
        order.shipped_at,
    )


def replayed(order: Order, events: list[OrderEvent]) -> tuple[object, ...]:
    """What the history alone tells of the order."""
    state, reason, sequence = order.state, order.reason, order.sequence
    previous, at, shipped = order.previous_state, order.state_at, order.shipped_at
    for event in events:
        assert event.previous_state is state
        if event.type is EventType.STATE_CHANGED:
            previous = previous if event.state is state else state
            state, reason, at = event.state, event.reason, event.occurred_at
        with_carrier = state in reading.CARRIER
        shipped = (shipped or event.occurred_at) if with_carrier else None
        sequence = event.sequence
    return sequence, state, reason, previous, at, shipped


def retold(order: Order, heard: list[Update]) -> Order:
    """The order after the updates that were applied, told once more from the beginning."""
    for update in heard:
        order = hear(order, update).order
    return order


@given(
    st.lists(
        st.tuples(st.sampled_from(State), st.sampled_from([None, "A", "B"])),
        min_size=1,
        max_size=25,
    )
)
def test_states_with_times_of_their_own_are_applied_at_most_once_however_late_they_repeat(
    words: list[tuple[State, str | None]],
) -> None:
    order = new_order()
    said = [says(state, 1 + at, parcel=parcel) for at, (state, parcel) in enumerate(words)]
    applied = []
    for update in said:
        told = hear(order, update)
        order = told.order
        if told.verdict is Verdict.APPLIED:
            applied.append(update)
    for update in applied:
        assert hear(order, update).order is order


@given(st.permutations(range(9)))
def test_the_steps_of_the_main_line_end_in_the_same_place_in_whatever_order_they_arrive(
    order_of_arrival: list[int],
) -> None:
    line = [State(name) for name in reading.MAIN_LINE[1:10]]
    order = new_order()
    for step in order_of_arrival:
        order = hear(order, says(line[step], 1 + step)).order
    assert order.state is State.SHIPPED
    assert order.state_at == minute(9)


@given(st.data(), st.sampled_from(State))
def test_no_update_raises_whatever_state_an_order_was_imported_in(
    data: st.DataObject, state: State
) -> None:
    order = new_order(state, previous_state=data.draw(st.none() | st.sampled_from(State)))
    update = data.draw(updates(order, 0))
    told = hear(order, update)
    if told.event is None:
        check_refused(order, told)
    else:
        check_step(order, check_event(order, update, told))
        assert hear(told.order, update).verdict is Verdict.DUPLICATE
