"""Resends: what they choose, that they queue it once whatever happens, and how they wait."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.delivery.model import Claimed, Delivery, DeliveryState, Outcome, Reply
from milepost.delivery.outcome import Abandon, Acknowledge, Retry, Step
from milepost.errors import InvalidInput, UnknownRecord
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.ports import DeliveryFilter, Lease, Page, Settlement, Store
from milepost.ports.resends import (
    Between,
    Choice,
    Failed,
    Latest,
    OfOrder,
    Resend,
    ResendState,
)
from milepost.resends import GLANCE, Forecast, Resends
from milepost.resends.parts import advance_of, next_part
from milepost.resends.resending import SHOWN, STOPPED
from tests.flows.house import ACCOUNT as HOUSE_ACCOUNT
from tests.flows.house import START, House, house
from tests.store.desk import ACCOUNT, ME, OPENERS, Desk, an_attempt, at

PENDING, ACKNOWLEDGED, ABANDONED, SUPERSEDED = DeliveryState
ENDPOINTS = ("ep_a", "ep_b")
KEYS = ("K1", "K2", "K3", "K4")
OTHERS = ("A1", "A2", "A3", "Z1", "Z2", "Z3", "Z4")
"""More orders than one look takes in; each has one notification."""
RUNNING = ResendState.RUNNING

Name = tuple[str, str, int]


class World:
    """Orders and their lanes at a real store, and receivers that do as they are told."""

    def __init__(self, open_store: Callable[[Path], Store]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._open_store = open_store
        self._runner = asyncio.Runner()
        self._seconds = 0.0
        self.orders: dict[str, Order] = {}
        self.sent: list[Claimed] = []
        self._open()
        self.desk.open_account()
        self.endpoints = [self.desk.endpoint(name) for name in ENDPOINTS]

    def _open(self) -> None:
        store = self._open_store(Path(self._folder.name))
        self._runner.run(store.open())
        self.desk = Desk(store, self._runner.run)

    def close(self) -> None:
        self._runner.run(self.desk.store.close())
        self._runner.close()
        self._folder.cleanup()

    def begin_again(self) -> None:
        """The process ends between two parts, and another one begins."""
        self._runner.run(self.desk.store.close())
        self._open()

    @property
    def now(self) -> datetime:
        return at(self._seconds)

    def resends(self, *, part: int) -> Resends:
        numbers = iter(range(10_000))
        return Resends(
            self.desk.store,
            now=lambda: self.now,
            new_id=lambda: f"{next(numbers):04}",
            look=lambda: None,
            part=part,
        )

    def tick(self) -> None:
        self._seconds += 1

    def take_in(self, key: str, count: int, *names: str) -> None:
        self.tick()
        to = [e for e in self.endpoints if e.endpoint_id in names]
        known = self.orders.get(key)
        now: dict[str, Any] = {"now": self.now, "updated_at": self.now}
        if known is None:
            known = self.desk.place(key, to=to, created_at=self.now, **now)
            count -= 1
        if count:
            known = self.desk.move(known, *[State.PICKING] * count, to=to, **now)
        self.orders[key] = known

    def send(self, *steps: Step) -> None:
        """Each head that is due goes out; the steps are taken in turn, the last one for ever."""
        self.tick()
        left = list(steps)
        heads: Sequence[Claimed] = self.desk.claim(now=self.now)
        while heads:
            following: list[Claimed] = []
            for head in heads:
                self.sent.append(head)
                step = left.pop(0) if len(left) > 1 else left[0]
                failed = not isinstance(step, Acknowledge)
                outcome = Outcome.SERVER_ERROR if failed else Outcome.ACKNOWLEDGED
                following += self.desk.settle(
                    head, step=step, outcome=outcome, owner=ME, now=self.now
                )
            heads = following

    def deliveries(self) -> dict[Name, Delivery]:
        found, _ = self.desk.run(
            self.desk.store.deliveries(ACCOUNT, wanted=DeliveryFilter(), page=Page(limit=10_000))
        )
        return {(d.endpoint_id, d.order_id, d.sequence): d for d in found}

    def drain(self) -> None:
        """Until nothing is pending; every receiver takes everything."""
        for _ in range(100):
            self._seconds += 100
            self.send(Acknowledge())
            if all(d.state is not PENDING for d in self.deliveries().values()):
                return
        raise AssertionError("deliveries are still pending")


def meant(world: World, choice: Choice, endpoint_id: str) -> set[Name]:
    """What the choice says, said once more, of all that is settled."""
    found = {n: d for n, d in world.deliveries().items() if n[0] == endpoint_id}
    newest = {order_id: max(m[2] for m in found if m[1] == order_id) for _, order_id, _ in found}
    changed = {order.order_id: order.updated_at for order in world.orders.values()}

    def test(name: Name, d: Delivery) -> bool:
        match choice:
            case Failed(since):
                return d.state is ABANDONED and d.settled_at is not None and d.settled_at >= since
            case Between(since, until):
                return since <= d.created_at <= until
            case OfOrder(order_id, first, last):
                return name[1] == order_id and first <= name[2] <= last
            case Latest(since):
                return changed[name[1]] >= since and name[2] == newest[name[1]]

    return {n for n, d in found.items() if d.state is not PENDING and test(n, d)}


STEPS = st.sampled_from(["acknowledge", "abandon", "retry"])


def step_of(word: str, world: World) -> Step:
    if word == "retry":
        return Retry(world.now + timedelta(seconds=3))
    return Acknowledge() if word == "acknowledge" else Abandon()


def live(data: st.DataObject, world: World) -> None:
    """Something that has nothing to do with a resend happens."""
    if data.draw(st.booleans(), label="take in"):
        key = data.draw(st.sampled_from(KEYS))
        names = data.draw(st.sampled_from([ENDPOINTS, ENDPOINTS[:1], ENDPOINTS[1:]]))
        world.take_in(key, data.draw(st.integers(1, 3)), *names)
    else:
        words = data.draw(st.lists(STEPS, min_size=1, max_size=5))
        world.send(*(step_of(word, world) for word in words))


def choose(data: st.DataObject, world: World) -> Choice:
    since = at(data.draw(st.integers(0, int(world._seconds) + 1)))
    order_id = data.draw(st.sampled_from([o.order_id for o in world.orders.values()]))
    first = data.draw(st.integers(1, 4))
    choices: list[Choice] = [
        Failed(since),
        Between(since, since + timedelta(seconds=data.draw(st.integers(0, 20)))),
        OfOrder(order_id, first, first + data.draw(st.integers(0, 5))),
        Latest(since),
    ]
    return data.draw(st.sampled_from(choices))


def walk(data: st.DataObject, world: World) -> None:
    world.take_in("K1", 2, *ENDPOINTS)
    for key in OTHERS:
        world.take_in(key, 1, *ENDPOINTS)
    for _ in range(data.draw(st.integers(0, 10), label="before")):
        live(data, world)
    endpoint_id = data.draw(st.sampled_from(ENDPOINTS))
    choice = choose(data, world)
    size = data.draw(st.integers(1, 3), label="part")
    resends = world.resends(part=size)
    wanted = meant(world, choice, endpoint_id)
    (forecast,) = world.desk.run(resends.forecast(ACCOUNT, choice, endpoint_id=endpoint_id))
    assert forecast.total == len(wanted)
    check_glances(data, world, resends, choice, forecast=forecast)
    (resend,) = world.desk.run(resends.begin(ACCOUNT, choice, endpoint_id=endpoint_id))
    newest_then = {key: order.sequence for key, order in world.orders.items()}
    sent_before = len(world.sent)
    seen = [resend]
    for _ in range(data.draw(st.integers(0, 8), label="meanwhile")):
        match data.draw(st.sampled_from(["advance", "slow", "late", "live", "live", "again"])):
            case "advance":
                resend = world.desk.run(resends.advance(resend))
                seen.append(resend)
            case "slow":
                # Something happens between the look at a part and its transaction.
                store = world.desk.store
                part = world.desk.run(next_part(store, resend, most=size))
                live(data, world)
                advance = advance_of(resend, part)
                resend = world.desk.run(store.advance_resend(resend, advance, now=world.now))
                seen.append(resend)
            case "late":
                # Another process has not seen yet how far it has come.
                world.desk.run(resends.advance(data.draw(st.sampled_from(seen))))
                resend = world.desk.run(resends.find(ACCOUNT, resend.resend_id))
            case "again":
                world.begin_again()
                resends = world.resends(part=size)
            case _:
                live(data, world)
    while resend.state is RUNNING:
        resend = world.desk.run(resends.advance(resend))
    world.drain()
    check(world, resend, wanted, newest_then=newest_then, sent=world.sent[sent_before:])


def check_glances(
    data: st.DataObject, world: World, resends: Resends, choice: Choice, *, forecast: Forecast
) -> None:
    """A glance says what the count says, or that there is more."""
    name = forecast.endpoint_id
    seen = world.desk.run(resends.glance(ACCOUNT, choice, endpoint_id=name, most=GLANCE))
    assert (seen.total, seen.pending) == (forecast.total, forecast.pending)
    assert (seen.statuses, seen.more) == (forecast.statuses, False)
    if forecast.total <= SHOWN:
        assert set(seen.first) == set(forecast.first)
    most = data.draw(st.integers(1, 12), label="looks at")
    some = world.desk.run(resends.glance(ACCOUNT, choice, endpoint_id=name, most=most))
    assert some.total <= min(most, forecast.total)
    assert some.pending <= forecast.pending
    if not some.more:
        assert (some.total, some.pending) == (forecast.total, forecast.pending)


def check(
    world: World,
    resend: Resend,
    wanted: set[Name],
    *,
    newest_then: dict[str, int],
    sent: Sequence[Claimed],
) -> None:
    found = world.deliveries()
    again = {name for name, d in found.items() if d.replay}
    assert {d.replay for d in found.values()} <= {0, 1}
    assert resend.queued == len(again)
    overtaken = {
        o.order_id for key, o in world.orders.items() if newest_then.get(key) != o.sequence
    }
    if isinstance(resend.choice, Latest):
        # What something newer came after may or may not have been sent again before that; and an
        # order that had not changed until then has now, for whichever endpoint that was.
        steady = {name for name in again if name[1] not in overtaken}
        assert {n for n in wanted if n[1] not in overtaken} == steady
        for lane in {name[:2] for name in again}:
            newest = max(name[2] for name in found if name[:2] == lane)
            assert _of_lane(sent, lane)[-1].sequence == newest
    else:
        assert again == wanted
    for lane in {name[:2] for name in found}:
        for replay in (0, 1):
            sequences = [c.sequence for c in _of_lane(sent, lane) if c.replay == replay]
            assert sequences == sorted(sequences)


def _of_lane(sent: Sequence[Claimed], lane: tuple[str, str]) -> list[Claimed]:
    return [c for c in sent if (c.endpoint.endpoint_id, c.order_id) == lane]


SETTINGS = settings(max_examples=30, suppress_health_check=list(HealthCheck))


def walks(open_store: Callable[[Path], Store]) -> Callable[[], None]:
    """A test that walks on stores of one kind."""

    @given(data=st.data())
    def once(data: st.DataObject) -> None:
        world = World(open_store)
        try:
            walk(data, world)
        finally:
            world.close()

    return once


@pytest.mark.parametrize("database", OPENERS)
def test_what_was_chosen_is_sent_again_once_and_in_order_whatever_happens(database: str) -> None:
    SETTINGS(walks(OPENERS[database]))()


# on a whole hub

ENDED = (ResendState.DONE, ResendState.STOPPED)


async def failed_orders(at_home: House, *keys: str) -> list[str]:
    """Orders whose notifications were all given up, of which the receiver has got none."""
    at_home.outside.answer = lambda _request: Reply(500)
    names = [await at_home.order(key) for key in keys]
    for _ in range(60):
        await asyncio.sleep(0.03)
        at_home.clock.forward(days=1)
        counts = await at_home.hub.store.counts(HOUSE_ACCOUNT)
        if not counts.deliveries[PENDING]:
            at_home.outside.requests.clear()
            at_home.outside.answer = lambda _request: Reply(204)
            return names
    raise AssertionError("they are still pending")


async def ended(at_home: House, resend: Resend) -> Resend:
    for _ in range(300):
        found = await at_home.hub.resends.find(HOUSE_ACCOUNT, resend.resend_id)
        if found.state in ENDED:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("it still runs")


def test_what_failed_is_sent_again_by_a_running_hub_under_names_that_say_so(
    tmp_path: Path,
) -> None:
    async def tell() -> None:
        async with house(tmp_path) as at_home:
            endpoint, other = await at_home.endpoint(), await at_home.endpoint()
            names = await failed_orders(at_home, "K1", "K2")
            choice = Failed(at_home.clock() - timedelta(days=90))
            resends = at_home.hub.resends
            forecasts = await resends.forecast(HOUSE_ACCOUNT, choice, endpoint_id=None)
            assert [(f.total, f.pending, f.more) for f in forecasts] == [(2, 0, False)] * 2
            assert forecasts[0].statuses == {"created": 2}
            assert [d.order_id for d in forecasts[0].first] == names
            assert at_home.outside.requests == []
            begun = await resends.begin(HOUSE_ACCOUNT, choice, endpoint_id=None)
            assert {r.endpoint_id for r in begun} == {endpoint.endpoint_id, other.endpoint_id}
            after = [await ended(at_home, resend) for resend in begun]
            assert [(r.state, r.queued) for r in after] == [(ResendState.DONE, 2)] * 2
            await at_home.quiet()
            wanted = {f"{n}-1-{e.endpoint_id}-r1" for n in names for e in (endpoint, other)}
            assert set(at_home.outside.header("webhook-id")) == wanted
            assert set(at_home.outside.header("milepost-replay")) == {"1"}
            assert await resends.begin(HOUSE_ACCOUNT, choice, endpoint_id=None) == []

    asyncio.run(tell())


def test_a_hub_goes_on_with_what_another_one_left(tmp_path: Path) -> None:
    async def tell() -> None:
        async with house(tmp_path) as at_home:
            endpoint = await at_home.endpoint()
            names = await failed_orders(at_home, "K1", "K2", "K3")
            since = at_home.clock() - timedelta(days=90)
        async with house(tmp_path, dispatch=False) as at_home:
            at_home.clock.forward(days=99)
            small = Resends(
                at_home.hub.store,
                now=at_home.clock,
                new_id=at_home.hub.new_id,
                look=lambda: None,
                part=2,
            )
            (resend,) = await small.begin(
                HOUSE_ACCOUNT, Failed(since), endpoint_id=endpoint.endpoint_id
            )
            half = await small.advance(resend)
            assert (half.queued, half.state) == (2, RUNNING)
            (same,) = await small.begin(
                HOUSE_ACCOUNT, Failed(since), endpoint_id=endpoint.endpoint_id
            )
            assert same == half
        async with house(tmp_path) as at_home:
            at_home.clock.forward(days=99)
            assert (await ended(at_home, resend)).queued == 3
            await at_home.quiet()
            sent = at_home.outside.header("webhook-id")
            assert sorted(sent) == sorted(f"{n}-1-{endpoint.endpoint_id}-r1" for n in names)

    asyncio.run(tell())


def test_a_resend_waits_for_a_paused_endpoint_and_holds_up_no_other(tmp_path: Path) -> None:
    async def tell() -> None:
        async with house(tmp_path, dispatch=False) as at_home:
            paused, active = await at_home.endpoint(), await at_home.endpoint()
            hub = at_home.hub
            for n in range(5):
                await at_home.order(f"K{n}")
            lease = Lease("me", at_home.clock() + timedelta(days=1))
            now = at_home.clock()
            heads = await hub.store.claim(lease=lease, now=now, held={}, room=99, limit=99)
            given_up = [Settlement(h, an_attempt(h, Outcome.TIMEOUT), Abandon()) for h in heads]
            await hub.store.settle(given_up, lease=lease, now=now)
            await hub.operations.pause_endpoint(HOUSE_ACCOUNT, paused.endpoint_id)
            resends = Resends(
                hub.store, now=at_home.clock, new_id=hub.new_id, look=lambda: None, part=2, room=2
            )
            one, two = await resends.begin(HOUSE_ACCOUNT, Failed(now), endpoint_id=None)
            assert await resends.round()
            assert not await resends.round()
            for resend in (one, two):
                assert (await resends.find(HOUSE_ACCOUNT, resend.resend_id)).queued == 2
            for _ in range(5):
                heads = await hub.store.claim(lease=lease, now=now, held={}, room=99, limit=99)
                received = [Settlement(h, an_attempt(h), Acknowledge()) for h in heads]
                await hub.store.settle(received, lease=lease, now=now)
                await resends.round()
            states = {
                r.endpoint_id: (r.state, r.queued)
                for r in (await resends.list(HOUSE_ACCOUNT, page=Page()))[0]
            }
            assert states == {
                paused.endpoint_id: (RUNNING, 2),
                active.endpoint_id: (ResendState.DONE, 5),
            }
            waiting = next(r for r in (one, two) if r.endpoint_id == paused.endpoint_id)
            stopped = await resends.stop(HOUSE_ACCOUNT, waiting.resend_id)
            assert (stopped.state, stopped.why) == (ResendState.STOPPED, STOPPED)

    asyncio.run(tell())


@pytest.mark.parametrize(
    ("choice", "error"),
    [
        (Between(at(5), at(4)), InvalidInput),
        (OfOrder("ord_none"), UnknownRecord),
        (OfOrder("ord_none", 0), InvalidInput),
        (OfOrder("ord_none", 5, 4), InvalidInput),
    ],
    ids=["span", "order", "first", "last"],
)
def test_what_cannot_be_chosen_is_refused(
    tmp_path: Path, choice: Choice, error: type[Exception]
) -> None:
    async def tell() -> None:
        async with house(tmp_path, dispatch=False) as at_home:
            resends = at_home.hub.resends
            with pytest.raises(error):
                await resends.begin(HOUSE_ACCOUNT, choice, endpoint_id=None)
            with pytest.raises(UnknownRecord):
                await resends.forecast(HOUSE_ACCOUNT, Failed(at(0)), endpoint_id="ep_none")

    asyncio.run(tell())


def test_a_test_notification_that_failed_is_not_sent_again_with_the_rest(tmp_path: Path) -> None:
    async def tell() -> None:
        async with house(tmp_path) as at_home:
            endpoint = await at_home.endpoint()
            at_home.outside.answer = lambda _request: Reply(500)
            await at_home.hub.operations.send_test(HOUSE_ACCOUNT, endpoint.endpoint_id)
            names = await failed_orders(at_home, "K1")
            (forecast,) = await at_home.hub.resends.forecast(
                HOUSE_ACCOUNT, Failed(START), endpoint_id=None
            )
            assert [d.order_id for d in forecast.first] == names

    asyncio.run(tell())


@pytest.mark.parametrize("what", ["failed", "between", "latest"])
def test_a_glance_looks_at_so_many_and_says_that_there_is_more(tmp_path: Path, what: str) -> None:
    async def tell() -> None:
        async with house(tmp_path) as at_home:
            endpoint = await at_home.endpoint()
            names = await failed_orders(at_home, *(f"K{number}" for number in range(7)))
            now = at_home.clock()
            at_home.clock.forward(seconds=1)
            choices: dict[str, Choice] = {
                "failed": Failed(START),
                "between": Between(START, now),
                "latest": Latest(START),
            }
            resends, name = at_home.hub.resends, endpoint.endpoint_id

            async def seen(most: int) -> tuple[int, bool, list[str]]:
                found = await resends.glance(
                    HOUSE_ACCOUNT, choices[what], endpoint_id=name, most=most
                )
                assert found.statuses == {"created": found.total}
                return found.total, found.more, [d.order_id for d in found.first]

            assert await seen(7) == (7, False, names)
            # Of what was given up the newest were most likely given up since then.
            some = names[1:] if what == "failed" else names[:-1]
            assert await seen(6) == (6, True, some)
            with pytest.raises(UnknownRecord):
                await resends.glance(
                    HOUSE_ACCOUNT, choices[what], endpoint_id="ep_none", most=GLANCE
                )

    asyncio.run(tell())


def test_a_glance_takes_no_test_notification_for_one_of_an_order(tmp_path: Path) -> None:
    async def tell() -> None:
        async with house(tmp_path) as at_home:
            endpoint = await at_home.endpoint()
            await at_home.hub.operations.send_test(HOUSE_ACCOUNT, endpoint.endpoint_id)
            await at_home.order("K1")
            await at_home.quiet()
            at_home.clock.forward(seconds=1)
            choices: list[Choice] = [Between(START, at_home.clock()), Latest(START), Failed(START)]
            for choice, number in zip(choices, (1, 1, 0), strict=True):
                found = await at_home.hub.resends.glance(
                    HOUSE_ACCOUNT, choice, endpoint_id=endpoint.endpoint_id, most=GLANCE
                )
                assert (found.total, found.pending, found.more) == (number, 0, False), choice

    asyncio.run(tell())


@pytest.mark.parametrize("part", [1, 2, 7])
def test_every_order_is_looked_at_however_many_there_are(tmp_path: Path, part: int) -> None:
    async def tell() -> None:
        async with house(tmp_path) as at_home:
            endpoint = await at_home.endpoint()
            names = [await at_home.order(f"K{n}") for n in range(40)]
            await at_home.quiet()
            at_home.clock.forward(seconds=1)
            resends = Resends(
                at_home.hub.store,
                now=at_home.clock,
                new_id=at_home.hub.new_id,
                look=lambda: None,
                part=part,
            )
            now = at_home.clock()
            choices: list[tuple[Choice, int]] = [
                (Latest(START), 40),
                (Between(START, now), 40),
                (Latest(now), 0),
                (OfOrder(names[7]), 1),
            ]
            for choice, number in choices:
                (forecast,) = await resends.forecast(
                    HOUSE_ACCOUNT, choice, endpoint_id=endpoint.endpoint_id
                )
                assert forecast.total == number, choice

    asyncio.run(tell())
