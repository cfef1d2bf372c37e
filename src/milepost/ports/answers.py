"""What the store can tell of what was not delivered, and of what each endpoint acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.delivery.model import Body, Delivery
from milepost.ports.core import Page


class Acknowledgement(msgspec.Struct, frozen=True, gc=False):
    """What an endpoint acknowledged, and when its attempt began."""

    sequence: int
    status: str
    at: datetime


class Told(msgspec.Struct, frozen=True, gc=False):
    """What was queued of one order for one endpoint.

    `newest` has the highest sequence, `acknowledged` is the last in time: a replay of an earlier
    one may have come after it. Counts are of deliveries, `waits_since` is when the oldest pending
    one was made.
    """

    newest: Delivery
    acknowledged: Acknowledgement | None
    pending: int
    abandoned: int
    superseded: int
    waits_since: datetime | None


class Queued(msgspec.Struct, frozen=True, gc=False):
    """A delivery with its bytes, which are gone where the order's personal data was erased."""

    delivery: Delivery
    body: Body | None


class QueuedPage(msgspec.Struct, frozen=True, gc=False):
    """A page of what was queued for an endpoint.

    `following` is where the next page begins, if there is more. `settled` is the last place on the
    page before which nothing new can appear, None when the page has none.
    """

    items: Sequence[Queued]
    following: str | None
    settled: str | None


class AnswerStore(Protocol):
    """What was not delivered. Every method may raise StoreError."""

    async def undelivered(
        self, account_id: str, *, endpoint_id: str | None, page: Page
    ) -> tuple[Sequence[Delivery], str | None]:
        """A page of what is pending, abandoned or superseded, the oldest first.

        Those of endpoints that are gone are among them. A cursor holds for good: what was queued
        after a page was read comes on a later one. Raises InvalidInput for a cursor of another
        list.
        """

    async def queued(
        self, account_id: str, endpoint_id: str, *, since: datetime, until: datetime, page: Page
    ) -> QueuedPage:
        """A page of all that was queued for an endpoint since then, the oldest first.

        What was made up to `until` is committed or will never be, so that the settled place lies
        before that. None are listed of an endpoint that the account does not have. Raises
        InvalidInput for a cursor of another list.
        """

    async def told(self, account_id: str, order_id: str) -> Sequence[Told]:
        """What was queued of an order, one for each endpoint that anything was queued for."""
