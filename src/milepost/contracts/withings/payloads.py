"""An order in Withings' words, the notification of it, and back; the words are published values.

Presence follows the published table of fields: `status` before the order has shipped,
`parcel_status` and the carrier's facts once it has. Where that text contradicts itself (SHIPPED is
a status, yet a status is only for before) the notice of the change into SHIPPED carries the status;
that is our reading.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlencode

import msgspec

from milepost.contracts.contract import Notice, Reading, Words
from milepost.contracts.withings.extensions import order_extensions, parcel_extensions
from milepost.delivery.model import Body
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import State
from milepost.orders.model import Order

S = State
SHIPPED = "SHIPPED"
PENDING = "pending"
FORM = "application/x-www-form-urlencoded"
_FORM_WORDS: Mapping[str | bool, str] = MappingProxyType({True: "true", False: "false"})

Pair = tuple[str, str | None]
"""What Withings shows of an order: the status, and once it has shipped the parcel status."""

SHOWN: Mapping[State, Pair] = MappingProxyType(
    {
        S.CREATED: ("CREATED", None),
        S.VERIFYING: ("ADDRESS VERIFICATION", None),
        S.ADDRESS_ERROR: ("ADDRESS ERROR", None),
        S.VERIFIED: ("VERIFIED", None),
        S.SCHEDULED: ("VERIFIED", None),
        S.SUBMIT_FAILED: ("FAILED", None),
        S.SUBMITTED: ("PROCESSING", None),
        S.PICKING: ("PROCESSING", None),
        S.PACKING: ("PROCESSING", None),
        S.PACKED: ("OPEN", None),
        S.READY_TO_SHIP: ("OPEN", None),
        S.ON_HOLD: ("BACKHOLD", None),
        S.BACKORDERED: ("BACKHOLD", None),
        S.CANCELLED: ("TRASHED", None),
        S.FULFILLED_ELSEWHERE: (SHIPPED, None),
        S.SHIPPED: (SHIPPED, PENDING),
        S.INFO_RECEIVED: (SHIPPED, "info_received"),
        S.IN_TRANSIT: (SHIPPED, "in_transit"),
        S.OUT_FOR_DELIVERY: (SHIPPED, "in_transit"),
        S.ATTEMPT_FAILED: (SHIPPED, "failed_attempt"),
        S.AVAILABLE_FOR_PICKUP: (SHIPPED, "pickup"),
        S.DELAYED: (SHIPPED, "delayed"),
        S.EXCEPTION: (SHIPPED, "exception"),
        S.UNDELIVERABLE: (SHIPPED, "exception"),
        S.RETURNING: (SHIPPED, "return"),
        S.RETURNED: (SHIPPED, "return"),
        S.DELIVERED: (SHIPPED, "delivered"),
        S.EXPIRED: (SHIPPED, "expired"),
        S.UNTRACKED: (SHIPPED, PENDING),
    }
)
"""Every state but cancel_requested, which Withings has no word for."""

BY_STATUS: Mapping[str, State] = MappingProxyType(
    {
        "CREATED": S.CREATED,
        "ADDRESS VERIFICATION": S.VERIFYING,
        "ADDRESS ERROR": S.ADDRESS_ERROR,
        "VERIFIED": S.VERIFIED,
        "PROCESSING": S.SUBMITTED,
        "FAILED": S.SUBMIT_FAILED,
        "OPEN": S.READY_TO_SHIP,
        SHIPPED: S.SHIPPED,
        "TRASHED": S.CANCELLED,
        "BACKHOLD": S.ON_HOLD,
    }
)
BY_PARCEL_STATUS: Mapping[str, State] = MappingProxyType(
    {
        PENDING: S.SHIPPED,
        "info_received": S.INFO_RECEIVED,
        "in_transit": S.IN_TRANSIT,
        "failed_attempt": S.ATTEMPT_FAILED,
        "exception": S.EXCEPTION,
        "delayed": S.DELAYED,
        "pickup": S.AVAILABLE_FOR_PICKUP,
        "delivered": S.DELIVERED,
        "return": S.RETURNING,
        "expired": S.EXPIRED,
    }
)
STATUSES = (*BY_STATUS, *BY_PARCEL_STATUS)
ANSWERED_ONLY = frozenset(("CREATED", "ADDRESS VERIFICATION"))
SENDS = frozenset(STATUSES) - ANSWERED_ONLY
"""The eight statuses that the notification page lists, and all parcel statuses."""


class Profile(StrEnum):
    """How the body is written: as the current documentation says, or as an older one did."""

    JSON = "json"
    FORM = "form"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an endpoint says: `customer_id` is the receiver's dropshipment billing ID.

    `order_id` and `original_serial_number` turn on the fields of later page versions.
    """

    customer_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    profile: Profile = Profile.JSON
    order_id: bool = False
    original_serial_number: bool = False


