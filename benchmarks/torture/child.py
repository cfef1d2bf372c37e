"""A process that can be killed, frozen and started again."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

STOP_S = 30.0


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
    def started(self) -> bool:
        """Whether it was ever started."""
        return self._process is not None

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
