"""The routes by which a person's data is found and erased."""

from __future__ import annotations

import msgspec

from milepost.api.bodies import Cursor
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.erasure import Email, Erasure, ErasureInput
from milepost.errors import DeliveriesPending, InvalidInput, UnknownRecord
from milepost.insights import OrderSummary, order_summary

SOURCE = "api"


class PersonBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose orders are looked for; `after` is the `next` of the answer before."""

    email: Email
    after: Cursor | None = None

    def __repr__(self) -> str:
        return "PersonBody(…)"


class FoundPerson(msgspec.Struct, frozen=True):
    """The orders with this address among the next that were looked at.

    Orders are looked through one by one, newest first: ask again with `next` until it is null.
    """

    orders: list[OrderSummary]
    looked_at: int
    next: str | None


async def erase_order(call: Call[Nothing, ErasureInput]) -> Answer:
    erasure = await call.hub.eraser.erase(
        call.account_id, call.path["order_id"], call.body, source=SOURCE
    )
    return Answer(erasure)


async def find_person(call: Call[Nothing, PersonBody]) -> Answer:
    look = await call.hub.eraser.find(call.account_id, call.body.email, after=call.body.after)
    found = [order_summary(order) for order in look.orders]
    return Answer(FoundPerson(found, look.looked_at, look.after))


ROUTES = (
    Route(
        method="POST",
        path="/v1/orders/{order_id}/erase",
        act=erase_order,
        name="eraseOrder",
        summary="Erase the personal data of an order; that and when it was told of stays.",
        tag="orders",
        query=Nothing,
        body=ErasureInput,
        answers={Status.OK: Erasure},
        problems=(UnknownRecord, InvalidInput, DeliveriesPending),
    ),
    Route(
        method="POST",
        path="/v1/people/find",
        act=find_person,
        name="findPerson",
        summary="Look through the next orders for a person's e-mail address.",
        tag="orders",
        query=Nothing,
        body=PersonBody,
        answers={Status.OK: FoundPerson},
        problems=(InvalidInput,),
    ),
)
