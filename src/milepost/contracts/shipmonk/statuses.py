"""An order in ShipMonk's words and back: a processing status and the order status above it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from milepost.contracts.contract import Reading, Words
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import BEFORE_SHIPPING, Reason, State
from milepost.orders.model import Order

S = State

UNFULFILLED, FULFILLED, ON_HOLD, CANCELLED = "unfulfilled", "fulfilled", "onHold", "cancelled"
ORDER_STATUSES = (UNFULFILLED, FULFILLED, ON_HOLD, CANCELLED)
UPDATING = "updating"
ADDRESS_ACTION = "address"

SHOWN: Mapping[State, tuple[str, str]] = MappingProxyType(
    {
        S.CREATED: ("queued_to_submit", UNFULFILLED),
        S.VERIFYING: ("queued_to_submit", UNFULFILLED),
        S.VERIFIED: ("queued_to_submit", UNFULFILLED),
        S.SCHEDULED: ("queued_to_submit", UNFULFILLED),
        S.ADDRESS_ERROR: ("unable_to_submit", UNFULFILLED),
        S.SUBMIT_FAILED: ("unable_to_submit", UNFULFILLED),
        S.SUBMITTED: ("submitted", UNFULFILLED),
        S.PICKING: ("pick_in_progress", UNFULFILLED),
        S.PACKING: ("pack_in_progress", UNFULFILLED),
        S.PACKED: ("packed", UNFULFILLED),
        S.READY_TO_SHIP: ("awaiting_pick_up", UNFULFILLED),
        S.ON_HOLD: ("on_hold", ON_HOLD),
        S.BACKORDERED: ("backorder", UNFULFILLED),
        S.CANCEL_REQUESTED: ("cancellation_requested", UNFULFILLED),
        S.CANCELLED: ("cancelled", CANCELLED),
        S.FULFILLED_ELSEWHERE: ("fulfilled_by_3rd", FULFILLED),
        S.SHIPPED: ("awaiting_carrier_processing", FULFILLED),
        S.INFO_RECEIVED: ("awaiting_carrier_processing", FULFILLED),
        S.IN_TRANSIT: ("en_route", FULFILLED),
        S.OUT_FOR_DELIVERY: ("en_route", FULFILLED),
        S.ATTEMPT_FAILED: ("en_route", FULFILLED),
        S.AVAILABLE_FOR_PICKUP: ("en_route", FULFILLED),
        S.DELAYED: ("en_route", FULFILLED),
        S.EXCEPTION: ("en_route", FULFILLED),
        S.UNDELIVERABLE: ("undeliverable", FULFILLED),
        S.RETURNING: ("undeliverable", FULFILLED),
        S.RETURNED: ("undeliverable", FULFILLED),
        S.DELIVERED: ("delivered", FULFILLED),
        S.EXPIRED: ("shipped_untrackable", FULFILLED),
        S.UNTRACKED: ("shipped_untrackable", FULFILLED),
    }
)
SCHEDULED_BY_REASON: Mapping[Reason | None, str] = MappingProxyType(
    {
        None: "queued_to_submit",
        Reason.FUTURE_DATE: "queued_to_submit",
        Reason.SUBSCRIPTION: "subscription",
        Reason.PACKAGE_FORWARDING: "package_forwarding",
        Reason.MERCHANT_FACILITY: "awaiting_label_request_from_merchant_facility",
    }
)
"""What a scheduled order shows, which depends on what it waits for."""

READ: Mapping[str, Reading] = MappingProxyType(
    {
        "backorder": Reading(S.BACKORDERED),
        "unable_to_submit": Reading(S.SUBMIT_FAILED),
        "queued_to_submit": Reading(S.VERIFIED),
        "subscription": Reading(S.SCHEDULED, Reason.SUBSCRIPTION),
        "package_forwarding": Reading(S.SCHEDULED, Reason.PACKAGE_FORWARDING),
        "awaiting_label_request_from_merchant_facility": Reading(
            S.SCHEDULED, Reason.MERCHANT_FACILITY
        ),
        "on_hold": Reading(S.ON_HOLD),
        "submitted": Reading(S.SUBMITTED),
        "pick_in_progress": Reading(S.PICKING),
        "pack_in_progress": Reading(S.PACKING),
        "packed": Reading(S.PACKED),
        "awaiting_pick_up": Reading(S.READY_TO_SHIP),
        "awaiting_carrier_processing": Reading(S.SHIPPED),
        "en_route": Reading(S.IN_TRANSIT),
        "delivered": Reading(S.DELIVERED),
        "undeliverable": Reading(S.UNDELIVERABLE),
        "shipped_untrackable": Reading(S.UNTRACKED),
        "fulfilled_by_3rd": Reading(S.FULFILLED_ELSEWHERE),
        "cancellation_requested": Reading(S.CANCEL_REQUESTED),
        "cancelled": Reading(S.CANCELLED),
        UPDATING: Reading(None, updating=True),
    }
)
OTHER_SPELLINGS: Mapping[str, str] = MappingProxyType({"back-order": "backorder"})
"""The published text writes one value differently from the published list of values."""

STATUSES = tuple(READ)
ANSWERED_ONLY = frozenset(
    ("awaiting_label_request_from_merchant_facility", "fulfilled_by_3rd", UPDATING)
)
SENDS = frozenset(STATUSES) - ANSWERED_ONLY
"""The 18 values that the webhook's page lists; the others exist only in the answer to a GET."""


def processing_status(order: Order) -> str:
    """The fine-grained status, which is also what a subscription names.

    An edit that is being taken in shows only before shipping: ours, so that it never hides what a
    carrier says.
    """
    if order.updating and order.state in BEFORE_SHIPPING:
        return UPDATING
    if order.state is S.SCHEDULED:
        return SCHEDULED_BY_REASON[order.reason]
    return SHOWN[order.state][0]


def order_status(order: Order) -> str:
    return SHOWN[order.state][1]


def words(order: Order) -> Words:
    return {"processing_status": processing_status(order), "order_status": order_status(order)}


def reads(said: Words) -> Reading:
    """Our state for a processing status; both spellings of backorder are read.

    `actions_required` set to "address" tells a refused address from another failed hand-over.
    """
    status = said.get("processing_status") or ""
    reading = READ.get(OTHER_SPELLINGS.get(status, status))
    if reading is None:
        raise InvalidInput(field="processing_status", expected=f"one of {', '.join(STATUSES)}")
    above = said.get("order_status")
    if above is not None and above not in ORDER_STATUSES:
        raise InvalidInput(field="order_status", expected=f"one of {', '.join(ORDER_STATUSES)}")
    if reading.state is S.SUBMIT_FAILED and said.get("actions_required") == ADDRESS_ACTION:
        return Reading(S.ADDRESS_ERROR)
    return reading
