"""Decides on what came in, given the snapshot that its own transaction reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from milepost.contracts.contract import Contract
from milepost.delivery.model import Claimed, Endpoint
from milepost.errors import InvalidInput, MilepostError, OrderErased
from milepost.intake.draft import Draft, Outlet, Submission
from milepost.intake.inputs import (
    Input,
    MessageInput,
    OrderInput,
    OrderOutcome,
    OrderResult,
    Result,
    UpdateInput,
    UpdateResult,
)
from milepost.intake.messages import (
    follow,
    mentioned_by,
    moved_by_source,
    refs_of,
    take_message,
)
from milepost.orders.clock import NOT_AHEAD, ours, there
from milepost.orders.events import QUARANTINED, EventType, OrderEvent, Verdict
from milepost.orders.lifecycle import State, allowed_next
from milepost.orders.model import FAKE_ORDER, REAL_ORDER, Order
from milepost.orders.model import Store as StoreRecord
from milepost.orders.move import move
from milepost.ports import Changes, OrderRef, Quarantined, Snapshot
from milepost.ports.rehearsals import Rehearsal
from milepost.ports.silence import Heard


class Decision:
    """Decides on one batch, given the snapshot that its own transaction reads.

    Each account's inputs are decided on at that account's time.
    """

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
        self._ours = now
        self._ahead = NOT_AHEAD
        self._now = now
        self._new_id = new_id
        self._reserved: list[Endpoint] = []
        self.refs = [ref for s in batch for item in s.inputs for ref in _refs(s.account_id, item)]
        self.mentioned = mentioned_by(
            [item for s in batch for item in s.inputs if isinstance(item, MessageInput)]
        )
        self.results: list[list[Result]] = []
        self.queued: Counter[str] = Counter()

    @property
    def told(self) -> Iterable[tuple[str, int]]:
        """The events that deliveries were queued of: each by its order id and sequence."""
        return dict.fromkeys((d.order_id, d.sequence) for d in self._draft.deliveries)

    @property
    def heard(self) -> Sequence[Heard]:
        """Words of carriers that left their orders where they are."""
        return self._draft.heard

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
        self._draft = Draft(
            snapshot, self._rooms, self._outlet, self._new_id, self._ours, self._reserved
        )
        self.results = []
        found = iter(snapshot.orders)
        for submission in self._batch:
            self._set_clock(submission.account_id)
            seen = [
                list(islice(found, len(_refs(submission.account_id, item))))
                for item in submission.inputs
            ]
            if submission.whole and (refused := self._refused(submission, seen)):
                self.results.append(refused)
                continue
            self.results.append(
                [
                    self._take(submission.account_id, item, orders)
                    for item, orders in zip(submission.inputs, seen, strict=True)
                ]
            )
        self.queued = Counter([d.endpoint.contract for d in self._draft.deliveries])
        return self._draft.changes()

    def _take(self, account_id: str, item: Input, orders: Sequence[Order | None]) -> Result:
        if isinstance(item, MessageInput):
            return take_message(self._draft, item, orders)
        known = self._latest(account_id, item, orders[0])
        if isinstance(item, OrderInput):
            return self._take_order(account_id, item, known)
        return self._take_update(item, known)

    def _set_clock(self, account_id: str) -> None:
        """From here on it is the time of this account."""
        self._ahead = self._snapshot.ahead.get(account_id, NOT_AHEAD)
        self._now = self._draft.now = there(self._ours, ahead=self._ahead)

    def _refused(
        self, submission: Submission, seen: Sequence[Sequence[Order | None]]
    ) -> list[Result]:
        """The results of a whole request of which something is refused; nothing when nothing is."""
        refusals = [
            self._refusal(submission.account_id, item, self._latest(submission.account_id, item, o))
            for item, (o, *_) in zip(submission.inputs, seen, strict=True)
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

    def _latest(
        self, account_id: str, item: OrderInput | UpdateInput, found: Order | None
    ) -> Order | None:
        """The order as this batch has left it so far."""
        (ref,) = _refs(account_id, item)
        return self._draft.latest(ref, found)

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
        for orphan in self._draft.orphans_of(order):
            order = self._apply_orphan(orphan, order)
        if self._draft.released:
            mine = [kept for kept in self._draft.released if kept.order_id == order.order_id]
            follow(self._draft, mine, order=order)
        return OrderResult(OrderOutcome.CREATED, order)

    def _play(self, item: OrderInput, order: Order) -> None:
        play = item.play
        if play is not None:
            due_at = ours(play.due_at, ahead=self._ahead)
            self._draft.rehearsals[order.order_id] = Rehearsal(
                order.account_id, order.order_id, play.mode, play.step, due_at
            )

    def _go_on(self, item: OrderInput, order: Order) -> Order:
        """The order after what happens to it at once.

        Without a time of its own it happens now; a warehouse whose clock is ahead of ours cannot
        make it look late.
        """
        for told in () if item.then is None else item.then(order):
            at = told.occurred_at or max(self._now, order.state_at)
            update = msgspec.structs.replace(told, occurred_at=at)
            result = move(order, update, now=self._now)
            self._draft.apply(result, before=order)
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
        self._draft.tell(event, before=None, after=order, store=store)
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
        self._draft.tell(event, before=known, after=order, store=store)
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
        self._draft.apply(result, before=known)
        self._draft.hear(item.update, result)
        allowed: tuple[State, ...] = ()
        if known.erased_at is not None:
            # Whatever comes may hold again what was erased.
            return UpdateResult(result.verdict, result.why, known)
        if result.verdict in QUARANTINED:
            self._draft.quarantine(
                item.ref, item.update, known, verdict=result.verdict, why=result.why
            )
        if result.verdict is Verdict.ILLEGAL:
            allowed = allowed_next(known.state)
        return UpdateResult(result.verdict, result.why, result.order, allowed)

    def _keep_orphan(self, item: UpdateInput) -> UpdateResult:
        if item.ref.order_key is None:
            return UpdateResult(Verdict.ORPHAN, "there is no order with this id", None)
        self._draft.quarantine(
            item.ref,
            item.update,
            None,
            verdict=Verdict.ORPHAN,
            why="there is no order with this key yet",
        )
        why = "there is no order with this key yet; the update is kept and applies when it comes"
        return UpdateResult(Verdict.ORPHAN, why, None)

    def _apply_orphan(self, orphan: Quarantined, order: Order) -> Order:
        """Decides on an orphan again, now that its order is here.

        Without a time of its own it happened when it came in, not when the order did.
        """
        update = orphan.update
        if update.occurred_at is None:
            update = msgspec.structs.replace(update, occurred_at=orphan.received_at)
        if orphan.receipt_id is None:
            result = move(order, update, now=self._now)
        else:
            result = moved_by_source(self._draft, order, update)
        self._draft.apply(result, before=order)
        self._draft.release(orphan, result)
        return result.order


def _refs(account_id: str, item: Input) -> tuple[OrderRef, ...]:
    """The orders that an input speaks of, at least one."""
    if isinstance(item, UpdateInput):
        return (item.ref,)
    if isinstance(item, MessageInput):
        return refs_of(item)
    return (OrderRef(account_id, store=item.store, order_key=item.order_key),)
