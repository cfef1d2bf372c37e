"""Moved clocks through the flows: what is decided happens at the account's time, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.carrier_sources import SourceInput
from milepost.clocks import Clocks, ClockView, read_span
from milepost.delivery.model import DeliveryState, Endpoint, Failure, Reply
from milepost.errors import ClockStuck, InvalidInput, NoSandbox
from milepost.intake import OrderInput, UpdateInput, UpdateResult
from milepost.orders.clock import MOST_AHEAD, next_stop, ours, there
from milepost.orders.events import OrderEvent, Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, OrderContent
from milepost.orders.tracking import Ending
from milepost.ports import Account, DeliveryFilter, OrderFilter, OrderRef, Page
from milepost.ports.silence import SilenceFilter
from milepost.ports.withings import ClientApplication
from milepost.provider import ClientInput, ReplacementInput
from milepost.rules import EndpointInput
from tests.flows.house import ACCOUNT, START, House, house
from tests.flows.test_provider import NOTIFY, PARCEL, STEPS, asked, words
from tests.keys import KEY
from tests.postgres.server import new_database

SANDBOX = "acc_sandbox"
DATABASES = ("sqlite", "postgres")
S = State
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@dataclass
class Room:
    """A house with a sandbox account in it; our own clock stands still unless it is moved."""

    house: House
    clocks: Clocks

    async def endpoint(self, contract: str = "standard", **given: Any) -> Endpoint:
        wanted = EndpointInput(contract, "https://receiver.example/sandbox", **given)
        return await self.house.hub.operations.add_endpoint(SANDBOX, wanted)

    async def order(self, key: str, account_id: str = SANDBOX) -> Order:
        (result,) = await self.house.hub.intake.orders(
            account_id, [OrderInput("main", key, OrderContent())]
        )
        assert result.order is not None
        return result.order

    async def update(
        self, key: str, state: State, account_id: str = SANDBOX, **facts: Any
    ) -> UpdateResult:
        told = UpdateInput(
            OrderRef(account_id, store="main", order_key=key),
            Update("test", state, trusted=True, **facts),
        )
        return (await self.house.hub.intake.updates(account_id, [told]))[0]

    async def history(self, order: Order) -> list[OrderEvent]:
        store = self.house.hub.store
        return list(await store.history(order.account_id, order.order_id, after=0, limit=1_000))

    async def play(
        self, by: timedelta, told: Callable[[ClockView], None] = lambda _: None
    ) -> ClockView:
        goal = await self.clocks.goal(SANDBOX, by=by)
        return await self.clocks.play(SANDBOX, to=goal, told=told)

    async def jump(self, by: timedelta) -> ClockView:
        return await self.clocks.jump(SANDBOX, to=await self.clocks.goal(SANDBOX, by=by))


@asynccontextmanager
async def room(folder: Path, *, database: str = "sqlite", **given: Any) -> AsyncIterator[Room]:
    given = {"secret_key": KEY, "tracking_poll_s": 0.01, "retention_days": 0, **given}
    if database == "postgres":
        given["database_url"] = await asyncio.to_thread(new_database)
    async with house(folder, **given) as at:
        await at.hub.store.add_account(Account(SANDBOX, "rehearsal", START, sandbox=True))
        await at.hub.store.put_store(SANDBOX, "main", name="Main", number=None, now=START)
        hub = at.hub
        # As the hub's own, which looks less often.
        clocks = Clocks(
            hub.store, now=at.clock, pause=lambda _s: asyncio.sleep(0.002), patience_s=20
        )
        clocks.helped_by(hub.silences.look_at)
        clocks.wakes(hub.dispatcher.look, hub.provider.rehearsals.look, hub.tracking.tracker.look)
        yield Room(at, clocks)


def play(case: Callable[[Room], Coroutine[Any, Any, None]], folder: Path, **given: Any) -> None:
    async def whole() -> None:
        async with room(folder, **given) as it:
            await case(it)

    asyncio.run(whole())


async def application(at: Room) -> ClientApplication:
    wanted = ClientInput(name="shop", billing_id="4711", notify_uri=NOTIFY)
    made = await at.house.hub.provider.applications.add(SANDBOX, wanted)
    return await at.house.hub.store.client(SANDBOX, made.client.client_id)


# --- the time itself ------------------------------------------------------------------------------


def test_the_time_of_an_account_is_ours_and_what_it_is_ahead() -> None:
    assert there(START, ahead=HOUR) == START + HOUR
    assert ours(START + HOUR, ahead=HOUR) == START


def test_a_clock_stops_where_something_comes_due_before_its_goal() -> None:
    assert next_stop(START, goal=START + DAY, due_at=START + HOUR) == START + HOUR
    assert next_stop(START, goal=START + HOUR, due_at=START + DAY) == START + HOUR
    assert next_stop(START, goal=START + HOUR, due_at=None) == START + HOUR
    assert next_stop(START + DAY, goal=START + HOUR, due_at=None) == START + DAY


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("3d", 3 * DAY),
        ("8h", 8 * HOUR),
        ("90m", 90 * MINUTE),
        ("1d12h30m5s", DAY + 12 * HOUR + 30 * MINUTE + timedelta(seconds=5)),
    ],
)
def test_a_length_of_time_is_read_as_it_is_written(text: str, span: timedelta) -> None:
    assert read_span(text) == span


@pytest.mark.parametrize("text", ["", "0d", "3", "d", "-3d", "3 d", "1h1d", "1.5h", "three days"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_span(text)


def test_the_goal_is_a_time_that_is_to_come_and_not_too_far(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        assert await at.clocks.goal(SANDBOX, by=DAY) == START + DAY
        assert await at.clocks.goal(SANDBOX, to=START + HOUR) == START + HOUR
        for given in (
            {},
            {"by": DAY, "to": START + DAY},
            {"by": timedelta()},
            {"by": -DAY},
            {"by": MOST_AHEAD + DAY},
            {"to": START},
            {"to": START + MOST_AHEAD + DAY},
        ):
            with pytest.raises(InvalidInput):
                await at.clocks.goal(SANDBOX, **given)
        with pytest.raises(NoSandbox):
            await at.clocks.goal(ACCOUNT, by=DAY)

    play(case, tmp_path)


def test_a_clock_never_goes_back(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        await at.jump(DAY)
        with pytest.raises(InvalidInput, match="never goes back"):
            await at.clocks.goal(SANDBOX, to=START + HOUR)
        view = await at.clocks.jump(SANDBOX, to=START + HOUR)
        assert view.now == START + DAY
        assert (await at.clocks.step(SANDBOX, to=START + HOUR)).now == START + DAY

    play(case, tmp_path)


def test_two_who_move_a_clock_at_once_each_move_it_to_their_own_time(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        goals = [START + n * HOUR for n in range(1, 9)]
        await asyncio.gather(*(at.clocks.jump(SANDBOX, to=goal) for goal in goals))
        assert (await at.clocks.show(SANDBOX)).now == max(goals)

    play(case, tmp_path)


# --- what is decided ------------------------------------------------------------------------------


@pytest.mark.parametrize("database", DATABASES)
def test_what_is_decided_of_a_sandbox_happens_at_its_time(tmp_path: Path, database: str) -> None:
    async def case(at: Room) -> None:
        before = await at.order("K1")
        assert before.created_at == START
        await at.jump(3 * DAY)
        late = START + 3 * DAY
        order = await at.order("K2")
        assert (order.created_at, order.state_at, order.updated_at) == (late, late, late)
        moved = (await at.update("K1", S.SHIPPED, tracking_number="T1")).order
        assert moved is not None
        assert (moved.state_at, moved.shipped_at, moved.parcels[0].created_at) == (late,) * 3
        (_, event) = await at.history(before)
        assert (event.occurred_at, event.received_at) == (late, late)
        # Everybody else is where they were.
        assert (await at.order("K1", ACCOUNT)).created_at == START

    play(case, tmp_path, database=database)


@pytest.mark.parametrize("database", DATABASES)
def test_accounts_that_share_a_commit_have_each_their_own_time(
    tmp_path: Path, database: str
) -> None:
    async def case(at: Room) -> None:
        await at.jump(DAY)
        orders = await asyncio.gather(
            *(at.order(f"K{n}", (SANDBOX, ACCOUNT)[n % 2]) for n in range(20))
        )
        assert {(o.account_id, o.created_at) for o in orders} == {
            (SANDBOX, START + DAY),
            (ACCOUNT, START),
        }

    play(case, tmp_path, database=database)


def test_an_update_from_the_account_s_future_is_judged_by_its_clock(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        await at.order("K1")
        await at.jump(10 * DAY)
        told = await at.update("K1", S.PICKING, occurred_at=START + 9 * DAY)
        assert told.verdict is Verdict.APPLIED
        stale = await at.update("K1", S.PACKING, occurred_at=START + 8 * DAY)
        assert stale.verdict is Verdict.STALE
        assert (await at.update("K1", S.PACKING)).verdict is Verdict.APPLIED

    play(case, tmp_path)


def test_an_orphan_waits_since_it_came_by_the_account_s_clock(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        await at.jump(DAY)
        assert (await at.update("K1", S.SUBMITTED)).verdict is Verdict.ORPHAN
        await at.jump(DAY)
        order = await at.order("K1")
        assert order.created_at == START + 2 * DAY
        (_, event) = await at.history(order)
        assert (event.occurred_at, event.received_at) == (START + DAY, START + 2 * DAY)

    play(case, tmp_path)


def test_what_an_operator_does_to_an_order_happens_at_its_time(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        order = await at.order("K1")
        await at.jump(DAY)
        replaced = await at.house.hub.provider.replacements.replace(order, ReplacementInput())
        assert {e.occurred_at for e in await at.history(replaced)} == {START + DAY}

    play(case, tmp_path)


def test_the_times_of_attempts_and_deliveries_stay_real(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        endpoint = await at.endpoint()
        await at.jump(DAY)
        order = await at.order("K1")
        await at.house.until(lambda: bool(at.house.outside.requests))
        (timestamp,) = at.house.outside.header("webhook-timestamp")
        assert int(timestamp) == int(START.timestamp())
        await at.play(MINUTE)
        store = at.house.hub.store
        (attempt,) = await store.attempts(SANDBOX, endpoint.endpoint_id, order.order_id, 1)
        assert attempt.started_at == START
        (delivery,), _ = await store.deliveries(SANDBOX, wanted=DeliveryFilter(), page=Page())
        assert (delivery.created_at, delivery.settled_at) == (START, START)

    play(case, tmp_path)


# --- what waits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("database", DATABASES)
def test_a_schedule_of_a_hundred_retries_plays_through_in_order(
    tmp_path: Path, database: str
) -> None:
    async def case(at: Room) -> None:
        endpoint = await at.endpoint(
            "shipmonk",
            schedule="fixed-100x5m",
            options=msgspec.Raw(b"{}"),
            credentials=msgspec.Raw(b"{}"),
        )
        at.house.outside.answer = lambda _request: Reply(503)
        order = await at.order("K1")
        seen: list[datetime] = []
        view = await at.play(9 * HOUR, told=lambda v: seen.append(v.now))
        assert view.now == START + 9 * HOUR
        # Only that nobody has done anything about the order for a day.
        assert (view.under_way, view.next_due_at) == (0, START + DAY)
        store = at.house.hub.store
        (delivery,), _ = await store.deliveries(SANDBOX, wanted=DeliveryFilter(), page=Page())
        assert (delivery.state, delivery.attempts) == (DeliveryState.ABANDONED, 101)
        made = await store.attempts(SANDBOX, endpoint.endpoint_id, order.order_id, 1)
        assert [a.attempt for a in made] == list(range(1, 102))
        assert seen == sorted(seen)
        stops = sorted(set(seen))[:101]
        assert len(stops) == 101
        assert all(b - a >= 5 * MINUTE for a, b in pairwise(stops))

    play(case, tmp_path, database=database)


def test_a_jump_makes_what_came_due_on_the_way_due_once(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        await at.endpoint("standard", schedule="standard-webhooks")
        at.house.outside.answer = lambda _request: Reply(0, failure=Failure.TIMEOUT)
        await at.order("K1")
        await at.house.until(lambda: len(at.house.outside.requests) == 1)
        await at.play(timedelta(microseconds=1))
        await at.jump(DAY)
        await at.house.until(lambda: len(at.house.outside.requests) == 2)
        view = await at.play(timedelta(microseconds=1))
        assert view.next_due_at is not None
        assert view.next_due_at > START + DAY

    play(case, tmp_path)


@pytest.mark.parametrize("database", DATABASES)
def test_a_fake_order_of_test_mode_lives_its_life(tmp_path: Path, database: str) -> None:
    async def case(at: Room) -> None:
        await at.jump(DAY)
        client = await application(at)
        create = at.house.hub.provider.dropshipment.create
        (order,) = (await create(client, (asked("fake"),), testmode=1)).orders
        await at.play(HOUR)
        assert words(at.house, "fake") == [*STEPS, *PARCEL]
        events = await at.history(order)
        assert [e.occurred_at for e in events] == sorted(e.occurred_at for e in events)
        assert events[0].occurred_at == START + DAY
        # Each at the time of its step: they are as far apart as the setting says.
        steps = [e.occurred_at for e in events if e.source != "api"][-7:]
        assert {b - a for a, b in pairwise(steps)} == {
            timedelta(seconds=at.house.hub.settings.test_step_s)
        }

    play(case, tmp_path, database=database)


@pytest.mark.parametrize("database", DATABASES)
def test_a_lost_parcel_expires_after_45_days_of_the_account(tmp_path: Path, database: str) -> None:
    async def case(at: Room) -> None:
        await at.house.hub.tracking.sources.put(SANDBOX, "sim", SourceInput("simulator"))
        await at.jump(7 * DAY)
        order = await at.order("K1")
        shipped_at = START + 7 * DAY
        await at.update("K1", S.SHIPPED, tracking_number="SIM-silent-1", carrier="Acme")
        await at.play(44 * DAY)
        store = at.house.hub.store
        assert (await store.order(OrderRef(SANDBOX, order_id=order.order_id))).state is S.SHIPPED
        await at.play(DAY)
        expired = await store.order(OrderRef(SANDBOX, order_id=order.order_id))
        assert (expired.state, expired.state_at) == (S.EXPIRED, shipped_at + 45 * DAY)
        (tracking,) = await store.trackings(SANDBOX, order.order_id)
        assert tracking.ended is Ending.EXPIRED

    play(case, tmp_path, database=database)


def test_the_clock_waits_for_what_is_on_its_way(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        await at.endpoint()
        at.house.outside.answer = lambda _request: None
        await at.order("K1")
        await at.house.until(lambda: bool(at.house.outside.hanging))
        playing = asyncio.create_task(at.play(DAY))
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert (await at.clocks.show(SANDBOX)).now == START
        at.house.outside.hanging[0](Reply(204))
        assert (await playing).now == START + DAY

    play(case, tmp_path)


def test_a_clock_that_waits_in_vain_says_so_and_can_go_on_later(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        await at.endpoint()
        await at.order("K1")
        hurried = Clocks(at.house.hub.store, now=at.house.clock, pause=_at_once, patience_s=0.5)
        with pytest.raises(ClockStuck, match="is a hub running"):
            await hurried.play(SANDBOX, to=START + DAY)
        assert (await hurried.show(SANDBOX)).now == START
        await at.house.hub.dispatcher.start()
        assert (await at.clocks.play(SANDBOX, to=START + DAY)).now == START + DAY
        await at.house.quiet()

    play(case, tmp_path, dispatch=False)


async def _at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


def test_a_walk_that_was_cut_off_goes_on_where_it_stood(tmp_path: Path) -> None:
    async def case(at: Room) -> None:
        client = await application(at)
        create = at.house.hub.provider.dropshipment.create
        await create(client, (asked("fake"),), testmode=1)
        goal = await at.clocks.goal(SANDBOX, by=HOUR)
        stops = 0

        def told(_view: ClockView) -> None:
            nonlocal stops
            stops += 1
            if stops == 4:
                raise KeyError

        with pytest.raises(KeyError):
            await at.clocks.play(SANDBOX, to=goal, told=told)
        assert (await at.clocks.show(SANDBOX)).now < goal
        assert (await at.clocks.play(SANDBOX, to=goal)).now == goal
        assert words(at.house, "fake") == [*STEPS, *PARCEL]

    play(case, tmp_path)


@pytest.mark.parametrize("database", DATABASES)
def test_a_clock_is_moved_in_the_midst_of_intake_and_sending(tmp_path: Path, database: str) -> None:
    async def case(at: Room) -> None:
        await at.endpoint()
        await at.house.endpoint()

        async def live(account_id: str, n: int) -> None:
            await at.order(f"K{n}", account_id)
            for state in (S.SUBMITTED, S.PICKING, S.SHIPPED):
                told = await at.update(f"K{n}", state, account_id)
                assert told.verdict is Verdict.APPLIED

        async def move() -> None:
            for _ in range(10):
                await at.jump(HOUR)
                await asyncio.sleep(0.001)

        lives = [live(account, n) for n in range(15) for account in (SANDBOX, ACCOUNT)]
        await asyncio.gather(move(), *lives)
        await at.play(HOUR)
        await at.house.quiet()
        for account_id in (SANDBOX, ACCOUNT):
            orders, _ = await at.house.hub.store.orders(
                account_id, wanted=OrderFilter(), page=Page(limit=100)
            )
            assert {o.state for o in orders} == {S.SHIPPED}
            for order in orders:
                events = await at.history(order)
                times = [e.received_at for e in events]
                assert times == sorted(times)
                if account_id == ACCOUNT:
                    assert set(times) == {START}
        counts = await at.house.hub.store.counts()
        assert counts.deliveries[DeliveryState.ACKNOWLEDGED] == 2 * 15 * 4

    play(case, tmp_path, database=database)


def test_the_time_of_an_account_that_is_no_sandbox_is_looked_up_once(tmp_path: Path) -> None:
    class Counting:
        def __init__(self, store: Any) -> None:
            self._store = store
            self.asked = 0

        async def clock(self, account_id: str) -> Any:
            self.asked += 1
            return await self._store.clock(account_id)

    async def case(at: Room) -> None:
        store = Counting(at.house.hub.store)
        clocks = Clocks(store, now=at.house.clock)  # type: ignore[arg-type]
        for _ in range(5):
            assert await clocks.now(ACCOUNT) == START
        assert store.asked == 1
        await at.jump(DAY)
        assert await clocks.now(SANDBOX) == START + DAY
        assert await clocks.now("acc_nobody") == START

    play(case, tmp_path)


@pytest.mark.parametrize("database", DATABASES)
def test_a_silence_is_raised_when_it_is_due_and_not_when_the_walk_ends(
    tmp_path: Path, database: str
) -> None:
    async def case(at: Room) -> None:
        order = await at.order("K1")
        await at.update("K1", S.PICKING)
        assert (await at.clocks.show(SANDBOX)).next_due_at == START + DAY
        await at.play(5 * DAY)
        found, _ = await at.house.hub.store.silences(SANDBOX, wanted=SilenceFilter(), page=Page())
        assert [(s.order_id, s.since_at, s.raised_at) for s in found] == [
            (order.order_id, START, START + DAY)
        ]
        await at.update("K1", S.PACKING)
        await at.play(DAY)
        found, _ = await at.house.hub.store.silences(SANDBOX, wanted=SilenceFilter(), page=Page())
        assert [(s.state, s.raised_at) for s in found] == [
            (S.PACKING, START + 6 * DAY),
            (S.PICKING, START + DAY),
        ]

    play(case, tmp_path, database=database)
