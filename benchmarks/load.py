"""Posts orders to a hub: as fast as it takes them, or at a steady pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import msgspec

from benchmarks.hub import Hub
from benchmarks.orders import order_json, request

CONNECTIONS = 8
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


class _Line:
    """One kept-alive connection to the hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._hub.port)

    async def post(self, message: bytes) -> tuple[int, bytes]:
        self._writer.write(message)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        length = int(lower[at : lower.index(b"\r\n", at)])
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


def messages(hub: Hub, *, first: int, batch: int) -> Iterator[bytes]:
    """Requests without end, each with the next `batch` orders."""
    for start in count(first, batch):
        if batch == 1:
            body, path = order_json(start), "/v1/orders"
        else:
            orders = b",".join([order_json(n) for n in range(start, start + batch)])
            body, path = b'{"orders":[' + orders + b"]}", "/v1/orders/batch"
        yield request(path, body, host=hub.host, key=hub.key)


def _note(load: Load, began: int, status: int, content: bytes, *, batch: int) -> int:
    if status not in (200, 201):
        load.failures.append(f"{status} {content[:300]!r}")
        return 0
    if batch == 1:
        load.began[msgspec.json.decode(content, type=_Accepted).order_id] = began
        return 1
    results = msgspec.json.decode(content, type=_Batch).results
    for result in results:
        load.began[result.order_id] = began
    return len(results)


async def flat_out(
    hub: Hub, made: Iterator[bytes], *, seconds: float, delivered: Callable[[], int], fan: int,
    batch: int,
) -> Load:  # fmt: skip
    """Posts on some connections at once, never too far ahead of what has been delivered."""
    load = Load()
    until = time.monotonic() + seconds
    accepted = 0
    start = delivered()

    async def one() -> None:
        nonlocal accepted
        line = _Line(hub)
        await line.open()
        while time.monotonic() < until and not load.failures:
            if accepted * fan - (delivered() - start) > MOST_UNDELIVERED * fan:
                await asyncio.sleep(0.002)
                continue
            message = next(made)
            began = time.monotonic_ns()
            status, content = await line.post(message)
            accepted += _note(load, began, status, content, batch=batch)
        line.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return load


async def paced(
    hub: Hub, made: Iterator[bytes], *, seconds: float, per_s: float, batch: int
) -> Load:
    """Posts at a steady pace, whether or not earlier ones are answered (an open loop)."""
    load = Load()
    free: list[_Line] = []
    tasks: set[asyncio.Task[None]] = set()

    async def one(message: bytes) -> None:
        line = free.pop() if free else None
        if line is None:
            line = _Line(hub)
            await line.open()
        began = time.monotonic_ns()
        status, content = await line.post(message)
        _note(load, began, status, content, batch=batch)
        free.append(line)

    start = time.monotonic()
    for i, message in enumerate(made):
        at = start + i * batch / per_s
        if at - start > seconds:
            break
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        task = asyncio.create_task(one(message))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    for line in free:
        line.close()
    return load
