"""Two processes that send on one database: each sees half of an endpoint, both keep one record."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.delivery.health import Condition
from milepost.delivery.model import Endpoint, EndpointState, Operational, Reply, Request
from tests.flows.house import ACCOUNT, House, house
from tests.keys import KEY
from tests.postgres.server import new_database


def to(request: Request) -> str:
    return "ep_" + dict(request.headers)["webhook-id"].partition("-ep_")[2][:10]


def news(*houses: House, of: Endpoint) -> list[str]:
    """What the subscriber was told of an endpoint, by whichever process."""
    bodies = [msgspec.json.decode(r.body) for at in houses for r in at.outside.requests]
    told = [b for b in bodies if "subject" in b["data"]]
    return [
        b["type"]
        for b in sorted(told, key=lambda b: b["data"]["sequence"])
        if b["data"]["endpoint"]["endpoint_id"] == of.endpoint_id
    ]


@pytest.mark.parametrize("reply", [500, 410])
def test_what_two_processes_see_of_an_endpoint_is_told_once(tmp_path: Path, reply: int) -> None:
    settings: dict[str, Any] = {"database_url": new_database(), "secret_key": KEY, "poll_s": 0.02}

    async def play() -> None:
        async with house(tmp_path, **settings) as one, house(tmp_path, **settings) as two:
            both = (one, two)
            await one.endpoint(operational=Operational.ONLY)
            ill = await one.endpoint()
            for at in both:
                at.outside.answer = lambda r: Reply(reply if to(r) == ill.endpoint_id else 204)
            await asyncio.gather(
                *(at.order(f"{i} {n}") for n in range(6) for i, at in enumerate(both))
            )
            for _ in range(8):
                await asyncio.sleep(0.05)
                for at in both:
                    await at.hub.health.beat()
                    at.clock.forward(seconds=30)
                    at.hub.dispatcher.look()
            expected = "endpoint.failing" if reply == 500 else "endpoint.paused"
            await one.until(lambda: bool(news(*both, of=ill)))
            await asyncio.sleep(0.1)
            assert news(*both, of=ill) == [expected]
            shown = await two.hub.insights.endpoint(ACCOUNT, ill.endpoint_id)
            if reply == 500:
                assert shown.health.condition is Condition.FAILING
                for at in both:
                    at.outside.answer = lambda _request: Reply(204)
                    at.clock.forward(seconds=30)
                    at.hub.dispatcher.look()
                await one.until(lambda: len(news(*both, of=ill)) == 2)
                assert news(*both, of=ill) == [expected, "endpoint.recovered"]
            else:
                assert shown.state is EndpointState.PAUSED

    asyncio.run(play())
