"""`milepost order` and `milepost update`: what was ordered, and what happened to it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from milepost.cli.exits import ExitCode, FileUnusable
from milepost.cli.options import (
    AccountName,
    After,
    Database,
    Json,
    Limit,
    OrderName,
    StoreName,
    examples,
    moment,
)
from milepost.cli.output import answer, hint, record, say, table
from milepost.cli.session import asked_for, in_account, order_named, store_named
from milepost.errors import InvalidInput, TooLarge
from milepost.insights import EventView, OrderSummary, OrderView, order_view
from milepost.intake import OrderResult
from milepost.orders.lifecycle import State
from milepost.ports import OrderFilter, Page
from milepost.wiring import Hub

order = typer.Typer(help="Orders: add, show, list and find them, and read their history.")

SOURCE = "cli"
FILE_LIMIT = 256 * 1024


@order.command(
    "add",
    epilog=examples(
        "order add 1001 --line SCALE-1:2:79.95 --currency EUR",
        "order add 1002 --store eu --content order.json",
        "order add 1003 --replacement-for 1001 --json",
    ),
)
def add_order(  # noqa: PLR0913, PLR0917 - options are named on the command line
    order_key: Annotated[str, typer.Argument(metavar="KEY", help="Its key in the store.")],
    store: StoreName = None,
    number: Annotated[
        str | None, typer.Option(help="Its number, as the customer knows it.", show_default=False)
    ] = None,
    ordered_at: Annotated[
        str | None, typer.Option(help="When it was ordered (ISO 8601).", show_default=False)
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="Its currency (ISO 4217).", show_default=False)
    ] = None,
    email: Annotated[
        str | None, typer.Option(help="The customer's address.", show_default=False)
    ] = None,
    line: Annotated[
        list[str] | None,
        typer.Option(metavar="SKU[:QUANTITY[:PRICE]]", help="A line; may be repeated."),
    ] = None,
    replacement_for: Annotated[
        str | None, typer.Option(help="The key of the order that it replaces.", show_default=False)
    ] = None,
    content: Annotated[
        Path | None,
        typer.Option(help="A JSON file with more of its content; - is stdin.", show_default=False),
    ] = None,
    source: Annotated[str, typer.Option(help="Who says so.")] = SOURCE,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Create an order, or update its content; the same content twice changes nothing."""
    told: dict[str, Any] = {
        "order_number": number,
        "ordered_at": moment(ordered_at, option="--ordered-at"),
        "currency": currency,
        "customer_email": email,
        "lines": [line_told(text) for text in line] if line else None,
        "replacement_for": replacement_for,
        "order_key": order_key,
        "source": source,
    }
    more = _content(content) if content is not None else {}
    more |= {name: value for name, value in told.items() if value is not None}

    async def add(hub: Hub, account_id: str) -> OrderResult:
        from milepost.api.bodies import OrderBody, order_input
        from milepost.api.reading import read_json

        named = {**more, "store": await store_named(hub, account_id, store)}
        body = read_json(msgspec.json.encode(named), shape=OrderBody)
        now = await hub.clocks.now(account_id)
        item = order_input(body, rooms=hub.rooms, now=now)
        (result,) = await hub.intake.orders(account_id, (item,))
        return result

    show_taken(in_account(add, database=database, account=account), as_json=as_json)


def show_taken(result: OrderResult, *, as_json: bool) -> None:
    """Shows what came of an order, or raises why it was not taken."""
    from milepost.api.answers import order_answer

    if result.order is None:
        raise result.refusal or InvalidInput(field="", expected="an order that can be taken")
    taken = order_answer(result.outcome, result.order)
    if as_json:
        answer(taken)
        return
    say(f"{taken.order_id} ({taken.store} {taken.order_key}) is {taken.outcome}: {taken.state}.")
    hint(f"Next: milepost update {taken.order_id} submitted")


def line_told(text: str) -> dict[str, object]:
    """A line as the command line writes it. Raises InvalidInput."""
    sku, *rest = text.split(":")
    try:
        quantity = int(rest[0]) if rest and rest[0] else 1
        price = Decimal(rest[1]) if len(rest) > 1 else None
    except (ValueError, InvalidOperation):
        quantity, price = -1, None
    if not sku or quantity < 0 or len(rest) > 2:
        raise InvalidInput(field="--line", expected="SKU, SKU:QUANTITY or SKU:QUANTITY:PRICE")
    priced = {} if price is None else {"price": price}
    return {"sku": sku, "quantity": quantity, **priced}


def _content(path: Path) -> dict[str, Any]:
    """The object in a JSON file or, for `-`, on standard input.

    Raises FileUnusable, TooLarge and InvalidInput.
    """
    from milepost.api.problems import NotJson
    from milepost.api.reading import check_text, read_json

    try:
        if str(path) == "-":
            raw = sys.stdin.buffer.read(FILE_LIMIT + 1)
        else:
            with path.open("rb") as file:
                raw = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from None
    if len(raw) > FILE_LIMIT:
        raise TooLarge(f"At most {FILE_LIMIT} bytes are taken of one order.")
    try:
        check_text(raw)
        return dict(read_json(raw, shape=dict[str, msgspec.Raw]))
    except NotJson as error:
        raise InvalidInput(field=str(path), expected=f"JSON. {error.detail}") from None


