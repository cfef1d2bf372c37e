"""Orders, events and stores for the tests of the contract rooms."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from milepost.contracts import Notice
from milepost.orders.events import EventType, OrderEvent
from milepost.orders.lifecycle import CARRIER, Reason, State
from milepost.orders.model import (
    Address,
    Component,
    Line,
    Lot,
    Order,
    OrderContent,
    PackedItem,
    Pair,
    Parcel,
    ParcelDetails,
    Reference,
    Store,
    TaxId,
    Weight,
)

CREATED_AT = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
OCCURRED_AT = datetime(2026, 5, 6, 9, 30, tzinfo=UTC)
RECEIVED_AT = datetime(2026, 5, 6, 9, 30, 1, 250_000, tzinfo=UTC)
STORE = Store("acc_1", "main", 17, "Main store", CREATED_AT)
ORDER_ID = "ord_01jt9x7m0v3q8s4n6k2p5w1zye"

PARCEL = Parcel(
    parcel="1",
    state_at=OCCURRED_AT,
    carrier="UPS",
    carrier_service="Ground",
    tracking_number="1Z999AA10123456784",
    tracking_url="https://carrier.example/1Z999AA10123456784",
    created_at=CREATED_AT,
)


def raw(**said: Any) -> msgspec.Raw:
    """An extension as a source would send it."""
    return msgspec.Raw(msgspec.json.encode(said))


def order(
    state: State = State.CREATED,
    reason: Reason | None = None,
    *,
    content: OrderContent | None = None,
    parcels: tuple[Parcel, ...] | None = None,
    previous_state: State | None = None,
    sequence: int = 7,
    updating: bool = False,
) -> Order:
    """An order in a state; once it has shipped it has a parcel in that state as well."""
    shipped = state in CARRIER
    if parcels is None:
        parcels = (msgspec.structs.replace(PARCEL, state=state),) if shipped else ()
    return Order(
        account_id="acc_1",
        order_id=ORDER_ID,
        store=STORE.store,
        order_key="key-1",
        state=state,
        state_at=OCCURRED_AT,
        sequence=sequence,
        created_at=CREATED_AT,
        updated_at=CREATED_AT if sequence == 1 else RECEIVED_AT,
        content=OrderContent() if content is None else content,
        reason=reason,
        previous_state=previous_state,
        updating=updating,
        shipped_at=OCCURRED_AT if shipped else None,
        parcels=parcels,
    )


def event(told: Order, *, type: EventType | None = None, **facts: Any) -> OrderEvent:  # noqa: A002
    """The event that brought an order to its state."""
    changed = EventType.CREATED if told.previous_state is None else EventType.STATE_CHANGED
    defaults: dict[str, Any] = {
        "account_id": told.account_id,
        "order_id": told.order_id,
        "sequence": told.sequence,
        "type": type or changed,
        "state": told.state,
        "previous_state": told.previous_state,
        "source": "warehouse",
        "occurred_at": OCCURRED_AT,
        "received_at": RECEIVED_AT,
        "reason": told.reason,
    }
    return OrderEvent(**{**defaults, **facts})


def notice(told: Order, **facts: Any) -> Notice:
    return Notice(told, event(told, **facts), STORE)


RICH_CONTENT = OrderContent(
    order_number="1001",
    ordered_at=datetime.fromisoformat("2026-05-04T09:58:30+02:00"),
    currency="EUR",
    customer_email="ada@example.com",
    customer_notes="Leave it with the neighbor.",
    ship_to=Address(
        name="Ada Example",
        company="Example GmbH",
        street1="Musterstraße 1",
        street2="2. Stock",
        city="Berlin",
        state="BE",
        zip="10115",
        country_code="DE",
        phone="+493012345678",
        email="ada@example.com",
        residential=False,
    ),
    ship_from=Address(name="Warehouse", city="Pittston", state="PA", country_code="US"),
    lines=(
        Line(
            sku="SCALE",
            quantity=2,
            line_key="line-1",
            name="Scale",
            price=Decimal("99.90"),
            image_url="https://shop.example/scale.png",
            fulfilled_quantity=1,
            components=(
                Component(
                    sku="SCALE-BLACK",
                    quantity=2,
                    backordered_quantity=1,
                    lot=Lot("L1", date(2027, 1, 31)),
                    other_potential_lots=(Lot("L2"), Lot(None, date(2028, 2, 29))),
                ),
            ),
            extensions={"shipmonk": raw(source="manual")},
        ),
        Line(sku="GIFT", quantity=1),
    ),
    requested_shipping_service="Express",
    shipping_paid=Decimal("4.90"),
    tax_paid=Decimal("0.10"),
    references=(Reference("po_number", "PO-7"), Reference("erp", "E-9")),
    attributes=(Pair("channel", "web"),),
    custom_data=(Pair("campaign", "spring"),),
    recipient_tax_id=TaxId("VAT", "DE123456789", "DE", "Germany"),
    gift_message="Happy birthday!",
    gift_from="Grace",
    replacement_for="key-0",
    extensions={
        "withings": raw(original_serial_number="00-24-e4-00-00-01"),
        "shipmonk": raw(
            order_type="retail",
            warehouse={
                "identifier": "PA1",
                "id": 3,
                "name": "Pittston",
                "warehouse_wms_type": "shipmonk",
            },
            trading_partner={
                "id": 8,
                "identifier": "BIGBOX",
                "name": "Big Box",
                "account": {"id": 5, "name": "Example"},
            },
            shipping_method={
                "id": 21,
                "name": "UPS Ground",
                "carrier": {"id": 2, "name": "UPS"},
            },
            order_costs={
                "estimated_shipping_related_charges": {"amount": Decimal("7.25"), "currency": "USD"}
            },
            special_requirements={
                "special_instruction": "This side up.",
                "carton_labels": [{"name": "Carton", "url": "https://files.example/1.pdf"}],
                "additional_documents": [{"url": "https://files.example/2.pdf"}],
                "shipping_label": {"url": "https://files.example/3.pdf"},
                "shipping_date": {"earliest": "2026-05-05T00:00:00+00:00"},
                "delivery_date": {"latest": "2026-05-12T18:00:00-04:00"},
                "cancel_date": "2026-05-20T00:00:00Z",
                "pack_list_required": True,
            },
            actions_required={"customs": True},
            master_tracking_number="1Z999AA10123456700",
            returns=[{"rma": "RMA-1"}],
            shipment_data={
                "carrier_alpha_code": "UPSN",
                "bill_of_lading_number": "BOL-1",
                "estimated_shipping_cost": Decimal("6.80"),
                "routing": {"routing_key": "R-1"},
            },
            order_parts={
                "main_order": {
                    "order_number": "1000",
                    "parts": [{"order_number": "1000-1"}, {"order_number": "1001"}],
                }
            },
            order_size="oversized_item",
            extra_data=[{"label": "carrierShippingMethod", "value": "UPS_GROUND"}],
            serial_numbers=[
                {
                    "line_key": "line-1",
                    "serial_numbers": [{"sku": "SCALE-BLACK", "serial_number": "SN-1"}],
                }
            ],
            order_detail_url="https://app.example/orders/1001",
        ),
    },
)
RICH_PARCELS = (
    msgspec.structs.replace(
        PARCEL,
        state=State.IN_TRANSIT,
        details=ParcelDetails(
            number=1,
            weight=Weight(Decimal("3.50"), "lb"),
            items=(
                PackedItem("SCALE-BLACK", 1, line_key="line-1", lots=(Lot("L1"),)),
                PackedItem("SCALE-BLACK", 1, line_key="line-2", lots=(Lot("L1"), Lot("L2"))),
                PackedItem("GIFT", 1),
            ),
            extensions={
                "shipmonk": raw(
                    pallet_weight_lb={"value": 250, "unit": "kg"},
                    pallet_number=1,
                    box_number=4,
                    carton_labels=[{"type": "gs1_label", "identifier": "00012345600000000018"}],
                    packing_group={"key": "g1", "name": "First"},
                )
            },
        ),
    ),
    Parcel("2", state=State.DELIVERED, tracking_number="1Z999AA10123456795"),
)


def rich_order(state: State = State.IN_TRANSIT) -> Order:
    """An order of which everything is known, in two parcels."""
    return order(
        state, content=RICH_CONTENT, parcels=RICH_PARCELS, previous_state=State.SHIPPED, sequence=9
    )
