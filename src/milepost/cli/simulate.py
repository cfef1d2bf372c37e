"""`milepost simulate`: orders that never were, told to a receiver or to a hub, with chaos."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from milepost.cli.exits import ExitCode, FileUnusable
from milepost.cli.listen import Contract
from milepost.cli.options import Json, moment
from milepost.cli.output import answer, hint, say, stderr, table, utc
from milepost.cli.rehearsal_options import (
    Basic,
    ContractName,
    EndpointOption,
    PrivateNetworks,
    Secret,
    SignatureSecret,
    Timeout,
    endpoint_of,
    guard_of,
)
from milepost.contracts import ROOMS
from milepost.delivery.model import Request
from milepost.errors import InvalidInput
from milepost.net.guard import Guard, check_url
from milepost.net.sender import Sender
from milepost.rehearsal.chance import start_of
from milepost.rehearsal.chaos import WHAT_IT_DOES, Planned, Word, plan, read_chaos
from milepost.rehearsal.lives import APART, Life, lives
from milepost.rehearsal.player import ATTEMPTS, Pace, Player
from milepost.rehearsal.report import Asked, Report, report
from milepost.rehearsal.scenarios import SCENARIOS, find
from milepost.rehearsal.sends import Send, sends_of, written

EVERY = "all"
_SPEEDS = {"max": None, "real": 1.0}
_LARGEST_SEED = 10**9
MOST_SHOWN = 200
"""How many requests and how many orders stand in the tables for people."""


def simulate(  # noqa: PLR0913, PLR0917 - options are named on the command line
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="SCENARIO", help="What to play; `all` plays every scenario."),
    ] = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="List the scenarios and what chaos knows, and end.")
    ] = False,
    contract: ContractName = Contract.STANDARD,
    to: Annotated[
        str | None,
        typer.Option(help="The receiver's URL; with --through-hub the hub's.", show_default=False),
    ] = None,
    secret: Secret = None,
    basic: Basic = None,
    signature_secret: SignatureSecret = None,
    option: EndpointOption = None,
    orders: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many orders of each scenario.")
    ] = 1,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=_LARGEST_SEED,
            help="Plays the same again; without one it is drawn.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="When the first order is made, by the rehearsal's clock; default: by the seed.",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        str, typer.Option(help="60: a minute takes a second; real; or max, without waiting.")
    ] = "max",
    chaos: Annotated[
        str,
        typer.Option(help="What goes wrong: duplicate,reorder,drop,lose,delay=0.5,error=500:0.1."),
    ] = "",
    attempts: Annotated[
        int, typer.Option(min=1, max=20, help="How often what is refused is sent in all.")
    ] = ATTEMPTS,
    frozen: Annotated[
        bool,
        typer.Option("--frozen", help="Sign at the rehearsal's time: the same to the byte."),
    ] = False,
    timeout_s: Timeout = None,
    through_hub: Annotated[
        bool,
        typer.Option("--through-hub", help="Tell a running hub, which notifies its endpoints."),
    ] = False,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="MILEPOST_REHEARSAL_KEY",
            help="--through-hub: the API key of the account.",
            show_default=False,
        ),
    ] = None,
    store: Annotated[
        str, typer.Option(help="--through-hub: the store that the orders are from.")
    ] = "main",
    wait_s: Annotated[
        float, typer.Option("--wait", min=0, help="--through-hub: seconds to wait for deliveries.")
    ] = 30.0,
    allow_private_networks: PrivateNetworks = False,
    dump: Annotated[
        Path | None,
        typer.Option(help="Write every request to this folder, one file each.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Play orders to a receiver exactly as the hub would, with what can go wrong, and report.

    Ends with 1 when the receiver did not take something that it was sent.
    """
    if list_them:
        _list(as_json=as_json)
        return
    if scenario is None or to is None:
        missing = "SCENARIO" if scenario is None else "--to"
        raise InvalidInput(field=missing, expected="a value, or --list to see what there is")
    told_seed = secrets.randbelow(_LARGEST_SEED) if seed is None else seed
    begins = moment(start, option="--start") or start_of(told_seed)
    lived = _lives(scenario, orders=orders, seed=told_seed, start=begins)
    pace = Pace(speed=_speed(speed), frozen=frozen)
    if through_hub:
        from milepost.cli.simulate_hub import through

        through(
            lived,
            hub=to,
            api_key=api_key,
            store=store,
            chaos=chaos,
            seed=told_seed,
            scenario=scenario,
            pace=pace,
            wait_s=wait_s,
            as_json=as_json,
        )
        return
    endpoint = endpoint_of(
        to,
        contract=contract,
        seed=told_seed,
        start=begins,
        secret=secret,
        basic=basic,
        signature_secret=signature_secret,
        option=option,
        timeout_s=timeout_s,
    )
    guard = guard_of(private_networks=allow_private_networks)
    check_url(to, guard=guard)
    wanted = read_chaos(chaos)
    if not as_json:
        hint(f"Seed {told_seed}: --seed {told_seed} plays the same again.")
        if secret is None:
            hint(f"No --secret was given; it is signed with {endpoint.secrets[0]}")
    room = ROOMS[endpoint.contract]
    due = sends_of(lived, endpoint=endpoint, start=begins)
    planned = plan(due, chaos=wanted, seed=told_seed, schedule=room.schedules[0])
    playing = _play(planned, guard=guard, seed=told_seed, pace=pace, attempts=attempts, dump=dump)
    asked = asyncio.run(playing)
    _tell(
        report(asked, scenario=scenario, contract=room.name, seed=told_seed, start=begins),
        as_json=as_json,
    )


