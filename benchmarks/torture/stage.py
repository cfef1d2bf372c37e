"""The processes of a run: started, set up, hurt, and in the end all stopped."""

from __future__ import annotations

import http.client
import json
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType, MappingProxyType, TracebackType
from typing import Any

import msgspec

from benchmarks.torture.behaviors import BEHAVIORS
from benchmarks.torture.facts import HUB, Endpoint, Fault, Journal, now
from benchmarks.torture.faults import Planned
from benchmarks.torture.owed import CONTRACTS
from benchmarks.torture.receiver import USERNAME, PathPlan, ReceiverPlan
from benchmarks.torture.traffic import AccountPlan, TrafficPlan

ACCOUNTS = ("one", "two", "three")
TIMEOUT_S = 2.0
"""Of each endpoint: what a receiver that hangs costs."""

START_S = 30.0
STOP_S = 30.0
FULL_BYTES: Mapping[str, int] = MappingProxyType(
    {"disk full": 512 * 1024, "disk full, log too": 2 * 1024}
)
"""No file of a hub whose disk is full may be written beyond this size: the write-ahead log and the
database soon are. Each start has a log of its own, so that the larger size spares it."""


def hold_port() -> socket.socket:
    """A free port of the loopback, kept ours: bound and never listened on.

    Whoever sets SO_REUSEADDR can still listen there, and while nobody does, connections are
    refused and no other socket is given the port.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


class Child:
    """A process that can be killed, frozen and started again; it ends with its standard input."""

    def __init__(self, words: list[str], *, log: Path, environment: dict[str, str]) -> None:
        self._words = words
        self._log = log
        self._starts = 0
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Path:
        """What it printed since its last start."""
        return self._log.with_name(f"{self._log.name}-{self._starts}.log")

    def start(self) -> None:
        self._starts += 1
        # An interrupt in the middle would leave a child that nobody knows of.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, *self._words],
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def kill(self) -> None:
        """SIGKILL: nothing is cleaned up."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._let_go()

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end_input(self) -> None:
        """Asks it to end."""
        assert self._process is not None
        self._let_go()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.running

    def stop(self) -> None:
        """Whatever state it is in, it has ended afterwards."""
        if self._process is None:
            return
        if self.running:
            self.send(signal.SIGCONT)
            self._let_go()
            if not self.wait(STOP_S):
                self._process.kill()
                self._process.wait()
        self._let_go()

    def _let_go(self) -> None:
        assert self._process is not None
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()


