"""`milepost egress`: the networks that notifications are sent from, and the record that says so."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer

from milepost.cli.options import Database, Json, examples
from milepost.cli.output import answer, hint, record, say, table
from milepost.cli.session import with_hub
from milepost.delivery.egress import (
    NOTICE,
    SAFE_BYTES,
    Action,
    EgressChange,
    strings_of,
    zone_line,
)
from milepost.egress import EgressList, EgressRecord
from milepost.errors import InvalidInput
from milepost.wiring import Hub

egress = typer.Typer(
    help="Keep the list of networks that notifications are sent from, and print the DNS record "
    "by which receivers know them."
)

NetworkText = Annotated[
    str, typer.Argument(metavar="NETWORK", help="Such as 192.0.2.0/24, 2001:db8::/48 or 192.0.2.7.")
]
On = Annotated[
    str | None,
    typer.Option(
        help="The day on which it takes effect, at midnight in UTC; default: the first possible.",
        show_default=False,
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help=f"Even less than {NOTICE.days} days ahead: receivers may refuse."),
]


@egress.command("list", epilog=examples("egress list", "egress list --json"))
def list_networks(database: Database = None, as_json: Json = False) -> None:
    """List the networks in use, and the changes that are planned."""

    async def read(hub: Hub) -> EgressList:
        return await hub.egress.list()

    found = with_hub(read, database=database)
    if as_json:
        networks = [str(network) for network in found.networks]
        answer({"networks": networks, "planned": [_change(c) for c in found.planned]})
        return
    table(
        "Networks in use",
        ("network",),
        [(str(network),) for network in found.networks],
        empty="None is on the list yet: `milepost egress add NETWORK` plans one.",
    )
    if found.planned:
        table(
            "Planned changes",
            ("change", "network", "what", "on", "planned", "forced"),
            [
                (c.change_id, c.network, c.action, c.effective_at.date(), c.planned_at, c.forced)
                for c in found.planned
            ],
        )


@egress.command(
    "add",
    epilog=examples(
        "egress add 192.0.2.0/24",
        "egress add 2001:db8::/48 --on 2026-09-01",
        "egress add 192.0.2.7 --on 2026-08-01 --force    # before the first record",
    ),
)
def add_network(
    network: NetworkText,
    on: On = None,
    force: Force = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Plan to send from a network, at least a week ahead; the record tells of it from now on."""
    _plan(network, Action.ADD, on=on, force=force, database=database, as_json=as_json)


@egress.command("remove", epilog=examples("egress remove 192.0.2.0/24 --on 2026-09-01"))
def remove_network(
    network: NetworkText,
    on: On = None,
    force: Force = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Plan to send from a network no longer; the record names it until then."""
    _plan(network, Action.REMOVE, on=on, force=force, database=database, as_json=as_json)


def _plan(
    network: str,
    action: Action,
    *,
    on: str | None,
    force: bool,
    database: str | None,
    as_json: bool,
) -> None:
    day = _day(on)

    async def plan(hub: Hub) -> EgressChange:
        return await hub.egress.plan(network, action=action, on=day, force=force)

    planned = with_hub(plan, database=database)
    if as_json:
        answer(_change(planned))
        return
    record("Planned", _facts(planned))
    hint("Publish the record now: milepost egress record")


@egress.command("cancel", epilog=examples("egress cancel egr_0123456789"))
def cancel_change(
    change: Annotated[
        str, typer.Argument(metavar="CHANGE", help="Its id, as `egress list` shows it.")
    ],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Take back a change that is not in effect yet."""

    async def cancel(hub: Hub) -> EgressChange:
        return await hub.egress.cancel(change)

    cancelled = with_hub(cancel, database=database)
    if as_json:
        answer(_change(cancelled))
    else:
        record("Cancelled", _facts(cancelled))


@egress.command(
    "record",
    epilog=examples(
        "egress record",
        "egress record --name _milepost.example.com    # lines for a zone file",
        "egress record --on 2026-09-01 --json",
    ),
)
def show_record(
    on: Annotated[str | None, typer.Option(help="Only for this day.", show_default=False)] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Print lines for a zone file, under this name.", show_default=False),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Print the text of the TXT record for today and for each day on which a change takes effect.

    It is one record; where it is longer than 255 bytes it has several strings, which are read as
    one. The words of the record are Milepost's own.
    """
    day = _day(on)

    async def read(hub: Hub) -> list[EgressRecord]:
        if day is not None:
            return [await hub.egress.record_on(day)]
        return list(await hub.egress.records())

    records = with_hub(read, database=database)
    if as_json:
        answer({"records": [_record(one, name=name) for one in records]})
        return
    for one in records:
        _say_record(one, name=name)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field="--on", expected="a day such as 2026-09-01") from None


def _say_record(one: EgressRecord, *, name: str | None) -> None:
    strings = strings_of(one.text)
    because = "" if one.because is None else f": {one.because.action} {one.because.network}"
    hint(f"{one.day}{because}")
    if name is None:
        say(" ".join(f'"{text}"' for text in strings))
    else:
        say(zone_line(name, strings))
    if len(one.text.encode()) > SAFE_BYTES:
        hint(
            f"It is {len(one.text.encode())} bytes: over {SAFE_BYTES}, resolvers need TCP to read "
            "it. Fewer and larger networks make it shorter.",
            style="yellow",
        )


def _record(one: EgressRecord, *, name: str | None) -> dict[str, Any]:
    strings = strings_of(one.text)
    told = {
        "day": one.day,
        "text": one.text,
        "strings": strings,
        "networks": [str(network) for network in one.networks],
        "because": None if one.because is None else _change(one.because),
    }
    return told if name is None else {**told, "zone_line": zone_line(name, strings)}


def _facts(change: EgressChange) -> list[tuple[str, object]]:
    return [
        ("change", change.change_id),
        ("network", change.network),
        ("what", change.action),
        ("on", change.effective_at.date()),
        ("forced", change.forced),
    ]


def _change(change: EgressChange) -> dict[str, Any]:
    return {
        "change_id": change.change_id,
        "network": change.network,
        "action": change.action,
        "effective_at": change.effective_at,
        "planned_at": change.planned_at,
        "forced": change.forced,
        "cancelled_at": change.cancelled_at,
    }
