"""Cursors of lists: where a page ended, as text that means nothing to whoever carries it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from milepost.errors import InvalidInput

T = TypeVar("T")

Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that a column of the database can hold."""

LONGEST_CURSOR = 2_000


def write_cursor(key: tuple[str | int, ...]) -> str:
    """The cursor of a page that ended with this sort key."""
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def next_cursor(rows: Sequence[Sequence[Any]], *, limit: int, columns: Sequence[int]) -> str | None:
    """The cursor after the last row of a page, if more rows were read than it shows.

    The sort key is in these columns.
    """
    if len(rows) <= limit:
        return None
    return write_cursor(tuple(rows[limit - 1][column] for column in columns))


def read_cursor(cursor: str | None, *, shape: type[T]) -> T | None:
    """The sort key in a cursor, None for the first page.

    Raises InvalidInput for the field `after` when it is not a cursor of this list.
    """
    if cursor is None:
        return None
    try:
        if len(cursor) > LONGEST_CURSOR or not cursor.isascii():
            raise ValueError(cursor)
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found: Any = msgspec.json.decode(raw, type=shape)
    except (ValueError, msgspec.DecodeError):
        raise InvalidInput(field="after", expected="a cursor that this list gave") from None
    return found  # type: ignore[no-any-return]
