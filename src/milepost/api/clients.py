"""The routes of a provider's side: client applications, and orders that replace others."""

from __future__ import annotations

import msgspec

from milepost.api.answers import OrderAnswer, order_answer
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.intake import FULL
from milepost.api.problems import Status
from milepost.contracts import check_extensions
from milepost.errors import AlreadyExists, InvalidInput, UnknownRecord, UrlRefused
from milepost.intake import OrderOutcome
from milepost.orders.model import OrderContent
from milepost.ports import OrderRef
from milepost.provider import (
    ClientChange,
    ClientInput,
    ClientView,
    NewClient,
    ReplacementInput,
)


class Clients(msgspec.Struct, frozen=True):
    """The account's client applications, oldest first."""

    clients: list[ClientView]


class RemovedClient(msgspec.Struct, frozen=True):
    """How many pending notifications were abandoned with the application; its orders stay."""

    client_id: str
    abandoned: int


async def list_clients(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Clients(list(await call.hub.provider.applications.list(call.account_id))))


async def add_client(call: Call[Nothing, ClientInput]) -> Answer:
    made = await call.hub.provider.applications.add(call.account_id, call.body)
    location = (b"location", b"/v1/clients/" + made.client.client_id.encode())
    return Answer(made, Status.CREATED, (location,))


async def get_client(call: Call[Nothing, Nothing]) -> Answer:
    applications = call.hub.provider.applications
    return Answer(await applications.show(call.account_id, call.path["client_id"]))


async def change_client(call: Call[Nothing, ClientChange]) -> Answer:
    applications = call.hub.provider.applications
    return Answer(await applications.change(call.account_id, call.path["client_id"], call.body))


async def remove_client(call: Call[Nothing, Nothing]) -> Answer:
    client_id = call.path["client_id"]
    abandoned = await call.hub.provider.applications.remove(call.account_id, client_id)
    return Answer(RemovedClient(client_id, abandoned))


async def replace_order(call: Call[Nothing, ReplacementInput]) -> Answer:
    hub = call.hub
    call.charge(1)
    if call.body.lines is not None:
        check_extensions(OrderContent(lines=call.body.lines), hub.rooms)
    original = await hub.store.order(OrderRef(call.account_id, order_id=call.path["order_id"]))
    order = await hub.provider.replacements.replace(original, call.body)
    location = (b"location", b"/v1/orders/" + order.order_id.encode())
    return Answer(order_answer(OrderOutcome.CREATED, order), Status.CREATED, (location,))


ROUTES = (
    Route(
        method="GET",
        path="/v1/clients",
        act=list_clients,
        name="listClients",
        summary="List the account's client applications.",
        tag="clients",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Clients},
    ),
    Route(
        method="POST",
        path="/v1/clients",
        act=add_client,
        name="addClient",
        summary="Register a client application; its secrets are shown this once.",
        tag="clients",
        query=Nothing,
        body=ClientInput,
        answers={Status.CREATED: NewClient},
        problems=(InvalidInput, UrlRefused, AlreadyExists),
    ),
    Route(
        method="GET",
        path="/v1/clients/{client_id}",
        act=get_client,
        name="getClient",
        summary="Read a client application.",
        tag="clients",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: ClientView},
        problems=(UnknownRecord,),
    ),
    Route(
        method="PATCH",
        path="/v1/clients/{client_id}",
        act=change_client,
        name="changeClient",
        summary="Change a client application; a new secret is shown this once.",
        tag="clients",
        query=Nothing,
        body=ClientChange,
        answers={Status.OK: NewClient},
        problems=(UnknownRecord, InvalidInput, UrlRefused),
    ),
    Route(
        method="DELETE",
        path="/v1/clients/{client_id}",
        act=remove_client,
        name="removeClient",
        summary="Remove a client application and its endpoint; its orders stay.",
        tag="clients",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: RemovedClient},
        problems=(UnknownRecord,),
    ),
    Route(
        method="POST",
        path="/v1/orders/{order_id}/replacement",
        act=replace_order,
        name="replaceOrder",
        summary="Create an order that replaces this one.",
        tag="orders",
        query=Nothing,
        body=ReplacementInput,
        answers={Status.CREATED: OrderAnswer},
        problems=(UnknownRecord, InvalidInput, AlreadyExists, *FULL),
    ),
)
