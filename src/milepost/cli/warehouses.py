"""`milepost warehouse`: where orders are worked on, as merchants name it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from milepost.cli.options import AccountName, Database, Json, examples
from milepost.cli.output import answer, record, table
from milepost.cli.session import in_account
from milepost.ports.merchants import WarehouseRecord
from milepost.provider import WarehouseInput
from milepost.wiring import Hub

warehouse = typer.Typer(help="Warehouses that merchants may ask for by their identifier.")

COLUMNS = ("warehouse", "number>", "name", "time zone", "enabled")


@warehouse.command(
    "put",
    epilog=examples(
        "warehouse put FL1 --name Florida --timezone America/New_York",
        "warehouse put FL1 --disabled --json",
    ),
)
def put_warehouse(
    identifier: Annotated[str, typer.Argument(help="The code that merchants name, such as FL1.")],
    name: Annotated[str | None, typer.Option(help="What it is called; else its code.")] = None,
    timezone: Annotated[str, typer.Option(help="Its IANA time zone.")] = "UTC",
    number: Annotated[int | None, typer.Option(help="Its number; else the next free one.")] = None,
    disabled: Annotated[bool, typer.Option(help="No order may ask for it any more.")] = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Name a warehouse, or replace what is known of it; its address is set over HTTP."""
    wanted = WarehouseInput(name=name, timezone=timezone, number=number, enabled=not disabled)

    async def put(hub: Hub, account_id: str) -> WarehouseRecord:
        known = {w.identifier: w for w in await hub.provider.merchants.warehouses(account_id)}
        before = known.get(identifier)
        told = wanted if before is None else msgspec.structs.replace(wanted, address=before.address)
        return await hub.provider.merchants.put_warehouse(account_id, identifier, told)

    kept = in_account(put, database=database, account=account)
    if as_json:
        answer(kept)
        return
    record("Warehouse", list(zip([c.rstrip(">") for c in COLUMNS], _row(kept), strict=True)))


@warehouse.command("list", epilog=examples("warehouse list"))
def list_warehouses(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """List an account's warehouses."""

    async def read(hub: Hub, account_id: str) -> list[WarehouseRecord]:
        return list(await hub.provider.merchants.warehouses(account_id))

    found = in_account(read, database=database, account=account)
    if as_json:
        answer({"warehouses": found})
        return
    table(
        "Warehouses",
        COLUMNS,
        [_row(one) for one in found],
        empty="There is no warehouse yet: `milepost warehouse put FL1` names one.",
    )


def _row(one: WarehouseRecord) -> tuple[object, ...]:
    return (one.identifier, one.number, one.name, one.timezone, "yes" if one.enabled else "no")
