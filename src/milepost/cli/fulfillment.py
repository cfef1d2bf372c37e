"""`milepost order require` and `milepost order split`: what an operator does for the warehouse."""

from __future__ import annotations

from typing import Annotated

import typer

from milepost.cli.options import AccountName, Database, Json, OrderName, StoreName
from milepost.cli.orders import show_taken
from milepost.cli.output import answer, table
from milepost.cli.session import in_account, order_named
from milepost.errors import InvalidInput
from milepost.insights import OrderView, order_view
from milepost.intake import OrderOutcome, OrderResult
from milepost.provider import PartInput, PartLine, SplitInput
from milepost.wiring import Hub

COLUMNS = ("order id", "order key", "state", "lines")


def require_actions(
    name: OrderName,
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="ACTION", help="What has to be settled, such as customs."),
    ] = None,
    settle: Annotated[
        list[str] | None, typer.Option(metavar="ACTION", help="What no longer has.")
    ] = None,
    store: StoreName = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Say what has to be settled before an order can go on; until then it is unable to submit."""
    change = {**dict.fromkeys(require or (), True), **dict.fromkeys(settle or (), False)}

    async def tell(hub: Hub, account_id: str) -> OrderResult:
        order = await order_named(hub, account_id, name, store=store)
        changed = await hub.provider.fulfillment.require(order, change)
        return OrderResult(OrderOutcome.UPDATED, changed)

    show_taken(in_account(tell, database=database, account=account), as_json=as_json)


def split_order(
    name: OrderName,
    part: Annotated[
        list[str],
        typer.Option(
            metavar="KEY=SKU:QUANTITY,…", help="A part by its order key, and what goes into it."
        ),
    ],
    store: StoreName = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Take parts out of an order that is not picked yet; each is an order of its own."""
    wanted = SplitInput(tuple(_part(text) for text in part))

    async def split(hub: Hub, account_id: str) -> list[OrderView]:
        order = await order_named(hub, account_id, name, store=store)
        orders = await hub.provider.fulfillment.split(order, wanted)
        return [order_view(one, rooms=hub.rooms) for one in orders]

    orders = in_account(split, database=database, account=account)
    if as_json:
        answer({"order": orders[0], "parts": orders[1:]})
        return
    rows = [(o.order_id, o.order_key, o.state, len(o.content.lines)) for o in orders]
    table("What is left, and the parts", COLUMNS, rows, empty="")


def _part(text: str) -> PartInput:
    key, _, told = text.partition("=")
    lines = []
    for one in told.split(","):
        sku, _, quantity = one.rpartition(":")
        if not (key and sku and quantity.isdecimal() and int(quantity)):
            raise InvalidInput(field="--part", expected="KEY=SKU:QUANTITY,SKU:QUANTITY")
        lines.append(PartLine(quantity=int(quantity), sku=sku))
    return PartInput(order_key=key, lines=tuple(lines))
