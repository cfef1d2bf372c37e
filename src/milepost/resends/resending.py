"""Sending again what an operator chooses, a part at a time and behind what is due already.

Which deliveries a part holds is decided here and read without a lock; that they are queued, and
that this part is done, is one transaction of the store. So a process may end anywhere: the next
one goes on with the part that was not noted, and nothing is queued twice. A resend never has more
than `ROOM` lanes of its endpoint due before it goes on, so that what is new waits no longer than
for those; an endpoint that is paused or slow makes its own resends wait and no others.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import msgspec

from milepost.delivery.model import Delivery
from milepost.errors import StoreError
from milepost.logs import logger
from milepost.ports import NewId, Now, OrderRef, Page, Store
from milepost.ports.resends import Choice, OfOrder, Resend, ResendState
from milepost.resends.parts import Part, advance_of, check_choice, glance, next_part
from milepost.waiting import woken

RESEND = "rsd_"
PART = 200
"""Deliveries that are queued in one transaction."""

ROOM = 1_000
"""Lanes of an endpoint that may be due when a part is added to them."""

MOST_RUNNING = 4
"""Resends of one endpoint that may run at once."""

MOST_EXAMINED = 2_000_000
"""How far a forecast looks before it says that there is more."""

GLANCE = 2_000
"""At how many deliveries, or orders, a page looks: it takes no longer where there are more."""

SHOWN = 20
"""How many deliveries a forecast names."""

SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.02, 1.0
"""How soon resends that got no further are looked at again, and how often if they still do not."""

MOST_IN_A_ROUND = 10_000

STOPPED = "stopped by the operator"


class Forecast(msgspec.Struct, frozen=True):
    """What a resend would do now: how many it would send, of which status, and the first ones.

    `pending` of those that were chosen are on their way already and would be left alone. With
    `more` the count ended before the end.
    """

    endpoint_id: str
    total: int
    pending: int
    statuses: dict[str, int]
    first: tuple[Delivery, ...]
    more: bool = False


class Resends:
    """Begins resends, says what they would do, and goes on with those that run."""

    def __init__(
        self,
        store: Store,
        *,
        now: Now,
        new_id: NewId,
        look: Callable[[], None],
        part: int = PART,
        room: int = ROOM,
    ) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id
        self._look = look
        self._part = part
        self._room = room
        self._log = logger("resends")
        self._forecasting = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._ending = False

    # what an operator asks for

    async def forecast(
        self,
        account_id: str,
        choice: Choice,
        *,
        endpoint_id: str | None,
    ) -> Sequence[Forecast]:
        """What `begin` would send now, by endpoint; endpoints with nothing to send are left out.

        Raises UnknownRecord, InvalidInput.
        """
        found = []
        names = await self._endpoints(account_id, choice, endpoint_id)
        # One at a time: each may look through all that there is.
        async with self._forecasting:
            for name in names:
                resend = self._new(account_id, name, choice)
                forecast = await _tally(resend, self._parts(resend))
                if forecast.total or forecast.pending or endpoint_id is not None:
                    found.append(forecast)
        return found

    async def glance(
        self, account_id: str, choice: Choice, *, endpoint_id: str, most: int
    ) -> Forecast:
        """What `begin` would send now of the first so many that it may be: the rest is `more`.

        A few reads, however much there is. Raises UnknownRecord, InvalidInput.
        """
        (name,) = await self._endpoints(account_id, choice, endpoint_id)
        resend = self._new(account_id, name, choice)
        return await _tally(resend, _alone(await glance(self._store, resend, most=most)))

    async def begin(
        self, account_id: str, choice: Choice, *, endpoint_id: str | None
    ) -> Sequence[Resend]:
        """Begins a resend to the endpoint, or to each that has something to send.

        The same that runs already goes on and is returned. Raises UnknownRecord, InvalidInput,
        TooManyResends.
        """
        begun = []
        for name in await self._endpoints(account_id, choice, endpoint_id):
            resend = self._new(account_id, name, choice)
            if endpoint_id is not None or await self._has_any(resend):
                begun.append(await self._store.add_resend(resend, most=MOST_RUNNING))
        self._wanted.set()
        return begun

    async def find(self, account_id: str, resend_id: str) -> Resend:
        """Raises UnknownRecord."""
        return await self._store.find_resend(account_id, resend_id)

    async def list(self, account_id: str, *, page: Page) -> tuple[Sequence[Resend], str | None]:
        """A page of resends, newest first."""
        return await self._store.resends(account_id, page=page)

    async def stop(self, account_id: str, resend_id: str) -> Resend:
        """Ends one that runs; what it has queued is sent all the same. Raises UnknownRecord."""
        return await self._store.stop_resend(account_id, resend_id, why=STOPPED, now=self._now())

    def _new(self, account_id: str, endpoint_id: str, choice: Choice) -> Resend:
        return Resend(account_id, RESEND + self._new_id(), endpoint_id, choice, self._now())

    async def _endpoints(
        self, account_id: str, choice: Choice, endpoint_id: str | None
    ) -> Sequence[str]:
        check_choice(choice)
        if isinstance(choice, OfOrder):
            await self._store.order(OrderRef(account_id, order_id=choice.order_id))
        if endpoint_id is not None:
            return [(await self._store.endpoint(account_id, endpoint_id)).endpoint_id]
        return [e.endpoint_id for e in await self._store.endpoints(account_id)]

    async def _has_any(self, resend: Resend) -> bool:
        async for part in self._parts(resend):
            if part.chosen:
                return True
        return False

    async def _parts(self, resend: Resend) -> AsyncIterator[Part]:
        """Every part that there is now, from where the resend stands."""
        while True:
            part = await next_part(self._store, resend, most=self._part)
            yield part
            if part.ends:
                return
            resend = msgspec.structs.replace(resend, place=part.place)

    # going on

    async def advance(self, resend: Resend) -> Resend:
        """Queues the next part, unless its endpoint has enough to do; the resend afterwards."""
        now = self._now()
        names = (resend.account_id, resend.endpoint_id)
        if await self._store.due_lanes(*names, now=now, most=self._room) >= self._room:
            return resend
        part = await next_part(self._store, resend, most=self._part)
        after = await self._store.advance_resend(resend, advance_of(resend, part), now=now)
        if after.queued > resend.queued:
            self._look()
        if after.state is not ResendState.RUNNING:
            self._log.info(
                "resend_ended",
                resend=after.resend_id,
                endpoint=after.endpoint_id,
                state=after.state.value,
                queued=after.queued,
            )
        return after

    async def round(self) -> bool:
        """Goes on with each resend that runs by one part; whether any of them got further."""
        running = await self._store.running_resends(limit=MOST_IN_A_ROUND)
        return await self._advance_each(running)

    async def _advance_each(self, running: Iterable[Resend]) -> bool:
        further = False
        for resend in running:
            try:
                further |= await self.advance(resend) != resend
            except StoreError as error:
                self._log.error("resend_failed", resend=resend.resend_id, error=str(error))
        return further

    def start(self) -> None:
        """Goes on with whatever runs, whoever has begun it, until it is ended."""
        self._ending = False
        self._work = asyncio.create_task(self._go_on())
        self._work.add_done_callback(self._ended)

    async def end(self) -> None:
        """Finishes the part that is being queued and begins no other."""
        self._ending = True
        self._wanted.set()
        if self._work is not None:
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("resends_failed", exc_info=error)

    async def _go_on(self) -> None:
        wait_s = SHORTEST_WAIT_S
        while not self._ending:
            self._wanted.clear()
            try:
                further = await self.round()
            except StoreError as error:
                self._log.error("resend_failed", error=str(error))
                further = False
            wait_s = SHORTEST_WAIT_S if further else min(2 * wait_s, LONGEST_WAIT_S)
            if not further:
                await woken(self._wanted, within_s=wait_s)


async def _alone(part: Part) -> AsyncIterator[Part]:
    yield part


async def _tally(resend: Resend, parts: AsyncIterator[Part]) -> Forecast:
    first: list[Delivery] = []
    statuses: Counter[str] = Counter()
    pending = examined = 0
    more = False
    async for part in parts:
        first += part.chosen[: SHOWN - len(first)]
        statuses.update(d.status for d in part.chosen)
        pending += part.pending
        examined += part.examined
        more = not part.ends
        if examined >= MOST_EXAMINED:
            break
    return Forecast(
        endpoint_id=resend.endpoint_id,
        total=statuses.total(),
        pending=pending,
        statuses=dict(sorted(statuses.items())),
        first=tuple(first),
        more=more,
    )
