"""The doors of ShipMonk's order interface, under the paths that it publishes.

A request comes with `Api-Key`, a Milepost key of the account, and an answer is JSON with `status`
and `data` (published). What is refused has its HTTP status there too, and `data` says why in words
and, where one key is at fault, which; that form is ours.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from starlette.routing import Route

from milepost.auth import Authenticator
from milepost.contracts.contract import read_as, read_under
from milepost.contracts.shipmonk.inputs import CompleteOrder, SubmitOrder, read_order
from milepost.contracts.shipmonk.payloads import Options, detail
from milepost.emulators.exchange import ClientGone, Receive, Scope, Send, TooSlow, read_body
from milepost.emulators.shipmonk.listing import read_list, read_one, read_pages, warehouses_page
from milepost.emulators.shipmonk.windows import TooManyRequests, Window, retry_after
from milepost.errors import (
    IllegalMove,
    InvalidInput,
    MilepostError,
    Overloaded,
    RateLimited,
    StoreError,
    TooLarge,
    Unauthorized,
    UnknownRecord,
)
from milepost.intake import OrderOutcome
from milepost.logs import ACCOUNT, PROBLEM, REQUEST_ID, ROUTE, logger
from milepost.wiring import Hub

ROOT = "/v1/integrations"
BODY_WITHIN_S = 30.0
RETRY_S = 5

REQUESTS_A_MINUTE = 100_000
LISTS_IN_HALF_AN_HOUR = 1_000
"""Published limits of an account."""

MESSAGES: Mapping[OrderOutcome, str] = {
    OrderOutcome.CREATED: "Order was created",
    OrderOutcome.UPDATED: "Order was updated",
    OrderOutcome.UNCHANGED: "Order was updated",
}

_encode = msgspec.json.Encoder(decimal_format="number").encode
_log = logger("shipmonk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was let in."""

    hub: Hub
    account_id: str
    query: bytes
    body: bytes


Act = Callable[[Call], Awaitable[bytes]]


def _told(data: object) -> bytes:
    return _encode({"status": 200, "data": data})


# the routes


async def save_order(call: Call) -> bytes:
    given = read_order(call.body)
    outcome = await call.hub.provider.merchants.save(call.account_id, given)
    return _encode({"message": MESSAGES[outcome]})


async def one_order(call: Call) -> bytes:
    asked = read_one(call.query)
    found = await call.hub.provider.merchants.read(
        call.account_id,
        order_key=asked.orderKey,
        order_number=asked.orderNumber,
        store_number=asked.storeId,
    )
    shown = detail(found.order, store=found.store, options=await _options(call))
    return _told(msgspec.Raw(shown))


async def list_orders(call: Call) -> bytes:
    asked = read_list(call.query)
    found = await call.hub.provider.merchants.listed(
        call.account_id,
        asked.wanted,
        page=asked.page,
        page_size=asked.page_size,
        newest_first=asked.newest_first,
    )
    options = await _options(call)
    orders = [msgspec.Raw(detail(one.order, store=one.store, options=options)) for one in found]
    return _told({"orders": orders})


async def submit_order(call: Call) -> bytes:
    asked = read_under("", shape=SubmitOrder, raw=call.body)
    await call.hub.provider.merchants.submit(call.account_id, asked)
    return _encode({"status": 200})


async def complete_order(call: Call) -> bytes:
    asked = read_under("", shape=CompleteOrder, raw=call.body)
    await call.hub.provider.merchants.complete(call.account_id, asked)
    return _encode({"status": 200})


async def list_warehouses(call: Call) -> bytes:
    asked = read_pages(call.query)
    found = await call.hub.provider.merchants.warehouses(call.account_id)
    return _encode(warehouses_page(found, asked))


async def _options(call: Call) -> Options:
    """What the account's oldest ShipMonk endpoint says, so that it is answered as it is told."""
    endpoints = await call.hub.store.endpoints(call.account_id)
    for endpoint in endpoints:
        if endpoint.contract == "shipmonk":
            options: Options = read_as(Options, endpoint.options)
            return options
    return Options()


PATHS: Mapping[str, tuple[str, Act]] = {
    f"{ROOT}/order": ("POST", save_order),
    f"{ROOT}/orders": ("GET", one_order),
    f"{ROOT}/orders-list": ("GET", list_orders),
    f"{ROOT}/submit-order": ("POST", submit_order),
    f"{ROOT}/sandbox/complete-order": ("POST", complete_order),
    f"{ROOT}/warehouses": ("GET", list_warehouses),
}
"""What is asked where; a path has one method."""


class WrongMethod(MilepostError):
    """The path is asked in another way."""


