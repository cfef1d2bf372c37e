"""Carrier sources as the tracker sees them: which one a parcel is asked at, and how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from milepost.errors import MilepostError
from milepost.orders.lifecycle import State
from milepost.orders.model import Parcel
from milepost.ports.tracking import Carrier, CarrierSource, Failed, Told

FIRST_REST_S, LONGEST_REST_S = 30.0, 1_800.0
"""How long a source is left alone after a failure of its own, and after many in a row."""

MINUTE_S = 60.0
BURST_S = 2.0
"""For so many seconds questions can be saved up, so that looking now and then misses none."""


class Broken:
    """Stands in for a source that cannot be asked as it is set up."""

    at_once = 1
    per_minute: float | None = None

    def __init__(self, why: str) -> None:
        self._why = why

    def meaning(self, word: str) -> State | None:  # noqa: ARG002
        return None

    async def ask(self, parcel: Parcel, *, now: datetime) -> Told | Failed:  # noqa: ARG002
        return Failed(self._why)


class Desk:
    """One source, and how many more questions it takes now; times are seconds of a steady clock.

    One source that hangs or refuses costs nothing but its own parcels.
    """

    def __init__(
        self, source: CarrierSource, *, carrier_of: Callable[[CarrierSource], Carrier], at: float
    ) -> None:
        self.source = source
        try:
            self.carrier = carrier_of(source)
        except MilepostError as error:
            self.carrier = Broken(str(error))
        self._names = frozenset(name.casefold() for name in source.carriers)
        self._in_flight = 0
        self._failures = 0
        self._rests_until = at
        rate = self.carrier.per_minute or 0.0
        self._most_tokens = max(1.0, rate * BURST_S / MINUTE_S)
        self._tokens = self._most_tokens
        self._counted_at = at
        self._trouble: Failed | None = None

    def answers_for(self, carrier: str | None) -> bool:
        """Whether the source names this carrier."""
        return carrier is not None and carrier.casefold() in self._names

    @property
    def answers_for_all(self) -> bool:
        """Whether the source stands for every carrier that no other names."""
        return not self._names

    def room(self, at: float) -> int:
        """How many questions could be asked now."""
        if at < self._rests_until:
            return 0
        self._count(at)
        room = self.carrier.at_once - self._in_flight
        return room if self.carrier.per_minute is None else min(room, int(self._tokens))

    def enter(self, at: float) -> bool:
        """Whether one more may be asked; who may leaves again."""
        if self.room(at) <= 0:
            return False
        self._in_flight += 1
        self._tokens -= 1
        return True

    def leave(self, at: float) -> None:
        """Ends a question; a failure that is the source's own makes it rest."""
        self._in_flight -= 1
        trouble, self._trouble = self._trouble, None
        if trouble is None:
            self._failures = 0
        elif trouble.is_general:
            rest = min(FIRST_REST_S * 2 ** min(self._failures, 10), LONGEST_REST_S)
            if trouble.wait is not None:
                rest = max(rest, min(trouble.wait.total_seconds(), LONGEST_REST_S))
            # Those that were asked together fail together, and count once.
            if at >= self._rests_until:
                self._failures += 1
                self._rests_until = at + rest

    async def ask(self, parcel: Parcel, *, now: datetime) -> Told | Failed:
        """What the carrier says; whatever goes wrong, a Failed and no exception."""
        try:
            told = await self.carrier.ask(parcel, now=now)
        except Exception as error:  # noqa: BLE001 - one source must not end the tracker
            told = Failed(f"{type(error).__name__} in the source itself")
        self._trouble = told if isinstance(told, Failed) else None
        return told

    def _count(self, at: float) -> None:
        rate = self.carrier.per_minute
        if rate is not None:
            grown = self._tokens + (at - self._counted_at) * rate / MINUTE_S
            self._tokens = min(grown, self._most_tokens)
        self._counted_at = at


def desk_of(desks: Sequence[Desk], carrier: str | None) -> Desk | None:
    """Which of an account's sources answers for a carrier; None where none does."""
    named = (desk for desk in desks if desk.answers_for(carrier))
    return next(named, next((desk for desk in desks if desk.answers_for_all), None))
