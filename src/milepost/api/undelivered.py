"""The routes that answer what was not delivered."""

from __future__ import annotations

from typing import Annotated

import msgspec

from milepost.api.answers import Deliveries
from milepost.api.bodies import ListQuery
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import InvalidInput, UnknownRecord
from milepost.insights import OrderTruth


class UndeliveredQuery(ListQuery, frozen=True, kw_only=True):
    """What was not delivered, to one endpoint or to all."""

    endpoint: Annotated[str, msgspec.Meta(description="To this endpoint.")] | None = None


async def list_undelivered(call: Call[UndeliveredQuery, Nothing]) -> Answer:
    found, after = await call.hub.insights.undelivered(
        call.account_id, endpoint_id=call.query.endpoint, page=call.query.page
    )
    return Answer(Deliveries(list(found), after))


async def get_truth(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(await call.hub.insights.truth(call.account_id, call.path["order_id"]))


ROUTES = (
    Route(
        method="GET",
        path="/v1/deliveries/undelivered",
        act=list_undelivered,
        name="listUndelivered",
        summary="List what is pending, abandoned or superseded, oldest first.",
        tag="deliveries",
        query=UndeliveredQuery,
        body=Nothing,
        answers={Status.OK: Deliveries},
        problems=(InvalidInput,),
    ),
    Route(
        method="GET",
        path="/v1/orders/{order_id}/truth",
        act=get_truth,
        name="getOrderTruth",
        summary="Read how an order stands, beside what each endpoint last acknowledged.",
        tag="orders",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: OrderTruth},
        problems=(UnknownRecord,),
    ),
)
