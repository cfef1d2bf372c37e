"""Reads for every door: by account, as views, and the same answer for what is another's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from milepost.contracts.contract import Contract
from milepost.delivery.health import Health
from milepost.delivery.model import Attempt, Delivery, Endpoint, delivery_id, read_delivery_id
from milepost.errors import UnknownRecord
from milepost.insights.endpoint_views import EndpointView, endpoint_view
from milepost.insights.life import OrderLife, endpoint_names, order_life
from milepost.insights.sent import SentView, sent_view
from milepost.insights.truth import OrderTruth, order_truth
from milepost.insights.views import (
    ContractView,
    DeliveryDetail,
    DeliveryView,
    EventView,
    OrderSummary,
    OrderView,
    QuarantineView,
    QueuedView,
    StoreView,
    attempt_view,
    contract_view,
    delivery_detail,
    delivery_view,
    event_view,
    order_summary,
    order_view,
    quarantine_view,
    queued_view,
    store_view,
)
from milepost.orders.events import Verdict
from milepost.ports import Counts, DeliveryFilter, OrderFilter, OrderRef, Page, Quarantined, Store
from milepost.ports.upkeep import ErasedBody


class Insights:
    """What an account may see; every method may raise StoreError.

    Lists come newest first with the cursor of the next page, None at the end; a cursor that no
    page gave raises InvalidInput.
    """

    def __init__(self, store: Store, *, rooms: Mapping[str, Contract]) -> None:
        self._store = store
        self._rooms = rooms
        self._checking: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Raises StoreError when the database does not answer.

        It is asked once for all who ask at the same time: anybody may.
        """
        checking = self._checking
        if checking is None or checking.done():
            checking = self._checking = asyncio.create_task(self._check())
            # Whoever asked may have gone by the time that it fails.
            checking.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(checking)

    async def _check(self) -> None:
        await self._store.keys("")

    async def counts(self, account_id: str | None = None) -> Counts:
        """How much there is of what; reads whole tables."""
        return await self._store.counts(account_id)

    # orders

    async def order(self, account_id: str, order_id: str) -> OrderView:
        """Raises UnknownRecord."""
        order = await self._store.order(OrderRef(account_id, order_id=order_id))
        return order_view(order, rooms=self._rooms)

    async def find_orders(self, account_id: str, text: str) -> Sequence[OrderSummary]:
        """At most 50 orders with this order id, order key, order number or tracking number."""
        return [order_summary(o) for o in await self._store.find_orders(account_id, text)]

    async def orders(
        self, account_id: str, *, wanted: OrderFilter, page: Page
    ) -> tuple[Sequence[OrderSummary], str | None]:
        """A page of orders."""
        orders, after = await self._store.orders(account_id, wanted=wanted, page=page)
        return [order_summary(o) for o in orders], after

    async def history(
        self, account_id: str, order_id: str, *, after: int = 0, limit: int = 100
    ) -> tuple[Sequence[EventView], int | None]:
        """An order's events after this sequence, oldest first, and where the next page begins.

        Raises UnknownRecord.
        """
        await self._store.order(OrderRef(account_id, order_id=order_id))
        events = await self._store.history(account_id, order_id, after=after, limit=limit + 1)
        more = events[limit - 1].sequence if len(events) > limit else None
        return [event_view(e) for e in events[:limit]], more

    async def quarantine(
        self, account_id: str, *, verdict: Verdict | None, page: Page
    ) -> tuple[Sequence[QuarantineView], str | None]:
        """A page of updates that were kept and not applied."""
        kept, after = await self._store.quarantine(account_id, verdict=verdict, page=page)
        return [quarantine_view(k) for k in kept], after

    async def life(
        self, account_id: str, order_id: str, *, until: int | None = None, limit: int = 100
    ) -> OrderLife:
        """An order with its latest events up to this sequence, in five reads.

        Raises UnknownRecord.
        """
        return await order_life(
            self._store, account_id, order_id, rooms=self._rooms, until=until, limit=limit
        )

    async def kept(self, account_id: str, update_id: str) -> Quarantined:
        """An update that was not applied, as it came. Raises UnknownRecord."""
        return await self._store.kept(account_id, update_id)

    # stores and endpoints

    async def store(self, account_id: str, store: str) -> StoreView:
        """Raises UnknownRecord."""
        for known in await self._store.stores(account_id):
            if known.store == store:
                return store_view(known)
        raise UnknownRecord

    async def stores(self, account_id: str) -> Sequence[StoreView]:
        """The account's stores, by number."""
        return [store_view(s) for s in await self._store.stores(account_id)]

    async def endpoint(self, account_id: str, endpoint_id: str) -> EndpointView:
        """Raises UnknownRecord."""
        endpoint = await self._store.endpoint(account_id, endpoint_id)
        return await self.shown(endpoint)

    async def shown(self, endpoint: Endpoint) -> EndpointView:
        """An endpoint that was just read or changed, and how it is doing."""
        records = await self._store.health(endpoint.account_id)
        return self._shown(endpoint, health=records)

    def _shown(self, endpoint: Endpoint, *, health: Mapping[str, Health]) -> EndpointView:
        room = self._rooms[endpoint.contract]
        record = health.get(endpoint.endpoint_id, Health())
        return endpoint_view(endpoint, room=room, health=record)

    async def endpoints(self, account_id: str) -> Sequence[EndpointView]:
        """The account's endpoints, oldest first."""
        found = await self._store.endpoints(account_id)
        records = await self._store.health(account_id)
        return [self._shown(endpoint, health=records) for endpoint in found]

    async def endpoint_names(self, account_id: str) -> Mapping[str, str]:
        """What people call each endpoint, by its id."""
        return endpoint_names(await self._store.endpoints(account_id))

    def contracts(self) -> Sequence[ContractView]:
        """Every contract that an endpoint can speak."""
        return [contract_view(room) for room in self._rooms.values()]

    # deliveries

    async def deliveries(
        self, account_id: str, *, wanted: DeliveryFilter, page: Page
    ) -> tuple[Sequence[DeliveryView], str | None]:
        """A page of deliveries."""
        found, after = await self._store.deliveries(account_id, wanted=wanted, page=page)
        return [delivery_view(d) for d in found], after

    async def order_deliveries(
        self, account_id: str, order_id: str, *, page: Page
    ) -> tuple[Sequence[DeliveryView], str | None]:
        """A page of one order's deliveries. Raises UnknownRecord."""
        await self._store.order(OrderRef(account_id, order_id=order_id))
        return await self.deliveries(
            account_id, wanted=DeliveryFilter(order_id=order_id), page=page
        )

    async def undelivered(
        self, account_id: str, *, page: Page, endpoint_id: str | None = None
    ) -> tuple[Sequence[DeliveryView], str | None]:
        """A page of what is pending, abandoned or superseded, oldest first."""
        found, after = await self._store.undelivered(account_id, endpoint_id=endpoint_id, page=page)
        return [delivery_view(d) for d in found], after

    async def queued(
        self, account_id: str, endpoint_id: str, *, since: datetime, until: datetime, page: Page
    ) -> tuple[Sequence[QueuedView], str | None, str | None]:
        """A page of what was queued for an endpoint since then with its bytes, oldest first.

        With it the cursor of the next page, and the last place on this one that lies before
        `until`. Raises UnknownRecord.
        """
        await self._store.endpoint(account_id, endpoint_id)
        found = await self._store.queued(
            account_id, endpoint_id, since=since, until=until, page=page
        )
        return [queued_view(q) for q in found.items], found.following, found.settled

    async def truth(self, account_id: str, order_id: str) -> OrderTruth:
        """How an order stands, beside what each endpoint knows of it. Raises UnknownRecord."""
        order = await self._store.order(OrderRef(account_id, order_id=order_id))
        endpoints = await self._store.endpoints(account_id)
        told = await self._store.told(account_id, order_id)
        return order_truth(order, endpoints, told, rooms=self._rooms)

    async def delivery(self, account_id: str, name: str) -> DeliveryDetail:
        """A delivery by the name of any of its replays, with its bytes and all its attempts.

        Raises UnknownRecord.
        """
        delivery, body, erased, attempts = await self._delivery(account_id, name)
        made = [attempt_view(attempt) for attempt in attempts]
        return delivery_detail(delivery, body=body, erased=erased, attempts=made)

    async def sent(
        self, account_id: str, name: str, *, user_agent: str
    ) -> tuple[DeliveryDetail, Sequence[SentView], str | None]:
        """A delivery, each attempt with its headers as sent, and how the endpoint is called.

        The name is None once the endpoint is gone. Raises UnknownRecord.
        """
        delivery, body, erased, attempts = await self._delivery(account_id, name)
        endpoint: Endpoint | None = None
        with suppress(UnknownRecord):
            endpoint = await self._store.endpoint(account_id, delivery.endpoint_id)
        made = [
            sent_view(
                delivery,
                attempt,
                body=body,
                erased=erased,
                endpoint=endpoint,
                rooms=self._rooms,
                user_agent=user_agent,
            )
            for attempt in attempts
        ]
        shown = delivery_detail(delivery, body=body, erased=erased, attempts=list(made))
        called = None if endpoint is None else endpoint_names([endpoint])[endpoint.endpoint_id]
        return shown, made, called

    async def _delivery(
        self, account_id: str, name: str
    ) -> tuple[Delivery, bytes, ErasedBody | None, Sequence[Attempt]]:
        named = read_delivery_id(name)
        if named is None:
            raise UnknownRecord
        order_id, sequence, endpoint_id = named
        delivery, body = await self._store.delivery(account_id, endpoint_id, order_id, sequence)
        names = (
            delivery_id(order_id, sequence, endpoint_id, replay=replay)
            for replay in range(delivery.replay + 1)
        )
        if name not in names:
            raise UnknownRecord
        attempts = await self._store.attempts(account_id, endpoint_id, order_id, sequence)
        erased = None
        if not body:
            erased = await self._store.erased_body(account_id, endpoint_id, order_id, sequence)
        return delivery, body, erased, attempts
