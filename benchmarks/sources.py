"""`python -m benchmarks.sources`: notifications of providers taken in a second, one a request.

Withings' and ShipMonk's bodies of orders that are known, every one of which moves its order, over
kept-alive connections; the hub's processes, the database and the load are processes of their own.
On SQLite one process of the hub sends and all take in.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from benchmarks.hub import Hub
from benchmarks.load import Line
from benchmarks.machine import machine, spent
from benchmarks.measure import Database, database
from benchmarks.orders import MAIN, order_json

LINES = 256
"""Connections to all processes together, as of providers that do not wait for one answer before the
next message: while one commit is on its way to the disk, the next one fills."""

ORDERS_AT_ONCE = 4_000
"""Of so many orders a step is told before the next one of the first of them is, which has been
answered by then."""

SET_UP_AT_ONCE = 500
SIGNATURE_SECRET = "the secret that a provider signs with"
BASIC = ("hub", "password")

WITHINGS = ("pending", "info_received", "in_transit", "pickup", "delivered")
SHIPMONK = ("pick_in_progress", "pack_in_progress", "packed", "en_route", "delivered")
"""What is told of an order, one after the other, in each provider's words."""


class _Answer(msgspec.Struct):
    verdict: str


_read = msgspec.json.Decoder(_Answer).decode


@dataclass(slots=True)
class Taken:
    """What came of the notifications: their verdicts, and how long each answer took."""

    verdicts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)

    def note(self, began: float, status: int, content: bytes) -> None:
        self.took_ms.append((time.perf_counter() - began) * 1_000)
        if status == 200:
            self.verdicts[_read(content).verdict] += 1
        else:
            self.failures.append(f"{status} {content[:200]!r}")


def _request(path: str, body: bytes, *, host: str, headers: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    ).encode() + body


def _withings(number: int, step: int, *, path: str, host: str) -> bytes:
    told = {
        "customer_id": "4711",
        "customer_ref": f"B{number:010d}",
        "status": "SHIPPED",
        "parcel_status": WITHINGS[step],
        "carrier": "UPS",
        "carrier_service": "Ground",
        "tracking_number": f"1Z{number:010d}",
    }
    form = "&".join(f"{name}={value}" for name, value in told.items()).encode()
    headers = (
        f"content-type: application/x-www-form-urlencoded\r\nwebhook-id: w-{number}-{step}\r\n"
    )
    return _request(path, form, host=host, headers=headers)


