"""The door that providers send to, on a whole hub over a real SQLite file, as one target."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from benchmarks.fuzz.engine import Forged
from benchmarks.fuzz.mutations import Fuzzed
from benchmarks.fuzz.senders import (
    AT_S,
    ORDERS,
    SECRETS,
    SENDERS,
    Asked,
    is_proven,
    order_key,
    text_of,
    tracking_number,
)
from milepost.api.app import create_app
from milepost.delivery.model import Reply, Request
from milepost.inbound import PREFIX, Door
from milepost.logs import set_up_logs
from milepost.settings import Settings
from milepost.store.sqlite import session
from milepost.wiring import build

EXPECTED = frozenset({200, 400, 401, 404, 405, 408, 413, 415, 429})
SLOWEST_S = 0.25
"""Processor time of one request, all threads together."""

KNOWN_ORDERS = ORDERS * 5 // 6
LOOKED_EVERY = 1_000
MOST_METRIC_LINES = 1_000
MOST_REMEMBERED = 64
BODY_WITHIN_S = 0.03
CACHE_KIB = 1_024
"""The database's own cache, which would else grow to its bound with the file and hide the rest."""

_COUNTED = ("receipts", "quarantine", "order_events", "orders", "parcels")
_CHANGES = ("INSERT", "UPDATE", "DELETE")


class Lines(io.StringIO):
    """The log: each line is looked at, and not kept."""

    def __init__(self, check: Callable[[str], None]) -> None:
        super().__init__()
        self._check = check

    def msg(self, line: str) -> None:
        self._check(line)

    debug = info = warning = error = critical = exception = msg


