"""How much one API key may ask for: requests and items a second, and requests at once."""

from __future__ import annotations

import math
from collections.abc import Callable

from milepost.auth import Principal
from milepost.errors import RateLimited
from milepost.exchange import Bucket
from milepost.settings import Settings

MOST_REMEMBERED = 4_096
"""Keys whose use is remembered; beyond it those that rest are forgotten."""


class Allowance:
    """What one key may still ask for; whoever was let in leaves again."""

    __slots__ = ("_clock", "_items", "_requests", "_settings", "under_way")

    def __init__(self, settings: Settings, *, clock: Callable[[], float]) -> None:
        at = clock()
        self._settings = settings
        self._clock = clock
        self.under_way = 0
        self._requests = Bucket(
            rate=settings.key_requests_per_s, burst=settings.key_requests_burst, at=at
        )
        # A batch that is allowed has to fit, or its sender would wait for ever.
        burst = max(settings.key_items_burst, settings.max_batch)
        self._items = Bucket(rate=settings.key_items_per_s, burst=burst, at=at)

    def enter(self) -> None:
        """Begins a request. Raises RateLimited, and then it has not begun."""
        most = self._settings.key_requests_at_once
        if self.under_way >= most:
            raise RateLimited(f"At most {most} requests of one key are answered at once", after_s=1)
        wait = self._requests.take(1, at=self._clock())
        if wait:
            rate = self._settings.key_requests_per_s
            raise RateLimited(f"At most {rate} requests a second", after_s=_whole(wait))
        self.under_way += 1

    def leave(self) -> None:
        """Ends a request that had begun."""
        self.under_way -= 1

    def charge(self, items: int) -> None:
        """Takes in so many orders or updates. Raises RateLimited, and then none of them."""
        wait = self._items.take(items, at=self._clock())
        if wait:
            rate = self._settings.key_items_per_s
            raise RateLimited(f"At most {rate} orders and updates a second", after_s=_whole(wait))


class Limits:
    """The allowance of each key, by the settings; `clock` counts seconds and never goes back."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._known: dict[Principal, Allowance] = {}

    def enter(self, principal: Principal) -> Allowance:
        """The key's allowance, with a request begun. Raises RateLimited."""
        allowance = self._known.get(principal)
        if allowance is None:
            allowance = self._remember(principal)
        allowance.enter()
        return allowance

    def _remember(self, principal: Principal) -> Allowance:
        if len(self._known) >= MOST_REMEMBERED:
            self._known = {who: one for who, one in self._known.items() if one.under_way}
        allowance = self._known[principal] = Allowance(self._settings, clock=self._clock)
        return allowance


def _whole(wait_s: float) -> int:
    return max(1, math.ceil(wait_s))
