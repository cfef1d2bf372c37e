"""A receiver on a real socket that answers as a test tells it to, and a run on either loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import uvloop

from milepost.delivery.model import Reply, Request
from milepost.net.guard import Guard
from milepost.net.sender import Sender

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
LOCAL = Guard(allow_private=True)

Case = Callable[[Sender], Coroutine[Any, Any, None]]
Play = Callable[..., None]
Writer = asyncio.StreamWriter
Answer = Callable[[Writer], Awaitable[None]]


def run(loop: str, main: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine on a fresh loop of the named kind."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(main)


def request_to(
    url: str,
    *,
    body: bytes = b"{}",
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),),
    timeout_s: float = 30.0,
) -> Request:
    return Request(url=url, headers=headers, body=body, timeout_s=timeout_s)


async def send_all(requests: list[Request], *, sender: Sender) -> list[Reply]:
    return list(await asyncio.gather(*(sender.send(request) for request in requests)))


async def until(condition: Callable[[], object]) -> None:
    """Waits for what the other side does; at most ten seconds."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


def says(text: bytes) -> Answer:
    """An answer of exactly these bytes; the connection stays open."""

    async def answer(writer: Writer) -> None:
        writer.write(text)
        await writer.drain()

    return answer


def says_and_hangs_up(text: bytes) -> Answer:
    async def answer(writer: Writer) -> None:
        writer.write(text)
        await writer.drain()
        writer.close()

    return answer


def says_and_resets(text: bytes) -> Answer:
    """An answer that ends in a TCP reset: what closing with a linger time of zero does."""

    async def answer(writer: Writer) -> None:
        writer.write(text)
        await writer.drain()
        await asyncio.sleep(0.02)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return answer


def says_forever(text: bytes, *, first: bytes = b"", pause_s: float = 0.0) -> Answer:
    async def answer(writer: Writer) -> None:
        writer.write(first)
        while not writer.is_closing():
            writer.write(text)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return answer


async def hangs(writer: Writer) -> None:
    """No answer at all, until the test is over."""
    await asyncio.Event().wait()


OK = says(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Receiver:
    """Listens on 127.0.0.1 and keeps every request as it came."""

    def __init__(self, answer: Answer = OK, *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.greeting = b""
        self.connections = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.port = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._tls, backlog=2048, limit=2**22
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        return len(self._tasks)

    def url(self, path: str = "/hook", *, host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            if self.greeting:
                writer.write(self.greeting)
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.bodies.append(await reader.readexactly(_length(head)))
                self.heads.append(head)
                await self.answer(writer)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            if self._tls is None:
                writer.close()
            else:
                writer.transport.abort()  # closing would wait for the other side's goodbye
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0