def _tell(found: Report, *, as_json: bool) -> None:
    if as_json:
        answer(found)
    else:
        _show(found)
    if not found.good:
        raise typer.Exit(ExitCode.REFUSED)


def _lives(scenario: str, *, orders: int, seed: int, start: datetime) -> list[Life]:
    wanted = tuple(SCENARIOS.values()) if scenario == EVERY else (find(scenario),)
    return [
        life
        for place, one in enumerate(wanted)
        for life in lives(one, orders=orders, seed=seed, start=start + place * orders * APART)
    ]


def _speed(text: str) -> float | None:
    if text in _SPEEDS:
        return _SPEEDS[text]
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        expected = "max, real, or how many seconds pass in one, such as 60"
        raise InvalidInput(field="--speed", expected=expected)
    return speed


async def _play(
    planned: Sequence[Planned[Send]],
    *,
    guard: Guard,
    seed: int,
    pace: Pace,
    attempts: int,
    dump: Path | None,
) -> list[Asked]:
    folder = None if dump is None else _folder(dump)

    def keep(number: int, request: Request) -> None:
        if folder is not None:
            _write(folder / f"{number:05}.http", written(request, frozen=pace.frozen))

    wire = Sender(guard=guard)
    try:
        with progress("Sent", total=len(planned)) as advance:
            player = Player(
                wire.send,
                seed=seed,
                pace=pace,
                attempts=attempts,
                told=lambda _asked: advance(),
                sent=keep,
            )
            return await player.play(planned)
    finally:
        await wire.close()


@contextmanager
def progress(what: str, *, total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, where that is a terminal; what it gives moves it one further."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    disable = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def _folder(dump: Path) -> Path:
    """The folder, made, and empty of requests. Raises FileUnusable."""
    try:
        dump.mkdir(parents=True, exist_ok=True)
        if any(dump.glob("*.http")):
            raise FileUnusable(f"{dump}: there are requests of another rehearsal in it")
    except OSError as error:
        raise FileUnusable(f"{dump}: {error.strerror}") from None
    return dump


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from None


def _list(*, as_json: bool) -> None:
    if as_json:
        shown = [
            {"scenario": one.name, "title": one.title, "origin": one.origin}
            for one in SCENARIOS.values()
        ]
        answer({"scenarios": shown, "chaos": dict(WHAT_IT_DOES)})
        return
    rows = [(one.name, one.title, one.origin) for one in SCENARIOS.values()]
    table("Scenarios", ("scenario", "what happens", "whose"), rows)
    named = [
        (f"{word}=CODE" if word is Word.ERROR else word.value, does)
        for word, does in WHAT_IT_DOES.items()
    ]
    table("Chaos", ("word", "what it does"), named)


def _show(found: Report) -> None:
    shown = found.requests[:MOST_SHOWN]
    table(
        "Requests",
        ("#>", "at", "order", "status", "attempt>", "what", "answered", "ms>"),
        [
            (
                one.number,
                utc(one.at)[5:19],
                one.order_key,
                one.status,
                one.attempt,
                _what(one),
                _answered(one),
                one.ms,
            )
            for one in shown
        ],
    )
    if len(shown) < len(found.requests):
        hint(f"There are {len(found.requests) - len(shown)} more requests: --json has them all.")
    table(
        "Orders",
        ("order", "requests>", "acknowledged", "not taken", "never sent", "repeats refused>"),
        [
            (
                order.order_key,
                order.requests,
                " → ".join(order.words),
                order.missing,
                order.lost,
                order.duplicates_refused or None,
            )
            for order in found.orders[:MOST_SHOWN]
        ],
    )
    totals = found.totals
    say(
        f"{totals.notifications} notifications in {totals.requests} requests: "
        f"{totals.acknowledged} acknowledged, {totals.refused} refused, "
        f"{totals.timeouts} timed out, {totals.unreachable} unreachable; "
        f"{totals.retries} retries, {totals.duplicates} duplicates, "
        f"{totals.reordered} overtaken, {totals.delayed} delayed, {totals.dropped} dropped once, "
        f"{totals.lost} lost."
    )
    if totals.median_ms is not None:
        slowest = ", ".join(f"#{one.number} {one.ms} ms" for one in found.slowest)
        say(f"Median {totals.median_ms} ms, p95 {totals.p95_ms} ms; slowest: {slowest}.")
    if found.good:
        say("The receiver took everything that it was sent.", style="bold green")
    else:
        say("The receiver did not take everything that it was sent.", style="bold red")


def _what(one: Asked) -> str:
    remarks = [one.kind.value] if one.kind.value != "first" else []
    remarks += ["overtaken"] if one.reordered else []
    remarks += ["delayed"] if one.delayed else []
    remarks += ["not sent"] if one.lost else []
    return ", ".join(remarks)


def _answered(one: Asked) -> str | None:
    if one.lost:
        return None
    told = str(one.answered) if one.answered else str(one.outcome)
    return f"{told}, taken as {one.pretended}" if one.pretended else told
