"""What msgspec says of bad JSON, told as the path of the field and what was expected there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import inspect

from milepost.errors import InvalidInput

_AT = re.compile(r"^(?P<said>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_NAMED = re.compile(r"^(?P<name>[\w.\[\]]+): expected (?P<expected>.*)$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[[^\]]*\]")
_PLAINLY: Mapping[str, str] = MappingProxyType(
    {
        "Invalid decimal string": "a number",
        "Integer value out of range": "a number within the limits",
        "Number out of range": "a number within the limits",
        "Invalid RFC3339 encoded datetime": "a date and time with an offset (RFC 3339)",
        "Invalid RFC3339 encoded date": "a date (RFC 3339)",
    }
)
LONGEST_NAME = 100


def refusal(
    error: msgspec.DecodeError | UnicodeDecodeError, *, shape: Any, under: str = ""
) -> InvalidInput:
    """The error to raise for JSON that does not fit `shape`; `under` is where it stands.

    Values are never repeated, because a value may be a secret.
    """
    if isinstance(error, UnicodeDecodeError):
        return InvalidInput(field=under, expected="text in UTF-8")
    match = _AT.match(str(error))
    said, path = (match["said"], match["path"] or "") if match else (str(error), "")
    if missing := _MISSING.match(said):
        return InvalidInput(field=_joined(under, path, missing["name"]), expected="a value")
    if unknown := _UNKNOWN.match(said):
        return InvalidInput(field=_joined(under, path, unknown["name"]), expected="no such field")
    if named := _NAMED.match(said):
        return InvalidInput(field=_joined(under, path, named["name"]), expected=named["expected"])
    if said.startswith("Invalid enum value"):
        choices = ", ".join(_choices(inspect.type_info(shape), path))
        return InvalidInput(field=_joined(under, path), expected=f"one of {choices}")
    if said.startswith("Expected "):
        expected = said.removeprefix("Expected ").replace("`", "")
        return InvalidInput(field=_joined(under, path), expected=expected)
    if isinstance(error, msgspec.ValidationError):
        return InvalidInput(field=_joined(under, path), expected=_PLAINLY.get(said, said))
    return InvalidInput(field=under, expected="well-formed JSON")


def _joined(under: str, path: str, name: str = "") -> str:
    return f"{under}{path}{f'.{name[:LONGEST_NAME]}' if name else ''}".lstrip(".")


def _choices(kind: inspect.Type, path: str) -> Iterator[str]:
    """The values of the closed set that stands at this path of a type."""
    kinds = [kind]
    for step in _STEP.finditer(path):
        kinds = [inner for outer in kinds for inner in _inside(outer, step["key"])]
    for found in (member for outer in kinds for member in _members(outer)):
        if isinstance(found, inspect.EnumType):
            yield from (str(member.value) for member in found.cls)
        elif isinstance(found, inspect.LiteralType):
            yield from (str(value) for value in found.values)


def _members(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.UnionType):
        yield from kind.types
    elif isinstance(kind, inspect.Metadata):
        yield from _members(kind.type)
    else:
        yield kind


def _inside(kind: inspect.Type, key: str | None) -> Iterator[inspect.Type]:
    for member in _members(kind):
        if isinstance(member, inspect.StructType):
            yield from (field.type for field in member.fields if field.encode_name == key)
        elif isinstance(member, inspect.CollectionType):
            yield member.item_type
        elif isinstance(member, inspect.DictType):
            yield member.value_type
