"""A person with a browser that has no screen: cookies, forms, redirects, and what the store did."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from html import unescape
from typing import Any
from urllib.parse import unquote, urlencode

from argon2 import PasswordHasher

from milepost.ports.people import PersonRecord, Role
from milepost.wiring import Hub
from tests.doors.desk import Desk

PASSWORD = "a long enough password"
ORIGIN = "http://hub.example"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_TAGS = re.compile(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", re.DOTALL)


@dataclass
class Seen:
    """A page as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    calls: list[str]
    """The methods of the store that the request called, in order."""

    @property
    def html(self) -> str:
        return self.body.decode()

    @property
    def text(self) -> str:
        """What a reader sees, its blanks put together."""
        return " ".join(unescape(_TAGS.sub(" ", self.html)).split())

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def location(self) -> str:
        return self.header("location")


@dataclass
class Visitor:
    """Somebody at a browser; cookies stay between requests."""

    desk: Desk
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""
    address: str = "192.0.2.1"

    def get(self, target: str, **headers: str) -> Seen:
        return self.send("GET", target, headers=headers)

    def post(self, target: str, *, csrf: str | None = None, **fields: str) -> Seen:
        """Sends a form as our own page would, with the token of the page that was seen last."""
        told = {"csrf": self.csrf if csrf is None else csrf, **fields}
        return self.send("POST", target, told, headers={"origin": ORIGIN})

    def follow(self, seen: Seen) -> Seen:
        """The page that an answer sends on to."""
        assert seen.status == 303, (seen.status, seen.text)
        return self.get(seen.location)

    def send(
        self,
        method: str,
        target: str,
        fields: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Seen:
        body = urlencode(fields).encode() if fields is not None else b""
        given = {
            "host": "hub.example",
            "accept": "text/html",
            "cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
            "content-length": str(len(body)),
            "content-type": "application/x-www-form-urlencoded",
            **(headers or {}),
        }
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in given.items()],
            "client": (self.address, 50_000),
            "server": ("hub.example", 80),
        }
        with store_calls(self.desk.hub) as calls:
            sent = self.desk.run(_exchange(self.desk.app, scope, body))
        start, *parts = sent
        answered = [(k.decode(), v.decode("latin-1")) for k, v in start["headers"]]
        self._keep(answered)
        seen = Seen(start["status"], answered, b"".join(p["body"] for p in parts), list(calls))
        found = _CSRF.search(seen.html) if "text/html" in seen.header("content-type") else None
        self.csrf = found[1] if found else self.csrf
        return seen

    def log_in(self, name: str, password: str = PASSWORD) -> Seen:
        self.get("/log-in")
        return self.post("/log-in", name=name, password=password)

    def _keep(self, headers: list[tuple[str, str]]) -> None:
        for name, text in headers:
            if name == "set-cookie":
                key, _, value = text.split(";")[0].partition("=")
                if "Max-Age=0" in text:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = value


def a_person(
    desk: Desk, role: Role = Role.OPERATOR, *, name: str = "", sees: str | None = None
) -> Visitor:
    """A visitor who is logged in, with this role; a merchant sees the desk's account."""
    if role is Role.MERCHANT and sees is None:
        sees = desk.account_id
    hub = desk.hub
    record = PersonRecord(name or role.value, role, sees, kept_password(), hub.now())
    desk.run(hub.store.add_person(record))
    opened = desk.run(hub.people.open(record, address="192.0.2.1", agent="a test"))
    return Visitor(desk, cookies={"milepost_session": opened.token})


@cache
def kept_password() -> str:
    """PASSWORD as it is kept, made with less care than the product takes, which takes long."""
    kept: str = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    return kept


@contextmanager
def store_calls(hub: Hub) -> Iterator[list[str]]:
    """The names of the store's methods that are called inside."""
    calls: list[str] = []
    store: Any = hub.store
    names = [n for n, f in inspect.getmembers(type(store), inspect.iscoroutinefunction)]

    def counted(name: str) -> Any:
        method = getattr(store, name)

        async def call(*given: Any, **named: Any) -> Any:
            calls.append(name)
            return await method(*given, **named)

        return call

    public = [name for name in names if not name.startswith("_")]
    for name in public:
        setattr(store, name, counted(name))
    try:
        yield calls
    finally:
        for name in public:
            delattr(store, name)


async def _exchange(app: Any, scope: dict[str, Any], body: bytes) -> list[dict[str, Any]]:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent
