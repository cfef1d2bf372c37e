"""What has to be settled before an order can go on, and splitting an order into parts.

Both are the operator's doing: ShipMonk publishes what a merchant sees of them and no call for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from milepost.contracts.contract import read_as
from milepost.contracts.shipmonk.closed_sets import Action
from milepost.contracts.shipmonk.contents import NAME, with_extensions
from milepost.contracts.shipmonk.extensions import (
    ActionsRequired,
    MainOrder,
    OrderExtensions,
    OrderPart,
    OrderParts,
)
from milepost.errors import AlreadyExists, IllegalMove, InvalidInput, MilepostError, UnknownRecord
from milepost.intake import Intake, OrderInput, OrderResult
from milepost.orders.events import Update
from milepost.orders.lifecycle import State, allowed_next
from milepost.orders.model import Line, Name, Order, OrderContent

S = State
SOURCE = "operator"
STUCK = frozenset((S.SUBMIT_FAILED, S.ADDRESS_ERROR))
SPLITTABLE = frozenset(
    (S.CREATED, S.VERIFYING, S.VERIFIED, S.SCHEDULED, S.SUBMITTED, S.BACKORDERED, S.ON_HOLD)
)
"""Where an order can still be split: nobody picks it yet."""

ACTIONS = tuple(action.value for action in Action)
MOST_PARTS = 20


class PartLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of a line go into a part, by the line's key or, where it has none, its SKU."""

    quantity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
    line_key: Name | None = None
    sku: Name | None = None


class PartInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of an order: an order of its own with some of the lines."""

    order_key: Name
    lines: Annotated[tuple[PartLine, ...], msgspec.Meta(min_length=1)]
    order_number: Name | None = None

    @property
    def number(self) -> str:
        return self.order_number or self.order_key


class SplitInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parts that are taken out of an order; what is left stays in it."""

    parts: Annotated[tuple[PartInput, ...], msgspec.Meta(min_length=1, max_length=MOST_PARTS)]


@dataclass(frozen=True, slots=True)
class Fulfillment:
    """What an operator does to an order for the warehouse; nothing is half done.

    Every method raises InvalidInput, IllegalMove, UnknownRecord, Overloaded and StoreError.
    """

    intake: Intake

    async def require(self, order: Order, change: Mapping[str, bool]) -> Order:
        """Sets and clears actions by name; the order is unable to submit while any is required."""
        for name in change or ("",):
            if name not in ACTIONS:
                raise InvalidInput(field=name[:100], expected=f"one of {', '.join(ACTIONS)}")

        def revise(known: Order | None) -> OrderContent:
            if known is None:
                raise UnknownRecord
            told = _extensions(known)
            actions = msgspec.structs.replace(told.actions_required, **change)
            if told.actions_required == actions and known.state not in STUCK:
                return known.content
            if known.state not in STUCK and S.SUBMIT_FAILED not in allowed_next(known.state):
                why = f"nothing can be required of an order that is {known.state.value}"
                raise IllegalMove(why, state=known.state, allowed=allowed_next(known.state))
            return with_extensions(
                known.content, msgspec.structs.replace(told, actions_required=actions)
            )

        def then(after: Order) -> Sequence[Update]:
            required = _extensions(after).actions_required != ActionsRequired()
            if required and after.state not in STUCK:
                return (_told(S.SUBMIT_FAILED),)
            if not required and after.state in STUCK:
                return (_told(S.SUBMITTED),)
            return ()

        (result,) = await self.intake.orders(
            order.account_id, (_input(order, revise=revise, then=then),)
        )
        return _taken((result,))[0]

    async def split(self, order: Order, wanted: SplitInput) -> Sequence[Order]:
        """The order as it is left, and its parts in the order asked; all of it or nothing.

        Raises AlreadyExists for the key of a part that is an order already.
        """
        keys = [order.order_key, *(part.order_key for part in wanted.parts)]
        if len(set(keys)) < len(keys):
            raise InvalidInput(field="parts", expected="order keys that are all different")
        numbers = [OrderPart(part.number) for part in wanted.parts]
        told = OrderParts(MainOrder(order.number, tuple(numbers)))
        left, taken = _divided(order.content.lines, wanted.parts)

        def shared(lines: tuple[Line, ...], number: str) -> OrderContent:
            said = msgspec.structs.replace(_extensions(order), order_parts=told)
            content = with_extensions(order.content, said)
            return msgspec.structs.replace(content, lines=lines, order_number=number)

        def still_the_same(known: Order | None) -> OrderContent:
            if known is None:
                raise UnknownRecord
            if known.state not in SPLITTABLE:
                why = f"the order cannot be split: it is {known.state.value}"
                raise IllegalMove(why, state=known.state, allowed=allowed_next(known.state))
            if known.content != order.content:
                raise IllegalMove(
                    "the order has just been changed; look at it and split it again",
                    state=known.state,
                    allowed=allowed_next(known.state),
                )
            return shared(left, order.number)

        def is_new(known: Order | None) -> MilepostError | None:
            return None if known is None else AlreadyExists(known.order_key)

        def then(after: Order) -> Sequence[Update]:
            """A part is as far as the order that it was taken out of."""
            if order.state in (S.CREATED, after.state):
                return ()
            return (_told(order.state),)

        parts = [
            OrderInput(
                store=order.store,
                order_key=part.order_key,
                content=shared(lines, part.number),
                source=SOURCE,
                expects=is_new,
                then=then,
            )
            for part, lines in zip(wanted.parts, taken, strict=True)
        ]
        main = _input(order, revise=still_the_same)
        return _taken(await self.intake.orders(order.account_id, (main, *parts), whole=True))


