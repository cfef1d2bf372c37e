"""The routes of warehouses: where an account's orders are worked on, as merchants name it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import AlreadyExists, InvalidInput
from milepost.ports.merchants import WarehouseRecord
from milepost.provider import WarehouseInput


class Warehouses(msgspec.Struct, frozen=True):
    """All of an account's warehouses, by number."""

    warehouses: Sequence[WarehouseRecord]


async def list_warehouses(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Warehouses(await call.hub.provider.merchants.warehouses(call.account_id)))


async def put_warehouse(call: Call[Nothing, WarehouseInput]) -> Answer:
    kept = await call.hub.provider.merchants.put_warehouse(
        call.account_id, call.path["identifier"], call.body
    )
    return Answer(kept)


ROUTES = (
    Route(
        method="GET",
        path="/v1/warehouses",
        act=list_warehouses,
        name="listWarehouses",
        summary="List the account's warehouses.",
        tag="stores",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Warehouses},
    ),
    Route(
        method="PUT",
        path="/v1/warehouses/{identifier}",
        act=put_warehouse,
        name="putWarehouse",
        summary="Name a warehouse that merchants may ask for, or change what is known of it.",
        tag="stores",
        query=Nothing,
        body=WarehouseInput,
        answers={Status.OK: WarehouseRecord},
        problems=(InvalidInput, AlreadyExists),
    ),
)