class Stage:
    """A hub on an empty database, accounts, receivers with characters, and their endpoints.

    Account by account a receiver speaks another contract, so every behavior meets every contract.
    """

    def __init__(self, folder: Path, *, store: str, seed: int, rate: float, lease_s: float) -> None:
        self._folder = folder
        self._seed = seed
        self._journal = Journal(folder / "faults.jsonl")
        self._ports = {name: hold_port() for name in (HUB, *BEHAVIORS)}
        self._environment = self._make_environment(store, lease_s)
        self.hub = self._child(
            HUB, ["milepost.cli", "serve", "--port", str(self.port(HUB)), "--until-eof"]
        )
        self._receivers: dict[str, Child] = {}
        self._paths: dict[str, dict[str, PathPlan]] = {name: {} for name in BEHAVIORS}
        self._keys: dict[str, str] = {}
        self._rate = rate
        self._traffic: Child | None = None
        self._starts = 0
        self.died_by_itself = 0

    def __enter__(self) -> Stage:
        signal.signal(signal.SIGTERM, _as_interrupt)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for child in (self._traffic, *self._receivers.values(), self.hub):
            if child is not None and _error is not None and child.running:
                child.kill()
            elif child is not None:
                child.stop()
        for held in self._ports.values():
            held.close()
        self._journal.close()

    def port(self, name: str) -> int:
        return int(self._ports[name].getsockname()[1])

    @property
    def receivers(self) -> tuple[str, ...]:
        return tuple(self._receivers)

    # setting up

    def set_up(self) -> None:
        """Accounts by the command line, then everything else through the hub's interface."""
        for name in ACCOUNTS:
            account = self._command("account", "add", name, "--json")
            self._keys[name] = self._command(
                "account", "key", "add", "--account", account["account_id"], "--json"
            )["key"]
        self.hub.start()
        self.wait_until_ready()
        for number, account in enumerate(ACCOUNTS):
            self.call(account, "PUT", "/v1/stores/main", {})
            for place, receiver in enumerate(BEHAVIORS):
                contract = CONTRACTS[(number + place) % len(CONTRACTS)]
                self._add_endpoint(account, receiver, contract)
        for name in BEHAVIORS:
            self._start_receiver(name)
        for name in BEHAVIORS:
            self._wait_for_port(name)

    def start_traffic(self) -> None:
        plan = TrafficPlan(
            port=self.port(HUB),
            accounts=[AccountPlan(name, key) for name, key in self._keys.items()],
            rate=self._rate,
            seed=self._seed,
            journal=str(self._folder / "traffic.jsonl"),
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
            self.see_to_the_hub()
            if time.monotonic() > until:
                return False
        return True

    def _make_environment(self, store: str, lease_s: float) -> dict[str, str]:
        urls = {"sqlite": f"sqlite:///{self._folder / 'torture.db'}"}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
        return kept | {
            "MILEPOST_DATABASE_URL": urls[store],
            "MILEPOST_ALLOW_NETWORKS": "127.0.0.0/8",
            "MILEPOST_LOG_LEVEL": "warning",
            "MILEPOST_LEASE_S": str(lease_s),
        }

    def _child(self, name: str, words: list[str]) -> Child:
        return Child(["-m", *words], log=self._folder / name, environment=self._environment)

    def _command(self, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "milepost.cli", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_S,
        )
        if done.returncode:
            raise RuntimeError(f"milepost {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)

    def _add_endpoint(self, account: str, receiver: str, contract: str) -> None:
        path = f"/{account}/{contract}"
        secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
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
        self._paths[receiver][path] = PathPlan(contract, secret)
        self._journal.note(Endpoint(made, account, contract, receiver, path))

    def _start_receiver(self, name: str) -> None:
        self._starts += 1
        plan = ReceiverPlan(
            name=name,
            port=self.port(name),
            journal=str(self._folder / f"receiver-{name}.jsonl"),
            seed=f"{self._seed}-{name}-{self._starts}",
            paths=self._paths[name],
        )
        words = ["benchmarks.torture.receiver", msgspec.json.encode(plan).decode()]
        child = self._child(f"receiver-{name}", words)
        child.start()
        self._receivers[name] = child

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
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.hub.running:
            try:
                self.call(ACCOUNTS[0], "GET", "/readyz")
            except (OSError, RuntimeError, http.client.HTTPException):
                time.sleep(0.05)
            else:
                return
        printed = self.hub.log.read_text(encoding="utf-8")[-4_000:]
        raise RuntimeError(f"the hub did not start:\n{printed}")

    def see_to_the_hub(self) -> None:
        """Starts it again if it has died although nobody killed it; a run with that has failed."""
        if not self.hub.running:
            self.died_by_itself += 1
            self.hub.start()

    # faults

    def hurt(self, planned: Planned) -> Fault:
        """Does what was planned, to its end, and notes it."""
        acts = {
            "hub killed": self._kill_hub,
            "hub killed in quick succession": self._kill_hub,
            "hub killed while it starts": self._kill_hub,
            "hub frozen past its lease": self._freeze_hub,
            "disk full": self._fill_disk,
            "disk full, log too": self._fill_disk,
            "receiver killed": self._kill_receiver,
            "receiver frozen": self._freeze_receiver,
        }
        if planned.kind in FULL_BYTES:
            # A hub that cannot write when it starts refuses to; the disk fills under one that runs.
            self.wait_until_ready()
        began = now()
        ended, kills = acts[planned.kind](planned)
        fault = Fault(planned.kind, planned.target, began, ended, kills)
        self._journal.note(fault)
        return fault

    def _kill_hub(self, planned: Planned) -> tuple[int, int]:
        ended = now()
        for wait_s in planned.waits_s:
            self.hub.kill()
            ended = now()
            self.hub.start()
            time.sleep(wait_s)
        return ended, len(planned.waits_s)

    def _freeze_hub(self, planned: Planned) -> tuple[int, int]:
        self.hub.send(signal.SIGSTOP)
        time.sleep(planned.waits_s[0])
        self.hub.send(signal.SIGCONT)
        return now(), 0

    def _fill_disk(self, planned: Planned) -> tuple[int, int]:
        with suppress(ProcessLookupError):
            before = resource.prlimit(self.hub.pid, resource.RLIMIT_FSIZE)
            most = (FULL_BYTES[planned.kind], before[1])
            resource.prlimit(self.hub.pid, resource.RLIMIT_FSIZE, most)
            time.sleep(planned.waits_s[0])
            resource.prlimit(self.hub.pid, resource.RLIMIT_FSIZE, before)
        return now(), 0

    def _kill_receiver(self, planned: Planned) -> tuple[int, int]:
        self._receivers[planned.target].kill()
        time.sleep(planned.waits_s[0])
        self._start_receiver(planned.target)
        self._wait_for_port(planned.target)
        return now(), 1

    def _freeze_receiver(self, planned: Planned) -> tuple[int, int]:
        child = self._receivers[planned.target]
        child.send(signal.SIGSTOP)
        time.sleep(planned.waits_s[0])
        child.send(signal.SIGCONT)
        return now(), 0

    def _wait_for_port(self, name: str) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port(name))) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"the receiver {name} did not start")


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
