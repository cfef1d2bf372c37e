"""How the neutral contract is delivered: as the Standard Webhooks specification recommends.

Its three headers are among those that Milepost adds in every contract, so there are no others.
"""

from __future__ import annotations

import msgspec

from milepost.delivery.model import Claimed
from milepost.delivery.retry import HOUR, MINUTE, REHEARSAL, Schedule

RECOMMENDED = Schedule(
    name="standard-webhooks",
    title="9 retries over 3 days, at first 5 seconds and in the end a day apart",
    source=(
        "Standard Webhooks, operational considerations: at once, then after 5 seconds, 5 and 30 "
        "minutes, 2, 5, 10, 14, 20 and 24 hours"
    ),
    waits_s=(
        5,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        14 * HOUR,
        20 * HOUR,
        24 * HOUR,
    ),
)
SCHEDULES = (RECOMMENDED, REHEARSAL)
TIMEOUT_S = 20.0
"""Within the 15 to 30 seconds that the specification recommends."""


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signature is all that there is."""


def headers(_claimed: Claimed) -> tuple[tuple[str, str], ...]:
    """Nothing beside our common headers."""
    return ()


def received(status: int) -> bool:
    """Any 2xx, as the specification says."""
    return 200 <= status < 300
