"""`NAME=VALUE` on the command line, read as the fields of a struct."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from milepost.cli.exits import FileUnusable
from milepost.contracts.refusal import refusal
from milepost.errors import InvalidInput


def merged(
    pairs: Sequence[str] | None, *, shape: type[msgspec.Struct], known: bytes, name: str
) -> msgspec.Raw:
    """What was `known`, with the fields that the pairs give, as JSON.

    A value is read as its field is typed, so that 17 is a text where a text is wanted; `@FILE`
    stands for what a file holds, less the white space around it; an empty value drops the field.
    Raises InvalidInput, which repeats no value, and FileUnusable.
    """
    fields: dict[str, Any] = msgspec.json.decode(known)
    told: dict[str, Any] = {}
    for pair in pairs or ():
        field, equals, value = pair.partition("=")
        if not equals or not field:
            raise InvalidInput(field=name, expected="NAME=VALUE")
        told[field] = text_or_file(value)
    fields |= _typed({**fields, **{f: v for f, v in told.items() if v}}, shape=shape, name=name)
    for field in [f for f, value in told.items() if not value]:
        fields.pop(field, None)
    return msgspec.Raw(msgspec.json.encode(fields))


def _typed(fields: dict[str, Any], *, shape: type[msgspec.Struct], name: str) -> dict[str, Any]:
    try:
        whole = msgspec.convert(fields, shape, strict=False)
    except msgspec.ValidationError as error:
        refused = refusal(error, shape=shape)
        where = f"{name} {refused.field}".strip()
        raise InvalidInput(field=where, expected=refused.expected) from None
    typed: dict[str, Any] = msgspec.to_builtins(whole)
    return {field: typed[field] for field in fields}


def text_or_file(value: str) -> str:
    """The value, or for `@FILE` what the file holds, less the white space around it.

    Raises FileUnusable.
    """
    return _read(value) if value.startswith("@") else value


def _read(value: str) -> str:
    path = Path(value[1:])
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FileUnusable(f"{path}: it is not UTF-8") from None
