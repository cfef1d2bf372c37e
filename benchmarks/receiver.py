"""A receiver that does as little as can be: it reads a notification, notes when, and answers 204.

It is the yardstick's other end, so it must never be what limits a measurement.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import httptools
import uvloop

HANGS = b"/hangs"
"""What comes to this path is neither counted nor answered."""

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class _Notifications(asyncio.Protocol):
    def __init__(self, seen: list[tuple[str, int]], count: Any) -> None:
        self._seen = seen
        self._count = count
        self._parser = httptools.HttpRequestParser(self)
        self._name = b""
        self._hangs = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._hangs = url == HANGS

    def on_header(self, name: bytes, value: bytes) -> None:
        if name == b"webhook-id":
            self._name = value

    def on_message_complete(self) -> None:
        if self._hangs:
            return
        self._seen.append((self._name.decode(), time.monotonic_ns()))
        self._count.value += 1
        self._transport.write(_ANSWER)  # type: ignore[attr-defined]


def _run(listening: list[socket.socket], count: Any, control: Connection) -> None:
    async def serve() -> None:
        seen: list[tuple[str, int]] = []
        loop = asyncio.get_running_loop()
        servers = [
            await loop.create_server(lambda: _Notifications(seen, count), sock=one)
            for one in listening
        ]
        # The parent says "take" for what was seen since the last time, and "stop". The pipe stays
        # off the loop, which would make it non-blocking under the feet of both ends.
        while await asyncio.to_thread(control.recv) == "take":
            taken, seen[:] = list(seen), []
            await asyncio.to_thread(control.send_bytes, json.dumps(taken).encode())
        for server in servers:
            server.close()

    uvloop.run(serve())


class Receiver:
    """A receiver in a process of its own; `count` is how many notifications it has had.

    It stands for so many hosts: each is a port, to which senders keep connections of their own.
    """

    def __init__(self, hosts: int = 1) -> None:
        spawn = multiprocessing.get_context("spawn")
        listening = [socket.create_server(("127.0.0.1", 0), backlog=4_096) for _ in range(hosts)]
        self.ports: list[int] = [one.getsockname()[1] for one in listening]
        self._count = spawn.Value("q", 0, lock=False)
        self._control, theirs = spawn.Pipe()
        self._process: BaseProcess = spawn.Process(
            target=_run, args=(listening, self._count, theirs), daemon=True
        )
        self._process.start()
        for one in listening:
            one.close()

    def url(self, number: int = 0, *, hangs: bool = False) -> str:
        """Where one of the hosts is notified."""
        path = HANGS.decode() if hangs else "/notify"
        return f"http://127.0.0.1:{self.ports[number % len(self.ports)]}{path}"

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def count(self) -> int:
        return int(self._count.value)

    def take(self) -> list[tuple[str, int]]:
        """What came since the last call: each delivery's name and when (monotonic ns)."""
        self._control.send("take")
        return [(name, at) for name, at in json.loads(self._control.recv_bytes())]

    def stop(self) -> None:
        self._control.send("stop")
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
