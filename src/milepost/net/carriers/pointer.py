"""Finding values in JSON: pointers as in RFC 6901, with `*` for every element."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

EVERY = "*"
_ESCAPED = re.compile(r"~(.)")
_PLAIN = {"0": "~", "1": "/"}


def steps_of(pointer: str) -> tuple[str, ...]:
    """The steps of a pointer, none for the empty one, which is the whole value.

    Raises ValueError for what is not a pointer.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/") or any(code not in _PLAIN for code in _ESCAPED.findall(pointer)):
        raise ValueError("expected a JSON pointer such as /shipment/events")
    if pointer.endswith("~"):
        raise ValueError("expected a JSON pointer that ends with a whole step")
    return tuple(
        _ESCAPED.sub(lambda found: _PLAIN[found[1]], step) for step in pointer[1:].split("/")
    )


def found_at(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    """Every value that the steps lead to, in order; none where they lead nowhere."""
    if not steps:
        yield value
        return
    first, rest = steps[0], steps[1:]
    for inner in _within(value, first):
        yield from found_at(inner, rest)


def _within(value: Any, step: str) -> Iterator[Any]:
    if isinstance(value, dict):
        if step == EVERY:
            yield from value.values()
        elif step in value:
            yield value[step]
    elif isinstance(value, list):
        if step == EVERY:
            yield from value
        elif step.isascii() and step.isdigit() and int(step[:9]) < len(value):
            yield value[int(step)]


def text_at(value: Any, steps: tuple[str, ...]) -> str | None:
    """The first text or number that the steps lead to, as a text."""
    for found in found_at(value, steps):
        if isinstance(found, str):
            return found.strip()
        if isinstance(found, int | float) and not isinstance(found, bool):
            return str(found)
    return None
