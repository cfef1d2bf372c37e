"""What tracking needs of the outside: carriers to ask, and a record of the parcels watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from milepost.orders.lifecycle import State
from milepost.orders.model import Order, Parcel
from milepost.orders.tracking import Scan, Tracking
from milepost.ports.core import Lease


class CarrierSource(msgspec.Struct, frozen=True, gc=False):
    """Where scans of parcels are asked for, as an account has set it up.

    `carriers` are the carriers that it answers for, as updates name them; none stands for all that
    no other source names. `config` is JSON that its kind reads; so are `secrets`, which the store
    keeps sealed.
    """

    account_id: str
    source: str
    kind: str
    carriers: tuple[str, ...]
    config: bytes
    secrets: bytes
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return f"CarrierSource({self.source}, {self.kind})"


class Told(msgspec.Struct, frozen=True, gc=False):
    """What a carrier answered: the scans of a parcel, none where it does not know of it yet."""

    scans: tuple[Scan, ...] = ()
    trouble: str = ""


class Failed(msgspec.Struct, frozen=True, gc=False):
    """A carrier did not answer the question; `why` holds nothing secret.

    `wait` is how long it wants to be left alone. A failure that `is_general` is about the carrier
    and not about the parcel, so that others need not be asked for either.
    """

    why: str
    wait: timedelta | None = None
    is_general: bool = True


class Carrier(Protocol):
    """One carrier source, ready to be asked.

    `at_once` questions are asked at once at most, `per_minute` in a minute; None is no limit.
    """

    at_once: int
    per_minute: float | None

    def meaning(self, word: str) -> State | None:
        """The state that one of the carrier's words stands for; None for one that is not known."""

    async def ask(self, parcel: Parcel, *, now: datetime) -> Told | Failed:
        """The scans of a parcel, which has a tracking number; raises nothing."""


class Watched(msgspec.Struct, frozen=True, gc=False):
    """A parcel whose turn it is, leased until its `due_at`, and its order, if there is one.

    Its times are those of its account, whose clock is so far `ahead` of ours.
    """

    tracking: Tracking
    order: Order | None
    ahead: timedelta = timedelta()


class Looked(msgspec.Struct, frozen=True, gc=False):
    """A parcel as it was claimed, and what came of it."""

    claimed: Tracking
    after: Tracking


class TrackingStore(Protocol):
    """Carrier sources and watched parcels. Every method may raise StoreError.

    A parcel is watched from the transaction on in which it goes to a carrier, if its account has a
    source then, and due at once; so it is again when it is reopened, or gets another number.
    """

    async def put_carrier_source(self, source: CarrierSource) -> None:
        """Creates or replaces a source; counts for every intake that commits after it."""

    async def carrier_sources(self, account_id: str | None = None) -> Sequence[CarrierSource]:
        """The sources of an account, or of all, by name."""

    async def delete_carrier_source(self, account_id: str, source: str) -> None:
        """Removes a source; its parcels stay on record. Raises UnknownRecord."""

    async def begin_trackings(
        self, account_id: str, *, after: tuple[str, str], limit: int, now: datetime
    ) -> tuple[str, str] | None:
        """Watches those of so many parcels that went to a carrier before anything watched them.

        `after` and what is returned are an order id and a parcel; None at the end.
        """

    async def claim_trackings(
        self, rooms: Mapping[str, int], *, lease: Lease, now: datetime
    ) -> Sequence[Watched]:
        """Leases due parcels, the longest due first, of each account no more than it has room.

        A parcel that is not settled is due again when the lease ends.
        """

    async def settle_trackings(self, looked: Sequence[Looked], *, owner: str) -> int:
        """Keeps what came of claimed parcels; returns how many were still as they were claimed.

        What somebody else has claimed or begun anew meanwhile stays as it is.
        """

    async def note_scans(
        self, account_id: str, order_id: str, parcel: str, *, scans: Sequence[Scan]
    ) -> None:
        """Remembers scans that were pushed, if the parcel is watched."""

    async def trackings(self, account_id: str, order_id: str) -> Sequence[Tracking]:
        """The parcels of an order that are watched or were, by name."""
