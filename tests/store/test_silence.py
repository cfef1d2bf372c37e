"""Silences on record: found when they are due, raised once, told with it, ended by a move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from milepost.delivery.model import Body, Operational
from milepost.delivery.silence import (
    MOST_LISTED,
    TOLD_EVERY,
    SilenceEvent,
    SilenceNotice,
    SilenceType,
)
from milepost.errors import InvalidInput
from milepost.orders.erasure import erased, erasing
from milepost.orders.events import OrderEvent
from milepost.orders.lifecycle import State
from milepost.orders.model import FAKE_ORDER, Order
from milepost.orders.silence import DEFAULTS, Own, Silence, SilenceKind, overdue
from milepost.ports import Page, Store
from milepost.ports.silence import Heard, Raised, SilenceFilter
from milepost.ports.upkeep import Standing
from tests.store.desk import ACCOUNT, NOW, Desk, at

DAY = 86_400.0
EVERY = SilenceFilter()


def tell(type_: SilenceType, count: int, first: Sequence[Silence]) -> SilenceNotice:
    event = SilenceEvent(type_, NOW, ACCOUNT, count, first)
    numbers = ",".join(str(one.number) for one in first)
    return SilenceNotice(
        event, lambda sequence: {"standard": Body(f"{type_}|{sequence}:{count}:{numbers}".encode())}
    )


def raise_(
    desk: Desk, days: float, *, own: Own | None = None, limit: int = 100, store: Store | None = None
) -> Raised:
    now = at(days * DAY)
    raised: Raised = desk.run(
        (store or desk.store).raise_silences(
            desk.account_id,
            wanted=overdue(own or {}, now=now),
            limit=limit,
            tell=tell,
            now=now,
            due_at=now,
        )
    )
    return raised


def end(desk: Desk, days: float, *, limit: int = 100) -> Raised:
    now = at(days * DAY)
    ended: Raised = desk.run(
        desk.store.end_silences(desk.account_id, limit=limit, tell=tell, now=now, due_at=now)
    )
    return ended


def due(desk: Desk, days: float, *, own: Own | None = None) -> bool:
    now = at(days * DAY)
    wanted = overdue(own or {}, now=now)
    found: bool = desk.run(desk.store.is_silence_due(desk.account_id, wanted=wanted, now=now))
    return found


def silences(desk: Desk, wanted: SilenceFilter = EVERY) -> list[Silence]:
    found, _ = desk.run(desk.store.silences(desk.account_id, wanted=wanted, page=Page(limit=1_000)))
    return list(found)


def place(desk: Desk, key: str, state: State = State.SUBMITTED, **given: Any) -> Order:
    return desk.place(key, state=state, **given)


def sent_to(desk: Desk, days: float) -> list[tuple[str, str]]:
    """What waits for the endpoint, one after the other: the word, and number, count and first."""
    told: list[str] = []
    claimed = desk.claim(now=at(days * DAY))
    while claimed:
        told += [one.body.content.decode() for one in claimed]
        claimed = desk.settle(*claimed, now=at(days * DAY))
    return [(word, rest) for word, _, rest in (one.partition("|") for one in told)]


def erase(desk: Desk, order: Order, *, now: datetime) -> None:
    def without_person(known: Order) -> tuple[Order, OrderEvent]:
        after = erased(known, at=now)
        return after, erasing(after, source="api", note=None, at=now)

    desk.run(
        desk.store.erase_order(
            ACCOUNT, order.order_id, erase=without_person, abandon=False, now=now
        )
    )


def listener(desk: Desk) -> None:
    desk.endpoint("ep_ops", operational=Operational.ONLY)


def test_an_order_falls_silent_when_its_time_is_over_and_only_once(desk: Desk) -> None:
    order = place(desk, "K1")
    assert not due(desk, 1.99)
    assert raise_(desk, 1.99).kinds == {}
    assert due(desk, 2)
    assert raise_(desk, 2).kinds == {SilenceKind.STATE: 1}
    assert not due(desk, 3)
    assert raise_(desk, 30).kinds == {}
    (silence,) = silences(desk)
    assert silence == Silence(
        ACCOUNT,
        1,
        order.order_id,
        SilenceKind.STATE,
        State.SUBMITTED,
        NOW,
        timedelta(days=2),
        at(2 * DAY),
        store="shop",
        order_key="K1",
    )


def test_every_state_falls_silent_by_its_own_threshold_and_ends_never_do(desk: Desk) -> None:
    orders = {place(desk, f"K{n}", state).order_id: state for n, state in enumerate(State)}
    afters = sorted({one.after for one in DEFAULTS.values() if one.after is not None})
    for after in afters:
        days = after / timedelta(days=1)
        assert not due(desk, days - 0.001)
        expected = {state for state, one in DEFAULTS.items() if one.after == after}
        raised = raise_(desk, days).kinds
        now = [one for one in silences(desk) if one.raised_at == at(days * DAY)]
        assert {orders[one.order_id] for one in now} == {one.state for one in now} == expected
        assert sum(raised.values()) == len(expected)
        assert all(one.kind is DEFAULTS[one.state].kind for one in now)
    assert not due(desk, 3_000)


def test_what_test_mode_made_up_and_what_was_erased_is_never_raised(desk: Desk) -> None:
    place(desk, "FAKE", order_id=f"{FAKE_ORDER}1")
    order = place(desk, "ERASED")
    erase(desk, order, now=at(1))
    assert not due(desk, 300)
    assert raise_(desk, 300).kinds == {}


def test_a_silence_ends_when_the_order_moves_and_says_where_and_when(desk: Desk) -> None:
    order = place(desk, "K1")
    raise_(desk, 2)
    moved = desk.move(order, State.PICKING, state_at=at(2.5 * DAY), updated_at=at(2.6 * DAY))
    assert due(desk, 2.7)
    assert end(desk, 2.7).kinds == {SilenceKind.STATE: 1}
    (silence,) = silences(desk)
    assert (silence.ended_at, silence.ended_state) == (at(2.6 * DAY), State.PICKING)
    assert not due(desk, 2.7)
    assert end(desk, 2.8).kinds == {}
    # The next state has a spell of its own.
    assert raise_(desk, 3.5).kinds == {SilenceKind.STATE: 1}
    assert [one.state for one in silences(desk)] == [State.PICKING, State.SUBMITTED]
    assert moved.state is State.PICKING


def test_an_order_that_comes_back_to_a_state_falls_silent_there_again(desk: Desk) -> None:
    order = place(desk, "K1", State.ON_HOLD)
    raise_(desk, 5)
    order = desk.move(order, State.SUBMITTED, state_at=at(5 * DAY), updated_at=at(5 * DAY))
    order = desk.move(order, State.ON_HOLD, state_at=at(6 * DAY), updated_at=at(6 * DAY))
    end(desk, 6)
    assert not due(desk, 10.9)
    assert raise_(desk, 11).kinds == {SilenceKind.STATE: 1}
    assert [(s.since_at, s.ended_at) for s in silences(desk)] == [
        (at(6 * DAY), None),
        (NOW, at(6 * DAY)),
    ]


def test_a_state_that_began_at_the_very_time_of_the_one_before_has_its_own_silence(
    desk: Desk,
) -> None:
    order = place(desk, "K1", State.PICKING)
    raise_(desk, 1)
    desk.move(order, State.PACKING, updated_at=at(1.5 * DAY))
    assert end(desk, 1.5).kinds == {SilenceKind.STATE: 1}
    assert raise_(desk, 1.5).kinds == {SilenceKind.STATE: 1}
    assert [one.state for one in silences(desk)] == [State.PACKING, State.PICKING]


def test_a_carriers_word_that_changes_nothing_puts_the_silence_off(desk: Desk) -> None:
    order = place(desk, "K1", State.IN_TRANSIT)
    held = place(desk, "K2", State.ON_HOLD)
    desk.run(
        desk.store.put_heard([Heard(ACCOUNT, one.order_id, at(3 * DAY)) for one in (order, held)])
    )
    desk.run(desk.store.put_heard([Heard(ACCOUNT, order.order_id, at(1 * DAY))]))
    # Nobody's word keeps a hold from being too long.
    assert raise_(desk, 5).kinds == {SilenceKind.STATE: 1}
    assert raise_(desk, 7.9).kinds == {}
    assert raise_(desk, 8).kinds == {SilenceKind.CARRIER: 1}
    (silence, _) = silences(desk)
    assert silence.since_at == at(3 * DAY)
    desk.run(desk.store.put_heard([Heard(ACCOUNT, order.order_id, at(9 * DAY))]))
    assert end(desk, 9.5).kinds == {SilenceKind.CARRIER: 1}
    assert silences(desk)[0].ended_at == at(9 * DAY)
    assert raise_(desk, 14).kinds == {SilenceKind.CARRIER: 1}


def test_thresholds_of_an_account_count_and_a_shorter_one_raises_at_once(
    desk: Desk, neighbor: Desk
) -> None:
    place(desk, "K1")
    place(neighbor, "K1")
    store = desk.store
    own: Own = {State.SUBMITTED: timedelta(hours=1), State.ON_HOLD: None}
    desk.run(store.set_silence_thresholds(ACCOUNT, own, now=NOW))
    assert desk.run(store.silence_thresholds(ACCOUNT)) == own
    assert desk.run(store.silence_thresholds(neighbor.account_id)) == {}
    assert raise_(desk, 0.05, own=own).kinds == {SilenceKind.STATE: 1}
    assert raise_(neighbor, 0.05).kinds == {}
    # A longer one takes nothing back and raises nothing twice.
    longer: Own = {State.SUBMITTED: timedelta(days=9)}
    desk.run(store.set_silence_thresholds(ACCOUNT, longer, now=at(1)))
    assert desk.run(store.silence_thresholds(ACCOUNT)) == {**own, **longer}
    assert raise_(desk, 10, own=longer).kinds == {}
    assert [one.after for one in silences(desk)] == [timedelta(hours=1)]
    desk.run(store.reset_silence_thresholds(ACCOUNT, [State.SUBMITTED, State.PACKED]))
    assert desk.run(store.silence_thresholds(ACCOUNT)) == {State.ON_HOLD: None}


# telling


def test_a_silence_and_the_news_of_it_are_one_transaction(desk: Desk) -> None:
    listener(desk)
    order = place(desk, "K1")
    assert raise_(desk, 2).told == 1
    assert sent_to(desk, 2) == [("order.silent", "1:1:1")]
    desk.move(order, State.PICKING, state_at=at(2.1 * DAY), updated_at=at(2.1 * DAY))
    assert end(desk, 2.2).told == 1
    assert sent_to(desk, 2.2) == [("order.moved_again", "2:1:1")]


def test_an_error_while_it_is_told_leaves_the_silence_unraised(desk: Desk) -> None:
    listener(desk)
    place(desk, "K1")

    def broken(*_args: object) -> SilenceNotice:
        raise RuntimeError("the process dies here")

    now = at(2 * DAY)
    with pytest.raises(RuntimeError):
        desk.run(
            desk.store.raise_silences(
                ACCOUNT, wanted=overdue({}, now=now), limit=10, tell=broken, now=now, due_at=now
            )
        )
    assert silences(desk) == []
    assert raise_(desk, 2).told == 1
    assert len(silences(desk)) == 1


def test_thousands_at_once_are_one_piece_of_news_with_the_first_of_them(desk: Desk) -> None:
    listener(desk)
    for n in range(25):
        place(desk, f"K{n:02}", now=at(n))
    parts = [raise_(desk, 2, limit=10) for _ in range(3)]
    assert [(part.told, part.more) for part in parts] == [(0, True), (0, True), (25, False)]
    listed = ",".join(str(n + 1) for n in range(MOST_LISTED))
    assert sent_to(desk, 2) == [("order.silent", f"1:25:{listed}")]
    assert len(silences(desk)) == 25


def test_a_process_that_dies_between_two_parts_leaves_the_telling_to_the_next(
    desk: Desk, another: Callable[[], Store]
) -> None:
    listener(desk)
    for n in range(15):
        place(desk, f"K{n:02}")
    assert raise_(desk, 2, limit=10).told == 0
    other = another()
    assert raise_(desk, 2.001, limit=10, store=other).told == 15
    assert [word for word, _ in sent_to(desk, 2.001)] == ["order.silent"]


def test_news_waits_until_it_was_told_of_the_last_for_a_while(desk: Desk) -> None:
    listener(desk)
    place(desk, "K1")
    place(desk, "K2", state_at=at(60))
    place(desk, "K3", state_at=at(120))
    assert raise_(desk, 2).told == 1
    soon = (2 * DAY + 180) / DAY
    assert raise_(desk, soon) == Raised({SilenceKind.STATE: 2})
    assert not due(desk, soon)
    later = (2 * DAY + TOLD_EVERY.total_seconds()) / DAY
    assert due(desk, later)
    assert raise_(desk, later).told == 2
    assert sent_to(desk, later) == [
        ("order.silent", "1:1:1"),
        ("order.silent", "2:2:2,3"),
    ]


def test_what_was_over_before_it_was_told_is_never_told(desk: Desk) -> None:
    listener(desk)
    order = place(desk, "K2", state_at=at(60))
    place(desk, "K1")
    raise_(desk, 2)
    raise_(desk, (2 * DAY + 60) / DAY)
    desk.move(order, State.PICKING, state_at=at(2 * DAY + 90), updated_at=at(2 * DAY + 90))
    assert end(desk, (2 * DAY + 120) / DAY).told == 0
    later = (2 * DAY + 2 * TOLD_EVERY.total_seconds()) / DAY
    assert raise_(desk, later).told == 0
    assert end(desk, later).told == 0
    assert sent_to(desk, later) == [("order.silent", "1:1:1")]


def test_without_a_subscriber_it_is_raised_and_nobody_hears_of_it_later(desk: Desk) -> None:
    desk.endpoint("ep_shop")
    place(desk, "K1")
    raise_(desk, 2)
    listener(desk)
    assert raise_(desk, 3).told == 0
    assert sent_to(desk, 3) == []


def test_of_two_processes_at_once_one_raises(desk: Desk, another: Callable[[], Store]) -> None:
    listener(desk)
    for n in range(40):
        place(desk, f"K{n:02}")
    now = at(2 * DAY)
    wanted = overdue({}, now=now)
    stores = [desk.store, another(), another()]

    async def all_at_once() -> list[Raised]:
        return await asyncio.gather(
            *(
                store.raise_silences(
                    ACCOUNT, wanted=wanted, limit=15, tell=tell, now=now, due_at=now
                )
                for _ in range(4)
                for store in stores
            )
        )

    raised = desk.run(all_at_once())
    while due(desk, 2):
        raised.append(raise_(desk, 2))
    assert sum(sum(part.kinds.values()) for part in raised) == 40
    assert sorted(one.number for one in silences(desk)) == list(range(1, 41))
    assert len({one.order_id for one in silences(desk)}) == 40
    assert sum(part.told for part in raised) == 40
    assert [word for word, _ in sent_to(desk, 2)] == ["order.silent"]


# reading


def test_the_list_is_filtered_and_comes_newest_first_page_by_page(desk: Desk) -> None:
    orders = [place(desk, f"K{n}") for n in range(3)]
    place(desk, "T1", State.IN_TRANSIT)
    raise_(desk, 2)
    raise_(desk, 5)
    desk.move(orders[0], State.PICKING, state_at=at(5 * DAY), updated_at=at(5 * DAY))
    end(desk, 5)
    assert [one.number for one in silences(desk)] == [4, 3, 2, 1]
    for wanted, numbers in (
        (SilenceFilter(kind=SilenceKind.CARRIER), [4]),
        (SilenceFilter(state=State.SUBMITTED), [3, 2, 1]),
        (SilenceFilter(is_open=True, kind=SilenceKind.STATE), [3, 2]),
        (SilenceFilter(is_open=False), [1]),
    ):
        assert [one.number for one in silences(desk, wanted)] == numbers
    pages, after = [], None
    while True:
        found, after = desk.run(desk.store.silences(ACCOUNT, wanted=EVERY, page=Page(after, 3)))
        pages.append([one.number for one in found])
        if after is None:
            break
    assert pages == [[4, 3, 2], [1]]
    with pytest.raises(InvalidInput):
        desk.run(desk.store.silences(ACCOUNT, wanted=EVERY, page=Page("bad", 3)))
    assert desk.run(desk.store.count_silences()) == {
        SilenceKind.STATE: 2,
        SilenceKind.CARRIER: 1,
    }


def attending(desk: Desk, *, after: datetime | None = None) -> list[int]:
    found, _ = desk.run(
        desk.store.attending_silences(desk.account_id, after=after, page=Page(limit=100))
    )
    return [one.number for one in found]


def test_what_was_put_aside_asks_for_nobody(desk: Desk) -> None:
    for n in range(3):
        place(desk, f"K{n}", state_at=at(n))
        raise_(desk, (2 * DAY + n) / DAY)
    assert attending(desk) == [3, 2, 1]
    desk.run(desk.store.dismiss(ACCOUNT, ["silence:2"], now=at(3 * DAY)))
    assert attending(desk) == [3, 1]
    assert attending(desk, after=at(2 * DAY)) == [3]


# what becomes of them with their orders


def test_retention_takes_the_silences_of_an_order_with_it(desk: Desk) -> None:
    order = place(desk, "K1")
    other = place(desk, "K2")
    raise_(desk, 2)

    def is_due(standing: Standing) -> bool:
        return standing.order_id == order.order_id

    desk.run(
        desk.store.drop_orders(
            ACCOUNT, [order.order_id, other.order_id], is_due=is_due, now=at(3 * DAY)
        )
    )
    while desk.run(desk.store.sweep(name=None, limit=3)).more:
        pass
    assert [one.order_id for one in silences(desk)] == [other.order_id]


def test_erasing_a_person_takes_the_silences_of_the_order_with_it(desk: Desk) -> None:
    order = place(desk, "K1")
    raise_(desk, 2)
    erase(desk, order, now=at(3 * DAY))
    while desk.run(desk.store.sweep(name=None, limit=100)).more:
        pass
    assert silences(desk) == []
    assert end(desk, 3).kinds == {}
    assert not due(desk, 30)


def test_the_states_in_which_a_word_counts_are_those_of_the_rules(desk: Desk) -> None:
    for n, state in enumerate(State):
        order = place(desk, f"K{n}", state)
        desk.run(desk.store.put_heard([Heard(ACCOUNT, order.order_id, at(100 * DAY))]))
    raise_(desk, 99, limit=1_000)
    quiet = {s for s, one in DEFAULTS.items() if one.kind is SilenceKind.STATE and one.after}
    assert {one.state for one in silences(desk)} == quiet
