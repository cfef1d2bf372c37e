"""What one intake transaction is about to write, while it is being decided."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.contracts.contract import Contract
from milepost.contracts.fanout import fan_out
from milepost.delivery.model import Claimed, Endpoint, EndpointState, NewDelivery
from milepost.intake.inputs import Input, Result
from milepost.orders.events import QUARANTINED, Move, OrderEvent, Update, Verdict
from milepost.orders.model import Order
from milepost.orders.model import Store as StoreRecord
from milepost.orders.silence import UNHEARD
from milepost.ports import Changes, Lease, OrderRef, Quarantined, Snapshot
from milepost.ports.core import UPDATE
from milepost.ports.receipts import MessageName, Receipt, ReceiptName
from milepost.ports.rehearsals import Rehearsal
from milepost.ports.silence import Heard
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
class Draft:
    """The changes of one transaction while they are being decided.

    `now` is the time of the account whose inputs are being decided on. Endpoints whose room was
    taken are added to `reserved`.
    """

    snapshot: Snapshot
    rooms: Mapping[str, Contract]
    outlet: Outlet
    new_id: Callable[[], str]
    now: datetime
    reserved: list[Endpoint]
    orders: dict[str, Order] = field(default_factory=dict)
    by_key: dict[tuple[str, str, str], str] = field(default_factory=dict)
    created: dict[str, None] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    events: list[OrderEvent] = field(default_factory=list)
    deliveries: list[NewDelivery] = field(default_factory=list)
    quarantined: dict[tuple[str, str], Quarantined] = field(default_factory=dict)
    released: list[Quarantined] = field(default_factory=list)
    rehearsals: dict[str, Rehearsal] = field(default_factory=dict)
    told: dict[str, bytes | msgspec.Raw] = field(default_factory=dict)
    messages: dict[MessageName, str] = field(default_factory=dict)
    receipts: dict[ReceiptName, Receipt] = field(default_factory=dict)
    decided: dict[ReceiptName, Receipt] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)

    def changes(self) -> Changes:
        return Changes(
            created=[self.orders[i] for i in self.created],
            changed=[self.orders[i] for i in self.changed],
            events=self.events,
            deliveries=self.deliveries,
            quarantined=list(self.quarantined.values()),
            released=self.released,
            rehearsals=list(self.rehearsals.values()),
            told=self.told,
            receipts=list(self.receipts.values()),
            decided=list(self.decided.values()),
        )

    def latest(self, ref: OrderRef, found: Order | None) -> Order | None:
        """The order as this transaction leaves it so far, given as it was found."""
        if found is not None:
            return self.orders.get(found.order_id, found)
        if ref.store is None or ref.order_key is None:
            return None
        order_id = self.by_key.get((ref.account_id, ref.store, ref.order_key))
        return None if order_id is None else self.orders[order_id]

    def keep(self, order: Order, *, new: bool = False) -> None:
        self.orders[order.order_id] = order
        self.by_key[order.account_id, order.store, order.order_key] = order.order_id
        if new:
            self.created[order.order_id] = None
        elif order.order_id not in self.created:
            self.changed[order.order_id] = None

    def apply(self, result: Move, *, before: Order) -> None:
        """Keeps the order after an update, and tells of the event if there was one."""
        if result.event is None:
            return
        store = self.snapshot.stores[before.account_id, before.store]
        self.keep(result.order)
        self.tell(result.event, before=before, after=result.order, store=store)

    def hear(self, update: Update, result: Move) -> None:
        """Notes a newer word of a carrier's that leaves the order where it is."""
        order = result.order
        if update.state is not order.state or order.state not in UNHEARD:
            return
        at = self.now if update.occurred_at is None else min(update.occurred_at, self.now)
        if at > order.state_at and result.verdict not in QUARANTINED:
            self.heard.append(Heard(order.account_id, order.order_id, at))

    def tell(
        self, event: OrderEvent, *, before: Order | None, after: Order, store: StoreRecord
    ) -> None:
        self.events.append(event)
        self.deliveries += fan_out(
            event,
            before=before,
            after=after,
            store=store,
            endpoints=self.snapshot.endpoints.get(after.account_id, ()),
            rooms=self.rooms,
            lease=self._reserve,
        )

    def _reserve(self, endpoint: Endpoint) -> bool:
        if endpoint.state is not EndpointState.ACTIVE or not self.outlet.reserve(endpoint):
            return False
        self.reserved.append(endpoint)
        return True

    # what is not applied

    def quarantine(
        self,
        ref: OrderRef,
        update: Update,
        known: Order | None,
        *,
        verdict: Verdict,
        why: str,
        update_id: str | None = None,
    ) -> None:
        """Keeps an update that is not applied."""
        kept = Quarantined(
            account_id=ref.account_id,
            update_id=update_id or f"{UPDATE}{self.new_id()}",
            verdict=verdict,
            why=why,
            source=update.source,
            store=known.store if known else ref.store,
            order_key=known.order_key if known else ref.order_key,
            order_id=known.order_id if known else None,
            occurred_at=update.occurred_at,
            received_at=self.now,
            update=update,
        )
        self.quarantined[kept.account_id, kept.update_id] = kept

    def orphans_of(self, order: Order) -> Sequence[Quarantined]:
        """The updates that waited for this order, oldest first, those of this transaction too."""
        key = (order.account_id, order.store, order.order_key)
        of_now = [
            kept
            for kept in self.quarantined.values()
            if kept.verdict is Verdict.ORPHAN
            and (kept.account_id, kept.store, kept.order_key) == key
        ]
        return (*self.snapshot.waiting.get(key, ()), *of_now)

    def release(self, orphan: Quarantined, result: Move) -> None:
        """Notes what became of an update that waited for its order."""
        self.quarantined.pop((orphan.account_id, orphan.update_id), None)
        self.released.append(
            msgspec.structs.replace(
                orphan,
                verdict=result.verdict,
                why=result.why,
                order_id=result.order.order_id,
                released_at=self.now,
            )
        )
