"""What waits in a loop ends when it is ended, in whatever moment it is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from milepost.pacing import Pacing
from milepost.waiting import woken
from tests.flows.house import House, house

MOMENTS = range(6)
"""Turns of the loop between being woken and being ended: being woken takes some of them."""

LONG_S = 60
SOON_S = 10
"""More than any machine takes for it; what does not end is not waited for longer."""


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def _ends(task: asyncio.Task[None]) -> bool:
    done, _ = await asyncio.wait((task,), timeout=SOON_S)
    return bool(done)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_loop_that_is_woken_and_ended_at_once_has_ended(moment: int) -> None:
    async def play() -> None:
        event = asyncio.Event()

        async def loop() -> None:
            while True:
                await woken(event, within_s=LONG_S)
                event.clear()

        task = asyncio.create_task(loop())
        await _turns(5)
        event.set()
        await _turns(moment)
        task.cancel()
        assert await _ends(task)
        assert task.cancelled()

    asyncio.run(play())


def test_it_is_said_whether_it_was_woken_or_the_time_was_over() -> None:
    async def play() -> None:
        event = asyncio.Event()
        assert not await woken(event, within_s=0)
        assert not await woken(event, within_s=0.001)
        asyncio.get_running_loop().call_soon(event.set)
        assert await woken(event, within_s=LONG_S)
        assert await woken(event, within_s=0)

    asyncio.run(play())


@pytest.mark.parametrize("moment", MOMENTS)
def test_pacing_ends_although_something_became_due_in_that_moment(
    tmp_path: Path, moment: int
) -> None:
    async def play(at: House) -> None:
        pacing = Pacing(at.hub.store, steady_s=float, go_on=lambda _: None, holds=lambda: False)
        task = asyncio.create_task(pacing.watch_for_ever())
        await _turns(5)
        pacing.look()
        await _turns(moment)
        task.cancel()
        assert await _ends(task)

    async def inside() -> None:
        async with house(tmp_path, dispatch=False) as at:
            await play(at)

    asyncio.run(inside())


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_goes_on_by_itself_stops_although_it_was_woken_in_that_moment(
    tmp_path: Path, moment: int
) -> None:
    async def play(at: House) -> None:
        hub = at.hub
        loops: tuple[tuple[Callable[[], None], Callable[[], Awaitable[None]]], ...] = (
            (hub.provider.rehearsals.look, hub.provider.rehearsals.stop),
            (hub.silences.look_soon, hub.silences.stop),
        )
        # Until each of them has nothing to do and waits.
        await asyncio.sleep(0.05)
        for wake, stop in loops:
            wake()
            await _turns(moment)
            assert await _ends(asyncio.ensure_future(stop()))

    async def inside() -> None:
        async with house(tmp_path) as at:
            await play(at)

    asyncio.run(inside())
