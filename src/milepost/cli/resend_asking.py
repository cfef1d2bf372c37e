"""Before many are sent again: what would be sent, whether it shall be, and how far it has come."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import typer

from milepost.cli.output import answer, hint, say, stderr, table
from milepost.cli.session import asked_for, in_account
from milepost.errors import InvalidInput
from milepost.ports.resends import (
    LAST_SEQUENCE,
    Between,
    Choice,
    Failed,
    Latest,
    OfOrder,
    Resend,
    ResendState,
)
from milepost.resends import Forecast
from milepost.wiring import Hub

PATIENCE_S = 3.0
"""How long a command waits for endpoints to take what is queued before it leaves the rest."""

PAUSE_S = 0.05


class Asking:
    """One question to the operator, and what is done with the answer."""

    def __init__(
        self,
        account: str | None,
        database: str | None,
        *,
        dry_run: bool,
        yes: bool,
        as_json: bool,
    ) -> None:
        if dry_run and yes:
            raise InvalidInput(field="--yes", expected="not --dry-run, which sends nothing")
        self._account = account
        self._database = database
        self._dry_run = dry_run
        self._yes = yes
        self._as_json = as_json

    def ask(self, choice: Choice, *, endpoint_id: str | None) -> None:
        async def count(hub: Hub, account_id: str) -> Sequence[Forecast]:
            with asked_for(f"endpoint {endpoint_id}"):
                return await hub.resends.forecast(account_id, choice, endpoint_id=endpoint_id)

        forecasts = in_account(count, database=self._database, account=self._account)
        total = sum(forecast.total for forecast in forecasts)
        if not self._as_json:
            _show_forecasts(forecasts, total=total)
        if total and self._goes_on(total):
            self._send(choice, endpoint_id=endpoint_id, total=total)
        elif self._as_json:
            from milepost.api.resends import Begun, forecast_view

            answer(Begun(True, total, [], [forecast_view(one) for one in forecasts]))

    def _goes_on(self, total: int) -> bool:
        if self._dry_run or self._yes:
            return self._yes
        if self._as_json or not sys.stdin.isatty():
            hint("Nothing was queued: --yes queues it.")
            return False
        return typer.confirm(f"Send {total:,} again?", err=True)

    def _send(self, choice: Choice, *, endpoint_id: str | None, total: int) -> None:
        async def send(hub: Hub, account_id: str) -> Sequence[Resend]:
            begun = await hub.resends.begin(account_id, choice, endpoint_id=endpoint_id)
            return await _watch(hub, begun, total=total)

        after = in_account(send, database=self._database, account=self._account)
        if self._as_json:
            from milepost.api.resends import Begun, resend_view

            answer(Begun(False, None, [resend_view(one) for one in after], []))
            return
        show_resends(after)
        _hint_at_the_rest(after)


async def _watch(hub: Hub, begun: Sequence[Resend], *, total: int) -> Sequence[Resend]:
    """Goes on with these, as far as their endpoints take it, and shows how far it has come."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    resends = list(begun)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Queued", total=total)
        further_at = time.monotonic()
        while any(one.state is ResendState.RUNNING for one in resends):
            before = resends
            resends = [await _further(hub, one) for one in resends]
            progress.update(task, completed=sum(one.queued for one in resends))
            if resends != before:
                further_at = time.monotonic()
            elif time.monotonic() - further_at > PATIENCE_S:
                break
            else:
                await asyncio.sleep(PAUSE_S)
    return resends


async def _further(hub: Hub, one: Resend) -> Resend:
    if one.state is not ResendState.RUNNING:
        return one
    return await hub.resends.advance(one)


def _hint_at_the_rest(resends: Sequence[Resend]) -> None:
    left = [one for one in resends if one.state is ResendState.RUNNING]
    if left:
        hint(
            "The rest is queued by a running `milepost serve` or `milepost work` as the endpoint "
            f"takes it: milepost resend show {left[0].resend_id}"
        )


def _show_forecasts(forecasts: Sequence[Forecast], *, total: int) -> None:
    table(
        "Would be sent again",
        ("endpoint", "deliveries>", "pending already>", "statuses"),
        [
            (
                one.endpoint_id,
                f"{one.total:,}{' and more' if one.more else ''}",
                f"{one.pending:,}",
                [f"{number:,} × {status}" for status, number in one.statuses.items()],
            )
            for one in forecasts
        ],
        empty="There is nothing to send again.",
    )
    first = [delivery for one in forecasts for delivery in one.first][:10]
    if first:
        table(
            "The first of them",
            ("delivery", "status", "state", "queued", "settled"),
            [(d.delivery_id, d.status, d.state, d.created_at, d.settled_at) for d in first],
        )
    elif forecasts and not total:
        say("There is nothing to send again.")


def show_resends(resends: Sequence[Resend]) -> None:
    table(
        "Resends",
        ("resend", "endpoint", "what", "state", "queued>", "asked", "finished"),
        [
            (
                one.resend_id,
                one.endpoint_id,
                told(one.choice),
                one.state,
                f"{one.queued:,}",
                one.asked_at,
                one.finished_at,
            )
            for one in resends
        ],
        empty="Nothing was sent again yet.",
    )


def told(choice: Choice) -> str:
    match choice:
        case Failed(since):
            return f"failed since {since:%Y-%m-%d %H:%M:%S} UTC"
        case Latest(since):
            return f"latest since {since:%Y-%m-%d %H:%M:%S} UTC"
        case Between(since, until):
            return f"from {since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S} UTC"
        case OfOrder(order_id, first, last):
            end = "" if last == LAST_SEQUENCE else f" to {last}"
            return f"order {order_id} from {first}{end}"
