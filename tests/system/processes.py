"""Real `milepost` processes on one database: started, stopped, frozen and killed by the tests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks.secret_key import SECRET_KEY

SIGNING_SECRET = "whsec_" + "bWlsZXBvc3QtdGVzdC1zZWNyZXQtMzItYnl0ZXMtbG9uZw=="


class Reply(NamedTuple):
    """What a process has answered over HTTP; status 0 when there was no answer."""

    status: int
    headers: Mapping[str, str] = MappingProxyType({})
    body: Any = None


class Process:
    """`milepost serve` or `milepost work`, and what it said when it was ready."""

    def __init__(self, words: tuple[str, ...], *, settings: dict[str, str], log: Path) -> None:
        self._log = log.open("a+", encoding="utf-8")
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "milepost.cli", *words, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=settings,
        )
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        if not line:
            self.close()
            raise AssertionError(log.read_text(encoding="utf-8"))
        self.ready: dict[str, Any] = json.loads(line)

    def log(self) -> str:
        return Path(self._log.name).read_text(encoding="utf-8")

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Reply:
        """One request; a process that cannot be reached answers with status 0."""
        connection = http.client.HTTPConnection(self.ready["url"][7:], timeout=20)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        with closing(connection):
            try:
                sent = None if body is None else json.dumps(body)
                connection.request(method, path, sent, headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                return Reply(0)
        return Reply(answer.status, dict(answer.headers), json.loads(content) if content else None)

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        self.popen.terminate()
        return self.popen.wait(30)

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        self._log.close()


class Town:
    """The processes on one database."""

    def __init__(self, folder: Path, url: str, **settings: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
        self.settings = kept | {
            "MILEPOST_DATABASE_URL": url,
            "MILEPOST_ALLOW_PRIVATE_NETWORKS": "true",
            "MILEPOST_SECRET_KEY": SECRET_KEY,
            "MILEPOST_LOG_LEVEL": "warning",
            **settings,
        }
        self._folder = folder
        self.processes: list[Process] = []

    def start(self, *words: str) -> Process:
        log = self._folder / f"{len(self.processes)}.log"
        started = Process(words, settings=self.settings, log=log)
        self.processes.append(started)
        return started

    def refused(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A process that is expected to end by itself."""
        return subprocess.run(
            [sys.executable, "-m", "milepost.cli", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=self.settings,
        )


@contextmanager
def town(folder: Path, url: str, **settings: str) -> Iterator[Town]:
    made = Town(folder, url, **settings)
    try:
        yield made
    finally:
        for process in made.processes:
            process.close()


def until(condition: Callable[[], object], *, within_s: float = 60.0) -> float:
    """How long it took to come about, in seconds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, "it did not come about"
        time.sleep(0.01)
    return time.monotonic() - began
