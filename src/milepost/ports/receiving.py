"""What receiving needs of the outside: the sources of an account, and what they have sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.ports.core import Lease, Page
from milepost.ports.receipts import (
    MessageName,
    Receipt,
    ReceiptName,
    ReceiptVerdict,
    Word,
)

__all__ = [
    "MessageName",
    "Receipt",
    "ReceiptFilter",
    "ReceiptName",
    "ReceiptVerdict",
    "ReceivingStore",
    "Refusals",
    "Source",
    "Word",
]


class Source(msgspec.Struct, frozen=True, gc=False):
    """Who tells us by webhook, as an account has set it up.

    `kind` names the receiving room. `digest` is the SHA-256 in hex of the secret at the end of its
    path. `store` is the store of orders whose message names none that is in `stores`, which maps
    the provider's own id or name of a store to ours. `networks` are those that may send, none
    standing for all. `precedence` decides between sources that tell different things of the same
    moment: the higher one. `credentials` (JSON of the room's credentials) and `read_access` (JSON
    of how the provider's own interface is asked, where it has one) are kept sealed.
    """

    account_id: str
    source: str
    kind: str
    digest: str
    store: str
    stores: dict[str, str]
    networks: tuple[str, ...]
    precedence: int
    trusted: bool
    options: bytes
    credentials: bytes
    read_access: bytes
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return f"Source({self.source}, {self.kind})"


class Refusals(msgspec.Struct, frozen=True, gc=False):
    """How many requests of a source were refused, when the last one, and why."""

    refused: int = 0
    refused_at: datetime | None = None
    why: str = ""


class ReceiptFilter(msgspec.Struct, frozen=True, gc=False):
    """Which receipts a list shows; None does not filter."""

    source: str | None = None
    order_id: str | None = None
    verdict: ReceiptVerdict | None = None


class ReceivingStore(Protocol):
    """Sources and receipts. Every method may raise StoreError.

    Receipts are written by intake, in the transaction that decides on them.
    """

    async def put_source(self, source: Source) -> None:
        """Creates or replaces a source. Raises AlreadyExists for a path that another one has."""

    async def sources(self, account_id: str | None = None) -> Sequence[Source]:
        """The sources of an account, or of all, by name."""

    async def source_of_path(self, digest: str) -> Source | None:
        """The source whose path ends in the secret of this digest."""

    async def delete_source(self, account_id: str, source: str) -> None:
        """Removes a source; its receipts stay. Raises UnknownRecord."""

    async def receipts(
        self, account_id: str, *, wanted: ReceiptFilter, page: Page
    ) -> tuple[Sequence[Receipt], str | None]:
        """A page of receipts without their bodies, newest first."""

    async def receipt(self, account_id: str, receipt_id: str) -> Receipt:
        """A receipt with its body. Raises UnknownRecord."""

    async def last_received(self, account_id: str, source: str) -> datetime | None:
        """When the last message of a source was taken in."""

    async def last_received_each(self, account_id: str) -> Mapping[str, datetime]:
        """The same of every source of an account that has sent any, by the source's name."""

    async def verdict_counts(
        self, account_id: str, *, most: int
    ) -> Mapping[str, Mapping[ReceiptVerdict, int]]:
        """What became of the account's last so many messages, by source and verdict."""

    # what was refused

    async def count_refused(
        self, account_id: str, source: str, *, number: int, why: str, now: datetime
    ) -> None:
        """Counts so many requests more that a source was refused."""

    async def refusals(self, account_id: str) -> Mapping[str, Refusals]:
        """What was refused, by the source's name."""

    # receipts that wait for a parcel with their tracking number

    async def claim_waiting(self, *, lease: Lease, now: datetime, limit: int) -> Sequence[Receipt]:
        """Leases receipts that are due: new ones, and those whose number a parcel has got.

        They come without their bodies. One that nobody settles is due again when the lease ends.
        """

    async def rest_waiting(self, names: Sequence[ReceiptName], *, lease: Lease) -> None:
        """Has these wait until a parcel gets their number, unless one got it meanwhile."""

    # what belongs to no order

    async def old_receipts(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        """How many receipts without an order have an id before this one, up to a limit.

        Only those count that came in by then.
        """

    async def drop_receipts(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        """Removes so many of them; returns how many."""
