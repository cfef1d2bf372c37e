"""How a Withings notification is delivered.

Withings publishes no signature, retry or success rule for these notifications, so what stands here
is ours; the documentation says so.
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
SCHEDULES = (GROWING, REHEARSAL)
TIMEOUT_S = 15.0


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Withings' notifications carry no credentials."""


def headers(_claimed: Claimed) -> tuple[tuple[str, str], ...]:
    """Nothing beside our common headers."""
    return ()


def received(status: int) -> bool:
    """Any 2xx: ours, as nothing is published."""
    return 200 <= status < 300
