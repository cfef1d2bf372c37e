"""The native HTTP interface as one ASGI application over a hub."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.routing import Route as Path

from milepost import __version__
from milepost.api import (
    attention,
    clients,
    clocks,
    diagrams,
    erasure,
    exposition,
    fulfillment,
    health,
    intake,
    queued,
    receiving,
    reconciling,
    records,
    resends,
    secrecy,
    setup,
    silence,
    tracking,
    undelivered,
    warehouses,
)
from milepost.api.door import (
    Answer,
    Call,
    Door,
    Nothing,
    Route,
    refuse,
)
from milepost.api.limits import Limits
from milepost.api.openapi import document
from milepost.api.problems import NoSuchPath, Status, Unexpected
from milepost.auth import Authenticator
from milepost.exchange import Receive, Scope, Send
from milepost.logs import ACCOUNT, PROBLEM, REQUEST_ID, ROUTE, logger
from milepost.metrics import Metrics
from milepost.wiring import Hub

ROUTES: tuple[Route[Any, Any], ...] = (
    *intake.ROUTES,
    *undelivered.ROUTES,
    *queued.ROUTES,
    *records.ROUTES,
    *resends.ROUTES,
    *reconciling.ROUTES,
    *setup.ROUTES,
    *warehouses.ROUTES,
    *fulfillment.ROUTES,
    *clients.ROUTES,
    *secrecy.ROUTES,
    *erasure.ROUTES,
    *attention.ROUTES,
    *silence.ROUTES,
    *clocks.ROUTES,
    *tracking.ROUTES,
    *receiving.ROUTES,
    *diagrams.ROUTES,
    *health.ROUTES,
)
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_WITHIN_S = 30.0
"""How long a body may take to arrive."""

UNLOGGED = frozenset(("/livez", "/readyz", "/metrics"))
"""Routes that are asked every few seconds; only their failures are logged."""

_FAILED = 400
_LONGEST_METHOD = 16
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_log = logger("api")


def create_app(
    hub: Hub,
    *,
    routes: Sequence[Route[Any, Any]] = ROUTES,
    beside: Sequence[Path] = (),
    elsewhere: Asgi | None = None,
    under: Mapping[str, Asgi] = MappingProxyType({}),
    lifespan: Callable[[FastAPI], Any] | None = None,
    body_within_s: float = BODY_WITHIN_S,
    clock: Callable[[], float] = time.monotonic,
    log_requests: bool = False,
) -> FastAPI:
    """The application over a hub that the caller opens and closes, in `lifespan` if it likes.

    `routes` are those that it has; a process that only sends shows no more than its health.
    `beside` are what other doors add, which publish themselves; `elsewhere` answers browsers at an
    address where there is nothing; `under` answers all paths that begin with a first part.

    `clock` counts the seconds for which a key is remembered and in which it may ask for so much.
    With `log_requests` each request is a line in the log.
    """
    described = document(routes, rooms=hub.rooms, most_in_batch=hub.settings.max_batch)
    hub.published = described
    app = _App(
        title="Milepost",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.openapi = lambda: described  # type: ignore[method-assign]
    auth = Authenticator(hub.store, clock=clock)
    limits = Limits(hub.settings, clock=clock)
    unpublished = (_publishing(described), *exposition.routes(hub.settings))
    for path, there in _by_path((*routes, *unpublished)).items():
        door = Door(there, hub=hub, auth=auth, limits=limits, body_within_s=body_within_s)
        app.router.routes.append(Path(path, door, include_in_schema=False))
        if "{" not in path:
            app.doors[path] = door
    app.router.routes.extend(beside)
    app.under = under
    app.router.default = _no_such_path(elsewhere)
    app.outside = Envelope(app.inside, metrics=hub.metrics, log_requests=log_requests)
    if hub.traces is not None:
        # Its library is only loaded where it is asked for.
        from milepost.api.spans import Spans  # noqa: PLC0415

        app.outside = Spans(app.outside, traces=hub.traces)
    return app


class _App(FastAPI):
    """Requests go past the framework's own middleware, and those for one path straight to its door.

    That way in costs a quarter less for one order.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.doors: dict[str, Door] = {}
        self.under: Mapping[str, Asgi] = {}
        self.outside: Asgi = super().__call__

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """From outside in."""
        await self.outside(scope, receive, send)

    async def inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Behind what is around every request."""
        if scope["type"] == "http":
            path = scope["path"]
            door = self.doors.get(path) or self.under.get(path[: path.find("/", 1) + 1])
            await (door or self.router)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _by_path(routes: tuple[Route[Any, Any], ...]) -> Mapping[str, list[Route[Any, Any]]]:
    found: dict[str, list[Route[Any, Any]]] = {}
    for route in routes:
        found.setdefault(route.path, []).append(route)
    return found


def _publishing(described: Mapping[str, Any]) -> Route[Nothing, Nothing]:
    """The route of the document itself, which is encoded once."""
    content = msgspec.json.encode(described)

    async def publish(_call: Call[Nothing, Nothing]) -> Answer:
        return Answer(content)

    return Route(
        method="GET",
        path="/openapi.json",
        act=publish,
        name="document",
        summary="This document.",
        tag="contracts",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Any},
        public=True,
    )


def _no_such_path(elsewhere: Asgi | None) -> Asgi:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif elsewhere is not None and b"text/html" in dict(scope["headers"]).get(b"accept", b""):
            await elsewhere(scope, receive, send)
        else:
            await refuse(scope, send, NoSuchPath())

    return answer


class Envelope:
    """Around every request: its id goes in and out, and no error leaves as anything but a problem.

    An id that came with the request is kept if it is short and plain, else a new one is made.
    What was answered is counted and, if asked, logged: by its route, never by its path or query.
    """

    def __init__(
        self,
        app: Asgi,
        *,
        metrics: Metrics,
        log_requests: bool,
    ) -> None:
        self._app = app
        self._prefix = secrets.token_hex(4)
        self._number = count(1)
        self._metrics = metrics
        self._log_requests = log_requests
        self._under_way = 0
        metrics.watch(
            "milepost_http_requests_under_way",
            "Requests that are being answered.",
            lambda: self._under_way,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        scope[REQUEST_ID] = request_id
        header = (b"x-request-id", request_id.encode())
        status = 0

        async def send_with_id(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], header]
            await send(message)

        began = time.perf_counter()
        self._under_way += 1
        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            _log.error("unexpected", path=scope["path"], request_id=request_id, exc_info=error)
            if status:
                raise
            await refuse(scope, send_with_id, Unexpected())
        finally:
            self._under_way -= 1
            self._note(scope, status=status, took_s=time.perf_counter() - began)

    def _request_id(self, scope: Scope) -> str:
        for name, given in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(given):
                return str(given.decode())
        return f"{self._prefix}-{next(self._number)}"

    def _note(self, scope: Scope, *, status: int, took_s: float) -> None:
        """Counts and logs an answer; without a status the client had gone away."""
        route = scope.get(ROUTE)
        metrics = self._metrics
        # Anybody can make up paths and methods; those that no route has are one.
        method, shown = ("", "") if route is None else (scope["method"], route)
        metrics.requests.add(method, shown, str(status))
        metrics.request_s.see((took_s,), shown)
        problem = scope.get(PROBLEM)
        if problem is not None:
            metrics.refused.add(problem)
        if self._log_requests and not (route in UNLOGGED and status < _FAILED):
            _log.info(
                "request",
                method=scope["method"][:_LONGEST_METHOD],
                route=route,
                status=status,
                problem=problem,
                ms=round(took_s * 1_000, 1),
                account=scope.get(ACCOUNT),
                request_id=scope[REQUEST_ID],
            )
