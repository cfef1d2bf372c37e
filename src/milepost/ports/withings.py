"""What the order interface of a provider needs of the outside: client applications and nonces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

import msgspec

from milepost.orders.address import AddressFault
from milepost.orders.model import Address, Order
from milepost.ports.core import OrderRef

CALLS_WITHIN = timedelta(minutes=1)
"""The time in which an application's calls are counted; it begins with the first call in it."""


class ClientApplication(msgspec.Struct, frozen=True, gc=False):
    """A program that asks a provider's interface for an account, and what it signs with.

    Its orders belong to `store`, which is no other application's. `endpoint_id` is where its
    notify URI is told, None while it has none. `billing_id` is what the provider calls the account.
    """

    account_id: str
    client_id: str
    name: str
    billing_id: str
    secret: str
    store: str
    endpoint_id: str | None
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return f"ClientApplication({self.client_id}, {self.store})"


class Admission(Enum):
    """Whether a signed call is answered."""

    ADMITTED = "admitted"
    TOO_MANY_CALLS = "too many calls"
    NONCE_UNKNOWN = "nonce unknown"


class Unreachable(Exception):
    """An address checker did not answer, or not with an answer; the text says why."""


AskAddress = Callable[[Address], Awaitable[Sequence[AddressFault]]]
"""Asks a checker what is wrong with an address. Raises Unreachable, and takes its time."""


class WithingsStore(Protocol):
    """Every method may raise StoreError.

    Nonces and calls are the database's business, so that they count over every process.
    """

    async def add_client(self, client: ClientApplication) -> None:
        """Raises AlreadyExists for a client id that any account has, and for a store in use."""

    async def change_client(self, client: ClientApplication) -> None:
        """Replaces what is known of it, but for its store. Raises UnknownRecord."""

    async def delete_client(self, account_id: str, client_id: str) -> None:
        """Its nonces go with it; its orders stay. Raises UnknownRecord."""

    async def client(self, account_id: str, client_id: str) -> ClientApplication:
        """Raises UnknownRecord."""

    async def clients(self, account_id: str) -> Sequence[ClientApplication]:
        """The account's applications, oldest first."""

    async def find_client(self, client_id: str) -> ClientApplication | None:
        """The application with this id, whichever account it belongs to."""

    async def add_nonce(
        self,
        account_id: str,
        client_id: str,
        *,
        nonce: str,
        expires_at: datetime,
        most_calls: int,
        now: datetime,
    ) -> bool:
        """Keeps a nonce; False, and nothing kept, after too many calls."""

    async def use_nonce(
        self, account_id: str, client_id: str, *, nonce: str, most_calls: int, now: datetime
    ) -> Admission:
        """Uses a nonce up, once over all processes; after too many calls it stays good."""

    async def drop_old_nonces(self, *, now: datetime) -> int:
        """Forgets nonces that can no longer be used; returns how many."""

    async def orders_named(self, refs: Sequence[OrderRef]) -> Sequence[Order | None]:
        """The order of each ref, or None, in the order asked; all of one state."""
