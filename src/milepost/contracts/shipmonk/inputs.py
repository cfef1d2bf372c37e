"""What a merchant sends of an order: ShipMonk's published input.

Field names, defaults, lengths and closed sets are those of the published interface description
(v1.024) of "Create or Update Order". A key that it does not have is refused; that is published too.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec

from milepost.contracts.contract import read_under
from milepost.contracts.shipmonk.asked import (
    CartonLabelInput,
    LotRequirements,
    NamedText,
    PackingGroup,
    PackingSlip,
    SpecialInstruction,
)
from milepost.contracts.shipmonk.closed_sets import (
    CartonLabelWish,
    FulfillmentStrategy,
    OrderType,
    ReferenceType,
    TaxIdType,
)
from milepost.contracts.shipmonk.extensions import (
    ShippingLabel,
)
from milepost.errors import InvalidInput
from milepost.orders.model import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    check_amount,
)

DEFAULT_CURRENCY = "USD"

Short = Annotated[str, msgspec.Meta(max_length=255)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Long = Annotated[str, msgspec.Meta(max_length=65_535)]
Said = Annotated[str, msgspec.Meta(pattern=r"\S", max_length=65_535)]
Web = Annotated[str, msgspec.Meta(max_length=2_048)]
Units = Annotated[int, msgspec.Meta(ge=0, le=999_999)]
StoreNumber = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
Code = Annotated[str, msgspec.Meta(min_length=2, max_length=2)]


class OrderStatusInput(StrEnum):
    """What a merchant wants of an order: to be fulfilled, or to be told that it is not."""

    UNFULFILLED = "unfulfilled"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    ON_HOLD = "onHold"


class PackType(StrEnum):
    """How the sandbox packs: everything in one package, or the items in several."""

    SINGLEPACK = "singlepack"
    MULTIPACK = "multipack"


class Given(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True):
    """The base of every object that comes in: a key that is not published is refused."""


class DatesInput(Given, frozen=True):
    """The earliest, the wanted and the latest day for something."""

    earliest: date | None = None
    requested: date | None = None
    latest: date | None = None


class DocumentInput(Given, frozen=True):
    """A file to be printed and enclosed."""

    name: Short
    url: Web


class RequirementsInput(Given, frozen=True):
    """What has to be minded when the order is packed and shipped."""

    special_instruction: Said | None = None
    pack_list_required: bool = False
    carton_labels: tuple[CartonLabelInput, ...] = ()
    order_level_packing_slip: PackingSlip | None = None
    shipping_label: ShippingLabel | None = None
    additional_documents: tuple[DocumentInput, ...] = ()
    shipping_date: DatesInput | None = None
    delivery_date: DatesInput | None = None
    cancel_date: date | None = None
    fulfillment_strategy: FulfillmentStrategy | None = None


class TaxIdInput(Given, frozen=True):
    """The recipient's tax identifier."""

    type: TaxIdType
    value: Short
    issuing_country_id: Code


class ReferenceInput(Given, frozen=True):
    """Another system's identifier of the order."""

    type: ReferenceType
    value: Said


class ShipTo(Given, frozen=True):
    """Where the order goes."""

    name: Short | None = None
    company: Short | None = None
    street1: Short | None = None
    street2: Short | None = None
    state: Short | None = None
    city: Short | None = None
    zip: Short | None = None
    country_code: Short | None = None
    phone: Short | None = None


class ItemInput(Given, frozen=True):
    """One line of the order."""

    sku: Key
    quantity: Units
    line_key: Short | None = None
    name: Annotated[str, msgspec.Meta(max_length=65_536)] | None = None
    price: Decimal | None = None
    packing_group: PackingGroup | None = None
    custom_data: tuple[NamedText, ...] = ()
    b2b_attributes: tuple[NamedText, ...] = ()
    special_instructions: tuple[SpecialInstruction, ...] = ()
    image_url: Web | None = None
    lot_requirements: LotRequirements | None = None

    def __post_init__(self) -> None:
        check_amount("price", self.price)


