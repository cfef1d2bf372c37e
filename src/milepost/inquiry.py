"""Asking the store whose the lanes are that a process holds but is no longer sure of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from milepost.delivery.model import Claimed
from milepost.errors import StoreError
from milepost.logs import logger
from milepost.ports import Lease, Store

PAUSE_S = 0.5
"""How long it waits before it asks again when the database could not answer."""

Answered = Callable[[Sequence[list[Claimed]], Sequence[Claimed], Lease], None]
"""Is told what was asked, endpoint by endpoint, and which of it is ours, under this lease."""


class Inquiry:
    """Has each endpoint's heads confirmed together; asks until there is an answer."""

    def __init__(self, store: Store, *, lease: Callable[[], Lease], answered: Answered) -> None:
        self._store = store
        self._lease = lease
        self._answered = answered
        self._asked: dict[str, list[Claimed]] = {}
        self._wanted = asyncio.Event()
        self._log = logger("dispatcher")

    def waits(self, endpoint_id: str) -> bool:
        """Whether the endpoint waits for an answer."""
        return endpoint_id in self._asked

    def ask(self, heads: list[Claimed]) -> None:
        """Asks about these, which are of one endpoint that does not wait for an answer yet."""
        self._asked[heads[0].endpoint.endpoint_id] = heads
        self._wanted.set()

    async def ask_for_ever(self) -> None:
        """Answers what was asked until it is cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            asked = list(self._asked.values())
            lease = self._lease()
            try:
                ours = await self._store.confirm([c for heads in asked for c in heads], lease=lease)
            except StoreError as error:
                self._log.error("confirm_failed", error=str(error))
                self._wanted.set()
                await asyncio.sleep(PAUSE_S)
                continue
            for heads in asked:
                del self._asked[heads[0].endpoint.endpoint_id]
            self._answered(asked, ours, lease)
