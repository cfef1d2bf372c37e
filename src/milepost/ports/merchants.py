"""What a merchant's order interface needs of the store: pages of orders, and warehouses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.contracts.shipmonk.closed_sets import WmsType
from milepost.orders.lifecycle import State
from milepost.orders.model import Address, Order
from milepost.orders.model import Store as StoreRecord
from milepost.ports.core import OrderRef

MOST_FILTERED = 10_000
"""How many orders a filtered listing reaches (published); those beyond are on no page."""


class OrderListing(msgspec.Struct, frozen=True, gc=False):
    """Which orders a listing shows; None does not filter. Both ends of a time are included."""

    store: str | None = None
    order_keys: tuple[str, ...] | None = None
    order_numbers: tuple[str, ...] | None = None
    states: tuple[State, ...] | None = None
    order_type: str | None = None
    updated_from: datetime | None = None
    updated_to: datetime | None = None
    shipped_from: datetime | None = None
    shipped_to: datetime | None = None


class WarehouseRecord(msgspec.Struct, frozen=True, gc=False):
    """A warehouse of an account; `timezone` is an IANA name, `number` its numeric name."""

    account_id: str
    identifier: str
    number: int
    name: str
    timezone: str
    created_at: datetime
    wms_type: WmsType = WmsType.SHIPMONK
    enabled: bool = True
    address: Address = Address()


class MerchantStore(Protocol):
    """Every method may raise StoreError."""

    async def listed_orders(
        self,
        account_id: str,
        *,
        wanted: OrderListing,
        skip: int,
        limit: int,
        newest_first: bool,
    ) -> Sequence[Order]:
        """Orders by their ids, at most MOST_FILTERED of them where anything is filtered."""

    async def put_warehouse(self, warehouse: WarehouseRecord) -> WarehouseRecord:
        """Creates or replaces the one with this identifier; a number of 0 is the next free one.

        Raises AlreadyExists when another warehouse of the account has the number.
        """

    async def warehouses(self, account_id: str) -> Sequence[WarehouseRecord]:
        """The account's warehouses, by number."""

    async def account_name(self, account_id: str) -> str:
        """Raises UnknownRecord."""

    async def order(self, ref: OrderRef) -> Order:
        """Raises UnknownRecord."""

    async def stores(self, account_id: str) -> Sequence[StoreRecord]:
        """The account's stores, by number."""
