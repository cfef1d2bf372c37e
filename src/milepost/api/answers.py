"""What goes out over HTTP, as structs; the documentation is made from the same ones."""

from __future__ import annotations

from datetime import datetime

import msgspec

from milepost.api.problems import Problem
from milepost.delivery.model import Delivery, DeliveryState
from milepost.insights import (
    ContractView,
    DeliveryView,
    EndpointView,
    EventView,
    OrderSummary,
    QuarantineView,
    StoreView,
)
from milepost.intake import OrderOutcome
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order


class OrderAnswer(msgspec.Struct, frozen=True, gc=False):
    """What came of one order: `unchanged` when the same content was known already."""

    outcome: OrderOutcome
    order_id: str
    store: str
    order_key: str
    state: State
    sequence: int


class OrderItem(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What came of one order of a batch, by its place in it; a refused one has a `problem`."""

    index: int
    outcome: OrderOutcome
    order_id: str | None = None
    state: State | None = None
    sequence: int | None = None
    problem: Problem | None = None


class OrderResults(msgspec.Struct, frozen=True):
    """What came of each order of a batch, in the same order."""

    results: list[OrderItem]


class UpdateAnswer(msgspec.Struct, frozen=True, gc=False):
    """What was decided of an update, and the order as it stands; nulls while there is no order."""

    verdict: Verdict
    why: str
    order_id: str | None
    store: str | None
    order_key: str | None
    state: State | None
    reason: Reason | None
    sequence: int | None


class UpdateItem(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What was decided of one update of a batch; `allowed` goes with the verdict illegal.

    One that could not be read, or names an order id that is not known, has a `problem` instead.
    """

    index: int
    verdict: Verdict | None = None
    why: str | None = None
    order_id: str | None = None
    state: State | None = None
    sequence: int | None = None
    allowed: tuple[State, ...] | None = None
    problem: Problem | None = None


class UpdateResults(msgspec.Struct, frozen=True):
    """What was decided of each update of a batch, in the same order."""

    results: list[UpdateItem]


class Orders(msgspec.Struct, frozen=True):
    """A page of orders, newest first; `next` is the cursor of the next page, null at the end."""

    orders: list[OrderSummary]
    next: str | None


class FoundOrders(msgspec.Struct, frozen=True):
    """At most 50 orders that were found."""

    orders: list[OrderSummary]


class Events(msgspec.Struct, frozen=True):
    """A page of events, oldest first; `next` is the sequence to go on after, null at the end."""

    events: list[EventView]
    next: int | None


class Deliveries(msgspec.Struct, frozen=True):
    """A page of deliveries, newest first; `next` is the cursor of the next page."""

    deliveries: list[DeliveryView]
    next: str | None


class Quarantine(msgspec.Struct, frozen=True):
    """A page of updates that were kept and not applied; `next` is the cursor of the next page."""

    updates: list[QuarantineView]
    next: str | None


class Stores(msgspec.Struct, frozen=True):
    """The account's stores, by number."""

    stores: list[StoreView]


class Endpoints(msgspec.Struct, frozen=True):
    """The account's endpoints, oldest first."""

    endpoints: list[EndpointView]


class NewEndpoint(msgspec.Struct, frozen=True):
    """The endpoint, and its signing secret, which is never shown again."""

    endpoint: EndpointView
    secret: str

    def __repr__(self) -> str:
        return f"NewEndpoint({self.endpoint.endpoint_id})"


class NewSecret(msgspec.Struct, frozen=True):
    """The endpoint, and its new signing secret, which is never shown again."""

    endpoint: EndpointView
    secret: str

    def __repr__(self) -> str:
        return f"NewSecret({self.endpoint.endpoint_id})"


class DeletedEndpoint(msgspec.Struct, frozen=True):
    """How many pending deliveries were abandoned with the endpoint; its history stays."""

    endpoint_id: str
    abandoned: int


class QueuedDelivery(msgspec.Struct, frozen=True):
    """A delivery that is on its way; read it again to see its attempts."""

    delivery_id: str
    endpoint_id: str
    order_id: str
    sequence: int
    state: DeliveryState
    replay: int
    due_at: datetime | None


class Contracts(msgspec.Struct, frozen=True):
    """Every contract that an endpoint can speak."""

    contracts: list[ContractView]


class Health(msgspec.Struct, frozen=True):
    """That this process runs, or that it can take requests."""

    status: str


def order_answer(outcome: OrderOutcome, order: Order) -> OrderAnswer:
    return OrderAnswer(
        outcome, order.order_id, order.store, order.order_key, order.state, order.sequence
    )


def queued(delivery: Delivery) -> QueuedDelivery:
    return QueuedDelivery(
        delivery_id=delivery.delivery_id,
        endpoint_id=delivery.endpoint_id,
        order_id=delivery.order_id,
        sequence=delivery.sequence,
        state=delivery.state,
        replay=delivery.replay,
        due_at=delivery.due_at,
    )
