"""The routes by which many deliveries are sent again: what would be sent, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec

from milepost.api.bodies import ListQuery, in_utc
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import InvalidInput, TooManyResends, UnknownRecord
from milepost.insights import DeliveryView, delivery_view
from milepost.orders.model import Moment, Name
from milepost.ports.resends import (
    LAST_SEQUENCE,
    Between,
    Choice,
    Failed,
    Latest,
    OfOrder,
    Resend,
    ResendState,
)
from milepost.resends import Forecast

Sequence = Annotated[int, msgspec.Meta(ge=1, le=LAST_SEQUENCE)]


class FailedBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was given up since then; to every endpoint, unless one is named."""

    since: Moment
    endpoint_id: Name | None = None
    dry_run: bool = False

    @property
    def choice(self) -> Choice:
        return Failed(in_utc("since", self.since))


class BetweenBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was queued for an endpoint in a span of time, acknowledged or given up."""

    endpoint_id: Name
    since: Moment
    until: Moment
    dry_run: bool = False

    @property
    def choice(self) -> Choice:
        return Between(in_utc("since", self.since), in_utc("until", self.until))


class OrderRangeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was queued of one order, from one sequence to another; all of it if none is named."""

    order_id: Name
    endpoint_id: Name | None = None
    first: Sequence = 1
    last: Sequence = LAST_SEQUENCE
    dry_run: bool = False

    @property
    def choice(self) -> Choice:
        return OfOrder(self.order_id, self.first, self.last)


class LatestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of each order that has changed since then the newest notification for an endpoint."""

    endpoint_id: Name
    since: Moment
    dry_run: bool = False

    @property
    def choice(self) -> Choice:
        return Latest(in_utc("since", self.since))


Body = FailedBody | BetweenBody | OrderRangeBody | LatestBody


class ResendView(msgspec.Struct, frozen=True):
    """A resend to one endpoint: what was asked for, and how far it has come.

    `examined` counts the deliveries or orders that were looked at, `queued` what is sent again.
    """

    resend_id: str
    endpoint_id: str
    choice: Choice
    state: ResendState
    asked_at: datetime
    examined: int
    queued: int
    finished_at: datetime | None
    why: str


class ForecastView(msgspec.Struct, frozen=True):
    """What would be sent to one endpoint: how many, of which status, and the first of them.

    `pending` are chosen too but on their way already; with `more` there are more than were counted.
    """

    endpoint_id: str
    total: int
    pending: int
    statuses: dict[str, int]
    first: list[DeliveryView]
    more: bool


class Begun(msgspec.Struct, frozen=True):
    """The resends that were begun, or the forecasts of a dry run, one for each endpoint.

    `would_send` is the number of deliveries in all forecasts, null when it was no dry run.
    """

    dry_run: bool
    would_send: int | None
    resends: list[ResendView]
    forecasts: list[ForecastView]


class Resends(msgspec.Struct, frozen=True):
    """A page of resends, newest first; `next` is the cursor of the next page, null at the end."""

    resends: list[ResendView]
    next: str | None


def resend_view(resend: Resend) -> ResendView:
    return ResendView(
        resend_id=resend.resend_id,
        endpoint_id=resend.endpoint_id,
        choice=resend.choice,
        state=resend.state,
        asked_at=resend.asked_at,
        examined=resend.examined,
        queued=resend.queued,
        finished_at=resend.finished_at,
        why=resend.why,
    )


def forecast_view(forecast: Forecast) -> ForecastView:
    return ForecastView(
        endpoint_id=forecast.endpoint_id,
        total=forecast.total,
        pending=forecast.pending,
        statuses=forecast.statuses,
        first=[delivery_view(delivery) for delivery in forecast.first],
        more=forecast.more,
    )


async def begin(call: Call[Nothing, Body]) -> Answer:
    body, resends = call.body, call.hub.resends
    asked = (call.account_id, body.choice)
    if body.dry_run:
        found = await resends.forecast(*asked, endpoint_id=body.endpoint_id)
        forecasts = [forecast_view(one) for one in found]
        return Answer(Begun(True, sum(one.total for one in found), [], forecasts))
    begun = await resends.begin(*asked, endpoint_id=body.endpoint_id)
    views = [resend_view(one) for one in begun]
    return Answer(Begun(False, None, views, []), Status.ACCEPTED)


async def list_resends(call: Call[ListQuery, Nothing]) -> Answer:
    found, after = await call.hub.resends.list(call.account_id, page=call.query.page)
    return Answer(Resends([resend_view(one) for one in found], after))


async def get_resend(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(resend_view(await call.hub.resends.find(call.account_id, call.path["resend_id"])))


async def stop_resend(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(resend_view(await call.hub.resends.stop(call.account_id, call.path["resend_id"])))


def _beginning(path: str, body: type[Any], *, name: str, summary: str) -> Route[Nothing, Any]:
    act: Callable[[Call[Nothing, Any]], Any] = begin
    return Route(
        method="POST",
        path=f"/v1/resends/{path}",
        act=act,
        name=name,
        summary=summary,
        tag="deliveries",
        query=Nothing,
        body=body,
        answers={Status.OK: Begun, Status.ACCEPTED: Begun},
        problems=(UnknownRecord, InvalidInput, TooManyResends),
    )


ROUTES = (
    _beginning(
        "failed",
        FailedBody,
        name="resendFailed",
        summary="Send again what was given up since a time; a dry run counts it.",
    ),
    _beginning(
        "between",
        BetweenBody,
        name="resendBetween",
        summary="Send again what was queued for an endpoint in a span of time.",
    ),
    _beginning(
        "order",
        OrderRangeBody,
        name="resendOrder",
        summary="Send again what was queued of an order, all or a range.",
    ),
    _beginning(
        "latest",
        LatestBody,
        name="resendLatest",
        summary="Send an endpoint the final state of every order changed since a time.",
    ),
    Route(
        method="GET",
        path="/v1/resends",
        act=list_resends,
        name="listResends",
        summary="List resends, newest first.",
        tag="deliveries",
        query=ListQuery,
        body=Nothing,
        answers={Status.OK: Resends},
        problems=(InvalidInput,),
    ),
    Route(
        method="GET",
        path="/v1/resends/{resend_id}",
        act=get_resend,
        name="getResend",
        summary="Read how far a resend has come.",
        tag="deliveries",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: ResendView},
        problems=(UnknownRecord,),
    ),
    Route(
        method="POST",
        path="/v1/resends/{resend_id}/stop",
        act=stop_resend,
        name="stopResend",
        summary="End a resend; what it has queued is sent all the same.",
        tag="deliveries",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: ResendView},
        problems=(UnknownRecord,),
    ),
)
