"""Every receiver of the kit, and every helper, as targets."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import django
import flask
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from starlette.requests import Request

import milepost_receiver.fastapi
import milepost_receiver.flask
import milepost_receiver.wsgi
from benchmarks.fuzz.corpus import AT, BASIC, SHIPMONK_SECRET, Message
from benchmarks.fuzz.engine import Forged, Target
from benchmarks.fuzz.mutations import Fuzzed, Header
from milepost_receiver import Inbox, Receiver, ReceiverError
from tests.sdk.senders import SECRET

EXPECTED = frozenset({204, 400, 401, 405, 413})


def now() -> float:
    return AT


RECEIVERS: tuple[tuple[str, tuple[str, ...], Receiver[Any]], ...] = (
    ("standard", ("webhook",), Receiver.standard(secrets=[SECRET], now=now)),
    (
        "standard operational",
        ("webhook",),
        Receiver.standard(secrets=[SECRET], operational=True, now=now),
    ),
    ("withings", ("webhook",), Receiver.withings(secrets=[SECRET], now=now)),
    ("withings unsigned", (), Receiver.withings(accept_unsigned=True)),
    ("shipmonk basic", ("basic",), Receiver.shipmonk(basic=[BASIC])),
    ("shipmonk signed", ("shipmonk",), Receiver.shipmonk(signature_secrets=[SHIPMONK_SECRET])),
    (
        "shipmonk",
        ("basic", "shipmonk", "webhook"),
        Receiver.shipmonk(
            basic=[BASIC], signature_secrets=[SHIPMONK_SECRET], secrets=[SECRET], now=now
        ),
    ),
)
"""Each with the proofs that it asks for."""


class OfReceiver:
    """A receiver: only its own errors, and nothing accepted that was not proven."""

    every = 1

    def __init__(self, name: str, proofs: Sequence[str], receiver: Receiver[Any]) -> None:
        self.name = name
        self._proofs = proofs
        self._receiver = receiver

    def throw(self, fuzzed: Fuzzed) -> str:
        try:
            notification = self._receiver.read(fuzzed.headers, fuzzed.body)
        except ReceiverError as error:
            check_words(error, fuzzed)
            return type(error).__name__
        check_proofs(fuzzed, self._proofs)
        # What was read can be stored, shown and compared.
        hash(notification)
        repr(notification).encode()
        return "accepted"


class OfTrusted:
    """Reading without a proof: only its own errors."""

    every = 3

    def __init__(self, name: str, receiver: Receiver[Any]) -> None:
        self.name = f"{name} trusted"
        self._receiver = receiver

    def throw(self, fuzzed: Fuzzed) -> str:
        try:
            self._receiver.read_trusted(fuzzed.headers, fuzzed.body)
        except ReceiverError as error:
            return type(error).__name__
        return "read"


def check_proofs(fuzzed: Fuzzed, proofs: Iterable[str]) -> None:
    """Raises Forged where what was accepted is not what was proven."""
    proven = fuzzed.proven
    body_is_signed = fuzzed.body == proven.body
    for proof in proofs:
        if proof == "webhook":
            same = all(
                value_of(fuzzed, name) == proven.header(name)
                for name in ("webhook-id", "webhook-timestamp")
            )
            if not (same and body_is_signed):
                raise Forged(proof)
        if proof == "shipmonk" and not (body_is_signed and proven.header("x-sm-signature")):
            raise Forged(proof)
        if proof == "basic" and not proven.header("authorization"):
            raise Forged(proof)


def value_of(fuzzed: Fuzzed, wanted: str) -> str:
    """What a header says, however its name is written."""
    for name, value in fuzzed.headers:
        if as_text(name).lower() == wanted:
            return as_text(value).strip(" \t")
    return ""


def check_words(error: ReceiverError, fuzzed: Fuzzed) -> None:
    """An error is safe to log: no line of it is the sender's."""
    said = str(error)
    if "\n" in said or "\0" in said or fuzzed.proven.header("webhook-signature") in said:
        raise AssertionError("an error repeats what was received")


