"""An order's life in one read: how it stands, what happened, and what each endpoint knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from milepost.contracts.contract import Contract
from milepost.delivery.model import Endpoint
from milepost.insights.truth import OrderTruth, order_truth
from milepost.insights.views import (
    EventView,
    OrderView,
    QuarantineView,
    View,
    event_view,
    order_view,
    quarantine_view,
)
from milepost.ports import OrderRef, Store

MOST_KEPT = 50
"""Updates of an order that were not applied: the latest so many are shown with it."""


class OrderLife(View, frozen=True):
    """An order, its latest events up to one, oldest first, and what of it was not applied.

    `earlier` is whether there are events before the first one; `names` is how each endpoint is
    called for people.
    """

    order: OrderView
    truth: OrderTruth
    events: list[EventView]
    earlier: bool
    kept: list[QuarantineView]
    names: dict[str, str]


async def order_life(
    store: Store,
    account_id: str,
    order_id: str,
    *,
    rooms: Mapping[str, Contract],
    until: int | None,
    limit: int,
) -> OrderLife:
    """Five reads, whatever the order has been through. Raises UnknownRecord."""
    order = await store.order(OrderRef(account_id, order_id=order_id))
    endpoints = await store.endpoints(account_id)
    told = await store.told(account_id, order_id)
    last = order.sequence if until is None else min(until, order.sequence)
    after = max(0, last - limit)
    events = await store.history(account_id, order_id, after=after, limit=last - after)
    kept = await store.kept_of_order(account_id, order_id, limit=MOST_KEPT)
    return OrderLife(
        order=order_view(order, rooms=rooms),
        truth=order_truth(order, endpoints, told, rooms=rooms),
        events=[event_view(event) for event in events],
        earlier=after > 0,
        kept=[quarantine_view(one) for one in kept],
        names=endpoint_names(endpoints),
    )


def endpoint_names(endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """What people call each endpoint: its description, else where it is."""
    return {e.endpoint_id: e.description or urlsplit(e.url).netloc for e in endpoints}


def changed_since(endpoint: Endpoint, moment: datetime) -> datetime | None:
    """When an endpoint was changed after this moment; None when it is as it was then."""
    return endpoint.updated_at if endpoint.updated_at > moment else None