def _told(state: State) -> Update:
    return Update(source=SOURCE, state=state)


def _extensions(order: Order) -> OrderExtensions:
    raw = order.content.extensions.get(NAME)
    return OrderExtensions() if raw is None else read_as(OrderExtensions, bytes(raw))


def _input(
    order: Order,
    *,
    revise: Callable[[Order | None], OrderContent],
    then: Callable[[Order], Sequence[Update]] | None = None,
) -> OrderInput:
    return OrderInput(
        store=order.store,
        order_key=order.order_key,
        content=order.content,
        source=SOURCE,
        revise=revise,
        then=then,
    )


def _divided(
    lines: Sequence[Line], parts: Sequence[PartInput]
) -> tuple[tuple[Line, ...], list[tuple[Line, ...]]]:
    """What is left of the lines, and the lines of each part. Raises InvalidInput by its path."""
    left = {place: line.quantity for place, line in enumerate(lines)}
    taken: list[tuple[Line, ...]] = []
    for number, part in enumerate(parts):
        mine: list[Line] = []
        for position, wanted in enumerate(part.lines):
            path = f"parts[{number}].lines[{position}]"
            place = _place(lines, wanted, path=path)
            if wanted.quantity > left[place]:
                expected = f"at most {left[place]}, which is what is left of the line"
                raise InvalidInput(field=f"{path}.quantity", expected=expected)
            left[place] -= wanted.quantity
            mine.append(msgspec.structs.replace(lines[place], quantity=wanted.quantity))
        taken.append(tuple(mine))
    rest = tuple(
        msgspec.structs.replace(line, quantity=left[place])
        for place, line in enumerate(lines)
        if left[place]
    )
    if not rest:
        raise InvalidInput(field="parts", expected="parts that leave something in the order")
    return rest, taken


def _place(lines: Sequence[Line], wanted: PartLine, *, path: str) -> int:
    if (wanted.line_key is None) == (wanted.sku is None):
        raise InvalidInput(field=path, expected="either a line_key or a sku")
    for place, line in enumerate(lines):
        if wanted.line_key is not None:
            if line.line_key == wanted.line_key:
                return place
        elif line.sku == wanted.sku:
            return place
    known = ", ".join(str(line.line_key or line.sku) for line in lines[:50])
    raise InvalidInput(field=path, expected=f"a line of the order, which are {known}")


def _taken(results: Sequence[OrderResult]) -> list[Order]:
    """The orders of a request that was taken. Raises the first refusal of one that was not."""
    for result in results:
        if result.refusal is not None:
            raise result.refusal
    return [result.order for result in results if result.order is not None]
