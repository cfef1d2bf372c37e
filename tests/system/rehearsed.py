"""A receiver that is built on the kit and keeps every rule, and the ways to build it badly."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from milepost_receiver import (
    Notification,
    Receiver,
    ReceiverError,
    ShipMonkNotification,
    StandardNotification,
    WithingsNotification,
)

SECRET = "whsec_" + "bWlsZXBvc3QtdGVzdC1zZWNyZXQtMzItYnl0ZXMtbG9uZw=="
BASIC, SIGNATURE_SECRET = ("hub", "password"), "our-secret"

RECEIVERS: dict[str, Callable[[], Receiver[Any]]] = {
    "standard": lambda: Receiver.standard(secrets=[SECRET]),
    "withings": lambda: Receiver.withings(secrets=[SECRET]),
    "shipmonk": lambda: Receiver.shipmonk(
        basic=[BASIC], signature_secrets=[SIGNATURE_SECRET], secrets=[SECRET]
    ),
}
PROOFS: dict[str, tuple[str, ...]] = {
    "standard": ("--secret", SECRET),
    "withings": ("--secret", SECRET),
    "shipmonk": (
        *("--secret", SECRET),
        *("--basic", ":".join(BASIC)),
        *("--signature-secret", SIGNATURE_SECRET),
    ),
}


@dataclass
class Books:
    """What the receiver knows: each order's state, and how often work was done for it."""

    states: dict[str, tuple[int, str]] = field(default_factory=dict)
    work: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


def key_and_word(notification: Notification) -> tuple[str, str]:
    """The order's key and the contract's word; empty where it is about no order."""
    match notification:
        case StandardNotification():
            return str(notification.order.order_key), notification.order.state
        case ShipMonkNotification():
            return notification.order_key, notification.processing_status
        case WithingsNotification():
            return notification.customer_ref, str(notification.parcel_status or notification.status)
        case _:
            return "", ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Nothing: a client that hangs up is no error of a test."""


class Rehearsed:
    """A receiver on a free port that does as it should.

    Each way to be bad is a method that a subclass overrides.
    """

    def __init__(self, contract: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.receiver = RECEIVERS[contract]()
        self._tls = tls
        self.books = Books()
        self._lock = threading.Lock()

    def __enter__(self) -> Rehearsed:
        self._server = _Server(("127.0.0.1", 0), self._requests())
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def base(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.base}/hooks"

    # what can be overridden

    close_after = False

    def read(self, headers: Any, body: bytes) -> Notification:
        return self.receiver.read(headers, body)

    def answer(self, notification: Notification) -> int:
        """Does the work, once, and says how it is answered."""
        with self._lock:
            known = str(notification.delivery_id) in self.books.seen
            self.books.seen.add(str(notification.delivery_id))
            return self.again(notification) if known else self.work(notification)

    def again(self, notification: Notification) -> int:
        return 204

    def tell(self, key: str, word: str) -> dict[str, Any]:
        return {"state": word, "work": self.books.work[key]}

    def work(self, notification: Notification) -> int:
        key, word = key_and_word(notification)
        self.books.work[key] += 1
        sequence = notification.sequence or 0
        if sequence > self.books.states.get(key, (0, ""))[0]:
            self.books.states[key] = (sequence, word)
        return 204

    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        try:
            notification = self.read(headers, body)
        except ReceiverError as error:
            return error.http_status, {}
        return self.answer(notification), {}

    def _requests(self) -> type[BaseHTTPRequestHandler]:
        rehearsed = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with rehearsed._lock:
                    rehearsed.books.requests.append((dict(self.headers.items()), body))
                status, headers = rehearsed.reply(self.headers.items(), body)
                if not status:
                    self.close_connection = True
                    return
                self._say(status, headers, b"")

            def do_GET(self) -> None:
                key = self.path.rpartition("/")[2]
                _, word = rehearsed.books.states.get(key, (0, ""))
                told = rehearsed.tell(key, word)
                self._say(200 if word else 404, {}, json.dumps(told).encode())

            def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                if rehearsed.close_after:
                    headers = {**headers, "connection": "close"}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: the test's own output is enough."""

        return Requests


# --- built badly ---------------------------------------------------------------------------------


class AcceptsAnything(Rehearsed):
    """Reads and does not verify."""

    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        try:
            super().reply(headers, body)
        finally:
            return 204, {}  # noqa: B012


class BreaksOnRepeats(Rehearsed):
    def again(self, notification: Notification) -> int:
        return 500


class WorksTwice(Rehearsed):
    def again(self, notification: Notification) -> int:
        return self.work(notification)


class TakesTheLastWord(Rehearsed):
    """Believes whatever came last, however old it is."""

    def work(self, notification: Notification) -> int:
        key, word = key_and_word(notification)
        self.books.work[key] += 1
        self.books.states[key] = (notification.sequence or 0, word)
        return 204


class RefusesWhatIsOlder(Rehearsed):
    def work(self, notification: Notification) -> int:
        key, _ = key_and_word(notification)
        if (notification.sequence or 0) < self.books.states.get(key, (0, ""))[0]:
            return 409
        return super().work(notification)


class Slow(Rehearsed):
    """Takes its time with every eighth request."""

    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        if len(self.books.requests) % 8 == 0:
            time.sleep(0.25)
        return super().reply(headers, body)


class HangsUp(Rehearsed):
    close_after = True


class SaysNothing(Rehearsed):
    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        return 0, {}


class Redirects(Rehearsed):
    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        return 308, {"location": f"{self.url}/"}


class BreaksOnTheUnknown(Rehearsed):
    def answer(self, notification: Notification) -> int:
        return super().answer(notification) if notification.known else 500


class IsStrictAboutFields(Rehearsed):
    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        return (400, {}) if b"milepost_conformance" in body else super().reply(headers, body)


class TellsTheTime(Rehearsed):
    def tell(self, key: str, word: str) -> dict[str, Any]:
        return {**super().tell(key, word), "asked": time.monotonic_ns()}


class SpeaksInItsOwnWords(Rehearsed):
    def tell(self, key: str, word: str) -> dict[str, Any]:
        return {"state": "somewhere", "work": 1}


class KnowsOneSignature(Rehearsed):
    """Compares the header as a whole with the one that it has made."""

    def read(self, headers: Any, body: bytes) -> Notification:
        pairs = {name.lower(): value for name, value in headers}
        pairs["webhook-signature"] = pairs.get("webhook-signature", "").partition(" ")[0]
        return super().read(pairs, body)


class RemembersWhatItRefused(Rehearsed):
    """Notes the id before it has verified anything, and breaks when it comes again."""

    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        pairs = {name.lower(): value for name, value in headers}
        name = pairs.get("webhook-id", "")
        try:
            notification = self.read(headers, body)
        except ReceiverError as error:
            self.books.seen.add(f"refused {name}")
            return error.http_status, {}
        if f"refused {name}" in self.books.seen:
            return 409, {}
        return self.answer(notification), {}


class CanTakeLittle(Rehearsed):
    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        return (413, {}) if len(body) > 20_000 else super().reply(headers, body)


class BreaksOnNonsense(Rehearsed):
    def reply(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        return (500, {}) if body == b'{"broken":' else super().reply(headers, body)
