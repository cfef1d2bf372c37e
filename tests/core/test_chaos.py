"""Chaos as a plan, and the lives that it is made for: pure, and the same for the same seed."""

from __future__ import annotations

import ast
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.contracts import ROOMS
from milepost.delivery.retry import REHEARSAL
from milepost.errors import InvalidInput
from milepost.orders.events import EventType
from milepost.orders.lifecycle import State
from milepost.rehearsal import chance, chaos, lives, report, scenarios, sends
from milepost.rehearsal.chance import signing_secret, start_of
from milepost.rehearsal.chaos import Chaos, Kind, Planned, Word, plan, read_chaos
from milepost.rehearsal.lives import Life
from milepost.rehearsal.lives import lives as lived
from milepost.rehearsal.scenarios import SCENARIOS, find
from milepost.rehearsal.sends import Send, endpoint_at, request_of, sends_of, written

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OPTIONS = {"withings": b'{"customer_id":"4711"}'}


class Thing(msgspec.Struct, frozen=True):
    """Something to send that is nothing but a name."""

    at: datetime
    lane: str
    name: str


def things(lanes: int = 3, each: int = 6) -> list[Thing]:
    return sorted(
        (
            Thing(START + timedelta(minutes=5 * step), f"lane-{lane}", f"{lane}-{step}")
            for lane in range(lanes)
            for step in range(each)
        ),
        key=lambda thing: (thing.at, thing.lane),
    )


def planned(text: str, *, seed: int = 1, items: list[Thing] | None = None) -> list[Planned[Thing]]:
    some = things() if items is None else items
    return plan(some, chaos=read_chaos(text), seed=seed, schedule=REHEARSAL)


def sends_in(name: str, *, contract: str, seed: int = 5) -> list[Send]:
    endpoint = endpoint_at(
        "https://example.com/",
        room=ROOMS[contract],
        seed=seed,
        start=START,
        secrets=(signing_secret(seed),),
        options=OPTIONS.get(contract, b"{}"),
    )
    return sends_of(
        lived(find(name), orders=2, seed=seed, start=START), endpoint=endpoint, start=START
    )


# --- lives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", ROOMS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_legal_and_told_in_every_contract(name: str, contract: str) -> None:
    room = ROOMS[contract]
    told = sends_in(name, contract=contract)
    assert len(told) >= 2
    lanes: dict[str, list[Send]] = {}
    for send in told:
        lanes.setdefault(send.lane, []).append(send)
        assert send.status in room.sends
        assert send.claimed.endpoint.contract == contract
    for lane in lanes.values():
        numbers = [send.claimed.sequence for send in lane]
        assert numbers == sorted(set(numbers))
        assert [send.claimed.previous for send in lane] == [0, *numbers[:-1]]
        assert [send.at for send in lane] == sorted(send.at for send in lane)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_beat_of_a_scenario_is_taken(name: str) -> None:
    scenario = find(name)
    for life, role in zip(
        lived(scenario, orders=1, seed=3, start=START), scenario.roles, strict=True
    ):
        assert len({happening.at for happening in life.happenings[1:]}) >= 1
        moments = Counter(happening.at for happening in life.happenings[1:])
        assert sum(moments.values()) >= len(role.beats)


def test_the_scenarios_between_them_show_every_state_but_those_that_no_sandbox_has() -> None:
    seen = {
        happening.after.state
        for scenario in SCENARIOS.values()
        for life in lived(scenario, orders=1, seed=1, start=START)
        for happening in life.happenings
    }
    assert set(State) - seen == {State.FULFILLED_ELSEWHERE}


def final(name: str) -> list[Life]:
    return lived(find(name), orders=1, seed=1, start=START)


def test_two_parcels_are_delivered_only_when_both_are() -> None:
    (life,) = final("two_parcels")
    assert len(life.order.parcels) == 2
    before = life.happenings[-2].after
    assert [p.state for p in before.parcels] == [State.DELIVERED, State.ATTEMPT_FAILED]
    assert before.state is State.ATTEMPT_FAILED
    assert life.order.state is State.DELIVERED


