"""The contracts that Milepost speaks: each is one room, and one line in ROOMS."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from milepost.contracts import shipmonk, standard, withings
from milepost.contracts.contract import Contract, Notice, Reading, Words, read_as
from milepost.contracts.extensions import check_extensions, check_parcel_extensions
from milepost.contracts.sample import sample

ROOMS: Mapping[str, Contract] = MappingProxyType(
    {
        withings.CONTRACT.name: withings.CONTRACT,
        shipmonk.CONTRACT.name: shipmonk.CONTRACT,
        standard.CONTRACT.name: standard.CONTRACT,
    }
)

__all__ = [
    "ROOMS",
    "Contract",
    "Notice",
    "Reading",
    "Words",
    "check_extensions",
    "check_parcel_extensions",
    "read_as",
    "sample",
]
