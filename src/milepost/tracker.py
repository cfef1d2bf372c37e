"""The tracker: asks carriers for scans while parcels are on their way, and takes pushed ones.

Each parcel has a row that says when it is looked at next. A process leases it, asks without
anything of the database being held, hands what is new to intake, and settles the row; should it
die anywhere in between, the parcel is due again when the lease ends, and asking again tells nothing
twice. What a step means for the order is decided where every update is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol, assert_never

import msgspec

from milepost.carriers import Desk, desk_of
from milepost.errors import MilepostError, StoreError, UnknownRecord
from milepost.intake import Hear, UpdateInput, UpdateResult
from milepost.logs import logger
from milepost.metrics import Metrics
from milepost.orders.clock import there
from milepost.orders.events import Update, Verdict
from milepost.orders.model import Order
from milepost.orders.tracking import (
    PACES,
    Ask,
    Expire,
    Rest,
    Scan,
    Stop,
    Tracking,
    after_asking,
    after_failure,
    expiry,
    news,
    next_step,
    onward,
    pace_at,
    parcel_named,
    remembered,
    stopped,
    updates_of,
)
from milepost.ports import Lease, Now, OrderRef
from milepost.ports.tracking import (
    Carrier,
    CarrierSource,
    Failed,
    Looked,
    Told,
    TrackingStore,
    Watched,
)
from milepost.waiting import woken

REFRESHED_EVERY_S = 5.0
"""How often it is looked which sources there are."""

GIVEN_BACK = timedelta(seconds=30)
"""When a parcel is due again whose source had no room, or that intake could not take."""

STORE_PAUSE_S = 0.5
"""How long settling waits before it tries again when the database could not take it."""

Updates = Callable[[str, Sequence[UpdateInput]], Awaitable[Sequence[UpdateResult]]]
"""Intake's way to decide on updates of an account; may raise MilepostError."""


class TrackedOrders(TrackingStore, Protocol):
    """What the tracker needs of the store."""

    async def order(self, ref: OrderRef) -> Order:
        """Raises UnknownRecord."""


