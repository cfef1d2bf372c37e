"""What is not said: orders fall silent, are told of, and move again; weeks in a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.attention import Kind, Matter
from milepost.delivery.model import Operational
from milepost.errors import InvalidInput, StoreError
from milepost.orders.lifecycle import State
from milepost.orders.silence import Silence, SilenceKind
from milepost.ports import Page
from milepost.ports.silence import SilenceFilter
from milepost.silence import AT_ONCE, Looked
from milepost.tracker import Tracker
from milepost.wiring import steady_s
from tests.flows.house import ACCOUNT, START, House, house
from tests.flows.test_tracker import watching
from tests.played import played

ON_ITS_WAY = (State.SUBMITTED, State.SHIPPED, State.IN_TRANSIT)


async def silences(here: House) -> Sequence[Silence]:
    found, _ = await here.hub.silences.silences(
        ACCOUNT, wanted=SilenceFilter(), page=Page(limit=1_000)
    )
    return found


async def matters(here: House) -> list[Matter]:
    found, _ = await here.hub.attention.matters(ACCOUNT, kinds=(Kind.SILENT,), page=Page(limit=100))
    return list(found)


def told(here: House) -> list[Mapping[str, Any]]:
    """What was told of silences."""
    found = [msgspec.json.decode(r.body) for r in here.outside.requests]
    return [
        {"type": one["type"], **one["data"]}
        for one in found
        if one["type"] in {"order.silent", "order.moved_again"}
    ]


@played
async def test_weeks_of_an_orders_life_raise_and_end_what_they_should(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        await here.endpoint(operational=Operational.ONLY)
        order_id = await here.order("1001")
        look = here.hub.silences.look
        for state, days in (
            (State.SUBMITTED, 1.0),
            (State.BACKORDERED, 20.0),
            (State.PICKING, 0.5),
            (State.SHIPPED, 1.0),
            (State.IN_TRANSIT, 6.0),
            (State.OUT_FOR_DELIVERY, 0.5),
            (State.DELIVERED, 400.0),
        ):
            await here.update("1001", state)
            for _ in range(10):
                here.clock.forward(days=days / 10)
                await look()
        await here.quiet()
        found = list(reversed(await silences(here)))
        assert [(s.kind, s.state, s.ended_state) for s in found] == [
            (SilenceKind.STATE, State.BACKORDERED, State.PICKING),
            (SilenceKind.CARRIER, State.IN_TRANSIT, State.OUT_FOR_DELIVERY),
        ]
        assert [(s.ended_at or START) - s.since_at for s in found] == [
            timedelta(days=20),
            timedelta(days=6),
        ]
        events = told(here)
        assert [one["type"] for one in events] == ["order.silent", "order.moved_again"] * 2
        assert {one["orders"][0]["order_id"] for one in events} == {order_id}
        assert [one["sequence"] for one in events] == [1, 2, 3, 4]
        assert await matters(here) == []


@played
async def test_a_silence_asks_for_a_person_until_it_is_put_aside_or_over(tmp_path: Path) -> None:
    async with house(tmp_path, dispatch=False) as here:
        order_id = await here.order("1001")
        await here.live("1001", ON_ITS_WAY)
        await here.order("1002")
        await here.live("1002", [State.SUBMITTED])
        here.clock.forward(days=6)
        assert await here.hub.silences.look() == Looked(raised=2, told=2)
        later, first = sorted(await matters(here), key=lambda m: m.order_id != order_id)
        assert later.why.startswith("nothing was heard of it in in_transit since 2026-11-23")
        assert [action.path for action in later.actions] == [
            f"/v1/orders/{order_id}/trackings",
            "/v1/updates",
            "/v1/sources/SOURCE/reconcile",
        ]
        assert [
            action.command.split()[3] for action in first.actions if "update" in action.command
        ] == [
            "STATE",
            "on_hold",
            "cancel_requested",
        ]
        await here.hub.attention.dismiss(ACCOUNT, [later.attention_id])
        assert [m.attention_id for m in await matters(here)] == [first.attention_id]
        await here.update("1002", State.PICKING)
        assert (await here.hub.silences.look()).ended == 1
        assert await matters(here) == []
        await here.hub.attention.dismiss_kinds(ACCOUNT, [Kind.SILENT])
        here.clock.forward(days=2)
        await here.hub.silences.look()
        (again,) = await matters(here)
        assert again.why.startswith("it has stayed in picking")


@played
async def test_a_carrier_that_says_the_same_every_day_is_not_silent(tmp_path: Path) -> None:
    async with house(tmp_path, dispatch=False) as here:
        await here.order("1001")
        await here.live("1001", ON_ITS_WAY)
        for _ in range(10):
            here.clock.forward(days=1)
            result = await here.update("1001", State.IN_TRANSIT)
            assert result.verdict == "duplicate"
            assert await here.hub.silences.look() == Looked()
        # An old word that comes again is none.
        for _ in range(5):
            here.clock.forward(days=1)
            await here.update("1001", State.IN_TRANSIT, occurred_at=START)
        assert (await here.hub.silences.look()).raised == 1
        await here.update("1001", State.IN_TRANSIT)
        assert (await here.hub.silences.look()).ended == 1


@played
async def test_stations_that_the_tracker_finds_are_words_too(tmp_path: Path) -> None:
    async with watching(tmp_path) as watch:
        here = watch.house
        watch.tracker = Tracker(
            here.hub.store,
            updates=here.hub.intake.updates,
            carrier_of=lambda _source: watch.acme,
            now=here.clock,
            steady_s=steady_s,
            chance=lambda: 0.5,
            owner="me",
            lease_s=60,
            poll_s=0.01,
            at_once=64,
            metrics=here.hub.metrics,
            hear=here.hub.silences.hear,
        )
        order_id = await watch.ship()
        for day in (1, 3, 5, 7):
            watch.acme.happens(State.IN_TRANSIT, day, raw=f"STATION {day}")
        await watch.until(order_id, days=11.5)
        assert (await watch.order(order_id)).state_at == START + timedelta(days=1)
        assert await here.hub.silences.look() == Looked()
        await watch.until(order_id, days=12.1)
        assert (await here.hub.silences.look()).raised == 1
        (silence,) = await silences(here)
        assert (silence.kind, silence.since_at) == (
            SilenceKind.CARRIER,
            START + timedelta(days=7),
        )


@played
async def test_what_was_heard_survives_a_stop(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        await here.order("1001")
        await here.live("1001", ON_ITS_WAY)
        here.clock.forward(days=4)
        await here.update("1001", State.IN_TRANSIT)
        at = here.clock.at
    async with house(tmp_path, dispatch=False) as again:
        again.clock.at = at + timedelta(days=4)
        assert await again.hub.silences.look() == Looked()
        again.clock.forward(days=1)
        assert (await again.hub.silences.look()).raised == 1


@played
async def test_thresholds_count_from_the_next_look_on(tmp_path: Path) -> None:
    async with house(tmp_path, dispatch=False) as here:
        await here.order("1001")
        await here.update("1001", State.ON_HOLD)
        flow = here.hub.silences
        await flow.set_thresholds(ACCOUNT, {State.ON_HOLD: None})
        here.clock.forward(days=30)
        assert await flow.look() == Looked()
        shown = await flow.set_thresholds(ACCOUNT, {State.ON_HOLD: timedelta(days=40)})
        hold = next(one for one in shown if one.state is State.ON_HOLD)
        assert (hold.after_s, hold.default_s, hold.changed) == (40 * 86_400, 5 * 86_400, True)
        assert await flow.look() == Looked()
        shown = await flow.reset_thresholds(ACCOUNT, [State.ON_HOLD])
        assert not any(one.changed for one in shown)
        assert (await flow.look()).raised == 1
        # What is raised stays raised, whatever its threshold becomes.
        await flow.set_thresholds(ACCOUNT, {State.ON_HOLD: None})
        assert await flow.look() == Looked()
        assert len(await matters(here)) == 1
        with pytest.raises(InvalidInput, match="delivered"):
            await flow.set_thresholds(ACCOUNT, {State.DELIVERED: timedelta(days=1)})


@played
async def test_a_flood_is_one_piece_of_news_and_a_list_of_each(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        await here.endpoint(operational=Operational.ALSO, statuses=("delivered",))
        count = AT_ONCE + 50
        for n in range(count):
            await here.order(f"K{n:04}")
        here.clock.forward(days=2)
        looked = await here.hub.silences.look()
        assert looked == Looked(raised=count, told=count)
        await here.until(lambda: bool(told(here)))
        await here.quiet()
        (event,) = told(here)
        assert (event["count"], len(event["orders"])) == (count, 10)
        assert event["why"] == f"nothing was heard of {count} orders for too long"
        assert len(await silences(here)) == count
        assert here.hub.silences.counted == {SilenceKind.STATE: count, SilenceKind.CARRIER: 0}


@played
async def test_a_process_that_dies_before_the_commit_leaves_all_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as here:
        await here.endpoint(operational=Operational.ONLY)
        await here.order("1001")
        here.clock.forward(days=2)

        def dying(*_args: object, **_given: object) -> object:
            raise StoreError("gone before it was told")

        with monkeypatch.context() as broken:
            broken.setattr("milepost.store.sqlite.silence.queue_deliveries", dying)
            with pytest.raises(StoreError):
                await here.hub.silences.look()
        assert await silences(here) == []
        assert (await here.hub.silences.look()).raised == 1
        await here.until(lambda: bool(told(here)))
        assert [one["count"] for one in told(here)] == [1]


@played
async def test_two_processes_at_one_database_raise_each_silence_once(tmp_path: Path) -> None:
    async with house(tmp_path, dispatch=False) as here, house(tmp_path, dispatch=False) as there:
        await here.endpoint(operational=Operational.ONLY)
        for n in range(30):
            await here.order(f"K{n}")
        for one in (here, there):
            one.clock.forward(days=2)
        looked = await asyncio.gather(
            *(one.hub.silences.look() for _ in range(3) for one in (here, there))
        )
        assert sum(one.raised for one in looked) == 30
        assert sum(one.told for one in looked) == 30
        assert len({s.order_id for s in await silences(there)}) == 30


@played
async def test_it_looks_by_itself_and_goes_on_after_the_database_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, silence_every_s=0.01) as here:
        await here.order("1001")
        store, tries = here.hub.store, []

        async def away() -> None:
            tries.append(1)
            raise StoreError("away")

        with monkeypatch.context() as broken:
            broken.setattr(store, "accounts", away)
            await here.until(lambda: len(tries) > 1)
        here.clock.forward(days=2)
        await here.until(lambda: sum(here.hub.silences.counted.values()) == 1)


@played
async def test_a_clock_that_is_moved_has_it_look_at_once(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        await here.order("1001")
        here.clock.forward(days=2)
        here.hub.silences.look_soon()
        await here.until(lambda: sum(here.hub.silences.counted.values()) == 1)


@played
async def test_every_word_that_waits_is_kept_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, dispatch=False) as here:
        await here.order("1001")
        await here.live("1001", ON_ITS_WAY)
        here.clock.forward(days=3)
        await here.update("1001", State.IN_TRANSIT)

        async def away(_heard: object) -> None:
            raise StoreError("away")

        with monkeypatch.context() as broken:
            broken.setattr(here.hub.store, "put_heard", away)
            with pytest.raises(StoreError):
                await here.hub.silences.look()
        here.clock.forward(days=3)
        assert await here.hub.silences.look() == Looked()
