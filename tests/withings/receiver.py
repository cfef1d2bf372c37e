"""The receiver of a client's dropshipment notify URI: keeps every notification as it came."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class NotifyUri:
    """An HTTP server on a free port; `notices` are bodies in the order of arrival."""

    notices: list[dict[str, Any]] = field(default_factory=list)
    content_types: set[str] = field(default_factory=set)

    def __enter__(self) -> NotifyUri:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._requests())
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

    def of(self, ref: str) -> list[dict[str, Any]]:
        """The notices of one order."""
        with self._lock:
            return [notice for notice in self.notices if notice["customer_ref"] == ref]

    def words(self, ref: str) -> list[str]:
        """The word of each notice: the parcel's status where there is one, else the order's."""
        return [str(n.get("parcel_status", n.get("status"))) for n in self.of(ref)]

    def wait_for(self, ref: str, number: int, *, within_s: float = 10) -> list[dict[str, Any]]:
        """The first so many notices of an order."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            found = self.of(ref)
            if len(found) >= number:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{ref}: {number} notices expected, {self.words(ref)} came")

    def _requests(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with outer._lock:
                    outer.content_types.add(self.headers["content-type"])
                    outer.notices.append(json.loads(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the test's own output is enough."""

        return Requests
