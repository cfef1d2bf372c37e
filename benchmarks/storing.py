"""New orders and their deliveries, ready for a store: nothing is decoded, decided or sent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import uvloop

from benchmarks.hub import environment_of
from benchmarks.orders import order_json
from milepost.contracts import ROOMS
from milepost.contracts.fanout import fan_out
from milepost.delivery.model import Endpoint, NewDelivery
from milepost.orders.events import EventType, OrderEvent
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, OrderContent
from milepost.orders.model import Store as StoreRecord
from milepost.ports import Changes, OrderRef, Snapshot, Store
from milepost.settings import read_settings
from milepost.wiring import Ulids, build

T = TypeVar("T")
Batch = tuple[Sequence[OrderRef], Changes]
BATCH = 100

_with = msgspec.structs.replace


class _Told(OrderContent, frozen=True):
    store: str = ""
    order_key: str = ""


def at_store(database_url: str, doing: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    """What comes of doing something at the store of this database, which it opens and closes."""

    async def run() -> T:
        hub = build(read_settings(environment_of(database_url)))
        await hub.open(dispatch=False)
        try:
            return await doing(hub.store)
        finally:
            await hub.close()

    return uvloop.run(run())


class Orders:
    """Batches of new orders of a store and the deliveries that these endpoints are owed.

    One batch is made by the rules and then copied under other names: copying is not what is
    measured.
    """

    def __init__(
        self, store: StoreRecord, endpoints: Sequence[Endpoint], *, now: datetime, lease: bool
    ) -> None:
        self._ulid = Ulids()
        self._account_id = endpoints[0].account_id
        self._store = store.store
        self._made: list[tuple[Order, OrderEvent, list[NewDelivery]]] = []
        for number in range(BATCH):
            order = self._order(number, now=now)
            event = _event(order, now=now)
            deliveries = fan_out(
                event,
                before=None,
                after=order,
                store=store,
                endpoints=endpoints,
                rooms=ROOMS,
                lease=lambda _: lease,
            )
            self._made.append((order, event, deliveries))

    def batch(self, most: int = BATCH) -> Batch:
        """The next orders, at most so many."""
        refs, created, events, deliveries = [], [], [], []
        for order, event, owed in self._made[:most]:
            ulid = self._ulid()
            order_id, key = f"ord_{ulid}", ulid.upper()
            created.append(_with(order, order_id=order_id, order_key=key))
            events.append(_with(event, order_id=order_id))
            deliveries += [_with(delivery, order_id=order_id) for delivery in owed]
            refs.append(OrderRef(self._account_id, store=self._store, order_key=key))
        return refs, Changes(created=created, events=events, deliveries=deliveries)

    def _order(self, number: int, *, now: datetime) -> Order:
        told = msgspec.json.decode(order_json(number), type=_Told)
        fields = OrderContent.__struct_fields__
        return Order(
            account_id=self._account_id,
            order_id=f"ord_{self._ulid()}",
            store=self._store,
            order_key=told.order_key,
            state=State.CREATED,
            state_at=now,
            sequence=1,
            created_at=now,
            updated_at=now,
            content=OrderContent(**{name: getattr(told, name) for name in fields}),
        )


def gives(changes: Changes) -> Callable[[Snapshot], Changes]:
    """Decides on these, whatever it is shown."""
    return lambda _: changes


def _event(order: Order, *, now: datetime) -> OrderEvent:
    return OrderEvent(
        account_id=order.account_id,
        order_id=order.order_id,
        sequence=1,
        type=EventType.CREATED,
        state=order.state,
        previous_state=None,
        source="bench",
        occurred_at=now,
        received_at=now,
    )


def store_of(stores: Sequence[StoreRecord], name: str) -> StoreRecord:
    """The one of this name."""
    found: Mapping[str, StoreRecord] = {store.store: store for store in stores}
    return found[name]
