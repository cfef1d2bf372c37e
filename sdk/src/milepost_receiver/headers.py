"""The few headers that matter, taken from whatever kind of header collection arrives."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Protocol, TypeAlias, cast

from milepost_receiver.errors import HeaderMalformed

MOST_HEADERS = 1_000
LONGEST_VALUE = 8_192


class HasItems(Protocol):
    """A mapping, or one of the many header collections that are nearly one."""

    def items(self) -> Iterable[tuple[Any, Any]]: ...


HeaderSource: TypeAlias = HasItems | Iterable[tuple[str | bytes, str | bytes]]


def pick_headers(source: HeaderSource, *, wanted: frozenset[str]) -> dict[str, str]:
    """The wanted headers by lower-case name; the rest is not looked at.

    Raises HeaderMalformed for a value that is not visible ASCII text, and for a header that is
    there twice with different values: the sender means one, and nothing says which.
    """
    picked: dict[str, str] = {}
    for name, value in _pairs(source):
        # Most collections have them in lower case already.
        key = name if type(name) is str and name in wanted else _lower_name(name)
        if key not in wanted:
            continue
        text = _text(value, name=key)
        if picked.setdefault(key, text) != text:
            raise HeaderMalformed(key, expected="one value")
    return picked


def _pairs(source: HeaderSource) -> list[tuple[object, object]]:
    try:
        items = getattr(source, "items", None)
        pairs = items() if callable(items) else cast("Iterable[tuple[Any, Any]]", source)
        found = [(name, value) for name, value in islice(pairs, MOST_HEADERS + 1)]
    # The collection is a stranger's code: whatever goes wrong in it, the headers are unreadable.
    except Exception:  # noqa: BLE001
        found = None
    if found is None:
        raise HeaderMalformed(expected="a mapping or pairs of names and values")
    if len(found) > MOST_HEADERS:
        raise HeaderMalformed(expected=f"at most {MOST_HEADERS:,} headers")
    return found


def _lower_name(name: object) -> str:
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    # Some letters outside ASCII turn into ASCII ones when lowered: those names are not ours.
    return name.lower() if isinstance(name, str) and name.isascii() else ""


def _text(value: object, *, name: str) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) > LONGEST_VALUE:
        raise HeaderMalformed(name, expected=f"text of at most {LONGEST_VALUE:,} characters")
    text = text.strip(" \t")
    if not (text.isascii() and text.isprintable()):
        raise HeaderMalformed(name, expected="visible ASCII characters")
    return text
