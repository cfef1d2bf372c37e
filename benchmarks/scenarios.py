"""What is measured, as data: single scenarios, and the suite with what is wanted of each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class Scenario(msgspec.Struct, frozen=True):
    """One measurement on an empty database.

    Orders come in batches of `batch`: as fast as they are taken, or `rate` of them a second. Each
    makes one event, which goes to `endpoints` endpoints; with `spread`, to one of so many. Of
    `workers` processes each takes in and sends. `pending` deliveries wait from the start for
    receivers that hang; with `hanging` each event goes to an endpoint besides that hangs too.
    """

    store: str = "sqlite"
    workers: int = 1
    batch: int = 100
    rate: float = 0.0
    endpoints: int = 1
    spread: int = 0
    hanging: bool = False
    pending: int = 0
    contract: str = "standard"
    seconds: float = 30.0
    warm_up_s: float = 3.0


class Sense(StrEnum):
    """Which side of a number is good."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


class Want(msgspec.Struct, frozen=True):
    """A target for one figure; with `over` the figure counts as a share of that of another row."""

    figure: str
    sense: Sense
    number: float
    over: str = ""

    def is_met(self, value: float) -> bool:
        return value >= self.number if self.sense is Sense.AT_LEAST else value <= self.number


class Row(msgspec.Struct, frozen=True):
    """A scenario of the suite and what is wanted of it."""

    scenario: Scenario
    wants: tuple[Want, ...] = ()


def _least(figure: str, number: float, *, over: str = "") -> Want:
    return Want(figure, Sense.AT_LEAST, number, over)


def _most(figure: str, number: float, *, over: str = "") -> Want:
    return Want(figure, Sense.AT_MOST, number, over)


_POSTGRES = Scenario(store="postgres", workers=2, seconds=60)
_SQLITE = Scenario(store="sqlite", seconds=60)
_PACED = msgspec.structs.replace(_POSTGRES, rate=500, batch=1, endpoints=2, seconds=30)
_with = msgspec.structs.replace

SUITE: Mapping[str, Row] = MappingProxyType(
    {
        "postgres, batches of 100": Row(
            _POSTGRES, (_least("delivered_per_s", 12_000), _most("hub_and_database_us", 120))
        ),
        "postgres, three endpoints": Row(
            _with(_POSTGRES, endpoints=3), (_least("delivered_per_s", 20_000),)
        ),
        "postgres, one a request": Row(
            _with(_POSTGRES, batch=1), (_least("delivered_per_s", 6_000),)
        ),
        "sqlite, batches of 100": Row(_SQLITE, (_least("delivered_per_s", 8_000),)),
        "sqlite, one a request": Row(_with(_SQLITE, batch=1), (_least("delivered_per_s", 5_000),)),
        "postgres, 200 a second": Row(_with(_POSTGRES, rate=200, batch=1), (_most("p99_ms", 10),)),
        "postgres, 5,000 a second": Row(
            _with(_POSTGRES, rate=5_000, batch=10), (_most("p99_ms", 20),)
        ),
        "postgres, one process": Row(_with(_POSTGRES, workers=1, seconds=30)),
        "postgres, two processes": Row(
            _with(_POSTGRES, seconds=30),
            (_least("delivered_per_s", 1.1, over="postgres, one process"),),
        ),
        "postgres, eight processes": Row(
            _with(_POSTGRES, workers=8, seconds=30),
            (_least("delivered_per_s", 1.0, over="postgres, two processes"),),
        ),
        "postgres, 10,000 pending": Row(_with(_POSTGRES, pending=10_000, seconds=30)),
        "postgres, 2 million pending": Row(
            _with(_POSTGRES, pending=2_000_000, seconds=30),
            (_most("hub_and_database_us", 1.2, over="postgres, 10,000 pending"),),
        ),
        "postgres, all receivers well": Row(_PACED),
        "postgres, one receiver hangs": Row(
            _with(_PACED, endpoints=1, hanging=True),
            (_most("p99_ms", 1.2, over="postgres, all receivers well"),),
        ),
        "postgres, 10 endpoints": Row(_with(_POSTGRES, spread=10, seconds=30)),
        "postgres, 200 endpoints": Row(
            _with(_POSTGRES, spread=200, seconds=30),
            (
                _most("hub_and_database_us", 1.2, over="postgres, 10 endpoints"),
                _least("delivered_per_s", 1 / 1.2, over="postgres, 10 endpoints"),
            ),
        ),
    }
)
"""The targets of the project; a row that another one is compared with comes right before it."""
