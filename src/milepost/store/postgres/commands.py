"""The statements of the SQL files in the forms that PostgreSQL is sent them.

Single statements name their parameters (`:account_id`); statements for batches number them, first
those that are columns. Several of the latter can be put together into one, which then is a whole
transaction of one round trip: none is ever left open by a process that has stopped in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from milepost.store.postgres.packing import Pack, packs_of
from milepost.store.rows import Row
from milepost.store.statements import load

STATEMENTS = load(
    "records",
    "secrets",
    "postgres/upkeep",
    "health",
    "attention",
    "reading",
    "postgres/setup",
    "postgres/intake",
    "postgres/lanes",
    "postgres/health",
    "postgres/attention",
    "postgres/lists",
    "postgres/merchants",
    "postgres/backlog",
    "resends",
    "postgres/resends",
    "postgres/answers",
    "withings",
    "egress",
    "reconciling",
    "postgres/reconciling",
    "people",
    "trends",
    "postgres/trends",
    "merchants",
    "tracking",
    "postgres/tracking",
    "silence",
    "postgres/silence",
    "clocks",
    "postgres/clocks",
    "receiving",
    "postgres/receiving",
)

_NAMED = re.compile(r"(?<![\w:]):([a-z_]+)")
_NUMBERED = re.compile(r"\$(\d+)")

GUARDS = frozenset(("stand_still", "miss_no_keys"))
"""Statements that only refuse; in a compound they come before everything that writes."""


class Single(NamedTuple):
    """A statement with numbered parameters, and the name of each."""

    text: str
    names: tuple[str, ...]


class Batch(NamedTuple):
    """A statement for batches, and how it wants its columns."""

    text: str
    packs: tuple[Pack, ...]

    def arguments(self, rows: Iterable[Row]) -> list[Any]:
        """The rows as this statement's columns."""
        columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True))
        return self.pack(columns or [()] * len(self.packs))

    def pack(self, columns: Sequence[Sequence[Any]]) -> list[Any]:
        """The columns, packed; the first parameters of this statement."""
        return [pack(column) for pack, column in zip(self.packs, columns, strict=True)]


@lru_cache(maxsize=256)
def single(name: str, given: frozenset[str] = frozenset()) -> Single:
    """The statement with the optional lines for these words."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return Single(_NAMED.sub(number, STATEMENTS[name].given(given)), tuple(names))


@lru_cache(maxsize=256)
def batch(name: str) -> Batch:
    """The statement for batches of this name."""
    text = STATEMENTS[name].text
    return Batch(text, packs_of(text))


@lru_cache(maxsize=256)
def compound(names: tuple[str, ...]) -> str:
    """Statements for batches as one, which does them in this order; so do their parameters follow.

    The guards are the main query, which comes first: nothing has been locked then by the others.
    What changes something is run by PostgreSQL from the last of the list to the first. That matters
    because whoever locks in another order than everybody else ends in a deadlock.
    """
    parts: list[str] = []
    guards: list[str] = []
    offset = 0
    for name in names:
        text = batch(name).text
        width = len(batch(name).packs)
        shifted = _shifted(text, offset)
        offset += width
        if name in GUARDS:
            guards.append(shifted)
        else:
            parts.append(f"{name} AS (\n{shifted}\n)")
    return "WITH " + ",\n".join(reversed(parts)) + "\n" + "\nUNION ALL\n".join(guards)


def _shifted(text: str, offset: int) -> str:
    return _NUMBERED.sub(lambda found: f"${int(found[1]) + offset}", text)
