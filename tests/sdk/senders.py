"""What senders send: bodies of the three contracts, signed by somebody else's implementation."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

NOW = 1_767_600_000
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(100, 132))).decode()
FOREIGN_SECRET = "whsec_" + base64.b64encode(bytes(range(200, 232))).decode()
ORDER_ID = "ord_01jgw3v0c8c7k5m8r2x4n6p9qa"
ENDPOINT_ID = "ep_ab2cd3ef4g"


def now() -> float:
    return float(NOW)


def text(body: Any) -> bytes:
    return json.dumps(body).encode()


def delivery_id(sequence: int = 7, *, order_id: str = ORDER_ID, replay: int = 0) -> str:
    name = f"{order_id}-{sequence}-{ENDPOINT_ID}"
    return f"{name}-r{replay}" if replay else name


def signature(body: bytes, *, name: str, at: int = NOW, secret: str = SECRET) -> str:
    return Webhook(secret).sign(name, datetime.fromtimestamp(at, UTC), body.decode())


def signed(
    body: bytes, *, name: str | None = None, at: int = NOW, secret: str = SECRET
) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    name = delivery_id() if name is None else name
    return {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(body, name=name, at=at, secret=secret),
    }


def numbered(sequence: int = 7, *, previous: int = 6, attempt: int = 1) -> dict[str, str]:
    """The headers by which the hub names order and sequence."""
    return {
        "milepost-order": ORDER_ID,
        "milepost-sequence": str(sequence),
        "milepost-previous": str(previous),
        "milepost-attempt": str(attempt),
    }


def envelope(**data: Any) -> dict[str, Any]:
    """A notification of the standard contract, with other values for some keys of its data."""
    return {
        "type": "order.state_changed",
        "timestamp": "2026-01-05T08:00:00Z",
        "data": {
            "sequence": 7,
            "occurred_at": "2026-01-05T08:00:00Z",
            "received_at": "2026-01-05T08:00:00.250000Z",
            "source": "east-warehouse",
            "raw": "Handed over",
            "correction": False,
            "note": None,
            "skipped": ["picking", "packing"],
            "parcel": None,
            "order": standard_order(),
            "words": {
                "withings": {"status": "SHIPPED", "parcel_status": "pending"},
                "shipmonk": {"processing_status": "en_route", "order_status": "fulfilled"},
            },
            **data,
        },
    }


def standard_order(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": ORDER_ID,
        "store": "main",
        "order_key": "A-1001",
        "order_number": "1001",
        "state": "shipped",
        "reason": None,
        "previous_state": "submitted",
        "attention": False,
        "replacement_for": None,
        "parcels": [
            {
                "parcel": "1",
                "state": "shipped",
                "carrier": "UPS",
                "carrier_service": "Ground",
                "tracking_number": "1Z999AA10123456784",
                "tracking_url": "https://track.example/1Z999AA10123456784",
                "state_at": "2026-01-05T09:00:00+01:00",
            }
        ],
        **changes,
    }


def withings_update(**changes: Any) -> dict[str, Any]:
    return {
        "customer_id": "4711",
        "customer_ref": "REF-1001",
        "status": "PROCESSING",
        "is_replacement": False,
        **changes,
    }


def shipmonk_address() -> dict[str, Any]:
    return {
        "first_name": "Ada",
        "last_name": "Novak",
        "company": None,
        "street1": "12 Mill Lane",
        "street2": None,
        "city": "Brno",
        "zip": "60200",
        "country_code": "CZ",
        "phone": "+420700100200",
        "email": "ada@example.com",
    }


def shipmonk_order(**changes: Any) -> dict[str, Any]:
    """An order as ShipMonk sends it, with all that the kit reads and some of what it does not."""
    return {
        "order_key": "agabc123",
        "order_number": "1001",
        "order_type": None,
        "store": {"id": 77, "name": "Main shop"},
        "ordered_at": "2026-01-03T10:00:00+00:00",
        "customer_email": "ada@example.com",
        "shipping_paid": 5.5,
        "ship_from": shipmonk_address(),
        "ship_to": shipmonk_address(),
        "order_status": "fulfilled",
        "processing_status": "en_route",
        "items": [{"sku": f"SKU-{n}", "quantity": n, "price": 9.95} for n in (1, 2, 3)],
        "actions_required": {"address": False, "customs": False},
        "master_tracking_number": "1ZMASTER",
        "tracking_url": "https://track.example/1ZMASTER",
        "packages": [
            {"number": 1, "tracking_number": "1ZA", "tracking_url": "https://track.example/1ZA"},
            {"number": 2, "tracking_number": "1ZB", "tracking_url": None},
            {"number": 3, "tracking_number": None, "tracking_url": None},
        ],
        "shipment_data": {"carrier": "UPS", "service": "Ground"},
        "order_parts": None,
        "shipped_at": "2026-01-05T09:00:00+01:00",
        "updated_at": None,
        **changes,
    }
