"""Silences on record: found through an index, raised once, ended when the order moves again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from milepost.delivery.silence import SilenceNotice, SilenceType
from milepost.orders.lifecycle import State
from milepost.orders.silence import Overdue, Own, Silence, SilenceKind
from milepost.ports.core import Page

TellSilence = Callable[[SilenceType, int, Sequence[Silence]], SilenceNotice]
"""What goes out of so many silences, the first of which are named; pure."""


class SilenceFilter(msgspec.Struct, frozen=True, gc=False):
    """Which silences a list shows; None does not filter."""

    kind: SilenceKind | None = None
    state: State | None = None
    is_open: bool | None = None


class Raised(msgspec.Struct, frozen=True, gc=False):
    """What one transaction raised or ended, by kind; whether there may be more; whom it told."""

    kinds: Mapping[SilenceKind, int]
    more: bool = False
    told: int = 0


class Heard(msgspec.Struct, frozen=True, gc=False):
    """A word of a carrier's that changed nothing, and when it was said."""

    account_id: str
    order_id: str
    at: datetime


class SilenceStore(Protocol):
    """Silences and their thresholds. Every method may raise StoreError.

    Orders that test mode made up, and those whose data was erased, never fall silent.
    """

    async def is_silence_due(
        self, account_id: str, *, wanted: Sequence[Overdue], now: datetime
    ) -> bool:
        """Whether there is anything to raise, to end or to tell of, by a read alone."""

    async def raise_silences(
        self,
        account_id: str,
        *,
        wanted: Sequence[Overdue],
        limit: int,
        tell: TellSilence,
        now: datetime,
        due_at: datetime,
    ) -> Raised:
        """Raises so many in one transaction, each order and time of it once.

        When nothing more is left and it is time, all that was not told of yet goes out in the same
        transaction. While another process is at this account nothing is done. `now` is the
        account's time; `due_at` is ours, at which what goes out is due.
        """

    async def end_silences(
        self,
        account_id: str,
        *,
        limit: int,
        tell: TellSilence,
        now: datetime,
        due_at: datetime,
    ) -> Raised:
        """Ends those whose order has moved, likewise; what was never told of ends untold."""

    async def put_heard(self, heard: Sequence[Heard]) -> None:
        """Counts words that changed nothing, of orders in the states where they count."""

    async def silences(
        self, account_id: str, *, wanted: SilenceFilter, page: Page
    ) -> tuple[Sequence[Silence], str | None]:
        """A page of them, newest first, and the cursor of the next, None at the end."""

    async def attending_silences(
        self, account_id: str, *, after: datetime | None, page: Page
    ) -> tuple[Sequence[Silence], str | None]:
        """Open ones that were raised after then and not put aside as `silence:` and the number."""

    async def count_silences(self) -> Mapping[SilenceKind, int]:
        """How many are open, of all accounts."""

    async def silence_thresholds(self, account_id: str) -> Own:
        """What the account has set itself."""

    async def set_silence_thresholds(self, account_id: str, own: Own, *, now: datetime) -> None:
        """Sets those that are named; the others stay as they are."""

    async def reset_silence_thresholds(self, account_id: str, states: Sequence[State]) -> None:
        """Goes back to the defaults of these."""
