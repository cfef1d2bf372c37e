"""What is kept of a message that a source has sent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from milepost.contracts.incoming import MessageKind

MessageName = tuple[str, str, str]
"""A message as its source names it: account, source, message id."""

ReceiptName = tuple[str, str]
"""A receipt's account and id."""


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


WEIGHT = (
    ReceiptVerdict.ORPHAN,
    ReceiptVerdict.ILLEGAL,
    ReceiptVerdict.UNMAPPED,
    ReceiptVerdict.APPLIED,
    ReceiptVerdict.STALE,
    ReceiptVerdict.DUPLICATE,
    ReceiptVerdict.KEPT,
)
"""What a receipt's verdict is when several were given: the first of these."""

OPEN = frozenset(
    (
        ReceiptVerdict.ORPHAN,
        ReceiptVerdict.ILLEGAL,
        ReceiptVerdict.UNMAPPED,
        ReceiptVerdict.STALE,
    )
)
"""The verdicts of receipts that may be decided again; what they said is kept as it was read."""


class Word(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What was decided of one update of a message, or a word of it that means nothing to us."""

    verdict: ReceiptVerdict
    why: str = ""
    parcel: str | None = None
    state: str | None = None


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A message that a source has sent, as it came, with what was decided of it.

    `order_id` is None until the order is known. `body` is empty in lists, and once it was erased:
    then `sha256` and `size` are what is left of it. `message` is what it said as it was read (JSON
    of a Message), kept while it may be decided again.
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
    size: int = 0
    sha256: bytes = b""
    message: bytes = b""

    @property
    def waits_for_number(self) -> bool:
        """Whether it waits for a parcel with its tracking number."""
        return (
            self.verdict is ReceiptVerdict.ORPHAN
            and self.order_key is None
            and self.tracking_number is not None
        )
