"""One HTTP exchange in a provider's manner: what came in within its limits, and one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from milepost.errors import InvalidInput, MilepostError, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

FORM = b"application/x-www-form-urlencoded"
MOST_PARAMETERS = 100

_GUARD = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class TooSlow(MilepostError):
    """The body did not arrive in time."""


class ClientGone(Exception):
    """The client went away before its request was whole."""


async def read_body(scope: Scope, receive: Receive, *, limit: int, within_s: float) -> bytes:
    """The whole body, of at most `limit` bytes. Raises TooLarge, TooSlow and ClientGone."""
    declared = dict(scope["headers"]).get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise TooLarge(f"At most {limit} bytes are taken.")
    chunks: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(within_s):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                more = message.get("more_body", False)
                if size > limit:
                    raise TooLarge(f"At most {limit} bytes are taken.")
    except TimeoutError:
        raise TooSlow from None
    return b"".join(chunks)


def read_parameters(*parts: bytes) -> dict[str, str]:
    """The parameters of a query and of a form together.

    One that is there twice has to be the same each time, or it would be unclear which was signed.
    Raises InvalidInput.
    """
    found: dict[str, str] = {}
    for part in parts:
        for name, value in _pairs(part):
            if found.setdefault(name, value) != value:
                raise InvalidInput(field=name, expected="one value, but there are several")
            if "\0" in value:
                raise InvalidInput(field=name, expected="text without NUL characters")
    return found


def _pairs(part: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            part.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        expected = f"at most {MOST_PARAMETERS} parameters, percent-encoded in UTF-8"
        raise InvalidInput(field="", expected=expected) from None


async def respond(send: Send, content: bytes, *, status: int = 200, close: bool = False) -> None:
    """Sends one whole answer of JSON; with `close` the connection ends, as its rest is unread."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
        *_GUARD,
        *(((b"connection", b"close"),) if close else ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
