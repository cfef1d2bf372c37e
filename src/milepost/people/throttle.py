"""How often somebody may try: a bound on guesses, for each name, address and both."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import ceil

import msgspec

MOST_REMEMBERED = 10_000


class Bound(msgspec.Struct, frozen=True):
    """So many failures at once, and one more after every so many seconds."""

    failures: int
    every_s: float


BOTH = Bound(5, 60.0)
"""One name from one address."""

NAME = Bound(50, 20.0)
"""One name from anywhere: wide, so that strangers cannot easily lock somebody out."""

ADDRESS = Bound(30, 10.0)
"""Any names from one address."""


class Throttle:
    """Counts failures, in this process alone; the oldest are forgotten beyond MOST_REMEMBERED.

    `clock` counts seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._full_at: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def wait_s(self, name: str, address: str) -> int:
        """Seconds until another try is let through; 0 when it is at once."""
        waits = (self._wait_s(key, bound) for key, bound in _kinds(name, address))
        return ceil(max(waits))

    def failed(self, name: str, address: str) -> None:
        """Counts a failure."""
        now = self._clock()
        for key, bound in _kinds(name, address):
            over = max(now, self._full_at.pop(key, now)) + bound.every_s
            self._full_at[key] = min(over, now + bound.failures * bound.every_s)
        while len(self._full_at) > MOST_REMEMBERED:
            self._full_at.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forgets the failures of this name from this address."""
        self._full_at.pop(("both", name, address), None)

    def _wait_s(self, key: tuple[str, ...], bound: Bound) -> float:
        spent = self._full_at.get(key, 0.0) - self._clock()
        return max(0.0, spent - (bound.failures - 1) * bound.every_s)


def _kinds(name: str, address: str) -> tuple[tuple[tuple[str, ...], Bound], ...]:
    return (
        (("both", name, address), BOTH),
        (("name", name), NAME),
        (("address", address), ADDRESS),
    )