def test_a_split_leaves_each_order_a_line_of_its_own() -> None:
    first, second = final("split")
    assert [line.sku for line in first.order.content.lines] == ["SCALE-1"]
    assert [line.sku for line in second.order.content.lines] == ["BAND-2"]
    assert any(h.event.type is EventType.UPDATED for h in first.happenings)
    assert b"order_parts" in bytes(second.order.content.extensions["shipmonk"])


def test_a_replacement_names_the_order_that_it_replaces() -> None:
    first, second = final("replacement")
    assert second.order.content.replacement_for == first.order.order_key
    assert second.happenings[0].at > first.happenings[-1].at


def test_a_correction_is_one_and_says_why() -> None:
    (life,) = final("correction")
    (event,) = [h.event for h in life.happenings if h.event.correction]
    assert event.note
    assert life.order.state is State.DELIVERED


def test_an_unknown_scenario_names_those_that_there_are() -> None:
    with pytest.raises(InvalidInput, match="two_parcels"):
        find("nonesuch")


# --- the same again ------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", ROOMS)
def test_the_same_seed_makes_the_same_bytes(contract: str) -> None:
    def all_bytes(seed: int) -> list[bytes]:
        told = sends_in("complete", contract=contract, seed=seed)
        wanted = read_chaos("duplicate,reorder,drop,lose,delay,error=500")
        steps = plan(told, chaos=wanted, seed=seed, schedule=ROOMS[contract].schedules[0])
        return [
            written(
                request_of(
                    one.item.claimed, attempt=one.attempt, timestamp=int(one.at.timestamp())
                ),
                frozen=True,
            )
            for one in steps
        ]

    assert all_bytes(5) == all_bytes(5)
    assert all_bytes(5) != all_bytes(6)


def test_what_follows_the_clock_is_left_out_unless_the_clock_is_frozen() -> None:
    send = sends_in("complete", contract="standard")[0]
    early, late = (request_of(send.claimed, attempt=1, timestamp=at) for at in (1, 2))
    assert written(early, frozen=False) == written(late, frozen=False)
    assert written(early, frozen=True) != written(late, frozen=True)


@given(st.integers(min_value=0))
def test_a_seed_begins_long_ago_and_has_ids_of_its_own(seed: int) -> None:
    start = start_of(seed)
    assert datetime(2025, 1, 1, tzinfo=UTC) < start < datetime(2025, 8, 1, tzinfo=UTC)
    assert chance.ulid(seed, "a", at=start) != chance.ulid(seed, "b", at=start)
    assert 0 <= chance.chance(seed, "a") < 1


def test_the_pure_modules_ask_nothing_of_the_world() -> None:
    outside = {"asyncio", "random", "time", "os", "secrets", "socket", "http", "logging"}
    for module in (chance, chaos, lives, report, scenarios, sends):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        names = [
            name
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        ]
        assert not {name.partition(".")[0] for name in names} & outside, module.__name__
        assert not [name for name in names if name.startswith("milepost.net")], module.__name__


# --- chaos ---------------------------------------------------------------------------------------


def test_without_chaos_everything_is_sent_once_at_its_time() -> None:
    told = planned("")
    assert [one.item for one in told] == things()
    assert {(one.kind, one.attempt, one.lost) for one in told} == {(Kind.FIRST, 1, False)}
    assert [one.at for one in told] == [thing.at for thing in things()]


@pytest.mark.parametrize("word", ["duplicate", "reorder", "drop", "lose", "delay", "error=503"])
@pytest.mark.parametrize("seed", range(5))
def test_each_word_hits_at_least_once_and_the_same_again(word: str, seed: int) -> None:
    told = planned(word, seed=seed)
    assert told != planned("")
    assert told == planned(word, seed=seed)


def test_a_word_more_changes_nothing_of_what_another_one_hits() -> None:
    def delayed(text: str) -> set[str]:
        return {one.item.name for one in planned(text) if one.delayed}

    assert delayed("delay") == delayed("delay,duplicate,lose,error=500")


def test_a_duplicate_has_the_same_name_and_does_not_wait_for_its_lane() -> None:
    told = planned("duplicate=1")
    copies = [one for one in told if one.kind is Kind.DUPLICATE]
    assert len(copies) == len(things())
    assert all(one.free for one in copies)
    at_once = [one for one in copies if one.attempt == 1]
    later = [one for one in copies if one.attempt == 2]
    assert at_once
    assert later
    assert all(one.at == one.item.at for one in at_once)
    assert all(one.at > one.item.at for one in later)


