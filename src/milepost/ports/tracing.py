"""What the intake tells of itself to whoever traces it; where nobody does, there is nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

Origin = object
"""What was going on when something was handed in; only who traces knows what is in it."""


class Transaction(Protocol):
    """An intake transaction that is being traced."""

    def queued(self, events: Iterable[tuple[str, int]]) -> None:
        """Tells of which events deliveries were queued: each by its order id and sequence."""


class Tracing(Protocol):
    """Who follows what comes in until it is sent."""

    def here(self) -> Origin:
        """What is going on now."""

    def transaction(
        self, origins: Sequence[Origin], *, items: int
    ) -> AbstractContextManager[Transaction]:
        """An intake transaction of so many items, from its beginning to its commit."""
