"""The second flow: lanes' heads go out, replies come back, and both are settled in batches.

A lane has at most one delivery in memory or on the wire at a time, because only its head is ever
leased; lanes run side by side. Nothing of the database is held while a request is on the wire.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from milepost.contracts.contract import Contract
from milepost.delivery.model import Attempt, Claimed, Endpoint, Failure, Outcome, Reply, Request
from milepost.delivery.outcome import Abandon, next_step, outcome_of
from milepost.delivery.signature import common_headers
from milepost.errors import MilepostError, StoreError
from milepost.logs import logger
from milepost.metrics import Metrics
from milepost.ports import Lease, Now, Post, Settlement, Store

HELD_PER_ENDPOINT = 2_000
"""How many heads of one endpoint's lanes are held in memory, on the wire or waiting for it."""

CLAIMED_AT_ONCE = 500
EXCERPT_BYTES = 2_048
"""How much of a reply's body is kept on record with the attempt."""

STORE_PAUSE_S = 0.5
"""How long settling waits before it tries again when the database could not take it."""


class Dispatcher:
    """Sends what is due; whatever dies, a delivery that was not settled is sent again."""

    def __init__(
        self,
        store: Store,
        *,
        post: Post,
        rooms: Mapping[str, Contract],
        now: Now,
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
        self._lanes: set[tuple[str, str]] = set()
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

    def take(self, claimed: Sequence[Claimed]) -> None:
        """Sends these, in turns over their endpoints; their room was reserved.

        A lane that is here already is not taken twice: a process that was frozen past its lease is
        handed its own lanes again, and two copies of a head would overtake what follows them.
        """
        for item in claimed:
            key = item.endpoint.endpoint_id
            if (key, item.order_id) in self._lanes:
                self._free(key)
                continue
            self._lanes.add((key, item.order_id))
            self._queues.setdefault(key, deque()).append(item)
            self._take_turn(key)
        self._pump()

    def look(self) -> None:
        """Looks for due lanes now and not only at the next poll."""
        self._look_again.set()

    # life

    async def start(self) -> None:
        """Begins to send. Raises StoreBusy when another process may not be joined."""
        await self._store.take_dispatch()
        self._running = True
        loops = (self._claim_for_ever, self._settle_for_ever, self._renew_for_ever)
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
        self._look_again.set()
        try:
            await asyncio.wait_for(self._drain(), within_s)
        except TimeoutError:
            self._log.warning("stopped_without_replies", on_wire=self._on_wire_total)
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._store.release(owner=self._owner, now=self._now())

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
        while self._running:
            self._came_round_at = asyncio.get_running_loop().time()
            try:
                claimed = await self._claim()
            except StoreError as error:
                self._log.error("claim_failed", error=str(error))
                claimed = ()
            if len(claimed) == CLAIMED_AT_ONCE:
                await asyncio.sleep(0)
                continue
            self._look_again.clear()
            try:
                await asyncio.wait_for(self._look_again.wait(), self._poll_s)
            except TimeoutError:
                continue

    async def _claim(self) -> Sequence[Claimed]:
        with self._lock:
            held = dict(self._held)
        claimed = await self._store.claim(
            lease=self.lease(),
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
        self.take(claimed)
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

    # sending

    def _pump(self) -> None:
        """Puts on the wire what may go, one of each endpoint in turn."""
        while self._turns and self._on_wire_total < self._max_connections:
            endpoint_id = self._turns.popleft()
            self._in_turn.discard(endpoint_id)
            claimed = self._queues[endpoint_id].popleft()
            self._on_wire[endpoint_id] = self._on_wire.get(endpoint_id, 0) + 1
            self._on_wire_total += 1
            self._take_turn(endpoint_id)
            self._send(claimed)

    def _take_turn(self, endpoint_id: str) -> None:
        """Gives the endpoint its next turn while it has something to send and may send it."""
        queue = self._queues.get(endpoint_id)
        if not queue or endpoint_id in self._in_turn:
            return
        if self._on_wire.get(endpoint_id, 0) < queue[0].endpoint.concurrency:
            self._turns.append(endpoint_id)
            self._in_turn.add(endpoint_id)

    def _send(self, claimed: Claimed) -> None:
        started_at = self._now()
        try:
            request = self._request(claimed, started_at)
        except MilepostError as error:
            reply = Reply(0, failure=Failure.PROTOCOL, detail=str(error))
            asyncio.get_running_loop().call_soon(self._replied, claimed, started_at, reply)
            return
        self._post(request, lambda reply: self._replied(claimed, started_at, reply))

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
            response=reply.body[:EXCERPT_BYTES],
        )
        self._settlements.append(Settlement(claimed, attempt, step))
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
            heads = await self._store.settle(settlements, lease=self.lease(), now=self._now())
        except StoreError as error:
            self._log.error("settle_failed", error=str(error), waiting=len(settlements))
            return False
        for settlement in settlements:
            claimed = settlement.claimed
            self._lanes.discard((claimed.endpoint.endpoint_id, claimed.order_id))
            self._free(claimed.endpoint.endpoint_id)
        _count(settlements, metrics=self._metrics)
        if self._running:
            with self._lock:
                self._hold(heads)
            self.take(heads)
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


def _count(settlements: Sequence[Settlement], *, metrics: Metrics) -> None:
    """Counts a batch of attempts; how long receipt took counts once, and not for replays."""
    took_s: defaultdict[str, list[float]] = defaultdict(list)
    receipts_s: defaultdict[str, list[float]] = defaultdict(list)
    outcomes: Counter[tuple[str, Outcome]] = Counter()
    for settlement in settlements:
        claimed, attempt = settlement.claimed, settlement.attempt
        contract = claimed.endpoint.contract
        seconds = attempt.duration_ms / 1_000
        took_s[contract].append(seconds)
        outcomes[contract, attempt.outcome] += 1
        if attempt.outcome is Outcome.ACKNOWLEDGED:
            if claimed.received_at is not None and not claimed.replay:
                waited = attempt.started_at - claimed.received_at
                receipts_s[contract].append(waited.total_seconds() + seconds)
        elif isinstance(settlement.step, Abandon):
            metrics.abandoned.add(contract)
    for (contract, outcome), number in outcomes.items():
        metrics.attempts.add(contract, outcome.value, number=number)
        if outcome is Outcome.ACKNOWLEDGED:
            metrics.acknowledged.add(contract, number=number)
    for contract, values in took_s.items():
        metrics.attempt_s.see(values, contract)
    for contract, values in receipts_s.items():
        metrics.receipt_s.see(values, contract)
