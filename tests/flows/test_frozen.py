"""A process that was stopped for longer than its leases sends nothing that others may have sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from milepost.delivery.model import Attempt, Claimed, Outcome, Reply
from milepost.delivery.outcome import Acknowledge, Retry, Step
from milepost.errors import StoreError
from milepost.orders.lifecycle import State
from milepost.ports import Lease, Settlement
from tests.flows.house import House, house

SOMEONE = "someone"
NEVER_S = 1_000.0
"""Between two looks for what is due, in seconds that really pass: only a test calls for one."""


def theirs(at: House) -> Lease:
    return Lease(SOMEONE, at.clock() + timedelta(seconds=60))


async def claimed_by_another(at: House) -> Sequence[Claimed]:
    """What another process takes over now."""
    return await at.hub.store.claim(
        lease=theirs(at), now=at.clock(), held={}, room=1_000, limit=1_000
    )


async def settled_by_another(at: House, claimed: Claimed, step: Step) -> Sequence[Claimed]:
    ok = isinstance(step, Acknowledge)
    outcome = Outcome.ACKNOWLEDGED if ok else Outcome.SERVER_ERROR
    attempt = Attempt(claimed.attempts + 1, claimed.replay, at.clock(), 1.0, outcome, 200)
    return await at.hub.store.settle(
        [Settlement(claimed, attempt, step)], lease=theirs(at), now=at.clock()
    )


def stop_claiming(at: House) -> Callable[[], None]:
    """As a stopped process does; what is returned lets it go on, and look at once."""
    claim, stopped = at.hub.store.claim, True

    async def claim_unless_stopped(
        *, lease: Lease, now: datetime, held: Mapping[str, int], room: int, limit: int
    ) -> Sequence[Claimed]:
        if stopped and lease.owner != SOMEONE:
            return ()
        return await claim(lease=lease, now=now, held=held, room=room, limit=limit)

    def go_on() -> None:
        nonlocal stopped
        stopped = False
        at.hub.dispatcher.look()

    at.hub.store.claim = claim_unless_stopped  # type: ignore[method-assign]
    return go_on


def sent(at: House) -> list[tuple[str, str]]:
    return list(
        zip(
            at.outside.header("milepost-order"), at.outside.header("milepost-sequence"), strict=True
        )
    )


async def one_on_the_wire_and_one_waiting(at: House) -> tuple[str, str]:
    """The orders of both; the endpoint takes one request at a time, and does not answer."""
    await at.endpoint(concurrency=1)
    at.outside.answer = lambda _request: None
    orders = await at.order("1"), await at.order("2")
    await at.until(lambda: len(at.outside.hanging) == 1)
    at.outside.answer = lambda _request: Reply(204)
    return orders


def test_a_head_that_another_process_has_taken_over_is_dropped_and_not_sent(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path, poll_s=NEVER_S) as at:
            first, second = await one_on_the_wire_and_one_waiting(at)
            stop_claiming(at)
            at.clock.forward(seconds=61)
            taken = await claimed_by_another(at)
            assert {claimed.order_id for claimed in taken} == {first, second}
            for claimed in taken:
                await settled_by_another(at, claimed, Acknowledge())
            at.outside.hanging.pop()(Reply(204))
            await at.until(lambda: not at.hub.dispatcher._held)
            assert sent(at) == [(first, "1")]
            # And the lane is as good as any other afterwards.
            await at.update("2", State.SUBMITTED)
            await at.quiet()
            assert sent(at) == [(first, "1"), (second, "2")]

    asyncio.run(play())


def test_a_head_that_nobody_has_taken_over_is_sent_once_it_is_confirmed(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, poll_s=NEVER_S) as at:
            first, second = await one_on_the_wire_and_one_waiting(at)
            at.clock.forward(seconds=61)
            at.outside.hanging.pop()(Reply(204))
            await at.quiet()
            assert sent(at) == [(first, "1"), (second, "1")]
            assert not await claimed_by_another(at)

    asyncio.run(play())


def test_while_the_database_cannot_say_whose_a_head_is_it_waits(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, poll_s=NEVER_S) as at:
            first, second = await one_on_the_wire_and_one_waiting(at)
            at.clock.forward(seconds=61)
            asked = 0
            confirm = at.hub.store.confirm

            async def away(claimed: Sequence[Claimed], *, lease: Lease) -> Sequence[Claimed]:
                nonlocal asked
                asked += 1
                if asked == 1:
                    raise StoreError("away")
                return await confirm(claimed, lease=lease)

            at.hub.store.confirm = away  # type: ignore[method-assign]
            at.outside.hanging.pop()(Reply(204))
            await at.until(lambda: asked == 1)
            assert sent(at) == [(first, "1")]
            await at.quiet()
            assert sent(at) == [(first, "1"), (second, "1")]

    asyncio.run(play())


def test_what_is_claimed_of_a_lane_while_an_old_head_is_on_the_wire_goes_out_after_it(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with house(tmp_path, poll_s=NEVER_S) as at:
            await at.endpoint()
            at.outside.answer = lambda _request: None
            order = await at.order("1")
            await at.update("1", State.SUBMITTED)
            await at.until(lambda: len(at.outside.hanging) == 1)
            go_on = stop_claiming(at)
            at.clock.forward(seconds=61)
            (head,) = await claimed_by_another(at)
            (following,) = await settled_by_another(at, head, Acknowledge())
            due = at.clock() + timedelta(seconds=5)
            await settled_by_another(at, following, Retry(due))
            at.clock.forward(seconds=5)
            go_on()
            await at.until(lambda: bool(at.hub.dispatcher._holding._later))
            assert sent(at) == [(order, "1")]
            at.outside.answer = lambda _request: Reply(204)
            at.outside.hanging.pop()(Reply(204))
            await at.quiet()
            assert sent(at) == [(order, "1"), (order, "2")]
            assert at.outside.header("milepost-attempt") == ["1", "2"]
            await at.until(lambda: not at.hub.dispatcher._held)

    asyncio.run(play())
