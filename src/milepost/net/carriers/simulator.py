"""A carrier that is made up: from a seed and a parcel it always tells the same story.

Nothing is remembered and no clock is read: asked at a time, it tells what would have happened by
then. A tracking number that names a story, such as `SIM-lost-17`, gets that one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from milepost.net.carriers.shape import SimulatorConfig
from milepost.orders.lifecycle import CARRIER, State
from milepost.orders.model import Parcel
from milepost.orders.tracking import Scan
from milepost.ports.tracking import Failed, Told

S = State
_BY_WORD: Mapping[str, State] = MappingProxyType({s.upper(): s for s in State if s in CARRIER})
Story = tuple[tuple[State, float], ...]
"""Steps, and about how many hours after the one before each of them happens."""

_PICKED_UP: Story = ((S.INFO_RECEIVED, 3), (S.IN_TRANSIT, 9), (S.IN_TRANSIT, 14))
_AT_THE_DOOR: Story = (*_PICKED_UP, (S.IN_TRANSIT, 12), (S.OUT_FOR_DELIVERY, 10))

STORIES: Mapping[str, Story] = MappingProxyType(
    {
        "delivered": (*_AT_THE_DOOR, (S.DELIVERED, 5)),
        "quick": ((S.IN_TRANSIT, 4), (S.OUT_FOR_DELIVERY, 16), (S.DELIVERED, 4)),
        "pickup": (
            *_AT_THE_DOOR,
            (S.ATTEMPT_FAILED, 6),
            (S.AVAILABLE_FOR_PICKUP, 3),
            (S.DELIVERED, 40),
        ),
        "delayed": (*_PICKED_UP, (S.DELAYED, 60), (S.IN_TRANSIT, 30), (S.DELIVERED, 28)),
        "exception": (*_PICKED_UP, (S.EXCEPTION, 12), (S.IN_TRANSIT, 24), (S.DELIVERED, 20)),
        "return": (
            *_AT_THE_DOOR,
            (S.ATTEMPT_FAILED, 6),
            (S.RETURNING, 48),
            (S.IN_TRANSIT, 20),
            (S.IN_TRANSIT, 30),
            (S.DELIVERED, 30),
        ),
        "undeliverable": (*_AT_THE_DOOR, (S.UNDELIVERABLE, 8), (S.RETURNING, 30)),
        "lost": _PICKED_UP,
        "silent": (),
    }
)
"""What can happen to a parcel; a delivery on the way back is the one to the sender."""

_SHARES = (
    ("delivered", 0.62),
    ("quick", 0.12),
    ("pickup", 0.09),
    ("delayed", 0.06),
    ("exception", 0.04),
    ("return", 0.03),
    ("undeliverable", 0.01),
    ("lost", 0.02),
    ("silent", 0.01),
)
"""How many parcels of a hundred have which story."""


class Simulator:
    """Tells stories of parcels; never fails."""

    at_once = 64
    per_minute: float | None = None

    def __init__(self, config: SimulatorConfig) -> None:
        self._seed = config.seed

    def meaning(self, word: str) -> State | None:
        """The word of a state is its own name in capitals."""
        return _BY_WORD.get(word.upper())

    async def ask(self, parcel: Parcel, *, now: datetime) -> Told | Failed:
        story = story_of(parcel, seed=self._seed)
        return Told(tuple(scan for scan in story if scan.occurred_at <= now))


def story_of(parcel: Parcel, *, seed: str) -> tuple[Scan, ...]:
    """All that ever happens to a parcel, from when it was made."""
    number = parcel.tracking_number or parcel.parcel
    chances = _chances(f"{seed} {parcel.carrier} {number}")
    name = _named(number) or _drawn(next(chances))
    at = parcel.created_at or parcel.state_at
    if at is None:
        return ()
    scans = []
    for step, (state, hours) in enumerate(STORIES[name]):
        at += timedelta(hours=hours * (0.7 + 0.6 * next(chances)))
        at = at.replace(second=0, microsecond=0)
        scans.append(Scan(at, state, raw=state.upper(), scan_id=f"{number}-{step}"))
    return tuple(scans)


def _named(number: str) -> str | None:
    """The story that a tracking number asks for."""
    words = number.casefold().replace("_", "-").split("-")
    return next((name for name in STORIES if name in words), None)


def _drawn(chance: float) -> str:
    for name, share in _SHARES:
        chance -= share
        if chance < 0:
            return name
    return _SHARES[0][0]


def _chances(text: str) -> Iterator[float]:
    """Numbers from 0 to 1 that look like chance and are the same for the same text."""
    number = 0
    while True:
        digest = hashlib.sha256(f"{number} {text}".encode()).digest()
        yield int.from_bytes(digest[:8], "big") / 2**64
        number += 1
