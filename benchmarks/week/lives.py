"""What really happens in the week, by a seed: each order's life, who tells of it, and its end."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

CONTRACTS = ("withings", "shipmonk", "standard")
WEEK_H = 168.0


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens to an order: a state, and what is known of a parcel by it.

    `scan` is what a carrier calls it, where a carrier sees it too.
    """

    at_h: float
    state: str
    facts: Mapping[str, str] = field(default_factory=dict)
    scan: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """One order: its contract, when it is ordered, when the merchant tells its own hub of it.

    `watched` has the carrier tell the merchant's hub as well, by itself.
    """

    order_key: str
    contract: str
    ordered_h: float
    known_to_merchant_h: float
    happenings: tuple[Happening, ...]
    watched: bool

    @property
    def end(self) -> str:
        """The state that everybody has to know in the end."""
        return self.happenings[-1].state


@dataclass(frozen=True, slots=True)
class _Road:
    """A way to live: states with the least and the most hours to each, and how often it is."""

    often: int
    steps: Sequence[tuple[str, float, float]]


_TO_THE_DOOR = (("submitted", 0.5, 4), ("picking", 1, 8), ("packed", 0.5, 6), ("shipped", 1, 10))
_ON_THE_WAY = (("info_received", 0.5, 6), ("in_transit", 4, 20))
_ROADS = (
    _Road(6, (*_TO_THE_DOOR, *_ON_THE_WAY, ("out_for_delivery", 4, 30), ("delivered", 1, 8))),
    _Road(3, (*_TO_THE_DOOR, ("in_transit", 3, 12), ("delivered", 8, 40))),
    _Road(2, (("submitted", 0.5, 4), ("on_hold", 1, 6), ("submitted", 4, 30), *_TO_THE_DOOR[1:],
              *_ON_THE_WAY, ("delivered", 8, 30))),
    _Road(1, (("submitted", 0.5, 4), ("backordered", 1, 6), ("submitted", 4, 40),
              *_TO_THE_DOOR[1:], *_ON_THE_WAY)),
    _Road(2, (*_TO_THE_DOOR, *_ON_THE_WAY, ("attempt_failed", 4, 20), ("in_transit", 2, 12),
              ("delivered", 2, 20))),
    _Road(1, (*_TO_THE_DOOR, *_ON_THE_WAY, ("exception", 4, 20), ("returning", 4, 30))),
    _Road(1, (*_TO_THE_DOOR, *_ON_THE_WAY, ("undeliverable", 8, 40))),
    _Road(2, (("submitted", 0.5, 4), ("cancelled", 1, 20))),
    _Road(1, (("submit_failed", 0.5, 2), ("submitted", 2, 12), *_TO_THE_DOOR[1:], *_ON_THE_WAY)),
)  # fmt: skip

_SCANS: Mapping[str, str] = MappingProxyType(
    {
        "info_received": "pre_transit",
        "in_transit": "in_transit",
        "out_for_delivery": "out_for_delivery",
        "delivered": "delivered",
        "returning": "return_to_sender",
    }
)
"""What an EasyPost tracker calls what a carrier sees; of the rest it says nothing here."""


def lives(count: int, *, seed: int) -> tuple[Life, ...]:
    """So many lives; the same for the same seed."""
    chance = random.Random(f"{seed} lives")
    return tuple(_life(number, chance) for number in range(1, count + 1))


def _life(number: int, chance: random.Random) -> Life:
    contract = CONTRACTS[number % len(CONTRACTS)]
    road = chance.choices(_ROADS, weights=[road.often for road in _ROADS])[0]
    ordered = chance.uniform(0, WEEK_H * 0.45)
    facts = {
        "carrier": "UPS",
        "carrier_service": "Ground",
        "tracking_number": f"1Z{number:06d}{chance.randrange(10**8):08d}",
    }
    at = ordered
    happenings: list[Happening] = []
    for state, least, most in road.steps:
        at += chance.uniform(least, most)
        shipped = state == "shipped" or any(h.state == "shipped" for h in happenings)
        happenings.append(
            Happening(at, state, facts if shipped else {}, _SCANS.get(state, "") if shipped else "")
        )
    return Life(
        order_key=f"WEEK-{number}",
        contract=contract,
        ordered_h=ordered,
        # Some are heard of before they are known: their first words have to wait.
        known_to_merchant_h=ordered + chance.choice((0.0, 0.0, 3.0, 12.0)),
        happenings=tuple(happenings),
        watched=bool(happenings[-1].facts) and chance.random() < 0.5,
    )


def order_body(life: Life, *, at: datetime) -> dict[str, Any]:
    """The order as both hubs are told of it."""
    number = int(life.order_key.rpartition("-")[2])
    return {
        "store": life.contract,
        "order_key": life.order_key,
        "occurred_at": at.isoformat(),
        "customer_email": f"person{number}@example.com",
        "requested_shipping_service": "Ground",
        "ship_to": {
            "name": f"Person {number}",
            "street1": f"{number} Long Road",
            "city": "Springfield",
            "state": "IL",
            "zip": "62701",
            "country_code": "US",
        },
        "lines": [{"line_key": "1", "sku": "SCALE", "name": "A scale", "quantity": 1}],
    }


def moment(start: datetime, hours: float) -> datetime:
    """So many hours into the week, to the second, as contracts write times."""
    return (start + timedelta(hours=hours)).replace(microsecond=0)
