"""The contracts that Milepost speaks: each is one room, and one line in ROOMS."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from milepost.contracts import shipmonk, standard, withings
from milepost.contracts.aftership.incoming import INCOMING as FROM_AFTERSHIP
from milepost.contracts.contract import Contract, Notice, Reading, Words, read_as
from milepost.contracts.easypost.incoming import INCOMING as FROM_EASYPOST
from milepost.contracts.extensions import check_extensions, check_parcel_extensions
from milepost.contracts.incoming import Incoming
from milepost.contracts.sample import sample
from milepost.contracts.shipmonk.incoming import INCOMING as FROM_SHIPMONK
from milepost.contracts.standard.incoming import INCOMING as FROM_STANDARD
from milepost.contracts.withings.incoming import INCOMING as FROM_WITHINGS

ROOMS: Mapping[str, Contract] = MappingProxyType(
    {
        withings.CONTRACT.name: withings.CONTRACT,
        shipmonk.CONTRACT.name: shipmonk.CONTRACT,
        standard.CONTRACT.name: standard.CONTRACT,
    }
)

INCOMING: Mapping[str, Incoming] = MappingProxyType(
    {
        room.name: room
        for room in (
            FROM_WITHINGS,
            FROM_SHIPMONK,
            FROM_STANDARD,
            FROM_EASYPOST,
            FROM_AFTERSHIP,
        )
    }
)
"""The kinds of sources whose messages are taken in."""

__all__ = [
    "INCOMING",
    "ROOMS",
    "Contract",
    "Incoming",
    "Notice",
    "Reading",
    "Words",
    "check_extensions",
    "check_parcel_extensions",
    "read_as",
    "sample",
]
