"""Decides on what came in, given the snapshot that its own transaction reads."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.contracts.contract import Contract
from milepost.contracts.fanout import fan_out
from milepost.delivery.model import Claimed, Endpoint, EndpointState, NewDelivery
from milepost.errors import InvalidInput, MilepostError, OrderErased
from milepost.intake.inputs import (
    Input,
    OrderInput,
    OrderOutcome,
    OrderResult,
    Result,
    UpdateInput,
    UpdateResult,
)
from milepost.orders.events import QUARANTINED, EventType, Move, OrderEvent, Verdict
from milepost.orders.lifecycle import State, allowed_next
from milepost.orders.model import FAKE_ORDER, REAL_ORDER, Order
from milepost.orders.model import Store as StoreRecord
from milepost.orders.move import move
from milepost.ports import Changes, Lease, OrderRef, Quarantined, Snapshot
from milepost.ports.rehearsals import Rehearsal
from milepost.ports.tracing import Origin


class Outlet(Protocol):
    """Where committed deliveries go when this process can send them at once."""

    def lease(self) -> Lease:
        """Whose a lane becomes that is born leased, and until when."""

    def reserve(self, endpoint: Endpoint) -> bool:
        """Whether there is room to send to this endpoint at once; takes the room if there is."""

    def give_back(self, endpoint: Endpoint) -> None:
        """Frees room that was reserved and not used."""

    def take(self, claimed: Sequence[Claimed], *, lease: Lease) -> None:
        """Sends these, which were leased so; their room was reserved."""

    def look(self) -> None:
        """Something may be due."""


@dataclass(slots=True)
class Submission:
    """What one caller has told, and where its answer goes; `whole` is all of it or nothing.

    `origin` is what was going on when it was handed in, where that is traced.
    """

    account_id: str
    inputs: Sequence[Input]
    done: asyncio.Future[Sequence[Result]]
    whole: bool = False
    origin: Origin = None


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
    rehearsals: dict[str, Rehearsal] = field(default_factory=dict)
    told: dict[str, bytes | msgspec.Raw] = field(default_factory=dict)

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
            rehearsals=list(self.rehearsals.values()),
            told=self.told,
        )


class Decision:
    """Decides on one batch, given the snapshot that its own transaction reads."""

    def __init__(
        self,
        batch: Sequence[Submission],
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

    @property
    def told(self) -> Iterable[tuple[str, int]]:
        """The events that deliveries were queued of: each by its order id and sequence."""
        return dict.fromkeys((d.order_id, d.sequence) for d in self._draft.deliveries)

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
            seen = [next(found) for _ in submission.inputs]
            if submission.whole and (refused := self._refused(submission, seen)):
                self.results.append(refused)
                continue
            for item, before in zip(submission.inputs, seen, strict=True):
                known = self._latest(submission.account_id, item, before)
                if isinstance(item, OrderInput):
                    results.append(self._take_order(submission.account_id, item, known))
                else:
                    results.append(self._take_update(item, known))
            self.results.append(results)
        self.queued = Counter([d.endpoint.contract for d in self._draft.deliveries])
        return self._draft.changes()

    def _refused(self, submission: Submission, seen: Sequence[Order | None]) -> list[Result]:
        """The results of a whole request of which something is refused; nothing when nothing is."""
        refusals = [
            self._refusal(submission.account_id, item, self._latest(submission.account_id, item, o))
            for item, o in zip(submission.inputs, seen, strict=True)
            if isinstance(item, OrderInput)
        ]
        if not any(refusals):
            return []
        return [OrderResult(OrderOutcome.REFUSED, None, refusal) for refusal in refusals]

    def _refusal(
        self, account_id: str, item: OrderInput, known: Order | None
    ) -> MilepostError | None:
        if (account_id, item.store) not in self._snapshot.stores:
            return InvalidInput(field="store", expected="a store of this account")
        if known is not None and known.erased_at is not None:
            return OrderErased()
        if item.revise is not None:
            try:
                item.revise(known)
            except MilepostError as error:
                return error
        return None if item.expects is None else item.expects(known)

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
        refusal = self._refusal(account_id, item, known)
        if refusal is not None:
            return OrderResult(OrderOutcome.REFUSED, None, refusal)
        if item.revise is not None:
            item = msgspec.structs.replace(item, content=item.revise(known), told=b"")
        store = self._snapshot.stores[account_id, item.store]
        if known is not None:
            self._play(item, known)
            result = self._change_content(item, known, store)
            return msgspec.structs.replace(result, order=self._go_on(item, result.order or known))
        order = self._go_on(item, self._create(account_id, item, store))
        waiting = self._snapshot.waiting.get((account_id, item.store, item.order_key), ())
        for orphan in waiting:
            order = self._apply_orphan(orphan, order)
        return OrderResult(OrderOutcome.CREATED, order)

    def _play(self, item: OrderInput, order: Order) -> None:
        play = item.play
        if play is not None:
            self._draft.rehearsals[order.order_id] = Rehearsal(
                order.account_id, order.order_id, play.mode, play.step, play.due_at
            )

    def _go_on(self, item: OrderInput, order: Order) -> Order:
        """The order after what happens to it at once."""
        for update in () if item.then is None else item.then(order):
            result = move(order, update, now=self._now)
            self._apply(result, before=order)
            order = result.order
        return order

    def _create(self, account_id: str, item: OrderInput, store: StoreRecord) -> Order:
        at = item.occurred_at or self._now
        order = Order(
            account_id=account_id,
            order_id=f"{FAKE_ORDER if item.is_fake else REAL_ORDER}{self._new_id()}",
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
        self._draft.told[order.order_id] = item.told
        self._play(item, order)
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
        self._draft.told[order.order_id] = item.told
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
        if known.erased_at is not None:
            # Whatever comes may hold again what was erased.
            return UpdateResult(result.verdict, result.why, known)
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