class Counts:
    """How often each table was written to, counted by the database itself in each transaction."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA busy_timeout = 10000")
        self._connection.execute(
            "CREATE TABLE fuzz_counts (name TEXT PRIMARY KEY, number INTEGER NOT NULL)"
        )
        for table in _COUNTED:
            self._connection.execute("INSERT INTO fuzz_counts VALUES (?, 0)", (table,))
            for change in _CHANGES:
                self._connection.execute(
                    f"CREATE TRIGGER fuzz_{table}_{change} AFTER {change} ON {table} BEGIN "
                    f"UPDATE fuzz_counts SET number = number + 1 WHERE name = '{table}'; END"
                )

    def now(self) -> dict[str, int]:
        return dict(self._connection.execute("SELECT name, number FROM fuzz_counts"))

    def receipts(self) -> int:
        (number,) = self._connection.execute("SELECT count(*) FROM receipts").fetchone()
        return int(number)

    def close(self) -> None:
        self._connection.close()


class OfSources:
    """A source of every kind; nothing but what is proven leaves a trace, and no answer is a 5xx.

    It stands in for the server in front of the application: what ASGI can say is said.
    """

    name = "sources"
    every = 1

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._hidden = list(SECRETS)
        self._told: list[str] = []
        self._cache_kib, session.CACHE_KIB = session.CACHE_KIB, CACHE_KIB
        set_up_logs(level="debug", form="text")
        lines = Lines(self._check_line)
        structlog.configure(logger_factory=lambda *_given: lines)
        path = folder / "hub.db"
        at = datetime.fromtimestamp(AT_S, UTC)
        self._hub = build(_settings(path), post=_nowhere, clock=lambda: at)
        inbound = Door(self._hub.receiving, self._hub.settings, body_within_s=BODY_WITHIN_S)
        self._app = create_app(self._hub, under={PREFIX: inbound}, log_requests=True)
        self._runner.run(self._hub.open(dispatch=False))
        self._paths = self._set_up()
        self._counts = Counts(path)
        self._known = self._counts.now()
        self._stored = 0
        self._thrown = 0

    def close(self) -> None:
        """Stops the hub, and has the log and the cache be as they were."""
        try:
            self._look()
        finally:
            self._counts.close()
            self._runner.run(self._hub.close())
            self._runner.close()
            structlog.reset_defaults()
            session.CACHE_KIB = self._cache_kib

    def throw(self, fuzzed: Fuzzed) -> str:
        assert isinstance(fuzzed, Asked)
        began = time.process_time()
        status, content = self._send(fuzzed)
        took = time.process_time() - began
        self._check(fuzzed, status, content)
        if took > SLOWEST_S:
            raise AssertionError(f"{took * 1_000:.0f} ms of processor time")
        self._thrown += 1
        if self._thrown % LOOKED_EVERY == 0:
            self._look()
        if status != 200:
            return str(status) if status else "gone"
        verdict: str = json.loads(content)["verdict"]
        return f"{fuzzed.sender.source} {verdict}"

    # what must hold

    def _check(self, asked: Asked, status: int, content: bytes) -> None:
        known, now = self._known, self._counts.now()
        self._known = now
        changed = {table for table in _COUNTED if now[table] != known[table]}
        if self._told:
            raise AssertionError(f"a secret was told: {self._told.pop()}")
        if status not in EXPECTED and not (status == 0 and asked.ends == "gone"):
            raise AssertionError(f"status {status}")
        if status != 200:
            if changed:
                raise Forged(f"{status}, and {sorted(changed)} were written to")
            return
        repeated = json.loads(content)["verdict"] == "repeated"
        self._stored += not repeated
        path = asked.path == "/in/{secret}" and asked.method == "POST"
        if not (path and is_proven(asked)):
            raise Forged(asked.sender.source)
        if repeated and changed:
            raise Forged(f"repeated, and {sorted(changed)} were written to")
        if not repeated and now["receipts"] == known["receipts"]:
            raise AssertionError("answered 200 and not stored")
        if not asked.sender.proofs and changed - {"receipts", "quarantine"}:
            raise Forged(f"nothing is signed, and {sorted(changed)} were written to")

    def _look(self) -> None:
        """What is bounded, and what is exact, every so often."""
        receiving = self._hub.receiving
        if self._counts.receipts() != self._stored:
            raise AssertionError(f"{self._counts.receipts()} receipts of {self._stored} answers")
        remembered = len(receiving.gates._lookups._remembered)
        if remembered > MOST_REMEMBERED:
            raise AssertionError(f"{remembered} paths are remembered")
        self._runner.run(receiving.note_refused())
        self._runner.run(receiving.catch_up())
        _, text = self._ask("GET", "/metrics")
        self._check_text(text, "metrics")
        lines = text.count(b"\n")
        if lines > MOST_METRIC_LINES:
            raise AssertionError(f"{lines} lines of metrics")
        if self._told:
            raise AssertionError(f"a secret was told: {self._told.pop()}")
        self._known = self._counts.now()

    def _check_line(self, line: str) -> None:
        if any(secret in line for secret in self._hidden):
            self._told.append("in the log")

    def _check_text(self, content: bytes, where: str) -> None:
        text = content.decode("utf-8", "replace")
        if any(secret in text for secret in self._hidden):
            self._told.append(where)

    # what is sent

    def _send(self, asked: Asked) -> tuple[int, bytes]:
        path = asked.path.replace("{secret}", self._paths[asked.sender.source])
        headers = [(_raw(n).lower().strip(), _raw(v).strip(b" \t")) for n, v in asked.headers]
        scope = _scope(asked.method, path, headers)
        return self._runner.run(self._exchange(scope, asked.parts, ends=asked.ends))

    def _ask(self, method: str, path: str, told: object = None, *, key: str = "") -> Any:
        headers = [
            (b"authorization", f"Bearer {key}".encode()),
            (b"content-type", b"application/json"),
        ]
        body = b"" if told is None else json.dumps(told).encode()
        scope = _scope(method, path, headers)
        return self._runner.run(self._exchange(scope, (body,), ends="whole"))

    async def _exchange(
        self, scope: dict[str, Any], parts: tuple[bytes, ...], *, ends: str
    ) -> tuple[int, bytes]:
        waiting = _messages(parts, whole=ends == "whole")
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            message = next(waiting, None)
            if message is None and ends == "never":
                await asyncio.Event().wait()
            return message or {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        if not sent:
            return 0, b""
        content = b"".join(message.get("body", b"") for message in sent[1:])
        self._check_text(content, "in the answer")
        for name, value in sent[0]["headers"]:
            self._check_text(name + value, "in a header")
        return sent[0]["status"], content

    def _set_up(self) -> dict[str, str]:
        """Stores, orders and sources; the secrets of the paths by the sources' names."""
        hub, run = self._hub, self._runner.run
        account = run(hub.operations.add_account("fuzz")).account_id
        key = run(hub.operations.add_key(account, name="fuzz")).text
        self._hidden.append(key)
        for store in ("main", "unsigned"):
            run(hub.operations.put_store(account, store, name=store))
        for number in range(KNOWN_ORDERS):
            order = {"store": "main", "order_key": order_key(number)}
            _succeeded(self._ask("POST", "/v1/orders", order, key=key))
            if number % 3 == 0:
                sent = {"state": "shipped", "tracking_number": tracking_number(number)}
                _succeeded(self._ask("POST", "/v1/updates", {**order, **sent}, key=key))
        paths: dict[str, str] = {}
        hidden, self._hidden = self._hidden, []
        for sender in SENDERS:
            told = {
                "source": sender.source,
                "kind": sender.kind,
                "store": sender.store,
                "credentials": sender.credentials,
            }
            made = json.loads(_succeeded(self._ask("POST", "/v1/sources", told, key=key)))
            paths[sender.source] = made["path"].removeprefix(PREFIX)
        self._hidden = [*hidden, *paths.values()]
        return paths


def _settings(path: Path) -> Settings:
    often = 1_000_000_000
    return Settings(
        database_url=f"sqlite:///{path}",
        source_requests_per_s=often,
        source_requests_burst=often,
        key_requests_per_s=often,
        key_requests_burst=often,
    )


def _nowhere(_request: Request, _done: Callable[[Reply], None]) -> None:
    raise AssertionError("nothing is sent")


def _succeeded(answer: tuple[int, bytes]) -> bytes:
    status, content = answer
    if status not in (200, 201):
        raise AssertionError(f"{status}: {content!r}")
    return content


def _scope(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_400),
    }


def _messages(parts: tuple[bytes, ...], *, whole: bool) -> Iterator[dict[str, Any]]:
    last = len(parts) - 1
    for place, part in enumerate(parts):
        yield {"type": "http.request", "body": part, "more_body": place < last or not whole}


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else text_of(value).encode("utf-8", "replace")


__all__ = ["EXPECTED", "OfSources"]