class Door:
    """The ASGI application of one path of the order interface."""

    def __init__(
        self,
        path: str,
        hub: Hub,
        *,
        auth: Authenticator,
        windows: Sequence[Window],
        body_within_s: float,
    ) -> None:
        self._path = path
        self._method, self._act = PATHS[path]
        self._hub = hub
        self._auth = auth
        self._windows = windows
        self._body_within_s = body_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads, acts and answers."""
        scope[ROUTE] = self._path
        status, headers = 200, _JSON
        try:
            content = await self._answer(scope, receive)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer has the same form
            status, why = _refused(error)
            headers = (*_JSON, *_headers_of(error, now=self._hub.now()))
            scope[PROBLEM] = f"shipmonk-{status}"
            if status >= _FAILED:
                request_id = scope.get(REQUEST_ID)
                _log.error("failed", path=self._path, request_id=request_id, exc_info=error)
            content = _encode({"status": status, "data": why})
        await _respond(send, content, status=status, headers=headers)

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] != self._method:
            raise WrongMethod(f"It is asked by {self._method}")
        headers = dict(scope["headers"])
        key = headers.get(b"api-key")
        if key is None:
            raise Unauthorized("Send it in the header Api-Key")
        principal = await self._auth.principal(b"Bearer " + key)
        scope[ACCOUNT] = principal.account_id
        for window in self._windows:
            window.enter(principal.account_id)
        body = b""
        if self._method == "POST":
            body = await read_body(
                scope,
                receive,
                limit=self._hub.settings.max_order_bytes,
                within_s=self._body_within_s,
            )
            _check_text(body)
        call = Call(
            hub=self._hub,
            account_id=principal.account_id,
            query=scope["query_string"],
            body=body,
        )
        return await self._act(call)


def _check_text(body: bytes) -> None:
    if b"\\u0000" in body or b"\0" in body:
        raise InvalidInput(field="", expected="text without NUL characters (\\u0000)")


_FAILED = 500
_JSON: tuple[tuple[bytes, bytes], ...] = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (Unauthorized, 401),
    (UnknownRecord, 404),
    (WrongMethod, 405),
    (TooSlow, 408),
    (TooLarge, 413),
    (TooManyRequests, 429),
    (RateLimited, 429),
    (InvalidInput, 400),
    (IllegalMove, 400),
    (RecursionError, 400),
    (Overloaded, 503),
    (StoreError, 503),
)


def _refused(error: Exception) -> tuple[int, Mapping[str, Any]]:
    """The HTTP status of an error and what is said of it; nothing of the machine's inside."""
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            why: dict[str, Any] = {"message": str(error) if status < _FAILED else _LATER}
            if isinstance(error, InvalidInput) and error.field:
                why["field"] = error.field
            return status, why
    if isinstance(error, MilepostError):
        return 400, {"message": str(error)}
    return _FAILED, {"message": "Something went wrong here"}


_LATER = "Nothing was accepted; try again in a moment"


def _headers_of(error: Exception, *, now: datetime) -> Sequence[tuple[bytes, bytes]]:
    if isinstance(error, TooManyRequests):
        return ((b"retry-after", retry_after(error.again_at)),)
    if isinstance(error, RateLimited):
        return ((b"retry-after", retry_after(now + timedelta(seconds=error.after_s + 1))),)
    if isinstance(error, (Overloaded, StoreError)):
        return ((b"retry-after", b"%d" % RETRY_S),)
    if isinstance(error, (TooLarge, TooSlow)):
        return ((b"connection", b"close"),)
    return ()


async def _respond(
    send: Send, content: bytes, *, status: int, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    length = (b"content-length", b"%d" % len(content))
    start = {"type": "http.response.start", "status": status, "headers": [*headers, length]}
    await send(start)
    await send({"type": "http.response.body", "body": content})


def routes(
    hub: Hub,
    *,
    body_within_s: float = BODY_WITHIN_S,
    clock: Callable[[], float] = time.monotonic,
) -> Sequence[Route]:
    """The routes of the order interface over a hub."""
    auth = Authenticator(hub.store, clock=clock)
    requests = Window(REQUESTS_A_MINUTE, span=timedelta(minutes=1), now=hub.now)
    lists = Window(LISTS_IN_HALF_AN_HOUR, span=timedelta(minutes=30), now=hub.now)
    return [
        Route(
            path,
            Door(
                path,
                hub,
                auth=auth,
                windows=(requests, lists) if act is list_orders else (requests,),
                body_within_s=body_within_s,
            ),
            include_in_schema=False,
        )
        for path, (_, act) in PATHS.items()
    ]
