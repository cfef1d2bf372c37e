"""Reads what came in: bodies within their limits, JSON and queries as structs; trusts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from milepost.api.problems import NotJson, UnsupportedBody
from milepost.contracts.refusal import refusal
from milepost.errors import InvalidInput

T = TypeVar("T")

MOST_PARAMETERS = 20
LESS_NESTED = "JSON that is nested less deeply"

# A NUL that is escaped as JSON does it, and not one that follows an escaped backslash.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def check_type(headers: Mapping[bytes, bytes]) -> None:
    """Raises UnsupportedBody unless the body is plain JSON."""
    media_type = headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
    if media_type != b"application/json":
        raise UnsupportedBody("Send it with the header content-type: application/json.")
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedBody("Send it without content-encoding.")


_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    decoder = _DECODERS.get(shape)
    if decoder is None:
        decoder = _DECODERS[shape] = msgspec.json.Decoder(shape)
    return decoder


def check_text(raw: bytes) -> None:
    """Raises NotJson unless these bytes are UTF-8 (RFC 8259 §8.1), InvalidInput for a NUL in them.

    Checked beforehand because parts that are kept as they came are not decoded at the door; a NUL
    is refused because not every database can keep it in a text.
    """
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            raise NotJson(f"Byte {error.start} is not UTF-8.") from None
    # Most bodies hold no backslash at all, and one character is found much faster than six.
    if b"\\" in raw and b"\\u0000" in raw and _NUL.search(raw):
        raise InvalidInput(field="", expected="text without NUL characters (\\u0000)")


def read_json(raw: bytes | msgspec.Raw, *, shape: type[T]) -> T:
    """JSON as this shape.

    Raises NotJson, or InvalidInput with the path of what does not fit and what would.
    """
    try:
        value: T = _decoder(shape).decode(raw)
    except msgspec.ValidationError as error:
        raise refusal(error, shape=shape) from None
    except msgspec.DecodeError as error:
        raise NotJson(f"{error}.") from None
    except RecursionError:
        raise InvalidInput(field="", expected=LESS_NESTED) from None
    except (ValueError, OverflowError):
        raise InvalidInput(field="", expected="numbers and text within the limits") from None
    return value


def read_query(raw: bytes, *, shape: type[T]) -> T:
    """A query string as this struct; every parameter is known, and given once.

    Raises InvalidInput with the name of the parameter.
    """
    if not raw:
        return _converted({}, shape=shape)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        expected = f"at most {MOST_PARAMETERS} parameters, percent-encoded in UTF-8"
        raise InvalidInput(field="", expected=expected) from None
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise InvalidInput(field=name, expected="one value, but there are several")
        if "\0" in value:
            raise InvalidInput(field=name, expected="text without NUL characters")
        given[name] = value
    return _converted(given, shape=shape)


def _converted(given: Mapping[str, str], *, shape: type[T]) -> T:
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise refusal(error, shape=shape) from None
