"""What is done to the processes, as a table, and the schedule that a seed makes of it.

A further fault is a row here and a function of the same name in harm.py.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import msgspec

from benchmarks.torture.facts import HUB

WORKER, DATABASE, RECEIVER = "worker", "database", "receiver"

FIRST_AT_S = 1.5
GAP_S = (2.0, 4.5)
"""From one fault to the next by default: most find the hub at work again, and some do not."""


class Kind(msgspec.Struct, frozen=True):
    """A kind of fault: how often it is drawn, how many blows it has, and the waits between them.

    A wait follows each blow. `target` is "hub", "database", or "worker" or "receiver" for any of
    them. What has no weight happens only where it is named. `past_lease` adds the hub's lease to
    each wait.
    """

    target: str
    weight: float
    blows: tuple[int, int]
    wait_s: tuple[float, float]
    past_lease: bool = False
    stores: tuple[str, ...] = ("sqlite", "postgres")


_SQLITE = ("sqlite",)
_POSTGRES = ("postgres",)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "hub killed": Kind(HUB, 4, (1, 1), (0.0, 0.0)),
        "hub killed in quick succession": Kind(HUB, 2, (2, 4), (0.3, 1.6)),
        "hub killed while it starts": Kind(HUB, 2, (2, 2), (0.02, 0.7)),
        "hub frozen past its lease": Kind(HUB, 2, (1, 1), (0.2, 2.5), past_lease=True),
        "disk full": Kind(HUB, 1, (1, 1), (0.5, 2.0), stores=_SQLITE),
        "disk full, log too": Kind(HUB, 0, (1, 1), (0.5, 2.0), stores=_SQLITE),
        "worker killed": Kind(WORKER, 4, (1, 1), (0.0, 0.5), stores=_POSTGRES),
        "worker frozen past its lease": Kind(
            WORKER, 3, (1, 1), (0.2, 2.5), past_lease=True, stores=_POSTGRES
        ),
        "database killed": Kind(DATABASE, 3, (1, 1), (0.0, 1.0), stores=_POSTGRES),
        "database connection killed": Kind(DATABASE, 1, (1, 1), (0.0, 0.0), stores=_POSTGRES),
        "database frozen": Kind(DATABASE, 1, (1, 1), (0.5, 2.0), stores=_POSTGRES),
        "standby killed": Kind(DATABASE, 1, (1, 1), (0.1, 1.0), stores=_POSTGRES),
        "standby frozen": Kind(DATABASE, 1, (1, 1), (0.5, 1.5), stores=_POSTGRES),
        "standby takes over": Kind(DATABASE, 3, (1, 1), (0.0, 0.0), stores=_POSTGRES),
        "everything killed": Kind(DATABASE, 1, (1, 1), (0.0, 0.5), stores=_POSTGRES),
        "receiver killed": Kind(RECEIVER, 3, (1, 1), (0.1, 2.0)),
        "receiver frozen": Kind(RECEIVER, 1, (1, 1), (0.5, 3.0)),
    }
)


class Planned(msgspec.Struct, frozen=True):
    """One fault of the schedule; `waits_s` follow each blow."""

    at_s: float
    kind: str
    target: str
    waits_s: tuple[float, ...]


def schedule(
    seed: int,
    *,
    seconds: float,
    store: str,
    receivers: Sequence[str],
    workers: Sequence[str] = (),
    lease_s: float,
    gap_s: tuple[float, float] = GAP_S,
    only: Collection[str] = (),
) -> tuple[Planned, ...]:
    """The faults of a run: the same for the same arguments.

    Each kind comes once before any comes again, as far as the time allows, so that a short run is
    not all of one kind. `only` names the kinds to choose from; none is all of them.
    """
    chance = random.Random(seed)
    targets = {RECEIVER: receivers, WORKER: workers, HUB: (HUB,), DATABASE: (DATABASE,)}
    names = [
        name
        for name, kind in KINDS.items()
        if store in kind.stores
        and targets[kind.target]
        and (name in only if only else kind.weight > 0)
    ]
    first = list(names)
    chance.shuffle(first)
    planned: list[Planned] = []
    at_s = FIRST_AT_S
    while at_s < seconds:
        name = (
            first.pop()
            if first
            else chance.choices(names, weights=[KINDS[n].weight or 1 for n in names])[0]
        )
        kind = KINDS[name]
        longer_s = lease_s if kind.past_lease else 0.0
        blows = chance.randint(*kind.blows)
        waits = tuple(longer_s + chance.uniform(*kind.wait_s) for _ in range(blows))
        target = chance.choice(targets[kind.target])
        planned.append(Planned(at_s, name, target, waits))
        at_s += sum(waits) + chance.uniform(*gap_s)
    return tuple(planned)
