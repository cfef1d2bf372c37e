"""`milepost attention`: what asks for a person, and putting it aside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from milepost.attention import Kind, Matter
from milepost.cli.options import AccountName, After, Database, Json, Limit, examples, moment
from milepost.cli.output import answer, hint, local, say, table
from milepost.cli.session import in_account
from milepost.errors import InvalidInput
from milepost.ports import Page
from milepost.wiring import Hub

attention = typer.Typer(help="What asks for a person, and what can be done about it.")

KindName = Annotated[
    list[Kind] | None,
    typer.Option("--kind", help="Only of this kind; may be repeated.", show_default=False),
]


@attention.command(
    "list", epilog=examples("attention list", "attention list --kind delivery_abandoned --json")
)
def list_attention(
    kind: KindName = None,
    limit: Limit = 50,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List endpoints that fail or are paused, what was given up, and what was not applied."""

    async def read(hub: Hub, account_id: str) -> tuple[Sequence[Matter], str | None]:
        kinds = tuple(kind) if kind else tuple(Kind)
        return await hub.attention.matters(account_id, kinds=kinds, page=Page(after, limit))

    found, following = in_account(read, database=database, account=account)
    if as_json:
        answer({"matters": found, "next": following})
        return
    table(
        "What asks for a person",
        ("id", "kind", "since", "why", "what can be done"),
        [
            (
                matter.attention_id,
                matter.kind.replace("_", " "),
                matter.since,
                matter.why,
                matter.actions[0].command,
            )
            for matter in found
        ],
        empty="Nothing asks for a person.",
    )
    if following:
        hint(f"There are more: --after {following}")


@attention.command(
    "dismiss",
    epilog=examples(
        "attention dismiss delivery:ord_01…-3-ep_0123456789",
        "attention dismiss --kind update_illegal --until 2026-01-31T12:00:00Z",
    ),
)
def dismiss(
    items: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Attention ids, as the list shows them."),
    ] = None,
    kind: KindName = None,
    until: Annotated[
        str | None,
        typer.Option(help="Of a kind only what began by then; default: now.", show_default=False),
    ] = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Put things aside, by their id or all of a kind; one comes back when it begins anew."""
    if bool(items) == bool(kind):
        raise InvalidInput(field="", expected="either ids or --kind")
    if until is not None and not kind:
        raise InvalidInput(field="--until", expected="--kind beside it")
    at = moment(until, option="--until")

    async def put_aside(hub: Hub, account_id: str) -> tuple[int, datetime | None]:
        if items:
            return await hub.attention.dismiss(account_id, items), None
        return 0, await hub.attention.dismiss_kinds(account_id, kind or (), until=at)

    count, by_then = in_account(put_aside, database=database, account=account)
    if as_json:
        answer({"items": count, "kinds": kind or [], "until": by_then})
    elif by_then is not None:
        say(f"Whatever of it began by {local(by_then)} is put aside.")
    else:
        say(f"{count} {'is' if count == 1 else 'are'} put aside.")
