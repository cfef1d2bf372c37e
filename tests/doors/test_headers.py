"""Headers that never end, or come a byte at a time, cost a connection and nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from milepost.cli.headers import MOST_HEADER_BYTES
from milepost.cli.web import bind, serve_until

REQUEST = b"GET / HTTP/1.1\r\nhost: hub\r\n"


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """The port of a server of ours."""
    stop, started = asyncio.Event(), asyncio.Event()
    bound = bind("127.0.0.1", 0)
    task = asyncio.create_task(
        serve_until(stop, app, bound=bound, lifespan="off", graceful_s=1, on_started=started.set)
    )
    await started.wait()
    try:
        yield bound.getsockname()[1]
    finally:
        stop.set()
        await task
        bound.close()


async def told(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """All that the server says until it ends the connection, or a quarter of a second has gone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(0.25):
            while more := await reader.read(1_000):
                said += more
            said += b"(end)"
    writer.close()
    return said


def ask(*pieces: bytes, pause_s: float = 0.0) -> bytes:
    async def whole() -> bytes:
        async with serving() as port:
            return await told(port, *pieces, pause_s=pause_s)

    return asyncio.run(whole())


def test_headers_of_a_usual_size_pass_in_one_piece_or_in_many() -> None:
    line = b"x-a: " + b"y" * 20_000 + b"\r\n"
    assert ask(REQUEST + line + b"\r\n").startswith(b"HTTP/1.1 204")
    assert ask(REQUEST, line, line, b"\r\n", pause_s=0.01).startswith(b"HTTP/1.1 204")


def test_headers_that_do_not_end_are_cut_off() -> None:
    line = b"x-a: " + b"y" * 1_000 + b"\r\n"
    said = ask(REQUEST, *[line] * (MOST_HEADER_BYTES // 1_000 + 1), pause_s=0.0005)
    assert not said or said.startswith(b"HTTP/1.1 431")
    assert b"204" not in said


def test_a_body_is_not_counted_as_headers() -> None:
    head = REQUEST + b"content-length: 200000\r\n\r\n"
    assert ask(head + b"y" * 200_000).startswith(b"HTTP/1.1 204")


def test_headers_that_take_too_long_end_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milepost.cli.headers.HEADERS_WITHIN_S", 0.1)
    said = ask(b"GET / HT")
    assert said.startswith(b"HTTP/1.1 408")
    assert said.endswith(b"(end)")
    # Nor is one kept that says nothing at all.
    assert ask() == b"(end)"


def test_a_connection_that_was_used_is_not_ended_by_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milepost.cli.headers.HEADERS_WITHIN_S", 0.1)
    said = ask(REQUEST + b"\r\n", REQUEST + b"\r\n", pause_s=0.2)
    assert said.count(b"HTTP/1.1 204") == 2
    assert not said.endswith(b"(end)")
