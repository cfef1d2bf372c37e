"""`milepost order replace`: an order that makes good another one."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from milepost.cli.options import AccountName, Database, Json, OrderName, StoreName
from milepost.cli.orders import line_told, show_taken
from milepost.cli.session import in_account, order_named
from milepost.intake import OrderOutcome, OrderResult
from milepost.provider import ReplacementInput
from milepost.wiring import Hub


def replace_order(
    name: OrderName,
    key: Annotated[
        str | None,
        typer.Option(help="The new order's key; default: the original's with -R1, -R2 …"),
    ] = None,
    line: Annotated[
        list[str] | None,
        typer.Option(metavar="SKU[:QUANTITY]", help="What is replaced; default: all of it."),
    ] = None,
    serial_number: Annotated[
        str | None, typer.Option(help="The serial number of what is replaced.", show_default=False)
    ] = None,
    note: Annotated[str | None, typer.Option(help="Why.", show_default=False)] = None,
    store: StoreName = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Create an order that replaces this one; its notifications name the original."""
    told: dict[str, Any] = {
        "order_key": key,
        "lines": [line_told(text) for text in line] if line else None,
        "original_serial_number": serial_number,
        "note": note,
    }

    async def replace(hub: Hub, account_id: str) -> OrderResult:
        from milepost.api.reading import read_json

        given = msgspec.json.encode({k: v for k, v in told.items() if v is not None})
        wanted = read_json(given, shape=ReplacementInput)
        original = await order_named(hub, account_id, name, store=store)
        made = await hub.provider.replacements.replace(original, wanted)
        return OrderResult(OrderOutcome.CREATED, made)

    show_taken(in_account(replace, database=database, account=account), as_json=as_json)
