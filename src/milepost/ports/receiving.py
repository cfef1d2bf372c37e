"""What receiving needs of the outside: the sources of an account, and what they have sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from milepost.contracts.incoming import MessageKind
from milepost.ports.core import Page


class ReceiptVerdict(StrEnum):
    """What came of a message: of its updates the one that matters most, or why there are none.

    `repeated`: the same message id came before. `unmapped`: a word of it means nothing to us.
    `kept`: it tells of something that is no order's status.
    """

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"
    ILLEGAL = "illegal"
    ORPHAN = "orphan"
    UNMAPPED = "unmapped"
    KEPT = "kept"
    REPEATED = "repeated"


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


class Word(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What was decided of one update of a message."""

    verdict: ReceiptVerdict
    why: str = ""
    parcel: str | None = None
    state: str | None = None


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A message that a source has sent, as it came, with what was decided of it.

    `order_id` is None until the order is known. `body` is empty in lists, and once it was erased.
    """

    account_id: str
    receipt_id: str
    source: str
    kind: MessageKind
    message_id: str | None
    verdict: ReceiptVerdict
    why: str
    word: str
    store: str | None
    order_key: str | None
    order_id: str | None
    tracking_number: str | None
    received_at: datetime
    words: tuple[Word, ...] = ()
    content_type: str = ""
    body: bytes = b""


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
        """Creates or replaces a source."""

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
