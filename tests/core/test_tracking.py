"""Tracking as rules: when a carrier is asked, when that ends, and what scans become."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.orders.events import OrderEvent, Update, Verdict
from milepost.orders.lifecycle import CARRIER, State
from milepost.orders.model import Order, Parcel
from milepost.orders.move import move
from milepost.orders.tracking import (
    EXPIRES_AFTER,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOST_SCANS,
    PACES,
    RETURN_WATCHED,
    Ask,
    Ending,
    Expire,
    Rest,
    Scan,
    Step,
    Stop,
    Tracking,
    after_asking,
    after_failure,
    expiry,
    news,
    next_step,
    onward,
    pace_at,
    remembered,
    state_beside,
    updates_of,
)
from tests.core.making import DAWN, new_order

S = State
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MIDDLE = 0.5
"""A chance that leaves a wait as it is."""


def at(days: float) -> datetime:
    return DAWN + timedelta(days=days)


def on_its_way(state: State | None = S.IN_TRANSIT, *, days: float = 0, **given: Any) -> Parcel:
    return Parcel("A", state=state, state_at=at(days), tracking_number="1Z", **given)


def order_with(*parcels: Parcel, state: State | None = None) -> Order:
    return new_order(state or parcels[0].state or S.PACKED, parcels=parcels)


def watching(**given: Any) -> Tracking:
    told = {"parcel": "A", "since_at": DAWN, "due_at": DAWN, **given}
    return Tracking("acc_1", "ord_1", **told)


def step_of(parcel: Parcel, *, now: datetime = DAWN, **given: Any) -> Step:
    return next_step(watching(**given), order_with(parcel), now=now)


# --- the schedule ---------------------------------------------------------------------------------


def test_the_schedule_slows_as_a_parcel_gets_older() -> None:
    waits = [pace.every for pace in PACES]
    assert waits == sorted(waits)
    assert len(set(waits)) == len(waits)
    ages = [pace.younger_than for pace in PACES]
    assert ages == sorted(ages)
    assert ages[-1] == timedelta.max
    assert [pace_at(age * DAY) for age in (0, 2.9, 3, 7, 14, 400)] == [
        2 * HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, DAY, DAY,
    ]  # fmt: skip


@given(st.floats(0, 44), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_varied_a_little_and_never_beyond_the_end(age: float, chance: float) -> None:
    order = order_with(on_its_way())
    asked = after_asking(watching(), order, now=at(age), chance=chance)
    assert asked.due_at is not None
    wait, pace = asked.due_at - at(age), pace_at(age * DAY)
    assert pace * 0.9 <= wait <= pace * 1.1 or asked.due_at == DAWN + EXPIRES_AFTER


def test_asking_is_counted_and_ends_a_row_of_failures() -> None:
    asked = after_asking(
        watching(asks=3, failures=2, trouble="x"),
        order_with(on_its_way()),
        now=at(1),
        chance=MIDDLE,
    )
    assert (asked.asks, asked.failures, asked.trouble) == (4, 0, "")
    assert (asked.asked_at, asked.due_at) == (at(1), at(1) + 2 * HOUR)


def test_after_failures_a_carrier_is_asked_later_each_time_but_no_later_than_by_its_pace() -> None:
    tracking, waits = watching(since_at=at(20)), []
    for _ in range(9):
        tracking = after_failure(
            tracking, order_with(on_its_way()), trouble="timeout", now=at(40), chance=MIDDLE
        )
        assert tracking.due_at is not None
        waits.append(tracking.due_at - at(40))
    assert waits[:3] == [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4]
    assert waits[-1] == LONGEST_PAUSE
    assert (tracking.failures, tracking.trouble) == (9, "timeout")
    young = after_failure(
        watching(failures=50), order_with(on_its_way()), trouble="", now=DAWN, chance=MIDDLE
    )
    assert young.due_at == DAWN + 2 * HOUR


def test_a_carrier_says_itself_how_long_it_wants_to_be_left_alone() -> None:
    order = order_with(on_its_way())
    told = {"trouble": "429", "now": DAWN, "chance": MIDDLE}
    soon = after_failure(watching(), order, wait=timedelta(seconds=40), **told)  # type: ignore[arg-type]
    assert soon.due_at == DAWN + timedelta(seconds=40)
    late = after_failure(watching(), order, wait=9 * DAY, **told)  # type: ignore[arg-type]
    assert late.due_at == DAWN + 2 * HOUR


# --- what is done, and the two contracts of time --------------------------------------------------


@pytest.mark.parametrize(
    "state", sorted(CARRIER - {S.DELIVERED, S.RETURNED, S.EXPIRED, S.UNTRACKED, S.RETURNING})
)
def test_a_parcel_on_its_way_is_asked_for_until_it_is_45_days_old(state: State) -> None:
    assert timedelta(days=45) == EXPIRES_AFTER
    assert step_of(on_its_way(state), now=at(44.999)) == Ask()
    assert step_of(on_its_way(state), now=at(45)) == Expire()


def test_a_parcel_that_comes_back_is_asked_for_until_5_days_after_its_first_return_event() -> None:
    assert timedelta(days=5) == RETURN_WATCHED
    coming = on_its_way(S.RETURNING, days=10)
    assert step_of(coming, now=at(14.999)) == Ask()
    assert step_of(coming, now=at(15)) == Stop(Ending.RETURN_WATCHED)
    again = on_its_way(S.RETURNING, days=12)
    assert step_of(again, now=at(15), returned_at=at(10)) == Stop(Ending.RETURN_WATCHED)


def test_a_parcel_that_comes_back_late_does_not_expire_meanwhile() -> None:
    coming = on_its_way(S.RETURNING, days=43)
    assert step_of(coming, now=at(46)) == Ask()
    assert step_of(coming, now=at(48)) == Stop(Ending.RETURN_WATCHED)


def test_the_time_of_the_first_return_event_is_kept_and_a_correction_forgets_it() -> None:
    order = order_with(on_its_way(S.RETURNING, days=10))
    first = after_asking(watching(), order, now=at(11), chance=MIDDLE)
    assert (first.returned_at, first.due_at) == (at(10), at(11) + 8 * HOUR)
    order = order_with(on_its_way(S.RETURNING, days=13))
    later = after_asking(first, order, now=at(14.9), chance=MIDDLE)
    assert (later.returned_at, later.due_at) == (at(10), at(15))
    corrected = after_asking(later, order_with(on_its_way(days=14)), now=at(14.9), chance=MIDDLE)
    assert corrected.returned_at is None


@pytest.mark.parametrize(
    ("state", "ending"),
    [
        (S.DELIVERED, Ending.DELIVERED),
        (S.RETURNED, Ending.RETURNED),
        (S.EXPIRED, Ending.EXPIRED),
        (S.UNTRACKED, Ending.UNTRACKED),
        (None, Ending.GONE),
    ],
)
def test_a_parcel_that_has_ended_is_not_asked_for(state: State | None, ending: Ending) -> None:
    assert step_of(on_its_way(state)) == Stop(ending)
    done = onward(watching(), order_with(on_its_way(state)), now=DAWN, wait=HOUR)
    assert (done.due_at, done.ended) == (None, ending)


def test_a_parcel_of_a_fake_order_is_not_asked_for() -> None:
    order = msgspec.structs.replace(order_with(on_its_way()), order_id="tst_1")
    assert next_step(watching(), order, now=DAWN) == Stop(Ending.FAKE)


def test_a_parcel_that_is_not_there_any_longer_is_not_asked_for() -> None:
    assert next_step(watching(), None, now=DAWN) == Stop(Ending.GONE)
    assert next_step(watching(parcel="B"), order_with(on_its_way()), now=DAWN) == Stop(Ending.GONE)


def test_an_order_beside_a_parcel_without_tracking_is_ended_when_it_is_45_days_old() -> None:
    beside = [on_its_way(S.UNTRACKED), Parcel("B", state=S.DELIVERED)]
    order = order_with(*beside, state=S.IN_TRANSIT)
    assert next_step(watching(), order, now=at(1)) == Rest(at(45))
    assert next_step(watching(), order, now=at(45)) == Expire()
    told = move(order, expiry(watching(), now=at(45)), now=at(45))
    assert (told.verdict, told.order.state) == (Verdict.APPLIED, S.EXPIRED)
    assert next_step(watching(), told.order, now=at(45)) == Stop(Ending.UNTRACKED)


def test_an_order_beside_a_parcel_without_tracking_waits_for_those_on_their_way() -> None:
    order = order_with(on_its_way(S.UNTRACKED), Parcel("B", state=S.DELAYED), state=S.DELAYED)
    assert next_step(watching(), order, now=at(50)) == Rest(at(51))


@given(
    st.sampled_from(sorted(CARRIER)),
    st.floats(0, 90),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(0, 90),
)
def test_a_watch_always_has_either_a_time_or_an_end(
    state: State, days: float, chance: float, returned: float | None
) -> None:
    tracking = watching(returned_at=None if returned is None else at(returned))
    done = after_asking(
        tracking, order_with(on_its_way(state, days=days)), now=at(days), chance=chance
    )
    assert (done.due_at is None) == (done.ended is not None)
    assert done.due_at is None or done.due_at >= at(days)


def test_the_word_about_an_old_parcel_is_one_of_the_tracker_and_says_why() -> None:
    update = expiry(watching(), now=at(45))
    assert update == Update(
        "tracker", S.EXPIRED, occurred_at=at(45), parcel="A", note="not delivered within 45 days"
    )


# --- scans ----------------------------------------------------------------------------------------


def scan(state: State | None, days: float, **given: Any) -> Scan:
    return Scan(at(days), state, **{"raw": f"W-{state}", **given})


STORY = (
    scan(S.INFO_RECEIVED, 1),
    scan(S.IN_TRANSIT, 2),
    scan(S.IN_TRANSIT, 3),
    scan(S.OUT_FOR_DELIVERY, 3),
    scan(S.DELIVERED, 4),
)


def fresh(scans: tuple[Scan, ...], parcel: Parcel, *, now: float = 90) -> list[State | None]:
    return [s.state for s in news(scans, seen=(), parcel=parcel, now=at(now))]


def test_a_scan_is_known_by_its_own_id_and_else_by_what_it_tells() -> None:
    one = scan(S.IN_TRANSIT, 2, scan_id="7")
    assert one.key == scan(S.DELIVERED, 3, scan_id="7").key
    assert one.key != scan(S.IN_TRANSIT, 2, scan_id="8").key
    assert scan(S.IN_TRANSIT, 2).key == scan(S.IN_TRANSIT, 2).key
    keys = {s.key for s in STORY} | {scan(S.IN_TRANSIT, 2, raw="other").key}
    assert len(keys) == len(STORY) + 1
    assert all(len(key) == 16 for key in keys)


def test_scans_are_taken_in_the_order_in_which_they_happened() -> None:
    shuffled = (STORY[4], STORY[0], STORY[2], STORY[3], STORY[1])
    told = news(shuffled, seen=(), parcel=on_its_way(S.SHIPPED, days=0.5), now=at(90))
    assert [s.occurred_at for s in told] == sorted(s.occurred_at for s in STORY)


def test_what_was_seen_and_what_is_older_than_the_parcel_is_no_news() -> None:
    seen = tuple(s.key for s in STORY[:2])
    told = news(STORY, seen=seen, parcel=on_its_way(S.SHIPPED, days=0.5), now=at(90))
    assert told == STORY[2:]
    assert fresh(STORY, on_its_way(S.SHIPPED, days=3.5)) == [S.DELIVERED]


def test_after_the_scan_that_brought_the_parcel_where_it_is_only_later_ones_are_news() -> None:
    assert fresh(STORY, on_its_way(S.OUT_FOR_DELIVERY, days=3)) == [S.DELIVERED]
    assert fresh(STORY, on_its_way(S.IN_TRANSIT, days=3)) == [S.OUT_FOR_DELIVERY, S.DELIVERED]
    assert fresh(STORY, on_its_way(S.DELIVERED, days=4)) == []


def test_what_has_not_happened_yet_is_left_for_later() -> None:
    parcel = on_its_way(S.SHIPPED, days=0.5)
    assert fresh(STORY, parcel, now=2.5) == [S.INFO_RECEIVED, S.IN_TRANSIT]
    ahead = timedelta(minutes=9) / DAY
    assert fresh(STORY, parcel, now=2 - ahead) == [S.INFO_RECEIVED, S.IN_TRANSIT]


def test_after_dying_behind_an_attempt_the_delivery_at_the_same_time_is_not_taken_for_told() -> (
    None
):
    again = scan(S.ATTEMPT_FAILED, 4, raw="again")
    story = (scan(S.ATTEMPT_FAILED, 4), STORY[4], again)
    assert fresh(story, on_its_way(S.ATTEMPT_FAILED, days=4)) == [S.DELIVERED, S.ATTEMPT_FAILED]
    back_and_forth = (scan(S.ATTEMPT_FAILED, 4), scan(S.IN_TRANSIT, 4), again, STORY[4])
    assert fresh(back_and_forth, on_its_way(S.ATTEMPT_FAILED, days=4)) == [S.DELIVERED]


def test_stations_in_one_state_are_one_step_and_words_without_a_meaning_none() -> None:
    parcel = on_its_way(S.SHIPPED)
    told = updates_of((STORY[0], scan(None, 1.5), *STORY[1:]), parcel=parcel)
    assert [u.state for u in told] == [
        S.INFO_RECEIVED, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED,
    ]  # fmt: skip
    assert told[1] == Update(
        "tracker", S.IN_TRANSIT, occurred_at=at(2), raw="W-in_transit", parcel="A"
    )


def test_on_the_way_back_a_delivery_is_the_one_to_the_sender() -> None:
    scans = (scan(S.RETURNING, 5), scan(S.IN_TRANSIT, 6), scan(S.EXCEPTION, 7), STORY[4])
    told = updates_of(scans, parcel=on_its_way())
    assert [u.state for u in told] == [S.RETURNING, S.RETURNED]
    assert state_beside(S.DELIVERED, S.IN_TRANSIT) is S.DELIVERED
    assert state_beside(S.EXPIRED, S.RETURNING) is S.EXPIRED


def test_keys_are_remembered_once_each_and_the_oldest_are_forgotten() -> None:
    keys = remembered((STORY[0].key,), STORY)
    assert keys == tuple(s.key for s in STORY)
    assert remembered(keys, (scan(None, 9),)) == keys
    many = tuple(scan(S.IN_TRANSIT, n / 100) for n in range(MOST_SCANS + 5))
    assert remembered(keys, many) == tuple(s.key for s in many[5:])


STATES = st.sampled_from([None, *sorted(CARRIER - {S.SHIPPED})])
STORIES = st.lists(st.tuples(STATES, st.integers(0, 6)), max_size=8).map(
    lambda told: tuple(
        Scan(at(1 + hour / 4), state, raw=f"{i}") for i, (state, hour) in enumerate(told)
    )
)


def told_of(order: Order, scans: tuple[Scan, ...], seen: tuple[str, ...]) -> list[Update]:
    parcel = order.parcels[0]
    return list(updates_of(news(scans, seen=seen, parcel=parcel, now=at(9)), parcel=parcel))


def hear_all(order: Order, updates: list[Update]) -> tuple[Order, list[OrderEvent]]:
    """The order after these updates, and what happened."""
    events = []
    for update in updates:
        told = move(order, update, now=at(9))
        order = told.order
        events += [told.event] if told.event else []
    return order, events


@given(STORIES, st.integers(0, 8))
def test_asking_again_after_dying_in_the_middle_tells_nothing_twice(
    story: tuple[Scan, ...], died_after: int
) -> None:
    """Nothing but the order is left of the first time: no key was noted."""
    before = order_with(on_its_way(S.SHIPPED, days=0.5))
    whole, events = hear_all(before, told_of(before, story, ()))
    order, told = hear_all(before, told_of(before, story, ())[:died_after])
    for _ in range(2):
        order, more = hear_all(order, told_of(order, story, ()))
        told += more
    assert order.state is whole.state
    steps = iter([(e.occurred_at, e.raw, e.parcel_state) for e in events])
    # In the same order and each once; of what happened at the same time some may be passed over.
    assert all((e.occurred_at, e.raw, e.parcel_state) in steps for e in told)


@given(STORIES, STORIES)
def test_once_its_keys_are_noted_a_story_is_never_told_again(
    story: tuple[Scan, ...], more: tuple[Scan, ...]
) -> None:
    order = order_with(on_its_way(S.SHIPPED, days=0.5))
    order, _ = hear_all(order, told_of(order, story, ()))
    seen = remembered((), story)
    assert told_of(order, story, seen) == []
    later = tuple(msgspec.structs.replace(s, scan_id=f"m{i}") for i, s in enumerate(more))
    fresh_keys = {
        s.key for s in news((*story, *later), seen=seen, parcel=order.parcels[0], now=at(9))
    }
    assert fresh_keys.isdisjoint(s.key for s in story if s.state is not None)
