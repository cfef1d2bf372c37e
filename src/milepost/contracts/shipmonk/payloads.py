"""Our event as ShipMonk's body: the whole order, in the published shape.

What every contract knows comes from the order; what only ShipMonk can say comes from the extensions
that a source sent; what nobody said has a default that the documentation lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import quote

import msgspec

from milepost.contracts.contract import Notice, read_as
from milepost.contracts.shipmonk.closed_sets import (
    ItemSource,
    ReferenceType,
    TaxIdType,
)
from milepost.contracts.shipmonk.extensions import (
    LineExtensions,
    OrderExtensions,
    ParcelExtensions,
)
from milepost.contracts.shipmonk.shapes import (
    Country,
    Item,
    ItemProduct,
    OrderAddress,
    OrderDetail,
    OrderReference,
    Package,
    PackedLine,
    PackedProduct,
    ProductLot,
    RecipientTaxId,
    ShipmentData,
    StoreName,
)
from milepost.contracts.shipmonk.statuses import FULFILLED, order_status, processing_status
from milepost.delivery.model import Body
from milepost.orders.lifecycle import State
from milepost.orders.model import (
    Address,
    Component,
    Currency,
    Line,
    Lot,
    Order,
    PackedItem,
    Parcel,
    ParcelDetails,
    Reference,
    Store,
    TaxId,
    Url,
)

NAME = "shipmonk"
NOTHING = Decimal(0)
ExtensionT = TypeVar("ExtensionT", OrderExtensions, LineExtensions, ParcelExtensions)

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_URL = re.compile(r"https?://[^\s{}]+")
_REFERENCE_TYPES: Mapping[str, ReferenceType] = MappingProxyType(
    {t.value: t for t in ReferenceType}
)
_TAX_ID_TYPES: Mapping[str, TaxIdType] = MappingProxyType({t.value: t for t in TaxIdType})
_NO_DETAILS = ParcelDetails()
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class SignatureEncoding(StrEnum):
    """How X-Sm-Signature is written, which ShipMonk does not publish."""

    HEX = "hex"
    BASE64 = "base64"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an endpoint says: how its signature is written, and what stands in for unknown values.

    `currency` is shown for orders that name none. `order_detail_url` is a template with
    {order_id}, {order_key}, {order_number} and {store}.
    """

    signature_encoding: SignatureEncoding = SignatureEncoding.HEX
    currency: Currency = "USD"
    order_detail_url: Url = ""

    def __post_init__(self) -> None:
        template = self.order_detail_url
        rest = _PLACEHOLDER.sub("", template)
        known = set(_PLACEHOLDER.findall(template)) <= set(_URL_PARTS)
        if template and not (known and _URL.fullmatch(rest)):
            names = ", ".join(f"{{{name}}}" for name in _URL_PARTS)
            raise ValueError(f"order_detail_url: expected an http or https URL with only {names}")


_URL_PARTS = ("order_id", "order_key", "order_number", "store")


def body(notice: Notice, options: Options) -> Body:
    """The order as it stands after the event, encoded once."""
    return Body(detail(notice.order, store=notice.store, options=options))


def detail(order: Order, *, store: Store, options: Options) -> bytes:
    """The order as it stands: the same bytes whether it is notified or asked for."""
    return _ENCODER.encode(order_detail(order, store=store, options=options))


def order_detail(order: Order, *, store: Store, options: Options) -> OrderDetail:
    """The 41 properties; amounts keep the digits that they came with."""
    content = order.content
    said = _said(OrderExtensions, content.extensions, none=_ORDER_SAYS_NOTHING)
    told = order.lead_parcel
    tax_id = _tax_id(content.recipient_tax_id)
    actions = said.actions_required
    if order.state is State.ADDRESS_ERROR:
        actions = msgspec.structs.replace(actions, address=True)
    touched = order.sequence > 1 or order.updated_at != order.created_at
    return OrderDetail(
        order_key=order.order_key,
        order_number=order.number,
        order_type=said.order_type,
        store=StoreName(store.number, store.name),
        warehouse=said.warehouse,
        trading_partner=said.trading_partner,
        ordered_at=_moment(order.ordered_at),
        customer_email=content.customer_email,
        shipping_method=said.shipping_method,
        requested_shipping_service=content.requested_shipping_service,
        shipping_paid=NOTHING if content.shipping_paid is None else content.shipping_paid,
        tax_paid=NOTHING if content.tax_paid is None else content.tax_paid,
        order_costs=said.order_costs,
        ship_from=_address(content.ship_from),
        ship_to=_address(content.ship_to),
        order_status=order_status(order),
        processing_status=processing_status(order),
        items=tuple([_item(line) for line in content.lines]),
        attributes=content.attributes,
        currency_code=content.currency or options.currency,
        references=tuple([_reference(reference) for reference in content.references]),
        custom_data=content.custom_data,
        special_requirements=said.special_requirements,
        actions_required=actions,
        master_tracking_number=said.master_tracking_number,
        tracking_url=told.tracking_url if told else None,
        returns=said.returns,
        packages=tuple([_package(parcel) for parcel in order.parcels]),
        tax_id=tax_id,
        recipient_tax_id=tax_id,
        shipment_data=_shipment(order, told, said=said),
        order_parts=said.order_parts,
        shipped_at=_moment(order.shipped_at) if order.shipped_at else None,
        updated_at=_moment(order.updated_at) if touched else None,
        order_size=said.order_size,
        extra_data=said.extra_data,
        serial_numbers=said.serial_numbers,
        gift_message=content.gift_message,
        gift_from=content.gift_from,
        customer_notes=content.customer_notes,
        order_detail_url=said.order_detail_url or _filled(options.order_detail_url, order),
    )


