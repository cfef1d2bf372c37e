"""What the two flows of the main path need of the outside, and the records they share.

Two kinds of transaction are on the main path and no others: `change_orders` (intake) and `settle`.
No transaction is open while a request is on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from milepost.delivery.health import OperationalNotice
from milepost.delivery.model import (
    Attempt,
    Claimed,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointState,
    NewDelivery,
    Reply,
    Request,
)
from milepost.delivery.outcome import Step
from milepost.orders.events import OrderEvent, Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.orders.model import Store as StoreRecord
from milepost.ports.receipts import MessageName, Receipt, ReceiptName
from milepost.ports.rehearsals import Rehearsal

Now = Callable[[], datetime]
"""The time, aware and in UTC."""

NewId = Callable[[], str]
"""A new ULID in lower case: 26 characters, sortable by the time it was made."""

Post = Callable[[Request, Callable[[Reply], None]], None]
"""Sends a request and calls back once with the reply, always later and never with an exception."""


UPDATE, RECEIPT = "upd_", "rcp_"
"""How the ids of kept updates and of receipts begin."""


class OrderRef(msgspec.Struct, frozen=True, gc=False):
    """Which order is meant: by its id, or by its natural key of store and order_key."""

    account_id: str
    order_id: str | None = None
    store: str | None = None
    order_key: str | None = None


class Quarantined(msgspec.Struct, frozen=True, gc=False):
    """An update that was not applied: kept with its verdict and as it came, for the operator."""

    account_id: str
    update_id: str
    verdict: Verdict
    why: str
    source: str
    store: str | None
    order_key: str | None
    order_id: str | None
    occurred_at: datetime | None
    received_at: datetime
    update: Update
    released_at: datetime | None = None

    @property
    def receipt_id(self) -> str | None:
        """The receipt of the message that told it, if one did: then its id is made of that one."""
        of_receipt, dash, _ = self.update_id.partition("-")
        return RECEIPT + of_receipt.removeprefix(UPDATE) if dash else None


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """What `decide` sees: the orders that were named, and what belongs to their accounts.

    `orders` holds, for each ref in the order asked, the order or None. `waiting` holds the orphans
    of each natural key (account, store, order_key) that is not an order yet, oldest first.
    `messages` holds those of the messages asked for that are known, by the id of their receipt;
    `receipts`, without their bodies, those asked for and those that orphans in `waiting` are of.
    `ahead` is how far the clock of an account is ahead of ours, of those for which it is.
    """

    orders: Sequence[Order | None]
    endpoints: Mapping[str, Sequence[Endpoint]]
    stores: Mapping[tuple[str, str], StoreRecord]
    waiting: Mapping[tuple[str, str, str], Sequence[Quarantined]]
    messages: Mapping[MessageName, str] = {}
    receipts: Mapping[ReceiptName, Receipt] = {}
    ahead: Mapping[str, timedelta] = {}


class Changes(msgspec.Struct, frozen=True, gc=False):
    """What an intake transaction writes, all of it or nothing.

    `created` and `changed` hold each order once, as it stands after all its events. `told` is the
    JSON that their new contents came as, by order id, if they did; it may hold more than that.
    `receipts` are new, `decided` were there and are decided anew.
    """

    created: Sequence[Order] = ()
    changed: Sequence[Order] = ()
    events: Sequence[OrderEvent] = ()
    deliveries: Sequence[NewDelivery] = ()
    quarantined: Sequence[Quarantined] = ()
    released: Sequence[Quarantined] = ()
    rehearsals: Sequence[Rehearsal] = ()
    told: Mapping[str, bytes | msgspec.Raw] = {}
    receipts: Sequence[Receipt] = ()
    decided: Sequence[Receipt] = ()


class Mentioned(msgspec.Struct, frozen=True, gc=False):
    """What of sources a decision has to see: whether messages are known, and these receipts."""

    messages: Sequence[MessageName] = ()
    receipts: Sequence[ReceiptName] = ()


NOTHING_MENTIONED = Mentioned()

Decide = Callable[[Snapshot], Changes]


class Lease(msgspec.Struct, frozen=True, gc=False):
    """Whose a claimed lane is, and until when."""

    owner: str
    until: datetime


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """One attempt that was made of a claimed delivery, and what is done next.

    `notice` is sent when the step pauses an endpoint that was not paused before.
    """

    claimed: Claimed
    attempt: Attempt
    step: Step
    notice: OperationalNotice | None = None


class ApiKey(msgspec.Struct, frozen=True, gc=False):
    """An API key on record: never its text, only the SHA-256 of it in hex."""

    account_id: str
    key_id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None = None


class Account(msgspec.Struct, frozen=True, gc=False):
    """A tenant: everything else belongs to exactly one.

    The clock of a `sandbox` can be moved forward; an account is one for ever or never.
    """

    account_id: str
    name: str
    created_at: datetime
    sandbox: bool = False


class OrderFilter(msgspec.Struct, frozen=True, gc=False):
    """Which orders a list shows; None does not filter."""

    store: str | None = None
    state: State | None = None


class DeliveryFilter(msgspec.Struct, frozen=True, gc=False):
    """Which deliveries a list shows; None does not filter."""

    endpoint_id: str | None = None
    order_id: str | None = None
    state: DeliveryState | None = None


class Page(msgspec.Struct, frozen=True, gc=False):
    """Where a list goes on: after this cursor (as the last page gave it), at most so many."""

    after: str | None = None
    limit: int = 50


class Counts(msgspec.Struct, frozen=True, gc=False):
    """How much there is of what, of one account or of all."""

    orders: int
    events: int
    quarantined: int
    attempts: int
    deliveries: Mapping[DeliveryState, int]


class Backlog(msgspec.Struct, frozen=True, gc=False):
    """What waits to be sent, of all accounts, each number up to the most that was asked for.

    `due` are the lanes whose head could be sent now and that nobody has leased, `parked` the same
    of paused endpoints. `oldest_at` is when the oldest pending delivery was made, `oldest_due_at`
    when the first of the due lanes became due.
    """

    pending: int = 0
    due: int = 0
    parked: int = 0
    oldest_at: datetime | None = None
    oldest_due_at: datetime | None = None


class CoreStore(Protocol):
    """Orders, deliveries and who they belong to. Every method may raise StoreError.

    Lists come newest first and each with the cursor of the next page, None at the end.
    """

    async def open(self) -> None:
        """Connects and migrates. Raises SchemaTooNew and SchemaChanged."""

    async def close(self) -> None:
        """Waits for what was begun and disconnects."""

    # the main path

    async def change_orders(
        self,
        refs: Sequence[OrderRef],
        *,
        decide: Decide,
        lease: Lease,
        now: datetime,
        mentioned: Mentioned = NOTHING_MENTIONED,
    ) -> Sequence[Claimed]:
        """Reads the orders, lets `decide` decide, and commits its changes in one transaction.

        `decide` is pure and may be called on another thread. Returns those new deliveries that
        asked for a lease and got it, because their lane was empty.
        """

    async def take_dispatch(self) -> None:
        """Makes this process one that dispatches. Raises StoreBusy where only one may.

        Where only one may, leases that a dead process left behind end at once.
        """

    def listen(self, callback: Callable[[], None]) -> None:
        """Calls back soon after another process has queued what is due, where one can tell.

        Not every time, and sometimes without a reason: who listens looks by itself as well.
        """

    async def claim(
        self, *, lease: Lease, now: datetime, held: Mapping[str, int], room: int, limit: int
    ) -> Sequence[Claimed]:
        """Leases the heads of due lanes of active endpoints, oldest due first.

        No endpoint gets more than `room` less what is `held` of it already, by endpoint id.
        """

    async def settle(
        self, settlements: Sequence[Settlement], *, lease: Lease, now: datetime
    ) -> Sequence[Claimed]:
        """Records attempts and what they led to; those whose lease is lost change nothing.

        Returns the next heads of the lanes that go on, leased again to the same owner.
        """

    async def confirm(self, claimed: Sequence[Claimed], *, lease: Lease) -> Sequence[Claimed]:
        """Those whose lane is the owner's still, as it was claimed; their leases are prolonged.

        The others are no longer its to send, and their leases, if any, are not renewed.
        """

    async def renew(self, *, lease: Lease) -> None:
        """Prolongs every lease of this owner."""

    async def release(self, *, owner: str, now: datetime) -> None:
        """Gives back every lease of this owner, so that others can claim at once."""

    # accounts, keys and stores

    async def add_account(self, account: Account) -> None:
        """Raises AlreadyExists."""

    async def add_first_account(self, account: Account) -> bool:
        """Whether this is the first account; where there is one already, nothing is added.

        Of several processes that try at once one succeeds.
        """

    async def accounts(self) -> Sequence[Account]:
        """All accounts, oldest first."""

    async def add_key(self, key: ApiKey, *, digest: str) -> None:
        """Keeps a key by the digest of its text."""

    async def keys(self, account_id: str) -> Sequence[ApiKey]:
        """The account's keys, revoked ones too, oldest first."""

    async def revoke_key(self, account_id: str, key_id: str, *, now: datetime) -> None:
        """Raises UnknownRecord."""

    async def find_key(self, account_id: str, *, digest: str) -> ApiKey | None:
        """The key of this account with this digest, revoked or not."""

    async def put_store(
        self, account_id: str, store: str, *, name: str, number: int | None, now: datetime
    ) -> StoreRecord:
        """Creates or renames a store; without a number it gets the account's next free one.

        Raises AlreadyExists when another store of the account has the number.
        """

    async def stores(self, account_id: str) -> Sequence[StoreRecord]:
        """The account's stores, by number."""

    # endpoints

    async def put_endpoint(self, endpoint: Endpoint) -> None:
        """Creates or replaces an endpoint; counts for every intake that commits after it.

        Whether one that is there is paused stays as it is: only `set_endpoint_state` changes it.
        """

    async def endpoint(self, account_id: str, endpoint_id: str) -> Endpoint:
        """Raises UnknownRecord."""

    async def endpoints(self, account_id: str) -> Sequence[Endpoint]:
        """The account's endpoints, oldest first."""

    async def set_endpoint_state(
        self,
        account_id: str,
        endpoint_id: str,
        *,
        state: EndpointState,
        why: str,
        now: datetime,
        notice: OperationalNotice | None = None,
    ) -> Endpoint:
        """Pauses or resumes; where that changes something the notice goes out with it.

        One that is resumed begins with a clean record of failures. Raises UnknownRecord.
        """

    async def delete_endpoint(self, account_id: str, endpoint_id: str, *, now: datetime) -> int:
        """Removes an endpoint; what was pending is abandoned and counted, history stays.

        Raises UnknownRecord.
        """

    # reading

    async def order(self, ref: OrderRef) -> Order:
        """Raises UnknownRecord."""

    async def find_orders(self, account_id: str, text: str) -> Sequence[Order]:
        """At most 50 orders with this order id, order key, order number or tracking number."""

    async def orders(
        self, account_id: str, *, wanted: OrderFilter, page: Page
    ) -> tuple[Sequence[Order], str | None]:
        """A page of orders, newest first."""

    async def history(
        self, account_id: str, order_id: str, *, after: int, limit: int
    ) -> Sequence[OrderEvent]:
        """An order's events after this sequence, oldest first."""

    async def quarantine(
        self, account_id: str, *, verdict: Verdict | None, page: Page
    ) -> tuple[Sequence[Quarantined], str | None]:
        """A page of updates that were kept but not applied, newest first."""

    async def deliveries(
        self, account_id: str, *, wanted: DeliveryFilter, page: Page
    ) -> tuple[Sequence[Delivery], str | None]:
        """A page of deliveries, newest first."""

    async def delivery(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int
    ) -> tuple[Delivery, bytes]:
        """A delivery and its body, empty where that was erased. Raises UnknownRecord."""

    async def attempts(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int
    ) -> Sequence[Attempt]:
        """Every attempt of a delivery, oldest first."""

    async def add_delivery(self, delivery: NewDelivery, *, now: datetime) -> Delivery:
        """Queues a delivery that no order's event made: a test notification."""

    async def resend(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int, *, now: datetime
    ) -> Delivery:
        """Makes a settled delivery pending again, as the next replay, at its place in the lane.

        Raises UnknownRecord; a delivery that is pending already is returned as it is.
        """

    async def backlog(self, *, now: datetime, most: int) -> Backlog:
        """What waits; counts no more than `most` of anything, and from indexes alone."""

    async def counts(self, account_id: str | None = None) -> Counts:
        """What there is, for summaries; reads whole tables, so not for a hot path."""
