"""The lanes that were handed out to this process, and what it must know to give them back."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

Lane = tuple[str, str, str]
"""A lane's account, endpoint and order: the order of its key, in which lanes are locked."""


class Held(NamedTuple):
    """How a lane was when it was handed out: its revision, and whether nothing followed its head.

    What is appended to a lane leaves its revision as it is. `attempts` are those made of the head.
    """

    sequence: int
    attempts: int
    revision: int
    alone: bool


class Leases:
    """Which lanes each owner was handed.

    When it is not known whether a lease was written (the connection was lost before the answer
    came), the owner is in doubt: from then on only lanes that it was handed are renewed, so that
    one which nobody holds runs out and is claimed again.
    """

    def __init__(self) -> None:
        self._held: dict[str, dict[Lane, Held]] = {}
        self._in_doubt: set[str] = set()

    def took(self, owner: str, lane: Lane, held: Held) -> None:
        """The lane was handed out."""
        lanes = self._held.get(owner)
        if lanes is None:
            lanes = self._held[owner] = {}
        lanes[lane] = held

    def held(self, owner: str, lane: Lane, *, sequence: int, attempts: int) -> Held | None:
        """How the lane was when it was handed to this owner with this head; None if it was not."""
        lanes = self._held.get(owner)
        held = None if lanes is None else lanes.get(lane)
        if held is None or held.sequence != sequence or held.attempts != attempts:
            return None
        return held

    def let_go(self, owner: str, lanes: Collection[Lane]) -> None:
        """These are no longer held."""
        held = self._held.get(owner)
        if held:
            for lane in lanes:
                held.pop(lane, None)

    def lose(self, owner: str, lane: Lane, *, sequence: int, attempts: int) -> None:
        """The lane was somebody else's meanwhile; handed out again since, it is still held."""
        if self.held(owner, lane, sequence=sequence, attempts=attempts) is not None:
            del self._held[owner][lane]
        self.doubt(owner)

    def forget(self, owner: str) -> None:
        """The owner has given back everything."""
        self._held.pop(owner, None)
        self._in_doubt.discard(owner)

    def doubt(self, owner: str) -> None:
        """The database may have leased this owner lanes that it was not handed."""
        self._in_doubt.add(owner)

    def only_these(self, owner: str) -> list[Lane] | None:
        """The lanes to renew for an owner in doubt, in their order; None for all it has."""
        if owner not in self._in_doubt:
            return None
        return sorted(self._held.get(owner, ()))
