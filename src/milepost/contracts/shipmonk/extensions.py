"""What only ShipMonk can say of an order, a line or a parcel, and its published closed sets.

Field names, nulls and values are those of the published interface description (v1.024). An object
that a source sends as an extension is the same object that the body carries, so nothing is lost or
renamed on the way through; only lengths are bounded, and that is ours.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec

from milepost.orders.model import (
    Currency,
    LongText,
    Name,
    Quantity,
    Text,
    Url,
    Weight,
    check_amount,
)

ItemT = TypeVar("ItemT")

Number = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""A numeric identifier that every JSON reader holds exactly."""
Few = Annotated[tuple[ItemT, ...], msgspec.Meta(max_length=100)]
Many = Annotated[tuple[ItemT, ...], msgspec.Meta(max_length=1_000)]

_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class OrderType(StrEnum):
    """What kind of order it is."""

    DIRECT_TO_CONSUMER = "direct_to_consumer"
    RETAIL = "retail"
    AMAZON = "amazon"
    TRANSFER = "transfer"
    INTERNAL_WAREHOUSE_TRANSFER = "internal_warehouse_transfer"
    REMOVAL_LIQUIDATION = "removal_liquidation"
    DISPOSAL = "disposal"
    BONDED_INVENTORY_CLEARANCE = "bonded_inventory_clearance"
    WORK_ORDER = "work_order"


class WmsType(StrEnum):
    """Which system runs a warehouse."""

    SHIPMONK = "shipmonk"
    DEPOSCO = "deposco"
    MERCHANT_FACILITY = "merchant_facility"


class ItemSource(StrEnum):
    """How a line came into the order."""

    IMPORTED = "imported"
    MANUAL = "manual"
    INSERTED = "inserted"
    PACKAGING = "packaging"
    CLAIM_RESHIP = "claim_reship"


class ReferenceType(StrEnum):
    """What kind of identifier a reference is."""

    ORDER_NUMBER = "order_number"
    ORIGINAL_IMPORTED_ORDER_NUMBER = "original_imported_order_number"
    CUSTOMER_ORDER_NUMBER = "customer_order_number"
    PO_NUMBER = "po_number"
    REFERENCE_NUMBER = "reference_number"
    B2B_ROUTING_REFERENCE = "b2b_routing_reference"
    RELEASE_NUMBER = "release_number"
    JOB_NUMBER = "job_number"
    DEPOSITOR_ORDER_NUMBER = "depositor_order_number"


class CartonLabelType(StrEnum):
    """What is printed on a carton."""

    SHIPMONK_PACK_LIST_ORDER_LEVEL = "shipmonk_pack_list_order_level"
    SHIPMONK_PACK_LIST_CARTON_LEVEL = "shipmonk_pack_list_carton_level"
    RETAILER_PACKING_SLIP_ORDER_LEVEL = "retailer_packing_slip_order_level"
    SHIPMONK_CARTON_LABEL = "shipmonk_carton_label"
    SHIPMONK_PALLET_LABEL = "shipmonk_pallet_label"
    GS1_LABEL = "gs1_label"
    SHIPMONK_GS1 = "shipmonk_gs1"
    CUSTOMIZED_CARTON_LABELS = "customized_carton_labels"
    LIQUID_IV_PACKING_LIST = "liquid_iv_packing_list"
    CUSTOM_PACK_LIST_ORDER_LEVEL = "custom_pack_list_order_level"
    SPECIAL_INSTRUCTIONS = "special_instructions"


class TaxIdType(StrEnum):
    """What kind of tax identifier it is."""

    VAT = "VAT"
    IOSS = "IOSS"
    TIN = "TIN"
    EIN = "EIN"
    EORI = "EORI"
    ARN = "ARN"
    RFC = "RFC"
    CPF = "CPF"
    CNPJ = "CNPJ"
    PCCC = "PCCC"


class OrderSize(StrEnum):
    """How large the items of an order are."""

    UNKNOWN = "unknown"
    REGULAR = "regular"
    OVERSIZED_ITEM = "oversized_item"
    LARGE = "large"
    EXTRA_LARGE = "extra_large"


class ExtraDataLabel(StrEnum):
    """What an entry of extra data is about."""

    CARRIER_SHIPPING_METHOD = "carrierShippingMethod"


def _check_moments(shape: msgspec.Struct, *names: str) -> None:
    """A moment stays the text that was sent, so that it goes out with the same digits."""
    for name in names:
        text: str | None = getattr(shape, name)
        if text is None:
            continue
        try:
            valid = _ISO_MOMENT.fullmatch(text) and datetime.fromisoformat(text)
        except ValueError:
            valid = None
        if not valid:
            raise ValueError(f"{name}: expected a date and time with an offset (ISO 8601)")


