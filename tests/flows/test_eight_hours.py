"""A ShipMonk receiver that is down for hours loses nothing; one that stays down is given up."""

from __future__ import annotations

import asyncio
from pathlib import Path

from milepost.delivery.model import DeliveryState, Reply, Request
from milepost.orders.lifecycle import State
from milepost.ports import DeliveryFilter, Page
from tests.flows.house import ACCOUNT, House, house

S = State
LIFE = (S.SUBMITTED, S.PICKING, S.PACKED, S.SHIPPED, S.IN_TRANSIT, S.DELIVERED)
RETRIES = 100


async def after_five_minutes(here: House, *, times: int) -> None:
    """So often the next attempt becomes due, is made and is settled."""
    for _ in range(times):
        # An attempt that is settled after the clock was moved would be retried by the later time.
        await here.until(lambda: not here.hub.dispatcher.on_wire)
        before = len(here.outside.requests)
        # A little more than five minutes, because of the jitter.
        here.clock.forward(seconds=331)
        await here.until(lambda before=before: len(here.outside.requests) > before)  # type: ignore[misc]
    await here.until(lambda: not here.hub.dispatcher.on_wire)


def test_an_endpoint_that_answers_500_for_eight_hours_gets_everything_once_and_in_order(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with house(tmp_path) as here:
            down = True
            here.outside.answer = lambda _request: Reply(500 if down else 200)
            await here.endpoint("shipmonk", schedule="fixed-100x5m")
            await here.order("A-1")
            await here.live("A-1", LIFE)
            await here.until(lambda: bool(here.outside.requests))
            await after_five_minutes(here, times=87)
            assert len({r.body for r in here.outside.requests}) == 1
            failed = len(here.outside.requests)
            assert failed >= 87
            down = False
            here.clock.forward(seconds=331)
            await here.quiet()
            received = here.outside.requests[failed:]
            names = [dict(r.headers)["webhook-id"] for r in received]
            assert len(names) == len(set(names)) == 1 + len(LIFE)
            order = [int(dict(r.headers)["milepost-sequence"]) for r in received]
            assert order == sorted(order)

    asyncio.run(story())


def test_101_failures_abandon_the_delivery_and_the_operator_sends_it_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with house(tmp_path) as here:
            answers = {"status": 500}

            def answer(_request: Request) -> Reply:
                return Reply(answers["status"])

            here.outside.answer = answer
            await here.endpoint("shipmonk", schedule="fixed-100x5m")
            await here.order("A-1")
            await here.until(lambda: bool(here.outside.requests))
            await after_five_minutes(here, times=RETRIES)
            await here.quiet()
            assert len(here.outside.requests) == RETRIES + 1
            wanted = DeliveryFilter(state=DeliveryState.ABANDONED)
            (given_up,), _ = await here.hub.store.deliveries(ACCOUNT, wanted=wanted, page=Page())
            assert given_up.attempts == RETRIES + 1
            answers["status"] = 200
            await here.hub.operations.resend(ACCOUNT, given_up.delivery_id)
            await here.quiet()
            last = dict(here.outside.requests[-1].headers)
            assert last["webhook-id"] == f"{given_up.delivery_id}-r1"
            assert last["milepost-replay"] == "1"
            assert here.outside.requests[-1].body == here.outside.requests[0].body

    asyncio.run(story())
