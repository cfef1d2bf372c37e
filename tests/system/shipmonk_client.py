"""A merchant's integration, written from ShipMonk's published description and nothing of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlencode


class Answered(NamedTuple):
    """An HTTP status and the JSON beside it."""

    http_status: int
    body: Any
    headers: Mapping[str, str]
    raw: bytes = b""

    @property
    def retry_at(self) -> float:
        return parsedate_to_datetime(self.headers["Retry-After"]).timestamp()


class Integration:
    """The calls that a merchant's program makes."""

    def __init__(self, base_url: str, api_key: str, *, store_id: int) -> None:
        self._host = base_url.removeprefix("http://")
        self._headers = {"Api-Key": api_key, "Content-Type": "application/json"}
        self.store_id = store_id

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Answered:
        target = f"/v1/integrations/{path}"
        if query:
            target += "?" + urlencode(query, doseq=True)
        connection = http.client.HTTPConnection(self._host, timeout=20)
        with closing(connection):
            sent = None if body is None else json.dumps(body)
            connection.request(method, target, sent, self._headers)
            answer = connection.getresponse()
            raw = answer.read()
        return Answered(answer.status, json.loads(raw), dict(answer.headers), raw)

    def order(self, key: str, status: str = "unfulfilled", **said: Any) -> dict[str, Any]:
        """The body of an order with what is required, and what is said besides."""
        return {
            "store_id": self.store_id,
            "order_number": f"#{key}",
            "order_key": key,
            "items": [
                {"sku": "PEN", "quantity": 2, "line_key": "1", "price": 1.50},
                {"sku": "INK", "quantity": 1, "line_key": "2", "price": 12},
            ],
            "ship_to": {
                "name": "Ada Example",
                "street1": "1 Main St",
                "city": "Tampa",
                "state": "FL",
                "zip": "33601",
                "country_code": "US",
            },
            "requested_shipping_service": "Free Shipping",
            "ordered_at": "2026-03-04T05:06:07+00:00",
            "order_status": status,
            **said,
        }

    def save(self, key: str, status: str = "unfulfilled", **said: Any) -> Answered:
        return self.call("POST", "order", self.order(key, status, **said))

    def read(self, key: str) -> Any:
        answered = self.call("GET", "orders", orderKey=key, storeId=self.store_id)
        assert answered.http_status == 200, answered
        assert answered.body["status"] == 200
        return answered.body["data"]

    def submit(self, key: str, at: str) -> Answered:
        body = {"order_key": key, "store_id": self.store_id, "submit_at": at}
        return self.call("POST", "submit-order", body)

    def complete(self, key: str, **said: Any) -> Answered:
        body = {"order_key": key, "store_id": self.store_id, **said}
        return self.call("POST", "sandbox/complete-order", body)


class Webhook(NamedTuple):
    """One notification as it arrived, and whether its sender was known."""

    body: dict[str, Any]
    raw: bytes
    basic: bool
    signed: bool


class Receiver:
    """The merchant's URL: it checks the Basic credentials and X-Sm-Signature by itself."""

    def __init__(self, *, username: str, password: str, secret: str) -> None:
        self._basic = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self._secret = secret.encode()
        self._lock = threading.Lock()
        self.webhooks: list[Webhook] = []

    def __enter__(self) -> Receiver:
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
        return f"http://127.0.0.1:{self._server.server_address[1]}/shipmonk"

    def of(self, key: str) -> list[Webhook]:
        """What came of one order, as it came."""
        with self._lock:
            return [one for one in self.webhooks if one.body["order_key"] == key]

    def statuses(self, key: str) -> list[str]:
        return [one.body["processing_status"] for one in self.of(key)]

    def wait_for(self, key: str, statuses: list[str], *, within_s: float = 20) -> None:
        """Waits until exactly these have come, and fails with what came instead."""
        until = time.monotonic() + within_s
        while self.statuses(key) != statuses and time.monotonic() < until:
            time.sleep(0.02)
        assert self.statuses(key) == statuses

    def _take(self, headers: Any, raw: bytes) -> None:
        signature = hmac.new(self._secret, raw, hashlib.sha512).hexdigest()
        with self._lock:
            self.webhooks.append(
                Webhook(
                    json.loads(raw),
                    raw,
                    headers["Authorization"] == self._basic,
                    headers["X-Sm-Signature"] == signature,
                )
            )

    def _make(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                take(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the test's own output is enough."""

        return Requests
