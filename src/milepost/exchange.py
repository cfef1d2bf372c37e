"""One HTTP request and its answer, as far as every door reads and limits them in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from milepost.errors import MilepostError, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ClientGone(Exception):
    """The client went away before its request was whole; nobody is there to answer."""


class TooSlow(MilepostError):
    """The body did not arrive in time."""


async def read_body(
    headers: Mapping[bytes, bytes], receive: Receive, *, limit: int, within_s: float
) -> bytes:
    """The whole body of a request, of at most `limit` bytes.

    Raises TooLarge as soon as it is known, TooSlow after `within_s` seconds, ClientGone.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise TooLarge(f"At most {limit} bytes are taken.")
    deadline = _Deadline(within_s)
    try:
        return await _collect(receive, limit=limit)
    except asyncio.CancelledError:
        if not deadline.was_met():
            raise
        raise TooSlow(f"It has to be here within {within_s:g} s.") from None
    finally:
        deadline.end()


class _Deadline:
    """Cancels the task that made it after so many seconds.

    What `asyncio.timeout` does, for a third of its price: nearly every body is there already, and
    each request pays for it.
    """

    __slots__ = ("_met", "_task", "_timer")

    def __init__(self, within_s: float) -> None:
        self._met = False
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(within_s, self._meet)

    def _meet(self) -> None:
        self._met = True
        if self._task is not None:
            self._task.cancel()

    def was_met(self) -> bool:
        """Whether it is this that the task was cancelled for, and nothing else."""
        return self._met and self._task is not None and self._task.uncancel() == 0

    def end(self) -> None:
        self._timer.cancel()


async def _collect(receive: Receive, *, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"At most {limit} bytes are taken.")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class Bucket:
    """Tokens that come at a steady rate, up to a burst; times are seconds of one clock."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, *, rate: float, burst: float, at: float) -> None:
        self._rate = rate
        self._burst = self._left = burst
        self._at = at

    def take(self, number: float, *, at: float) -> float:
        """Takes so many, all or none; the seconds until they will be there, 0 when they were."""
        left = min(self._burst, self._left + (at - self._at) * self._rate)
        self._at = at
        if number <= left:
            self._left = left - number
            return 0.0
        self._left = left
        return (number - left) / self._rate
