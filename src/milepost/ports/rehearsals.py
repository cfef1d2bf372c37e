"""Fake orders that live by themselves: how far each has come, and when its next step is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec


class Rehearsal(msgspec.Struct, frozen=True, gc=False):
    """A fake order that has steps left: which sequence it plays, its next step, and when."""

    account_id: str
    order_id: str
    mode: int
    step: int
    due_at: datetime


class RehearsalStore(Protocol):
    """Every method may raise StoreError. A rehearsal begins in the intake of its order."""

    async def claim_rehearsals(
        self, *, now: datetime, until: datetime, limit: int
    ) -> Sequence[Rehearsal]:
        """Takes those that are due, the longest due first; one that is left is due again then."""

    async def next_rehearsal_at(self) -> datetime | None:
        """When the next one is due, None when there is none."""

    async def put_rehearsal(self, rehearsal: Rehearsal) -> None:
        """Says what is next, unless the step before it is no longer the one that is due."""

    async def end_rehearsal(self, rehearsal: Rehearsal) -> None:
        """Forgets it, if this still is its step."""
