"""A hub that answers what a test tells it to, over real HTTP."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Said:
    """One answer; with `length` the header says so, whatever the body has."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


@dataclass
class Stub:
    """Where it listens, and what it was asked."""

    url: str
    asked: list[tuple[str, dict[str, str]]]


@contextmanager
def stub(answers: Sequence[Said], *, tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    """Gives the answers one after the other, and the last one from then on."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Hub(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            said = answers[min(len(asked), len(answers) - 1)]
            asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            length = len(said.body) if said.length is None else said.length
            self.send_header("content-length", str(length))
            self.end_headers()
            self.wfile.write(said.body)

        def handle(self) -> None:
            # A client that does not trust the certificate leaves in the middle.
            with suppress(OSError):
                super().handle()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        scheme = "http" if tls is None else "https"
        yield Stub(f"{scheme}://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
