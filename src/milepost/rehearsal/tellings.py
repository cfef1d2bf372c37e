"""What a hub is told of lives, as a source would tell it, and in its order; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from milepost.delivery.retry import REHEARSAL
from milepost.rehearsal.chaos import Chaos, Planned, Word, plan
from milepost.rehearsal.lives import Happening, Life

OF_UPDATES = (Word.DUPLICATE, Word.REORDER, Word.DROP, Word.LOSE, Word.DELAY)
"""What can go wrong on the way to a hub; it is the hub's own answer that counts there."""


class Telling(msgspec.Struct, frozen=True, gc=False):
    """One thing to tell the hub, in the order in which it happens."""

    at: datetime
    lane: str
    name: str
    happening: Happening


def planned_tellings(lived: Sequence[Life], *, chaos: Chaos, seed: int) -> list[Planned[Telling]]:
    """Everything that the hub is told, with what goes wrong on the way.

    Corrections are spared: a person says them, once.
    """
    tellings = sorted(
        (telling for life in lived for telling in _tellings(life)),
        key=lambda one: (one.at, one.lane),
    )
    return plan(
        tellings,
        chaos=chaos,
        seed=seed,
        schedule=REHEARSAL,
        spared={one.name for one in tellings if one.happening.event.correction},
    )


def _tellings(life: Life) -> list[Telling]:
    key = life.order.order_key
    return [
        Telling(one.at, key, f"{key}-{place}", one) for place, one in enumerate(life.happenings)
    ]
