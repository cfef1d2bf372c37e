"""`milepost delivery` and `milepost quarantine`: what was sent, and what was not applied."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated

import typer

from milepost.cli.endpoints import show_queued
from milepost.cli.options import AccountName, After, Database, Json, Limit, examples
from milepost.cli.output import answer, hint, record, table, write_raw
from milepost.cli.session import asked_for, in_account, order_named
from milepost.delivery.model import Delivery, DeliveryState
from milepost.errors import InvalidInput
from milepost.insights import DeliveryDetail, DeliveryView, QuarantineView
from milepost.orders.events import Verdict
from milepost.ports import DeliveryFilter, Page
from milepost.wiring import Hub

delivery = typer.Typer(help="Deliveries: what was sent to whom, and what came back.")
quarantine = typer.Typer(help="Updates that were kept and not applied.")

DeliveryName = Annotated[
    str, typer.Argument(metavar="DELIVERY", help="Its id, which is the webhook-id it carries.")
]


@delivery.command(
    "list", epilog=examples("delivery list --state pending", "delivery list --order 1001 --json")
)
def list_deliveries(
    endpoint: Annotated[
        str | None, typer.Option(help="To this endpoint.", show_default=False)
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(help="Of this order: its id, key, number or tracking number."),
    ] = None,
    state: Annotated[
        DeliveryState | None, typer.Option(help="In this state.", show_default=False)
    ] = None,
    limit: Limit = 50,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List deliveries, newest first."""

    async def read(hub: Hub, account_id: str) -> tuple[Sequence[DeliveryView], str | None]:
        order_id = order
        if order is not None:
            order_id = (await order_named(hub, account_id, order, store=None)).order_id
        wanted = DeliveryFilter(endpoint, order_id, state)
        return await hub.insights.deliveries(account_id, wanted=wanted, page=Page(after, limit))

    found, following = in_account(read, database=database, account=account)
    if as_json:
        answer({"deliveries": found, "next": following})
        return
    filtered = any(value is not None for value in (endpoint, order, state))
    table(
        "Deliveries",
        ("delivery", "status", "state", "attempts>", "outcome", "queued", "due"),
        [_row_of(d) for d in found],
        empty="No delivery is like that."
        if filtered
        else "There is no delivery yet: an endpoint and an order's update make one.",
    )
    if following:
        hint(f"There are more: --after {following}")


@delivery.command(
    "undelivered",
    epilog=examples("delivery undelivered", "delivery undelivered --endpoint ep_0123456789 --json"),
)
def list_undelivered(
    endpoint: Annotated[
        str | None, typer.Option(help="To this endpoint.", show_default=False)
    ] = None,
    limit: Limit = 50,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List what is pending, abandoned or superseded, oldest first."""

    async def read(hub: Hub, account_id: str) -> tuple[Sequence[DeliveryView], str | None]:
        return await hub.insights.undelivered(
            account_id, endpoint_id=endpoint, page=Page(after, limit)
        )

    found, following = in_account(read, database=database, account=account)
    if as_json:
        answer({"deliveries": found, "next": following})
        return
    table(
        "Not delivered",
        ("delivery", "status", "state", "attempts>", "outcome", "queued", "due"),
        [_row_of(d) for d in found],
        empty="Everything that was queued has been acknowledged.",
    )
    if following:
        hint(f"There are more: --after {following}")


def _row_of(one: DeliveryView) -> tuple[object, ...]:
    return (
        one.delivery_id,
        one.status,
        one.state,
        one.attempts,
        one.outcome,
        one.created_at,
        one.due_at,
    )


@delivery.command(
    "show", epilog=examples("delivery show ord_01…-3-ep_0123456789", "delivery show … --body")
)
def show_delivery(
    name: DeliveryName,
    body: Annotated[
        bool, typer.Option("--body", help="Print the exact body and nothing else.")
    ] = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show a delivery with every attempt and what came back."""
    if body and as_json:
        raise InvalidInput(field="--body", expected="not --json, which holds the body too")

    async def read(hub: Hub, account_id: str) -> DeliveryDetail:
        with asked_for(f"delivery {name}"):
            return await hub.insights.delivery(account_id, name)

    detail = in_account(read, database=database, account=account)
    if as_json:
        answer(detail)
    elif body:
        write_raw(_body_of(detail))
    else:
        _show(detail)


def _body_of(detail: DeliveryDetail) -> bytes:
    if detail.body_encoding == "base64":
        return base64.b64decode(detail.body)
    return detail.body.encode()


def _show(detail: DeliveryDetail) -> None:
    record(
        "Delivery",
        [
            ("id", detail.delivery_id),
            ("endpoint", detail.endpoint_id),
            ("order", detail.order_id),
            ("sequence", f"{detail.sequence}, after {detail.previous or 'none'}"),
            ("status", detail.status),
            ("state", detail.state),
            ("replays", detail.replay),
            ("queued", detail.created_at),
            ("due", detail.due_at),
            ("settled", detail.settled_at),
            ("body", f"{len(_body_of(detail)):,} bytes; --body prints them"),
        ],
    )
    table(
        "Attempts",
        ("#>", "started", "took>", "outcome", "status>", "detail", "response"),
        [
            (
                a.attempt,
                a.started_at,
                f"{a.duration_ms:.0f} ms",
                a.outcome,
                a.status or "–",
                a.detail,
                a.response[:80],
            )
            for a in detail.attempts_made
        ],
        empty="No attempt was made yet: a running `milepost serve` makes them.",
    )


@delivery.command("resend", epilog=examples("delivery resend ord_01…-3-ep_0123456789"))
def resend_delivery(
    name: DeliveryName,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Send a settled delivery again, under a new id; one that is pending stays as it is."""

    async def send(hub: Hub, account_id: str) -> Delivery:
        with asked_for(f"delivery {name}"):
            return await hub.operations.resend(account_id, name)

    show_queued(in_account(send, database=database, account=account), as_json=as_json)


@quarantine.command(
    "list", epilog=examples("quarantine list", "quarantine list --verdict illegal --json")
)
def list_quarantine(
    verdict: Annotated[
        Verdict | None, typer.Option(help="With this verdict.", show_default=False)
    ] = None,
    limit: Limit = 50,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List updates that were stale, illegal or early, newest first."""

    async def read(hub: Hub, account_id: str) -> tuple[Sequence[QuarantineView], str | None]:
        return await hub.insights.quarantine(account_id, verdict=verdict, page=Page(after, limit))

    found, following = in_account(read, database=database, account=account)
    if as_json:
        answer({"updates": found, "next": following})
        return
    table(
        "Updates that were not applied",
        ("update", "verdict", "order", "state", "source", "happened", "came in", "why"),
        [_row(update) for update in found],
        empty="Nothing is in quarantine: every update was applied or said nothing new.",
    )
    if following:
        hint(f"There are more: --after {following}")


def _row(view: QuarantineView) -> tuple[object, ...]:
    return (
        view.update_id,
        view.verdict,
        view.order_id or f"{view.store} {view.order_key}",
        view.update.get("state"),
        view.source,
        view.occurred_at,
        view.received_at,
        view.why,
    )
