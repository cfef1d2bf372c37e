"""The processes of the week: two hubs, the merchant, and every link between them."""

from __future__ import annotations

import json
import re
import secrets
import signal
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import urlopen

from benchmarks.hub import Hub
from benchmarks.postgres import free_port
from benchmarks.week.lives import CONTRACTS

USERNAME = "week"
CARRIER = "carrier"
"""The source of the carrier's own word."""

_ON_ARRIVAL = re.compile(
    r'^milepost_messages_total\{kind="([^"]+)",verdict="(repeated|orphan)"\} (\S+)$', re.MULTILINE
)
"""What no receipt shows later: a message known again has none, and an orphan does not stay one."""

STRIPPED = "shipmonk-to-merchants-hub"
"""The link that takes off what only Milepost sends: so the provider itself speaks."""


class Program:
    """One process of this package, and the line that it said when it was ready."""

    def __init__(self, module: str, *words: str, log: Path) -> None:
        with log.open("ab") as kept:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.week.{module}", *words],
                stdout=subprocess.PIPE,
                stderr=kept,
                text=True,
            )
        self.ready: dict[str, Any] = self._line(log)

    def _line(self, log: Path) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(log.read_text(encoding="utf-8"))
        said: dict[str, Any] = json.loads(line)
        return said

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: nothing is cleaned up."""
        self._process.kill()
        self._process.wait()
        self._close()

    def end(self) -> dict[str, Any]:
        """Stops it, and returns what it said last, if anything."""
        assert self._process.stdout is not None
        self._process.terminate()
        said = self._process.stdout.read().strip()
        self._process.wait(30)
        self._close()
        return json.loads(said) if said else {}

    def _close(self) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()


class Stage:
    """The provider's hub, the merchant's hub, the merchant, and the links between them.

    world → provider's hub → merchant's hub → merchant, in each contract; beside it a carrier that
    tells the merchant's hub by itself.
    """

    def __init__(self, folder: Path, *, seed: int, urls: Mapping[str, str]) -> None:
        """`urls` are the databases of `provider` and `merchant`, SQLite files where they miss."""
        self._folder = folder
        self._seed = seed
        self.secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
        self._merchant_port = free_port()
        self.hubs = {name: self._hub(name, urls.get(name, "")) for name in ("provider", "merchant")}
        self.merchant = self._start_merchant()
        self.paths: dict[str, str] = {}
        self.arrivals: Counter[tuple[str, str]] = Counter()
        self.wire = self._wire()

    def __enter__(self) -> Stage:
        try:
            self._set_up()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        for hub in self.hubs.values():
            hub.stop()
        for program in (self.wire, self.merchant):
            with suppress(ValueError):
                program.kill()

    @property
    def books(self) -> Path:
        """The merchant's database."""
        return self._folder / "merchant.db"

    def call(self, hub: str, method: str, path: str, body: Any = None) -> Any:
        """One request of a hub's own interface; raises RuntimeError on a refusal."""
        return self.hubs[hub].call(method, path, body)

    def port(self, link: str) -> int:
        return int(self.wire.ready[link])

    def strike(self, name: str) -> None:
        """Kills a hub or the merchant as a power cut would, and starts it again."""
        if name == "books":
            self.merchant.kill()
            self.merchant = self._start_merchant()
            return
        if name == "merchant":
            self.note_arrivals()
        self.hubs[name].kill()
        self.hubs[name].start()

    def note_arrivals(self) -> None:
        """Adds what the merchant's hub has counted on arrival since it was started."""
        with urlopen(f"http://{self.hubs['merchant'].host}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        for kind, verdict, number in _ON_ARRIVAL.findall(text):
            name = CARRIER if kind == "easypost" else kind
            self.arrivals[name, f"{verdict} on arrival"] += int(float(number))

    def calm_down(self) -> None:
        """Every link behaves from now on."""
        self.wire.send(signal.SIGUSR1)

    def end_links(self) -> dict[str, dict[str, int]]:
        """Stops the links; what each has done to what passed it."""
        counts = self.wire.end()
        return {name: dict(sorted(of_link.items())) for name, of_link in counts.items()}

    # setting up

    def _hub(self, name: str, url: str) -> Hub:
        folder = self._folder / name
        folder.mkdir()
        return Hub(folder, database_url=url, sandbox=True, MILEPOST_POLL_S="0.05")

    def _start_merchant(self) -> Program:
        return Program(
            "merchant",
            str(self.books),
            "--port",
            str(self._merchant_port),
            "--secret",
            self.secret,
            log=self._folder / "merchant.log",
        )

    def _wire(self) -> Program:
        provider, merchant = self.hubs["provider"].host, self.hubs["merchant"].host
        links = {"world": provider, CARRIER: merchant}
        for contract in CONTRACTS:
            links[f"{contract}-to-merchants-hub"] = merchant
            links[f"{contract}-to-merchant"] = f"127.0.0.1:{self._merchant_port}"
        words = [f"--link={name}={target}" for name, target in links.items()]
        return Program(
            "wire",
            f"--seed={self._seed}",
            f"--strip={STRIPPED}",
            *words,
            log=self._folder / "wire.log",
        )

    def _set_up(self) -> None:
        for contract in CONTRACTS:
            for hub in self.hubs:
                self.call(hub, "PUT", f"/v1/stores/{contract}", {})
            path = self._add_source(contract, contract)
            self._add_endpoint("provider", contract, f"{contract}-to-merchants-hub", path)
            self._add_endpoint("merchant", contract, f"{contract}-to-merchant", f"/{contract}")
        self.paths[CARRIER] = self._add_source(CARRIER, "easypost")

    def _add_source(self, name: str, kind: str) -> str:
        """The path that the source is told at."""
        proofs: dict[str, Any] = {
            "withings": {"secrets": [self.secret]},
            # What the provider itself has: the link takes off the signature that is ours.
            "shipmonk": {
                "username": USERNAME,
                "password": self.secret,
                "signature_secrets": [self.secret],
            },
            "standard": {"secrets": [self.secret]},
            "easypost": {"secrets": [self.secret]},
        }
        wanted = {
            "source": name,
            "kind": kind,
            "store": kind if kind in CONTRACTS else CONTRACTS[0],
            "credentials": proofs[kind],
        }
        made = self.call("merchant", "POST", "/v1/sources", wanted)
        return str(made["path"])

    def _add_endpoint(self, hub: str, contract: str, link: str, path: str) -> None:
        wanted: dict[str, Any] = {
            "contract": contract,
            "url": f"http://127.0.0.1:{self.port(link)}{path}",
            "stores": [contract],
            "secret": self.secret,
            "timeout_s": 5.0,
        }
        if contract == "withings":
            wanted["options"] = {"customer_id": "4711"}
        if contract == "shipmonk":
            wanted["credentials"] = {
                "username": USERNAME,
                "password": self.secret,
                "signature_secret": self.secret,
            }
        self.call(hub, "POST", "/v1/endpoints", wanted)
