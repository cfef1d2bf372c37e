"""What reconciling needs of the outside: a provider to ask, its runs, and what they have found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import msgspec

from milepost.contracts.comparison import Kind, Theirs
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.ports.core import Lease, Page


class Asked(msgspec.Struct, frozen=True, gc=False):
    """An order that a provider is asked for, and the provider's ids of the stores it may be in.

    No stores stand for all.
    """

    order_key: str
    stores: tuple[str, ...] = ()


class Unanswered(msgspec.Struct, frozen=True, gc=False):
    """That a provider did not answer, and why; no secret is in it.

    `wait` is what the provider itself asked for. `is_final` for what asking again cannot mend:
    credentials that it refuses.
    """

    why: str
    wait: timedelta | None = None
    is_final: bool = False


class Listed(msgspec.Struct, frozen=True, gc=False):
    """A page of the orders that a provider has; `more` when there may be another."""

    orders: Sequence[Theirs]
    more: bool


class Provider(Protocol):
    """The read interface of one provider, with the credentials of one source."""

    at_once: int
    """How many orders are asked for at a time."""

    lists: bool
    """Whether it tells orders that nobody named."""

    async def named(self, asked: Sequence[Asked]) -> Sequence[Theirs] | Unanswered:
        """What it says of these; those that it does not know are not among them."""

    async def listed(self, *, since: datetime, until: datetime, page: int) -> Listed | Unanswered:
        """A page, from 1, of the orders that changed in this span."""


class Open(msgspec.Struct, frozen=True, tag_field="what", tag="open", gc=False):
    """Orders that have not ended and of which nothing was heard since then."""

    quiet_since: datetime


class Everything(msgspec.Struct, frozen=True, tag_field="what", tag="all", gc=False):
    """All orders of the source's stores, ended or not."""


class ChangedSince(msgspec.Struct, frozen=True, tag_field="what", tag="changed", gc=False):
    """Orders that have changed here since then."""

    since: datetime


class OneOrder(msgspec.Struct, frozen=True, tag_field="what", tag="order", gc=False):
    """A single order."""

    order_id: str


Choice = Open | Everything | ChangedSince | OneOrder
"""Which orders are compared."""


class RunState(StrEnum):
    """Whether a reconciliation goes on, is through, was ended, or was given up."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far it is: after this order of ours, or before this page of the provider's list."""

    after: str = ""
    page: int = 0


class Reconciliation(msgspec.Struct, frozen=True, gc=False):
    """A comparison of our orders with a provider's, and how far it has come.

    `listed_since` is from when on the provider's own list is looked through, None for not at all.
    `total` is how many orders the source's stores had when it began, `examined` how many of them
    it has passed, `asked` how many the provider was asked for. `failures` counts answers that did
    not come, in a row; it goes on at `due_at`.
    """

    account_id: str
    run_id: str
    source: str
    choice: Choice
    dry_run: bool
    asked_at: datetime
    due_at: datetime
    total: int = 0
    listed_since: datetime | None = None
    state: RunState = RunState.RUNNING
    place: Place = Place()
    examined: int = 0
    asked: int = 0
    differences: int = 0
    applied: int = 0
    failures: int = 0
    finished_at: datetime | None = None
    why: str = ""

    @property
    def unapplied(self) -> int:
        """How many of its differences are there still."""
        return self.differences - self.applied


class Found(msgspec.Struct, frozen=True, gc=False):
    """A difference on record.

    `verdict` is what was decided of the update that would mend it: None where there is none, or
    nothing was to be applied. `pending` is set while it is being decided.
    """

    order_id: str | None
    store: str
    order_key: str
    kind: Kind
    parcel: str
    ours: str
    theirs: str
    verdict: Verdict | None = None
    why: str = ""
    pending: bool = False


class Standing(msgspec.Struct, frozen=True, gc=False):
    """All of an order that decides whether it is compared.

    `heard_at` is when anybody last told of it, new or not.
    """

    order_id: str
    store: str
    state: State
    updated_at: datetime
    heard_at: datetime


class Part(msgspec.Struct, frozen=True, gc=False):
    """What one part of a run came to; `place` is where the next begins, unless it `ends`."""

    found: Sequence[Found]
    examined: int
    asked: int
    place: Place
    ends: bool


class ReconcilingStore(Protocol):
    """Reconciliations and what they have found. Every method may raise StoreError."""

    async def add_reconciliation(
        self, run: Reconciliation, *, not_since: datetime | None = None, keep: int
    ) -> Reconciliation | None:
        """Keeps a new one; while one of the source runs already, that one is returned.

        None when one that was no dry run was begun after `not_since`. Of those of the source that
        are over the last `keep` stay.
        """

    async def find_reconciliation(self, account_id: str, run_id: str) -> Reconciliation:
        """Raises UnknownRecord."""

    async def reconciliations(
        self, account_id: str, *, source: str | None, page: Page
    ) -> tuple[Sequence[Reconciliation], str | None]:
        """A page of them, newest first."""

    async def differences(
        self, account_id: str, run_id: str, *, page: Page
    ) -> tuple[Sequence[Found], str | None]:
        """A page of what one has found, by order."""

    async def due_reconciliations(self, *, now: datetime, limit: int) -> Sequence[Reconciliation]:
        """Those of all accounts that can go on now and that nobody has leased, oldest first."""

    async def take_reconciliation(
        self, account_id: str, run_id: str, *, lease: Lease, now: datetime
    ) -> Reconciliation | None:
        """The run, leased to this owner; None when it is over or somebody else has it."""

    async def pending_orders(self, account_id: str, run_id: str) -> Sequence[str]:
        """The ids of orders whose differences were about to be applied when its process ended."""

    async def note_differences(
        self, run: Reconciliation, found: Sequence[Found], *, lease: Lease
    ) -> bool:
        """Keeps what is about to be applied, before it is; whether the run is the owner's still."""

    async def advance_reconciliation(
        self, run: Reconciliation, part: Part, *, most: int, lease: Lease, now: datetime
    ) -> Reconciliation | None:
        """Notes a part and all that it found, together; the run after it.

        What was pending is settled: by what the part found, or else as applied, because the order
        shows the provider's words by now. At most `most` differences of a run are kept, and all
        are counted. None when the run is not the owner's any more; nothing has changed then.
        """

    async def put_off_reconciliation(
        self,
        run: Reconciliation,
        *,
        owner: str,
        until: datetime,
        failures: int,
        why: str,
    ) -> None:
        """Gives it back: it goes on then."""

    async def end_reconciliation(
        self, account_id: str, run_id: str, *, state: RunState, why: str, now: datetime
    ) -> Reconciliation:
        """Ends one that runs. Raises UnknownRecord."""

    async def last_reconciliation(self, account_id: str, source: str) -> Reconciliation | None:
        """The newest of a source that compared open orders and was no dry run."""

    async def failed_reconciliations(self, account_id: str) -> Sequence[Reconciliation]:
        """The newest that has ended of each source, where it has failed, by source."""

    async def order_standings(
        self, account_id: str, *, after: str, limit: int
    ) -> Sequence[Standing]:
        """The real orders after this order id, by their ids; none whose person was erased."""

    async def number_of_orders(self, account_id: str, stores: Sequence[str], *, most: int) -> int:
        """How many orders these stores have, counted up to `most`."""
