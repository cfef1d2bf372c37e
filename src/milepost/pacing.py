"""Holding requests back that would come faster than their endpoint's rate allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from milepost.delivery.model import Endpoint
from milepost.delivery.pace import Pace


class Pacing:
    """The rates of the endpoints that this process sends to; each process has its own.

    `go_on` is told of an endpoint that may go on after it had to wait; `steady_s` counts seconds
    and never goes back.
    """

    def __init__(self, *, steady_s: Callable[[], float], go_on: Callable[[str], None]) -> None:
        self._steady_s = steady_s
        self._go_on = go_on
        self._paces: dict[str, Pace] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    def may(self, endpoint: Endpoint) -> bool:
        """Whether one more request may go to the endpoint now; if not, it is said when it may."""
        key = endpoint.endpoint_id
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

    def stop(self) -> None:
        """Nobody is told any more."""
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()

    def _waited(self, endpoint_id: str) -> None:
        del self._waiting[endpoint_id]
        self._go_on(endpoint_id)
