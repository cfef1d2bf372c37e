"""The provider's side of a dropshipment: client applications, their orders, and test mode."""

from __future__ import annotations

from dataclasses import dataclass

from milepost.provider.addresses import AddressCheck, WhenDown
from milepost.provider.applications import (
    Applications,
    ClientChange,
    ClientInput,
    ClientView,
    NewClient,
)
from milepost.provider.callers import Callers
from milepost.provider.dropshipment import Created, Dropshipment
from milepost.provider.rehearsals import Rehearsals
from milepost.provider.replacements import ReplacementInput, Replacements

__all__ = [
    "AddressCheck",
    "Applications",
    "Callers",
    "ClientChange",
    "ClientInput",
    "ClientView",
    "Created",
    "Dropshipment",
    "NewClient",
    "Provider",
    "Rehearsals",
    "ReplacementInput",
    "Replacements",
    "WhenDown",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """All that the provider's side of a dropshipment consists of."""

    applications: Applications
    callers: Callers
    dropshipment: Dropshipment
    replacements: Replacements
    rehearsals: Rehearsals
