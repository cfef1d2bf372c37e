"""Real processes of a merchant, and requests to them."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Running:
    """A process in a folder of its own; what it writes is in `out`."""

    def __init__(self, words: Sequence[str], *, folder: Path, **settings: str) -> None:
        self.out = folder / "out.txt"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
        path = os.pathsep.join((str(ROOT), str(ROOT / "examples")))
        with self.out.open("ab") as out:
            self.popen = subprocess.Popen(
                [sys.executable, *words],
                cwd=folder,
                env={**kept, "PYTHONPATH": path, **settings},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def kill(self) -> None:
        """As `kill -9` does; it may be dead already."""
        self.popen.kill()
        self.popen.wait()

    def said(self) -> str:
        return self.out.read_text(encoding="utf-8")


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def post(port: int, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
    """The status, 0 where no answer came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
    return answer.status


def until(condition: Callable[[], object], *, process: Running, within_s: float = 60.0) -> None:
    began = time.monotonic()
    while not condition():
        assert process.popen.poll() is None, process.said()
        assert time.monotonic() - began < within_s, process.said()
        time.sleep(0.02)
