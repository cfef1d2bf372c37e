"""One door for each path: who asks, what they send, which route it is, and the answer; plain ASGI.

A request passes here without a framework's request object, dependency injection or copies, which
is what keeps the intake routes fast.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec

from milepost.api.limits import Allowance, Limits
from milepost.api.problems import (
    MEDIA_TYPE,
    Headers,
    MethodNotAllowed,
    Status,
    headers_of,
    kind_of,
    problem_of,
)
from milepost.api.reading import (
    LESS_NESTED,
    check_text,
    check_type,
    read_json,
    read_query,
)
from milepost.auth import Authenticator
from milepost.errors import InvalidInput, MilepostError, StoreError
from milepost.exchange import ClientGone, Receive, Scope, Send, read_body
from milepost.logs import ACCOUNT, PROBLEM, REQUEST_ID, ROUTE, logger
from milepost.wiring import Hub

Q = TypeVar("Q")
B = TypeVar("B")

LONGEST_PATH = 2_048

_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", MEDIA_TYPE.encode())
GUARD: Headers = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)

_encode = msgspec.json.Encoder().encode
_log = logger("api")


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters, or no body."""


NOTHING = Nothing()


class Limit(Enum):
    """Which of the settings limits a route's body."""

    ONE = "max_order_bytes"
    BATCH = "max_body_bytes"


def _uncharged(_items: int) -> None:
    """What routes without a key are charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Q, B]):
    """A request that was let in and read.

    `headers` and the `raw` body are as they came; `charge` is told how many items are taken in and
    raises RateLimited.
    """

    hub: Hub
    account_id: str
    path: Mapping[str, str]
    query: Q
    body: B
    headers: Mapping[bytes, bytes]
    raw: bytes = b""
    charge: Callable[[int], None] = _uncharged


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: anything that msgspec can encode, or bytes that are of this type already.

    `guard` are the headers that keep a browser from doing anything with it.
    """

    content: object
    status: Status = Status.OK
    headers: Headers = ()
    content_type: tuple[bytes, bytes] = _JSON
    guard: Headers = GUARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[Q, B]):
    """One method of one path, and all that its documentation says.

    `answers` are the shapes by status, `problems` those beside the ones that any route has;
    `media_type` is what answers are published as.
    `documented` is the body's shape as it is published, where it is read in another way.
    """

    method: str
    path: str
    act: Callable[[Call[Q, B]], Awaitable[Answer]]
    name: str
    summary: str
    tag: str
    answers: Mapping[Status, Any]
    query: type[Q]
    body: type[B]
    documented: Any = None
    limit: Limit = Limit.ONE
    problems: tuple[type[MilepostError], ...] = ()
    public: bool = False
    media_type: str = "application/json"

    @property
    def takes_body(self) -> bool:
        return self.body is not Nothing


async def respond(
    send: Send,
    *,
    status: int,
    content: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    guard: Headers = GUARD,
) -> None:
    """Sends one whole answer, guarded against being cached, sniffed or framed."""
    length = (b"content-length", b"%d" % len(content))
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [*headers, length, *guard],
    }
    await send(start)
    await send({"type": "http.response.body", "body": content})


async def refuse(scope: Scope, send: Send, error: MilepostError) -> None:
    """Sends the problem document of an error."""
    request_id = scope.get(REQUEST_ID)
    if isinstance(error, StoreError):
        # Where nothing lies behind it, the database is known to be away, and each request meets it.
        trace = error if error.__cause__ is not None else None
        detail = str(error)
        _log.error("store failed", request_id=request_id, error=detail, exc_info=trace)
    content = _encode(problem_of(error, request_id=request_id))
    headers = (_PROBLEM, *headers_of(error))
    kind = kind_of(error)
    scope[PROBLEM] = kind.name
    await respond(send, status=kind.status, content=content, headers=headers)


class Door:
    """The ASGI application of one path; answers every request, refused ones with a problem."""

    def __init__(
        self,
        routes: Sequence[Route[Any, Any]],
        *,
        hub: Hub,
        auth: Authenticator,
        limits: Limits,
        body_within_s: float,
    ) -> None:
        self._routes = {route.method: route for route in routes}
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]
        self._hub = hub
        self._auth = auth
        self._limits = limits
        self._body_within_s = body_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads, acts and answers."""
        allowance: Allowance | None = None
        try:
            route = self._routes.get(scope["method"])
            if route is None:
                raise MethodNotAllowed(self._routes)
            scope[ROUTE] = route.path
            headers = dict(scope["headers"])
            if not route.public:
                allowance = await self._let_in(scope, headers)
            answer = await route.act(await self._read(route, scope, receive, headers, allowance))
        except MilepostError as error:
            await refuse(scope, send, error)
        except RecursionError:
            await refuse(scope, send, InvalidInput(field="", expected=LESS_NESTED))
        except ClientGone:
            return
        else:
            content = answer.content
            await respond(
                send,
                status=answer.status,
                content=content if isinstance(content, bytes) else _encode(content),
                headers=(answer.content_type, *answer.headers),
                guard=answer.guard,
            )
        finally:
            if allowance is not None:
                allowance.leave()

    async def _let_in(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Allowance:
        principal = await self._auth.principal(headers.get(b"authorization"))
        scope[ACCOUNT] = principal.account_id
        return self._limits.enter(principal)

    async def _read(
        self,
        route: Route[Q, B],
        scope: Scope,
        receive: Receive,
        headers: Mapping[bytes, bytes],
        allowance: Allowance | None,
    ) -> Call[Any, Any]:
        query: Q | Nothing = NOTHING
        if route.query is not Nothing or scope["query_string"]:
            query = read_query(scope["query_string"], shape=route.query)
        body: B | Nothing = NOTHING
        raw = b""
        if route.takes_body:
            check_type(headers)
            raw = await read_body(
                headers,
                receive,
                limit=getattr(self._hub.settings, route.limit.value),
                within_s=self._body_within_s,
            )
            check_text(raw)
            body = read_json(raw, shape=route.body)
        return Call(
            hub=self._hub,
            account_id=scope.get(ACCOUNT, ""),
            path=scope.get("path_params", {}),
            query=query,
            body=body,
            headers=headers,
            raw=raw,
            charge=_uncharged if allowance is None else allowance.charge,
        )
