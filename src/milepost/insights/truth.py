"""An order as it is, beside what each endpoint has acknowledged of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from milepost.contracts.contract import Contract
from milepost.delivery.model import DeliveryState, Endpoint, EndpointState
from milepost.insights.views import DeliveryView, View, delivery_view
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order
from milepost.ports.answers import Told


class Standing(StrEnum):
    """Whether an endpoint knows how an order stands.

    up_to_date: the last that it acknowledged is the newest that there is for it. on_its_way:
    something is pending. behind: the newest was given up, or an earlier one was acknowledged after
    it. not_told: nothing was ever queued for it.
    """

    UP_TO_DATE = "up_to_date"
    ON_ITS_WAY = "on_its_way"
    BEHIND = "behind"
    NOT_TOLD = "not_told"


class AcknowledgedView(View, frozen=True):
    """What an endpoint acknowledged last, and when that attempt began."""

    sequence: int
    status: str
    at: datetime


class EndpointTruth(View, frozen=True):
    """What one endpoint knows of an order; `shows` is what its contract would call it now.

    `subscribed` is whether it would be notified of that. Counts are of deliveries; `waits_since`
    is when the oldest that is pending was queued.
    """

    endpoint_id: str
    contract: str
    state: EndpointState
    shows: str
    subscribed: bool
    standing: Standing
    acknowledged: AcknowledgedView | None
    newest: DeliveryView | None
    pending: int
    abandoned: int
    superseded: int
    waits_since: datetime | None


class OrderTruth(View, frozen=True):
    """How an order stands, and of each endpoint that wants it or was told of it what it knows."""

    order_id: str
    store: str
    order_key: str
    state: State
    reason: Reason | None
    state_at: datetime
    sequence: int
    endpoints: list[EndpointTruth]


def order_truth(
    order: Order,
    endpoints: Sequence[Endpoint],
    told: Sequence[Told],
    *,
    rooms: Mapping[str, Contract],
) -> OrderTruth:
    by_endpoint = {one.newest.endpoint_id: one for one in told}
    return OrderTruth(
        order_id=order.order_id,
        store=order.store,
        order_key=order.order_key,
        state=order.state,
        reason=order.reason,
        state_at=order.state_at,
        sequence=order.sequence,
        endpoints=[
            _truth_at(endpoint, by_endpoint.get(endpoint.endpoint_id), shows=shows, order=order)
            for endpoint in endpoints
            for shows in (rooms[endpoint.contract].status(order),)
            if endpoint.endpoint_id in by_endpoint or _wants_store(endpoint, order.store)
        ],
    )


def _wants_store(endpoint: Endpoint, store: str) -> bool:
    return msgspec.structs.replace(endpoint, statuses=None).wants(store=store, status="")


def _truth_at(endpoint: Endpoint, told: Told | None, *, shows: str, order: Order) -> EndpointTruth:
    acknowledged = None if told is None else told.acknowledged
    return EndpointTruth(
        endpoint_id=endpoint.endpoint_id,
        contract=endpoint.contract,
        state=endpoint.state,
        shows=shows,
        subscribed=endpoint.wants(store=order.store, status=shows),
        standing=standing_of(told),
        acknowledged=None
        if acknowledged is None
        else AcknowledgedView(acknowledged.sequence, acknowledged.status, acknowledged.at),
        newest=None if told is None else delivery_view(told.newest),
        pending=0 if told is None else told.pending,
        abandoned=0 if told is None else told.abandoned,
        superseded=0 if told is None else told.superseded,
        waits_since=None if told is None else told.waits_since,
    )


def standing_of(told: Told | None) -> Standing:
    """What an endpoint knows, by what was queued for it."""
    if told is None:
        return Standing.NOT_TOLD
    if told.pending:
        return Standing.ON_ITS_WAY
    received = told.newest.state is DeliveryState.ACKNOWLEDGED and (
        told.acknowledged is None or told.acknowledged.sequence == told.newest.sequence
    )
    return Standing.UP_TO_DATE if received else Standing.BEHIND
