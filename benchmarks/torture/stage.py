"""The processes of a run: started, set up, seen to, and in the end all stopped."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import secrets
import signal
import socket
import time
from base64 import b64encode
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import msgspec

from benchmarks.secret_key import SECRET_KEY
from benchmarks.torture.behaviors import BEHAVIORS
from benchmarks.torture.child import Child, hold_port
from benchmarks.torture.cluster import Cluster
from benchmarks.torture.facts import HUB, Endpoint, Journal
from benchmarks.torture.owed import CONTRACTS
from benchmarks.torture.receiver import CALM, USERNAME, PathPlan, ReceiverPlan
from benchmarks.torture.record import keep_record
from benchmarks.torture.traffic import AccountPlan, TrafficPlan
from milepost.settings import PREFIX, read_settings
from milepost.wiring import build

ACCOUNTS = ("one", "two", "three")
TIMEOUT_S = 2.0
"""Of each endpoint: what a receiver that hangs costs."""

START_S = 30.0
DATABASES = ("database-1", "database-2")


class Stage:
    """A hub on an empty database, accounts, receivers with characters, and their endpoints.

    Account by account a receiver speaks another contract, so every behavior meets every contract.
    On PostgreSQL there are workers beside the hub, and two servers.
    """

    def __init__(
        self, folder: Path, *, store: str, seed: int, rate: float, lease_s: float, workers: int
    ) -> None:
        self.folder = folder
        self._seed = seed
        self.workers = tuple(f"worker-{number}" for number in range(1, workers + 1))
        self.journal = Journal(folder / "faults.jsonl")
        ports = (HUB, *self.workers, *DATABASES, *BEHAVIORS)
        self._ports = {name: hold_port() for name in ports}
        self.cluster = self._make_cluster() if store == "postgres" else None
        self._environment = self._make_environment(lease_s)
        self.hub = self._child(
            HUB, ["milepost.cli", "serve", "--port", str(self.port(HUB)), "--until-eof"]
        )
        # Those that take in and send; by name, the hub first.
        self.senders = {HUB: self.hub} | {
            name: self._child(
                name, ["milepost.cli", "work", "--port", str(self.port(name)), "--until-eof"]
            )
            for name in self.workers
        }
        self.receivers: dict[str, Child] = {}
        self._paths = {
            name: {
                f"/{account}/{contract}": PathPlan(contract, _new_secret())
                for account, contract in zip(ACCOUNTS, _in_turn(place), strict=True)
            }
            for place, name in enumerate(BEHAVIORS)
        }
        self._keys: dict[str, str] = {}
        self._rate = rate
        self._traffic: Child | None = None
        self._starts = 0
        self.died_by_itself = 0

    def _make_cluster(self) -> Cluster:
        first, second = (self._ports[name] for name in DATABASES)
        return Cluster((first, second))

    def __enter__(self) -> Stage:
        signal.signal(signal.SIGTERM, _as_interrupt)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for child in (self._traffic, *self.receivers.values(), *self.senders.values()):
            if child is not None and _error is not None and child.running:
                child.kill()
            elif child is not None:
                child.stop()
        if self.cluster is not None:
            self.cluster.keep_logs(self.folder)
            self.cluster.remove()
        for held in self._ports.values():
            held.close()
        self.journal.close()

    def port(self, name: str) -> int:
        return int(self._ports[name].getsockname()[1])

    # setting up

    def set_up(self) -> None:
        """Accounts and keys as the command line makes them, the rest through the interface."""
        self._keys = asyncio.run(self._add_accounts())
        for child in self.senders.values():
            child.start()
        for name in BEHAVIORS:
            self.start_receiver(name)
        for name in BEHAVIORS:
            self.wait_for_port(name)
        self.wait_until_ready()
        for account in ACCOUNTS:
            self.call(account, "PUT", "/v1/stores/main", {})
        for receiver, paths in self._paths.items():
            for path, plan in paths.items():
                self._add_endpoint(receiver, path, plan)

    def calm_down(self) -> None:
        """Receivers behave from now on."""
        for child in self.receivers.values():
            child.send(CALM)

    def start_traffic(self) -> None:
        plan = TrafficPlan(
            port=self.port(HUB),
            accounts=[AccountPlan(name, key) for name, key in self._keys.items()],
            rate=self._rate,
            seed=self._seed,
            journal=str(self.folder / "traffic.jsonl"),
        )
        self._traffic = self._child(
            "traffic", ["benchmarks.torture.traffic", msgspec.json.encode(plan).decode()]
        )
        self._traffic.start()

    def end_traffic(self, *, within_s: float) -> bool:
        """Whether every source got its last answer; the hub is kept running meanwhile."""
        assert self._traffic is not None
        self._traffic.end_input()
        until = time.monotonic() + within_s
        while not self._traffic.wait(0.1):
            self.see_to_the_processes()
            if time.monotonic() > until:
                return False
        return True

    def end(self) -> dict[str, str]:
        """Stops what takes in and sends, and keeps its record; returns how durable that was."""
        for child in self.senders.values():
            child.stop()
        if self.cluster is None:
            return keep_record(self.folder, database_url=None)
        self.cluster.settle()
        return keep_record(self.folder, database_url=self.cluster.primary_url)

    def _make_environment(self, lease_s: float) -> dict[str, str]:
        sqlite = f"sqlite:///{self.folder / 'torture.db'}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        return kept | {
            "MILEPOST_DATABASE_URL": sqlite if self.cluster is None else self.cluster.url,
            "MILEPOST_ALLOW_NETWORKS": "127.0.0.0/8",
            "MILEPOST_LOG_LEVEL": "warning",
            "MILEPOST_LEASE_S": str(lease_s),
            "MILEPOST_SECRET_KEY": SECRET_KEY,
        }

    def _child(self, name: str, words: list[str]) -> Child:
        return Child(["-m", *words], log=self.folder / name, environment=self._environment)

    async def _add_accounts(self) -> dict[str, str]:
        """The key of each account; the database is made for them."""
        hub = build(read_settings(self._environment))
        await hub.open(dispatch=False)
        try:
            accounts = [await hub.operations.add_account(name) for name in ACCOUNTS]
            keys = [await hub.operations.add_key(a.account_id, name="torture") for a in accounts]
        finally:
            await hub.close()
        return dict(zip(ACCOUNTS, [key.text for key in keys], strict=True))

    def _add_endpoint(self, receiver: str, path: str, plan: PathPlan) -> None:
        account, contract, secret = path.split("/")[1], plan.contract, plan.secret
        wanted: dict[str, Any] = {
            "contract": contract,
            "url": f"http://127.0.0.1:{self.port(receiver)}{path}",
            "schedule": "rehearsal",
            "timeout_s": TIMEOUT_S,
            "secret": secret,
        }
        if contract == "withings":
            wanted["options"] = {"customer_id": "4711"}
        if contract == "shipmonk":
            wanted["credentials"] = {
                "username": USERNAME,
                "password": secret,
                "signature_secret": secret,
            }
        made = self.call(account, "POST", "/v1/endpoints", wanted)["endpoint"]["endpoint_id"]
        self.journal.note(Endpoint(made, account, contract, receiver, path))

    def start_receiver(self, name: str) -> None:
        self._starts += 1
        plan = ReceiverPlan(
            name=name,
            port=self.port(name),
            journal=str(self.folder / f"receiver-{name}.jsonl"),
            seed=f"{self._seed}-{name}-{self._starts}",
            paths=self._paths[name],
        )
        words = ["benchmarks.torture.receiver", msgspec.json.encode(plan).decode()]
        child = self._child(f"receiver-{name}", words)
        child.start()
        self.receivers[name] = child

    # the hub's interface

    def call(self, account: str, method: str, path: str, body: Any = None) -> Any:
        """One request; raises RuntimeError on a refusal and OSError while nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port(HUB), timeout=20)
        headers = {
            "authorization": f"Bearer {self._keys[account]}",
            "content-type": "application/json",
        }
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            read = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {read.decode()}")
        return json.loads(read)

    def pending(self) -> bool:
        """Whether anything still waits to be delivered; yes while nobody can say."""
        path = "/v1/deliveries?state=pending&limit=1"
        try:
            return any(self.call(name, "GET", path)["deliveries"] for name in ACCOUNTS)
        except (OSError, RuntimeError, http.client.HTTPException):
            return True

    def wait_until_ready(self) -> None:
        """Returns when every process that was started says that it works."""
        until = time.monotonic() + START_S
        for name, child in self.senders.items():
            while child.started and not self._is_ready(name):
                if time.monotonic() > until or not (child.running or self._traffic):
                    printed = child.log.read_text(encoding="utf-8")[-4_000:]
                    raise RuntimeError(f"{name} did not start:\n{printed}")
                self.see_to_the_processes()
                time.sleep(0.05)

    def _is_ready(self, name: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port(name), timeout=20)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def see_to_the_processes(self) -> None:
        """Starts those again that have died although nobody killed them; such a run has failed."""
        for child in self.senders.values():
            if child.started and not child.running:
                self.died_by_itself += 1
                child.start()

    # the loopback

    def wait_for_port(self, name: str) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port(name))) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"the receiver {name} did not start")


def _in_turn(place: int) -> tuple[str, ...]:
    """The contracts, beginning with another one at each place."""
    first = place % len(CONTRACTS)
    return CONTRACTS[first:] + CONTRACTS[:first]


def _new_secret() -> str:
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
