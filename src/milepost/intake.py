"""The first flow: what comes in is decided, stored and queued in one transaction.

Accepted means committed: a result is handed back only after the commit. What waits while one
transaction is on its way goes into the next one together, so concurrent callers share a commit;
there is one intake transaction at a time, because whatever is parallel would have to be parallel
by lane.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, cast

import msgspec

from milepost.contracts.contract import Contract
from milepost.contracts.fanout import fan_out
from milepost.delivery.model import Claimed, Endpoint, EndpointState, NewDelivery
from milepost.errors import InvalidInput, Overloaded, Stopping
from milepost.metrics import Metrics
from milepost.orders.events import QUARANTINED, EventType, Move, OrderEvent, Update, Verdict
from milepost.orders.lifecycle import State, allowed_next
from milepost.orders.model import Order, OrderContent
from milepost.orders.model import Store as StoreRecord
from milepost.orders.move import move
from milepost.ports import Changes, Lease, NewId, Now, OrderRef, Quarantined, Snapshot, Store

MOST_IN_A_TRANSACTION = 2_000
"""Items that share one commit; more would make the first of them wait too long."""


class OrderInput(msgspec.Struct, frozen=True, gc=False):
    """An order as a source tells it: its natural key and what was ordered."""

    store: str
    order_key: str
    content: OrderContent
    source: str = "api"
    occurred_at: datetime | None = None


class OrderOutcome(StrEnum):
    """What came of an order that was told."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class OrderResult(msgspec.Struct, frozen=True, gc=False):
    """What came of one order of a request; `refusal` says why it was not taken."""

    outcome: OrderOutcome
    order: Order | None
    refusal: InvalidInput | None = None


class UpdateInput(msgspec.Struct, frozen=True, gc=False):
    """An update and the order that it speaks of."""

    ref: OrderRef
    update: Update


class UpdateResult(msgspec.Struct, frozen=True, gc=False):
    """What was decided of one update, and the order as it now stands.

    `allowed` are the states that an illegal update could have named instead.
    """

    verdict: Verdict
    why: str
    order: Order | None
    allowed: tuple[State, ...] = ()


Input = OrderInput | UpdateInput
Result = OrderResult | UpdateResult


class Outlet(Protocol):
    """Where committed deliveries go when this process can send them at once."""

    def lease(self) -> Lease:
        """Whose a lane becomes that is born leased, and until when."""

    def reserve(self, endpoint: Endpoint) -> bool:
        """Whether there is room to send to this endpoint at once; takes the room if there is."""

    def give_back(self, endpoint: Endpoint) -> None:
        """Frees room that was reserved and not used."""

    def take(self, claimed: Sequence[Claimed]) -> None:
        """Sends these; their room was reserved."""

    def look(self) -> None:
        """Something may be due."""


@dataclass(slots=True)
class _Submission:
    account_id: str
    inputs: Sequence[Input]
    done: asyncio.Future[Sequence[Result]]


@dataclass(slots=True)
class _Draft:
    """The changes of one transaction while they are being decided."""

    orders: dict[str, Order] = field(default_factory=dict)
    by_key: dict[tuple[str, str, str], str] = field(default_factory=dict)
    created: dict[str, None] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    events: list[OrderEvent] = field(default_factory=list)
    deliveries: list[NewDelivery] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    released: list[Quarantined] = field(default_factory=list)

    def keep(self, order: Order, *, new: bool = False) -> None:
        self.orders[order.order_id] = order
        self.by_key[order.account_id, order.store, order.order_key] = order.order_id
        if new:
            self.created[order.order_id] = None
        elif order.order_id not in self.created:
            self.changed[order.order_id] = None

    def changes(self) -> Changes:
        return Changes(
            created=[self.orders[i] for i in self.created],
            changed=[self.orders[i] for i in self.changed],
            events=self.events,
            deliveries=self.deliveries,
            quarantined=self.quarantined,
            released=self.released,
        )


