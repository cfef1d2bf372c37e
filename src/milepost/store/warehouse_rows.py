"""Warehouses as rows and back, the same for every database."""

from __future__ import annotations

from typing import Any

import msgspec

from milepost.contracts.shipmonk.closed_sets import WmsType
from milepost.orders.model import Address
from milepost.ports.merchants import WarehouseRecord
from milepost.store.rows import Row, micros, moment


def warehouse_values(warehouse: WarehouseRecord) -> dict[str, Any]:
    """The columns that are written; when it was made is written once."""
    return {
        "account_id": warehouse.account_id,
        "identifier": warehouse.identifier,
        "number": warehouse.number,
        "name": warehouse.name,
        "timezone": warehouse.timezone,
        "wms_type": warehouse.wms_type.value,
        "enabled": int(warehouse.enabled),
        "address": msgspec.json.encode(warehouse.address),
    }


def made_at(warehouse: WarehouseRecord) -> int:
    return micros(warehouse.created_at)


def warehouse_of(row: Row) -> WarehouseRecord:
    return WarehouseRecord(
        account_id=row[0],
        identifier=row[1],
        number=row[2],
        name=row[3],
        timezone=row[4],
        created_at=moment(row[5]),
        wms_type=WmsType(row[6]),
        enabled=bool(row[7]),
        address=msgspec.json.decode(row[8], type=Address),
    )
