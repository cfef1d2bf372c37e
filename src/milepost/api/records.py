"""The routes that read orders, deliveries and what was not applied, and send one again."""

from __future__ import annotations

from milepost.api.answers import (
    Deliveries,
    Events,
    FoundOrders,
    Orders,
    Quarantine,
    QueuedDelivery,
    queued,
)
from milepost.api.bodies import (
    DeliveriesQuery,
    EventsQuery,
    FindQuery,
    ListQuery,
    OrdersQuery,
    QuarantineQuery,
)
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import InvalidInput, OrderErased, UnknownRecord
from milepost.insights import DeliveryDetail, OrderView


async def get_order(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(await call.hub.insights.order(call.account_id, call.path["order_id"]))


async def list_orders(call: Call[OrdersQuery, Nothing]) -> Answer:
    found, after = await call.hub.insights.orders(
        call.account_id, wanted=call.query.wanted, page=call.query.page
    )
    return Answer(Orders(list(found), after))


async def find_orders(call: Call[FindQuery, Nothing]) -> Answer:
    found = await call.hub.insights.find_orders(call.account_id, call.query.q)
    return Answer(FoundOrders(list(found)))


async def list_events(call: Call[EventsQuery, Nothing]) -> Answer:
    events, after = await call.hub.insights.history(
        call.account_id,
        call.path["order_id"],
        after=call.query.after,
        limit=call.query.limit,
    )
    return Answer(Events(list(events), after))


async def list_order_deliveries(call: Call[ListQuery, Nothing]) -> Answer:
    found, after = await call.hub.insights.order_deliveries(
        call.account_id, call.path["order_id"], page=call.query.page
    )
    return Answer(Deliveries(list(found), after))


async def list_deliveries(call: Call[DeliveriesQuery, Nothing]) -> Answer:
    found, after = await call.hub.insights.deliveries(
        call.account_id, wanted=call.query.wanted, page=call.query.page
    )
    return Answer(Deliveries(list(found), after))


async def get_delivery(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(await call.hub.insights.delivery(call.account_id, call.path["delivery_id"]))


async def resend_delivery(call: Call[Nothing, Nothing]) -> Answer:
    delivery = await call.hub.operations.resend(call.account_id, call.path["delivery_id"])
    return Answer(queued(delivery), Status.ACCEPTED)


async def list_quarantine(call: Call[QuarantineQuery, Nothing]) -> Answer:
    found, after = await call.hub.insights.quarantine(
        call.account_id, verdict=call.query.verdict, page=call.query.page
    )
    return Answer(Quarantine(list(found), after))


ROUTES = (
    Route(
        method="GET",
        path="/v1/orders",
        act=list_orders,
        name="listOrders",
        summary="List orders, newest first.",
        tag="orders",
        query=OrdersQuery,
        body=Nothing,
        answers={Status.OK: Orders},
        problems=(InvalidInput,),
    ),
    Route(
        method="GET",
        path="/v1/orders/find",
        act=find_orders,
        name="findOrders",
        summary="Find orders by order id, order key, order number or tracking number.",
        tag="orders",
        query=FindQuery,
        body=Nothing,
        answers={Status.OK: FoundOrders},
        problems=(InvalidInput,),
    ),
    Route(
        method="GET",
        path="/v1/orders/{order_id}",
        act=get_order,
        name="getOrder",
        summary="Read an order, and what each contract shows of it.",
        tag="orders",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: OrderView},
        problems=(UnknownRecord,),
    ),
    Route(
        method="GET",
        path="/v1/orders/{order_id}/events",
        act=list_events,
        name="listOrderEvents",
        summary="Read an order's history, oldest first.",
        tag="orders",
        query=EventsQuery,
        body=Nothing,
        answers={Status.OK: Events},
        problems=(UnknownRecord, InvalidInput),
    ),
    Route(
        method="GET",
        path="/v1/orders/{order_id}/deliveries",
        act=list_order_deliveries,
        name="listOrderDeliveries",
        summary="List the deliveries of an order, newest first.",
        tag="orders",
        query=ListQuery,
        body=Nothing,
        answers={Status.OK: Deliveries},
        problems=(UnknownRecord, InvalidInput),
    ),
    Route(
        method="GET",
        path="/v1/deliveries",
        act=list_deliveries,
        name="listDeliveries",
        summary="List deliveries, newest first.",
        tag="deliveries",
        query=DeliveriesQuery,
        body=Nothing,
        answers={Status.OK: Deliveries},
        problems=(InvalidInput,),
    ),
    Route(
        method="GET",
        path="/v1/deliveries/{delivery_id}",
        act=get_delivery,
        name="getDelivery",
        summary="Read a delivery with its body and every attempt.",
        tag="deliveries",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: DeliveryDetail},
        problems=(UnknownRecord,),
    ),
    Route(
        method="POST",
        path="/v1/deliveries/{delivery_id}/resend",
        act=resend_delivery,
        name="resendDelivery",
        summary="Send a settled delivery again, under a new webhook-id.",
        tag="deliveries",
        query=Nothing,
        body=Nothing,
        answers={Status.ACCEPTED: QueuedDelivery},
        problems=(UnknownRecord, OrderErased),
    ),
    Route(
        method="GET",
        path="/v1/quarantine",
        act=list_quarantine,
        name="listQuarantine",
        summary="List the updates that were kept and not applied, newest first.",
        tag="updates",
        query=QuarantineQuery,
        body=Nothing,
        answers={Status.OK: Quarantine},
        problems=(InvalidInput,),
    ),
)
