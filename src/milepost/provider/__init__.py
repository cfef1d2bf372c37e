"""The provider's side: client applications and merchants, their orders, and what is rehearsed."""

from __future__ import annotations

from dataclasses import dataclass

from milepost.provider.actions import Fulfillment, PartInput, PartLine, SplitInput
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
from milepost.provider.merchants import MerchantOrders, WarehouseInput
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
    "Fulfillment",
    "MerchantOrders",
    "NewClient",
    "PartInput",
    "PartLine",
    "Provider",
    "Rehearsals",
    "ReplacementInput",
    "Replacements",
    "SplitInput",
    "WarehouseInput",
    "WhenDown",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """All that the provider's side consists of."""

    applications: Applications
    callers: Callers
    dropshipment: Dropshipment
    merchants: MerchantOrders
    fulfillment: Fulfillment
    replacements: Replacements
    rehearsals: Rehearsals
