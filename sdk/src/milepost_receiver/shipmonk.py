"""ShipMonk's order status change, and its sibling events on the same URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from milepost_receiver.body import Json, read_json
from milepost_receiver.fields import Fields
from milepost_receiver.notification import DeliveryFacts, Notification

PROCESSING_STATUSES = frozenset(
    {
        "backorder",
        "unable_to_submit",
        "queued_to_submit",
        "subscription",
        "package_forwarding",
        "awaiting_label_request_from_merchant_facility",
        "on_hold",
        "submitted",
        "pick_in_progress",
        "pack_in_progress",
        "packed",
        "awaiting_pick_up",
        "awaiting_carrier_processing",
        "en_route",
        "delivered",
        "undeliverable",
        "shipped_untrackable",
        "fulfilled_by_3rd",
        "cancellation_requested",
        "cancelled",
        "updating",
    }
)
ORDER_STATUSES = frozenset({"unfulfilled", "fulfilled", "onHold", "cancelled"})

OTHER_SPELLINGS: Mapping[str, str] = {"back-order": "backorder"}
"""The provider's text writes one status differently from its own list of values."""

SIBLINGS: Mapping[str, frozenset[str]] = {
    "shipment": frozenset({"parent_order_key"}),
    "return": frozenset({"rma", "return_reason"}),
    "receiving": frozenset({"asn"}),
}
"""The top-level keys by which a sibling event is told from the others, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipMonkPackage:
    """One package of an order; `number` counts from 1."""

    number: int | None
    tracking_number: str | None
    tracking_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipMonkNotification(Notification):
    """A change of one order's processing status, in ShipMonk's words.

    Fields are named as in the body, except `carrier` and `carrier_service`, which are those of its
    `shipment_data`. `body` holds all that was sent, read-only. Times are UTC.
    """

    order_key: str
    order_number: str | None
    store_id: int | None
    store_name: str | None
    processing_status: str
    order_status: str | None
    carrier: str | None
    carrier_service: str | None
    master_tracking_number: str | None
    tracking_url: str | None
    packages: tuple[ShipMonkPackage, ...]
    ordered_at: datetime | None
    shipped_at: datetime | None
    updated_at: datetime | None
    body: Mapping[str, Json] = field(repr=False, hash=False)

    @property
    def tracking_numbers(self) -> tuple[str, ...]:
        """Each package's tracking number, once; the master's when no package has one."""
        numbers = [p.tracking_number for p in self.packages if p.tracking_number]
        master = [self.master_tracking_number] if self.master_tracking_number else []
        return tuple(dict.fromkeys(numbers or master))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipMonkOther(Notification):
    """Another event on the same URL: `kind` is shipment, return, receiving or unknown."""

    kind: str
    body: Mapping[str, Json] = field(repr=False, hash=False)


def parse_shipmonk(
    headers: Mapping[str, str],  # noqa: ARG001
    *,
    facts: DeliveryFacts,
) -> ShipMonkNotification | ShipMonkOther:
    """The order in the body, or the sibling event that its keys tell of. Raises BodyMalformed."""
    body = read_json(facts["received"])
    if "processing_status" not in body:
        kind = next((kind for kind, keys in SIBLINGS.items() if keys <= body.keys()), "unknown")
        return ShipMonkOther(**facts, known=kind != "unknown", kind=kind, body=body)
    order = Fields(body)
    written = order.text("processing_status")
    processing_status = OTHER_SPELLINGS.get(written, written)
    order_status = order.text_or_none("order_status")
    store = order.record("store")
    shipment = order.record("shipment_data")
    return ShipMonkNotification(
        **facts,
        known=processing_status in PROCESSING_STATUSES
        and (order_status is None or order_status in ORDER_STATUSES),
        order_key=order.text("order_key"),
        order_number=order.text_or_none("order_number"),
        store_id=store.whole_or_none("id"),
        store_name=store.text_or_none("name"),
        processing_status=processing_status,
        order_status=order_status,
        carrier=shipment.text_or_none("carrier"),
        carrier_service=shipment.text_or_none("service"),
        master_tracking_number=order.text_or_none("master_tracking_number"),
        tracking_url=order.text_or_none("tracking_url"),
        packages=tuple(_package(package) for package in order.records("packages")),
        ordered_at=order.moment_or_none("ordered_at"),
        shipped_at=order.moment_or_none("shipped_at"),
        updated_at=order.moment_or_none("updated_at"),
        body=body,
    )


def _package(package: Fields) -> ShipMonkPackage:
    return ShipMonkPackage(
        number=package.whole_or_none("number"),
        tracking_number=package.text_or_none("tracking_number"),
        tracking_url=package.text_or_none("tracking_url"),
    )
