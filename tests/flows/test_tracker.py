"""The tracker on real stores: the two contracts of time, what dies, what is pushed, what fails.

The clock is an argument: 45 days take as long as the questions in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.carrier_sources import SourceInput
from milepost.errors import InvalidInput, Overloaded, UnknownRecord
from milepost.orders.events import EventType, OrderEvent, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, Parcel
from milepost.orders.tracking import Ending, Scan, Tracking
from milepost.ports import OrderRef, Page
from milepost.ports.tracking import CarrierSource, Failed, Told
from milepost.scans import PushedScan, ScanResult
from milepost.tracker import Tracker
from milepost.wiring import steady_s
from tests.flows.house import ACCOUNT, START, House, house
from tests.keys import KEY
from tests.postgres.server import new_database

S = State
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NUMBER = "1Z-17"


@dataclass
class Acme:
    """A carrier that tells what a test has put down, as far as it has happened by then."""

    clock: Callable[[], datetime]
    scans: list[Scan] = field(default_factory=list)
    asked: list[tuple[str | None, datetime]] = field(default_factory=list)
    fails: Failed | None = None
    hangs: asyncio.Event | None = None
    at_once: int = 64
    per_minute: float | None = None

    def meaning(self, word: str) -> State | None:
        return {"OFD": S.OUT_FOR_DELIVERY}.get(word)

    async def ask(self, parcel: Parcel, *, now: datetime) -> Told | Failed:
        self.asked.append((parcel.tracking_number, now))
        if self.hangs is not None:
            await self.hangs.wait()
        if self.fails is not None:
            return self.fails
        return Told(tuple(s for s in self.scans if s.occurred_at <= now))

    def happens(self, state: State, days: float, **given: Any) -> None:
        self.scans.append(Scan(START + days * DAY, state, **{"raw": str(state).upper(), **given}))


@dataclass
class Watch:
    """A house whose parcels are tracked, and short ways to look at them."""

    house: House
    acme: Acme
    tracker: Tracker

    async def ship(self, key: str = "K1", *, number: str | None = NUMBER, **facts: Any) -> str:
        order_id = await self.house.order(key)
        told = {"parcel": "P1", "tracking_number": number, "carrier": "Acme", **facts}
        await self.house.update(key, S.SHIPPED, occurred_at=self.house.clock(), **told)
        return order_id

    async def order(self, order_id: str) -> Order:
        return await self.house.hub.store.order(OrderRef(ACCOUNT, order_id=order_id))

    async def history(self, order_id: str) -> Sequence[OrderEvent]:
        return await self.house.hub.store.history(ACCOUNT, order_id, after=0, limit=1_000)

    async def tracking(self, order_id: str, parcel: str = "P1") -> Tracking:
        found = await self.house.hub.store.trackings(ACCOUNT, order_id)
        return next(tracking for tracking in found if tracking.parcel == parcel)

    async def quarantined(self) -> list[tuple[Verdict, State | None]]:
        found, _ = await self.house.hub.store.quarantine(
            ACCOUNT, verdict=None, page=Page(limit=100)
        )
        return [(kept.verdict, kept.update.state) for kept in found]

    async def until(self, order_id: str, *, days: float) -> Tracking:
        """Lets this time go by, looking whenever the parcel is due."""
        end = START + days * DAY
        while True:
            await self.tracker.catch_up()
            tracking = await self.tracking(order_id)
            if tracking.due_at is None or tracking.due_at > end:
                self.house.clock.at = max(end, self.house.clock.at)
                return tracking
            self.house.clock.at = max(tracking.due_at, self.house.clock.at)


def a_tracker(house: House, acme: Acme, *, owner: str = "me") -> Tracker:
    return Tracker(
        house.hub.store,
        updates=house.hub.intake.updates,
        carrier_of=lambda _source: acme,
        now=house.clock,
        steady_s=steady_s,
        chance=lambda: 0.5,
        owner=owner,
        lease_s=60,
        poll_s=0.01,
        at_once=64,
        metrics=house.hub.metrics,
    )


SIMULATED = SourceInput("simulator")
DATABASES = ("sqlite", "postgres")


@asynccontextmanager
async def watching(
    folder: Path, *, database: str = "sqlite", source: SourceInput | None = SIMULATED
) -> AsyncIterator[Watch]:
    given: dict[str, object] = {"secret_key": KEY}
    if database == "postgres":
        given["database_url"] = await asyncio.to_thread(new_database)
    async with house(folder, dispatch=False, **given) as built:
        acme = Acme(built.clock)
        if source is not None:
            await built.hub.tracking.sources.put(ACCOUNT, "acme", source)
        yield Watch(built, acme, a_tracker(built, acme))


def play(case: Callable[[Watch], Coroutine[Any, Any, None]], folder: Path, **given: Any) -> None:
    async def whole() -> None:
        async with watching(folder, **given) as watch:
            await case(watch)

    asyncio.run(whole())


# --- the two contracts of time --------------------------------------------------------------------


@pytest.mark.parametrize("database", DATABASES)
def test_a_parcel_that_is_not_delivered_expires_45_days_after_it_was_made(
    tmp_path: Path, database: str
) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.acme.happens(S.IN_TRANSIT, 2)
        before = await watch.until(order_id, days=44.99)
        assert before.ended is None
        assert (await watch.order(order_id)).state is S.IN_TRANSIT
        after = await watch.until(order_id, days=45)
        order = await watch.order(order_id)
        assert (order.state, after.ended) == (S.EXPIRED, Ending.EXPIRED)
        last = (await watch.history(order_id))[-1]
        assert (last.source, last.occurred_at) == ("tracker", START + 45 * DAY)
        asked = len(watch.acme.asked)
        await watch.until(order_id, days=90)
        assert len(watch.acme.asked) == asked

    play(case, tmp_path, database=database)


@pytest.mark.parametrize("database", DATABASES)
def test_a_parcel_that_comes_back_is_asked_for_for_5_days_after_the_first_return_event(
    tmp_path: Path, database: str
) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.acme.happens(S.IN_TRANSIT, 1)
        watch.acme.happens(S.RETURNING, 3)
        watch.acme.happens(S.IN_TRANSIT, 6)
        tracking = await watch.until(order_id, days=60)
        assert (tracking.ended, tracking.returned_at) == (Ending.RETURN_WATCHED, START + 3 * DAY)
        last_asked = watch.acme.asked[-1][1]
        assert START + 7.5 * DAY < last_asked < START + 8 * DAY
        assert (await watch.order(order_id)).state is S.RETURNING
        states = [e.state for e in await watch.history(order_id)]
        assert states == [S.CREATED, S.SHIPPED, S.IN_TRANSIT, S.RETURNING]
        assert await watch.quarantined() == []

    play(case, tmp_path, database=database)


def test_a_parcel_is_asked_for_more_rarely_the_older_it_gets(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        await watch.until(order_id, days=50)
        times = [at for _, at in watch.acme.asked]
        assert times[0] == START
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert gaps == sorted(gaps)
        assert set(gaps) == {2 * HOUR, 4 * HOUR, 8 * HOUR, DAY}
        assert len(times) == 36 + 24 + 21 + 31

    play(case, tmp_path)


def test_a_late_scan_reopens_an_expired_parcel_which_is_then_watched_like_a_young_one(
    tmp_path: Path,
) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        await watch.until(order_id, days=50)
        assert (await watch.order(order_id)).state is S.EXPIRED
        watch.house.clock.at = START + 60 * DAY
        (told,) = await push(watch, S.IN_TRANSIT, 60)
        assert (told.verdict, told.order and told.order.state) == (Verdict.APPLIED, S.IN_TRANSIT)
        asked = len(watch.acme.asked)
        tracking = await watch.until(order_id, days=61)
        assert tracking.since_at == START + 60 * DAY
        assert len(watch.acme.asked) == asked + 13
        tracking = await watch.until(order_id, days=104.9)
        assert tracking.ended is None
        tracking = await watch.until(order_id, days=105)
        assert tracking.ended is Ending.EXPIRED
        assert (await watch.order(order_id)).state is S.EXPIRED

    play(case, tmp_path)


def test_a_late_scan_of_a_delivery_ends_it_for_good(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        await watch.until(order_id, days=50)
        (told,) = await push(watch, S.DELIVERED, 49)
        assert told.order is not None
        assert told.order.state is S.DELIVERED
        assert (await watch.tracking(order_id)).ended is Ending.EXPIRED

    play(case, tmp_path)


def test_an_order_beside_a_parcel_without_tracking_ends_after_45_days(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship(parcel="A", number=None)
        at = watch.house.clock()
        await watch.house.update("K1", S.SHIPPED, parcel="B", tracking_number=NUMBER)
        await watch.house.update("K1", S.UNTRACKED, parcel="A", occurred_at=at)
        watch.acme.happens(S.IN_TRANSIT, 1)
        watch.acme.happens(S.DELIVERED, 2)
        for days in (3, 44.9):
            watch.house.clock.at = START + days * DAY
            await watch.tracker.catch_up()
            assert (await watch.order(order_id)).state is S.IN_TRANSIT
        watch.house.clock.at = START + 45 * DAY
        await watch.tracker.catch_up()
        assert (await watch.order(order_id)).state is S.EXPIRED
        assert (await watch.tracking(order_id, "A")).ended is Ending.UNTRACKED
        assert (await watch.tracking(order_id, "B")).ended is Ending.DELIVERED

    play(case, tmp_path)


# --- what a receiver sees -------------------------------------------------------------------------


def test_a_receiver_is_told_of_every_step_that_the_carrier_tells_and_of_the_end(
    tmp_path: Path,
) -> None:
    async def whole() -> None:
        async with house(tmp_path, secret_key=KEY) as built:
            watch = Watch(built, Acme(built.clock), None)  # type: ignore[arg-type]
            watch.tracker = a_tracker(built, watch.acme)
            await built.hub.tracking.sources.put(ACCOUNT, "acme", SIMULATED)
            await built.endpoint("withings", options={"customer_id": "4711"})
            order_id = await watch.ship()
            for days, state in enumerate(
                (S.INFO_RECEIVED, S.IN_TRANSIT, S.ATTEMPT_FAILED, S.AVAILABLE_FOR_PICKUP), 1
            ):
                watch.acme.happens(state, days)
            await watch.until(order_id, days=46)
            await built.quiet()
            bodies = [msgspec.json.decode(r.body) for r in built.outside.requests]
            words = [body.get("parcel_status", body.get("status")) for body in bodies]
            assert words == [
                "SHIPPED", "info_received", "in_transit", "failed_attempt", "pickup", "expired",
            ]  # fmt: skip
            assert {body["tracking_number"] for body in bodies} == {NUMBER}

    asyncio.run(whole())


# --- asked again, and dying in between ------------------------------------------------------------


def test_asking_again_adds_no_event(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        for state, days in ((S.IN_TRANSIT, 0.1), (S.IN_TRANSIT, 0.2), (S.OUT_FOR_DELIVERY, 0.3)):
            watch.acme.happens(state, days)
        await watch.until(order_id, days=4)
        history = await watch.history(order_id)
        assert [e.state for e in history if e.type is EventType.STATE_CHANGED] == [
            S.SHIPPED, S.IN_TRANSIT, S.OUT_FOR_DELIVERY,
        ]  # fmt: skip
        assert history[-1].raw == "OUT_FOR_DELIVERY"
        assert len(watch.acme.asked) > 40
        assert await watch.quarantined() == []

    play(case, tmp_path)


def test_a_scan_that_may_not_be_is_shown_to_the_operator_once(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.acme.happens(S.UNTRACKED, 0.1)
        watch.acme.happens(S.OUT_FOR_DELIVERY, 0.2)
        watch.house.clock.forward(days=1)
        await watch.tracker.catch_up()
        assert await watch.quarantined() == [(Verdict.ILLEGAL, S.OUT_FOR_DELIVERY)]
        tracking = await watch.tracking(order_id)
        assert tracking.ended is Ending.UNTRACKED
        assert len(tracking.scans) == 2

    play(case, tmp_path)


@pytest.mark.parametrize("database", DATABASES)
def test_who_dies_after_intake_and_before_settling_leaves_nothing_to_be_told_twice(
    tmp_path: Path, database: str
) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        at = {"days": 0.1}
        for state in (S.IN_TRANSIT, S.EXCEPTION, S.IN_TRANSIT, S.OUT_FOR_DELIVERY):
            watch.acme.happens(state, **at)
        watch.house.clock.forward(days=1)

        class Dying(Tracker):
            async def _settle(self) -> None:
                raise KeyboardInterrupt

        dying = a_tracker(watch.house, watch.acme, owner="dying")
        dying.__class__ = Dying
        with pytest.raises(KeyboardInterrupt):
            await dying.catch_up()
        told = await watch.history(order_id)
        assert [e.state for e in told][2:] == [
            S.IN_TRANSIT, S.EXCEPTION, S.IN_TRANSIT, S.OUT_FOR_DELIVERY,
        ]  # fmt: skip
        assert await watch.tracker.catch_up() == 0
        watch.house.clock.forward(seconds=60)
        assert await watch.tracker.catch_up() == 1
        assert await watch.history(order_id) == told
        assert len(watch.acme.asked) == 2
        assert await watch.quarantined() == []

    play(case, tmp_path, database=database)


def test_who_dies_while_it_asks_is_followed_by_another_when_the_lease_ends(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.acme.happens(S.DELIVERED, 0.01)
        watch.house.clock.forward(hours=1)
        watch.acme.hangs = asyncio.Event()
        dying = asyncio.create_task(a_tracker(watch.house, watch.acme, owner="dying").catch_up())
        await watch.house.until(lambda: len(watch.acme.asked) == 1)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        watch.acme.hangs = None
        assert await watch.tracker.catch_up() == 0
        watch.house.clock.forward(seconds=60)
        assert await watch.tracker.catch_up() == 1
        assert (await watch.order(order_id)).state is S.DELIVERED

    play(case, tmp_path)


@pytest.mark.parametrize("database", DATABASES)
def test_two_trackers_never_ask_for_the_same_parcel_at_the_same_time(
    tmp_path: Path, database: str
) -> None:
    async def case(watch: Watch) -> None:
        for number in range(60):
            await watch.ship(f"K{number}", number=f"N{number}")
        other = a_tracker(watch.house, watch.acme, owner="other")
        counts = await asyncio.gather(watch.tracker.catch_up(), other.catch_up())
        assert sum(counts) == 60
        assert len({number for number, _ in watch.acme.asked}) == len(watch.acme.asked) == 60

    play(case, tmp_path, database=database)


def test_a_stop_gives_back_what_is_in_hand_and_a_start_goes_on(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.acme.happens(S.DELIVERED, 0)
        watch.acme.hangs = asyncio.Event()
        watch.tracker.start()
        await watch.house.until(lambda: len(watch.acme.asked) == 1)
        await watch.tracker.stop(within_s=0.01)
        assert (await watch.tracking(order_id)).due_at == watch.house.clock()
        watch.acme.hangs = None
        again = a_tracker(watch.house, watch.acme)
        again.start()
        for _ in range(500):
            if (await watch.tracking(order_id)).ended is Ending.DELIVERED:
                break
            await asyncio.sleep(0.01)
        await again.stop(within_s=1)
        assert (await watch.order(order_id)).state is S.DELIVERED
        assert len(watch.acme.asked) == 2

    play(case, tmp_path)


# --- what fails -----------------------------------------------------------------------------------


def test_a_carrier_that_fails_is_asked_again_later_and_says_what_is_wrong(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.acme.fails = Failed("HTTP 500", is_general=False)
        await watch.tracker.catch_up()
        tracking = await watch.tracking(order_id)
        assert (tracking.failures, tracking.trouble) == (1, "HTTP 500")
        assert tracking.due_at == START + timedelta(minutes=5)
        watch.acme.fails = None
        watch.acme.happens(S.IN_TRANSIT, 0)
        tracking = await watch.until(order_id, days=0.01)
        assert (tracking.failures, tracking.trouble) == (0, "")
        assert (await watch.order(order_id)).state is S.IN_TRANSIT

    play(case, tmp_path)


def test_a_carrier_that_is_down_is_left_alone_for_a_while_whoever_is_due(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        watch.acme.at_once = 1
        watch.acme.fails = Failed("HTTP 503", wait=timedelta(minutes=1))
        for number in range(5):
            await watch.ship(f"K{number}", number=f"N{number}")
        assert await watch.tracker.catch_up() == 1
        assert len(watch.acme.asked) == 1

    play(case, tmp_path)


def test_what_intake_cannot_take_now_is_asked_again_and_not_lost(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.acme.happens(S.DELIVERED, 0)

        async def refuse(*_: object) -> Sequence[Any]:
            raise Overloaded("too much")

        taking, watch.tracker._updates = watch.tracker._updates, refuse
        await watch.tracker.catch_up()
        assert (await watch.tracking(order_id)).scans == ()
        watch.tracker._updates = taking
        watch.house.clock.forward(seconds=30)
        await watch.tracker.catch_up()
        assert (await watch.order(order_id)).state is S.DELIVERED

    play(case, tmp_path)


def test_a_parcel_that_nobody_can_be_asked_for_expires_all_the_same(tmp_path: Path) -> None:
    source = SourceInput("simulator", carriers=("Acme",))

    async def case(watch: Watch) -> None:
        orders = [
            await watch.ship("K1", carrier="Other"),
            await watch.ship("K2", carrier=None),
            await watch.ship("K3", number=None),
            await watch.ship("K4", carrier="ACME", number="N4"),
        ]
        for order_id in orders:
            await watch.until(order_id, days=45)
        await watch.tracker.catch_up()
        assert [(await watch.order(o)).state for o in orders] == [S.EXPIRED] * 4
        assert {number for number, _ in watch.acme.asked} == {"N4"}

    play(case, tmp_path, source=source)


def test_without_a_source_nothing_expires(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.house.clock.forward(days=60)
        assert await watch.tracker.catch_up() == 0
        assert (await watch.order(order_id)).state is S.SHIPPED

    play(case, tmp_path, source=None)


def test_what_is_on_its_way_already_is_watched_when_the_first_source_comes(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.acme.happens(S.DELIVERED, 0)
        await watch.house.hub.tracking.sources.put(ACCOUNT, "acme", SIMULATED)
        assert await watch.tracker.catch_up() == 1
        assert (await watch.order(order_id)).state is S.DELIVERED

    play(case, tmp_path, source=None)


def test_another_number_is_asked_for_at_once(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        await watch.ship()
        await watch.tracker.catch_up()
        update = {"parcel": "P1", "tracking_number": "1Z-NEW"}
        await watch.house.update("K1", S.SHIPPED, **update)
        await watch.tracker.catch_up()
        assert [number for number, _ in watch.acme.asked] == [NUMBER, "1Z-NEW"]

    play(case, tmp_path)


# --- pushed scans ---------------------------------------------------------------------------------


async def push(
    watch: Watch, state: State | None, days: float, **given: Any
) -> Sequence[ScanResult]:
    told = {"tracking_number": NUMBER, "state": state, "raw": f"W-{state}", **given}
    scan = PushedScan(occurred_at=START + days * DAY, **told)
    return await watch.house.hub.tracking.scans.push(ACCOUNT, [scan])


def test_a_pushed_scan_is_found_by_its_number_and_decided_on_like_an_update(
    tmp_path: Path,
) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        (told,) = await push(watch, S.IN_TRANSIT, 0.1, source="acme-hook")
        assert (told.verdict, told.parcel) == (Verdict.APPLIED, "P1")
        last = (await watch.history(order_id))[-1]
        assert (last.source, last.raw, last.parcel) == ("acme-hook", "W-in_transit", "P1")
        (again,) = await push(watch, S.IN_TRANSIT, 0.1, source="acme-hook")
        assert again.verdict is Verdict.DUPLICATE
        (stale,) = await push(watch, S.EXCEPTION, 0.05)
        assert stale.verdict is Verdict.STALE
        (once,) = await push(watch, S.EXCEPTION, 0.05)
        assert once.verdict is Verdict.DUPLICATE
        assert await watch.quarantined() == [(Verdict.STALE, S.EXCEPTION)]
        (nobody,) = await push(watch, S.DELIVERED, 0.2, tracking_number="unheard of")
        assert (nobody.verdict, nobody.order) == (None, None)

    play(case, tmp_path)


def test_what_was_pushed_is_no_news_when_the_carrier_tells_it_too(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        watch.acme.happens(S.IN_TRANSIT, 0.1, raw="W-in_transit")
        watch.acme.happens(S.OUT_FOR_DELIVERY, 0.2)
        watch.house.clock.forward(days=1)
        await push(watch, S.IN_TRANSIT, 0.1)
        await watch.tracker.catch_up()
        states = [e.state for e in await watch.history(order_id)]
        assert states == [S.CREATED, S.SHIPPED, S.IN_TRANSIT, S.OUT_FOR_DELIVERY]

    play(case, tmp_path)


def test_a_word_is_understood_by_the_source_that_knows_it(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        await watch.ship()
        pushed = SourceInput(
            "pushed", ("DHL",), msgspec.Raw(b'{"statuses": {"Zugestellt": "delivered"}}')
        )
        await watch.house.hub.tracking.sources.put(ACCOUNT, "hook", pushed)
        (unknown,) = await push(watch, None, 0.1, raw="Unterwegs", source="hook")
        assert not unknown.is_understood
        (told,) = await push(watch, None, 0.1, raw="zugestellt ", source="hook")
        assert told.verdict is Verdict.APPLIED
        assert told.order is not None
        assert told.order.state is S.DELIVERED

    play(case, tmp_path)


def test_several_scans_at_once_are_decided_on_in_their_order(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        order_id = await watch.ship()
        states = (S.RETURNING, S.IN_TRANSIT, S.DELIVERED)
        scans = [
            PushedScan(NUMBER, START + day * DAY, state) for day, state in enumerate(states, 1)
        ]
        told = await watch.house.hub.tracking.scans.push(ACCOUNT, scans)
        assert [result.verdict for result in told] == [
            Verdict.APPLIED, Verdict.DUPLICATE, Verdict.APPLIED,
        ]  # fmt: skip
        assert (await watch.order(order_id)).state is S.RETURNED
        assert (await watch.tracking(order_id)).scans == tuple(
            Scan(s.occurred_at, s.state).key for s in scans
        )

    play(case, tmp_path)


def test_of_several_parcels_with_one_number_those_on_their_way_are_meant(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        old = await watch.ship("K1")
        await push(watch, S.DELIVERED, 0.5)
        new = await watch.ship("K2")
        (told,) = await push(watch, S.IN_TRANSIT, 1)
        assert told.order is not None
        assert told.order.order_id == new
        assert (await watch.order(old)).state is S.DELIVERED
        (other,) = await push(watch, S.IN_TRANSIT, 2, carrier="Another")
        assert other.verdict is None

    play(case, tmp_path)


# --- sources --------------------------------------------------------------------------------------


def files_in(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("test.db*")]


def test_secrets_of_a_source_stay_and_are_not_in_the_database_as_they_are(tmp_path: Path) -> None:
    async def case(watch: Watch) -> None:
        sources = watch.house.hub.tracking.sources
        config = msgspec.Raw(
            b'{"url": "https://acme.example/{tracking_number}", "statuses": {"IT": "in_transit"},'
            b' "status": "/s", "time": "/t", "headers": {"authorization": "Bearer {secret:token}"}}'
        )
        wanted = SourceInput("http", (), config)
        await sources.put(ACCOUNT, "acme", wanted, secrets={"token": "do-not-tell-anybody"})
        kept = await sources.put(ACCOUNT, "acme", wanted)
        assert b"do-not-tell-anybody" in kept.secrets
        assert "do-not-tell" not in repr(kept)
        written = b"".join(await asyncio.to_thread(files_in, tmp_path))
        assert b"acme.example" in written
        assert b"do-not-tell-anybody" not in written
        await sources.remove(ACCOUNT, "acme")
        with pytest.raises(UnknownRecord):
            await sources.named(ACCOUNT, "acme")

    play(case, tmp_path)


@pytest.mark.parametrize("name", ["", "-x", "a b", "ä", "x" * 101])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    async def case(watch: Watch) -> None:
        with pytest.raises(InvalidInput, match="name"):
            await watch.house.hub.tracking.sources.put(ACCOUNT, name, SIMULATED)

    play(case, tmp_path)


def test_the_hub_itself_tracks_what_it_dispatches(tmp_path: Path) -> None:
    """By the real simulator: a number that names its story."""

    async def whole() -> None:
        async with house(tmp_path, secret_key=KEY, tracking_poll_s=0.01) as built:
            await built.hub.tracking.sources.put(ACCOUNT, "sim", SIMULATED)
            await built.order("K1")
            await built.update("K1", S.SHIPPED, parcel="1", tracking_number="SIM-quick-1")
            ref = OrderRef(ACCOUNT, store="main", order_key="K1")
            for _ in range(40):
                built.clock.forward(hours=2)
                await asyncio.sleep(0.02)
                if (await built.hub.store.order(ref)).state is S.DELIVERED:
                    return
            raise AssertionError("it was never delivered")

    asyncio.run(whole())


def test_a_source_is_not_shown_with_its_secrets() -> None:
    source = CarrierSource("a", "s", "http", (), b"{}", b'{"t":"x"}', START, START)
    assert repr(source) == "CarrierSource(s, http)"
