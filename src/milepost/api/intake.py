"""The routes that take orders and updates in, one at a time or in batches."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from milepost.api.answers import (
    OrderAnswer,
    OrderItem,
    OrderResults,
    UpdateAnswer,
    UpdateItem,
    UpdateResults,
    order_answer,
)
from milepost.api.bodies import (
    OrderBatch,
    OrderBody,
    UpdateBatch,
    UpdateBody,
    order_input,
    update_input,
)
from milepost.api.door import Answer, Call, Limit, Nothing, Route
from milepost.api.problems import Status, problem_of
from milepost.api.reading import read_json
from milepost.errors import (
    BacklogFull,
    DiskFull,
    IllegalMove,
    InvalidInput,
    MilepostError,
    OrderErased,
    Overloaded,
    TooLarge,
    UnknownRecord,
)
from milepost.intake import OrderInput, OrderOutcome, OrderResult, UpdateInput, UpdateResult
from milepost.orders.events import Verdict
from milepost.settings import Settings

B = TypeVar("B", OrderBody, UpdateBody)

FULL: tuple[type[MilepostError], ...] = (Overloaded, DiskFull, BacklogFull)
"""Why nothing more is taken in for now."""

_SOME = msgspec.Meta(min_length=1, max_length=1_000)


class OrderBatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 orders; each is taken or refused on its own."""

    orders: Annotated[list[OrderBody], _SOME]


class UpdateBatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 updates, decided in this order; each is taken or refused on its own."""

    updates: Annotated[list[UpdateBody], _SOME]


async def take_order(call: Call[Nothing, OrderBody]) -> Answer:
    hub = call.hub
    call.charge(1)
    now = await hub.clocks.now(call.account_id)
    item = order_input(call.body, rooms=hub.rooms, now=now, told=call.raw)
    (result,) = await hub.intake.orders(call.account_id, (item,))
    if result.order is None:
        raise _refusal_of(result)
    answer = order_answer(result.outcome, result.order)
    if result.outcome is OrderOutcome.CREATED:
        location = (b"location", b"/v1/orders/" + answer.order_id.encode())
        return Answer(answer, Status.CREATED, (location,))
    return Answer(answer)


async def take_orders(call: Call[Nothing, OrderBatch]) -> Answer:
    hub = call.hub
    _check_number("orders", call.body.orders, hub.settings)
    call.charge(len(call.body.orders))
    now = await hub.clocks.now(call.account_id)
    results: list[OrderItem | None] = []
    inputs: list[OrderInput] = []
    for index, raw in enumerate(call.body.orders):
        try:
            body = _read_item(raw, shape=OrderBody, settings=hub.settings)
            inputs.append(order_input(body, rooms=hub.rooms, now=now, told=raw))
            results.append(None)
        except MilepostError as error:
            results.append(_refused_order(index, error))
    taken = iter(await hub.intake.orders(call.account_id, inputs))
    told = [
        _order_item(index, next(taken)) if item is None else item
        for index, item in enumerate(results)
    ]
    return Answer(OrderResults(told))


async def take_update(call: Call[Nothing, UpdateBody]) -> Answer:
    hub = call.hub
    call.charge(1)
    now = await hub.clocks.now(call.account_id)
    item = update_input(call.body, account_id=call.account_id, rooms=hub.rooms, now=now)
    (result,) = await hub.intake.updates(call.account_id, (item,))
    order = result.order
    if order is None:
        if item.ref.order_key is None:
            raise UnknownRecord
        answer = UpdateAnswer(
            verdict=result.verdict,
            why=result.why,
            order_id=None,
            store=item.ref.store,
            order_key=item.ref.order_key,
            state=None,
            reason=None,
            sequence=None,
        )
        return Answer(answer, Status.ACCEPTED)
    if result.verdict is Verdict.ILLEGAL:
        raise IllegalMove(result.why, state=order.state, allowed=result.allowed)
    return Answer(
        UpdateAnswer(
            verdict=result.verdict,
            why=result.why,
            order_id=order.order_id,
            store=order.store,
            order_key=order.order_key,
            state=order.state,
            reason=order.reason,
            sequence=order.sequence,
        )
    )


async def take_updates(call: Call[Nothing, UpdateBatch]) -> Answer:
    hub = call.hub
    _check_number("updates", call.body.updates, hub.settings)
    call.charge(len(call.body.updates))
    now = await hub.clocks.now(call.account_id)
    results: list[UpdateItem | None] = []
    inputs: list[UpdateInput] = []
    for index, raw in enumerate(call.body.updates):
        try:
            body = _read_item(raw, shape=UpdateBody, settings=hub.settings)
            inputs.append(update_input(body, account_id=call.account_id, rooms=hub.rooms, now=now))
            results.append(None)
        except MilepostError as error:
            results.append(UpdateItem(index, problem=problem_of(error)))
    taken = iter(zip(inputs, await hub.intake.updates(call.account_id, inputs), strict=True))
    told = [
        _update_item(index, *next(taken)) if item is None else item
        for index, item in enumerate(results)
    ]
    return Answer(UpdateResults(told))


def _check_number(field: str, items: list[msgspec.Raw], settings: Settings) -> None:
    if not 1 <= len(items) <= settings.max_batch:
        raise InvalidInput(field=field, expected=f"1 to {settings.max_batch} of them")


def _read_item(raw: msgspec.Raw, *, shape: type[B], settings: Settings) -> B:
    if len(memoryview(raw)) > settings.max_order_bytes:
        raise TooLarge(f"At most {settings.max_order_bytes} bytes are taken of one item.")
    return read_json(raw, shape=shape)


def _refusal_of(result: OrderResult) -> MilepostError:
    return result.refusal or InvalidInput(field="", expected="an order that can be taken")


def _refused_order(index: int, error: MilepostError) -> OrderItem:
    return OrderItem(index, OrderOutcome.REFUSED, problem=problem_of(error))


def _order_item(index: int, result: OrderResult) -> OrderItem:
    order = result.order
    if order is None:
        return _refused_order(index, _refusal_of(result))
    return OrderItem(index, result.outcome, order.order_id, order.state, order.sequence)


def _update_item(index: int, item: UpdateInput, result: UpdateResult) -> UpdateItem:
    order = result.order
    if order is None:
        if item.ref.order_key is None:
            return UpdateItem(index, problem=problem_of(UnknownRecord()))
        return UpdateItem(index, result.verdict, result.why)
    return UpdateItem(
        index=index,
        verdict=result.verdict,
        why=result.why,
        order_id=order.order_id,
        state=order.state,
        sequence=order.sequence,
        allowed=result.allowed if result.verdict is Verdict.ILLEGAL else None,
    )


ROUTES = (
    Route(
        method="POST",
        path="/v1/orders",
        act=take_order,
        name="putOrder",
        summary="Create an order, or update it: the same content twice changes nothing.",
        tag="orders",
        query=Nothing,
        body=OrderBody,
        answers={Status.CREATED: OrderAnswer, Status.OK: OrderAnswer},
        problems=(InvalidInput, OrderErased, *FULL),
    ),
    Route(
        method="POST",
        path="/v1/orders/batch",
        act=take_orders,
        name="putOrders",
        summary="Create or update up to 1,000 orders, with a result for each.",
        tag="orders",
        query=Nothing,
        body=OrderBatch,
        documented=OrderBatchBody,
        limit=Limit.BATCH,
        answers={Status.OK: OrderResults},
        problems=(InvalidInput, *FULL),
    ),
    Route(
        method="POST",
        path="/v1/updates",
        act=take_update,
        name="postUpdate",
        summary="Tell what happened to an order; 202 keeps it until an order with this key comes.",
        tag="updates",
        query=Nothing,
        body=UpdateBody,
        answers={Status.OK: UpdateAnswer, Status.ACCEPTED: UpdateAnswer},
        problems=(InvalidInput, UnknownRecord, IllegalMove, *FULL),
    ),
    Route(
        method="POST",
        path="/v1/updates/batch",
        act=take_updates,
        name="postUpdates",
        summary="Tell up to 1,000 updates, with a verdict for each.",
        tag="updates",
        query=Nothing,
        body=UpdateBatch,
        documented=UpdateBatchBody,
        limit=Limit.BATCH,
        answers={Status.OK: UpdateResults},
        problems=(InvalidInput, *FULL),
    ),
)
