"""`make bench`: events accepted and delivered a second, their latency and their cost.

The hub, the receiver and the load are processes of their own; the two limits (sending alone,
storing alone) are measured in the same run, because figures of different runs on a shared machine
do not compare.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.hub import Hub
from benchmarks.limits import send_alone, store_alone
from benchmarks.load import Load, flat_out, messages, paced
from benchmarks.machine import machine, peak_mib, used_s
from benchmarks.receiver import Receiver

DURABILITY = {"journal_mode": "WAL", "synchronous": "FULL"}
WARM_UP_S = 2.0
SETTLE_S = 60.0
console = Console(stderr=True)


def main(words: Sequence[str]) -> int:
    arguments = _arguments(words)
    with tempfile.TemporaryDirectory(prefix="milepost-bench-") as name:
        folder = Path(name)
        console.print("limits: sending alone …")
        limit_send = send_alone(seconds=arguments.seconds / 3)
        console.print("limits: storing alone …")
        limit_store = store_alone(folder, seconds=arguments.seconds / 3)
        report = _measure(folder, arguments)
    report |= {"limit_send_per_s": round(limit_send), "limit_store_per_s": round(limit_store)}
    report["share_of_limit"] = round(report["delivered_per_s"] / min(limit_send, limit_store), 3)
    if arguments.json:
        print(json.dumps(report))
    else:
        _show(report)
    return 0


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0, help="of each measurement")
    parser.add_argument("--batch", type=int, default=100, help="orders a request, flat out")
    parser.add_argument("--endpoints", type=int, default=1, help="that each event is sent to")
    parser.add_argument("--contract", default="standard", choices=("shipmonk", "standard"))
    parser.add_argument("--pace", type=float, default=100.0, help="orders a second, one a request")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser.parse_args(words)


def _measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    receiver = Receiver()
    hub = Hub(folder)
    try:
        for _ in range(arguments.endpoints):
            hub.call(
                "POST",
                "/v1/endpoints",
                {"contract": arguments.contract, "url": receiver.url, "concurrency": 64},
            )
        pace = _paced(hub, receiver, arguments)
        rate = _flat_out(hub, receiver, arguments)
    finally:
        hub.stop()
        receiver.stop()
    return {
        "accepted_per_s": rate["accepted_per_s"],
        "delivered_per_s": rate["delivered_per_s"],
        "hub_us": rate["hub_us"],
        "database_us": rate["database_us"],
        "receiver_us": rate["receiver_us"],
        "p50_ms": pace["p50_ms"],
        "p99_ms": pace["p99_ms"],
        "max_ms": pace["max_ms"],
        "flat_out": rate,
        "paced": pace,
        "settings": {
            "store": "sqlite",
            **DURABILITY,
            "contract": arguments.contract,
            "endpoints": arguments.endpoints,
            "batch": arguments.batch,
            "seconds": arguments.seconds,
        },
        "machine": machine(),
    }


def _paced(hub: Hub, receiver: Receiver, arguments: argparse.Namespace) -> dict[str, float]:
    console.print(f"paced: {arguments.pace:g} orders a second, one a request …")
    made = messages(hub, first=1, batch=1)
    _run_paced(hub, receiver, made, arguments, seconds=WARM_UP_S)
    load, seen = _run_paced(hub, receiver, made, arguments, seconds=arguments.seconds)
    return {"per_s": arguments.pace, "orders": len(load.began), **_latency(load, seen)}


def _run_paced(
    hub: Hub,
    receiver: Receiver,
    made: Iterator[bytes],
    arguments: argparse.Namespace,
    *,
    seconds: float,
) -> tuple[Load, list[tuple[str, int]]]:
    before = receiver.count
    load = uvloop.run(paced(hub, made, seconds=seconds, per_s=arguments.pace, batch=1))
    _check(load)
    _wait_for(receiver, before + len(load.began) * arguments.endpoints)
    return load, receiver.take()


def _flat_out(hub: Hub, receiver: Receiver, arguments: argparse.Namespace) -> dict[str, float]:
    console.print(f"flat out: batches of {arguments.batch} …")
    made = messages(hub, first=1_000_000, batch=arguments.batch)

    def run(seconds: float) -> tuple[Load, float]:
        began, before = time.monotonic(), receiver.count
        load = uvloop.run(
            flat_out(
                hub,
                made,
                seconds=seconds,
                delivered=lambda: receiver.count,
                fan=arguments.endpoints,
                batch=arguments.batch,
            )
        )
        _check(load)
        _wait_for(receiver, before + len(load.began) * arguments.endpoints)
        return load, time.monotonic() - began

    run(WARM_UP_S)
    receiver.take()
    used_before, theirs_before = used_s(hub.pid), used_s(receiver.pid)
    load, took = run(arguments.seconds)
    used_after, theirs_after = used_s(hub.pid), used_s(receiver.pid)
    events = len(load.began)
    seen = receiver.take()
    return {
        "seconds": round(took, 2),
        "events": events,
        "accepted_per_s": round(events / took),
        "delivered_per_s": round(len(seen) / took),
        "hub_us": round((used_after[0] - used_before[0]) / events * 1e6, 1),
        "database_us": round((used_after[1] - used_before[1]) / events * 1e6, 1),
        "receiver_us": round((theirs_after[0] - theirs_before[0]) / events * 1e6, 1),
        "memory_mib": round(peak_mib(hub.pid)),
        **_latency(load, seen),
    }


def _check(load: Load) -> None:
    if load.failures:
        raise SystemExit(f"the hub refused: {load.failures[0]}")


def _wait_for(receiver: Receiver, count: int) -> None:
    until = time.monotonic() + SETTLE_S
    while receiver.count < count:
        if time.monotonic() > until:
            raise SystemExit(f"lost: {count - receiver.count} notifications did not arrive")
        time.sleep(0.001)


def _latency(load: Load, seen: list[tuple[str, int]]) -> dict[str, float]:
    """Milliseconds from the first byte of the request that told of an order to its receipt."""
    waits = sorted((at - load.began[name.split("-")[0]]) / 1e6 for name, at in seen)
    if len(waits) < len(load.began):
        raise SystemExit(f"lost: {len(load.began) - len(waits)} notifications did not arrive")
    return {
        "p50_ms": round(waits[len(waits) // 2], 2),
        "p99_ms": round(waits[int(len(waits) * 0.99)], 2),
        "max_ms": round(waits[-1], 2),
    }


def _show(report: dict[str, Any]) -> None:
    settings, where = report["settings"], report["machine"]
    rate, pace = report["flat_out"], report["paced"]
    table = Table(title="Milepost, from the request to the receiver", title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    rows = (
        (f"accepted a second, batches of {settings['batch']}", f"{rate['accepted_per_s']:,}"),
        ("delivered a second", f"{rate['delivered_per_s']:,}"),
        ("limit: sending alone, a second", f"{report['limit_send_per_s']:,}"),
        ("limit: storing alone, a second", f"{report['limit_store_per_s']:,}"),
        ("delivered, of the lower limit", f"{report['share_of_limit']:.0%}"),
        ("processor time of the hub, an event", f"{rate['hub_us']:.0f} µs"),
        ("… of which on the database's threads", f"{rate['database_us']:.0f} µs"),
        ("processor time of the receiver, an event", f"{rate['receiver_us']:.0f} µs"),
        ("most memory of the hub", f"{rate['memory_mib']:,} MiB"),
        (f"at {pace['per_s']:g} a second, one a request: p50", f"{pace['p50_ms']:.1f} ms"),
        ("… p99", f"{pace['p99_ms']:.1f} ms"),
        ("… slowest", f"{pace['max_ms']:.1f} ms"),
    )
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(
        f"SQLite {where['sqlite']} ({settings['journal_mode']}, synchronous "
        f"{settings['synchronous']}), {settings['contract']}, {settings['endpoints']} endpoint(s); "
        f"{where['cores']} cores of {where['processor']}, Python {where['python']}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