def _shipmonk(number: int, step: int, *, path: str, host: str) -> bytes:
    told = {
        "order_key": f"B{number:010d}",
        "store_id": 1,
        "processing_status": SHIPMONK[step],
        "order_status": "unfulfilled" if step < 3 else "fulfilled",
        "updated_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    body = json.dumps(told).encode()
    signature = hmac.new(SIGNATURE_SECRET.encode(), body, hashlib.sha512).digest()
    basic = base64.b64encode(":".join(BASIC).encode()).decode()
    headers = (
        f"content-type: application/json\r\nauthorization: Basic {basic}\r\n"
        f"x-sm-signature: {base64.b64encode(signature).decode()}\r\n"
        f"webhook-id: s-{number}-{step}\r\n"
    )
    return _request(path, body, host=host, headers=headers)


KINDS = {"withings": (_withings, WITHINGS), "shipmonk": (_shipmonk, SHIPMONK)}


def messages(paths: dict[str, str], *, orders: int, host: str) -> Iterator[bytes]:
    """Each order's steps, so far apart that one is answered before the next is sent."""
    kinds = [KINDS[name] + (path,) for name, path in paths.items()]
    for first in count(0, ORDERS_AT_ONCE):
        if first >= orders:
            return
        for step in range(len(WITHINGS)):
            for number in range(first, min(orders, first + ORDERS_AT_ONCE)):
                make, _, path = kinds[number % len(kinds)]
                yield make(number, step, path=path, host=host)


async def flat_out(hub: Hub, made: Iterator[bytes], *, seconds: float) -> Taken:
    """Sends on many connections at once, as fast as they are answered."""
    taken = Taken()
    until = time.monotonic() + seconds

    async def one(port: int) -> None:
        line = await Line.open(port)
        while time.monotonic() < until and (message := next(made, None)) is not None:
            began = time.perf_counter()
            taken.note(began, *await line.post(message))
        line.close()

    ports = hub.ports
    await asyncio.gather(*(one(ports[n % len(ports)]) for n in range(LINES)))
    return taken


async def paced(hub: Hub, made: Iterator[bytes], *, seconds: float, per_s: float) -> Taken:
    """Sends at a steady pace, whether or not earlier ones are answered."""
    taken = Taken()
    free: dict[int, list[Line]] = {port: [] for port in hub.ports}
    tasks: set[asyncio.Task[None]] = set()

    async def one(port: int, message: bytes) -> None:
        line = free[port].pop() if free[port] else await Line.open(port)
        began = time.perf_counter()
        taken.note(began, *await line.post(message))
        free[port].append(line)

    start = time.monotonic()
    for i, (port, message) in enumerate(zip(cycle(hub.ports), made, strict=False)):
        at = start + i / per_s
        if at - start > seconds:
            break
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        task = asyncio.create_task(one(port, message))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    for lines in free.values():
        for line in lines:
            line.close()
    return taken


def used_by(hub: Hub, base: Database) -> float:
    """Processor seconds that the hub and the database have used so far."""
    used = spent(hub=hub.pids, database=base.pids, receiver=hub.pid)
    return used.hub + used.database


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """The figures of one run on an empty database."""
    with database(given.store) as base, tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {
            "MILEPOST_SOURCE_REQUESTS_PER_S": "1000000",
            "MILEPOST_SOURCE_REQUESTS_BURST": "1000000",
        }
        hub = Hub(Path(folder), database_url=base.url, processes=given.workers, **settings)
        try:
            paths = _set_up(hub, given.kinds, given.orders)
            made = messages(paths, orders=given.orders, host=hub.host)
            # Making them costs as much as a small hub; it is done beforehand.
            ready = iter(list(made))
            before = used_by(hub, base)
            began = time.perf_counter()
            if given.rate:
                act = paced(hub, ready, seconds=given.seconds, per_s=given.rate)
            else:
                act = flat_out(hub, ready, seconds=given.seconds)
            taken = uvloop.run(act)
            took_s = time.perf_counter() - began
            used = used_by(hub, base) - before
        finally:
            hub.stop()
    return _report(taken, took_s=took_s, cpu_s=used)


def _report(taken: Taken, *, took_s: float, cpu_s: float) -> dict[str, Any]:
    took = sorted(taken.took_ms)
    answered = len(took)
    return {
        "answered_per_s": round(answered / took_s),
        "p50_ms": round(_share(took, 0.5), 2),
        "p99_ms": round(_share(took, 0.99), 2),
        "max_ms": round(took[-1] if took else 0.0, 2),
        "hub_and_database_us": round(cpu_s / max(answered, 1) * 1e6, 1),
        "verdicts": dict(taken.verdicts),
        "failures": len(taken.failures),
        "first_failures": taken.failures[:3],
    }


def _share(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def _set_up(hub: Hub, kinds: Sequence[str], orders: int) -> dict[str, str]:
    """The path of a source of each kind, when every order is there."""
    for first in range(0, orders, SET_UP_AT_ONCE):
        some = range(first, min(orders, first + SET_UP_AT_ONCE))
        told = [json.loads(order_json(number)) for number in some]
        hub.call("POST", "/v1/orders/batch", {"orders": told})
    credentials: dict[str, Any] = {
        "withings": {},
        "shipmonk": {
            "username": BASIC[0],
            "password": BASIC[1],
            "signature_secrets": [SIGNATURE_SECRET],
        },
    }
    return {
        kind: hub.call(
            "POST",
            "/v1/sources",
            {"source": kind, "kind": kind, "store": MAIN, "credentials": credentials[kind]},
        )["path"]
        for kind in kinds
    }


def main() -> None:
    """Measures as it is asked to, and prints what it found."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.sources")
    parser.add_argument("--store", default="sqlite", choices=("sqlite", "postgres"))
    parser.add_argument("--workers", type=int, default=2, help="processes of the hub")
    parser.add_argument("--rate", type=float, default=0.0, help="a second; 0: flat out")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given)
    if given.json:
        print(json.dumps({**found, "machine": machine()}))
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:20} {value}\n")


if __name__ == "__main__":
    main()
