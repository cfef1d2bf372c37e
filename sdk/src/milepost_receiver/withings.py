"""Withings order updates: a JSON object, or the form of an older version of its documentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from milepost_receiver.body import ReadOnly, read_form, read_json
from milepost_receiver.errors import HeaderMalformed
from milepost_receiver.fields import Fields
from milepost_receiver.notification import DeliveryFacts, Notification

STATUSES = frozenset(
    {
        "CREATED",
        "ADDRESS VERIFICATION",
        "ADDRESS ERROR",
        "VERIFIED",
        "PROCESSING",
        "FAILED",
        "OPEN",
        "SHIPPED",
        "TRASHED",
        "BACKHOLD",
    }
)
"""The last eight are notified; the first two are answered by the provider's API only."""

PARCEL_STATUSES = frozenset(
    {
        "pending",
        "info_received",
        "in_transit",
        "failed_attempt",
        "exception",
        "delayed",
        "pickup",
        "delivered",
        "return",
        "expired",
    }
)

OTHER_SPELLINGS: Mapping[str, str] = {
    status.replace(" ", "\N{NO-BREAK SPACE}"): status for status in STATUSES if " " in status
}
"""The provider's page writes a status of two words with a space that is not the plain one."""

CONTENT_HEADERS = frozenset({"content-type"})
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class WithingsNotification(Notification):
    """An update of one order, in Withings' words; None is what the notification does not say.

    `status` is there until the order has shipped and `parcel_status` from then on; carrier and
    tracking come with shipping. `provider_order_id` is the field `order_id` of the body.
    """

    customer_id: str
    customer_ref: str
    status: str | None
    parcel_status: str | None
    carrier: str | None
    carrier_service: str | None
    tracking_number: str | None
    is_replacement: bool | None
    original_customer_ref: str | None
    provider_order_id: str | None
    original_serial_number: str | None


def parse_withings(headers: Mapping[str, str], *, facts: DeliveryFacts) -> WithingsNotification:
    """The update in the body, read as its content type says, JSON when it says nothing.

    Raises BodyMalformed, and HeaderMalformed for another content type.
    """
    fields = Fields(_read(headers, body=facts["received"]))
    written = fields.text_or_none("status")
    status = OTHER_SPELLINGS.get(written, written) if written else None
    parcel_status = fields.text_or_none("parcel_status")
    return WithingsNotification(
        **facts,
        known=(status or parcel_status) is not None
        and (status is None or status in STATUSES)
        and (parcel_status is None or parcel_status in PARCEL_STATUSES),
        customer_id=fields.text("customer_id"),
        customer_ref=fields.text("customer_ref"),
        status=status,
        parcel_status=parcel_status,
        carrier=fields.text_or_none("carrier"),
        carrier_service=fields.text_or_none("carrier_service"),
        tracking_number=fields.text_or_none("tracking_number"),
        is_replacement=fields.flag_or_none("is_replacement"),
        original_customer_ref=fields.text_or_none("original_customer_ref"),
        provider_order_id=fields.text_or_none("order_id"),
        original_serial_number=fields.text_or_none("original_serial_number"),
    )


def _read(headers: Mapping[str, str], *, body: bytes) -> ReadOnly:
    media_type = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media_type == FORM:
        return read_form(body)
    if media_type == JSON or media_type.endswith("+json"):
        return read_json(body)
    raise HeaderMalformed("content-type", expected=f"{JSON} or {FORM}")