class Tracker:
    """Looks at each parcel when it is due; whatever dies, no scan is lost and none told twice."""

    def __init__(
        self,
        store: TrackedOrders,
        *,
        updates: Updates,
        carrier_of: Callable[[CarrierSource], Carrier],
        now: Now,
        steady_s: Callable[[], float],
        chance: Callable[[], float],
        owner: str,
        lease_s: float,
        poll_s: float,
        at_once: int,
        metrics: Metrics,
        hear: Hear | None = None,
    ) -> None:
        """`steady_s` counts seconds and never goes back; `chance` gives numbers from 0 to 1.

        `hear` is told of new scans, whether they change anything or not.
        """
        self._store = store
        self._updates = updates
        self._carrier_of = carrier_of
        self._now = now
        self._steady_s = steady_s
        self._chance = chance
        self._owner = owner
        self._lease_for = timedelta(seconds=lease_s)
        self._poll_s = poll_s
        self._at_once = at_once
        self._metrics = metrics
        self._hear = hear
        self._log = logger("tracker")
        self._desks: dict[str, tuple[Desk, ...]] = {}
        self._refreshed_at = float("-inf")
        self._in_hand: dict[asyncio.Task[None], Tracking] = {}
        self._looked: list[Looked] = []
        self._work: list[asyncio.Task[None]] = []
        self._room_again = asyncio.Event()
        self._to_settle = asyncio.Event()
        self._running = False
        metrics.watch(
            "milepost_trackings_in_hand",
            "Parcels whose carriers are being asked.",
            lambda: len(self._in_hand),
        )

    # life

    def start(self) -> None:
        """Begins to look at parcels that are due."""
        self._running = True
        self._work = [
            asyncio.create_task(self._look_for_ever()),
            asyncio.create_task(self._settle_for_ever()),
        ]
        for task in self._work:
            task.add_done_callback(self._ended)

    async def stop(self, *, within_s: float) -> None:
        """Claims no more, waits so long for answers, and gives back the rest."""
        self._running = False
        self._room_again.set()
        if self._in_hand:
            await asyncio.wait(tuple(self._in_hand), timeout=within_s)
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        now = self._now()
        for task, tracking in list(self._in_hand.items()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            given_back = msgspec.structs.replace(tracking, due_at=now)
            self._looked.append(Looked(tracking, given_back))
        with suppress(StoreError):
            await self._settle()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("tracker_failed", exc_info=error)

    async def catch_up(self) -> int:
        """Looks at everything that is due now, and returns how many parcels that were."""
        count = 0
        while claimed := await self._claim():
            count += claimed
            while self._in_hand:
                await asyncio.wait(tuple(self._in_hand))
            await self._settle()
        return count

    async def _look_for_ever(self) -> None:
        while self._running:
            claimed = 0
            self._room_again.clear()
            try:
                claimed = await self._claim()
            except StoreError as error:
                self._log.error("tracker_claim_failed", error=str(error))
            if not claimed:
                # Whoever comes back with an answer makes room for another question.
                await woken(self._room_again, within_s=self._poll_s)

    # claiming

    async def desks(self) -> Mapping[str, Sequence[Desk]]:
        """The sources of every account, ready to be asked; at most a few seconds old."""
        at = self._steady_s()
        if at - self._refreshed_at >= REFRESHED_EVERY_S:
            sources = await self._store.carrier_sources()
            known = {desk.source: desk for mine in self._desks.values() for desk in mine}
            desks: dict[str, tuple[Desk, ...]] = {}
            for source in sources:
                desk = known.get(source) or Desk(source, carrier_of=self._carrier_of, at=at)
                desks[source.account_id] = (*desks.get(source.account_id, ()), desk)
            self._desks, self._refreshed_at = desks, at
        return self._desks

    def look(self) -> None:
        """Something may be due."""
        self._room_again.set()

    def look_again(self) -> None:
        """Has the sources read anew at the next look: they were changed."""
        self._refreshed_at = float("-inf")

    async def _claim(self) -> int:
        rooms = self._rooms(await self.desks())
        if not rooms:
            return 0
        now = self._now()
        lease = Lease(self._owner, now + self._lease_for)
        watched = await self._store.claim_trackings(rooms, lease=lease, now=now)
        for one in watched:
            self._take(one, now=there(now, ahead=one.ahead))
        if self._looked:
            self._to_settle.set()
        return len(watched)

    def _rooms(self, desks: Mapping[str, Sequence[Desk]]) -> Mapping[str, int]:
        """How many parcels of each account can be asked for now; they take turns to be first."""
        at, left = self._steady_s(), self._at_once - len(self._in_hand)
        rooms: dict[str, int] = {}
        accounts = list(desks)
        first = int(self._chance() * len(accounts))
        for account_id in (*accounts[first:], *accounts[:first]):
            room = min(sum(desk.room(at) for desk in desks[account_id]), left)
            if room > 0:
                rooms[account_id] = room
                left -= room
        return rooms

    def _take(self, watched: Watched, *, now: datetime) -> None:
        tracking, order = watched.tracking, watched.order
        match next_step(tracking, order, now=now):
            case Stop(why):
                self._note(tracking, stopped(tracking, why))
            case Rest(until):
                self._note(tracking, msgspec.structs.replace(tracking, due_at=until))
            case Expire():
                self._begin(watched, self._expire(watched))
            case Ask():
                self._ask_if_there_is_room(watched, now=now)
            case step:
                assert_never(step)

    def _ask_if_there_is_room(self, watched: Watched, *, now: datetime) -> None:
        tracking = watched.tracking
        parcel = parcel_named(watched.order, tracking.parcel)
        desks = self._desks.get(tracking.account_id, ())
        desk = None if parcel is None else desk_of(desks, parcel.carrier)
        if parcel is None or desk is None or parcel.tracking_number is None:
            # Nobody can be asked; its time runs all the same.
            wait = pace_at(now - tracking.since_at)
            self._note(tracking, onward(tracking, watched.order, now=now, wait=wait))
        elif desk.enter(self._steady_s()):
            self._begin(watched, self._ask(watched, desk))
        else:
            self._note(tracking, msgspec.structs.replace(tracking, due_at=now + GIVEN_BACK))

    def _begin(self, watched: Watched, work: Awaitable[Tracking]) -> None:
        task = asyncio.create_task(self._finish(watched, work))
        self._in_hand[task] = watched.tracking
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._in_hand.pop(task, None)
        self._room_again.set()
        self._ended(task)

    async def _finish(self, watched: Watched, work: Awaitable[Tracking]) -> None:
        tracking = watched.tracking
        try:
            after = await work
        except MilepostError as error:
            # Intake or the database could not take it: nothing of it is lost, it is asked again.
            self._log.warning("tracker_held_up", order=tracking.order_id, error=str(error))
            again_at = self._there(watched) + GIVEN_BACK
            after = msgspec.structs.replace(tracking, due_at=again_at)
        self._note(tracking, after)

    def _note(self, claimed: Tracking, after: Tracking) -> None:
        self._looked.append(Looked(claimed, after))
        self._to_settle.set()

    # asking

    async def _ask(self, watched: Watched, desk: Desk) -> Tracking:
        tracking, order = watched.tracking, watched.order
        parcel = parcel_named(order, tracking.parcel)
        assert parcel is not None  # noqa: S101 - who has none is not asked for
        try:
            told = await desk.ask(parcel, now=self._there(watched))
        finally:
            desk.leave(self._steady_s())
        match told:
            case Failed(why, wait):
                self._metrics.carrier_asks.add("failed")
                self._log.warning("carrier_failed", source=desk.source.source, why=why)
                return after_failure(
                    tracking,
                    order,
                    trouble=why,
                    now=self._there(watched),
                    chance=self._chance(),
                    wait=wait,
                )
            case Told():
                self._metrics.carrier_asks.add("answered")
                return await self._take_in(watched, told)
            case _:
                assert_never(told)

    async def _take_in(self, watched: Watched, told: Told) -> Tracking:
        """Hands what is new to intake; the parcel after it."""
        tracking, order, now = watched.tracking, watched.order, self._there(watched)
        fresh = _news(told, tracking, order, now=now)
        if fresh:
            # What others have told while the carrier was asked counts as known.
            order = await self._order(tracking)
            fresh = _news(told, tracking, order, now=now)
        parcel = parcel_named(order, tracking.parcel)
        if parcel is not None and (told_by := updates_of(fresh, parcel=parcel)):
            for result in await self._tell(tracking, told_by):
                order = result.order or order
        if fresh and self._hear is not None:
            at = max(scan.occurred_at for scan in fresh)
            self._hear(tracking.account_id, tracking.order_id, at=min(at, now))
        known = msgspec.structs.replace(tracking, scans=remembered(tracking.scans, fresh))
        after = after_asking(known, order, now=now, chance=self._chance())
        return msgspec.structs.replace(after, trouble=told.trouble)

    async def _tell(self, tracking: Tracking, updates: Sequence[Update]) -> Sequence[UpdateResult]:
        ref = OrderRef(tracking.account_id, order_id=tracking.order_id)
        inputs = [UpdateInput(ref, update) for update in updates]
        results = await self._updates(tracking.account_id, inputs)
        for result in results:
            self._metrics.scans.add(result.verdict)
        return results

    async def _expire(self, watched: Watched) -> Tracking:
        """Tells the lifecycle that a parcel was on its way for too long; the parcel after it."""
        tracking, now = watched.tracking, self._there(watched)
        (result,) = await self._tell(tracking, (expiry(tracking, now=now),))
        after = onward(tracking, result.order, now=now, wait=PACES[-1].every)
        if after.due_at is None or result.verdict in (Verdict.APPLIED, Verdict.DUPLICATE):
            return after
        # The lifecycle does not let it: somebody is told by the quarantine, and it is tried again.
        later = now + PACES[-1].every
        return msgspec.structs.replace(after, due_at=later, trouble=result.why)

    def _there(self, watched: Watched) -> datetime:
        """The time of the parcel's account."""
        return there(self._now(), ahead=watched.ahead)

    async def _order(self, tracking: Tracking) -> Order | None:
        try:
            return await self._store.order(
                OrderRef(tracking.account_id, order_id=tracking.order_id)
            )
        except UnknownRecord:
            return None

    # settling

    async def _settle_for_ever(self) -> None:
        while True:
            await self._to_settle.wait()
            self._to_settle.clear()
            try:
                await self._settle()
            except StoreError as error:
                self._log.error("tracker_settle_failed", error=str(error))
                self._to_settle.set()
                await asyncio.sleep(STORE_PAUSE_S)

    async def _settle(self) -> None:
        looked, self._looked = self._looked, []
        try:
            if looked:
                await self._store.settle_trackings(looked, owner=self._owner)
        except BaseException:
            self._looked = looked + self._looked
            raise


def _news(
    told: Told, tracking: Tracking, order: Order | None, *, now: datetime
) -> tuple[Scan, ...]:
    parcel = parcel_named(order, tracking.parcel)
    if parcel is None:
        return ()
    return news(told.scans, seen=tracking.scans, parcel=parcel, now=now)
