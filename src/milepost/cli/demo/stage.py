"""The processes of the demonstration: a real hub and a real receiver for each contract.

They share no memory with the play. Each ends when its standard input does, so none outlives it,
however it ends.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

import msgspec

from milepost.cli.exits import Unreachable
from milepost.cli.landing import Landing

START_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
LOG_TAIL = 2_000

_HUB_OPTIONS = ("--allow-private-networks", "--log-level", "warning")
CONTRACTS = ("withings", "shipmonk", "standard")


class Process:
    """A `milepost` command in a process of its own that prints JSON lines, the first when ready."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        folder: Path,
        name: str,
        told: Callable[[bytes], None],
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self._told = told
        self._log = folder / f"{name}.log"
        self._first: dict[str, Any] = {}
        self._ready = threading.Event()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [sys.executable, "-m", "milepost.cli", *words, "--json", "--until-eof"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**inherited, **environment},
                # Ctrl-C is for the play, which then ends its processes in order.
                start_new_session=True,
            )
        self._stdin = cast(IO[bytes], self._process.stdin)
        self._stdout = cast(IO[bytes], self._process.stdout)
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def wait_until_ready(self) -> dict[str, Any]:
        """The first line that it printed. Raises Unreachable with what its log says."""
        until = time.monotonic() + START_WITHIN_S
        while not self._ready.wait(0.05):
            if self._process.poll() is not None or time.monotonic() > until:
                raise Unreachable(f"The {self.name} did not start: {self.log_tail()}")
        return self._first

    def log_tail(self) -> str:
        """The end of what it wrote to standard error."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:].strip()

    def stop(self) -> None:
        """Ends it, in peace if it can, and waits until everything it printed was read."""
        self._stdin.close()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reading.join(STOP_WITHIN_S)

    def _read(self) -> None:
        with self._stdout as lines:
            for line in lines:
                if self._ready.is_set():
                    self._told(line)
                else:
                    self._first = json.loads(line)
                    self._ready.set()


class Secrets(msgspec.Struct, frozen=True):
    """What the two ends of the demonstration know of each other, new for every run."""

    signing: Mapping[str, str]
    username: str
    password: str
    shipmonk_signature: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def new_secrets() -> Secrets:
    """Secrets that nobody has seen."""
    return Secrets(
        signing={
            name: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
            for name in CONTRACTS
        },
        username="milepost",
        password=secrets.token_urlsafe(16),
        shipmonk_signature=secrets.token_urlsafe(32),
    )


class Stage:
    """A hub on an empty database, and a receiver for each contract.

    `landed` hears of all that lands, on the receivers' threads.
    """

    def __init__(self, folder: Path, *, landed: Callable[[Landing], None], failures: int) -> None:
        self._landed = landed
        self.secrets = new_secrets()
        self._processes: list[Process] = []
        try:
            self._start(folder, failures=failures)
        except BaseException:
            self.close()
            raise

    def _start(self, folder: Path, *, failures: int) -> None:
        hub = self._begin(
            ("serve", "--port", "0", "--database", str(folder / "milepost.db"), *_HUB_OPTIONS),
            folder=folder,
            name="hub",
        )
        receivers = {
            name: self._begin(
                ["listen", "--contract", name, "--port", "0"]
                + (["--fail", str(failures)] if name == "shipmonk" else []),
                folder=folder,
                name=f"{name} receiver",
                environment=self._environment(name),
            )
            for name in CONTRACTS
        }
        ready = hub.wait_until_ready()
        self.url: str = ready["url"]
        self.api_key: str = ready["api_key"]
        self.receivers = {
            name: str(process.wait_until_ready()["listening"])
            for name, process in receivers.items()
        }

    def _begin(
        self,
        words: Sequence[str],
        *,
        folder: Path,
        name: str,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Process:
        process = Process(words, folder=folder, name=name, told=self._hear, environment=environment)
        self._processes.append(process)
        return process

    def _environment(self, contract: str) -> dict[str, str]:
        # Not on the command line, where every user of the machine could read them.
        found = {"MILEPOST_LISTEN_SECRET": self.secrets.signing[contract]}
        if contract == "shipmonk":
            found["MILEPOST_LISTEN_BASIC"] = f"{self.secrets.username}:{self.secrets.password}"
            found["MILEPOST_LISTEN_SIGNATURE_SECRET"] = self.secrets.shipmonk_signature
        return found

    def _hear(self, line: bytes) -> None:
        self._landed(msgspec.json.decode(line, type=Landing))

    def logs(self) -> str:
        """What the processes had to say, for when something went wrong."""
        said = [(process.name, process.log_tail()) for process in self._processes]
        return "\n".join(f"{name}: {tail}" for name, tail in said if tail)

    def close(self) -> None:
        """Ends every process, the hub first, so that nothing is sent to receivers that are gone."""
        while self._processes:
            self._processes.pop(0).stop()
