"""Holding requests back: of endpoints that are paused, and faster than an endpoint's rate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from milepost.delivery.model import Endpoint
from milepost.delivery.pace import Pace
from milepost.errors import StoreError
from milepost.ports import Store
from milepost.waiting import woken

WATCHED_EVERY_S = 0.5
"""How often it is looked which endpoints are paused, while anything is held."""

BETWEEN_LOOKS_S = 0.1
"""However often it is asked to look, it does so no more often."""


class Pacing:
    """What may go to which endpoint now, of what this process holds; each process has its own.

    `go_on` is told of an endpoint that may go on after it had to wait; `steady_s` counts seconds
    and never goes back; `holds` says whether there is anything to hold back.
    """

    def __init__(
        self,
        store: Store,
        *,
        steady_s: Callable[[], float],
        go_on: Callable[[str], None],
        holds: Callable[[], bool],
    ) -> None:
        self._store = store
        self._steady_s = steady_s
        self._go_on = go_on
        self._holds = holds
        self._paces: dict[str, Pace] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._paused: frozenset[str] = frozenset()
        self._look_again = asyncio.Event()

    def may(self, endpoint: Endpoint) -> bool:
        """Whether one more request may go to the endpoint now; if not, it is said when it may."""
        key = endpoint.endpoint_id
        if key in self._paused:
            return False
        if endpoint.requests_per_s is None:
            return True
        if key in self._waiting:
            return False
        now_s = self._steady_s()
        pace = self._paces.get(key)
        if pace is None or pace.per_s != endpoint.requests_per_s:
            pace = self._paces[key] = Pace(endpoint.requests_per_s, at_s=now_s)
        wait_s = pace.take(now_s)
        if wait_s <= 0:
            return True
        loop = asyncio.get_running_loop()
        self._waiting[key] = loop.call_later(wait_s, self._waited, key)
        return False

    def rest(self, endpoint: Endpoint) -> None:
        """Nothing more goes to the endpoint until it is found to be active."""
        self._paused |= {endpoint.endpoint_id}

    def look(self) -> None:
        """Looks now and not only after a while which endpoints are paused."""
        self._look_again.set()

    async def watch_for_ever(self) -> None:
        """Keeps in mind which endpoints are paused, until it is cancelled."""
        while True:
            await woken(self._look_again, within_s=WATCHED_EVERY_S)
            self._look_again.clear()
            # When the database cannot tell, what was known of it counts; claiming says so.
            with suppress(StoreError):
                if self._paused or self._holds():
                    self._learn(await self._store.paused_endpoints())
            await asyncio.sleep(BETWEEN_LOOKS_S)

    def _learn(self, paused: frozenset[str]) -> None:
        resumed, self._paused = self._paused - paused, paused
        for endpoint_id in resumed:
            self._go_on(endpoint_id)

    def stop(self) -> None:
        """Nobody is told any more."""
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()

    def _waited(self, endpoint_id: str) -> None:
        del self._waiting[endpoint_id]
        self._go_on(endpoint_id)
