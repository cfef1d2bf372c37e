"""The order of a test notification: made up, recognizable, and the same in every contract."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from milepost.orders.events import EventType, OrderEvent
from milepost.orders.lifecycle import State
from milepost.orders.model import Address, Line, Order, OrderContent, Parcel, Store

SOURCE = "milepost"


def sample(store: Store, *, now: datetime, order_id: str) -> tuple[Order, OrderEvent]:
    """An order that has just shipped, and the event of a test; nothing of it is real.

    `order_id` is the synthetic one under which the test is sent; it is the order's key as well.
    """
    order = Order(
        account_id=store.account_id,
        order_id=order_id,
        store=store.store,
        order_key=order_id,
        state=State.SHIPPED,
        state_at=now,
        sequence=1,
        created_at=now,
        updated_at=now,
        content=_CONTENT,
        previous_state=State.READY_TO_SHIP,
        shipped_at=now,
        parcels=(
            Parcel(
                parcel="1",
                state=State.SHIPPED,
                state_at=now,
                carrier="Test carrier",
                carrier_service="Test service",
                tracking_number="TEST0000000001",
                tracking_url="https://example.com/track/TEST0000000001",
                created_at=now,
            ),
        ),
    )
    event = OrderEvent(
        account_id=store.account_id,
        order_id=order_id,
        sequence=1,
        type=EventType.TEST,
        state=order.state,
        previous_state=order.previous_state,
        source=SOURCE,
        occurred_at=now,
        received_at=now,
        note="a test notification: there is no such order",
    )
    return order, event


_CONTENT = OrderContent(
    order_number="TEST-1",
    currency="USD",
    customer_email="test@example.com",
    ship_to=Address(
        name="Test Recipient",
        street1="1 Example Street",
        city="Springfield",
        state="IL",
        zip="62701",
        country_code="US",
    ),
    lines=(Line(sku="TEST-SKU", quantity=1, name="Test item", price=Decimal("1.00")),),
    requested_shipping_service="Test service",
)
