"""The helpers for frameworks answer alike: kept first, limited while reading, nothing secret."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import django
import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Route

import milepost_receiver.fastapi
import milepost_receiver.flask
import milepost_receiver.wsgi
from milepost_receiver import Inbox, Receiver, Worked
from tests.sdk.rooms import sent
from tests.sdk.senders import SECRET, now

LIMIT = 4_096

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DATA_UPLOAD_MAX_MEMORY_SIZE=LIMIT * 2,
        DEFAULT_CHARSET="utf-8",
        USE_TZ=True,
    )
    django.setup()

Headers = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    status: int
    body: bytes


class Counting(io.RawIOBase):
    """A body that counts how much of it was read."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        taken = self._content.readinto(buffer)
        self.taken += taken
        return taken


def environ(
    headers: Headers, body: io.RawIOBase, *, length: str | None, method: str = "POST"
) -> dict[str, Any]:
    """A request as WSGI servers hand it on."""
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/in",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if length is None:
        made["wsgi.input_terminated"] = True
    else:
        made["CONTENT_LENGTH"] = length
    for name, value in headers:
        key = name.upper().replace("-", "_")
        made[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return made


def ask_wsgi(app: Callable[..., Any], request: dict[str, Any]) -> Answer:
    said: list[str] = []
    parts = app(request, lambda status, *_rest: said.append(status))
    return Answer(int(said[0].partition(" ")[0]), b"".join(parts))


class Helper:
    """One helper, asked as its framework asks it."""

    def __init__(self, name: str, inbox: Inbox[Any]) -> None:
        self.name = name
        self.inbox = inbox

    def ask(
        self,
        headers: Headers,
        body: bytes,
        *,
        length: str | None = "",
        method: str = "POST",
    ) -> tuple[Answer, int]:
        """The answer, and how much of the body was read for it."""
        stream = Counting(body)
        length = str(len(body)) if length == "" else length
        answer: Answer = getattr(self, f"_{self.name}")(headers, stream, length, method)
        return answer, stream.taken

    def _wsgi(self, headers: Headers, body: Counting, length: str | None, method: str) -> Answer:
        app = milepost_receiver.wsgi.webhook(self.inbox)
        return ask_wsgi(app, environ(headers, body, length=length, method=method))

    def _flask(self, headers: Headers, body: Counting, length: str | None, method: str) -> Answer:
        app = Flask("merchant")
        app.post("/in")(milepost_receiver.flask.webhook(self.inbox))
        return ask_wsgi(app, environ(headers, body, length=length, method=method))

    def _django(self, headers: Headers, body: Counting, length: str | None, method: str) -> Answer:
        from milepost_receiver.django import webhook

        request = WSGIRequest(environ(headers, body, length=length, method=method))
        answer = webhook(self.inbox)(request)
        return Answer(answer.status_code, answer.content)

    def _fastapi(self, headers: Headers, body: Counting, length: str | None, method: str) -> Answer:
        endpoint = milepost_receiver.fastapi.webhook(self.inbox)
        app = Starlette(routes=[Route("/in", endpoint, methods=["POST"])])
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        if length is not None:
            raw.append((b"content-length", length.encode()))
        scope = {
            "type": "http",
            "method": method,
            "path": "/in",
            "root_path": "",
            "query_string": b"",
            "headers": raw,
        }
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            part = body.read(1_024) or b""
            return {"type": "http.request", "body": part, "more_body": bool(part)}

        async def send(message: Any) -> None:
            said.append(message)

        asyncio.run(app(scope, receive, send))
        return Answer(said[0]["status"], b"".join(m.get("body", b"") for m in said[1:]))


@pytest.fixture(params=["wsgi", "flask", "django", "fastapi"])
def helper(request: pytest.FixtureRequest, tmp_path: Path) -> Helper:
    receiver = Receiver.standard(secrets=[SECRET], now=now, max_body_bytes=LIMIT)
    inbox = Inbox(receiver, connect=lambda: sqlite3.connect(tmp_path / "shop.db")).create()
    return Helper(request.param, inbox)


def test_what_is_proven_is_kept_and_answered_and_worked_later(helper: Helper) -> None:
    headers, body = sent("standard")
    for _ in range(2):
        assert helper.ask(headers, body)[0] == (204, b"")
    assert helper.inbox.waiting() == 1
    seen: list[Any] = []
    assert helper.inbox.work(seen.append) == Worked(done=1)
    assert seen[0].notification.received == body
    assert helper.ask(headers, body)[0].status == 204
    assert helper.inbox.waiting() == 0


def test_what_is_not_proven_is_refused_without_a_word_of_it(helper: Helper) -> None:
    headers, body = sent("standard", secrets=("whsec_" + "QUJD" * 11,))
    answer, _ = helper.ask(headers, body)
    assert answer.status == 401
    assert json.loads(answer.body) == {
        "error": "SignatureInvalid",
        "message": "No signature of the notification was made with a secret that this receiver"
        " knows.",
    }
    assert helper.inbox.waiting() == 0


def test_a_body_is_read_up_to_the_limit_and_no_further(helper: Helper) -> None:
    headers, _ = sent("standard")
    large = b" " * (LIMIT * 20)
    said, taken = helper.ask(headers, large)
    assert (said.status, taken) == (413, 0)
    unsaid, taken = helper.ask(headers, large, length=None)
    # Django takes a body without a length for none; the others count what they read.
    assert unsaid.status == (401 if helper.name == "django" else 413)
    assert taken <= LIMIT + 1_024
    lied, taken = helper.ask(headers, large, length=str(LIMIT))
    assert lied.status in {400, 401, 413}
    assert taken <= LIMIT + 1_024
    assert helper.inbox.waiting() == 0


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999999999", "0x10"])
def test_a_length_that_is_none_is_refused(helper: Helper, length: str) -> None:
    headers, body = sent("standard")
    answer, _ = helper.ask(headers, body, length=length)
    assert answer.status in {400, 413}
    assert helper.inbox.waiting() == 0


def test_a_body_that_ends_too_early_is_refused(helper: Helper) -> None:
    headers, body = sent("standard")
    answer, _ = helper.ask(headers, body[:-10], length=str(len(body)))
    assert answer.status in {400, 401}
    assert helper.inbox.waiting() == 0


def test_only_what_is_posted_is_taken(helper: Helper) -> None:
    headers, body = sent("standard")
    assert helper.ask(headers, body, method="PUT")[0].status == 405
    assert helper.inbox.waiting() == 0


def test_trouble_with_the_database_asks_to_try_again(helper: Helper, tmp_path: Path) -> None:
    headers, body = sent("standard")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("DROP TABLE milepost_inbox")
    connection.close()
    answer, _ = helper.ask(headers, body)
    assert (answer.status, json.loads(answer.body)["error"]) == (503, "InboxUnavailable")
    assert b"sqlite" not in answer.body.lower()


def test_two_inboxes_fit_into_one_application(tmp_path: Path) -> None:
    app = Flask("merchant")
    receiver = Receiver.standard(secrets=[SECRET], now=now)
    for name in ("one", "other"):
        inbox = Inbox(receiver, connect=lambda: sqlite3.connect(tmp_path / "a.db"), name=name)
        app.post(f"/{name}")(milepost_receiver.flask.webhook(inbox.create()))
    assert {"receive_one", "receive_other"} <= app.view_functions.keys()
