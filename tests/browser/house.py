"""A real `milepost serve` with an operator, a receiver beside it, and a few orders' lives in it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import asyncpg

from tests.keys import KEY
from tests.postgres.server import new_database

Kind = Literal["sqlite", "postgres"]
OPERATOR, PASSWORD = "ada", "a long enough password"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class _Receiver(BaseHTTPRequestHandler):
    """Answers 500 under /down and 204 elsewhere."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        server: Any = self.server
        server.seen.append(self.path)
        self.send_response(500 if self.path.startswith("/down") and not server.up else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@dataclass
class House:
    """A hub that runs; `session` is the cookie of its operator."""

    process: subprocess.Popen[str]
    ready: Mapping[str, Any]
    environment: Mapping[str, str]
    receiver: Any
    log: Path
    session: str = ""
    account_id: str = ""
    key: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def receiver_url(self) -> str:
        return f"http://127.0.0.1:{self.receiver.server_port}"

    def tell(self, method: str, path: str, told: object = None) -> Any:
        """One request of the interface, with the account's key; its answer has to be a success."""
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        body = None if told is None else json.dumps(told).encode()
        status, _, content = self._send(method, path, body, headers)
        assert 200 <= status < 300, (status, content)
        return json.loads(content) if content else None

    def cli(self, *words: str, told: str = "") -> Any:
        """The JSON of a command beside the running hub."""
        done = subprocess.run(
            [sys.executable, "-m", "milepost.cli", *words, "--json"],
            input=told,
            capture_output=True,
            text=True,
            timeout=60,
            env=dict(self.environment),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def begin(self) -> None:
        """Makes the operator as the first page does, and keeps the session's cookie."""
        token = urlsplit(self.ready["welcome_url"]).query.partition("=")[2]
        _, headers, page = self._send("GET", f"/welcome?token={token}", None, {})
        visitor = headers["set-cookie"].split(";")[0]
        found = _CSRF.search(page.decode())
        assert found is not None, page
        form = {"csrf": found[1], "token": token, "name": OPERATOR, "password": PASSWORD}
        given = {"cookie": visitor, "content-type": "application/x-www-form-urlencoded"}
        status, headers, page = self._send("POST", "/welcome", urlencode(form).encode(), given)
        assert status == 303, page
        cookies = [text.split(";")[0].partition("=") for text in headers.get_all("set-cookie", [])]
        self.session = next(value for name, _, value in cookies if name == "milepost_session")

    def rewrite(self, *statements: str) -> None:
        """Changes the database behind the hub's back, as if time had gone by."""
        url = self.environment["MILEPOST_DATABASE_URL"]
        if url.startswith("sqlite"):
            path = url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as database:
                for text in statements:
                    database.execute(text)
            return

        async def update() -> None:
            connection = await asyncpg.connect(url)
            for text in statements:
                await connection.execute(text)
            await connection.close()

        # A browser has this thread's loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, update()).result()

    def restart(self) -> None:
        """Ends the process without warning, and starts it again at the same address."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        port = str(urlsplit(self.url).port)
        self.process, self.ready = _start(self.environment, port=port, log=self.log)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Message, bytes]:
        where = urlsplit(self.url)
        connection = HTTPConnection(where.hostname or "", where.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


def _start(
    environment: Mapping[str, str], *, port: str, log: Path
) -> tuple[subprocess.Popen[str], Mapping[str, Any]]:
    with log.open("a", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "milepost.cli",
                "serve",
                "--port",
                port,
                "--json",
                "--until-eof",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=dict(environment),
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        with process:
            process.kill()
        raise AssertionError(f"the hub did not start: {log.read_text(encoding='utf-8')}")
    return process, json.loads(line)


def database_url(kind: Kind, folder: Path) -> str:
    """A database of its own; PostgreSQL's is asked for on a thread, as a browser has our loop."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'pages.db'}"
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(new_database).result()


@contextmanager
def house_opened(kind: Kind, folder: Path, *, begun: bool = True) -> Iterator[House]:
    """A hub on this kind of database, with its operator unless it shall not have begun."""
    receiver: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    receiver.seen, receiver.up, receiver.daemon_threads = [], False, True
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
    environment = {
        **kept,
        "MILEPOST_DATABASE_URL": database_url(kind, folder),
        "MILEPOST_SECRET_KEY": KEY,
        "MILEPOST_ALLOW_PRIVATE_NETWORKS": "true",
        "MILEPOST_LOG_LEVEL": "warning",
        "MILEPOST_SANDBOX": "true",
    }
    process, ready = _start(environment, port="0", log=folder / "hub.log")
    house = House(process, ready, environment, receiver, folder / "hub.log")
    try:
        house.account_id = ready["account_id"]
        house.key = ready["api_key"]
        if begun:
            house.begin()
        yield house
    finally:
        house.process.kill()
        house.process.wait()
        for stream in (house.process.stdin, house.process.stdout):
            if stream is not None:
                stream.close()
        receiver.shutdown()
        receiver.server_close()


LIVES: Mapping[str, tuple[str, ...]] = {
    "1001": ("verified", "picking", "packed", "shipped", "in_transit", "delivered"),
    "1002": ("verified", "picking", "shipped", "in_transit", "delayed"),
    "1003": ("verified", "on_hold"),
    "1004": ("verified", "picking"),
    "1005": ("cancelled",),
    "1006": ("verified", "picking", "packed", "shipped", "out_for_delivery"),
    "1007": (),
    "1008": ("verified", "shipped", "exception"),
}
"""Orders by key, and the states that each goes through after it was made."""


def furnish(house: House) -> None:
    """Two endpoints, of which one is down, eight orders, an orphan, and a source."""
    for name, path in (("up", "/up"), ("down", "/down")):
        told = {"contract": "standard", "url": house.receiver_url + path, "description": name}
        house.endpoints[name] = house.tell("POST", "/v1/endpoints", told)["endpoint"]["endpoint_id"]
    for key, states in LIVES.items():
        address = {"name": "Ada Example", "city": "Turin", "country_code": "IT"}
        lines = [{"sku": "SCALE-1", "quantity": 1}]
        order = {"store": "main", "order_key": key, "lines": lines, "ship_to": address}
        house.tell("POST", "/v1/orders", order)
        for state in states:
            update = {"store": "main", "order_key": key, "state": state, "source": "warehouse"}
            if state == "shipped":
                update |= {"carrier": "UPS", "tracking_number": f"1Z999AA1{key}"}
            house.tell("POST", "/v1/updates", update)
    orphan = {"store": "main", "order_key": "9999", "state": "shipped", "source": "warehouse"}
    house.tell("POST", "/v1/updates", orphan)
    odd = [
        {"order_key": "1005", "state": "packed", "raw": "PACKED"},
        {"order_key": "1001", "state": "picking", "occurred_at": "2026-01-01T08:00:00Z"},
    ]
    batch = [{"store": "main", "source": "warehouse", **update} for update in odd]
    house.tell("POST", "/v1/updates/batch", {"updates": batch})
    source = {"source": "fulfillment", "kind": "withings", "store": "main"}
    path = house.tell("POST", "/v1/sources", source)["path"]
    house.tell("POST", path, {"customer_id": "7", "customer_ref": "1005", "status": "TRASHED"})


def _ask(
    house: House, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    """The status and the page of one request of a browser."""
    where = urlsplit(house.url)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def play(house: House) -> None:
    """Plays a scenario from the sandbox page to the endpoint that is up, and waits for its end."""
    cookie = {"cookie": f"milepost_session={house.session}"}
    _, page = _ask(house, "GET", "/sandbox", None, cookie)
    found = _CSRF.search(page.decode())
    assert found is not None, page
    form = {"csrf": found[1], "to": house.endpoints["up"], "orders": "1", "speed": "max"}
    form |= {"scenario": "two_parcels", "seed": "4711", "chaos": "drop"}
    given = cookie | {"content-type": "application/x-www-form-urlencoded"}
    status, page = _ask(house, "POST", "/sandbox/play", urlencode(form).encode(), given)
    assert status == 303, page
    until = time.monotonic() + 60
    while b'id="report-title"' not in _ask(house, "GET", "/sandbox", None, cookie)[1]:
        assert time.monotonic() < until, "the play did not end"
        time.sleep(0.1)
