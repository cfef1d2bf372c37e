"""From a request to the answer, the same for every framework: keep first, then say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from milepost_receiver.errors import BodyMalformed, BodyTooLarge, ReceiverError
from milepost_receiver.headers import HeaderSource
from milepost_receiver.inbox import Inbox

CHUNK_BYTES = 64 * 1024
CONTENT_TYPE = "application/json"
METHODS = ("POST",)

MOST_LENGTH_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Reply:
    """What the sender is answered: short, and without anything that it sent."""

    status: int
    body: bytes = b""

    @property
    def line(self) -> str:
        """Status and phrase, as WSGI wants them."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"


def keep(inbox: Inbox[Any], headers: HeaderSource, body: bytes) -> Reply:
    """204 once it is in the inbox, or before; else the status of what is wrong with it."""
    try:
        inbox.receive(headers, body)
    except ReceiverError as error:
        return refusal(error)
    return Reply(204)


def refusal(error: ReceiverError) -> Reply:
    """The class of the error and what it means; where it is at fault stays in your log."""
    name = type(error).__name__
    said = {"error": name, "message": " ".join((type(error).__doc__ or name).split())}
    return Reply(error.http_status, json.dumps(said).encode())


def other_method() -> Reply:
    return Reply(405, b'{"error": "MethodNotAllowed", "message": "Notifications are posted."}')


def check_length(length: str | None, *, limit: int) -> int | None:
    """The length that a request says it has, None when it says none.

    Raises BodyTooLarge before anything is read, and BodyMalformed for what is no length.
    """
    if not length:
        return None
    if not (length.isascii() and length.isdigit()):
        raise BodyMalformed("content-length", expected="a whole number")
    if len(length) > MOST_LENGTH_DIGITS or int(length) > limit:
        raise BodyTooLarge(expected=f"at most {limit:,} bytes")
    return int(length)


def read_up_to(read: Callable[[int], bytes], *, limit: int, length: int | None = None) -> bytes:
    """The body, from a file that may be larger. Raises BodyTooLarge, and no more is read then.

    Raises BodyMalformed where less comes than the length that was said.
    """
    parts: list[bytes] = []
    size, end = 0, limit + 1 if length is None else length
    while size < end and (part := read(min(CHUNK_BYTES, end - size))):
        parts.append(part)
        size += len(part)
    if size > limit:
        raise BodyTooLarge(expected=f"at most {limit:,} bytes")
    if length is not None and size < length:
        raise BodyMalformed(expected="as many bytes as content-length says")
    return b"".join(parts)
