"""The route from which a receiver reads again what it was to be told, as it was sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from milepost.api.bodies import EARLIEST, ListQuery, in_utc
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import InvalidInput, UnknownRecord
from milepost.insights import QueuedView
from milepost.orders.model import Moment

SETTLES_WITHIN = timedelta(minutes=1)
"""How long after its time a delivery may still appear: a commit takes a moment, clocks differ."""


class QueuedQuery(ListQuery, frozen=True, kw_only=True):
    """What was queued for an endpoint, after a cursor or since a time."""

    since: Annotated[
        Moment, msgspec.Meta(description="Queued since then; a cursor counts instead.")
    ] = EARLIEST


class QueuedDeliveries(msgspec.Struct, frozen=True):
    """What was queued for an endpoint, oldest first, with the bytes as they are sent.

    `next` is where to go on after while there is more. `keep` is where to begin another time, null
    for where this one began: what comes after it may be shown again, and nothing is left out.
    """

    deliveries: list[QueuedView]
    next: str | None
    keep: str | None


async def list_queued(call: Call[QueuedQuery, Nothing]) -> Answer:
    found, following, settled = await call.hub.insights.queued(
        call.account_id,
        call.path["endpoint_id"],
        since=max(in_utc("since", call.query.since), EARLIEST),
        until=call.hub.now() - SETTLES_WITHIN,
        page=call.query.page,
    )
    return Answer(QueuedDeliveries(list(found), following, settled))


ROUTES = (
    Route(
        method="GET",
        path="/v1/endpoints/{endpoint_id}/deliveries",
        act=list_queued,
        name="listQueued",
        summary="Read what was queued for an endpoint, oldest first, as it is sent.",
        tag="deliveries",
        query=QueuedQuery,
        body=Nothing,
        answers={Status.OK: QueuedDeliveries},
        problems=(UnknownRecord, InvalidInput),
    ),
)