@order.command("show", epilog=examples("order show 1001", "order show ord_01… --json"))
def show_order(
    name: OrderName,
    store: StoreName = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show an order, its parcels, and what each contract says of it."""

    async def read(hub: Hub, account_id: str) -> OrderView:
        return order_view(await order_named(hub, account_id, name, store=store), rooms=hub.rooms)

    view = in_account(read, database=database, account=account)
    if as_json:
        answer(view)
        return
    record("Order", _facts(view))
    if view.parcels:
        table(
            "Parcels",
            ("parcel", "state", "since", "carrier", "service", "tracking number"),
            [
                (p.parcel, p.state, p.state_at, p.carrier, p.carrier_service, p.tracking_number)
                for p in view.parcels
            ],
        )
    hint(f"Its history: milepost order history {view.order_id}")


def _facts(view: OrderView) -> list[tuple[str, object]]:
    state = f"{view.state} ({view.reason})" if view.reason else view.state
    return [
        ("id", view.order_id),
        ("store", view.store),
        ("key", view.order_key),
        ("number", view.order_number),
        ("state", state),
        ("since", view.state_at),
        ("before that", view.previous_state),
        ("needs attention", view.attention),
        ("events", view.sequence),
        ("created", view.created_at),
        ("updated", view.updated_at),
        ("shipped", view.shipped_at),
        *([("personal data erased", view.erased_at)] if view.erased_at else []),
        ("replaces", view.content.replacement_for),
        ("lines", [f"{line.quantity} × {line.sku}" for line in view.content.lines]),
        *(
            (f"in {contract}", " / ".join(word for word in words.values() if word))
            for contract, words in view.words.items()
        ),
    ]


@order.command("list", epilog=examples("order list --state on_hold", "order list --store eu"))
def list_orders(
    store: Annotated[str | None, typer.Option(help="Of this store.", show_default=False)] = None,
    state: Annotated[
        State | None, typer.Option(help="In this state.", show_default=False, metavar="STATE")
    ] = None,
    limit: Limit = 50,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List orders, newest first."""

    async def read(hub: Hub, account_id: str) -> tuple[Sequence[OrderSummary], str | None]:
        wanted = OrderFilter(store, state)
        return await hub.insights.orders(account_id, wanted=wanted, page=Page(after, limit))

    found, following = in_account(read, database=database, account=account)
    if as_json:
        answer({"orders": found, "next": following})
        return
    nothing = "No order is like that." if store or state else _NO_ORDERS
    _show_orders(found, empty=nothing)
    if following:
        hint(f"There are more: --after {following}")


_NO_ORDERS = "There is no order yet: `milepost order add KEY` creates one."


@order.command("find", epilog=examples("order find 1001", "order find 1Z999AA10123456784"))
def find_orders(
    text: Annotated[str, typer.Argument(help="An order id, key, number or tracking number.")],
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Find orders by id, key, number or tracking number; ends with 3 when there is none."""

    async def read(hub: Hub, account_id: str) -> Sequence[OrderSummary]:
        return await hub.insights.find_orders(account_id, text)

    found = in_account(read, database=database, account=account)
    if as_json:
        answer({"orders": found})
    else:
        _show_orders(found, empty=f"No order has {text} as its id, key, number or tracking number.")
    if not found:
        raise typer.Exit(ExitCode.NOT_FOUND)


def _show_orders(orders: Sequence[OrderSummary], *, empty: str) -> None:
    table(
        "Orders",
        ("order", "store", "key", "state", "since", "events>", "attention"),
        [
            (
                o.order_id,
                o.store,
                o.order_key,
                o.state,
                o.state_at,
                o.sequence,
                "yes" if o.attention else "",
            )
            for o in orders
        ],
        empty=empty,
    )


@order.command("history", epilog=examples("order history 1001"))
def show_history(
    name: OrderName,
    store: StoreName = None,
    limit: Limit = 100,
    after: Annotated[int, typer.Option(min=0, help="Go on after this sequence.")] = 0,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show what happened to an order, oldest first."""

    async def read(hub: Hub, account_id: str) -> tuple[Sequence[EventView], int | None]:
        order_id = (await order_named(hub, account_id, name, store=store)).order_id
        with asked_for(f"order {order_id}"):
            return await hub.insights.history(account_id, order_id, after=after, limit=limit)

    events, following = in_account(read, database=database, account=account)
    if as_json:
        answer({"events": events, "next": following})
        return
    table(
        "History",
        ("#>", "happened", "known", "state", "source", "remarks"),
        [(e.sequence, e.occurred_at, e.received_at, e.state, e.source, remarks(e)) for e in events],
        empty="Nothing happened after that.",
    )
    if following is not None:
        hint(f"There are more: --after {following}")


def remarks(event: EventView) -> str:
    """What else there is to say of an event, in a few words."""
    said = [
        (event.reason, f"{event.reason}"),
        (event.parcel, f"parcel {event.parcel}"),
        (event.parcel_state and event.parcel_state != event.state, f"{event.parcel_state}"),
        (event.raw, f"“{event.raw}”"),
        (event.skipped, f"passed over {', '.join(event.skipped)}"),
        (event.correction, "correction"),
        (event.note, f"{event.note}"),
        (event.type == "order.updated" and not event.parcel, "new facts"),
        (event.type == "order.erased", "personal data erased"),
    ]
    return ", ".join(text for there, text in said if there)
