"""What a source says (an update), what happened (an event), what was decided (a verdict)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order, ParcelDetails


class Verdict(StrEnum):
    """What was decided of an update."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"
    ILLEGAL = "illegal"
    ORPHAN = "orphan"


RECONCILED = "reconciled:"
"""How the source of an update begins that comes of asking a source's provider."""

QUARANTINED = frozenset((Verdict.STALE, Verdict.ILLEGAL, Verdict.ORPHAN))
"""The verdicts whose updates are kept for the operator and never sent on."""


class EventType(StrEnum):
    """What kind of thing happened to an order."""

    CREATED = "order.created"
    STATE_CHANGED = "order.state_changed"
    UPDATED = "order.updated"
    ERASED = "order.erased"
    TEST = "endpoint.test"


Meaning = tuple[State, Reason | None]
"""A state and its reason that a source's word may stand for."""


class Update(msgspec.Struct, frozen=True, gc=False):
    """What one source says of one order.

    `occurred_at` is when it happened, by the source's clock; None means on arrival. `raw` is the
    source's own word for the state. `correction` asks for an edge of the correction class and
    needs `trusted` and a `note` that says why.

    `precedence` decides between sources that tell different things of the same moment. `covers`
    are the other states that the source's word stands for as well, where it is coarser than ours.
    A `current` word tells where things are now, and not of one step: what lies between may never
    have been told; one of the `past` is repeated beside it by a source that always tells all. A
    state of the `whole` order goes for all of its parcels that this source told of, whichever of
    them the facts are of.
    """

    source: str
    state: State | None = None
    reason: Reason | None = None
    occurred_at: datetime | None = None
    source_sequence: int | None = None
    raw: str | None = None
    parcel: str | None = None
    carrier: str | None = None
    carrier_service: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    details: ParcelDetails | None = None
    updating: bool | None = None
    correction: bool = False
    trusted: bool = False
    note: str | None = None
    precedence: int = 0
    covers: tuple[Meaning, ...] = ()
    current: bool = False
    past: bool = False
    whole: bool = False

    @property
    def teller(self) -> str:
        """Who says it: a source that was asked for its orders is the one that tells by itself."""
        return self.source.removeprefix(RECONCILED)

    @property
    def speaks_of_a_parcel(self) -> bool:
        """Whether any fact of a parcel is told, beside a state."""
        return any(
            fact is not None
            for fact in (
                self.parcel,
                self.carrier,
                self.carrier_service,
                self.tracking_number,
                self.tracking_url,
                self.details,
            )
        )


class OrderEvent(msgspec.Struct, frozen=True, gc=False):
    """Something that happened to an order; appended, never changed.

    `occurred_at` is the source's time, `received_at` ours. `skipped` are the main-line states that
    were passed over; nobody is notified of those.
    """

    account_id: str
    order_id: str
    sequence: int
    type: EventType
    state: State
    previous_state: State | None
    source: str
    occurred_at: datetime
    received_at: datetime
    reason: Reason | None = None
    raw: str | None = None
    parcel: str | None = None
    parcel_state: State | None = None
    skipped: tuple[State, ...] = ()
    correction: bool = False
    note: str | None = None


class Move(msgspec.Struct, frozen=True, gc=False):
    """The outcome of one update: the order after it, the event that happened (if any), and why."""

    order: Order
    event: OrderEvent | None
    verdict: Verdict
    why: str = ""
