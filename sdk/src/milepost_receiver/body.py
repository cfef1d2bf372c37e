"""A body as bytes, as a JSON object or as a form; strict, so that it has one meaning only."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, TypeAlias, cast
from urllib.parse import parse_qsl

from milepost_receiver.errors import BodyMalformed, BodyTooLarge, Unreadable

Json: TypeAlias = "str | int | float | bool | ReadOnly | tuple[Json, ...] | None"
"""A JSON value that cannot be changed."""

DEEPEST = 64
MOST_FORM_FIELDS = 100

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class ReadOnly(dict[str, Json]):
    """A JSON object that cannot be changed; json.dumps, pickle and copy take it as a dict."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("a received body is read-only")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[ReadOnly], tuple[dict[str, Json]]]:
        return (type(self), (dict(self),))


def take_bytes(body: object, *, limit: int) -> bytes:
    """The raw body. Raises BodyTooLarge over the limit, and BodyMalformed if it is not bytes."""
    try:
        view = memoryview(cast("bytes", body))
        if view.nbytes <= limit:
            return body if type(body) is bytes else view.tobytes()
        refusal: Unreadable = BodyTooLarge(expected=f"at most {limit:,} bytes")
    except (TypeError, ValueError, BufferError):
        refusal = BodyMalformed(expected="the raw bytes of the request")
    raise refusal


def read_json(body: bytes) -> ReadOnly:
    """The JSON object in a body: UTF-8, no key twice, no NaN, at most 64 levels deep.

    Raises BodyMalformed for anything else.
    """
    try:
        text = body.decode()
        value = _DECODER.decode(text)
        if _SURROGATE.search(text):
            # Half of a surrogate pair would only fail later, where the text is stored or printed.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        value = None
    if type(value) is not ReadOnly:
        raise BodyMalformed(expected="one JSON object in UTF-8")
    # Counting brackets is quick, and settles it for all but the largest bodies.
    if body.count(b"{") + body.count(b"[") > DEEPEST and _too_deep(value):
        raise BodyMalformed(expected=f"at most {DEEPEST} levels")
    return value


def read_form(body: bytes) -> ReadOnly:
    """The fields of a URL-encoded form. Raises BodyMalformed; a field may be there only once."""
    try:
        pairs = _pairs(body.decode())
        fields = ReadOnly(pairs)
    except ValueError:
        pairs, fields = [], None
    if fields is None or len(fields) != len(pairs):
        raise BodyMalformed(expected="a URL-encoded form")
    return fields


def _pairs(text: str) -> list[tuple[str, str]]:
    """What parse_qsl makes of it; most forms have nothing escaped in them, and need less work."""
    if "%" not in text and "+" not in text and text.count("&") < MOST_FORM_FIELDS:
        parts = [part.partition("=") for part in text.split("&")]
        if not all([equals for _, equals, _ in parts]):  # noqa: C419 - a list is quicker here
            raise ValueError("a field has no value")
        return [(name, value) for name, _, value in parts]
    return parse_qsl(
        text,
        keep_blank_values=True,
        strict_parsing=True,
        errors="strict",
        max_num_fields=MOST_FORM_FIELDS,
    )


def _object(pairs: list[tuple[str, Any]]) -> ReadOnly:
    made = ReadOnly(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    for key, value in pairs:
        if type(value) is list:  # as the decoder makes arrays
            dict.__setitem__(made, key, _array(value))
    return made


def _array(values: list[Any]) -> tuple[Json, ...]:
    if list in map(type, values):
        return tuple([_array(value) if type(value) is list else value for value in values])
    return tuple(values)


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("the number is too large")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_constant=_no_constant
)


def _too_deep(value: ReadOnly) -> bool:
    level: list[ReadOnly | tuple[Json, ...]] = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, ReadOnly) else outer)
            if isinstance(inner, ReadOnly | tuple)
        ]
    return bool(level)
