"""How endpoints are doing, on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.delivery.health import Condition, Health, OperationalNotice, Pulse
from milepost.delivery.model import Endpoint


class Judged(msgspec.Struct, frozen=True, gc=False):
    """What is written of one endpoint, together or not at all.

    That is its record, the notices to whoever subscribed, and why it is paused, if it is to be.
    """

    health: Health
    notices: Sequence[OperationalNotice] = ()
    pause: str | None = None


Judge = Callable[[Endpoint, Health, Pulse], Judged]
"""Decides what a pulse makes of an endpoint's record; it may be called more than once."""


class HealthStore(Protocol):
    """How endpoints are doing. Every method may raise StoreError."""

    async def beat(self, pulses: Sequence[Pulse], *, judge: Judge, now: datetime) -> None:
        """Puts pulses on record as `judge` decides; those of endpoints that are gone are left out.

        An endpoint's record, its pause and its notices are in one transaction. There is at most
        one pulse of an endpoint.
        """

    async def health(self, account_id: str) -> Mapping[str, Health]:
        """The record of each endpoint of an account, by endpoint id."""

    async def conditions(self) -> Mapping[Condition, int]:
        """How many endpoints of all accounts are doing how."""

    async def paused_endpoints(self) -> frozenset[str]:
        """The ids of those that are paused, of all accounts."""

    async def untold(self, *, before: datetime) -> Sequence[tuple[str, str]]:
        """Accounts and ids of endpoints with given-up deliveries that were not told of since."""
