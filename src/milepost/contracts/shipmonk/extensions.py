"""What only ShipMonk can say of an order, a line or a parcel, and its published closed sets.

Field names, nulls and values are those of the published interface description (v1.024). An object
that a source sends as an extension is the same object that the body carries, so nothing is lost or
renamed on the way through; only lengths are bounded, and that is ours.
"""

from __future__ import annotations

from decimal import Decimal

from milepost.contracts.shipmonk.asked import LineAsked, OrderAsked, PackingGroup
from milepost.contracts.shipmonk.closed_sets import (
    CartonLabelType,
    ExtraDataLabel,
    ItemSource,
    OrderSize,
    OrderType,
    WmsType,
)
from milepost.contracts.shipmonk.published import Few, Many, Number, Published, check_moments
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
        check_moments(self, "earliest", "requested", "latest")


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
        check_moments(self, "cancel_date")


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
    asked: OrderAsked = OrderAsked()


class LineExtensions(Published, frozen=True):
    """What only ShipMonk can say of an order line: how it came into the order, what was asked."""

    source: ItemSource = ItemSource.IMPORTED
    asked: LineAsked = LineAsked()


class CartonLabel(Published, frozen=True):
    """A label on a carton."""

    type: CartonLabelType
    identifier: Text | None = None


class ParcelExtensions(Published, frozen=True):
    """What only ShipMonk can say of a parcel: its pallet, its box and their labels."""

    pallet_weight_lb: Weight | None = None
    pallet_number: Quantity | None = None
    box_number: Quantity | None = None
    carton_labels: Few[CartonLabel] = ()
    packing_group: PackingGroup | None = None
