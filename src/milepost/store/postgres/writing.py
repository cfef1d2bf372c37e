"""What is written is tried again while others are in its way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from milepost.errors import StoreError
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.session import AlreadyThere, Outdated, Session

T = TypeVar("T")

TURNS = 5
LONGEST_PAUSE_S = 0.05


async def written(pool: Pool, work: Callable[[Session], Awaitable[T]]) -> T:
    """What `work` returns; it is begun again when others were in its way.

    Raises StoreError when they keep being so.
    """
    for _ in range(TURNS):
        try:
            async with pool.session() as session:
                return await work(session)
        except AlreadyThere:
            raise
        except Outdated:
            await asyncio.sleep(random.uniform(0, LONGEST_PAUSE_S))
    raise StoreError("Others keep being in the way")
