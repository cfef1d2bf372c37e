"""`milepost resend`: sending many again, counted beforehand and watched while it is queued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, cast

import typer

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
from milepost.cli.output import answer, hint, record
from milepost.cli.resend_asking import Asking, show_resends, told
from milepost.cli.session import asked_for, in_account, order_named
from milepost.ports import Page
from milepost.ports.resends import LAST_SEQUENCE, Between, Failed, Latest, OfOrder, Resend
from milepost.wiring import Hub

resend = typer.Typer(help="Send many deliveries again: what failed, a range, or final states.")

ResendName = Annotated[str, typer.Argument(metavar="RESEND", help="Its id: rsd_…")]
Since = Annotated[
    str,
    typer.Option(help="From this time on (ISO 8601), included.", show_default=False),
]
ToEndpoint = Annotated[str, typer.Option("--endpoint", help="To this endpoint.")]
ToAnyEndpoint = Annotated[
    str | None,
    typer.Option("--endpoint", help="To this endpoint only.", show_default=False),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Count and show what would be sent, and no more.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; without it nothing is assumed.")]


@resend.command(
    "failed",
    epilog=examples(
        "resend failed --since 2026-01-31T10:00 --dry-run",
        "resend failed --since 2026-01-31T10:00 --endpoint ep_0123456789 --yes",
    ),
)
def resend_failed(
    since: Since,
    endpoint: ToAnyEndpoint = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Send again what was given up since a time, to one endpoint or to all."""
    asking = Asking(account, database, dry_run=dry_run, yes=yes, as_json=as_json)
    asking.ask(Failed(_time(since, option="--since")), endpoint_id=endpoint)


@resend.command(
    "between",
    epilog=examples(
        "resend between --endpoint ep_0123456789 --since 2026-01-31T10:00 --until 2026-01-31T12:00"
    ),
)
def resend_between(
    endpoint: ToEndpoint,
    since: Since,
    until: Annotated[str, typer.Option(help="Up to this time (ISO 8601), included.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Send again what was queued in a span of time, whether it was acknowledged or given up."""
    asking = Asking(account, database, dry_run=dry_run, yes=yes, as_json=as_json)
    span = Between(_time(since, option="--since"), _time(until, option="--until"))
    asking.ask(span, endpoint_id=endpoint)


@resend.command(
    "latest",
    epilog=examples("resend latest --endpoint ep_0123456789 --since 2026-01-31 --yes"),
)
def resend_latest(
    endpoint: ToEndpoint,
    since: Since,
    dry_run: DryRun = False,
    yes: Yes = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Send the final state of every order changed since a time: its newest notification alone."""
    asking = Asking(account, database, dry_run=dry_run, yes=yes, as_json=as_json)
    asking.ask(Latest(_time(since, option="--since")), endpoint_id=endpoint)


@resend.command(
    "order",
    epilog=examples(
        "resend order 1001 --dry-run",
        "resend order 1001 --first 2 --last 4 --endpoint ep_0123456789 --yes",
    ),
)
def resend_order(
    name: OrderName,
    store: StoreName = None,
    endpoint: ToAnyEndpoint = None,
    first: Annotated[
        int, typer.Option(min=1, max=LAST_SEQUENCE, help="From this sequence on.")
    ] = 1,
    last: Annotated[
        int | None,
        typer.Option(min=1, max=LAST_SEQUENCE, help="Up to this sequence.", show_default=False),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Send again what was queued of one order: all of it, or a range of its events."""

    async def find(hub: Hub, account_id: str) -> str:
        return (await order_named(hub, account_id, name, store=store)).order_id

    order_id = in_account(find, database=database, account=account)
    asking = Asking(account, database, dry_run=dry_run, yes=yes, as_json=as_json)
    asking.ask(OfOrder(order_id, first, last or LAST_SEQUENCE), endpoint_id=endpoint)


def _time(text: str, *, option: str) -> datetime:
    return cast(datetime, moment(text, option=option))


@resend.command("list", epilog=examples("resend list", "resend list --json"))
def list_resends(
    limit: Limit = 50,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List resends, newest first."""

    async def read(hub: Hub, account_id: str) -> tuple[Sequence[Resend], str | None]:
        return await hub.resends.list(account_id, page=Page(after, limit))

    found, following = in_account(read, database=database, account=account)
    if as_json:
        from milepost.api.resends import Resends, resend_view

        answer(Resends([resend_view(one) for one in found], following))
        return
    show_resends(found)
    if following:
        hint(f"There are more: --after {following}")


@resend.command("show", epilog=examples("resend show rsd_01…"))
def show_resend(
    name: ResendName,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show how far a resend has come."""

    async def read(hub: Hub, account_id: str) -> Resend:
        with asked_for(f"resend {name}"):
            return await hub.resends.find(account_id, name)

    _show(in_account(read, database=database, account=account), as_json=as_json)


@resend.command("stop", epilog=examples("resend stop rsd_01…"))
def stop_resend(
    name: ResendName,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """End a resend that runs; what it has queued is sent all the same."""

    async def stop(hub: Hub, account_id: str) -> Resend:
        with asked_for(f"resend {name}"):
            return await hub.resends.stop(account_id, name)

    _show(in_account(stop, database=database, account=account), as_json=as_json)


def _show(one: Resend, *, as_json: bool) -> None:
    if as_json:
        from milepost.api.resends import resend_view

        answer(resend_view(one))
        return
    record(
        "Resend",
        [
            ("id", one.resend_id),
            ("endpoint", one.endpoint_id),
            ("what", told(one.choice)),
            ("state", one.state),
            ("why", one.why),
            ("asked", one.asked_at),
            ("looked at", f"{one.examined:,}"),
            ("queued", f"{one.queued:,}"),
            ("finished", one.finished_at),
        ],
    )