class OfFramework:
    """A helper in front of an inbox in a real database: an answer, and never one of a 5xx."""

    every = 40

    def __init__(self, name: str, ask: Callable[[Fuzzed], int], inbox: Inbox[Any]) -> None:
        self.name = f"helper {name}"
        self._ask = ask
        self._inbox = inbox

    def throw(self, fuzzed: Fuzzed) -> str:
        status = self._ask(fuzzed)
        if status not in EXPECTED:
            raise AssertionError(f"status {status}")
        if status == 204:
            check_proofs(fuzzed, ("webhook",))
        return str(status)


def kit_targets(folder: Path) -> list[Target]:
    """All of them; the inboxes are in this folder."""
    receivers: list[Target] = [OfReceiver(*given) for given in RECEIVERS]
    receivers += [OfTrusted(name, receiver) for name, _, receiver in RECEIVERS[:4:3]]
    receiver = Receiver.standard(secrets=[SECRET], now=now)

    def inbox(name: str) -> Inbox[Any]:
        path = folder / "shop.db"
        made = Inbox(receiver, connect=lambda: sqlite3.connect(path), name=name)
        return made.create()

    boxes = {name: inbox(name) for name in ("wsgi", "flask", "django", "fastapi")}
    return [
        *receivers,
        OfFramework(
            "wsgi", over_wsgi(milepost_receiver.wsgi.webhook(boxes["wsgi"])), boxes["wsgi"]
        ),
        OfFramework("flask", over_wsgi(_flask_app(boxes["flask"])), boxes["flask"]),
        OfFramework("django", over_django(boxes["django"]), boxes["django"]),
        OfFramework("fastapi", over_asgi(boxes["fastapi"]), boxes["fastapi"]),
    ]


def over_wsgi(app: Callable[..., Iterable[bytes]]) -> Callable[[Fuzzed], int]:
    """How a WSGI application is asked; headers of one name are joined, as servers do."""

    def ask(fuzzed: Fuzzed) -> int:
        said: list[str] = []
        for part in app(environ_of(fuzzed), lambda status, *_rest: said.append(status)):
            assert isinstance(part, bytes)
        return int(said[0].partition(" ")[0])

    return ask


def environ_of(fuzzed: Fuzzed) -> dict[str, Any]:
    """The request as a WSGI server hands it on."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/in",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(fuzzed.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(fuzzed.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in _sendable(fuzzed.headers):
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def over_django(inbox: Inbox[Any]) -> Callable[[Fuzzed], int]:
    """How a view of Django is asked."""
    if not settings.configured:
        settings.configure()
        django.setup()
    # Django has to be set up before this is imported.
    from milepost_receiver.django import webhook  # noqa: PLC0415

    view = webhook(inbox)
    return lambda fuzzed: int(view(WSGIRequest(environ_of(fuzzed))).status_code)


def over_asgi(inbox: Inbox[Any]) -> Callable[[Fuzzed], int]:
    """How an endpoint of Starlette is asked."""
    endpoint = milepost_receiver.fastapi.webhook(inbox)

    async def asked(fuzzed: Fuzzed) -> int:
        parts = iter((fuzzed.body[:1_000], fuzzed.body[1_000:]))

        async def receive() -> dict[str, Any]:
            part = next(parts, None)
            return {"type": "http.request", "body": part or b"", "more_body": part is not None}

        raw = [(n.lower().encode(), v.encode("latin-1")) for n, v in _sendable(fuzzed.headers)]
        scope = {"type": "http", "method": "POST", "path": "/in", "headers": raw}
        return (await endpoint(Request(scope, receive))).status_code

    return lambda fuzzed: asyncio.run(asked(fuzzed))


def _flask_app(inbox: Inbox[Any]) -> flask.Flask:
    app = flask.Flask("merchant")
    app.post("/in")(milepost_receiver.flask.webhook(inbox))
    return app


def _sendable(headers: Iterable[Header]) -> Iterator[tuple[str, str]]:
    """What a server would hand on of headers: no line breaks, nothing outside of Latin-1."""
    for name, value in headers:
        text = as_text(value)
        if not {"\r", "\n", "\0"} & set(text):
            yield as_text(name), text.encode("latin-1", "replace").decode("latin-1")


def as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


__all__ = ["RECEIVERS", "Message", "as_text", "check_proofs", "environ_of", "kit_targets"]
