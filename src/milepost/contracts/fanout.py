"""Which endpoints are told of an event, and the bytes that each is sent.

It stands with the contracts and not with delivery, because only a contract knows what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from milepost.contracts.contract import Contract, Notice, Words, read_as
from milepost.delivery.model import BacklogPolicy, Body, Endpoint, NewDelivery
from milepost.orders.events import OrderEvent
from milepost.orders.model import Order, Store


def fan_out(
    event: OrderEvent,
    *,
    before: Order | None,
    after: Order,
    store: Store,
    endpoints: Sequence[Endpoint],
    rooms: Mapping[str, Contract],
    lease: Callable[[Endpoint], bool],
) -> list[NewDelivery]:
    """The deliveries of one event: for each endpoint whose contract shows something new.

    Endpoints that speak alike (same contract, same options) share one body. Of a fake order nobody
    is told but in the contract whose test mode made it. `lease` says whether this process could
    send to the endpoint at once.
    """
    deliveries: list[NewDelivery] = []
    news: dict[str, str | None] = {}
    bodies: dict[tuple[str, bytes], Body] = {}
    others: Mapping[str, Words] | None = None
    for endpoint in endpoints:
        room = rooms[endpoint.contract]
        if room.name not in news:
            news[room.name] = _news(room, before=before, after=after)
        status = news[room.name]
        if status is None or not endpoint.wants(store=after.store, status=status):
            continue
        if after.fake and room.name not in after.content.extensions:
            continue
        key = (room.name, endpoint.options)
        body = bodies.get(key)
        if body is None:
            if room.shows_others and others is None:
                others = {n: r.words(after) for n, r in rooms.items() if n != room.name}
            notice = Notice(after, event, store, (others or {}) if room.shows_others else {})
            body = room.body(notice, read_as(room.options, endpoint.options))
            bodies[key] = body
        deliveries.append(
            NewDelivery(
                endpoint=endpoint,
                order_id=after.order_id,
                sequence=event.sequence,
                status=status,
                body=body,
                lease=lease(endpoint),
                supersedes=(
                    endpoint.backlog_policy is BacklogPolicy.LATEST and room.latest_suffices
                ),
            )
        )
    return deliveries


def _news(room: Contract, *, before: Order | None, after: Order) -> str | None:
    """The word that the contract would send, or None when what it shows has not changed."""
    status = room.status(after)
    if status not in room.sends:
        return None
    shown_before: Hashable = None if before is None else room.shown(before)
    return status if before is None or shown_before != room.shown(after) else None
