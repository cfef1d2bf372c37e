"""What a secret opens, looked up rarely: keys of the interface, and paths of sources."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from milepost.errors import RateLimited

T = TypeVar("T")

REMEMBERED_S = 3.0
"""How long what was found is known without another look, so how long a change takes."""

MOST_REMEMBERED = 4_096

MOST_UNKNOWN_PER_S = 200
"""What nobody knows is looked up no more often: the database is there for the others."""


class Lookups(Generic[T]):
    """Finds things by the digest of their secret, whose text is not kept.

    Those who ask for the same while it is looked up share the look. `clock` counts seconds and
    never goes back; `named` is what is looked up, in the plural.
    """

    def __init__(self, *, named: str, clock: Callable[[], float]) -> None:
        self._named = named
        self._clock = clock
        self._remembered: dict[str, tuple[T, float]] = {}
        self._looks: dict[str, asyncio.Task[T | None]] = {}
        self._unknown = 0
        self._unknown_since = clock()

    def remembered(self, digest: str) -> T | None:
        """What was found lately, and needs no other look."""
        known = self._remembered.get(digest)
        return known[0] if known is not None and self._clock() < known[1] else None

    async def find(self, digest: str, look: Callable[[T | None], Awaitable[T | None]]) -> T | None:
        """What is remembered, or else what `look` finds, given what was found the last time.

        Raises what `look` raises, and RateLimited while too many ask for what there is not: what
        was found before is found then too.
        """
        if (found := self.remembered(digest)) is not None:
            return found
        known = self._remembered.get(digest)
        task = self._looks.get(digest)
        if task is None:
            if known is None:
                self._charge_unknown()
            task = asyncio.create_task(self._look_up(digest, look))
            self._looks[digest] = task
            task.add_done_callback(lambda done: self._looked(digest, done))
        # Whoever goes away takes the look from nobody else.
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Has everything looked up anew."""
        self._remembered.clear()
        self._looks.clear()

    async def _look_up(
        self, digest: str, look: Callable[[T | None], Awaitable[T | None]]
    ) -> T | None:
        known = self._remembered.get(digest)
        found = await look(None if known is None else known[0])
        if self._looks.get(digest) is not asyncio.current_task():
            # What was found may be older than what made everything forgotten.
            return found
        if found is None:
            self._remembered.pop(digest, None)
            return None
        if known is None:
            self._unknown = max(0, self._unknown - 1)
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.pop(next(iter(self._remembered)))
        self._remembered[digest] = (found, self._clock() + REMEMBERED_S)
        return found

    def _looked(self, digest: str, done: asyncio.Task[T | None]) -> None:
        if self._looks.get(digest) is done:
            del self._looks[digest]
        if not done.cancelled():
            # Nobody may be left to hear of an error.
            done.exception()

    def _charge_unknown(self) -> None:
        """Counts one as unknown until it turns out not to be. Raises RateLimited."""
        if self._clock() >= self._unknown_since + 1:
            self._unknown, self._unknown_since = 0, self._clock()
        if self._unknown >= MOST_UNKNOWN_PER_S:
            raise RateLimited(f"Too many requests come with unknown {self._named}", after_s=1)
        self._unknown += 1
