"""`milepost update`: what happened to an order."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from milepost.cli.exits import BY_VERDICT
from milepost.cli.options import AccountName, Database, Json, OrderName, StoreName, moment
from milepost.cli.output import answer, hint, local, record
from milepost.cli.session import in_account, order_named
from milepost.intake import UpdateResult
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import Reason, State
from milepost.ports import OrderRef
from milepost.wiring import Hub

SOURCE = "cli"


def update(  # noqa: PLR0913, PLR0917 - options are named on the command line
    name: OrderName,
    state: Annotated[
        State | None,
        typer.Argument(metavar="[STATE]", help="Its new state; without one, facts alone."),
    ] = None,
    store: StoreName = None,
    at: Annotated[
        str | None, typer.Option(help="When it happened (ISO 8601); default: now.")
    ] = None,
    reason: Annotated[
        Reason | None, typer.Option(help="Why it is scheduled.", show_default=False)
    ] = None,
    parcel: Annotated[str | None, typer.Option(help="Which parcel.", show_default=False)] = None,
    carrier: Annotated[str | None, typer.Option(help="Who brings it.", show_default=False)] = None,
    carrier_service: Annotated[
        str | None, typer.Option(help="By which service.", show_default=False)
    ] = None,
    tracking_number: Annotated[
        str | None, typer.Option(help="Its tracking number.", show_default=False)
    ] = None,
    tracking_url: Annotated[
        str | None, typer.Option(help="Where to follow it.", show_default=False)
    ] = None,
    correction: Annotated[
        bool, typer.Option("--correction", help="Take a step back; needs --note.")
    ] = False,
    note: Annotated[str | None, typer.Option(help="Why.", show_default=False)] = None,
    raw: Annotated[
        str | None, typer.Option(help="The source's own word for the state.", show_default=False)
    ] = None,
    source: Annotated[str, typer.Option(help="Who says so.")] = SOURCE,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Tell what happened to an order, and print the verdict.

    Ends with 0 when it was applied or a duplicate, 1 when it is stale, 4 when it is illegal
    (the states that are allowed next are printed), and 3 when there is no such order. With --store
    an update for an order that is not there yet is kept, and applies itself when the order comes.
    """
    told = {
        "state": state,
        "reason": reason,
        "occurred_at": moment(at, option="--at"),
        "parcel": parcel,
        "carrier": carrier,
        "carrier_service": carrier_service,
        "tracking_number": tracking_number,
        "tracking_url": tracking_url,
        "correction": correction,
        "note": note,
        "raw": raw,
        "source": source,
    }

    async def tell(hub: Hub, account_id: str) -> UpdateResult:
        from milepost.api.bodies import UpdateBody, update_input
        from milepost.api.reading import read_json

        ref = await _ref(hub, account_id, name, store=store)
        named = {"order_id": ref.order_id, "store": ref.store, "order_key": ref.order_key}
        body = read_json(msgspec.json.encode(told | named), shape=UpdateBody)
        now = await hub.clocks.now(account_id)
        item = update_input(body, account_id=account_id, rooms=hub.rooms, now=now)
        (result,) = await hub.intake.updates(account_id, (item,))
        return result

    result = in_account(tell, database=database, account=account)
    if as_json:
        answer(_verdict(result))
    else:
        _say_verdict(result)
    raise typer.Exit(BY_VERDICT[result.verdict])


async def _ref(hub: Hub, account_id: str, name: str, *, store: str | None) -> OrderRef:
    """The order that is meant; one of a named store need not be there yet."""
    if store is not None:
        return OrderRef(account_id, store=store, order_key=name)
    found = await order_named(hub, account_id, name, store=None)
    return OrderRef(account_id, order_id=found.order_id)


def _verdict(result: UpdateResult) -> dict[str, object]:
    known = result.order
    return {
        "verdict": result.verdict,
        "why": result.why,
        "order_id": known and known.order_id,
        "store": known and known.store,
        "order_key": known and known.order_key,
        "state": known and known.state,
        "reason": known and known.reason,
        "sequence": known and known.sequence,
        "allowed": result.allowed,
    }


def _say_verdict(result: UpdateResult) -> None:
    facts: list[tuple[str, object]] = [("verdict", result.verdict), ("why", result.why)]
    if result.order is not None:
        facts += [
            ("order", f"{result.order.order_id} ({result.order.store} {result.order.order_key})"),
            ("state", f"{result.order.state}, since {local(result.order.state_at)}"),
            ("events", result.order.sequence),
        ]
    if result.verdict is Verdict.ILLEGAL:
        facts.append(("allowed next", result.allowed or "nothing but corrections"))
    record("Update", facts)
    if result.verdict is Verdict.ILLEGAL:
        hint("Why: milepost lifecycle explain FROM TO")
