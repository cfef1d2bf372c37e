"""`milepost clock`: the time of an account, and moving that of a sandbox forward."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

import typer

from milepost.cli.options import AccountName, Database, Json, examples, moment
from milepost.cli.output import answer, hint, local, record, utc
from milepost.cli.session import in_account
from milepost.clocks import ClockView, read_span
from milepost.wiring import Hub

clock = typer.Typer(help="The clocks of accounts; that of a sandbox can be moved forward.")

TOLD_EVERY_S = 1.0


@clock.command("show", epilog=examples("clock show", "clock show --account rehearsal --json"))
def show_clock(
    account: AccountName = None, database: Database = None, as_json: Json = False
) -> None:
    """Show what time it is in an account, and in a sandbox what comes due next."""

    async def read(hub: Hub, account_id: str) -> ClockView:
        return await hub.clocks.show(account_id)

    _show(in_account(read, database=database, account=account), as_json=as_json)


@clock.command(
    "advance",
    epilog=examples(
        "clock advance 3d --account rehearsal",
        "clock advance --to 2026-12-24T18:00:00Z",
        "clock advance 8h --jump --json    # at once, and what comes due is due together",
    ),
)
def advance_clock(
    by: Annotated[
        str | None,
        typer.Argument(metavar="[BY]", help="How far: 3d, 8h, 90m, 1d12h.", show_default=False),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="To this time instead.", show_default=False)
    ] = None,
    jump: Annotated[
        bool,
        typer.Option(
            "--jump", help="At once, without waiting on the way for what comes due to be done."
        ),
    ] = False,
    account: AccountName = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Move the clock of a sandbox account forward; it never goes back.

    It goes from one thing that comes due to the next and waits for each until a running hub has
    done it. When it is interrupted, the same --to goes on.
    """
    span = None if by is None else read_span(by)
    until = moment(to, option="--to")

    async def advance(hub: Hub, account_id: str) -> ClockView:
        goal = await hub.clocks.goal(account_id, by=span, to=until)
        if jump:
            return await hub.clocks.jump(account_id, to=goal)
        if not as_json:
            hint(f"On the way to {local(goal)}; to go on after an interruption: --to {utc(goal)}")
        told = _progress(hub.now, as_json=as_json)
        return await hub.clocks.play(account_id, to=goal, told=told)

    _show(in_account(advance, database=database, account=account), as_json=as_json)


def _progress(now: Callable[[], datetime], *, as_json: bool) -> Callable[[ClockView], None]:
    """Tells where the clock is, now and then."""
    last = now()

    def tell(view: ClockView) -> None:
        nonlocal last
        if as_json or now() - last < timedelta(seconds=TOLD_EVERY_S):
            return
        last = now()
        waits = f", waiting for {view.under_way} to be done" if view.under_way else ""
        hint(f"{local(view.now)}{waits}")

    return tell


def _show(view: ClockView, *, as_json: bool) -> None:
    if as_json:
        answer(view)
        return
    record(
        "Clock",
        [
            ("now", view.now),
            ("sandbox", view.sandbox),
            ("ahead", timedelta(seconds=round(view.ahead_s)) if view.ahead_s else None),
            ("next due", view.next_due_at),
            ("under way", view.under_way or None),
        ],
    )
