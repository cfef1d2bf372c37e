"""How many requests a second an endpoint gets: a bucket that fills evenly; pure."""

from __future__ import annotations

BURST_S = 0.1
"""A bucket holds so many seconds' worth, and at least one request: what was saved up by resting."""


class Pace:
    """Lets so many requests a second through, spread evenly, in this process.

    Time is seconds of a clock that never goes back; the bucket is full to begin with.
    """

    __slots__ = ("_at_s", "_left", "_most", "per_s")

    def __init__(self, per_s: float, *, at_s: float) -> None:
        self.per_s = per_s
        self._most = max(1.0, per_s * BURST_S)
        self._left = self._most
        self._at_s = at_s

    def take(self, at_s: float) -> float:
        """Takes leave for one request and returns 0.0, or how many seconds it is to wait for it."""
        self._left = min(self._most, self._left + (at_s - self._at_s) * self.per_s)
        self._at_s = at_s
        # A wait that was slept to its end must suffice, whatever floating point makes of it.
        if self._left >= 1.0 - 1e-9:
            self._left -= 1.0
            return 0.0
        return (1.0 - self._left) / self.per_s
