"""What is kept of the networks that notifications are sent from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from milepost.delivery.egress import EgressChange


class EgressStore(Protocol):
    """The installation's sender addresses. Every method may raise StoreError."""

    async def egress_changes(self) -> Sequence[EgressChange]:
        """Every change, by when it takes effect, cancelled ones too."""

    async def add_egress_change(self, change: EgressChange) -> None:
        """Keeps a change."""

    async def cancel_egress_change(self, change_id: str, *, now: datetime) -> None:
        """Raises UnknownRecord."""
