"""An order and everything that is known of it; frozen, and the same for every contract."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Annotated

import msgspec

from milepost.orders.lifecycle import (
    NEEDS_ATTENTION,
    PARCEL_ORDER,
    PARCEL_RANK,
    Reason,
    State,
)

REAL_ORDER, FAKE_ORDER = "ord_", "tst_"
"""How an order's id begins: one that was ordered, and one that test mode made up."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Text = Annotated[str, msgspec.Meta(max_length=1_000)]
LongText = Annotated[str, msgspec.Meta(max_length=65_536)]
Url = Annotated[str, msgspec.Meta(max_length=2_048)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
CountryCode = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]


class Content(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """The base of all that a source may say of an order: unknown fields are refused."""


_NOTHING = Decimal(0)
LARGEST_AMOUNT = Decimal(10) ** 12
FINEST_EXPONENT = -9
FINEST_AMOUNT = Decimal(10) ** FINEST_EXPONENT
EARLIEST_YEAR, LATEST_YEAR = 1990, 2100


def check_amount(name: str, amount: Decimal | None) -> None:
    """Raises ValueError for what no money, cost or weight can be; None passes."""
    if amount is None:
        return
    try:
        exact = amount.quantize(FINEST_AMOUNT) == amount
    except InvalidOperation:
        raise ValueError(f"{name}: expected a number of at most {LARGEST_AMOUNT:f}") from None
    if not exact:
        raise ValueError(f"{name}: expected a number with at most 9 decimals")
    if not -LARGEST_AMOUNT <= amount <= LARGEST_AMOUNT:
        raise ValueError(f"{name}: expected a number of at most {LARGEST_AMOUNT:f}")


def _all_usual(amounts: Iterable[Decimal | None]) -> bool:
    """Whether all of these pass `check_amount`, for little more than adding them up.

    False says nothing: then each has to be asked. A sum of amounts without their signs is no
    smaller than the largest, and has as many decimals as the one with the most.
    """
    try:
        total = sum([abs(amount) for amount in amounts if amount is not None], _NOTHING)
        return total <= LARGEST_AMOUNT and int(total.as_tuple().exponent) >= FINEST_EXPONENT
    except ArithmeticError:
        return False


class Address(Content, frozen=True):
    """Where something is sent from or to; `country_code` is ISO 3166-1 alpha-2."""

    name: Text | None = None
    company: Text | None = None
    street1: Text | None = None
    street2: Text | None = None
    city: Text | None = None
    state: Text | None = None
    zip: Text | None = None
    country_code: CountryCode | None = None
    phone: Text | None = None
    email: Text | None = None
    residential: bool | None = None


class Lot(Content, frozen=True):
    """A lot of a product, with the day it expires."""

    number: Text | None = None
    expiration_date: date | None = None


class Component(Content, frozen=True):
    """A product in stock that an order line is made of."""

    sku: Name
    quantity: Quantity = 1
    backordered_quantity: Quantity = 0
    lot: Lot | None = None
    other_potential_lots: tuple[Lot, ...] = ()


class Line(Content, frozen=True):
    """One line of an order: how many of what, at which price in the order's currency."""

    sku: Name
    quantity: Quantity
    line_key: Text | None = None
    name: LongText | None = None
    price: Decimal | None = None
    image_url: Url | None = None
    fulfilled_quantity: Quantity | None = None
    components: tuple[Component, ...] = ()
    extensions: dict[str, msgspec.Raw] = {}


class Pair(Content, frozen=True):
    """A name and a value that a merchant attached to an order."""

    name: Text
    value: LongText


class Reference(Content, frozen=True):
    """Another system's identifier of the same order, and what kind of identifier it is."""

    type: Name
    value: LongText


class TaxId(Content, frozen=True):
    """A tax identifier and the country that issued it."""

    type: Name
    value: Text
    country_code: CountryCode | None = None
    country_name: Text | None = None


class OrderContent(Content, frozen=True):
    """What was ordered: all that a source can say of an order but its state and its parcels.

    `extensions` holds, per contract, what only that contract can say; its room checks it.
    """

    order_number: Name | None = None
    ordered_at: Moment | None = None
    currency: Currency | None = None
    customer_email: Text | None = None
    customer_notes: LongText | None = None
    ship_to: Address | None = None
    ship_from: Address | None = None
    lines: tuple[Line, ...] = ()
    requested_shipping_service: Text | None = None
    shipping_paid: Decimal | None = None
    tax_paid: Decimal | None = None
    references: tuple[Reference, ...] = ()
    attributes: tuple[Pair, ...] = ()
    custom_data: tuple[Pair, ...] = ()
    recipient_tax_id: TaxId | None = None
    gift_message: LongText | None = None
    gift_from: Text | None = None
    replacement_for: Name | None = None
    extensions: dict[str, msgspec.Raw] = {}

    def __post_init__(self) -> None:
        amounts = [line.price for line in self.lines]
        if not _all_usual((*amounts, self.shipping_paid, self.tax_paid)):
            check_amount("shipping_paid", self.shipping_paid)
            check_amount("tax_paid", self.tax_paid)
            for place, amount in enumerate(amounts):
                check_amount(f"lines[{place}].price", amount)
        if self.ordered_at and not EARLIEST_YEAR <= self.ordered_at.year < LATEST_YEAR:
            raise ValueError(
                f"ordered_at: expected a time from {EARLIEST_YEAR} to {LATEST_YEAR - 1}"
            )


_values_of = attrgetter(*OrderContent.__struct_fields__)
_ORDERED_AT = OrderContent.__struct_fields__.index("ordered_at")


def content_alone(told: OrderContent) -> OrderContent:
    """The content of what tells more than that, its time in UTC.

    Raises ValueError for what no content can be, OverflowError for a time that UTC does not have.
    """
    values = _values_of(told)
    at = told.ordered_at
    if at is not None and at.tzinfo is not UTC:
        values = (*values[:_ORDERED_AT], at.astimezone(UTC), *values[_ORDERED_AT + 1 :])
    return OrderContent(*values)


class Weight(Content, frozen=True):
    """A weight and its unit: kg, g, lb or oz."""

    value: Decimal
    unit: Annotated[str, msgspec.Meta(pattern="^(kg|g|lb|oz)$")]

    def __post_init__(self) -> None:
        check_amount("value", self.value)


class PackedItem(Content, frozen=True):
    """How many of what are in a parcel; `line_key` names the order line, `lots` the stock."""

    sku: Name
    quantity: Quantity
    line_key: Text | None = None
    lots: tuple[Lot, ...] = ()


class ParcelDetails(Content, frozen=True):
    """What is known of a parcel beside its way: its number, weight and contents."""

    number: Quantity | None = None
    weight: Weight | None = None
    items: tuple[PackedItem, ...] = ()
    extensions: dict[str, msgspec.Raw] = {}


class Parcel(msgspec.Struct, frozen=True, gc=False):
    """One parcel of an order; its state is None until it was handed to a carrier.

    `told_by` is the source that told the state, with the sequence number that it gave and with its
    precedence; without a state, the source that first told of the parcel.
    """

    parcel: str
    state: State | None = None
    state_at: datetime | None = None
    source_sequence: int | None = None
    carrier: str | None = None
    carrier_service: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    created_at: datetime | None = None
    details: ParcelDetails | None = None
    told_by: str | None = None
    precedence: int = 0


class Order(msgspec.Struct, frozen=True, gc=False):
    """An order as it stands: what was ordered, where it is in its life and where its parcels are.

    `sequence` is the number of its latest event; `state_at` is that state's event time by its
    source; `previous_state` is the one before this one; `shipped_at` is when it first left the
    warehouse; `updating` is a flag over the state, set while an edit is being taken in;
    `erased_at` is when its personal data was erased: since then it takes nothing more. `told_by`
    is the source that told the state, with its `source_sequence` and its `precedence`;
    `corrections` are marks of the latest corrections that it took, the newest last.
    """

    account_id: str
    order_id: str
    store: str
    order_key: str
    state: State
    state_at: datetime
    sequence: int
    created_at: datetime
    updated_at: datetime
    content: OrderContent
    reason: Reason | None = None
    previous_state: State | None = None
    source_sequence: int | None = None
    updating: bool = False
    shipped_at: datetime | None = None
    parcels: tuple[Parcel, ...] = ()
    erased_at: datetime | None = None
    told_by: str | None = None
    precedence: int = 0
    corrections: tuple[str, ...] = ()

    @property
    def fake(self) -> bool:
        """Whether test mode made it: nothing was ordered, and no figure counts it."""
        return self.order_id.startswith(FAKE_ORDER)

    @property
    def number(self) -> str:
        """The identifier that the customer knows: the order number, else the order key."""
        return self.content.order_number or self.order_key

    @property
    def ordered_at(self) -> datetime:
        """When the customer ordered; when no source said it, when Milepost learned of the order."""
        return self.content.ordered_at or self.created_at

    @property
    def known_at(self) -> datetime | None:
        """How new an update must be; None while nothing but the order itself is known.

        Nothing can have happened to an order before it existed: an earlier time only shows that
        Milepost learned of the order late.
        """
        return None if self.previous_state is None else self.state_at

    @property
    def attention(self) -> bool:
        """Whether any parcel is in trouble, even when the order as a whole is not."""
        return any(p.state in NEEDS_ATTENTION for p in self.parcels)

    @property
    def lead_parcel(self) -> Parcel | None:
        """The parcel that the order's state speaks of, else its least advanced one.

        The two differ only where a parcel was added behind the others: the order stays where it
        was, and nobody must read one parcel's state beside another's tracking number.
        """
        for parcel in self.parcels:
            if parcel.state is self.state:
                return parcel
        return least_advanced(self.parcels) if self.parcels else None


class Store(msgspec.Struct, frozen=True, gc=False):
    """A sales channel of an account; `number` is its numeric name for contracts that need one."""

    account_id: str
    store: str
    number: int
    name: str
    created_at: datetime


def least_advanced(parcels: tuple[Parcel, ...]) -> Parcel:
    """The parcel that is the furthest from its end; the first of several. At least one is given."""
    return min(parcels, key=lambda p: PARCEL_RANK.get(p.state or State.SHIPPED, 0))


def rolled_up(parcels: tuple[Parcel, ...]) -> State | None:
    """The carrier state of an order with these parcels; None while no carrier has any of them.

    An announced parcel counts as shipped once another one is with a carrier, so that an order is
    delivered only when all its parcels are.
    """
    states = [p.state for p in parcels if p.state is not None]
    if not states:
        return None
    if len(states) < len(parcels):
        return State.SHIPPED
    return PARCEL_ORDER[min(PARCEL_RANK[s] for s in states)]
