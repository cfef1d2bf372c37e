"""Replacement orders: an operator makes good an order that went wrong, as an order of its own."""

from __future__ import annotations

from typing import Annotated

import msgspec

from milepost.contracts.contract import read_as
from milepost.contracts.withings.extensions import NAME, OrderExtensions
from milepost.errors import AlreadyExists, InvalidInput, MilepostError
from milepost.intake import Intake, OrderInput, OrderResult
from milepost.orders.events import Update
from milepost.orders.lifecycle import State
from milepost.orders.model import Address, Line, Name, Order, OrderContent, Text, check_amount

MOST_OF_AN_ORDER = 99
SOURCE = "operator"


class ReplacementInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is replaced of an order, and where it goes; what is left out is as in the original.

    `order_key` is the new order's; left out, it is the original's with `-R1`, `-R2` and so on.
    `original_serial_number` is that of the product which is replaced.
    """

    order_key: Name | None = None
    lines: Annotated[tuple[Line, ...], msgspec.Meta(min_length=1)] | None = None
    ship_to: Address | None = None
    original_serial_number: Name | None = None
    note: Text | None = None

    def __post_init__(self) -> None:
        for place, line in enumerate(self.lines or ()):
            check_amount(f"lines[{place}].price", line.price)


class Replacements:
    """Makes replacement orders, which begin VERIFIED: somebody has looked at them."""

    def __init__(self, *, intake: Intake) -> None:
        self._intake = intake

    async def replace(self, original: Order, wanted: ReplacementInput) -> Order:
        """The replacement of this order.

        Raises AlreadyExists when there is an order with this key, InvalidInput, Overloaded,
        StoreError.
        """
        if original.fake:
            raise InvalidInput(field="order_id", expected="an order that test mode did not make")
        content = _content(original, wanted)
        for key in self._keys(original, wanted):
            result = await self._create(original, key, content, note=wanted.note)
            if result.order is not None:
                return result.order
            if not isinstance(result.refusal, AlreadyExists):
                raise result.refusal or InvalidInput(field="", expected="an order")
        raise AlreadyExists(wanted.order_key or f"{original.order_key}-R{MOST_OF_AN_ORDER}")

    @staticmethod
    def _keys(original: Order, wanted: ReplacementInput) -> list[str]:
        if wanted.order_key is not None:
            return [wanted.order_key]
        return [f"{original.order_key}-R{n}" for n in range(1, MOST_OF_AN_ORDER + 1)]

    async def _create(
        self, original: Order, key: str, content: OrderContent, *, note: str | None
    ) -> OrderResult:
        def verified(_order: Order) -> tuple[Update, ...]:
            return (Update(source=SOURCE, state=State.VERIFIED, note=note),)

        item = OrderInput(
            store=original.store,
            order_key=key,
            content=content,
            source=SOURCE,
            expects=_is_new,
            then=verified,
        )
        (result,) = await self._intake.orders(original.account_id, (item,), whole=True)
        return result


def _is_new(known: Order | None) -> MilepostError | None:
    return None if known is None else AlreadyExists(known.order_key)


def _content(original: Order, wanted: ReplacementInput) -> OrderContent:
    known = original.content
    extensions = dict(known.extensions)
    ours = read_as(OrderExtensions, bytes(extensions[NAME])) if NAME in extensions else None
    told = OrderExtensions(
        original_serial_number=wanted.original_serial_number,
        client_id=ours and ours.client_id,
        external_id=ours and ours.external_id,
    )
    extensions.pop(NAME, None)
    if told != OrderExtensions():
        extensions[NAME] = msgspec.Raw(msgspec.json.encode(told))
    return msgspec.structs.replace(
        known,
        order_number=None,
        ordered_at=None,
        lines=known.lines if wanted.lines is None else wanted.lines,
        ship_to=known.ship_to if wanted.ship_to is None else wanted.ship_to,
        shipping_paid=None,
        tax_paid=None,
        replacement_for=original.order_key,
        extensions=extensions,
    )
