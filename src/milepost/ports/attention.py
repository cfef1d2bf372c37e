"""What asks for a person, as far as it is on record anyway, and what somebody has put aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from milepost.delivery.model import Delivery
from milepost.orders.events import Verdict
from milepost.ports.core import Page, Quarantined
from milepost.ports.receipts import Receipt


class AttentionStore(Protocol):
    """What asks for a person. Every method may raise StoreError.

    Lists come newest first, each with the cursor of the next page, None at the end. They leave out
    what was put aside by its name, and what is no newer than `after`.
    """

    async def abandoned(
        self, account_id: str, *, after: datetime | None, page: Page
    ) -> tuple[Sequence[Delivery], str | None]:
        """Deliveries that were given up after then, of endpoints that are still there.

        The newest is the one that was queued last. Each has the name `delivery:` and its id.
        """

    async def unresolved(
        self,
        account_id: str,
        *,
        verdict: Verdict,
        after: datetime | None,
        until: datetime,
        page: Page,
    ) -> tuple[Sequence[Quarantined], str | None]:
        """Updates with this verdict that came in after then and no later than `until`.

        Each has the name `update:` and its id.
        """

    async def unmapped(
        self, account_id: str, *, after: datetime | None, page: Page
    ) -> tuple[Sequence[Receipt], str | None]:
        """Receipts, without their bodies, of words that mean nothing, taken in after then.

        Each has the name `receipt:` and its id.
        """

    async def kept(self, account_id: str, update_id: str) -> Quarantined:
        """An update that was not applied, by its id. Raises UnknownRecord."""

    async def kept_of_order(
        self, account_id: str, order_id: str, *, limit: int
    ) -> Sequence[Quarantined]:
        """The latest updates of an order that were not applied, newest first."""

    async def dismiss(self, account_id: str, items: Sequence[str], *, now: datetime) -> None:
        """Remembers when these were put aside; the latest time counts."""

    async def dismissed(self, account_id: str, items: Sequence[str]) -> Mapping[str, datetime]:
        """Those of these that were put aside, and when."""