class GivenOrder(Given, frozen=True):
    """The body of "Create or Update Order"."""

    store_id: StoreNumber
    order_number: Key
    order_key: Key
    items: tuple[ItemInput, ...]
    ship_to: ShipTo
    requested_shipping_service: Short
    ordered_at: str
    order_status: OrderStatusInput
    attributes: tuple[NamedText, ...] = ()
    trading_partner: Short | None = None
    order_type: OrderType | None = None
    customer_email: Short | None = None
    shipping_paid: Decimal | None = None
    taxes_paid: Decimal | None = None
    currency_code: Annotated[str, msgspec.Meta(max_length=3)] | None = DEFAULT_CURRENCY
    references: tuple[ReferenceInput, ...] = ()
    customer_notes: Long | None = None
    internal_notes: Long | None = None
    warehouse: Short | None = None
    gift_message: Long | None = None
    gift_from: Short | None = None
    custom_data: tuple[NamedText, ...] = ()
    b2b_attributes: tuple[NamedText, ...] = ()
    submit_at: str | None = None
    special_requirements: RequirementsInput | None = None
    recipient_tax_id: TaxIdInput | None = None
    minimum_shelf_life_days: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        check_amount("shipping_paid", self.shipping_paid)
        check_amount("taxes_paid", self.taxes_paid)
        for name, paid in (("shipping_paid", self.shipping_paid), ("taxes_paid", self.taxes_paid)):
            if paid is not None and paid < 0:
                raise ValueError(f"{name}: expected a number of at least 0")


class SubmitOrder(Given, frozen=True):
    """The body of "Submit Order"."""

    order_key: Key
    store_id: StoreNumber
    submit_at: str


class CompleteOrder(Given, frozen=True):
    """The body of the sandbox's "Complete Order"; `scenario` is ours."""

    order_key: Key
    store_id: StoreNumber
    pack_type: PackType = PackType.SINGLEPACK
    scenario: Short | None = None


def read_order(raw: bytes) -> GivenOrder:
    """The body of "Create or Update Order". Raises InvalidInput naming the key."""
    given = read_under("", shape=GivenOrder, raw=raw)
    _check_lots(given)
    for place, label in enumerate((given.special_requirements or NO_REQUIREMENTS).carton_labels):
        if label.type is CartonLabelWish.CUSTOM and not label.url:
            field = f"special_requirements.carton_labels[{place}].url"
            raise InvalidInput(field=field, expected="a URL, as the type of the label is custom")
    return given


NO_REQUIREMENTS = RequirementsInput()


def _check_lots(given: GivenOrder) -> None:
    """A shelf life is for the order or for lines, and a line with one names no lots (published)."""
    for place, item in enumerate(given.items):
        wanted = item.lot_requirements
        if wanted is None or wanted.minimum_shelf_life_days is None:
            continue
        field = f"items[{place}].lot_requirements"
        if given.minimum_shelf_life_days is not None:
            raise InvalidInput(
                field=f"{field}.minimum_shelf_life_days",
                expected="null beside the order's minimum_shelf_life_days",
            )
        if wanted.lot_controls:
            raise InvalidInput(
                field=f"{field}.lot_controls", expected="none beside minimum_shelf_life_days"
            )


_LOCAL = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?", re.ASCII)
_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)\Z", re.ASCII)


def read_moment(field: str, text: str) -> datetime:
    """A time as merchants write it, with an offset or, as in the published examples, without one.

    Without an offset it is UTC; that is ours. Raises InvalidInput.
    """
    bare = _OFFSET.sub("", text)
    try:
        found = datetime.fromisoformat(text) if _LOCAL.fullmatch(bare) else None
    except ValueError:
        found = None
    if found is None or not EARLIEST_YEAR <= found.year < LATEST_YEAR:
        raise InvalidInput(
            field=field,
            expected=f"a date and time (ISO 8601) from {EARLIEST_YEAR} to {LATEST_YEAR - 1}",
        )
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
