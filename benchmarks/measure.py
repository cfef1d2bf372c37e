"""Measures one scenario: a hub on an empty database, a receiver and a load, each by itself."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from benchmarks.backlog import fill
from benchmarks.hub import Hub
from benchmarks.load import Load, flat_out, messages, paced
from benchmarks.machine import Spent, peak_mib, shared_mib, spent
from benchmarks.orders import BACKLOG, MAIN
from benchmarks.postgres import Server, execute, free_port
from benchmarks.receiver import Receiver
from benchmarks.scenarios import Scenario

SETTLE_S = 120.0
HANG_S = 5.0
"""The timeout of an endpoint that hangs."""

MOST_HOSTS = 256
BACKLOG_ENDPOINTS = 4
SHOWN = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method",
         "shared_buffers", "max_wal_size")  # fmt: skip
SQLITE = {"journal_mode": "WAL", "synchronous": "FULL"}
"""What the store sets; a connection of our own could not read it."""


class Database:
    """An empty database of a store, and its processes if it has any."""

    def __init__(self, store: str, folder: Path) -> None:
        self.server = Server(port=free_port()) if store == "postgres" else None
        self.url = f"sqlite:///{folder / 'bench.db'}"
        self.durability: dict[str, str] = dict(SQLITE)
        if self.server is not None:
            asyncio.run(execute(self.server.url("postgres"), "CREATE DATABASE bench"))
            self.url = self.server.url("bench")
            self.durability = asyncio.run(self._shown())

    @property
    def pids(self) -> list[int]:
        return self.server.pids if self.server is not None else []

    async def _shown(self) -> dict[str, str]:
        connection = await asyncpg.connect(self.url)
        try:
            return {name: await connection.fetchval(f"SHOW {name}") for name in SHOWN}
        finally:
            await connection.close()

    def settle(self) -> None:
        """What was filled in lies as it does in a database that has run for a while."""
        if self.server is not None:
            asyncio.run(execute(self.url, "VACUUM (ANALYZE)", "CHECKPOINT"))

    def remove(self) -> None:
        if self.server is not None:
            self.server.remove()


@contextmanager
def database(store: str) -> Iterator[Database]:
    """A database that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="milepost-bench-") as name:
        made = Database(store, Path(name))
        try:
            yield made
        finally:
            made.remove()


def measure(scenario: Scenario) -> dict[str, Any]:
    """The figures of a scenario. Raises SystemExit when the hub refuses or loses something."""
    with ExitStack() as stack:
        base = stack.enter_context(database(scenario.store))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="milepost-bench-")))
        hosts = scenario.endpoints + scenario.spread + scenario.hanging + BACKLOG_ENDPOINTS
        receiver = Receiver(min(hosts, MOST_HOSTS))
        stack.callback(receiver.stop)
        hub = Hub(folder, database_url=base.url, processes=scenario.workers)
        stack.callback(hub.stop)
        bench = _Bench(scenario, base, hub, receiver)
        bench.set_up()
        return bench.run()


class _Bench:
    def __init__(self, scenario: Scenario, base: Database, hub: Hub, receiver: Receiver) -> None:
        self._scenario = scenario
        self._base = base
        self._hub = hub
        self._receiver = receiver
        self._stores = [MAIN]
        self._first = 0

    def set_up(self) -> None:
        """Stores and endpoints, and what waits from the start."""
        scenario = self._scenario
        if scenario.spread:
            self._stores = [f"store-{number}" for number in range(scenario.spread)]
            for store in self._stores:
                self._hub.call("PUT", f"/v1/stores/{store}", {})
                self._add_endpoint(stores=[store])
        else:
            for _ in range(scenario.endpoints):
                self._add_endpoint()
        if scenario.hanging:
            self._add_endpoint(hangs=True)
        if scenario.pending:
            self._hub.call("PUT", f"/v1/stores/{BACKLOG}", {})
            waiting = [
                self._add_endpoint(hangs=True, stores=[BACKLOG]) for _ in range(BACKLOG_ENDPOINTS)
            ]
            self._hub.stop()
            fill(self._base.url, self._hub.account_id, waiting, count=scenario.pending)
            self._base.settle()
            self._hub.start()

    def _add_endpoint(self, *, stores: list[str] | None = None, hangs: bool = False) -> str:
        number = self._first
        self._first += 1
        wanted: dict[str, Any] = {
            "contract": self._scenario.contract,
            "url": self._receiver.url(number, hangs=hangs),
            "concurrency": 64,
            # What waits is of another store; what hangs gets all the others get.
            "stores": stores or self._stores,
        }
        if hangs:
            wanted["timeout_s"] = HANG_S
        made = self._hub.call("POST", "/v1/endpoints", wanted)["endpoint"]["endpoint_id"]
        return str(made)

    def run(self) -> dict[str, Any]:
        scenario = self._scenario
        made = messages(self._hub, first=1, batch=scenario.batch, stores=self._stores)
        self._post(made, seconds=scenario.warm_up_s)
        self._receiver.take()
        before = self._spent()
        load, took = self._post(made, seconds=scenario.seconds)
        used = self._spent().since(before, events=len(load.began))
        seen = self._receiver.take()
        cost = round(used["hub_us"] + used["database_us"], 1)
        return {
            "seconds": round(took, 2),
            "events": len(load.began),
            "accepted_per_s": round(len(load.began) / took),
            "delivered_per_s": round(len(seen) / took),
            **used,
            "hub_and_database_us": cost,
            **_latency(load, seen),
            "hub_mib": round(sum(peak_mib(pid) for pid in self._hub.pids)),
            "database_mib": round(shared_mib(self._base.pids)),
            "durability": self._base.durability,
        }

    def _post(self, made: Iterator[bytes], *, seconds: float) -> tuple[Load, float]:
        scenario, receiver = self._scenario, self._receiver
        fan = 1 if scenario.spread else scenario.endpoints
        began, before = time.monotonic(), receiver.count
        if scenario.rate:
            posting = paced(
                self._hub, made, seconds=seconds, per_s=scenario.rate, batch=scenario.batch
            )
        else:
            posting = flat_out(
                self._hub, made, seconds=seconds, delivered=lambda: receiver.count, fan=fan,
                batch=scenario.batch,
            )  # fmt: skip
        load = uvloop.run(posting)
        if load.failures:
            raise SystemExit(f"the hub refused: {load.failures[0]}")
        _wait_for(receiver, before + len(load.began) * fan)
        return load, time.monotonic() - began

    def _spent(self) -> Spent:
        return spent(hub=self._hub.pids, database=self._base.pids, receiver=self._receiver.pid)


def _wait_for(receiver: Receiver, count: int) -> None:
    until = time.monotonic() + SETTLE_S
    while receiver.count < count:
        if time.monotonic() > until:
            raise SystemExit(f"lost: {count - receiver.count} notifications did not arrive")
        time.sleep(0.001)


def _latency(load: Load, seen: list[tuple[str, int]]) -> dict[str, float]:
    """Milliseconds from the first byte of the request that told of an order to its receipt."""
    waits = sorted((at - load.began[name.split("-")[0]]) / 1e6 for name, at in seen)
    return {
        "p50_ms": round(waits[len(waits) // 2], 2),
        "p99_ms": round(waits[int(len(waits) * 0.99)], 2),
        "max_ms": round(waits[-1], 2),
    }
