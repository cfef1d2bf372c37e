"""The dispatcher: one lane, one at a time, in order; every attempt on record."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from milepost.delivery.model import (
    DeliveryState,
    EndpointState,
    Failure,
    LanePolicy,
    Outcome,
    Reply,
    Request,
)
from milepost.errors import StoreError
from milepost.orders.lifecycle import State
from milepost.ports import DeliveryFilter, Page
from tests.flows.house import ACCOUNT, Outside, house

LIFE = (State.SUBMITTED, State.PACKED, State.SHIPPED, State.IN_TRANSIT, State.DELIVERED)


def _sequences(outside: Outside) -> list[int]:
    return [int(s) for s in outside.header("milepost-sequence")]


def test_a_life_arrives_in_order_and_each_notification_names_the_one_before(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint()
            await at.order("1")
            await at.live("1", LIFE)
            await at.quiet()
            assert _sequences(at.outside) == [1, 2, 3, 4, 5, 6]
            assert at.outside.header("milepost-previous") == ["0", "1", "2", "3", "4", "5"]
            assert set(at.outside.header("milepost-attempt")) == {"1"}

    asyncio.run(play())


def test_a_lane_has_one_on_the_wire_while_other_lanes_go_on(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint()
            stuck = await at.order("stuck")
            at.outside.answer = lambda r: (
                None if dict(r.headers)["milepost-order"] == stuck else (Reply(204))
            )
            await at.quiet()
            await at.live("stuck", LIFE)
            await at.order("free")
            await at.live("free", LIFE)
            await at.until(lambda: len(at.outside.requests) == 8)
            await asyncio.sleep(0.1)
            of_stuck = [r for r in at.outside.requests if (stuck, "2") == _step(r)]
            assert len(of_stuck) == 1
            assert len(at.outside.hanging) == 1
            at.outside.answer = lambda _request: Reply(204)
            at.outside.hanging.pop()(Reply(204))
            await at.quiet()
            lane = [int(_step(r)[1]) for r in at.outside.requests if _step(r)[0] == stuck]
            assert lane == [1, 2, 3, 4, 5, 6]

    asyncio.run(play())


def _endpoint_id(request: Request) -> str:
    return dict(request.headers)["webhook-id"].split("-")[2]


def _step(request: Request) -> tuple[str, str]:
    headers = dict(request.headers)
    return headers["milepost-order"], headers["milepost-sequence"]


def test_a_failed_head_is_tried_again_by_its_schedule_before_the_next_goes(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint()
            at.outside.answer = lambda _request: Reply(500)
            await at.order("1")
            await at.live("1", LIFE[:1])
            await at.until(lambda: len(at.outside.requests) == 1)
            await asyncio.sleep(0.1)
            assert len(at.outside.requests) == 1
            at.outside.answer = lambda _request: Reply(204)
            at.clock.forward(seconds=2)
            await at.quiet()
            assert at.outside.header("milepost-attempt") == ["1", "2", "1"]
            assert _sequences(at.outside) == [1, 1, 2]
            names = at.outside.header("webhook-id")
            assert names[0] == names[1] != names[2]
            bodies = [r.body for r in at.outside.requests]
            assert bodies[0] == bodies[1]

    asyncio.run(play())


def test_the_schedule_ends_and_the_next_in_the_lane_names_the_gap(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            endpoint = await at.endpoint()
            at.outside.answer = lambda _request: Reply(500)
            order_id = await at.order("1")
            await _wear_out(at)
            at.outside.answer = lambda _request: Reply(204)
            await at.live("1", LIFE[:1])
            await at.quiet()
            given_up, _ = await at.hub.store.delivery(ACCOUNT, endpoint.endpoint_id, order_id, 1)
            assert (given_up.state, given_up.attempts) == (DeliveryState.ABANDONED, 21)
            assert at.outside.header("milepost-previous")[-1] == "1"
            attempts = await at.hub.store.attempts(ACCOUNT, endpoint.endpoint_id, order_id, 1)
            assert [a.attempt for a in attempts] == list(range(1, 22))
            assert {a.outcome for a in attempts} == {Outcome.SERVER_ERROR}

    asyncio.run(play())


async def _wear_out(at) -> None:  # type: ignore[no-untyped-def]
    for attempt in range(1, 22):
        await at.until(lambda n=attempt: len(at.outside.requests) >= n)
        await asyncio.sleep(0.01)
        at.clock.forward(seconds=2)


def test_a_lane_that_holds_waits_until_the_operator_sends_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            endpoint = await at.endpoint(lane_policy=LanePolicy.HOLD)
            at.outside.answer = lambda _request: Reply(500)
            order_id = await at.order("1")
            await _wear_out(at)
            at.outside.answer = lambda _request: Reply(204)
            await at.live("1", LIFE[:2])
            at.clock.forward(hours=1)
            await asyncio.sleep(0.2)
            assert set(_sequences(at.outside)) == {1}
            at.outside.requests.clear()
            await at.hub.operations.resend(ACCOUNT, f"{order_id}-1-{endpoint.endpoint_id}")
            await at.quiet()
            assert _sequences(at.outside) == [1, 2, 3]
            assert at.outside.header("webhook-id")[0].endswith("-r1")

    asyncio.run(play())


def test_410_pauses_the_endpoint_and_parks_what_comes(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            endpoint = await at.endpoint()
            at.outside.answer = lambda _request: Reply(410)
            await at.order("1")
            await at.until(lambda: len(at.outside.requests) == 1)
            await asyncio.sleep(0.05)
            await at.live("1", LIFE)
            await asyncio.sleep(0.1)
            assert len(at.outside.requests) == 1
            paused = await at.hub.store.endpoint(ACCOUNT, endpoint.endpoint_id)
            assert paused.state is EndpointState.PAUSED
            assert "410" in paused.state_why
            at.outside.answer = lambda _request: Reply(204)
            await at.hub.operations.resume_endpoint(ACCOUNT, endpoint.endpoint_id)
            await at.quiet()
            assert _sequences(at.outside) == [1, 1, 2, 3, 4, 5, 6]

    asyncio.run(play())


def test_an_endpoint_gets_no_more_at_once_than_its_concurrency(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint(concurrency=3)
            at.outside.answer = lambda _request: None
            for i in range(10):
                await at.order(str(i))
            await at.until(lambda: len(at.outside.hanging) == 3)
            await asyncio.sleep(0.05)
            assert len(at.outside.hanging) == 3
            at.outside.answer = lambda _request: Reply(204)
            for done in at.outside.hanging:
                done(Reply(204))
            await at.quiet()
            assert len(at.outside.requests) == 10

    asyncio.run(play())


def test_a_hanging_endpoint_costs_only_its_own_lanes(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            hanging = await at.endpoint(concurrency=2)
            await at.endpoint(concurrency=2)
            at.outside.answer = lambda r: (
                None if _endpoint_id(r) == hanging.endpoint_id else Reply(204)
            )
            for i in range(20):
                await at.order(str(i))
            await at.until(lambda: len(at.outside.requests) == 22)
            at.outside.answer = lambda _request: Reply(204)
            for done in list(at.outside.hanging):
                done(Reply(0, failure=Failure.TIMEOUT))
            at.clock.forward(seconds=2)
            await at.quiet()

    asyncio.run(play())


def test_a_process_frozen_past_its_lease_sends_no_second_copy_of_what_it_holds(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint(concurrency=1)
            at.outside.answer = lambda _request: None
            await at.order("1")
            await at.order("2")
            await at.live("1", LIFE[:2])
            await at.until(lambda: len(at.outside.hanging) == 1)
            at.clock.forward(hours=1)
            await asyncio.sleep(0.2)
            assert len(at.outside.requests) == 1
            at.outside.answer = lambda _request: Reply(204)
            at.outside.hanging.pop()(Reply(204))
            await at.quiet()
            assert len(at.outside.requests) == 4
            assert len(set(at.outside.header("webhook-id"))) == 4

    asyncio.run(play())


def test_what_a_dead_process_held_is_sent_again_under_the_same_id(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint()
            at.outside.answer = lambda _request: None
            await at.order("1")
            await at.until(lambda: len(at.outside.hanging) == 1)
            first = at.outside.header("webhook-id")
            # The process is gone: nothing is settled and nothing is given back.
            at.hub.dispatcher._running = False
            for task in at.hub.dispatcher._work:
                task.cancel()
            at.hub.dispatcher._on_wire_total = 0
            await at.hub.store.close()
        async with house(tmp_path) as again:
            await again.quiet()
            assert again.outside.header("webhook-id") == first
            assert again.outside.header("milepost-attempt") == ["1"]

    asyncio.run(play())


def test_a_graceful_stop_settles_what_is_on_the_wire_and_gives_back_the_rest(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            endpoint = await at.endpoint(concurrency=1)
            at.outside.answer = lambda _request: None
            orders = [await at.order(str(i)) for i in range(3)]
            await at.until(lambda: len(at.outside.hanging) == 1)
            stopping = asyncio.create_task(at.hub.dispatcher.stop(within_s=5))
            await asyncio.sleep(0.05)
            at.outside.hanging[0](Reply(204))
            await stopping
            states = [
                (await at.hub.store.delivery(ACCOUNT, endpoint.endpoint_id, o, 1))[0].state
                for o in orders
            ]
            assert states.count(DeliveryState.ACKNOWLEDGED) == 1
            assert states.count(DeliveryState.PENDING) == 2
        async with house(tmp_path) as again:
            await again.quiet()
            assert len(again.outside.requests) == 2

    asyncio.run(play())


def test_a_database_that_cannot_take_a_settlement_gets_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            await at.endpoint()
            settle, failures = at.hub.store.settle, iter((True, True, False))

            async def flaky(*given: object, **named: object) -> object:
                if next(failures, False):
                    raise StoreError("the disk is full")
                return await settle(*given, **named)  # type: ignore[arg-type]

            monkeypatch.setattr(at.hub.store, "settle", flaky)
            monkeypatch.setattr("milepost.dispatcher.STORE_PAUSE_S", 0.01)
            await at.order("1")
            await at.quiet()
            assert len(at.outside.requests) == 1
            pending, _ = await at.hub.store.deliveries(
                ACCOUNT, wanted=DeliveryFilter(state=DeliveryState.PENDING), page=Page()
            )
            assert not pending

    asyncio.run(play())


def test_hundreds_of_orders_to_several_endpoints_keep_every_lane_in_order(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as at:
            for _ in range(3):
                await at.endpoint(concurrency=8)
            keys = [str(i) for i in range(60)]
            await asyncio.gather(*(at.order(k) for k in keys))
            for state in LIFE:
                at.clock.forward(seconds=1)
                await asyncio.gather(*(at.update(k, state) for k in keys))
            await at.until(lambda: len(at.outside.requests) == 60 * 6 * 3)
            lanes: dict[tuple[str, str], list[int]] = {}
            for request in at.outside.requests:
                order_id, sequence = _step(request)
                lanes.setdefault((_endpoint_id(request), order_id), []).append(int(sequence))
            assert len(lanes) == 180
            assert all(lane == [1, 2, 3, 4, 5, 6] for lane in lanes.values())
            assert all(a < b for lane in lanes.values() for a, b in pairwise(lane))

    asyncio.run(play())
