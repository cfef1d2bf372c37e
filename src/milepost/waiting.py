"""Waiting to be woken, for so long, in a loop that is ended by cancelling it."""

from __future__ import annotations

import asyncio


async def woken(event: asyncio.Event, *, within_s: float) -> bool:
    """Whether the event is set, or came to be so in this time; to be cancelled always ends it.

    asyncio.wait_for forgets a cancellation that comes in the same moment as what it waits for,
    up to Python 3.11: a loop would go on, and whoever has ended it would wait for ever.
    """
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
