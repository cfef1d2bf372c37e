"""The overview: what it says is what happened, in few reads, and nothing at first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from milepost.dashboard.charts import bars, ticks_of
from milepost.dashboard.overview import LATER, PERIODS, bars_of, shelf_of, success_of
from milepost.delivery.model import Reply
from milepost.orders.lifecycle import State
from milepost.ports.trends import STEP, WITHIN, Trend
from tests.doors.desk import Desk
from tests.doors.pages import a_person

NOW = datetime(2026, 11, 23, 13, 7, tzinfo=UTC)


def counted(desk: Desk) -> None:
    desk.run(desk.hub.trends.flush())
    desk.run(desk.hub.trends.counted(desk.account_id))


def test_a_new_account_is_told_what_to_do_next(desk: Desk) -> None:
    counted(desk)
    seen = a_person(desk).get("/")
    assert seen.status == 200
    assert "Nothing has happened yet" in seen.text
    assert 'href="/sandbox"' in seen.html


def test_what_was_acknowledged_and_what_failed_stands_in_the_tiles(sending: Desk) -> None:
    sending.endpoint(schedule="rehearsal")
    sending.outside.answer = lambda _request: Reply(500)
    sending.order("O-1")
    sending.run(asyncio.sleep(0.1))
    sending.outside.answer = lambda _request: Reply(204)
    sending.clock.forward(minutes=1)
    sending.order("O-2")
    for _ in range(1_000):
        if not sending.get("/v1/deliveries?state=pending").json["deliveries"]:
            break
        sending.clock.forward(seconds=30)
        sending.run(asyncio.sleep(0.01))
    counted(sending)
    seen = a_person(sending).get("/")
    assert "Taken in 2" in seen.text
    assert "Acknowledged 2" in seen.text
    assert "Pending 0" in seen.text
    assert "Created" in seen.text
    assert seen.html.count('role="img"') == 2


def test_the_overview_asks_the_store_a_bounded_number_of_times(desk: Desk) -> None:
    for number in range(20):
        desk.order(f"O-{number}")
    counted(desk)
    calls = a_person(desk).get("/?period=week").calls
    assert calls == ["find_session", "accounts", "trends", "pending"]


def test_another_account_counts_nothing_of_this_one(desk: Desk) -> None:
    desk.order("O-1")
    counted(desk)
    other = desk.run(desk.hub.operations.add_account("other")).account_id
    assert desk.run(desk.hub.trends.steps(other, since=desk.clock.at - timedelta(days=1))) == []
    assert desk.run(desk.hub.trends.counted(other)).total == 0
    assert desk.run(desk.hub.trends.counted(desk.account_id)).counts == {State.CREATED: 1}


def test_steps_come_together_in_bars_that_end_now() -> None:
    step = Trend("acc_1", "", NOW - timedelta(minutes=7), acknowledged=3)
    older = Trend("acc_1", "", NOW - timedelta(minutes=7) - STEP, acknowledged=4, failed=1)
    drawn = bars_of([older, step], period=PERIODS["day"], now=NOW)
    assert len(drawn) == 24
    assert drawn[-1].began_at == NOW.replace(minute=0)
    assert (drawn[-1].acknowledged, drawn[-2].acknowledged, drawn[-2].failed) == (3, 4, 1)


def test_success_and_the_usual_time_are_none_where_nothing_was_sent() -> None:
    drawn = bars_of([], period=PERIODS["hour"], now=NOW)
    assert success_of(0, 0) is None
    assert shelf_of(drawn, share=0.5) is None


def test_the_time_that_most_keep_is_the_first_bound_that_holds_them() -> None:
    within = (90, 4, 0, 0, 0, 0, 6)
    assert len(within) == len(WITHIN) + 1
    drawn = bars_of([Trend("a", "", NOW, within=within)], period=PERIODS["hour"], now=NOW)
    assert shelf_of(drawn, share=0.5) == "0.1 s"
    assert shelf_of(drawn, share=0.94) == "1 s"
    assert shelf_of(drawn, share=0.99) == LATER


@pytest.mark.parametrize("most", [0, 1, 3, 4, 7, 40, 99, 101, 12_345])
def test_an_axis_has_few_whole_numbers_and_room_for_the_most(most: int) -> None:
    ticks = ticks_of(most)
    assert 3 <= len(ticks) <= 5
    assert ticks[0] == 0
    assert ticks[-1] >= most
    assert len({b - a for a, b in pairwise(ticks)}) == 1


def test_a_drawing_has_no_script_no_style_and_says_what_it_shows() -> None:
    text = str(bars(["a", "b"], [("x", [0, 5])], label='5 <of> "them"', every=1))
    assert "<script" not in text
    assert "<style" not in text
    assert "style=" not in text
    assert "&lt;of&gt;" in text
    assert 'role="img"' in text
    assert str(bars(["a"], [("x", [0])], label="none", every=1)).startswith("<svg")
