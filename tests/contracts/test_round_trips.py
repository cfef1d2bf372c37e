"""What one hub sends, another that takes it in sends again: the same words in the same order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.contracts import ROOMS
from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import CARRIER, REASONS, State, allowed_next
from milepost.orders.model import Order
from tests.contracts.two_hubs import BORN, Hub, born, headers, reader, relay, words_of

MAIN = (
    State.VERIFIED,
    State.SUBMITTED,
    State.PICKING,
    State.PACKED,
    State.READY_TO_SHIP,
    State.SHIPPED,
    State.INFO_RECEIVED,
    State.IN_TRANSIT,
    State.OUT_FOR_DELIVERY,
    State.DELIVERED,
)


def minutes(count: int) -> Iterable[datetime]:
    return (BORN + timedelta(minutes=n) for n in range(1, count + 1))


@st.composite
def told(draw: st.DrawFn, order: Order, now: datetime, *, corrections: bool) -> Update | None:
    """What a warehouse may say next of the first hub's order; None where nothing can follow."""
    parcel = draw(st.sampled_from([None, "A", "B"]))
    number = draw(st.sampled_from([None, "T1", "T2", "T3"]))
    if draw(st.integers(0, 7)) == 0:
        return Update(source="warehouse", parcel=parcel, tracking_number=number, carrier="UPS")
    correction = corrections and draw(st.integers(0, 3)) == 0
    here = order.state
    if parcel is not None and here in CARRIER:
        states = {p.parcel: p.state for p in order.parcels}
        here = states.get(parcel) or State.SHIPPED
    following = allowed_next(here, correction=correction)
    if not following:
        return None
    state = draw(st.sampled_from(following))
    shipped = state in CARRIER
    return Update(
        source="warehouse",
        state=state,
        reason=draw(st.none() | st.sampled_from(sorted(REASONS[state])))
        if state in REASONS
        else None,
        parcel=parcel if shipped else None,
        tracking_number=number if parcel and shipped else None,
        occurred_at=draw(st.sampled_from([None, now])),
        correction=correction,
        trusted=True,
        note="seen" if correction else None,
    )


@pytest.mark.parametrize("name", ROOMS)
@pytest.mark.parametrize("corrections", [False, True])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_happens_to_an_order_is_told_on_in_the_same_words(
    name: str, corrections: bool, data: st.DataObject
) -> None:
    first, second = Hub(ROOMS[name]), Hub(ROOMS[name], born("ord_2"))
    read = reader(name)
    now = BORN
    for _ in range(data.draw(st.integers(1, 12))):
        now += timedelta(seconds=data.draw(st.sampled_from([0, 1, 60, 3_600])))
        update = data.draw(told(first.order, now, corrections=corrections))
        if update is None:
            break
        sent = len(first.told)
        first.hear(update, now=now)
        for body, sequence in first.told[sent:]:
            message = read(headers(body, order_id="ord_1", sequence=sequence), body)
            assert not message.unmapped
            second.take(message, now=now)
        assert second.words == first.words


@pytest.mark.parametrize("name", ROOMS)
def test_the_main_line_arrives_step_by_step(name: str) -> None:
    updates = [Update(source="warehouse", state=state, tracking_number="T1") for state in MAIN]
    first, second = relay(name, updates, clock=minutes(len(MAIN)))
    assert second.words == first.words
    assert second.order.state is State.DELIVERED
    assert [p.tracking_number for p in second.order.parcels] == ["T1"]
    assert not second.refused


@pytest.mark.parametrize("name", ROOMS)
def test_messages_that_arrive_backwards_and_twice_end_where_the_first_hub_stands(name: str) -> None:
    first = Hub(ROOMS[name])
    for state, now in zip(MAIN, minutes(len(MAIN)), strict=True):
        first.hear(Update(source="warehouse", state=state, tracking_number="T1"), now=now)
    second = Hub(ROOMS[name], born("ord_2"))
    read = reader(name)
    for body, sequence in [*reversed(first.told), *first.told]:
        message = read(headers(body, order_id="ord_1", sequence=sequence), body)
        second.take(message, now=BORN + timedelta(hours=1))
    assert second.order.state is State.DELIVERED
    assert len(second.words) == 1
    assert set(first.words[-1]) - {None} <= set(second.words[0])
    assert all(m.verdict in (Verdict.STALE, Verdict.DUPLICATE) for m in second.refused)


@pytest.mark.parametrize("name", ROOMS)
def test_only_a_trusted_source_takes_its_own_word_back(name: str) -> None:
    steps = [State.SHIPPED, State.IN_TRANSIT, State.DELIVERED]
    first = Hub(ROOMS[name])
    clock = iter(minutes(9))
    for state in steps:
        first.hear(Update(source="warehouse", state=state), now=next(clock))
    back = Update(
        source="warehouse",
        state=State.EXCEPTION,
        correction=True,
        trusted=True,
        note="left with a neighbor who does not exist",
    )
    first.hear(back, now=next(clock))
    trusting, careful = Hub(ROOMS[name], born("ord_2")), Hub(ROOMS[name], born("ord_3"))
    read = reader(name)
    for body, sequence in first.told:
        message = read(headers(body, order_id="ord_1", sequence=sequence), body)
        trusting.take(message, now=BORN + timedelta(hours=1))
        careful.take(message, now=BORN + timedelta(hours=1), trusted=False)
    assert trusting.words == first.words
    assert careful.order.state is State.DELIVERED
    assert [m.verdict for m in careful.refused] == [Verdict.ILLEGAL]
    assert "trusted source" in careful.refused[0].why


@pytest.mark.parametrize("name", ROOMS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_lost_repeated_and_reordered_ends_at_the_last_word_that_was_sent(
    name: str, data: st.DataObject
) -> None:
    """For orders of one parcel, and as long as nothing was corrected."""
    first, now = Hub(ROOMS[name]), BORN
    for _ in range(data.draw(st.integers(1, 10))):
        now += timedelta(minutes=1)
        following = allowed_next(first.order.state)
        if not following:
            break
        state = data.draw(st.sampled_from(following))
        first.hear(Update(source="warehouse", state=state, occurred_at=now), now=now)
    if not first.told:
        return
    lost = data.draw(st.sets(st.sampled_from(first.told))) - {first.told[-1]}
    sent = [message for message in first.told if message not in lost]
    sent += data.draw(st.lists(st.sampled_from(sent), max_size=3))
    second, read = Hub(ROOMS[name], born("ord_2")), reader(name)
    for body, sequence in data.draw(st.permutations(sent)):
        now += timedelta(minutes=1)
        message = read(headers(body, order_id="ord_1", sequence=sequence), body)
        second.take(message, now=now)
    last = words_of(name, first.told[-1][0])
    shown = ROOMS[name].words(second.order)
    assert {word for word in last if word} <= {word for word in shown.values() if word}
