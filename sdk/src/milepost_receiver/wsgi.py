"""A receiver as a WSGI application, for any server and no framework at all.

from wsgiref.simple_server import make_server

make_server("", 8080, webhook(inbox)).serve_forever()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from milepost_receiver.answering import (
    CONTENT_TYPE,
    METHODS,
    Reply,
    check_length,
    keep,
    other_method,
    read_up_to,
    refusal,
)
from milepost_receiver.errors import BodyMalformed, ReceiverError
from milepost_receiver.inbox import Inbox


def webhook(inbox: Inbox[Any]) -> Callable[..., Iterable[bytes]]:
    """The application: it keeps what is posted in the inbox, and answers then."""

    def receive(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        reply = _reply(inbox, environ)
        length = ("Content-Length", str(len(reply.body)))
        headers = [("Content-Type", CONTENT_TYPE), length] if reply.body else []
        start_response(reply.line, headers)
        return [reply.body]

    return receive


def _reply(inbox: Inbox[Any], environ: dict[str, Any]) -> Reply:
    if environ["REQUEST_METHOD"] not in METHODS:
        return other_method()
    try:
        body = _read(environ, limit=inbox.receiver.max_body_bytes)
    except ReceiverError as error:
        return refusal(error)
    return keep(inbox, list(_headers(environ)), body)


def _read(environ: dict[str, Any], *, limit: int) -> bytes:
    length = check_length(environ.get("CONTENT_LENGTH"), limit=limit)
    if length is None and not environ.get("wsgi.input_terminated"):
        # Nothing says where the body ends: reading on would wait for ever.
        raise BodyMalformed("content-length", expected="the length of the body")
    return read_up_to(environ["wsgi.input"].read, limit=limit, length=length)


def _headers(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-"), value
    yield "content-type", environ.get("CONTENT_TYPE") or "application/json"
