"""Server-sent events: from whatever yields them to the browser, until one of the two is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from milepost.dashboard.exchange import GUARD
from milepost.exchange import Receive, Send
from milepost.logs import logger

BEAT_S = 15.0
"""A line goes out at least so often, so that whatever lies between keeps the connection."""

CHECK_EVERY_BEATS = 4
MOST_STREAMS = 500

Alive = Callable[[], Awaitable[bool]]

_log = logger("pages")
_open: set[object] = set()


def event_text(name: str, text: str) -> bytes:
    """One event as it stands on the wire."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()


async def stream_events(
    send: Send,
    receive: Receive,
    stream: AsyncIterator[tuple[str, str]],
    *,
    stopping: asyncio.Event,
    alive: Alive,
) -> None:
    """Sends events until the stream ends, the browser goes, the session is over or the hub stops.

    With MOST_STREAMS open already it ends at once, and the browser comes again later.
    """
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), *GUARD]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    me = object()
    gone = asyncio.create_task(_gone(receive))
    stopped = asyncio.create_task(stopping.wait())
    try:
        if len(_open) < MOST_STREAMS:
            _open.add(me)
            await _send(send, b"retry: 3000\n\n")
            await _pump(send, stream, ends=(gone, stopped), alive=alive)
    except Exception as error:  # noqa: BLE001 - the browser asks again, and is answered then
        _log.error("events ended", exc_info=error)
    finally:
        _open.discard(me)
        gone.cancel()
        stopped.cancel()
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    with suppress(OSError):
        await send({"type": "http.response.body", "body": b""})


async def _pump(
    send: Send,
    stream: AsyncIterator[tuple[str, str]],
    *,
    ends: tuple[asyncio.Task[object], ...],
    alive: Alive,
) -> None:
    upcoming = asyncio.ensure_future(anext(stream, None))
    beats = 0
    try:
        while not any(end.done() for end in ends):
            await asyncio.wait(
                (upcoming, *ends), timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED
            )
            if upcoming.done():
                found = upcoming.result()
                if found is None:
                    return
                await _send(send, event_text(*found))
                upcoming = asyncio.ensure_future(anext(stream, None))
                continue
            beats += 1
            if beats % CHECK_EVERY_BEATS == 0 and not await alive():
                await _send(send, event_text("over", ""))
                return
            await _send(send, b": still here\n\n")
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, content: bytes) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": True})
