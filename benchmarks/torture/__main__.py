"""`make torture`: kill everything that can be killed, and prove that nothing was lost.

A hub and receivers with bad characters run as real processes under traffic, faults strike by a
schedule that a seed makes, and a checker compares what was accepted with what arrived.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.torture.check import check
from benchmarks.torture.facts import read_run
from benchmarks.torture.faults import GAP_S, KINDS, Planned, schedule
from benchmarks.torture.harm import hurt
from benchmarks.torture.record import WHOLE
from benchmarks.torture.report import outcome, page
from benchmarks.torture.stage import Stage

STORES = ("sqlite", "postgres")
WORKERS = {"sqlite": 0, "postgres": 2}
"""Beside `serve`, which sends too; on SQLite one process sends."""

SETTLE_S = 90.0
"""How long the last notifications may take once the faults are over."""

LINE_EVERY_S = 10.0
SETTINGS = "settings.json"
console = Console(stderr=True)
Tell = Callable[[float, str], None]


def main(words: Sequence[str]) -> int:
    arguments = _arguments(words)
    if arguments.check is not None:
        return _answer(_judge(arguments.check), arguments)
    kept = arguments.keep
    folder = Path(tempfile.mkdtemp(prefix="milepost-torture-")) if kept is None else kept
    if folder.exists() and any(folder.iterdir()):
        console.print(f"{folder} is not empty")
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _torture(folder, arguments)
    except KeyboardInterrupt:
        console.print(f"stopped; what there is lies in {folder}")
        return 130
    found = _judge(folder)
    if found["ok"] and kept is None:
        shutil.rmtree(folder)
    else:
        console.print(f"journals and database: {folder}")
    return _answer(found, arguments)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make torture ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="of faults; default: 1")
    parser.add_argument("--store", choices=STORES, default=STORES[0])
    parser.add_argument("--workers", type=int, help="on PostgreSQL beside serve; default: 2")
    parser.add_argument("--seed", type=int, default=1, help="of schedule, traffic and receivers")
    parser.add_argument(
        "--only", choices=KINDS, action="append", default=[], help="of all faults; repeatable"
    )
    parser.add_argument("--rate", type=float, default=90.0, help="events a second; default: 90")
    parser.add_argument("--lease", type=float, default=3.0, help="of the hub, in s; default: 3")
    parser.add_argument(
        "--gap", type=float, nargs=2, default=list(GAP_S), help="least and most s between faults"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write the report here")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the journals here")
    parser.add_argument("--check", type=Path, metavar="FOLDER", help="judge kept journals again")
    return parser.parse_args(words)


def _torture(folder: Path, arguments: argparse.Namespace) -> None:
    """Runs the faults and leaves journals, record and settings in the folder."""
    seconds = arguments.minutes * 60
    workers = WORKERS[arguments.store] and (arguments.workers or WORKERS[arguments.store])
    with Stage(
        folder,
        store=arguments.store,
        seed=arguments.seed,
        rate=arguments.rate,
        lease_s=arguments.lease,
        workers=workers,
    ) as stage:
        console.print(f"setting up: a hub, {workers} workers, 8 receivers, 3 accounts …")
        stage.set_up()
        planned = schedule(
            arguments.seed,
            seconds=seconds,
            store=arguments.store,
            receivers=list(stage.receivers),
            workers=stage.workers,
            lease_s=arguments.lease,
            gap_s=tuple(arguments.gap),
            only=arguments.only,
        )
        stage.start_traffic()
        _strike(stage, planned, seconds=seconds)
        console.print("the faults are over; waiting for the last answers and notifications …")
        stage.calm_down()
        stage.see_to_the_processes()
        answered = stage.end_traffic(within_s=SETTLE_S)
        _settle(stage)
        durability = stage.end()
    settings = {
        "minutes": arguments.minutes,
        "store": arguments.store,
        "seed": arguments.seed,
        "rate": arguments.rate,
        "only": arguments.only,
        "lease_s": arguments.lease,
        "gap_s": arguments.gap,
        "workers": workers,
        "durability": durability,
    }
    unusual = {
        "died_by_itself": stage.died_by_itself,
        "unanswered": int(not answered),
        "tables_broken": int(durability["tables"] != WHOLE),
    }
    (folder / SETTINGS).write_bytes(msgspec.json.encode([settings, unusual]))


def _strike(stage: Stage, planned: Sequence[Planned], *, seconds: float) -> None:
    began = time.monotonic()
    done = kills = 0
    with _progress(seconds) as tell:
        for one in (*planned, None):
            at = began + (seconds if one is None else one.at_s)
            while (left := at - time.monotonic()) > 0:
                time.sleep(min(left, 0.2))
                stage.see_to_the_processes()
                tell(time.monotonic() - began, f"{done} faults, {kills} kills")
            if one is not None:
                kills += hurt(stage, one).kills
                done += 1


class _progress:  # noqa: N801 - used as a context, named as one
    """A bar on a terminal, else a line now and then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._said = 0.0
        columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console) if console.is_terminal else None

    def __enter__(self) -> Tell:
        if self._bar is None:
            return self._line
        self._bar.start()
        self._task = self._bar.add_task("", total=self._seconds)
        return self._draw

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _draw(self, done_s: float, text: str) -> None:
        assert self._bar is not None
        self._bar.update(self._task, completed=done_s, description=text)

    def _line(self, done_s: float, text: str) -> None:
        if done_s - self._said >= LINE_EVERY_S:
            self._said = done_s
            console.print(f"{done_s:.0f} of {self._seconds:.0f} s: {text}")


def _settle(stage: Stage) -> None:
    until = time.monotonic() + SETTLE_S
    while stage.pending() and time.monotonic() < until:
        stage.see_to_the_processes()
        time.sleep(0.2)


def _judge(folder: Path) -> dict[str, Any]:
    settings, unusual = msgspec.json.decode((folder / SETTINGS).read_bytes())
    run = read_run(folder)
    return outcome(run, check(run), settings=settings, unusual=unusual)


def _answer(found: dict[str, Any], arguments: argparse.Namespace) -> int:
    text = page(found)
    if arguments.report is not None:
        arguments.report.write_text(text, encoding="utf-8")
    if arguments.json:
        print(text, file=sys.stderr)
        print(json.dumps(found))
    else:
        print(text)
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
