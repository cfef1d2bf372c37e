"""Posts orders to a hub: as fast as it takes them, or at a steady pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle

import msgspec

from benchmarks.hub import Hub
from benchmarks.orders import order_json, request

CONNECTIONS = 8
SINGLE_CONNECTIONS = 64
"""How many post at once: batches, and orders one by one, which share commits."""

MOST_UNDELIVERED = 3_000
"""How far intake may run ahead of delivery, so that a run measures both and not a backlog."""


class _Accepted(msgspec.Struct):
    order_id: str


class _Batch(msgspec.Struct):
    results: list[_Accepted]


@dataclass(slots=True)
class Load:
    """What was posted: for each accepted order, when its request began to be sent (ns)."""

    began: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def note(self, began: int, status: int, content: bytes, *, batch: int) -> int:
        """How many were accepted."""
        if status not in (200, 201):
            self.failures.append(f"{status} {content[:300]!r}")
            return 0
        if batch == 1:
            self.began[msgspec.json.decode(content, type=_Accepted).order_id] = began
            return 1
        results = msgspec.json.decode(content, type=_Batch).results
        for result in results:
            self.began[result.order_id] = began
        return len(results)


class Line(asyncio.Protocol):
    """One kept-alive connection to a process of the hub; it does no more than it must."""

    @classmethod
    async def open(cls, port: int) -> Line:
        _, line = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._held = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the hub hung up"))

    def data_received(self, data: bytes) -> None:
        held = self._held + data if self._held else data
        end = held.find(b"\r\n\r\n")
        # Our hub writes the names of headers in lower case.
        at = held.find(b"content-length:", 0, end) + 15
        if end >= 0 and self._answer is not None:
            whole = end + 4 + int(held[at : held.find(b"\r\n", at)])
            if len(held) >= whole:
                self._held = b""
                self._answer.set_result((int(held[9:12]), held[end + 4 : whole]))
                return
        self._held = held

    async def post(self, message: bytes) -> tuple[int, bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(message)  # type: ignore[attr-defined]
        return await self._answer

    def close(self) -> None:
        self._transport.close()


def messages(hub: Hub, *, first: int, batch: int, stores: Sequence[str]) -> Iterator[bytes]:
    """Requests without end, each with the next `batch` orders, of the stores in turn."""
    turns = cycle([store.encode() for store in stores])
    for start in count(first, batch):
        orders = [order_json(n, store=next(turns)) for n in range(start, start + batch)]
        if batch == 1:
            body, path = orders[0], "/v1/orders"
        else:
            body, path = b'{"orders":[' + b",".join(orders) + b"]}", "/v1/orders/batch"
        yield request(path, body, host=hub.host, key=hub.key)


async def flat_out(
    hub: Hub, made: Iterator[bytes], *, seconds: float, delivered: Callable[[], int], fan: int,
    batch: int,
) -> Load:  # fmt: skip
    """Posts on some connections at once, never too far ahead of what has been delivered."""
    load = Load()
    until = time.monotonic() + seconds
    accepted = 0
    start = delivered()

    async def one(port: int) -> None:
        nonlocal accepted
        line = await Line.open(port)
        while time.monotonic() < until and not load.failures:
            if accepted * fan - (delivered() - start) > MOST_UNDELIVERED * fan:
                await asyncio.sleep(0.002)
                continue
            message = next(made)
            began = time.monotonic_ns()
            status, content = await line.post(message)
            accepted += load.note(began, status, content, batch=batch)
        line.close()

    lines = max(CONNECTIONS if batch > 1 else SINGLE_CONNECTIONS, len(hub.ports))
    await asyncio.gather(*(one(hub.ports[n % len(hub.ports)]) for n in range(lines)))
    return load


async def paced(
    hub: Hub, made: Iterator[bytes], *, seconds: float, per_s: float, batch: int
) -> Load:
    """Posts at a steady pace, whether or not earlier ones are answered (an open loop)."""
    load = Load()
    free: dict[int, list[Line]] = {port: [] for port in hub.ports}
    tasks: set[asyncio.Task[None]] = set()

    async def one(port: int, message: bytes) -> None:
        line = free[port].pop() if free[port] else await Line.open(port)
        began = time.monotonic_ns()
        status, content = await line.post(message)
        load.note(began, status, content, batch=batch)
        free[port].append(line)

    start = time.monotonic()
    for i, (port, message) in enumerate(zip(cycle(hub.ports), made, strict=False)):
        at = start + i * batch / per_s
        if at - start > seconds or load.failures:
            break
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        task = asyncio.create_task(one(port, message))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    for lines in free.values():
        for line in lines:
            line.close()
    return load
