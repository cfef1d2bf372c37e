"""Values as PostgreSQL takes them: columns of a batch packed into one text each, texts escaped.

An array costs whoever sends it three times as much as the same values in one text. A packed text
parts its values by U+001F, and U+001E alone stands for NULL; the function `texts` of the schema
unpacks it. PostgreSQL has no U+0000 in a text at all. So these characters, which no text of this
world needs, are kept as two others each: what was given comes back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from milepost.store.rows import Row

Column = Sequence[Any]

_PART, _NULL, _ESCAPE = "\x1f", "\x1e", "\x1a"
_ESCAPED = {
    "\x00": f"{_ESCAPE}0",
    _ESCAPE: f"{_ESCAPE}1",
    _NULL: f"{_ESCAPE}2",
    _PART: f"{_ESCAPE}3",
}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPED.items()}
_TO_ESCAPE = re.compile("[\x00\x1a\x1e\x1f]")
_ESCAPES = re.compile(f"{_ESCAPE}[0-3]")


def escaped(text: str) -> str:
    """The text as it is kept."""
    return _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], text)


def plain(row: Iterable[Any]) -> Row:
    """A row as it was given, its texts without escapes."""
    return tuple(
        [
            _ESCAPES.sub(lambda found: _PLAIN[found[0]], value)
            if type(value) is str and _ESCAPE in value
            else value
            for value in row
        ]
    )


def packed_texts(column: Column) -> str | None:
    """A column of texts; None for one without rows."""
    rows = len(column)
    if not rows:
        return None
    nulls = column.count(None)
    if nulls == rows:
        return _PART.join([_NULL] * rows)
    if nulls:
        packed = _PART.join([_NULL if value is None else value for value in column])
    else:
        packed = _PART.join(column)
    if (
        packed.count(_PART) == rows - 1
        and packed.count(_NULL) == nulls
        and _ESCAPE not in packed
        and "\x00" not in packed
    ):
        return packed
    return _PART.join([_NULL if value is None else escaped(value) for value in column])


def packed_numbers(column: Column) -> str:
    """A column of numbers or truths, as the text of an array."""
    rows = len(column)
    if rows and column.count(column[0]) == rows:
        # Most columns of a batch hold the same in every row.
        number = "NULL" if column[0] is None else str(column[0])
        return "{" + ",".join([number] * rows) + "}"
    inside = str(list(column))[1:-1]
    return "{" + (inside.replace("None", "NULL") if "None" in inside else inside) + "}"


def _as_it_is(column: Column) -> Column:
    return column


Pack = Callable[[Column], Any]

_KINDS: tuple[tuple[re.Pattern[str], Pack], ...] = (
    (re.compile(r"texts\(\$(\d+)\)"), packed_texts),
    (re.compile(r"\$(\d+)::text::[a-z ]+\[\]"), packed_numbers),
    (re.compile(r"\$(\d+)::bytea\[\]"), _as_it_is),
)


def packs_of(statement: str) -> tuple[Pack, ...]:
    """How a statement for batches wants each of its columns; they are its first parameters."""
    found = {
        int(match[1]): pack for pattern, pack in _KINDS for match in pattern.finditer(statement)
    }
    if sorted(found) != list(range(1, len(found) + 1)):
        raise ValueError(f"the columns are not the first parameters: {statement}")
    return tuple(found[number] for number in sorted(found))
