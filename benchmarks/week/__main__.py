"""`make week`: a week of mixed traffic through two hubs to a merchant, with chaos on every link.

A provider's hub tells a merchant's hub, which tells the merchant, in all three contracts; a carrier
tells the merchant's hub by itself. Links lose, repeat and delay; hubs and merchant are killed.
In the end the merchant has to know the truth of every order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.postgres import Server, execute
from benchmarks.week.judge import arrivals, in_words, is_quiet, received, wrong
from benchmarks.week.lives import WEEK_H, lives
from benchmarks.week.stage import Stage
from benchmarks.week.world import World

STRIKES = ("merchant", "books", "provider")
"""Who is killed, one after the other, spread over the week."""

QUIET_S = 0.25
"""How long an hour waits for what became due in it."""

SETTLE_S = 120.0
AFTERWARDS_H = 1.0
console = Console(stderr=True)


def main(words: Sequence[str]) -> int:
    found = _arguments(words)
    report = week(found.orders, seed=found.seed, tick_h=found.tick, store=found.store)
    if found.json:
        print(json.dumps(report))
    else:
        print(in_words(report))
    return 0 if not report["wrong"] else 1


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make week ARGS=…", description=__doc__)
    parser.add_argument("--orders", type=int, default=300, help="default: 300")
    parser.add_argument("--seed", type=int, default=1, help="of lives and chaos; default: 1")
    parser.add_argument("--tick", type=float, default=1.0, help="hours at once; default: 1")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser.parse_args(words)


def week(orders: int, *, seed: int, tick_h: float, store: str) -> dict[str, Any]:
    """Runs it and reports: what was done on the links, decided, received, and what is wrong."""
    told = lives(orders, seed=seed)
    began = time.monotonic()
    start = datetime.now(UTC)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="milepost-week-")))
        urls = _databases(stack) if store == "postgres" else {}
        stage = stack.enter_context(Stage(folder, seed=seed, urls=urls))
        world = World(stage, told, start=start)
        stack.callback(world.close)
        killed = _live(stage, world, tick_h=tick_h)
        _settle(stage, tick_h=tick_h)
        return {
            "orders": len(told),
            "events": sum(len(life.happenings) + 1 for life in told),
            "seconds": round(time.monotonic() - began, 1),
            "killed": killed,
            "provider": dict(sorted(world.verdicts.items())),
            "merchant_hub": received(stage),
            "links": stage.end_links(),
            "merchant": arrivals(stage.books),
            "wrong": wrong(told, books=stage.books),
        }


def _databases(stack: ExitStack) -> dict[str, str]:
    """One database for each hub, of a server that goes when the stack does."""
    server = Server()
    stack.callback(server.remove)
    made = [f"CREATE DATABASE {name}" for name in ("provider", "merchant")]
    asyncio.run(execute(server.url("postgres"), *made))
    return {name: server.url(name) for name in ("provider", "merchant")}


def _live(stage: Stage, world: World, *, tick_h: float) -> list[str]:
    """Goes through the week; who was killed in it."""
    hour = 0.0
    killed: list[str] = []
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("the week", total=WEEK_H)
        while hour < WEEK_H or not world.over:
            hour += tick_h
            _advance(stage, tick_h)
            world.tick(hour)
            if len(killed) < len(STRIKES) and hour > WEEK_H * (len(killed) + 1) / 5:
                stage.strike(STRIKES[len(killed)])
                killed.append(STRIKES[len(killed)])
            _wait(stage, QUIET_S)
            progress.update(bar, completed=min(hour, WEEK_H))
    return killed


def _settle(stage: Stage, *, tick_h: float) -> None:
    """The links behave; what is still on its way gets the time that its schedule needs."""
    stage.calm_down()
    until = time.monotonic() + SETTLE_S
    while not _wait(stage, 1.0) and time.monotonic() < until:
        _advance(stage, max(tick_h, AFTERWARDS_H))


def _advance(stage: Stage, hours: float) -> None:
    for hub in stage.hubs:
        stage.call(hub, "POST", "/v1/clock/advance", {"by": f"{round(hours * 60)}m"})


def _wait(stage: Stage, seconds: float) -> bool:
    """Whether both hubs had nothing left to deliver within so many seconds."""
    until = time.monotonic() + seconds
    while not (quiet := is_quiet(stage)) and time.monotonic() < until:
        time.sleep(0.02)
    return quiet


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
