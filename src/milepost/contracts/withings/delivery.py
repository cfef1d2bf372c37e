"""How a Withings notification is delivered.

Withings publishes no signature, retry or success rule for these notifications, so what stands here
is ours; the documentation says so. The one schedule that it does publish is that of its sibling
notifications of health data.
"""

from __future__ import annotations

import msgspec

from milepost.delivery.model import Claimed
from milepost.delivery.retry import DAY, HOUR, MINUTE, REHEARSAL, Schedule

GROWING = Schedule(
    name="milepost-growing",
    title="9 retries over 3 days, at first 10 seconds and in the end a day apart",
    source="Milepost: Withings publishes no retry rule for order notifications",
    waits_s=(
        10,
        MINUTE,
        10 * MINUTE,
        HOUR,
        4 * HOUR,
        8 * HOUR,
        12 * HOUR,
        DAY,
        DAY,
    ),
)
CYCLES = Schedule(
    name="health-data-cycles",
    title="5 cycles of two tries, at first at once and in the end more than 4 hours apart",
    source=(
        "Withings, page of the health-data notifications, which are others: cycles of two tries "
        "after 0 s, 10 s, 1 min + up to 10 min, 1 h + up to 20 min, 4 h + up to 30 min; the second "
        "between the two tries of a cycle is ours"
    ),
    waits_s=(1, 10, 1, MINUTE, 1, HOUR, 1, 4 * HOUR, 1),
    spreads_s=(0, 0, 0, 10 * MINUTE, 0, 20 * MINUTE, 0, 30 * MINUTE, 0),
)
SCHEDULES = (GROWING, CYCLES, REHEARSAL)
TIMEOUT_S = 15.0


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Withings' notifications carry no credentials."""


def headers(_claimed: Claimed) -> tuple[tuple[str, str], ...]:
    """Nothing beside our common headers."""
    return ()


def received(status: int) -> bool:
    """Any 2xx: ours, as nothing is published."""
    return 200 <= status < 300