def _said(
    shape: type[ExtensionT], extensions: Mapping[str, msgspec.Raw], *, none: ExtensionT
) -> ExtensionT:
    raw = extensions.get(NAME)
    return none if raw is None else read_as(shape, bytes(raw))


_ORDER_SAYS_NOTHING = OrderExtensions()
_LINE_SAYS_NOTHING = LineExtensions(ItemSource.IMPORTED)
_PARCEL_SAYS_NOTHING = ParcelExtensions()


def _moment(at: datetime) -> str:
    """To the second and with the offset as digits: the form that every ISO 8601 reader takes."""
    return at.isoformat(timespec="seconds")


def _filled(template: str, order: Order) -> str:
    if not template:
        return ""
    parts = {
        "order_id": order.order_id,
        "order_key": order.order_key,
        "order_number": order.number,
        "store": order.store,
    }
    return _PLACEHOLDER.sub(lambda match: quote(parts[match[1]], safe=""), template)


def _address(address: Address | None) -> OrderAddress | None:
    if address is None:
        return None
    return OrderAddress(
        name=address.name,
        company=address.company,
        street1=address.street1,
        street2=address.street2,
        state=address.state,
        city=address.city,
        zip=address.zip,
        country_code=address.country_code,
        phone=address.phone,
        email=address.email,
        residential=address.residential,
    )


def _lots(lots: Iterable[Lot]) -> tuple[ProductLot, ...]:
    return tuple([ProductLot(lot.number, lot.expiration_date) for lot in lots])


def _item(line: Line) -> Item:
    said = _said(LineExtensions, line.extensions, none=_LINE_SAYS_NOTHING)
    return Item(
        line_key=line.line_key,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        price=line.price,
        image_url=line.image_url,
        fulfilled_quantity=line.fulfilled_quantity,
        source=said.source,
        products=tuple([_product(component) for component in line.components]),
    )


def _product(component: Component) -> ItemProduct:
    lot = component.lot
    return ItemProduct(
        sku=component.sku,
        quantity=component.quantity,
        backordered_quantity=component.backordered_quantity,
        lot=None if lot is None else ProductLot(lot.number, lot.expiration_date),
        other_potential_lots=_lots(component.other_potential_lots),
    )


def _reference(reference: Reference) -> OrderReference:
    """A kind of identifier that ShipMonk has no word for is shown as a plain reference number."""
    kind = _REFERENCE_TYPES.get(reference.type, ReferenceType.REFERENCE_NUMBER)
    return OrderReference(kind, reference.value)


def _tax_id(tax_id: TaxId | None) -> RecipientTaxId | None:
    """A kind of tax identifier that ShipMonk has no word for cannot be shown."""
    kind = None if tax_id is None else _TAX_ID_TYPES.get(tax_id.type.upper())
    if tax_id is None or kind is None:
        return None
    return RecipientTaxId(kind, tax_id.value, Country(tax_id.country_code, tax_id.country_name))


def _package(parcel: Parcel) -> Package:
    details = parcel.details or _NO_DETAILS
    said = _said(ParcelExtensions, details.extensions, none=_PARCEL_SAYS_NOTHING)
    return Package(
        number=details.number,
        tracking_number=parcel.tracking_number,
        tracking_url=parcel.tracking_url,
        weight_lb=details.weight,
        pallet_weight_lb=said.pallet_weight_lb,
        pallet_number=said.pallet_number,
        box_number=said.box_number,
        carton_labels=said.carton_labels,
        packed_products=_packed_products(details.items),
        packing_group=said.packing_group,
        packed_items=tuple(
            [PackedLine(item.sku, item.line_key, item.quantity) for item in details.items]
        ),
    )


def _packed_products(items: Iterable[PackedItem]) -> tuple[PackedProduct, ...]:
    """What is in a package by product; lines of the same product are added up."""
    by_sku: dict[str, tuple[int, dict[ProductLot, None]]] = {}
    for item in items:
        quantity, lots = by_sku.get(item.sku, (0, {}))
        lots.update(dict.fromkeys(_lots(item.lots)))
        by_sku[item.sku] = (quantity + item.quantity, lots)
    return tuple(
        [PackedProduct(sku, quantity, tuple(lots)) for sku, (quantity, lots) in by_sku.items()]
    )


def _shipment(order: Order, told: Parcel | None, *, said: OrderExtensions) -> ShipmentData | None:
    """None until the order has shipped and its carrier is known, as a carrier may not be null."""
    if told is None or not told.carrier or order_status(order) != FULFILLED:
        return None
    papers = said.shipment_data
    return ShipmentData(
        carrier=told.carrier,
        service=told.carrier_service,
        carrier_tracking_url=told.tracking_url,
        carrier_alpha_code=papers.carrier_alpha_code,
        carrier_trans_method_code=papers.carrier_trans_method_code,
        bill_of_lading_number=papers.bill_of_lading_number,
        master_bill_of_lading_number=papers.master_bill_of_lading_number,
        load_number=papers.load_number,
        authorization_number=papers.authorization_number,
        estimated_shipping_cost=papers.estimated_shipping_cost,
        routing=papers.routing,
    )
