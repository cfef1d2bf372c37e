"""`milepost demo`: both contracts end to end, with processes of their own, and checked."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from milepost.cli.client import Client
from milepost.cli.demo.check import Findings, examine, expected_words
from milepost.cli.demo.play import Played, Player, wait_until
from milepost.cli.demo.scenarios import ALL, FAILURES, IN_TROUBLE, SHIPMONK, SHOWN, WITHINGS
from milepost.cli.demo.show import Screen, summary, timeline
from milepost.cli.demo.stage import CONTRACTS, Stage
from milepost.cli.exits import ExitCode
from milepost.cli.options import Json
from milepost.cli.output import answer, hint, stderr, stdout
from milepost.errors import MilepostError

WITHIN_S = 30.0
"""How long any one wait of the play may take before it counts as lost."""


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Turns being asked to end into KeyboardInterrupt, so that whatever was begun is cleaned up."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)


def demo(as_json: Json = False) -> None:
    """Play thirteen orders through both contracts, and check that everything arrived.

    Starts a hub on an empty database and a receiver for each contract, each a process of its own;
    plays; prints every notification as it lands, one order's timeline, and a summary. Ends with 0
    only if everything accepted was delivered, verified and in order. With --json the notifications
    go to standard error, and one JSON value to standard output.
    """
    began = time.monotonic()
    screen = Screen(stderr() if as_json else stdout())
    with _ended_in_order(), ExitStack() as cleaning:
        folder = Path(cleaning.enter_context(tempfile.TemporaryDirectory(prefix="milepost-demo-")))
        screen.say("Starting a hub and three receivers…", style="dim")
        stage = Stage(folder, landed=screen.landed, failures=FAILURES)
        cleaning.callback(stage.close)
        try:
            played, deliveries, shown = _run(stage, screen)
        except MilepostError:
            hint(stage.logs())
            raise
        # Everything that a receiver printed was read when its process has ended.
        stage.close()
    findings = examine(
        ALL,
        orders=played.orders,
        endpoints=played.endpoints,
        deliveries=deliveries,
        landings=screen.landings(),
        failures=FAILURES,
    )
    findings.problems = played.surprises + findings.problems
    _show(screen, played, findings, deliveries, shown, took_s=time.monotonic() - began)
    if as_json:
        answer(_numbers(played, findings))
    sys.stdout.flush()
    if not findings.good:
        raise typer.Exit(ExitCode.REFUSED)


def _run(stage: Stage, screen: Screen) -> tuple[Played, list[dict[str, Any]], list[dict[str, Any]]]:
    """Plays everything; what was played, the hub's deliveries, and the shown order's events."""
    expected = sum(len(expected_words(s, contract=c)) for s in ALL for c in CONTRACTS)
    with Client(stage.url, api_key=stage.api_key) as client, screen.waiting_for(expected):
        player = Player(client, now=datetime.now(UTC))
        player.open_endpoints(stage.receivers, secrets=stage.secrets)
        player.play((IN_TROUBLE,))
        player.play(WITHINGS)

        def out_of_trouble() -> bool:
            return any(x.contract == "shipmonk" and x.accepted for x in screen.landings())

        def nothing_pending() -> bool:
            return not client.get("/v1/deliveries?state=pending&limit=1")["deliveries"]

        wait_until(out_of_trouble, within_s=WITHIN_S)
        player.play(SHIPMONK)
        wait_until(nothing_pending, within_s=WITHIN_S)
        deliveries = client.every("/v1/deliveries?limit=200", name="deliveries")
        shown = player.played.orders[SHOWN]
        events = client.get(f"/v1/orders/{shown}/events?limit=200")["events"]
    return player.played, deliveries, events


def _show(
    screen: Screen,
    played: Played,
    findings: Findings,
    deliveries: list[dict[str, Any]],
    events: list[dict[str, Any]],
    *,
    took_s: float,
) -> None:
    contracts = {endpoint_id: contract for contract, endpoint_id in played.endpoints.items()}
    order_id = played.orders[SHOWN]
    own = [d for d in deliveries if d["order_id"] == order_id]
    columns, rows = timeline(events, deliveries=own, contracts=contracts)
    title = next(scenario.title for scenario in ALL if scenario.key == SHOWN)
    screen.say("")
    zone = f"{datetime.now().astimezone():%z}"
    screen.say(f"{SHOWN}, {title} ({order_id})")
    told_at = f"What happened (times at {zone[:3]}:{zone[3:]}), and what each contract was told"
    screen.table(told_at, columns, rows)
    screen.table(
        "Notifications",
        ("contract", "queued>", "delivered>", "attempts>"),
        summary(findings, deliveries, contracts=contracts),
    )
    told = f"{len(played.orders)} orders, {played.updates} updates, {len(deliveries)} notifications"
    if findings.good:
        screen.say(f"{told}, {findings.attempts} attempts in {took_s:.1f} s.")
        screen.say("Everything accepted was delivered, verified and in order.", style="bold green")
        return
    screen.say(f"{told}: not as it must be.", style="bold red")
    for problem in findings.problems:
        screen.say(f"  {problem}", style="red")


def _numbers(played: Played, findings: Findings) -> dict[str, Any]:
    return {
        "orders": len(played.orders),
        "updates": played.updates,
        "delivered": findings.delivered,
        "attempts": findings.attempts,
        "unverified": findings.unverified,
        "out_of_order": findings.out_of_order,
        "lost": findings.lost,
    }
