"""What every object of ShipMonk's published interface keeps to."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

ItemT = TypeVar("ItemT")

Number = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""A numeric identifier that every JSON reader holds exactly."""
Few = Annotated[tuple[ItemT, ...], msgspec.Meta(max_length=100)]
Many = Annotated[tuple[ItemT, ...], msgspec.Meta(max_length=1_000)]

_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Published(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The base of every published object: nothing but its own fields, and every one of them."""


def check_moments(shape: msgspec.Struct, *names: str) -> None:
    """A moment stays the text that was sent, so that it goes out with the same digits."""
    for name in names:
        text: str | None = getattr(shape, name)
        if text is None:
            continue
        try:
            valid = _ISO_MOMENT.fullmatch(text) and datetime.fromisoformat(text)
        except ValueError:
            valid = None
        if not valid:
            raise ValueError(f"{name}: expected a date and time with an offset (ISO 8601)")