def test_what_is_dropped_comes_with_the_retry_and_its_lane_waits() -> None:
    told = planned("drop=1", items=things(lanes=1))
    names = [one.item.name for one in told]
    assert names == [name for thing in things(lanes=1) for name in (thing.name, thing.name)]
    assert [one.lost for one in told] == [True, False] * 6
    assert [one.attempt for one in told] == [1, 2] * 6


def test_what_is_lost_never_comes() -> None:
    told = planned("lose=0.5")
    lost = {one.item.name for one in told if one.lost}
    assert lost
    assert not [one for one in told if one.item.name in lost and not one.lost]


def test_an_error_is_sent_for_real_and_then_tried_again() -> None:
    told = planned("error=503:0.5", items=things(lanes=1))
    pretended = [one for one in told if one.pretended]
    assert {one.pretended for one in pretended} == {503}
    assert not [one for one in pretended if one.lost or one.last]
    retried = {one.item.name for one in told if one.kind is Kind.RETRY}
    assert retried == {one.item.name for one in pretended}


def test_what_is_reordered_is_overtaken_by_the_next_of_its_order() -> None:
    told = planned("reorder", items=things(lanes=1))
    names = [one.item.name for one in told]
    overtaken = [one.item.name for one in told if one.reordered]
    assert overtaken
    for name in overtaken:
        following = f"0-{int(name.partition('-')[2]) + 1}"
        assert names.index(name) > names.index(following)


def test_what_is_spared_is_not_hit() -> None:
    spared = {thing.name for thing in things() if thing.lane != "lane-0"}
    told = plan(
        things(),
        chaos=read_chaos("duplicate=1,drop=0.5,error=500:0.5,reorder=0.5,delay=1"),
        seed=1,
        schedule=REHEARSAL,
        spared=spared,
    )
    calm = [one for one in told if one.item.name in spared]
    assert len(calm) == len(spared)
    assert not [one for one in calm if one.delayed or one.reordered or one.attempt > 1]


def order_of_lanes(told: list[Planned[Thing]]) -> dict[str, list[str]]:
    lanes: dict[str, list[str]] = {}
    for one in told:
        if not one.free and not one.lost:
            lane = lanes.setdefault(one.item.lane, [])
            if one.item.name not in lane:
                lane.append(one.item.name)
    return lanes


@given(
    seed=st.integers(min_value=0, max_value=10_000),
    words=st.sets(st.sampled_from(["duplicate", "drop", "lose", "delay", "error=500"])),
)
def test_what_is_not_reordered_keeps_its_order_within_the_lane(seed: int, words: set[str]) -> None:
    told = planned(",".join(sorted(words)), seed=seed)
    for lane in order_of_lanes(told).values():
        steps = [int(name.partition("-")[2]) for name in lane]
        assert steps == sorted(steps)
    lost = {one.item.name for one in told if one.lost and one.last}
    arrived = {one.item.name for one in told if not one.lost}
    assert arrived | lost == {thing.name for thing in things()}
    assert [one.at for one in told] == sorted(one.at for one in told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("explode", "duplicate, reorder, drop, lose, delay, error=CODE"),
        ("error", "a status from 300 to 599"),
        ("error=200", "a status from 300 to 599"),
        ("error=410", "but 410"),
        ("drop=0", "a rate above 0"),
        ("drop=1.5", "a rate above 0"),
        ("drop=often", "a rate above 0"),
        ("error=500:nan", "a rate above 0"),
    ],
)
def test_what_is_no_chaos_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_chaos(text)


def test_rates_and_statuses_are_read() -> None:
    assert read_chaos("") == Chaos()
    read = read_chaos("duplicate, drop=0.25,error=429:0.5")
    assert read.rates == {Word.DUPLICATE: 0.2, Word.DROP: 0.25, Word.ERROR: 0.5}
    assert read.status == 429
    with pytest.raises(InvalidInput, match="and not error"):
        read_chaos("error=500", allowed=(Word.DROP,))