class Published(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The base of every published object: nothing but its own fields, and every one of them."""


class Warehouse(Published, frozen=True):
    """The warehouse that works on an order."""

    identifier: Text
    id: Number
    name: Text
    warehouse_wms_type: WmsType


class Account(Published, frozen=True):
    """The merchant that a trading partner belongs to."""

    id: Number
    name: Text


class TradingPartner(Published, frozen=True):
    """The retailer or distributor that an order is for."""

    id: Number
    identifier: Text
    name: Text
    account: Account


class Carrier(Published, frozen=True):
    """The carrier of a shipping method."""

    id: Number
    name: Text


class ShippingMethod(Published, frozen=True):
    """The carrier and service that were chosen."""

    id: Number
    name: Text
    carrier: Carrier


class Money(Published, frozen=True):
    """An amount and its currency."""

    amount: Decimal
    currency: Currency

    def __post_init__(self) -> None:
        check_amount("amount", self.amount)


class OrderCosts(Published, frozen=True):
    """What fulfilling the order is estimated to cost."""

    estimated_shipping_related_charges: Money | None = None
    estimated_packaging_material_charges: Money | None = None
    estimated_pick_and_pack_charges: Money | None = None


class Document(Published, frozen=True, kw_only=True):
    """A file to be loaded from a URL."""

    name: Text | None = None
    url: Url


class ShippingLabel(Published, frozen=True):
    """A label that the customer provides."""

    url: Url


class DateWindow(Published, frozen=True):
    """The earliest, the wanted and the latest time for something."""

    earliest: Text | None = None
    requested: Text | None = None
    latest: Text | None = None

    def __post_init__(self) -> None:
        _check_moments(self, "earliest", "requested", "latest")


class SpecialRequirements(Published, frozen=True):
    """What has to be minded when the order is packed and shipped."""

    special_instruction: LongText | None = None
    carton_labels: Few[Document] = ()
    additional_documents: Few[Document] = ()
    shipping_label: ShippingLabel | None = None
    shipping_date: DateWindow | None = None
    delivery_date: DateWindow | None = None
    cancel_date: Text | None = None
    pack_list_required: bool = False

    def __post_init__(self) -> None:
        _check_moments(self, "cancel_date")


class ActionsRequired(Published, frozen=True):
    """What has to be settled before the order can go on."""

    item_mapping: bool = False
    address: bool = False
    shipping_mapping: bool = False
    customs: bool = False
    at_risk: bool = False
    routing: bool = False
    freight_quote: bool = False
    freight_info: bool = False
    ship_short: bool = False
    hs_code: bool = False
    global_e_label: bool = False
    ship_monk_hazmat_carrier_service_not_available: bool = False
    automation_rule: bool = False
    pending_b2b_routing: bool = False
    value_added_service_problem: bool = False

    def __post_init__(self) -> None:
        if self.ship_monk_hazmat_carrier_service_not_available:
            name = "ship_monk_hazmat_carrier_service_not_available"
            raise ValueError(f"{name}: expected false, as it is published to be always")


class Return(Published, frozen=True):
    """A return merchandise authorization."""

    rma: Text


class Routing(Published, frozen=True):
    """The routing that a retailer gave."""

    routing_key: Text


class OrderPart(Published, frozen=True):
    """One part of an order that was split."""

    order_number: Name


class MainOrder(Published, frozen=True):
    """The order that was split, and its parts."""

    order_number: Name
    parts: Many[OrderPart] = ()


class OrderParts(Published, frozen=True):
    """Which orders a split has made."""

    main_order: MainOrder


class ExtraData(Published, frozen=True):
    """A further fact of the shipment."""

    label: ExtraDataLabel
    value: LongText


class SerialNumber(Published, frozen=True):
    """The serial number of one unit."""

    sku: Name
    serial_number: Text


class LineSerialNumbers(Published, frozen=True):
    """The serial numbers of one order line."""

    line_key: Text | None = None
    serial_numbers: Many[SerialNumber] = ()


class ShipmentExtensions(Published, frozen=True):
    """The part of `shipment_data` that no other contract knows; see Shipment."""

    carrier_alpha_code: Text | None = None
    carrier_trans_method_code: Text | None = None
    bill_of_lading_number: Text | None = None
    master_bill_of_lading_number: Text | None = None
    load_number: Text | None = None
    authorization_number: Text | None = None
    estimated_shipping_cost: Decimal | None = None
    routing: Routing | None = None

    def __post_init__(self) -> None:
        check_amount("estimated_shipping_cost", self.estimated_shipping_cost)


class OrderExtensions(Published, frozen=True):
    """What only ShipMonk can say of an order; whatever is left out stays at its default."""

    order_type: OrderType | None = None
    warehouse: Warehouse | None = None
    trading_partner: TradingPartner | None = None
    shipping_method: ShippingMethod | None = None
    order_costs: OrderCosts = OrderCosts()
    special_requirements: SpecialRequirements | None = None
    actions_required: ActionsRequired = ActionsRequired()
    master_tracking_number: Text | None = None
    returns: Few[Return] = ()
    shipment_data: ShipmentExtensions = ShipmentExtensions()
    order_parts: OrderParts | None = None
    order_size: OrderSize = OrderSize.UNKNOWN
    extra_data: Few[ExtraData] = ()
    serial_numbers: Many[LineSerialNumbers] = ()
    order_detail_url: Url | None = None


class LineExtensions(Published, frozen=True):
    """What only ShipMonk can say of an order line: how it came into the order."""

    source: ItemSource = ItemSource.IMPORTED


class CartonLabel(Published, frozen=True):
    """A label on a carton."""

    type: CartonLabelType
    identifier: Text | None = None


class PackingGroup(Published, frozen=True):
    """The group of packages that one belongs to."""

    key: Text
    name: Text | None = None


class ParcelExtensions(Published, frozen=True):
    """What only ShipMonk can say of a parcel: its pallet, its box and their labels."""

    pallet_weight_lb: Weight | None = None
    pallet_number: Quantity | None = None
    box_number: Quantity | None = None
    carton_labels: Few[CartonLabel] = ()
    packing_group: PackingGroup | None = None
