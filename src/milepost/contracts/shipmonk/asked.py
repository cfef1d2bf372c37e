"""What a merchant asks of ShipMonk that no notification shows: it is kept, and worked by.

Field names, nulls and values are those of the published interface description (v1.024).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from milepost.contracts.shipmonk.closed_sets import (
    CartonLabelWish,
    EmbroideryType,
    FulfillmentStrategy,
    LabelSource,
    PackingSlipType,
    SpecialInstructionType,
)
from milepost.contracts.shipmonk.published import Few, Many, Published
from milepost.orders.model import LongText, Name, Quantity, Text, Url


class PackingGroup(Published, frozen=True):
    """The group of packages that one belongs to."""

    key: Text
    name: Text | None = None


class NamedText(Published, frozen=True):
    """A name and a value that a merchant attached."""

    name: Name
    value: LongText


class CartonLabelInput(Published, frozen=True):
    """A label that a merchant wants on each carton; one of the type `custom` needs its URL."""

    type: CartonLabelWish | None = None
    name: Text | None = None
    url: Url | None = None
    shipping_data_required: bool = False
    approved_shipment_id_number_required: bool = False
    data_source: LabelSource | None = None


class PackingSlip(Published, frozen=True):
    """The packing slip of the whole order."""

    type: PackingSlipType | None = None
    name: Text | None = None
    shipping_data_required: bool = False
    approved_shipment_id_number_required: bool = False


class LotWish(Published, frozen=True):
    """A lot that has to be picked."""

    lot_number: Text | None = None
    expiration_date: date | None = None


class LotRequirements(Published, frozen=True):
    """Which lots may be picked for a line: at least so fresh, or these and no others."""

    minimum_shelf_life_days: Annotated[int, msgspec.Meta(ge=1)] | None = None
    lot_controls: Few[LotWish] = ()


class Embroidery(Published, frozen=True):
    """What is embroidered where."""

    type: EmbroideryType
    location: Text
    color: Text | None = None
    font: Text | None = None
    line1: Annotated[str, msgspec.Meta(max_length=25)] | None = None
    line2: Annotated[str, msgspec.Meta(max_length=25)] | None = None
    line3: Annotated[str, msgspec.Meta(max_length=25)] | None = None
    logo_url: Url | None = None
    file_identifier: Text | None = None
    symbol: Text | None = None
    symbol_color: Text | None = None


class SpecialInstruction(Published, frozen=True):
    """How a line is worked on."""

    type: SpecialInstructionType
    values: Few[Embroidery]


class OrderAsked(Published, frozen=True):
    """What a merchant asked for and no notification shows."""

    internal_notes: LongText | None = None
    submit_at: Text | None = None
    b2b_attributes: Many[NamedText] = ()
    minimum_shelf_life_days: Quantity | None = None
    carton_labels: Few[CartonLabelInput] = ()
    order_level_packing_slip: PackingSlip | None = None
    fulfillment_strategy: FulfillmentStrategy | None = None


class LineAsked(Published, frozen=True):
    """What a merchant asked of a line and no notification shows."""

    packing_group: PackingGroup | None = None
    custom_data: Many[NamedText] = ()
    b2b_attributes: Many[NamedText] = ()
    special_instructions: Few[SpecialInstruction] = ()
    lot_requirements: LotRequirements | None = None