class Intake:
    """Takes orders and updates in; when a call returns, what it accepted is on disk."""

    def __init__(
        self,
        store: Store,
        *,
        rooms: Mapping[str, Contract],
        outlet: Outlet,
        now: Now,
        new_id: NewId,
        max_waiting: int,
        admit: Callable[[], Awaitable[None]],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._outlet = outlet
        self._now = now
        self._new_id = new_id
        self._max_waiting = max_waiting
        self._admit = admit
        self._metrics = metrics
        metrics.watch(
            "milepost_intake_items_waiting",
            "Orders and updates that wait for their transaction.",
            lambda: self._count,
        )
        self._waiting: list[_Submission] = []
        self._count = 0
        self._writer: asyncio.Task[None] | None = None
        self._stopping = False

    async def orders(self, account_id: str, inputs: Sequence[OrderInput]) -> Sequence[OrderResult]:
        """Creates or updates orders by their natural key; the results are in the same order.

        Raises Overloaded or Stopping, with nothing accepted; StoreError, likewise.
        """
        return cast(Sequence[OrderResult], await self._submit(account_id, inputs))

    async def updates(
        self, account_id: str, inputs: Sequence[UpdateInput]
    ) -> Sequence[UpdateResult]:
        """Decides on updates; the results are in the same order.

        Raises Overloaded or Stopping, with nothing accepted; StoreError, likewise.
        """
        return cast(Sequence[UpdateResult], await self._submit(account_id, inputs))

    async def stop(self) -> None:
        """Refuses what is new and waits until what was taken in is committed."""
        self._stopping = True
        while self._writer is not None:
            await asyncio.shield(self._writer)

    async def _submit(self, account_id: str, inputs: Sequence[Input]) -> Sequence[Result]:
        if not inputs:
            return ()
        await self._admit()
        if self._stopping:
            raise Stopping
        if self._count and self._count + len(inputs) > self._max_waiting:
            raise Overloaded("Too much is waiting to be stored; try again in a moment")
        submission = _Submission(account_id, inputs, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        self._count += len(inputs)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        # A caller that goes away does not take back what it has handed in: others share its commit.
        return await asyncio.shield(submission.done)

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = self._next_batch()
                self._count -= sum(len(s.inputs) for s in batch)
                await self._commit(batch)
        finally:
            self._writer = None

    def _next_batch(self) -> list[_Submission]:
        size = 0
        for i, submission in enumerate(self._waiting):
            size += len(submission.inputs)
            if i and size > MOST_IN_A_TRANSACTION:
                batch, self._waiting = self._waiting[:i], self._waiting[i:]
                return batch
        batch, self._waiting = self._waiting, []
        return batch

    async def _commit(self, batch: list[_Submission]) -> None:
        now = self._now()
        decision = _Decision(
            batch, rooms=self._rooms, outlet=self._outlet, now=now, new_id=self._new_id
        )
        try:
            claimed = await self._store.change_orders(
                decision.refs, decide=decision.decide, lease=self._outlet.lease(), now=now
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller must get it
            decision.give_back(())
            _fail(batch, error)
        else:
            decision.give_back(claimed)
            for submission, results in zip(batch, decision.results, strict=True):
                if not submission.done.done():
                    submission.done.set_result(results)
            self._outlet.take(claimed)
            if decision.queued.total() > len(claimed):
                self._outlet.look()
            self._count_up(decision)

    def _count_up(self, decision: _Decision) -> None:
        results = [result for one in decision.results for result in one]
        orders: Counter[str] = Counter(r.outcome for r in results if isinstance(r, OrderResult))
        updates: Counter[str] = Counter(r.verdict for r in results if isinstance(r, UpdateResult))
        self._metrics.orders.add_each(orders)
        self._metrics.updates.add_each(updates)
        self._metrics.queued.add_each(decision.queued)


def _fail(batch: Sequence[_Submission], error: Exception) -> None:
    for submission in batch:
        if not submission.done.done():
            submission.done.set_exception(error)


class _Decision:
    """Decides on one batch, given the snapshot that its own transaction reads."""

    def __init__(
        self,
        batch: Sequence[_Submission],
        *,
        rooms: Mapping[str, Contract],
        outlet: Outlet,
        now: datetime,
        new_id: Callable[[], str],
    ) -> None:
        self._batch = batch
        self._rooms = rooms
        self._outlet = outlet
        self._now = now
        self._new_id = new_id
        self._reserved: list[Endpoint] = []
        self.refs = [_ref(s.account_id, item) for s in batch for item in s.inputs]
        self.results: list[list[Result]] = []
        self.queued: Counter[str] = Counter()

    def give_back(self, claimed: Sequence[Claimed]) -> None:
        """Frees the room that was reserved for deliveries that did not get a lease."""
        used: dict[str, int] = {}
        for item in claimed:
            key = item.endpoint.endpoint_id
            used[key] = used.get(key, 0) + 1
        for endpoint in self._reserved:
            if used.get(endpoint.endpoint_id, 0) > 0:
                used[endpoint.endpoint_id] -= 1
            else:
                self._outlet.give_back(endpoint)
        self._reserved = []

    def decide(self, snapshot: Snapshot) -> Changes:
        """The changes of this batch, each order's inputs in the order they came."""
        self._snapshot = snapshot
        self._draft = _Draft()
        self.results = []
        found = iter(snapshot.orders)
        for submission in self._batch:
            results: list[Result] = []
            for item in submission.inputs:
                known = self._latest(submission.account_id, item, next(found))
                if isinstance(item, OrderInput):
                    results.append(self._take_order(submission.account_id, item, known))
                else:
                    results.append(self._take_update(item, known))
            self.results.append(results)
        self.queued = Counter([d.endpoint.contract for d in self._draft.deliveries])
        return self._draft.changes()

    def _latest(self, account_id: str, item: Input, found: Order | None) -> Order | None:
        """The order as this batch has left it so far."""
        if found is not None:
            return self._draft.orders.get(found.order_id, found)
        ref = _ref(account_id, item)
        if ref.store is None or ref.order_key is None:
            return None
        order_id = self._draft.by_key.get((account_id, ref.store, ref.order_key))
        return None if order_id is None else self._draft.orders[order_id]

    def _take_order(self, account_id: str, item: OrderInput, known: Order | None) -> OrderResult:
        store = self._snapshot.stores.get((account_id, item.store))
        if store is None:
            refusal = InvalidInput(field="store", expected="a store of this account")
            return OrderResult(OrderOutcome.REFUSED, None, refusal)
        if known is not None:
            return self._change_content(item, known, store)
        order = self._create(account_id, item, store)
        waiting = self._snapshot.waiting.get((account_id, item.store, item.order_key), ())
        for orphan in waiting:
            order = self._apply_orphan(orphan, order)
        return OrderResult(OrderOutcome.CREATED, order)

    def _create(self, account_id: str, item: OrderInput, store: StoreRecord) -> Order:
        at = item.occurred_at or self._now
        order = Order(
            account_id=account_id,
            order_id=f"ord_{self._new_id()}",
            store=item.store,
            order_key=item.order_key,
            state=State.CREATED,
            state_at=at,
            sequence=1,
            created_at=self._now,
            updated_at=self._now,
            content=item.content,
        )
        event = self._content_event(order, item, EventType.CREATED, previous=None, at=at)
        self._draft.keep(order, new=True)
        self._tell(event, before=None, after=order, store=store)
        return order

    def _change_content(self, item: OrderInput, known: Order, store: StoreRecord) -> OrderResult:
        if item.content == known.content:
            return OrderResult(OrderOutcome.UNCHANGED, known)
        order = msgspec.structs.replace(
            known, content=item.content, sequence=known.sequence + 1, updated_at=self._now
        )
        at = item.occurred_at or self._now
        event = self._content_event(order, item, EventType.UPDATED, previous=known.state, at=at)
        self._draft.keep(order)
        self._tell(event, before=known, after=order, store=store)
        return OrderResult(OrderOutcome.UPDATED, order)

    def _content_event(
        self,
        order: Order,
        item: OrderInput,
        event_type: EventType,
        *,
        previous: State | None,
        at: datetime,
    ) -> OrderEvent:
        return OrderEvent(
            account_id=order.account_id,
            order_id=order.order_id,
            sequence=order.sequence,
            type=event_type,
            state=order.state,
            previous_state=previous,
            reason=order.reason,
            source=item.source,
            occurred_at=at,
            received_at=self._now,
        )

    def _take_update(self, item: UpdateInput, known: Order | None) -> UpdateResult:
        if known is None:
            return self._keep_orphan(item)
        result = move(known, item.update, now=self._now)
        self._apply(result, before=known)
        allowed: tuple[State, ...] = ()
        if result.verdict in QUARANTINED:
            self._quarantine(item, known, result.verdict, result.why)
        if result.verdict is Verdict.ILLEGAL:
            allowed = allowed_next(known.state)
        return UpdateResult(result.verdict, result.why, result.order, allowed)

    def _apply(self, result: Move, *, before: Order) -> None:
        if result.event is None:
            return
        store = self._snapshot.stores[before.account_id, before.store]
        self._draft.keep(result.order)
        self._tell(result.event, before=before, after=result.order, store=store)

    def _tell(
        self, event: OrderEvent, *, before: Order | None, after: Order, store: StoreRecord
    ) -> None:
        self._draft.events.append(event)
        self._draft.deliveries += fan_out(
            event,
            before=before,
            after=after,
            store=store,
            endpoints=self._snapshot.endpoints.get(after.account_id, ()),
            rooms=self._rooms,
            lease=self._reserve,
        )

    def _reserve(self, endpoint: Endpoint) -> bool:
        if endpoint.state is not EndpointState.ACTIVE or not self._outlet.reserve(endpoint):
            return False
        self._reserved.append(endpoint)
        return True

    def _keep_orphan(self, item: UpdateInput) -> UpdateResult:
        if item.ref.order_key is None:
            return UpdateResult(Verdict.ORPHAN, "there is no order with this id", None)
        self._quarantine(item, None, Verdict.ORPHAN, "there is no order with this key yet")
        why = "there is no order with this key yet; the update is kept and applies when it comes"
        return UpdateResult(Verdict.ORPHAN, why, None)

    def _quarantine(
        self, item: UpdateInput, known: Order | None, verdict: Verdict, why: str
    ) -> None:
        self._draft.quarantined.append(
            Quarantined(
                account_id=item.ref.account_id,
                update_id=f"upd_{self._new_id()}",
                verdict=verdict,
                why=why,
                source=item.update.source,
                store=known.store if known else item.ref.store,
                order_key=known.order_key if known else item.ref.order_key,
                order_id=known.order_id if known else None,
                occurred_at=item.update.occurred_at,
                received_at=self._now,
                update=item.update,
            )
        )

    def _apply_orphan(self, orphan: Quarantined, order: Order) -> Order:
        """Decides on an orphan again, now that its order is here.

        Without a time of its own it happened when it came in, not when the order did.
        """
        update = orphan.update
        if update.occurred_at is None:
            update = msgspec.structs.replace(update, occurred_at=orphan.received_at)
        result = move(order, update, now=self._now)
        self._apply(result, before=order)
        self._draft.released.append(
            msgspec.structs.replace(
                orphan,
                verdict=result.verdict,
                why=result.why,
                order_id=order.order_id,
                released_at=self._now,
            )
        )
        return result.order


def _ref(account_id: str, item: Input) -> OrderRef:
    if isinstance(item, UpdateInput):
        return item.ref
    return OrderRef(account_id, store=item.store, order_key=item.order_key)
