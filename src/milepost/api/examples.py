"""Examples in the published document, by the route's name; tests check them against the code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from milepost.api.problems import Status

_ORDER_ID = "ord_01k8x5v0q2m4n6p8r0s2t4v6w8"
_ENDPOINT_ID = "ep_7m2k9q4t0x"
_ORDER = {
    "store": "berlin",
    "order_key": "B-1001",
    "order_number": "1001",
    "ordered_at": "2026-11-20T09:30:00Z",
    "currency": "EUR",
    "customer_email": "ada@example.com",
    "ship_to": {
        "name": "Ada Example",
        "street1": "Beispielweg 1",
        "city": "Berlin",
        "zip": "10115",
        "country_code": "DE",
    },
    "lines": [{"sku": "SCALE-1", "quantity": 1, "name": "Scale", "price": "99.95"}],
    "requested_shipping_service": "standard",
}
_UPDATE = {
    "store": "berlin",
    "order_key": "B-1001",
    "state": "shipped",
    "source": "warehouse",
    "carrier": "ups",
    "carrier_service": "standard",
    "tracking_number": "1Z999AA10123456784",
}
_DELIVERY = {
    "delivery_id": f"{_ORDER_ID}-2-{_ENDPOINT_ID}",
    "endpoint_id": _ENDPOINT_ID,
    "order_id": _ORDER_ID,
    "sequence": 2,
    "state": "pending",
    "replay": 0,
    "due_at": "2026-11-20T09:35:00Z",
}

REQUESTS: Mapping[str, Any] = MappingProxyType(
    {
        "putOrder": _ORDER,
        "putOrders": {"orders": [_ORDER]},
        "postUpdate": _UPDATE,
        "postUpdates": {"updates": [_UPDATE]},
        "putStore": {"name": "Berlin", "number": 7},
        "putWarehouse": {
            "name": "Florida",
            "timezone": "America/New_York",
            "address": {"city": "Tampa", "state": "FL", "country_code": "US"},
        },
        "requireActions": {"customs": True, "address": False},
        "splitOrder": {
            "parts": [
                {"order_key": "B-1001-2", "lines": [{"sku": "SCALE-1", "quantity": 1}]},
            ]
        },
        "createEndpoint": {
            "contract": "withings",
            "url": "https://example.com/notifications",
            "stores": ["berlin"],
            "statuses": ["SHIPPED", "delivered"],
            "options": {"customer_id": "12345"},
        },
        "putSilenceThresholds": {
            "thresholds": [
                {"state": "on_hold", "after_s": 864_000},
                {"state": "backordered", "after_s": None},
            ]
        },
        "pushScans": {
            "scans": [
                {
                    "tracking_number": "1Z999AA10123456784",
                    "occurred_at": "2026-01-31T12:00:00Z",
                    "state": "out_for_delivery",
                    "raw": "OFD",
                    "source": "ups",
                }
            ]
        },
        "reconcileSource": {"changed_since": "2026-11-20T09:00:00Z", "dry_run": True},
        "resendFailed": {"since": "2026-11-20T09:00:00Z", "dry_run": True},
        "resendBetween": {
            "endpoint_id": _ENDPOINT_ID,
            "since": "2026-11-20T09:00:00Z",
            "until": "2026-11-20T12:00:00Z",
        },
        "resendOrder": {"order_id": _ORDER_ID, "first": 2, "last": 4},
        "resendLatest": {"endpoint_id": _ENDPOINT_ID, "since": "2026-11-20T09:00:00Z"},
        "changeEndpoint": {"description": "the customer portal", "statuses": None},
        "rotateSecret": {"overlap_s": 86_400},
        "eraseOrder": {"abandon_pending": True, "note": "request 4711"},
        "findPerson": {"email": "ada@example.com"},
        "addSource": {
            "source": "shipmonk",
            "kind": "shipmonk",
            "store": "berlin",
            "stores": {"12": "berlin"},
            "credentials": {"username": "hub", "password": "a long one"},
        },
        "changeSource": {"networks": ["192.0.2.0/24"], "precedence": 10},
        "advanceClock": {"by": "3d"},
        "dismissAttention": {"items": [f"delivery:{_ORDER_ID}-2-{_ENDPOINT_ID}"]},
        "addClient": {
            "name": "shop",
            "billing_id": "12345",
            "notify_uri": "https://example.com/notifications",
        },
        "changeClient": {"rotate_secret": True},
        "replaceOrder": {
            "original_serial_number": "SN-001122334455",
            "note": "the display was broken",
        },
    }
)

ANSWERS: Mapping[tuple[str, Status], Any] = MappingProxyType(
    {
        ("putOrder", Status.CREATED): {
            "outcome": "created",
            "order_id": _ORDER_ID,
            "store": "berlin",
            "order_key": "B-1001",
            "state": "created",
            "sequence": 1,
        },
        ("putOrders", Status.OK): {
            "results": [
                {
                    "index": 0,
                    "outcome": "created",
                    "order_id": _ORDER_ID,
                    "state": "created",
                    "sequence": 1,
                },
                {
                    "index": 1,
                    "outcome": "refused",
                    "problem": {
                        "type": "urn:milepost:problem:invalid-input",
                        "title": "The input is not valid.",
                        "status": 422,
                        "detail": "store: expected a store of this account",
                        "field": "store",
                        "expected": "a store of this account",
                    },
                },
            ]
        },
        ("postUpdate", Status.OK): {
            "verdict": "applied",
            "why": "main line: a step, or a skip where steps were merged",
            "order_id": _ORDER_ID,
            "store": "berlin",
            "order_key": "B-1001",
            "state": "shipped",
            "reason": None,
            "sequence": 2,
        },
        ("postUpdate", Status.ACCEPTED): {
            "verdict": "orphan",
            "why": "there is no order with this key yet; the update is kept and applies when it"
            " comes",
            "order_id": None,
            "store": "berlin",
            "order_key": "B-1002",
            "state": None,
            "reason": None,
            "sequence": None,
        },
        ("postUpdates", Status.OK): {
            "results": [
                {
                    "index": 0,
                    "verdict": "illegal",
                    "why": "there is no way from cancelled to packed",
                    "order_id": _ORDER_ID,
                    "state": "cancelled",
                    "sequence": 3,
                    "allowed": [],
                }
            ]
        },
        ("pushScans", Status.OK): {
            "results": [
                {
                    "index": 0,
                    "verdict": "applied",
                    "why": "on its way, in any order",
                    "order_id": _ORDER_ID,
                    "parcel": "unnamed",
                    "state": "out_for_delivery",
                }
            ]
        },
        ("resendLatest", Status.ACCEPTED): {
            "dry_run": False,
            "would_send": None,
            "resends": [
                {
                    "resend_id": "rsd_01k8x5v0q2m4n6p8r0s2t4v6w8",
                    "endpoint_id": _ENDPOINT_ID,
                    "choice": {"what": "latest", "since": "2026-11-20T09:00:00Z"},
                    "state": "running",
                    "asked_at": "2026-11-20T12:00:00Z",
                    "examined": 0,
                    "queued": 0,
                    "finished_at": None,
                    "why": "",
                }
            ],
            "forecasts": [],
        },
        ("testEndpoint", Status.ACCEPTED): _DELIVERY,
        ("resendDelivery", Status.ACCEPTED): {
            **_DELIVERY,
            "delivery_id": f"{_ORDER_ID}-2-{_ENDPOINT_ID}-r1",
            "replay": 1,
        },
    }
)
