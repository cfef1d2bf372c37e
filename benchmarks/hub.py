"""A real `milepost serve` on an empty database, and the little client that sets it up."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

START_S = 30.0


class Hub:
    """A hub in a process of its own, with an account, a store and its key."""

    def __init__(self, folder: Path, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.database_url = f"sqlite:///{folder / 'bench.db'}"
        self._log = (folder / "serve.log").open("w+", encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
        environment |= {
            "MILEPOST_DATABASE_URL": self.database_url,
            "MILEPOST_ALLOW_PRIVATE_NETWORKS": "true",
            "MILEPOST_LOG_LEVEL": "warning",
            **settings,
        }
        self._environment = environment
        account = self._run("account", "add", "bench", "--json")
        self.key: str = self._run(
            "account", "key", "add", "--account", account["account_id"], "--json"
        )["key"]
        self._run("store", "add", "main", "--json")
        self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts `serve` on what the database holds, and waits until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "milepost.cli", "serve", "--port", str(self.port)],
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait()

    def kill(self) -> None:
        """Ends `serve` as a power cut would: SIGKILL, nothing is cleaned up."""
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """What `serve` has printed so far."""
        self._log.flush()
        return Path(self._log.name).read_text(encoding="utf-8")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request of the native interface; raises RuntimeError on a refusal."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        with closing(connection):
            sent = json.dumps(body) if body is not None else None
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {content.decode()}")
        return json.loads(content) if content else None

    def stop(self) -> None:
        """Stops `serve` as an operator would, by SIGTERM."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _run(self, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "milepost.cli", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"milepost {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                self.call("GET", "/readyz")
            except (OSError, RuntimeError, http.client.HTTPException):
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the hub did not start:\n{self.log()}")
