"""Silence as rules: a threshold for each state, and what is overdue at a given time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.delivery.silence import TOLD_EVERY, SilenceEvent, SilenceType, is_to_tell
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import CARRIER, ENDS, State
from milepost.orders.silence import (
    DEFAULTS,
    LONGEST,
    SHORTEST,
    UNHEARD,
    Own,
    Silence,
    SilenceKind,
    check_threshold,
    overdue,
    silent_from,
    thresholds,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "silence.md"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

spans = st.timedeltas(min_value=SHORTEST, max_value=LONGEST)
owns = st.dictionaries(st.sampled_from(sorted(DEFAULTS)), st.none() | spans)


def test_every_state_that_is_no_end_has_a_threshold_and_a_reason() -> None:
    assert set(DEFAULTS) == set(State) - ENDS
    assert all(one.why for one in DEFAULTS.values())
    assert [state for state, one in DEFAULTS.items() if one.after is None] == [State.SCHEDULED]
    for state, one in DEFAULTS.items():
        if one.after is not None:
            check_threshold(state, one.after, field="after")


def test_the_page_on_silence_tells_each_threshold_and_its_reason() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (none|\d+ [dh]) \| (.+) \|$", page, re.MULTILINE)
    units = {"d": timedelta(days=1), "h": timedelta(hours=1)}
    for (state, kind, after, why), one in zip(told, DEFAULTS.values(), strict=True):
        count, _, unit = after.partition(" ")
        span = int(count) * units[unit] if unit else None
        assert (state, kind, span, why) == (one.state, one.kind, one.after, one.why)


def test_only_states_on_the_way_wait_for_a_carriers_word() -> None:
    assert UNHEARD < CARRIER - ENDS
    assert State.AVAILABLE_FOR_PICKUP not in UNHEARD


def test_an_account_changes_and_switches_off_what_it_likes() -> None:
    own: Own = {State.ON_HOLD: 3 * DAY, State.BACKORDERED: None, State.SCHEDULED: DAY}
    found = {one.state: one.after for one in thresholds(own)}
    assert found == {**{s: one.after for s, one in DEFAULTS.items()}, **own}
    assert [one.state for one in thresholds(own)] == [s for s in State if s in DEFAULTS]
    looked_for = {one.state: one.before for one in overdue(own, now=NOW)}
    assert looked_for[State.ON_HOLD] == NOW - 3 * DAY
    assert State.BACKORDERED not in looked_for
    assert looked_for[State.SCHEDULED] == NOW - DAY


@given(owns, st.sampled_from(State), st.timedeltas(timedelta(), 2 * LONGEST))
def test_what_is_looked_for_is_what_is_silent(own: Own, state: State, age: timedelta) -> None:
    since = NOW - age
    from_ = silent_from(state, since=since, own=own)
    found = any(one.state is state and since <= one.before for one in overdue(own, now=NOW))
    assert found == (from_ is not None and from_ <= NOW)
    if state in ENDS:
        assert from_ is None


@pytest.mark.parametrize("state", sorted(ENDS))
def test_an_end_takes_no_threshold(state: State) -> None:
    with pytest.raises(InvalidInput, match="no end"):
        check_threshold(state, DAY, field=state)


@pytest.mark.parametrize("after", [SHORTEST, LONGEST, None])
def test_a_threshold_is_a_minute_to_a_year_or_off(after: timedelta | None) -> None:
    check_threshold(State.ON_HOLD, after, field="on_hold")


@pytest.mark.parametrize("after", [timedelta(), SHORTEST - timedelta(seconds=1), LONGEST + DAY])
def test_another_threshold_is_refused_by_its_name(after: timedelta) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_threshold(State.ON_HOLD, after, field="on_hold")
    assert refused.value.field == "on_hold"


def test_news_of_an_account_has_a_lane_of_its_own_and_says_since_when() -> None:
    first = [
        Silence("acc_1", n, f"ord_{n}", SilenceKind.STATE, State.PICKING, NOW - n * DAY, DAY, NOW)
        for n in (1, 3, 2)
    ]
    event = SilenceEvent(SilenceType.SILENT, NOW, "acc_01k", 3, first)
    assert (event.subject, event.since) == ("ops_01k", NOW - 3 * DAY)
    assert SilenceEvent(SilenceType.SILENT, NOW, "acc_01k", 3, ()).since is None


def test_it_is_told_at_once_and_then_after_a_while() -> None:
    assert is_to_tell(None, now=NOW)
    assert not is_to_tell(NOW, now=NOW + TOLD_EVERY - timedelta(seconds=1))
    assert is_to_tell(NOW, now=NOW + TOLD_EVERY)
