"""A receiver as a Flask view.

app.post("/notifications")(webhook(inbox))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request

from milepost_receiver.answering import (
    CONTENT_TYPE,
    Reply,
    check_length,
    keep,
    read_up_to,
    refusal,
)
from milepost_receiver.errors import ReceiverError
from milepost_receiver.inbox import Inbox


def webhook(inbox: Inbox[Any]) -> Callable[[], Response]:
    """The view: it keeps what is posted in the inbox, and answers then."""

    def receive() -> Response:
        reply = _reply(inbox)
        return Response(reply.body, reply.status, content_type=CONTENT_TYPE)

    # Flask names views after their functions, and two inboxes need two names.
    receive.__name__ = f"receive_{inbox.name}"
    return receive


def _reply(inbox: Inbox[Any]) -> Reply:
    limit = inbox.receiver.max_body_bytes
    try:
        length = check_length(request.headers.get("content-length"), limit=limit)
        body = read_up_to(request.stream.read, limit=limit, length=length)
    except ReceiverError as error:
        return refusal(error)
    return keep(inbox, request.headers, body)
