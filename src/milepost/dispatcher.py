"""The second flow: lanes' heads go out, replies come back, and both are settled in batches.

A lane has at most one delivery in memory or on the wire at a time, because only its head is ever
leased; lanes run side by side. Nothing of the database is held while a request is on the wire.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from milepost.contracts.contract import Contract
from milepost.contracts.operational import paused_notice
from milepost.counting import count_attempts
from milepost.delivery.echo import without_secrets
from milepost.delivery.health import Cause
from milepost.delivery.holding import Holding, Term
from milepost.delivery.model import Attempt, Claimed, Endpoint, Failure, Outcome, Reply, Request
from milepost.delivery.outcome import ACKNOWLEDGE, Pause, Step, next_step, outcome_of
from milepost.delivery.signature import common_headers
from milepost.errors import MilepostError, StoreError
from milepost.inquiry import Inquiry
from milepost.logs import logger
from milepost.metrics import Metrics
from milepost.pacing import Pacing
from milepost.ports import Lease, Now, Post, Settlement, Store
from milepost.waiting import woken

HELD_PER_ENDPOINT = 2_000
"""How many heads of one endpoint's lanes are held in memory, on the wire or waiting for it."""

CLAIMED_AT_ONCE = 500
EXCERPT_BYTES = 2_048
"""How much of a reply's body is kept on record with the attempt."""

STORE_PAUSE_S = 0.5
"""How long settling waits before it tries again when the database could not take it."""

SURE_SHARE = 2 / 3
"""How much of a lease must be left to begin a request, if its timeout is not shorter: so much is
left while leases are renewed in time."""

ASKED_AT_ONCE = 64
"""How many heads of an endpoint are looked up together when it is not sure whose they are."""


