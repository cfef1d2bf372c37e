"""The routes that whoever watches the process asks, without a key."""

from __future__ import annotations

import asyncio

from milepost.api.answers import Health
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import StoreError

READY_WITHIN_S = 2.0


async def live(_call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Health("live"))


async def ready(call: Call[Nothing, Nothing]) -> Answer:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await call.hub.insights.check()
    except TimeoutError:
        raise StoreError("It does not answer in time") from None
    return Answer(Health("ready"))


ROUTES = (
    Route(
        method="GET",
        path="/livez",
        act=live,
        name="live",
        summary="Whether this process runs.",
        tag="health",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Health},
        public=True,
    ),
    Route(
        method="GET",
        path="/readyz",
        act=ready,
        name="ready",
        summary="Whether requests can be taken: the database answers.",
        tag="health",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Health},
        problems=(StoreError,),
        public=True,
    ),
)
