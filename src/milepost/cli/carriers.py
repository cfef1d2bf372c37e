"""`milepost carrier`: where scans of parcels are asked for, and how parcels are watched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from milepost.carrier_sources import SourceInput
from milepost.cli.exits import ExitCode, FileUnusable
from milepost.cli.options import (
    AccountName,
    Database,
    Json,
    OrderName,
    PrivateNetworks,
    StoreName,
    examples,
)
from milepost.cli.output import answer, hint, record, say, table
from milepost.cli.pairs import text_or_file
from milepost.cli.session import in_account, order_named
from milepost.errors import InvalidInput
from milepost.orders.tracking import Tracking
from milepost.ports.tracking import CarrierSource, Failed, Told
from milepost.wiring import Hub

carrier = typer.Typer(
    help="Set up where scans of parcels are asked for, and see how parcels are watched."
)

SourceName = Annotated[str, typer.Argument(metavar="NAME", help="What the source is called.")]


@carrier.command(
    "put",
    epilog=examples(
        "carrier put acme acme.json --carrier Acme --secret token=@acme.token",
        "carrier put acme acme.json --secret token=env:CARRIER_ACME_TOKEN",
        "carrier put sim --kind simulator",
        "carrier put hooks --kind pushed    # nobody is asked; parcels expire all the same",
    ),
)
def put_source(
    name: SourceName,
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Its configuration, as JSON.", show_default=False),
    ] = None,
    kind: Annotated[str, typer.Option(help="http, simulator or pushed.")] = "http",
    carriers: Annotated[
        list[str] | None,
        typer.Option(
            "--carrier", help="A carrier that it answers for; default: all that no other names."
        ),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE, or NAME=@FILE, or NAME=env:CARRIER_… for a variable; "
            "default: as they are."
        ),
    ] = None,
    allow_private_networks: PrivateNetworks = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Add or replace a source, and begin to watch every parcel that is on its way."""
    wanted = SourceInput(kind, tuple(carriers or ()), msgspec.Raw(_content(config)))
    secrets = None if secret is None else dict(_pair(text) for text in secret)

    async def put(hub: Hub, account_id: str) -> CarrierSource:
        return await hub.tracking.sources.put(account_id, name, wanted, secrets=secrets)

    kept = in_account(
        put, database=database, account=account, allow_private_networks=allow_private_networks
    )
    if as_json:
        answer(_shown(kept))
        return
    record("Carrier source", _facts(kept))
    hint(f"Try it: milepost carrier ask {name} TRACKING_NUMBER")


def _content(config: Path | None) -> bytes:
    if config is None:
        return b"{}"
    try:
        content = config.read_bytes()
    except OSError as error:
        raise FileUnusable(f"{config}: {error.strerror}") from None
    try:
        msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidInput(field=str(config), expected="well-formed JSON") from None
    return content


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(field="--secret", expected="NAME=VALUE")
    return name, text_or_file(value)


@carrier.command("list", epilog=examples("carrier list"))
def list_sources(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """List the account's carrier sources."""

    async def read(hub: Hub, account_id: str) -> Sequence[CarrierSource]:
        return await hub.tracking.sources.list(account_id)

    sources = in_account(read, database=database, account=account)
    if as_json:
        answer({"sources": [_shown(source) for source in sources]})
        return
    table(
        "Carrier sources",
        ("name", "kind", "carriers", "changed"),
        [(s.source, s.kind, s.carriers or "all others", s.updated_at) for s in sources],
        empty="No parcel is watched yet: `milepost carrier put NAME` says where to ask.",
    )


@carrier.command("show", epilog=examples("carrier show acme", "carrier show acme --json"))
def show_source(
    name: SourceName, account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """Show a source with its configuration; its secrets by their names alone."""

    async def read(hub: Hub, account_id: str) -> CarrierSource:
        return await hub.tracking.sources.named(account_id, name)

    source = in_account(read, database=database, account=account)
    if as_json:
        answer(_shown(source))
        return
    record("Carrier source", _facts(source))
    say(msgspec.json.format(source.config, indent=2).decode())


@carrier.command("remove", epilog=examples("carrier remove acme"))
def remove_source(
    name: SourceName, account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """Remove a source; without any, nothing is asked and nothing expires."""

    async def remove(hub: Hub, account_id: str) -> None:
        await hub.tracking.sources.remove(account_id, name)

    in_account(remove, database=database, account=account)
    if as_json:
        answer({"source": name, "removed": True})
    else:
        say(f"{name} is removed.")


@carrier.command("ask", epilog=examples("carrier ask acme 1Z999AA10123456784"))
def ask_source(
    name: SourceName,
    number: Annotated[str, typer.Argument(metavar="TRACKING_NUMBER", help="Of which parcel.")],
    of_carrier: Annotated[
        str | None, typer.Option("--carrier", help="Who brings it.", show_default=False)
    ] = None,
    allow_private_networks: PrivateNetworks = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Ask a source about a parcel now, and show what it says; nothing is taken in.

    Ends with code 5 when it does not answer.
    """

    async def ask(hub: Hub, account_id: str) -> Told | Failed:
        return await hub.tracking.sources.ask(
            account_id, name, tracking_number=number, carrier=of_carrier
        )

    told = in_account(
        ask, database=database, account=account, allow_private_networks=allow_private_networks
    )
    if isinstance(told, Failed):
        if as_json:
            answer({"failed": told.why, "scans": []})
        hint(f"{name} did not answer: {told.why}", style="red")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    if as_json:
        answer({"scans": told.scans, "trouble": told.trouble})
        return
    table(
        f"What {name} says of {number}",
        ("happened", "state", "its word", "id"),
        [(s.occurred_at, s.state, s.raw, s.scan_id) for s in told.scans],
        empty=f"{name} knows nothing of {number}.",
    )
    if told.trouble:
        hint(told.trouble, style="yellow")


@carrier.command("watched", epilog=examples("carrier watched 1001"))
def show_watched(
    name: OrderName,
    store: StoreName = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show how the parcels of an order are watched: asked when, due when, or ended why."""

    async def read(hub: Hub, account_id: str) -> Sequence[Tracking]:
        order = await order_named(hub, account_id, name, store=store)
        return await hub.tracking.sources.trackings(account_id, order.order_id)

    found = in_account(read, database=database, account=account)
    if as_json:
        from milepost.api.tracking import tracking_view

        answer({"trackings": [tracking_view(tracking) for tracking in found]})
        return
    table(
        "Watched parcels",
        ("parcel", "since", "asked", "times>", "next", "ended", "trouble"),
        [(t.parcel, t.since_at, t.asked_at, t.asks, t.due_at, t.ended, t.trouble) for t in found],
        empty="None of its parcels is watched: `milepost carrier list` shows where is asked.",
    )


def _facts(source: CarrierSource) -> list[tuple[str, object]]:
    return [
        ("name", source.source),
        ("kind", source.kind),
        ("answers for", source.carriers or "all carriers that no other source names"),
        ("secrets", tuple(_names(source)) or "none"),
        ("changed", source.updated_at),
    ]


def _shown(source: CarrierSource) -> dict[str, Any]:
    return {
        "source": source.source,
        "kind": source.kind,
        "carriers": source.carriers,
        "config": msgspec.Raw(source.config),
        "secrets": _names(source),
        "created_at": source.created_at,
        "updated_at": source.updated_at,
    }


def _names(source: CarrierSource) -> list[str]:
    return sorted(msgspec.json.decode(source.secrets, type=dict[str, str]))
