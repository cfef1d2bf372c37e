"""The body of ShipMonk's order status change: 41 properties, all of them always there.

Names, order and nulls are those of the published interface description (v1.024); what only ShipMonk
can say stands in extensions.py.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from milepost.contracts.shipmonk.asked import (
    PackingGroup,
)
from milepost.contracts.shipmonk.closed_sets import (
    ItemSource,
    OrderSize,
    OrderType,
    ReferenceType,
    TaxIdType,
)
from milepost.contracts.shipmonk.extensions import (
    ActionsRequired,
    CartonLabel,
    ExtraData,
    LineSerialNumbers,
    OrderCosts,
    OrderParts,
    Return,
    Routing,
    ShippingMethod,
    SpecialRequirements,
    TradingPartner,
    Warehouse,
)
from milepost.contracts.shipmonk.published import (
    Published,
)
from milepost.orders.model import Pair, Weight


class StoreName(Published, frozen=True):
    """The sales channel, by our number of it."""

    id: int
    name: str


class OrderAddress(Published, frozen=True):
    """Where an order is sent from or to."""

    name: str | None = None
    company: str | None = None
    street1: str | None = None
    street2: str | None = None
    state: str | None = None
    city: str | None = None
    zip: str | None = None
    country_code: str | None = None
    phone: str | None = None
    email: str | None = None
    residential: bool | None = None


class ProductLot(Published, frozen=True):
    """A lot of a product."""

    number: str | None
    expiration_date: date | None


class ItemProduct(Published, frozen=True):
    """A product in stock that a line is made of."""

    sku: str
    quantity: int
    backordered_quantity: int
    lot: ProductLot | None
    other_potential_lots: tuple[ProductLot, ...]


class Item(Published, frozen=True):
    """One line of the order."""

    line_key: str | None
    sku: str
    name: str | None
    quantity: int
    price: Decimal | None
    image_url: str | None
    fulfilled_quantity: int | None
    source: ItemSource
    products: tuple[ItemProduct, ...]


class OrderReference(Published, frozen=True):
    """Another system's identifier of the order."""

    type: ReferenceType
    value: str


class Country(Published, frozen=True):
    """The country that issued something."""

    code: str | None
    name: str | None


class RecipientTaxId(Published, frozen=True):
    """The recipient's tax identifier."""

    tax_id_type: TaxIdType
    value: str
    issuing_country: Country


class PackedProduct(Published, frozen=True):
    """How many of a product are in a package, over all lines."""

    sku: str
    quantity: int
    lots: tuple[ProductLot, ...]


class PackedLine(Published, frozen=True):
    """How many of an order line are in a package."""

    sku: str
    line_key: str | None
    quantity: int


class Package(Published, frozen=True):
    """One parcel of the order."""

    number: int | None
    tracking_number: str | None
    tracking_url: str | None
    weight_lb: Weight | None
    pallet_weight_lb: Weight | None
    pallet_number: int | None
    box_number: int | None
    carton_labels: tuple[CartonLabel, ...]
    packed_products: tuple[PackedProduct, ...]
    packing_group: PackingGroup | None
    packed_items: tuple[PackedLine, ...]


class ShipmentData(Published, frozen=True):
    """The carrier and its papers, once the order has shipped."""

    carrier: str
    service: str | None
    carrier_tracking_url: str | None
    carrier_alpha_code: str | None
    carrier_trans_method_code: str | None
    bill_of_lading_number: str | None
    master_bill_of_lading_number: str | None
    load_number: str | None
    authorization_number: str | None
    estimated_shipping_cost: Decimal | None
    routing: Routing | None


class OrderDetail(Published, frozen=True):
    """The whole body; times are ISO 8601 with an offset."""

    order_key: str
    order_number: str
    order_type: OrderType | None
    store: StoreName
    warehouse: Warehouse | None
    trading_partner: TradingPartner | None
    ordered_at: str
    customer_email: str | None
    shipping_method: ShippingMethod | None
    requested_shipping_service: str | None
    shipping_paid: Decimal
    tax_paid: Decimal
    order_costs: OrderCosts
    ship_from: OrderAddress | None
    ship_to: OrderAddress | None
    order_status: str
    processing_status: str
    items: tuple[Item, ...]
    attributes: tuple[Pair, ...]
    currency_code: str
    references: tuple[OrderReference, ...]
    custom_data: tuple[Pair, ...]
    special_requirements: SpecialRequirements | None
    actions_required: ActionsRequired
    master_tracking_number: str | None
    tracking_url: str | None
    returns: tuple[Return, ...]
    packages: tuple[Package, ...]
    tax_id: RecipientTaxId | None
    recipient_tax_id: RecipientTaxId | None
    shipment_data: ShipmentData | None
    order_parts: OrderParts | None
    shipped_at: str | None
    updated_at: str | None
    order_size: OrderSize
    extra_data: tuple[ExtraData, ...]
    serial_numbers: tuple[LineSerialNumbers, ...]
    gift_message: str | None
    gift_from: str | None
    customer_notes: str | None
    order_detail_url: str
