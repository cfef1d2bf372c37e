"""Whether more can be taken in: there is room on the disk, and what is pending is not too much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from milepost.errors import BacklogFull, DiskFull, StoreError
from milepost.logs import logger
from milepost.ports import Backlog, Now, Store

LOOKED_AT_EVERY_S = 1.0
SHARE_OF_LOOKING = 100
"""Looks rest for this many times as long as the last one took: counting stays cheap at any size."""


class Reading(msgspec.Struct, frozen=True):
    """What the last look has found; `free_bytes` is None where the disk is not ours to see."""

    backlog: Backlog = Backlog()
    free_bytes: int | None = None


class Pressure:
    """Lets in while there is room; never more than one look a second, however much comes in.

    `free_bytes` tells what is left on the disk, `clock` counts seconds and never goes back.
    """

    def __init__(
        self,
        store: Store,
        *,
        free_bytes: Callable[[], int] | None,
        min_free_bytes: int,
        max_pending: int,
        now: Now,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._free_bytes = free_bytes
        self._min_free_bytes = min_free_bytes
        self._max_pending = max_pending
        self._now = now
        self._clock = clock
        self._next_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._refusal: type[DiskFull | BacklogFull] | None = None
        self._log = logger("pressure")
        self.reading = Reading()

    async def admit(self) -> None:
        """Raises DiskFull or BacklogFull, by a look that is a second old or, if refusing, newer.

        While all is well nobody waits for a look.
        """
        if self._clock() < self._next_at:
            if self._refusal is not None:
                raise self._refusal
            return
        look = self._begin()
        if self._refusal is not None:
            await asyncio.shield(look)
            if self._refusal is not None:
                raise self._refusal

    async def look(self) -> Reading:
        """The last reading, after a new look if one is due."""
        if self._clock() >= self._next_at:
            await asyncio.shield(self._begin())
        return self.reading

    async def stop(self) -> None:
        """Waits for a look that was begun."""
        if self._looking is not None:
            await self._looking

    def _begin(self) -> asyncio.Task[None]:
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return self._looking

    async def _look(self) -> None:
        began = self._clock()
        try:
            free = None if self._free_bytes is None else self._free_bytes()
            # One more than is allowed tells that it is too much.
            backlog = await self._store.backlog(now=self._now(), most=self._max_pending + 1)
            self._enter(Reading(backlog, free))
        except (StoreError, OSError) as error:
            # What cannot be looked at is no reason to refuse: intake meets the database itself.
            self._log.error("look_failed", error=str(error))
            self._refusal = None
        finally:
            ended = self._clock()
            self._next_at = ended + max(LOOKED_AT_EVERY_S, (ended - began) * SHARE_OF_LOOKING)
            self._looking = None

    def _enter(self, reading: Reading) -> None:
        before, self._refusal = self._refusal, self._refusal_of(reading)
        self.reading = reading
        if self._refusal is not before:
            self._log.warning(
                "intake_refuses" if self._refusal else "intake_takes_again",
                why=self._refusal and self._refusal.__doc__,
                pending=reading.backlog.pending,
                free_bytes=reading.free_bytes,
            )

    def _refusal_of(self, reading: Reading) -> type[DiskFull | BacklogFull] | None:
        if reading.free_bytes is not None and reading.free_bytes < self._min_free_bytes:
            return DiskFull
        if reading.backlog.pending > self._max_pending:
            return BacklogFull
        return None
