"""What comes in over HTTP, as structs; each turns into what the flows take, or says what is wrong.

Every body refuses fields that it does not know, so that a misspelled one is not lost in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from milepost.contracts import check_extensions, check_parcel_extensions
from milepost.contracts.contract import Contract
from milepost.delivery.model import DeliveryState
from milepost.errors import InvalidInput
from milepost.intake import OrderInput, UpdateInput
from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import REASONS, Reason, State
from milepost.orders.model import (
    Moment,
    Name,
    OrderContent,
    ParcelDetails,
    Text,
    content_alone,
)
from milepost.ports import DeliveryFilter, OrderFilter, OrderRef, Page

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(hours=24)
"""How far ahead of ours a source's clock may be."""

IN_A_CALENDAR = "a time that a calendar has"

WebUrl = Annotated[str, msgspec.Meta(max_length=2_048, pattern="^https?://")]
SourceSequence = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Size = Annotated[int, msgspec.Meta(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=2_000, description="The `next` of the page before."),
]
Sought = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class OrderBody(OrderContent, frozen=True, kw_only=True):
    """An order: its natural key is `store` and `order_key`, the rest is what was ordered.

    `occurred_at` is when its source made it; left out, it is when Milepost learned of it.
    """

    store: Name
    order_key: Name
    source: Name = "api"
    occurred_at: Moment | None = None

    def __post_init__(self) -> None:
        """Nothing yet: what is checked of a content is checked when `order_input` makes one."""


class UpdateBody(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What a source says of one order, named by `order_id` or by `store` and `order_key`.

    `occurred_at` is when it happened by the source's clock; left out, it is now. `raw` is the
    source's own word for the state. `correction` asks for a step that only a correction may take,
    and needs a `note` that says why.
    """

    order_id: Name | None = None
    store: Name | None = None
    order_key: Name | None = None
    source: Name = "api"
    state: State | None = None
    reason: Reason | None = None
    occurred_at: Moment | None = None
    source_sequence: SourceSequence | None = None
    raw: Text | None = None
    parcel: Name | None = None
    carrier: Name | None = None
    carrier_service: Name | None = None
    tracking_number: Name | None = None
    tracking_url: WebUrl | None = None
    details: ParcelDetails | None = None
    updating: bool | None = None
    correction: bool = False
    note: Text | None = None

    def __post_init__(self) -> None:
        named = (self.order_id is not None, self.store is not None, self.order_key is not None)
        if named not in ((True, False, False), (False, True, True)):
            raise ValueError("order_id: expected either order_id, or store and order_key")
        takes = REASONS.get(self.state, frozenset()) if self.state else frozenset()
        if self.reason is not None and self.reason not in takes:
            raise ValueError("reason: expected one that this state takes, or none")
        if self.correction and not self.note:
            raise ValueError("note: expected why this is corrected")
        if not self._tells_anything:
            raise ValueError("state: expected a state, or a fact to tell")

    @property
    def _tells_anything(self) -> bool:
        return self.updating is not None or any(
            fact is not None
            for fact in (
                self.state,
                self.parcel,
                self.carrier,
                self.carrier_service,
                self.tracking_number,
                self.tracking_url,
                self.details,
            )
        )


class OrderBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Orders as they came, each to be read on its own so that a bad one spoils no other."""

    orders: list[msgspec.Raw]


class UpdateBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Updates as they came, each to be read on its own."""

    updates: list[msgspec.Raw]


class StoreBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A store's name for people, and the number that it has for contracts that need one."""

    name: Name | None = None
    number: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which page of a list: at most `limit` items after the cursor that the last page gave."""

    limit: Size = 50
    after: Cursor | None = None

    @property
    def page(self) -> Page:
        return Page(self.after, self.limit)


class OrdersQuery(ListQuery, frozen=True, kw_only=True):
    """Which orders."""

    store: Sought | None = None
    state: State | None = None

    @property
    def wanted(self) -> OrderFilter:
        return OrderFilter(self.store, self.state)


class FindQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order id, order key, order number or tracking number, in full."""

    q: Sought


class EventsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events: at most `limit` after this sequence number."""

    after: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    limit: Size = 100


class DeliveriesQuery(ListQuery, frozen=True, kw_only=True):
    """Which deliveries."""

    endpoint: Sought | None = None
    order: Sought | None = None
    state: DeliveryState | None = None

    @property
    def wanted(self) -> DeliveryFilter:
        return DeliveryFilter(self.endpoint, self.order, self.state)


class QuarantineQuery(ListQuery, frozen=True, kw_only=True):
    """Which of the updates that were not applied."""

    verdict: Verdict | None = None


_TOLD_FIELDS = tuple(
    name
    for name in Update.__struct_fields__
    if name in UpdateBody.__struct_fields__ and name != "occurred_at"
)
_told_by = attrgetter(*_TOLD_FIELDS)


def order_input(
    body: OrderBody,
    *,
    rooms: Mapping[str, Contract],
    now: datetime,
    told: bytes | msgspec.Raw = b"",
) -> OrderInput:
    """The order as intake takes it; `told` is the JSON that it was read from.

    Raises InvalidInput.
    """
    try:
        content = content_alone(body)
    except OverflowError:
        raise InvalidInput(field="ordered_at", expected=IN_A_CALENDAR) from None
    except ValueError as error:
        field, _, expected = str(error).partition(": expected ")
        raise InvalidInput(field=field, expected=expected) from None
    check_extensions(content, rooms)
    at = _moment(body.occurred_at, now=now)
    return OrderInput(body.store, body.order_key, content, body.source, at, told=told)


def update_input(
    body: UpdateBody, *, account_id: str, rooms: Mapping[str, Contract], now: datetime
) -> UpdateInput:
    """The update as intake takes it; a key of the account is trusted. Raises InvalidInput."""
    if body.details is not None:
        _check_details(body.details, rooms)
    told: dict[str, Any] = dict(zip(_TOLD_FIELDS, _told_by(body), strict=True))
    update = Update(**told, occurred_at=_moment(body.occurred_at, now=now), trusted=True)
    return UpdateInput(OrderRef(account_id, body.order_id, body.store, body.order_key), update)


def _check_details(details: ParcelDetails, rooms: Mapping[str, Contract]) -> None:
    try:
        check_parcel_extensions(details, rooms)
    except InvalidInput as error:
        raise InvalidInput(field=f"details.{error.field}", expected=error.expected) from None


def in_utc(field: str, moment: datetime) -> datetime:
    """The same moment in UTC. Raises InvalidInput for one that no calendar has there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field=field, expected=IN_A_CALENDAR) from None


def _moment(told: datetime | None, *, now: datetime) -> datetime | None:
    return None if told is None else moment_of(told, now=now)


def moment_of(told: datetime, *, now: datetime) -> datetime:
    """The time in UTC at which something happened. Raises InvalidInput."""
    moment = in_utc("occurred_at", told)
    if not EARLIEST <= moment <= now + FURTHEST_AHEAD:
        expected = "a time from 1990 on, and at most 24 hours ahead of now"
        raise InvalidInput(field="occurred_at", expected=expected)
    return moment
