"""Providers' read interfaces as clients, made of what a source says of how they are asked."""

from __future__ import annotations

from typing import assert_never

from milepost.contracts.read_access import Access
from milepost.contracts.shipmonk.theirs import ReadAccess as ShipmonkAccess
from milepost.contracts.withings.theirs import ReadAccess as WithingsAccess
from milepost.net.providers.asking import LARGEST_ANSWER, Fetch
from milepost.net.providers.shipmonk import ShipmonkReader
from milepost.net.providers.withings import WithingsReader
from milepost.ports import Now
from milepost.ports.reconciling import Provider

__all__ = ["LARGEST_ANSWER", "Fetch", "provider_of"]


def provider_of(access: Access, *, fetch: Fetch, now: Now, user_agent: str) -> Provider:
    """The provider that a source's read access names, ready to be asked."""
    match access:
        case WithingsAccess():
            return WithingsReader(access, fetch=fetch, now=now, user_agent=user_agent)
        case ShipmonkAccess():
            return ShipmonkReader(access, fetch=fetch, now=now, user_agent=user_agent)
        case _:
            assert_never(access)
