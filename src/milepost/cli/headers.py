"""What a client may take before its request begins: so many bytes of headers, and so much time.

The server that stands behind it limits neither, and a request line that never ends, or one that
comes a byte a minute, would be kept for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADER_BYTES = 64 * 1024
HEADERS_WITHIN_S = 30.0

_ENDING = b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large" + _ENDING
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout" + _ENDING


class Open:
    """A connection to which nothing is written any more once it is closing.

    When a client resets it, the loop raises an error for each write until it has told us so, and
    anybody could fill the log with those.
    """

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Writes while somebody is there."""
        if not self._transport.is_closing():
            self._transport.write(data)


class LimitedHttp(HttpToolsProtocol):
    """HTTP that ends a connection whose headers are too large or too slow.

    A timer runs only while headers have begun and are not whole: most come in one piece.
    """

    _begun = False
    _size = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Waits for the first request from now on."""
        super().connection_made(Open(transport))  # type: ignore[arg-type]
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing to wait for."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what came while headers are not whole."""
        super().data_received(data)
        if not self._begun:
            return
        self._size += len(data)
        if self._size > MOST_HEADER_BYTES:
            self._refuse(_TOO_LARGE)
        elif self._timer is None:
            self._wait()

    def on_message_begin(self) -> None:
        """Headers have begun."""
        self._begun, self._size = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Headers are whole."""
        self._begun = False
        if self._timer is not None:
            self._wait_no_more()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(HEADERS_WITHIN_S, self._refuse, _TOO_SLOW)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, answer: bytes) -> None:
        self._wait_no_more()
        if self.transport.is_closing():
            return
        # A client that has not said anything yet waits for nothing.
        if self._begun:
            self.transport.write(answer)
        self.transport.close()
