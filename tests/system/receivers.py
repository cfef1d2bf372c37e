"""Receivers for tests with real sockets: they verify with the receiver kit and remember all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from milepost_receiver import Receiver


@dataclass(frozen=True)
class Receipt:
    """One notification as it arrived."""

    delivery_id: str
    order_id: str
    sequence: int
    previous: int
    attempt: int
    status: int


@dataclass
class RealReceiver:
    """An HTTP server on a free port; `answers` says which status the n-th request gets."""

    receiver: Receiver
    answers: Callable[[int], int] = lambda _n: 204
    receipts: list[Receipt] = field(default_factory=list)
    unverified: list[str] = field(default_factory=list)

    def __enter__(self) -> RealReceiver:
        self._lock = threading.Lock()
        self._requests = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/notify"

    def accepted(self) -> list[Receipt]:
        """What was answered with 2xx, in the order of arrival."""
        with self._lock:
            return [r for r in self.receipts if 200 <= r.status < 300]

    def _note(self, headers: Any, body: bytes) -> int:
        with self._lock:
            self._requests += 1
            status = self.answers(self._requests)
            try:
                notification = self.receiver.read(headers.items(), body)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                self.unverified.append(repr(error))
                return 400
            assert notification.delivery_id is not None
            assert notification.order_id is not None
            assert notification.sequence is not None
            assert notification.previous is not None
            assert notification.attempt is not None
            self.receipts.append(
                Receipt(
                    notification.delivery_id,
                    notification.order_id,
                    notification.sequence,
                    notification.previous,
                    notification.attempt,
                    status,
                )
            )
            return status

    def _make(self) -> type[BaseHTTPRequestHandler]:
        note = self._note

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = note(self.headers, body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the test's own output is enough."""

        return Requests