def shown(order: Order) -> Pair:
    """The pair that Withings shows; a requested cancellation shows what was shown before it."""
    state: State | None = order.state
    if state is S.CANCEL_REQUESTED:
        state = order.previous_state
    return SHOWN.get(state or S.CREATED, SHOWN[S.CREATED])


def projection(order: Order) -> Hashable:
    """What an endpoint last saw of the order: the pair, and whether `pending` was said by itself.

    The notice of shipping says `pending` without the word; where a source then tells that the
    carrier has no event yet, that is news.
    """
    pair = shown(order)
    return (*pair, pair[1] == PENDING and _awaits_scan(order))


def words(order: Order) -> Words:
    status, parcel_status = shown(order)
    return {"status": status, "parcel_status": parcel_status}


def status_of(order: Order) -> str:
    """The word that a subscription names: the parcel status where the notice has one."""
    status, parcel_status = shown(order)
    ships_now = not _has_shipped(order.previous_state)
    implied = parcel_status == PENDING and not _awaits_scan(order)
    if parcel_status is None or (ships_now and implied):
        return status
    return parcel_status


def reads(said: Words) -> Reading:
    """Our state for a notified or answered pair; the parcel status, where there is one, decides."""
    status, parcel_status = said.get("status"), said.get("parcel_status")
    if status is not None:
        # The published page itself writes one status with a no-break space.
        status = " ".join(status.split())
        if status not in BY_STATUS:
            raise InvalidInput(field="status", expected=f"one of {', '.join(BY_STATUS)}")
    if parcel_status is None:
        if status is None:
            raise InvalidInput(field="status", expected="a status or a parcel_status")
        return Reading(BY_STATUS[status])
    if parcel_status not in BY_PARCEL_STATUS:
        expected = f"one of {', '.join(BY_PARCEL_STATUS)}"
        raise InvalidInput(field="parcel_status", expected=expected)
    if status not in (None, SHIPPED):
        expected = f"none before the order has shipped (status {status})"
        raise InvalidInput(field="parcel_status", expected=expected)
    return Reading(BY_PARCEL_STATUS[parcel_status])


def body(notice: Notice, options: Options) -> Body:
    """The notification: fields that are not known, or not due yet, are absent and never null."""
    form = options.profile is Profile.FORM
    fields = _fields(notice, options, always_status=form)
    if not form:
        return Body(msgspec.json.encode(fields))
    plain = {key: _FORM_WORDS.get(value, value) for key, value in fields.items()}
    return Body(urlencode(plain).encode(), FORM)


def public_order_id(order_id: str) -> str:
    """The optional field order_id: `D`, as Withings' own begin, and our id's unique part.

    Ours: stable for the life of the order, and as unique as our own id.
    """
    return "D" + order_id.rpartition("_")[2].upper()


def _has_shipped(state: State | None) -> bool:
    return state is not None and state in SHOWN and SHOWN[state][0] == SHIPPED


def _fields(notice: Notice, options: Options, *, always_status: bool) -> dict[str, str | bool]:
    order = notice.order
    status, parcel_status = shown(order)
    shipped = status == SHIPPED
    ships_now = shipped and not _has_shipped(notice.event.previous_state)
    fields: dict[str, str | bool | None] = {
        "customer_id": options.customer_id,
        "customer_ref": order.order_key,
    }
    if options.order_id:
        fields["order_id"] = public_order_id(order.order_id)
    if always_status or not shipped or ships_now or parcel_status is None:
        fields["status"] = status
    if not ships_now or parcel_status != PENDING or _awaits_scan(order):
        fields["parcel_status"] = parcel_status
    if shipped and (parcel := order.lead_parcel):
        fields["carrier"] = parcel.carrier
        fields["carrier_service"] = parcel.carrier_service
        fields["tracking_number"] = parcel.tracking_number
    original = order.content.replacement_for
    fields["is_replacement"] = original is not None
    if original is not None:
        fields["original_customer_ref"] = original
        if options.original_serial_number:
            fields["original_serial_number"] = order_extensions(order).original_serial_number
    return {key: value for key, value in fields.items() if value is not None and value != ""}


def _awaits_scan(order: Order) -> bool:
    """Whether a source said of the parcel on show that its carrier has no event of it yet."""
    parcel = order.lead_parcel
    return parcel is not None and parcel_extensions(parcel).awaits_scan
