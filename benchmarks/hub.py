"""A real `milepost serve`, one process or several, and the little client that sets it up."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from benchmarks.orders import MAIN
from benchmarks.postgres import free_port
from benchmarks.secret_key import SECRET_KEY
from milepost.settings import PREFIX, Settings, read_settings
from milepost.wiring import build

START_S = 30.0


def environment_of(database_url: str) -> dict[str, str]:
    """What a process of Milepost needs to work on this database, and to send to this machine."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    return ours | {
        "MILEPOST_DATABASE_URL": database_url,
        "MILEPOST_ALLOW_PRIVATE_NETWORKS": "true",
        "MILEPOST_LOG_LEVEL": "warning",
        "MILEPOST_SECRET_KEY": SECRET_KEY,
    }


class Hub:
    """A hub with an account, a store and its key, on an SQLite file unless a URL is given.

    Several processes take in and send, each on a port of its own, as behind a load balancer. With
    `sandbox` its clock can be moved forward.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str = "",
        processes: int = 1,
        sandbox: bool = False,
        **settings: str,
    ) -> None:
        self._sandbox = sandbox
        self.ports = [free_port() for _ in range(processes)]
        self.database_url = database_url or f"sqlite:///{folder / 'bench.db'}"
        self._log = folder / "serve.log"
        self._environment = {**environment_of(self.database_url), **settings}
        self._processes: list[subprocess.Popen[bytes]] = []
        self.account_id, self.key = asyncio.run(self._set_up())
        self.start()

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    @property
    def pid(self) -> int:
        return self.pids[0]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts every `serve` on what the database holds, and waits until they answer."""
        with self._log.open("ab") as log:
            self._processes = [self._start(port, log) for port in self.ports]
        for process, port in zip(self._processes, self.ports, strict=True):
            self._wait(process, port)

    def _start(self, port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        # Of the processes on a file one sends; the others take in.
        sends = port == self.port or Settings(database_url=self.database_url).is_postgres
        beside = [] if sends else ["--no-dispatch"]
        return subprocess.Popen(
            [sys.executable, "-m", "milepost.cli", "serve", "--port", str(port), *beside],
            env=self._environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def kill(self) -> None:
        """Ends every `serve` as a power cut would: SIGKILL, nothing is cleaned up."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()

    def log(self) -> str:
        """What `serve` has printed so far."""
        return self._log.read_text(encoding="utf-8")

    def call(self, method: str, path: str, body: Any = None, *, port: int = 0) -> Any:
        """One request of the native interface; raises RuntimeError on a refusal."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
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
        """Stops every `serve` as an operator would, by SIGTERM."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    async def _set_up(self) -> tuple[str, str]:
        """The account and its key; the database is made for them."""
        hub = build(read_settings(self._environment))
        await hub.open(dispatch=False)
        try:
            account_id = (
                await hub.operations.add_account("bench", sandbox=self._sandbox)
            ).account_id
            key = await hub.operations.add_key(account_id, name="bench")
            await hub.operations.put_store(account_id, MAIN)
        finally:
            await hub.close()
        return account_id, key.text

    def _wait(self, process: subprocess.Popen[bytes], port: int) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if process.poll() is not None:
                break
            try:
                self.call("GET", "/readyz", port=port)
            except (OSError, RuntimeError, http.client.HTTPException):
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the hub did not start:\n{self.log()}")
