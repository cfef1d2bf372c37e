"""`milepost order erase`: a person's data goes, the statistics and the proof of delivery stay."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from milepost.cli.exits import ExitCode
from milepost.cli.options import AccountName, Database, Json, StoreName
from milepost.cli.orders import SOURCE
from milepost.cli.output import answer, hint, say, table
from milepost.cli.session import in_account, order_named
from milepost.erasure import Erasure, ErasureInput
from milepost.errors import DeliveriesPending, InvalidInput
from milepost.orders.model import Order
from milepost.wiring import Hub

SAID_EVERY = 10_000


class Erased(msgspec.Struct, frozen=True):
    """What came of it: the orders that were erased, and those that have pending deliveries."""

    found: list[str]
    erased: list[Erasure]
    pending: list[str]
    dry_run: bool


def erase_order(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[ORDER]", help="Its id, key, number or tracking number."),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(
            help="Every order with this address; looks through all orders of the account.",
            show_default=False,
        ),
    ] = None,
    abandon_pending: Annotated[
        bool, typer.Option("--abandon-pending", help="Give up deliveries that are pending.")
    ] = False,
    note: Annotated[
        str | None,
        typer.Option(help="What stays in the history: nothing of the person.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say which orders that would be.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    store: StoreName = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Erase the personal data of one order, or of every order with an e-mail address.

    An order that was erased takes nothing more. Ends with 1 when an order has pending deliveries,
    which hold what would be erased, and they may not be given up.
    """
    if (name is None) == (email is None):
        raise InvalidInput(field="", expected="an order, or --email")
    if sys.stdin.isatty() and not (yes or as_json or dry_run):
        typer.confirm("Erase the personal data for good?", abort=True, err=True)
    wanted = ErasureInput(abandon_pending, note)

    async def erase(hub: Hub, account_id: str) -> Erased:
        if name is not None:
            found = [await order_named(hub, account_id, name, store=store)]
        else:
            found = await _orders_of(hub, account_id, email or "", store=store)
        told = Erased([o.order_id for o in found], [], [], dry_run)
        for one in () if dry_run else found:
            try:
                done = await hub.eraser.erase(account_id, one.order_id, wanted, source=SOURCE)
                told.erased.append(done)
            except DeliveriesPending:
                told.pending.append(one.order_id)
        return told

    _show(in_account(erase, database=database, account=account), as_json=as_json)


async def _orders_of(hub: Hub, account_id: str, email: str, *, store: str | None) -> list[Order]:
    found: list[Order] = []
    after: str | None = None
    looked_at, said = 0, SAID_EVERY
    while True:
        look = await hub.eraser.find(account_id, email, after=after)
        found += [o for o in look.orders if store in (None, o.store)]
        looked_at += look.looked_at
        after = look.after
        if looked_at >= said or after is None:
            said += SAID_EVERY
            hint(f"Looked through {looked_at} orders, found {len(found)}.")
        if after is None:
            return found


def _show(told: Erased, *, as_json: bool) -> None:
    if as_json:
        answer(told)
    elif told.dry_run:
        table("Would be erased", ("order",), [(name,) for name in told.found], empty="None.")
    else:
        say(f"The personal data of {len(told.erased)} orders is erased.")
        if told.pending:
            listed = ", ".join(told.pending)
            hint(f"Deliveries are pending: {listed}. Wait for them, or use --abandon-pending.")
    if told.pending:
        raise typer.Exit(ExitCode.REFUSED)
