"""Orders as a shop sends them: 3.3 KB of JSON each, all different, the same in every run."""

from __future__ import annotations

import json
from typing import Any

MAIN, BACKLOG = "main", "backlog"
"""The store of what is measured, and that of what waits from the start."""

_WORDS = ("scale", "watch", "sensor", "strap", "charger", "cable", "mat", "cover", "battery", "hub")
_NUMBER = "0123456789"
_STORE = "S-T-O-R-E"
"""Stand for the order's number, which is what makes orders differ, and for its store."""


def _line(i: int, word: str) -> dict[str, Any]:
    return {
        "sku": f"SKU-{word.upper()}-{i:03d}",
        "quantity": i % 3 + 1,
        "line_key": f"{_NUMBER}-{i}",
        "name": f"A very good {word} in the color of the season, size {i}",
        "price": 19.99 + i,
        "components": [{"sku": f"PART-{word.upper()}-{i:03d}", "quantity": 1}],
        "image_url": f"https://images.example.com/products/{word}/{i:03d}/large.jpg",
    }


_ORDER: dict[str, Any] = {
    "store": _STORE,
    "order_key": f"B{_NUMBER}",
    "order_number": f"#{_NUMBER}",
    "ordered_at": "2026-11-20T08:15:30Z",
    "currency": "USD",
    "customer_email": f"customer{_NUMBER}@example.com",
    "customer_notes": "Please leave the parcel with the neighbor at number 12 if nobody opens.",
    "requested_shipping_service": "Ground",
    "shipping_paid": 7.90,
    "tax_paid": 12.35,
    "ship_to": {
        "name": f"Customer Number {_NUMBER}",
        "company": "Example Trading",
        "street1": "7 Long Example Street",
        "street2": "Building B, third floor",
        "city": "Springfield",
        "state": "IL",
        "zip": "62701",
        "country_code": "US",
        "phone": "+12175550100",
        "email": f"customer{_NUMBER}@example.com",
        "residential": True,
    },
    "lines": [_line(i, word) for i, word in enumerate(_WORDS)],
    "references": [{"type": "po_number", "value": f"PO-{_NUMBER}"}],
    "attributes": [
        {"name": "channel", "value": "web"},
        {"name": "campaign", "value": "autumn"},
    ],
    "custom_data": [{"name": "loyalty", "value": "gold"}],
}

_HEAD, _TAIL = json.dumps(_ORDER, separators=(",", ":")).encode().split(_STORE.encode())
_TEMPLATE = _TAIL.split(_NUMBER.encode())


def order_json(number: int, *, store: bytes = MAIN.encode()) -> bytes:
    """The order of this number; made cheaply, so that making it is not what is measured."""
    return _HEAD + store + (b"%010d" % number).join(_TEMPLATE)


def request(path: str, body: bytes, *, host: str, key: str) -> bytes:
    """A whole HTTP request, as bytes that can be written at once."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body
