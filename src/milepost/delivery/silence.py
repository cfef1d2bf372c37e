"""What somebody is told of silences: one event of an account, however many orders; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from milepost.delivery.model import OPERATIONS, Body
from milepost.orders.silence import Silence

TOLD_EVERY = timedelta(minutes=10)
"""How long silences are counted together before they are told of again."""

MOST_LISTED = 10
"""How many orders an event names; it counts all of them."""


class SilenceType(StrEnum):
    """What can happen to orders that nobody says anything of."""

    SILENT = "order.silent"
    MOVED_AGAIN = "order.moved_again"


class SilenceEvent(msgspec.Struct, frozen=True, gc=False):
    """Orders that fell silent, or that moved again, since it was last told of such.

    `count` is how many, `first` the first of them.
    """

    type: SilenceType
    at: datetime
    account_id: str
    count: int
    first: Sequence[Silence]

    @property
    def subject(self) -> str:
        """The order id under which it is sent: each account has a lane of its own."""
        return OPERATIONS + self.account_id.rpartition("_")[2]

    @property
    def since(self) -> datetime | None:
        """When the first that fell silent was heard of last."""
        return min((one.since_at for one in self.first), default=None)


class SilenceNotice(msgspec.Struct, frozen=True, gc=False):
    """An event on its way to whoever subscribed: its bytes by contract, given its number."""

    event: SilenceEvent
    bodies: Callable[[int], Mapping[str, Body]]


def is_to_tell(told_at: datetime | None, *, now: datetime) -> bool:
    """Whether it is time to tell again."""
    return told_at is None or now - told_at >= TOLD_EVERY
