"""A receiver as an endpoint of FastAPI or Starlette.

app.add_route("/notifications", webhook(inbox), methods=["POST"])
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from milepost_receiver.answering import (
    CONTENT_TYPE,
    Reply,
    check_length,
    keep,
    refusal,
)
from milepost_receiver.errors import BodyMalformed, BodyTooLarge, ReceiverError
from milepost_receiver.inbox import Inbox


def webhook(inbox: Inbox[Any]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint: it keeps what is posted in the inbox, on a thread, and answers then."""

    async def receive(request: Request) -> Response:
        reply = await _reply(inbox, request)
        return Response(reply.body, reply.status, media_type=CONTENT_TYPE)

    receive.__name__ = f"receive_{inbox.name}"
    return receive


async def _reply(inbox: Inbox[Any], request: Request) -> Reply:
    try:
        body = await _read(request, limit=inbox.receiver.max_body_bytes)
    except ReceiverError as error:
        return refusal(error)
    # Pairs as they came: two headers of one name are seen as two.
    return await asyncio.to_thread(keep, inbox, request.headers.raw, body)


async def _read(request: Request, *, limit: int) -> bytes:
    check_length(request.headers.get("content-length"), limit=limit)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise BodyTooLarge(expected=f"at most {limit:,} bytes")
            parts.append(part)
    except ClientDisconnect:
        raise BodyMalformed(expected="all of the request") from None
    return b"".join(parts)
