"""`make bench`: events accepted and delivered a second, their latency and their cost.

The hub, the database, the receiver and the load are processes of their own; the two limits
(sending alone, storing alone) are measured in the same run, because figures of different runs on a
shared machine do not compare.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import msgspec
from rich.console import Console

from benchmarks.limits import send_alone, store_alone
from benchmarks.machine import machine
from benchmarks.measure import database, measure
from benchmarks.scenarios import SUITE, Scenario, Want
from benchmarks.show import show, show_suite

LIMIT_S = 6.0
"""Of each limit; a shorter run has shorter ones."""

PACE, PACED_S = 100.0, 10.0
"""Orders a second, one a request, and for how long, when no pace is asked for."""

LATENCY = ("p50_ms", "p99_ms", "max_ms")

console = Console(stderr=True)


def main(words: Sequence[str]) -> int:
    arguments = _arguments(words)
    if arguments.suite or arguments.only:
        return _suite(arguments)
    scenario = Scenario(**{name: getattr(arguments, name) for name in Scenario.__struct_fields__})
    report = _report(scenario)
    if not scenario.rate:
        report = _with_a_pace(report, scenario)
    if arguments.json:
        print(json.dumps(report))
    else:
        show(console, report)
    return 0


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    usual = Scenario()
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--store", default=usual.store, choices=("sqlite", "postgres"))
    parser.add_argument("--workers", type=int, help="processes of the hub; default: 1, or 2")
    parser.add_argument("--batch", type=int, default=usual.batch, help="orders a request")
    parser.add_argument("--rate", type=float, default=0.0, help="orders a second; 0: flat out")
    parser.add_argument("--endpoints", type=int, default=1, help="that each event is sent to")
    parser.add_argument("--spread", type=int, default=0, help="endpoints, each event to one")
    parser.add_argument("--hanging", action="store_true", help="and to an endpoint that hangs")
    parser.add_argument("--pending", type=int, default=0, help="deliveries that wait already")
    parser.add_argument("--contract", default=usual.contract, choices=("shipmonk", "standard"))
    parser.add_argument("--seconds", type=float, default=usual.seconds)
    parser.add_argument("--warm-up", type=float, default=usual.warm_up_s, dest="warm_up_s")
    parser.add_argument("--suite", action="store_true", help="every scenario that has a target")
    parser.add_argument("--only", action="append", choices=SUITE, help="of the suite; repeatable")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args(words)
    if arguments.workers is None:
        arguments.workers = 2 if arguments.store == "postgres" else 1
    if arguments.store == "sqlite" and arguments.workers > 1:
        parser.error("an SQLite file is one process's; more --workers need --store postgres")
    return arguments


def _report(scenario: Scenario) -> dict[str, Any]:
    """The figures of a scenario, the limits, and the settings and the machine they belong to."""
    console.print(f"limits of {scenario.store}, {scenario.workers} process(es) …")
    limits = _limits(scenario.store, scenario.workers, min(LIMIT_S, scenario.seconds / 3))
    console.print(f"{scenario.seconds:g} s after a warm-up of {scenario.warm_up_s:g} s …")
    report = measure(scenario) | limits
    fan = 1 if scenario.spread else scenario.endpoints
    least = min(limits["limit_send_per_s"], limits["limit_store_per_s"] * fan)
    return report | {
        "share_of_sending": round(report["delivered_per_s"] / limits["limit_send_per_s"], 3),
        "share_of_storing": round(report["accepted_per_s"] / limits["limit_store_per_s"], 3),
        "share_of_limit": round(report["delivered_per_s"] / least, 3),
        "settings": msgspec.to_builtins(scenario),
        "machine": machine(),
    }


def _with_a_pace(report: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    """The same with the latency at a steady pace: flat out it only shows how long the queue is."""
    seconds = min(PACED_S, scenario.seconds)
    console.print(f"{seconds:g} s at {PACE:g} a second, one a request …")
    paced = measure(msgspec.structs.replace(scenario, rate=PACE, batch=1, seconds=seconds))
    flat_out = {name: report[name] for name in LATENCY}
    settings = report["settings"] | {"paced_per_s": PACE, "paced_seconds": seconds}
    return (
        report
        | {name: paced[name] for name in LATENCY}
        | {
            "flat_out": flat_out,
            "settings": settings,
        }
    )


@cache
def _limits(store: str, processes: int, seconds: float) -> dict[str, int]:
    sent = send_alone(seconds=seconds, processes=processes)
    with database(store) as base:
        stored = store_alone(base.url, seconds=seconds, processes=processes)
    return {"limit_send_per_s": round(sent), "limit_store_per_s": round(stored)}


# the suite


def _suite(arguments: argparse.Namespace) -> int:
    rows: dict[str, dict[str, Any]] = {}
    for name in with_those_compared(arguments.only or SUITE):
        console.print(f"[bold]{name}[/bold]")
        scenario = SUITE[name].scenario
        rows[name] = _report(scenario)
        rows[name]["wants"] = [judge(want, name, rows) for want in SUITE[name].wants]
    if arguments.json:
        print(json.dumps({"rows": rows, "machine": machine()}))
    else:
        show_suite(console, rows)
    return 0 if all(want["met"] for row in rows.values() for want in row["wants"]) else 1


def with_those_compared(names: Collection[str]) -> list[str]:
    """These rows and those that they are compared with, in the order of the suite."""
    wanted = set(names)
    for name in names:
        wanted |= {want.over for want in SUITE[name].wants if want.over}
    return [name for name in SUITE if name in wanted]


def judge(want: Want, name: str, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    value = rows[name][want.figure]
    if want.over:
        value = round(value / rows[want.over][want.figure], 3)
    return {**msgspec.to_builtins(want), "value": value, "met": want.is_met(value)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
