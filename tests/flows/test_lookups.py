"""What a secret opens is looked up once for all who ask, and only so often for nothing."""

from __future__ import annotations

import asyncio

import pytest

from milepost.errors import RateLimited, StoreError
from milepost.lookups import MOST_REMEMBERED, MOST_UNKNOWN_PER_S, REMEMBERED_S, Lookups
from tests.played import played

MANY = MOST_UNKNOWN_PER_S * 3


class Desk:
    """Lookups by a clock of the test, of what is in `things`; a look ends when the gate is open."""

    def __init__(self) -> None:
        self.at = 100.0
        self.things = {"known": "thing"}
        self.looked: list[str] = []
        self.before: list[str | None] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.lookups: Lookups[str] = Lookups(named="things", clock=lambda: self.at)

    async def find(self, digest: str) -> str | None:
        async def look(before: str | None) -> str | None:
            self.looked.append(digest)
            self.before.append(before)
            found = self.things.get(digest)
            await self.gate.wait()
            if found == "trouble":
                raise StoreError("the disk is gone")
            return found

        return await self.lookups.find(digest, look)


@played
async def test_hundreds_who_ask_at_once_for_the_same_share_a_look_and_none_is_refused() -> None:
    desk = Desk()
    for _ in range(2):
        found = await asyncio.gather(*(desk.find("known") for _ in range(MANY)))
        assert found == ["thing"] * MANY
        desk.at += REMEMBERED_S
    assert desk.looked == ["known", "known"]
    assert desk.before == [None, "thing"]


@played
async def test_what_nobody_knows_is_looked_up_so_often_a_second_and_hurts_nothing_known() -> None:
    desk = Desk()
    await desk.find("known")
    for number in range(MOST_UNKNOWN_PER_S):
        assert await desk.find(f"guess {number}") is None
    with pytest.raises(RateLimited, match="unknown things"):
        await desk.find("another guess")
    desk.at += 0.5
    assert await desk.find("known") == "thing"
    with pytest.raises(RateLimited):
        await desk.find("another guess")
    desk.at += 0.5
    assert await desk.find("another guess") is None


@played
async def test_what_was_taken_away_is_not_found_after_the_time_that_it_is_remembered() -> None:
    desk = Desk()
    await desk.find("known")
    desk.things.clear()
    assert await desk.find("known") == "thing"
    desk.at += REMEMBERED_S
    assert await desk.find("known") is None


@played
async def test_a_look_that_began_before_everything_was_forgotten_is_not_remembered() -> None:
    desk = Desk()
    desk.gate.clear()
    asking = asyncio.create_task(desk.find("known"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert desk.looked == ["known"]
    desk.things["known"] = "changed"
    desk.lookups.forget()
    desk.gate.set()
    assert await asking == "thing"
    assert await desk.find("known") == "changed"


@played
async def test_an_error_reaches_all_who_share_the_look_and_the_next_one_looks_again() -> None:
    desk = Desk()
    desk.things["known"] = "trouble"
    desk.gate.clear()
    asking = [asyncio.create_task(desk.find("known")) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    desk.gate.set()
    gone, *told = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(gone, asyncio.CancelledError)
    assert all(isinstance(error, StoreError) for error in told)
    desk.things["known"] = "thing"
    assert await desk.find("known") == "thing"
    assert len(desk.looked) == 2


@played
async def test_only_so_many_are_remembered() -> None:
    desk = Desk()
    for number in range(MOST_REMEMBERED + 10):
        desk.things[str(number)] = "thing"
        await desk.find(str(number))
        desk.at += 0.0001
    assert len(desk.lookups._remembered) == MOST_REMEMBERED
