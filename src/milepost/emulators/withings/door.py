"""The doors of the order interface: one URL a service, and `action` says what is asked there.

GET and POST, parameters in the query, in a form or in both; whatever comes of it is HTTP 200 with
`{"status": n, "body": {…}}` (published). What is refused says why, in words, beside the body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from starlette.routing import Route

from milepost.contracts.withings.answers import created_order, order_detail
from milepost.contracts.withings.numbers import MEANINGS, Number, Reason, Refused, invalid
from milepost.contracts.withings.requests import (
    Parameters,
    Person,
    needed,
    read_named,
    read_orders,
    read_person,
    read_testmode,
    refused_for,
)
from milepost.contracts.withings.signing import GET_NONCE, signed_by
from milepost.emulators.exchange import (
    FORM,
    ClientGone,
    Receive,
    Scope,
    Send,
    TooSlow,
    read_body,
    read_parameters,
    respond,
)
from milepost.errors import InvalidInput, MilepostError, Overloaded, TooLarge
from milepost.logs import ACCOUNT, PROBLEM, REQUEST_ID, ROUTE, logger
from milepost.ports.withings import ClientApplication
from milepost.provider import Provider
from milepost.wiring import Hub

SIGNATURE, DROPSHIPMENT, ORDER = "/v2/signature", "/v2/dropshipment", "/v2/order"
PATHS = (SIGNATURE, DROPSHIPMENT, ORDER)
BODY_WITHIN_S = 30.0

_encode = msgspec.json.Encoder().encode
_log = logger("withings")


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer: the published body, and beside it what is ours."""

    status: int
    body: Mapping[str, Any]
    error: str | None = None
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()


Act = Callable[[Provider, ClientApplication, Parameters], Awaitable[Told]]


# the actions


async def create_order(provider: Provider, client: ClientApplication, given: Parameters) -> Told:
    return await _create(provider, client, given, person=None)


async def create_user_order(
    provider: Provider, client: ClientApplication, given: Parameters
) -> Told:
    return await _create(provider, client, given, person=read_person(given))


async def _create(
    provider: Provider, client: ClientApplication, given: Parameters, *, person: Person | None
) -> Told:
    asked, testmode = read_orders(given), read_testmode(given)
    made = await provider.dropshipment.create(client, asked, testmode=testmode, person=person)
    body: dict[str, Any] = {} if made.user is None else {"user": made.user}
    body["orders"] = [created_order(order) for order in made.orders]
    body["dropshipmentorderid"] = made.dropshipment_order_id
    return Told(Number.OK, body, warnings=tuple(made.warnings))


async def update(provider: Provider, client: ClientApplication, given: Parameters) -> Told:
    order_id = needed(given, "order_id")
    (asked,) = read_orders(given, most=1)
    order, warnings = await provider.dropshipment.update(client, order_id, asked)
    return Told(Number.OK, {"orders": [created_order(order)]}, warnings=tuple(warnings))


async def delete(provider: Provider, client: ClientApplication, given: Parameters) -> Told:
    await provider.dropshipment.cancel(client, needed(given, "order_id"))
    return Told(Number.OK, {})


async def get_detail(provider: Provider, client: ClientApplication, given: Parameters) -> Told:
    by, named = read_named(given)
    orders = await provider.dropshipment.read(client, by=by, named=named)
    return Told(Number.OK, {"orders": [order_detail(order) for order in orders]})


ACTIONS: Mapping[str, Mapping[str, Act]] = MappingProxyType(
    {
        SIGNATURE: {},
        DROPSHIPMENT: {
            "createorder": create_order,
            "createuserorder": create_user_order,
            "update": update,
            "delete": delete,
            "getorderstatus": get_detail,
        },
        ORDER: {"getdetail": get_detail},
    }
)
"""What each service does for an application that has signed; all of them give out no nonces but
the signature service, which does nothing else."""


class Door:
    """The ASGI application of one service of the order interface."""

    def __init__(self, path: str, hub: Hub, *, body_within_s: float) -> None:
        self._path = path
        self._acts = ACTIONS[path]
        self._provider = hub.provider
        self._limit = hub.settings.max_body_bytes
        self._body_within_s = body_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads, acts and answers."""
        scope[ROUTE] = self._path
        close = False
        try:
            told = await self._answer(scope, receive)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer has the same form
            refused = _refused(error)
            close = isinstance(error, (TooLarge, TooSlow))
            scope[PROBLEM] = f"withings-{refused.number.value}"
            if refused.number is Number.FAILED:
                request_id = scope.get(REQUEST_ID)
                _log.error("failed", path=self._path, request_id=request_id, exc_info=error)
            why = MEANINGS[refused.number]
            told = Told(refused.number, refused.body, why, reasons=refused.reasons)
        await respond(send, _encode(told), close=close)

    async def _answer(self, scope: Scope, receive: Receive) -> Told:
        given = await self._read(scope, receive)
        action = needed(given, "action")
        if action not in self._acts and (action, self._path) != (GET_NONCE, SIGNATURE):
            raise Refused(Number.NO_SUCH_ACTION)
        client_id = needed(given, "client_id")
        once, signature = needed(given, signed_by(action)), needed(given, "signature")
        callers = self._provider.callers
        if action == GET_NONCE:
            nonce = await callers.nonce(client_id=client_id, timestamp=once, signature=signature)
            return Told(Number.OK, {"nonce": nonce})
        client = await callers.caller(
            action=action, client_id=client_id, nonce=once, signature=signature
        )
        scope[ACCOUNT] = client.account_id
        customer = given.get("customerid")
        if customer and customer != client.billing_id:
            raise invalid("customerid", "the billing ID of this application, or nothing")
        return await self._acts[action](self._provider, client, given)

    async def _read(self, scope: Scope, receive: Receive) -> Parameters:
        if scope["method"] != "POST":
            return read_parameters(scope["query_string"])
        body = await read_body(scope, receive, limit=self._limit, within_s=self._body_within_s)
        media_type = dict(scope["headers"]).get(b"content-type", FORM).split(b";", 1)[0].strip()
        if body and media_type.lower() != FORM:
            raise invalid("", f"parameters in the query or in a form ({FORM.decode()})")
        return read_parameters(scope["query_string"], body)


_NUMBERS: tuple[tuple[type[MilepostError], Number], ...] = (
    (TooLarge, Number.INVALID),
    (TooSlow, Number.TOO_SLOW),
    (Overloaded, Number.NOT_NOW),
)


def _refused(error: Exception) -> Refused:
    """What an error is in the order interface; nothing of the machine's inside is told."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, InvalidInput):
        return refused_for(error)
    for kind, number in _NUMBERS:
        if isinstance(error, kind):
            return Refused(number, (Reason(str(error)),))
    return Refused(Number.FAILED)


def routes(hub: Hub, *, body_within_s: float = BODY_WITHIN_S) -> Sequence[Route]:
    """The routes of the order interface over a hub."""
    return [
        Route(path, Door(path, hub, body_within_s=body_within_s), include_in_schema=False)
        for path in PATHS
    ]
