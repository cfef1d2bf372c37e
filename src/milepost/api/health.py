"""The routes that whoever watches the process asks, without a key."""

from __future__ import annotations

import asyncio

from milepost.api.answers import Health
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import NotDispatching, StoreError

READY_WITHIN_S = 2.0
CAME_ROUND_WITHIN_S = 30.0
"""How long ago the dispatcher may have looked for what is due; it does so many times a second,
unless the database keeps it waiting."""


async def live(_call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Health("live"))


async def ready(call: Call[Nothing, Nothing]) -> Answer:
    hub = call.hub
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await hub.insights.check()
    except TimeoutError:
        raise StoreError("It does not answer in time") from None
    if hub.dispatches and not hub.dispatcher.works(within_s=CAME_ROUND_WITHIN_S):
        raise NotDispatching
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
        summary="Whether requests can be taken: the database answers, and the dispatcher sends.",
        tag="health",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Health},
        problems=(StoreError, NotDispatching),
        public=True,
    ),
)
