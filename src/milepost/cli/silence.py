"""`milepost silence`: orders that nothing is heard of, and how long that may go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from milepost.cli.options import AccountName, After, Database, Json, Limit, examples
from milepost.cli.output import answer, hint, table
from milepost.cli.session import in_account
from milepost.clocks import read_span
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import State
from milepost.orders.silence import DEFAULTS, Own, Silence, SilenceKind
from milepost.ports import Page
from milepost.ports.silence import SilenceFilter
from milepost.silence import ThresholdView
from milepost.wiring import Hub

silence = typer.Typer(help="Orders that nothing is heard of, and how long that may go on.")

OFF = "off"


@silence.command(
    "list",
    epilog=examples(
        "silence list", "silence list --kind carrier_silent --json", "silence list --all"
    ),
)
def list_silences(
    kind: Annotated[
        SilenceKind | None, typer.Option(help="Only of this kind.", show_default=False)
    ] = None,
    state: Annotated[
        State | None, typer.Option(help="Only in this state.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    limit: Limit = 50,
    after: After = None,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List orders that have stayed too long where they are, the latest first."""
    wanted = SilenceFilter(kind, state, None if every else True)

    async def read(hub: Hub, account_id: str) -> tuple[Sequence[Silence], str | None]:
        return await hub.silences.silences(account_id, wanted=wanted, page=Page(after, limit))

    found, following = in_account(read, database=database, account=account)
    if as_json:
        from milepost.api.silence import silence_view

        answer({"silences": [silence_view(one) for one in found], "next": following})
        return
    table(
        "Silences",
        ("no.>", "order", "key", "kind", "state", "since", "raised", "ended"),
        [
            (
                one.number,
                one.order_id,
                one.order_key or "",
                one.kind.replace("_", " "),
                one.state,
                one.since_at,
                one.raised_at,
                one.ended_at,
            )
            for one in found
        ],
        empty="Every order has been heard of in time.",
    )
    if following:
        hint(f"There are more: --after {following}")


@silence.command("thresholds", epilog=examples("silence thresholds", "silence thresholds --json"))
def show_thresholds(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """Show how long each state may last, its default, and the reason for that."""

    async def read(hub: Hub, account_id: str) -> Sequence[ThresholdView]:
        return await hub.silences.thresholds(account_id)

    _show(in_account(read, database=database, account=account), as_json=as_json)


@silence.command(
    "set",
    epilog=examples(
        "silence set on_hold 10d",
        "silence set backordered off",
        "silence set in_transit 3d12h --json",
    ),
)
def set_threshold(
    state: Annotated[State, typer.Argument(help="Which state.", show_default=False)],
    after: Annotated[
        str,
        typer.Argument(
            help="How long it may last: 5d, 8h, 90m, 1d12h; or off.", show_default=False
        ),
    ],
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Set how long a state may last; it counts from the next look on, within a minute."""
    own: Own = {state: None if after == OFF else _span(after)}

    async def change(hub: Hub, account_id: str) -> Sequence[ThresholdView]:
        return await hub.silences.set_thresholds(account_id, own)

    _show(in_account(change, database=database, account=account), as_json=as_json, only=(state,))


@silence.command("reset", epilog=examples("silence reset on_hold", "silence reset --all"))
def reset_thresholds(
    states: Annotated[
        list[State] | None,
        typer.Argument(metavar="[STATE]...", help="Which states.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Go back to the default thresholds."""
    if bool(states) == every:
        raise InvalidInput(field="", expected="either states or --all")
    those = tuple(DEFAULTS) if every else tuple(states or ())

    async def change(hub: Hub, account_id: str) -> Sequence[ThresholdView]:
        return await hub.silences.reset_thresholds(account_id, those)

    _show(in_account(change, database=database, account=account), as_json=as_json, only=those)


def _span(text: str) -> timedelta:
    try:
        return read_span(text)
    except InvalidInput:
        raise InvalidInput(
            field="AFTER", expected="a length of time such as 5d, 8h or 90m, or off"
        ) from None


def _show(
    found: Sequence[ThresholdView], *, as_json: bool, only: Sequence[State] = tuple(DEFAULTS)
) -> None:
    shown = [one for one in found if one.state in only]
    if as_json:
        answer({"thresholds": shown})
        return
    table(
        "How long a state may last",
        ("state", "kind", "after", "default", "because"),
        [
            (
                one.state,
                one.kind.replace("_", " "),
                _words(one.after_s),
                _words(one.default_s) if one.changed else "the same",
                one.why,
            )
            for one in shown
        ],
        empty="",
    )


def _words(seconds: int | None) -> str:
    """A length of time as it would be typed."""
    if seconds is None:
        return OFF
    parts = []
    for letter, unit in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, unit)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts)
