"""A hub on a real SQLite file behind its HTTP interface, asked in-process, byte for byte.

Every answer is checked against the published document on the way: a route that says something
else than it publishes fails whichever test meets it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import msgspec
from fastapi import FastAPI

from milepost.api.app import create_app
from milepost.dashboard import elsewhere
from milepost.dashboard import routes as pages
from milepost.delivery.model import DeliveryState, Reply, Request
from milepost.emulators import shipmonk, withings
from milepost.inbound import PREFIX
from milepost.inbound import Door as Inbound
from milepost.settings import Settings
from milepost.wiring import Hub, build

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
JSON = "application/json"
PENDING = DeliveryState.PENDING


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Clock:
    """The time, for records and for keys that are remembered; it moves only when told to."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return (self.at - START).total_seconds()

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Outside:
    """Where notifications go: each is kept, and answered by `answer`."""

    answer: Callable[[Request], Reply] = lambda _request: Reply(204)
    requests: list[Request] = field(default_factory=list)

    def post(self, request: Request, done: Callable[[Reply], None]) -> None:
        self.requests.append(request)
        asyncio.get_running_loop().call_soon(done, self.answer(request))


@dataclass
class Desk:
    """The interface as one account's integrator sees it."""

    runner: asyncio.Runner
    hub: Hub
    app: FastAPI
    clock: Clock
    outside: Outside
    account_id: str = ""
    key: str = ""

    def send(
        self,
        method: str,
        target: str,
        told: object = None,
        *,
        raw: bytes | None = None,
        chunks: Sequence[bytes] | None = None,
        hang: bool = False,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Answer:
        """One request; `told` goes as JSON, `raw` and `chunks` as they are, `hang` never ends."""
        body = msgspec.json.encode(told) if told is not None else raw
        parts = list(chunks) if chunks is not None else [body or b""]
        given = {"authorization": f"Bearer {self.key if key is None else key}"}
        if body is not None or chunks is not None:
            given["content-type"] = JSON
        if chunks is None:
            given["content-length"] = str(len(parts[0]))
        given |= headers or {}
        scope = _scope(method, target, given)
        answer = self.runner.run(_exchange(self.app, scope, parts, hang=hang))
        check_published(self.app.openapi(), scope, answer)
        return answer

    def get(self, target: str, **given: Any) -> Answer:
        return self.send("GET", target, **given)

    def post(self, target: str, told: object = None, **given: Any) -> Answer:
        return self.send("POST", target, told, **given)

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    def another(self, name: str = "other") -> Desk:
        """The desk of another account of the same hub, with the same store."""
        account_id, key = self.run(_account(self.hub, name))
        return Desk(self.runner, self.hub, self.app, self.clock, self.outside, account_id, key)

    # what tests say all the time

    def order(self, key: str = "B-1", **content: object) -> str:
        """The id of an order that is there afterwards."""
        answer = self.post("/v1/orders", {"store": "berlin", "order_key": key, **content})
        assert answer.status in (200, 201), answer.body
        order_id: str = answer.json["order_id"]
        return order_id

    def update(self, key: str = "B-1", **facts: object) -> Answer:
        return self.post("/v1/updates", {"store": "berlin", "order_key": key, **facts})

    def endpoint(self, contract: str = "standard", **given: object) -> dict[str, Any]:
        """The answer to a new endpoint."""
        told = {"contract": contract, "url": "https://receiver.example/hook", **given}
        answer = self.post("/v1/endpoints", told)
        assert answer.status == 201, answer.body
        made: dict[str, Any] = answer.json
        return made

    def quiet(self) -> None:
        """Lets the dispatcher send what is due now."""

        async def settled() -> None:
            for _ in range(400):
                await asyncio.sleep(0.005)
                counts = await self.hub.store.counts()
                if not self.hub.dispatcher.on_wire and not counts.deliveries[PENDING]:
                    return
            raise AssertionError("deliveries are still pending after two seconds")

        self.run(settled())


@contextmanager
def opened(
    folder: Path, *, dispatch: bool = False, body_within_s: float = 30.0, **settings: object
) -> Iterator[Desk]:
    """A desk with one account, a key and a store called berlin."""
    clock, outside = Clock(), Outside()
    given = {"database_url": f"sqlite:///{folder / 'test.db'}", "poll_s": 0.02, **settings}
    hub = build(Settings(**given), post=outside.post, clock=clock)  # type: ignore[arg-type]
    app = create_app(
        hub,
        beside=(
            *withings.routes(hub, body_within_s=body_within_s),
            *shipmonk.routes(hub, body_within_s=body_within_s),
            *pages(hub),
        ),
        elsewhere=elsewhere(hub),
        under={
            PREFIX: Inbound(
                hub.receiving,
                hub.settings,
                body_within_s=body_within_s,
                clock=clock.seconds,
            )
        },
        body_within_s=body_within_s,
        clock=clock.seconds,
    )
    _DOCUMENT.update(app.openapi())
    with asyncio.Runner() as runner:
        runner.run(hub.open(dispatch=dispatch))
        try:
            account_id, key = runner.run(_account(hub, "test"))
            yield Desk(runner, hub, app, clock, outside, account_id, key)
        finally:
            runner.run(hub.close())


async def _account(hub: Hub, name: str) -> tuple[str, str]:
    account = await hub.operations.add_account(name)
    key = await hub.operations.add_key(account.account_id, name="test")
    await hub.operations.put_store(account.account_id, "berlin", name="Berlin")
    return account.account_id, key.text


def _scope(method: str, target: str, headers: Mapping[str, str]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_400),
    }


async def _exchange(
    app: FastAPI, scope: dict[str, Any], parts: Sequence[bytes], *, hang: bool
) -> Answer:
    waiting = [
        {"type": "http.request", "body": part, "more_body": hang or i < len(parts) - 1}
        for i, part in enumerate(parts)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        if hang:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return Answer(0, {}, b"")
    assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]
    headers = {k.decode(): v.decode("latin-1") for k, v in sent[0]["headers"]}
    assert headers["content-length"] == str(len(sent[1]["body"]))
    return Answer(sent[0]["status"], headers, sent[1]["body"])


# the published document


def check_published(document: Mapping[str, Any], scope: Mapping[str, Any], answer: Answer) -> None:
    """Fails when the document does not publish this answer of this route."""
    template = template_of(document, scope["path"])
    operation = document["paths"].get(template, {}).get(scope["method"].lower())
    if operation is None or not answer.status:
        return
    published = operation["responses"].get(str(answer.status))
    assert published is not None, f"{scope['method']} {template} does not publish {answer.status}"
    if "$ref" in published:
        published = document["components"]["responses"][published["$ref"].rpartition("/")[2]]
    media_type = answer.headers["content-type"]
    assert media_type in published["content"], media_type
    told = answer.json if media_type.endswith("json") else answer.body.decode()
    validator(msgspec.json.encode(published["content"][media_type]["schema"])).validate(told)


def template_of(document: Mapping[str, Any], path: str) -> str:
    """The path in the document that a request's path is one of; one without parameters first."""
    if path in document["paths"]:
        return path
    for template in document["paths"]:
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            return str(template)
    return ""


_DOCUMENT: dict[str, Any] = {}


@cache
def validator(schema: bytes) -> jsonschema.Draft202012Validator:
    """A validator of one of the document's schemas; formats are checked too."""
    whole = {**msgspec.json.decode(schema), "components": _DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(whole)
