"""What is cleared away: orders whose time is over, and what was known of a person.

An order goes in two steps. It is taken off first, in a transaction that no intake of its account
runs beside; from then on nobody finds it. Then its rows are swept, some at a time, by whoever does
the upkeep: a process that dies in between leaves the rest to the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.orders.events import OrderEvent
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.ports.core import Lease

OrderName = tuple[str, str]
"""The account and the id of an order."""


class Aged(msgspec.Struct, frozen=True, gc=False):
    """An order that is not young any more: where it is in its life, and since when."""

    order_id: str
    state: State
    updated_at: datetime


class Standing(msgspec.Struct, frozen=True, gc=False):
    """All that decides whether an order's time is over.

    `settled_at` is when its last delivery was settled, None when there was none.
    """

    order_id: str
    state: State
    updated_at: datetime
    is_pending: bool
    settled_at: datetime | None


IsDue = Callable[[Standing], bool]
"""Whether an order's time is over; pure, and may be called on another thread."""

Erase = Callable[[Order], tuple[Order, OrderEvent]]
"""What is left of an order, and the event that tells of it."""


class Notice(msgspec.Struct, frozen=True, gc=False):
    """A settled delivery that belongs to no order: of a test, or of an operational event."""

    order_id: str
    endpoint_id: str
    sequence: int


class Erased(msgspec.Struct, frozen=True, gc=False):
    """An order without a person, and how many of its deliveries were abandoned for that."""

    order: Order
    abandoned: int


class ErasedBody(msgspec.Struct, frozen=True, gc=False):
    """What shows which bytes were sent after they were erased: their SHA-256 and their number."""

    sha256: bytes
    size: int
    content_type: str


class Swept(msgspec.Struct, frozen=True, gc=False):
    """How many rows were cleared away, how many orders that finished, and whether there is more."""

    rows: int
    orders: int
    more: bool


class UpkeepRecord(msgspec.Struct, frozen=True, gc=False):
    """When the upkeep was begun and ended last, what it did (as JSON), and whose it is now."""

    begun_at: datetime | None = None
    ended_at: datetime | None = None
    report: str = ""
    owner: str | None = None
    leased_until: datetime | None = None


class UpkeepStore(Protocol):
    """What clears away. Every method may raise StoreError, and none touches many rows at once."""

    # whose it is

    async def take_upkeep(self, *, lease: Lease, now: datetime, not_since: datetime | None) -> bool:
        """Makes the upkeep this owner's; not while it is somebody else's.

        Nor when it was begun after `not_since`, unless whoever began it has not ended it.
        """

    async def renew_upkeep(self, *, lease: Lease) -> bool:
        """Whether it is still this owner's, and then until the lease says."""

    async def end_upkeep(self, *, owner: str, report: str, now: datetime) -> None:
        """Gives it back, with what was done."""

    async def upkeep(self) -> UpkeepRecord:
        """How it stands."""

    # orders

    async def aged_orders(
        self, account_id: str, *, after: str, before: str, limit: int
    ) -> Sequence[Aged]:
        """The next orders between these ids, which neither is one of, by their id."""

    async def standings(self, account_id: str, order_ids: Sequence[str]) -> Sequence[Standing]:
        """How these orders stand; those that are gone are left out."""

    async def drop_orders(
        self, account_id: str, order_ids: Sequence[str], *, is_due: IsDue, now: datetime
    ) -> Sequence[str]:
        """Takes those off that still are due and have no pending delivery; returns their ids."""

    async def sweep(self, *, name: OrderName | None, limit: int) -> Swept:
        """Clears away about so many rows of orders that were taken off or erased.

        Those of one order, if one is named.
        """

    # what belongs to no order

    async def old_quarantined(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        """How many kept updates have an id before this one and came in by then, up to a limit."""

    async def drop_quarantined(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        """Removes so many of them; returns how many."""

    async def old_notices(
        self,
        account_id: str,
        *,
        prefix: str,
        after: Notice | None,
        until: datetime,
        limit: int,
    ) -> tuple[Sequence[Notice], Notice | None]:
        """Of the next deliveries without an order those settled by then, and where to go on.

        Their order ids begin with the prefix. The latest operational event of an endpoint is left
        out: the next one names it.
        """

    async def drop_notices(self, account_id: str, notices: Sequence[Notice]) -> int:
        """Removes those that are not pending again, with all that belongs to them."""

    # a person's data

    async def erase_order(
        self, account_id: str, order_id: str, *, erase: Erase, abandon: bool, now: datetime
    ) -> Erased:
        """Writes what `erase` leaves of an order, and marks the rest of its rows for the sweep.

        One that was erased before stays as it is. Raises UnknownRecord; DeliveriesPending while
        there are such, unless they shall be abandoned.
        """

    async def erased_body(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int
    ) -> ErasedBody | None:
        """What is left of a delivery's body; None when it was not erased."""

    async def finish_erasing(self) -> None:
        """Does what the database can so that nothing of what was erased is left in its files."""
