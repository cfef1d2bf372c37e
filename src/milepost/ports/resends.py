"""Sending again what was settled: what was asked for, how far it has come, and how it is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from milepost.delivery.model import Delivery
from milepost.ports.core import Page

LAST_SEQUENCE = 2**31 - 1
"""The highest sequence that there can be."""


class Failed(msgspec.Struct, frozen=True, tag_field="what", tag="failed", gc=False):
    """What was given up since then."""

    since: datetime


class Between(msgspec.Struct, frozen=True, tag_field="what", tag="between", gc=False):
    """What was queued in a span of time, both ends included, acknowledged or given up."""

    since: datetime
    until: datetime


class OfOrder(msgspec.Struct, frozen=True, tag_field="what", tag="order", gc=False):
    """What was queued of one order from one sequence to another, both included."""

    order_id: str
    first: int = 1
    last: int = LAST_SEQUENCE


class Latest(msgspec.Struct, frozen=True, tag_field="what", tag="latest", gc=False):
    """Of each order that has changed since then the newest notification alone."""

    since: datetime


Choice = Failed | Between | OfOrder | Latest
"""Which deliveries of an endpoint are sent again."""


class ResendState(StrEnum):
    """Whether there is more to queue, all is queued, or somebody put an end to it."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a resend has looked: after this delivery, or this order where the sequence is 0."""

    order_id: str = ""
    sequence: int = 0
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


class Resend(msgspec.Struct, frozen=True, gc=False):
    """What an operator asked to be sent again to one endpoint, and how far that has come.

    What is settled after `asked_at` is not sent again. `examined` counts the deliveries or orders
    that were looked at, `queued` those that were made pending.
    """

    account_id: str
    resend_id: str
    endpoint_id: str
    choice: Choice
    asked_at: datetime
    state: ResendState = ResendState.RUNNING
    place: Place = Place()
    examined: int = 0
    queued: int = 0
    finished_at: datetime | None = None
    why: str = ""


class OrderChange(msgspec.Struct, frozen=True, gc=False):
    """When an order was made and when it last changed, by our clock."""

    order_id: str
    created_at: datetime
    updated_at: datetime


class Considered(msgspec.Struct, frozen=True, gc=False):
    """A delivery that a resend may be made of, whether it has its body still, and its order.

    `order` is None where there is none, as for test notifications, and where it was not asked for.
    """

    delivery: Delivery
    has_body: bool
    order: OrderChange | None = None


class Advance(msgspec.Struct, frozen=True, gc=False):
    """The next part of a resend: deliveries of its endpoint by order and sequence.

    With `newest` each must still be the newest of its lane when it is queued. `place` is where the
    part after this one begins; there is none when it `ends`.
    """

    chosen: Sequence[tuple[str, int]]
    newest: bool
    examined: int
    place: Place
    ends: bool


class ResendStore(Protocol):
    """Resends and what they are made of. Every method may raise StoreError."""

    async def add_resend(self, resend: Resend, *, most: int) -> Resend:
        """Keeps a new one; while the same runs already, that one is returned instead.

        Raises UnknownRecord for an endpoint that is gone, TooManyResends when `most` of it run.
        """

    async def find_resend(self, account_id: str, resend_id: str) -> Resend:
        """Raises UnknownRecord."""

    async def resends(self, account_id: str, *, page: Page) -> tuple[Sequence[Resend], str | None]:
        """A page of resends, newest first."""

    async def running_resends(self, *, limit: int) -> Sequence[Resend]:
        """Those of all accounts that have more to queue, oldest first."""

    async def advance_resend(self, resend: Resend, advance: Advance, *, now: datetime) -> Resend:
        """Queues one part and notes it, together or not at all; returns how the resend stands.

        What is pending by then, was settled after the resend was asked for, or has lost its body
        is left out. When somebody else has gone on with the resend meanwhile nothing changes; when
        its endpoint is gone it is stopped.
        """

    async def stop_resend(
        self, account_id: str, resend_id: str, *, why: str, now: datetime
    ) -> Resend:
        """Ends one that runs; what it has queued stays queued. Raises UnknownRecord."""

    async def failed(
        self, account_id: str, endpoint_id: str, *, after: Place, limit: int
    ) -> Sequence[Delivery]:
        """What was given up of an endpoint, by the time it was made, the oldest first."""

    async def changed_orders(
        self, account_id: str, *, after: str, limit: int
    ) -> Sequence[OrderChange]:
        """The orders after this order id, by their ids, which are in the order of their making."""

    async def told_of(
        self, account_id: str, endpoint_id: str, order_ids: Sequence[str], *, newest: bool
    ) -> Sequence[Delivery]:
        """What was queued of these orders for an endpoint, by order id and sequence.

        With `newest` only the last of each order.
        """

    async def failed_last(
        self, account_id: str, endpoint_id: str, *, limit: int
    ) -> Sequence[Considered]:
        """The newest of what was given up of an endpoint, by the time it was made; without orders.

        Never looks at more than `limit`, however many have lost their bodies.
        """

    async def queued_between(
        self, account_id: str, endpoint_id: str, *, since: datetime, until: datetime, limit: int
    ) -> Sequence[Considered]:
        """What was queued for an endpoint in a span, both ends included, the oldest first.

        Never looks at more than `limit`, however many have lost their bodies or orders.
        """

    async def orders_changed_since(
        self, account_id: str, *, since: datetime, limit: int
    ) -> Sequence[OrderChange]:
        """The orders whose last change is not before `since`, by the time of that."""

    async def due_lanes(
        self, account_id: str, endpoint_id: str, *, now: datetime, most: int
    ) -> int:
        """How many lanes of an endpoint are due and not leased, counted up to `most`."""