class Dispatcher:
    """Sends what is due; whatever dies, a delivery that was not settled is sent again."""

    def __init__(
        self,
        store: Store,
        *,
        post: Post,
        rooms: Mapping[str, Contract],
        now: Now,
        steady_s: Callable[[], float],
        chance: Callable[[], float],
        owner: str,
        user_agent: str,
        lease_s: float,
        poll_s: float,
        max_connections: int,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._post = post
        self._rooms = rooms
        self._now = now
        self._steady_s = steady_s
        self._chance = chance
        self._owner = owner
        self._user_agent = user_agent
        self._lease_for = timedelta(seconds=lease_s)
        self._poll_s = poll_s
        self._max_connections = max_connections
        self._log = logger("dispatcher")
        # Intake reserves room while it decides, which may be on the store's thread.
        self._lock = threading.Lock()
        self._held: dict[str, int] = {}
        self._behind: set[str] = set()
        self._holding = Holding()
        self._inquiry = Inquiry(store, lease=self.lease, answered=self._go_on)
        self._pacing = Pacing(
            store, steady_s=steady_s, go_on=self._go_on_with, holds=lambda: bool(self._held)
        )
        self._settled: tuple[Callable[[Sequence[Settlement]], None], ...] = ()
        self._queues: dict[str, deque[Claimed]] = {}
        self._turns: deque[str] = deque()
        self._in_turn: set[str] = set()
        self._on_wire: dict[str, int] = {}
        self._on_wire_total = 0
        self._settlements: list[Settlement] = []
        self._work: list[asyncio.Task[None]] = []
        self._look_again = asyncio.Event()
        self._to_settle = asyncio.Event()
        self._quiet = asyncio.Event()
        self._running = False
        self._came_round_at = 0.0
        self._metrics = metrics
        metrics.watch(
            "milepost_attempts_on_wire",
            "Requests that wait for their reply.",
            lambda: self._on_wire_total,
        )
        metrics.watch(
            "milepost_deliveries_held",
            "Deliveries that this process has leased.",
            lambda: sum(list(self._held.values())),
        )

    # the outlet of intake

    def lease(self) -> Lease:
        """Ours, from now for as long as the setting says."""
        return Lease(self._owner, self._now() + self._lease_for)

    def reserve(self, endpoint: Endpoint) -> bool:
        """Whether a new delivery of this endpoint can be held in memory; takes the room.

        While older ones of the endpoint wait in the database, a new one may not overtake them.
        """
        if not self._running:
            return False
        key = endpoint.endpoint_id
        with self._lock:
            held = self._held.get(key, 0)
            if key in self._behind or held >= HELD_PER_ENDPOINT:
                self._behind.add(key)
                return False
            self._held[key] = held + 1
            return True

    def give_back(self, endpoint: Endpoint) -> None:
        """Frees room that was reserved and is not used."""
        self._free(endpoint.endpoint_id)

    def take(self, claimed: Sequence[Claimed], *, lease: Lease) -> None:
        """Sends these, in turns over their endpoints; they were leased so, and room reserved.

        A lane that is here already is not taken twice: a process that was frozen past its lease is
        handed its own lanes again, and two copies of a head would overtake what follows them.
        """
        terms: dict[float, Term] = {}
        for item in claimed:
            endpoint = item.endpoint
            term = terms.get(endpoint.timeout_s)
            if term is None:
                term = terms[endpoint.timeout_s] = self._term(lease, endpoint)
            if self._holding.take(item, term):
                self._enqueue(item)
            else:
                self._free(endpoint.endpoint_id)
        self._pump()

    def _term(self, lease: Lease, endpoint: Endpoint) -> Term:
        """Until when requests of this endpoint may be begun under this lease."""
        most = self._lease_for * SURE_SHARE
        at = lease.until - min(timedelta(seconds=endpoint.timeout_s), most)
        return Term(at, self._steady_s() + (at - self._now()).total_seconds())

    def _enqueue(self, claimed: Claimed) -> None:
        key = claimed.endpoint.endpoint_id
        self._queues.setdefault(key, deque()).append(claimed)
        self._take_turn(key)

    def look(self) -> None:
        """Looks for due lanes now and not only at the next poll."""
        self._look_again.set()
        self._pacing.look()

    def tell(self, *settled: Callable[[Sequence[Settlement]], None]) -> None:
        """Tells these of every batch of attempts once it is settled."""
        self._settled = settled

    # life

    async def start(self) -> None:
        """Begins to send. Raises StoreBusy when another process may not be joined."""
        await self._store.take_dispatch()
        self._running = True
        self._store.listen(self.look)
        loops = (
            self._claim_for_ever,
            self._settle_for_ever,
            self._renew_for_ever,
            self._inquiry.ask_for_ever,
            self._pacing.watch_for_ever,
        )
        self._came_round_at = asyncio.get_running_loop().time()
        self._work = [asyncio.create_task(loop()) for loop in loops]
        for task in self._work:
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("dispatcher_failed", exc_info=error)

    async def stop(self, *, within_s: float) -> None:
        """Claims no more, waits so long for replies, settles them and gives back the rest."""
        if not self._running:
            return
        self._running = False
        self._queues.clear()
        self._turns.clear()
        self._in_turn.clear()
        self._pacing.stop()
        self._look_again.set()
        try:
            async with asyncio.timeout(within_s):
                await self._drain()
        except TimeoutError:
            self._log.warning("stopped_without_replies", on_wire=self._on_wire_total)
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        try:
            await self._store.release(owner=self._owner, now=self._now())
        except StoreError as error:
            # What was not given back runs out by itself.
            self._log.error("release_failed", error=str(error))

    async def _drain(self) -> None:
        while self._on_wire_total or self._settlements:
            self._quiet.clear()
            self._to_settle.set()
            await self._quiet.wait()

    @property
    def on_wire(self) -> int:
        """How many requests wait for their reply."""
        return self._on_wire_total

    def works(self, *, within_s: float) -> bool:
        """Whether it sends: started, not stopped, and it came round for claims so lately."""
        late_s = asyncio.get_running_loop().time() - self._came_round_at
        alive = bool(self._work) and not any(task.done() for task in self._work)
        return self._running and alive and late_s <= within_s

    # claiming

    async def _claim_for_ever(self) -> None:
        failing = False
        while self._running:
            self._came_round_at = asyncio.get_running_loop().time()
            # Whatever is queued from here on may be too late for this look and calls for another.
            self._look_again.clear()
            try:
                claimed = await self._claim()
                failing = False
            except StoreError as error:
                # It is tried several times a second, for as long as the database is away.
                if not failing:
                    self._log.error("claim_failed", error=str(error))
                claimed, failing = (), True
            if len(claimed) == CLAIMED_AT_ONCE:
                await asyncio.sleep(0)
                continue
            await woken(self._look_again, within_s=self._poll_s)

    async def _claim(self) -> Sequence[Claimed]:
        with self._lock:
            held = dict(self._held)
        lease = self.lease()
        claimed = await self._store.claim(
            lease=lease,
            now=self._now(),
            held=held,
            room=HELD_PER_ENDPOINT,
            limit=CLAIMED_AT_ONCE,
        )
        with self._lock:
            if len(claimed) < CLAIMED_AT_ONCE:
                self._behind = {
                    key for key in self._behind if self._held.get(key, 0) >= HELD_PER_ENDPOINT
                }
            self._hold(claimed)
        self.take(claimed, lease=lease)
        return claimed

    def _hold(self, claimed: Sequence[Claimed]) -> None:
        for item in claimed:
            key = item.endpoint.endpoint_id
            self._held[key] = self._held.get(key, 0) + 1

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._lease_for.total_seconds() / 3)
            try:
                if self._held:
                    await self._store.renew(lease=self.lease())
            except StoreError as error:
                self._log.error("renew_failed", error=str(error))

    # making sure

    def _doubt(self, claimed: Claimed) -> None:
        """Looks up whose this and what is next are, before more of the endpoint is sent.

        It costs other endpoints nothing.
        """
        heads = [claimed]
        queue = self._queues[claimed.endpoint.endpoint_id]
        while queue and len(heads) < ASKED_AT_ONCE:
            heads.append(queue.popleft())
        self._inquiry.ask(heads)

    def _go_on(self, asked: Sequence[list[Claimed]], ours: Sequence[Claimed], lease: Lease) -> None:
        """Puts back in front what is ours, and drops what is not."""
        if not self._running:
            return
        found = {(c.endpoint.endpoint_id, c.order_id) for c in ours}
        lost = 0
        for heads in asked:
            endpoint = heads[0].endpoint
            term = self._term(lease, endpoint)
            for claimed in reversed(heads):
                if (endpoint.endpoint_id, claimed.order_id) in found:
                    self._holding.prolong(claimed, term)
                    self._queues[endpoint.endpoint_id].appendleft(claimed)
                else:
                    self._leave(claimed)
                    lost += 1
            self._take_turn(endpoint.endpoint_id)
        if lost:
            self._log.warning("leases_lost", heads=lost)
        self._pump()

    def _leave(self, claimed: Claimed) -> None:
        """Lets go of a lane, unless more of it has been claimed since."""
        self._free(claimed.endpoint.endpoint_id)
        if (later := self._holding.leave(claimed)) is not None and self._running:
            with self._lock:
                self._hold((later,))
            self._enqueue(later)

    # sending

    def _pump(self) -> None:
        """Puts on the wire what may go, one of each endpoint in turn."""
        while self._turns and self._on_wire_total < self._max_connections:
            endpoint_id = self._turns.popleft()
            self._in_turn.discard(endpoint_id)
            claimed = self._queues[endpoint_id].popleft()
            self._on_wire[endpoint_id] = self._on_wire.get(endpoint_id, 0) + 1
            self._on_wire_total += 1
            self._send(claimed)
            self._take_turn(endpoint_id)

    def _take_turn(self, endpoint_id: str) -> None:
        """Gives the endpoint its next turn while it has something to send and may send it."""
        queue = self._queues.get(endpoint_id)
        if not queue or endpoint_id in self._in_turn or self._inquiry.waits(endpoint_id):
            return
        endpoint = queue[0].endpoint
        if self._on_wire.get(endpoint_id, 0) < endpoint.concurrency and self._pacing.may(endpoint):
            self._turns.append(endpoint_id)
            self._in_turn.add(endpoint_id)

    def _go_on_with(self, endpoint_id: str) -> None:
        """Sends more of an endpoint whose rate allows it again."""
        self._take_turn(endpoint_id)
        self._pump()

    def _send(self, claimed: Claimed) -> None:
        started_at = self._now()
        try:
            request = self._request(claimed, started_at)
        except MilepostError as error:
            reply = Reply(0, failure=Failure.PROTOCOL, detail=str(error))
            asyncio.get_running_loop().call_soon(self._replied, claimed, started_at, reply)
            return
        # As late as can be: whatever was done before, the process may have been stopped in it.
        if not self._holding.sure(claimed, now=self._now(), now_s=self._steady_s()):
            self._on_wire[claimed.endpoint.endpoint_id] -= 1
            self._on_wire_total -= 1
            self._doubt(claimed)
            return
        self._post(request, partial(self._replied, claimed, started_at))

    def _request(self, claimed: Claimed, at: datetime) -> Request:
        endpoint = claimed.endpoint
        room = self._rooms[endpoint.contract]
        common = common_headers(claimed, timestamp=int(at.timestamp()), user_agent=self._user_agent)
        return Request(
            url=endpoint.url,
            headers=(*common, *room.headers(claimed)),
            body=claimed.body.content,
            timeout_s=endpoint.timeout_s,
        )

    def _replied(self, claimed: Claimed, started_at: datetime, reply: Reply) -> None:
        endpoint = claimed.endpoint
        room = self._rooms[endpoint.contract]
        outcome = outcome_of(reply, received=room.received)
        step: Step = ACKNOWLEDGE
        if outcome is not Outcome.ACKNOWLEDGED:
            step = next_step(
                outcome,
                schedule=room.schedule(endpoint.schedule),
                tries=claimed.tries + 1,
                now=self._now(),
                chance=self._chance(),
                retry_after=reply.header("retry-after"),
            )
        attempt = Attempt(
            attempt=claimed.attempts + 1,
            replay=claimed.replay,
            started_at=started_at,
            duration_ms=reply.duration_ms,
            outcome=outcome,
            status=reply.status,
            detail=reply.detail,
            response=without_secrets(reply.body, endpoint=endpoint, most=EXCERPT_BYTES),
        )
        notice = None
        if isinstance(step, Pause):
            self._pacing.rest(endpoint)
            at = self._now()
            cause = Cause.RECEIVER
            notice = paused_notice(endpoint, why=step.why, at=at, cause=cause, rooms=self._rooms)
        self._settlements.append(Settlement(claimed, attempt, step, notice))
        self._on_wire[endpoint.endpoint_id] -= 1
        self._on_wire_total -= 1
        self._to_settle.set()
        if outcome is not Outcome.ACKNOWLEDGED:
            self._log.info(
                "attempt_failed",
                order=claimed.order_id,
                delivery=claimed.delivery_id,
                attempt=attempt.attempt,
                outcome=outcome.value,
                status=reply.status,
                next=type(step).__name__.lower(),
            )
        self._take_turn(endpoint.endpoint_id)
        self._pump()

    # settling

    async def _settle_for_ever(self) -> None:
        while True:
            await self._to_settle.wait()
            self._to_settle.clear()
            settlements, self._settlements = self._settlements, []
            if settlements and not await self._settle(settlements):
                self._settlements = settlements + self._settlements
                self._to_settle.set()
                await asyncio.sleep(STORE_PAUSE_S)
            if not self._on_wire_total and not self._settlements:
                self._quiet.set()

    async def _settle(self, settlements: Sequence[Settlement]) -> bool:
        try:
            lease = self.lease()
            heads = await self._store.settle(settlements, lease=lease, now=self._now())
        except StoreError as error:
            self._log.error("settle_failed", error=str(error), waiting=len(settlements))
            return False
        for settlement in settlements:
            self._leave(settlement.claimed)
        count_attempts(settlements, metrics=self._metrics)
        for listener in self._settled:
            listener(settlements)
        if self._running:
            with self._lock:
                self._hold(heads)
            self.take(heads, lease=lease)
        return True

    def _free(self, endpoint_id: str) -> None:
        """Frees the room of one delivery; an endpoint that was full may have more waiting."""
        with self._lock:
            left = self._held[endpoint_id] - 1
            if left:
                self._held[endpoint_id] = left
            else:
                del self._held[endpoint_id]
        if left == HELD_PER_ENDPOINT // 2:
            self._look_again.set()
