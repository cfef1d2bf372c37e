"""What intake is told and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from milepost.errors import MilepostError
from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, OrderContent
from milepost.ports import OrderRef
from milepost.ports.receipts import Receipt, ReceiptVerdict, Word

Expects = Callable[[Order | None], MilepostError | None]
"""Given the order as it is when it is decided on, why it may not be taken; None when it may."""

Revise = Callable[[Order | None], OrderContent]
"""Given the order as it is when it is decided on, its content from now on.

Raises a MilepostError when the order may not be taken so.
"""

Then = Callable[[Order], Sequence[Update]]
"""What happens to an order at once, given how it stands after its content was taken."""


class Play(msgspec.Struct, frozen=True, gc=False):
    """What happens to an order by itself from now on: a sequence, its next step, and when.

    When is a time of the account, whose clock may be ahead of ours.

    With `fake` an order that is created is a fake one, and stays so. What was to happen to an order
    before is replaced.
    """

    mode: int
    due_at: datetime
    step: int = 1
    fake: bool = True


class OrderInput(msgspec.Struct, frozen=True, gc=False):
    """An order as a source tells it: its natural key and what was ordered.

    `expects`, `revise` and `then` are pure: they are called where it is decided, and maybe again.
    What `revise` returns counts in place of `content`. `told` is the JSON that the content was read
    from, which may hold more; without it the content is encoded anew.
    """

    store: str
    order_key: str
    content: OrderContent
    source: str = "api"
    occurred_at: datetime | None = None
    expects: Expects | None = None
    revise: Revise | None = None
    then: Then | None = None
    play: Play | None = None
    told: bytes | msgspec.Raw = b""

    @property
    def is_fake(self) -> bool:
        """Whether the order is a fake one if it is created."""
        return self.play is not None and self.play.fake


class OrderOutcome(StrEnum):
    """What came of an order that was told."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class OrderResult(msgspec.Struct, frozen=True, gc=False):
    """What came of one order of a request; `refusal` says why it was not taken."""

    outcome: OrderOutcome
    order: Order | None
    refusal: MilepostError | None = None


class UpdateInput(msgspec.Struct, frozen=True, gc=False):
    """An update and the order that it speaks of."""

    ref: OrderRef
    update: Update


class UpdateResult(msgspec.Struct, frozen=True, gc=False):
    """What was decided of one update, and the order as it now stands.

    `allowed` are the states that an illegal update could have named instead.
    """

    verdict: Verdict
    why: str
    order: Order | None
    allowed: tuple[State, ...] = ()


class MessageInput(msgspec.Struct, frozen=True, gc=False):
    """A message of a source: its receipt as it came, and what it says of which orders.

    `words` are those on which there is nothing to decide. With `again` the receipt is on record,
    and is decided anew unless that was done meanwhile.
    """

    receipt: Receipt
    updates: tuple[UpdateInput, ...] = ()
    words: tuple[Word, ...] = ()
    again: bool = False


class MessageResult(msgspec.Struct, frozen=True, gc=False):
    """What was decided of a message; of a repeated one `receipt_id` is that of the first."""

    receipt_id: str
    verdict: ReceiptVerdict
    why: str
    words: tuple[Word, ...] = ()


Input = OrderInput | UpdateInput | MessageInput
Result = OrderResult | UpdateResult | MessageResult
