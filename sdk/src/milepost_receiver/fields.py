"""Typed reading of a body's fields; what does not fit is named, and never repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo

from milepost_receiver.body import Json, ReadOnly
from milepost_receiver.errors import BodyMalformed

T = TypeVar("T")

LARGEST_WHOLE = 2**63 - 1

_FLAGS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}
_OFFSET = re.compile(r"[+-]\d\d:\d\d", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")


class Fields:
    """The fields of one JSON object or form, and where in the body they stand.

    A missing field, a null and an empty text all say nothing: methods that end in `_or_none` then
    answer None, and the others raise BodyMalformed, as all do for a value of another type.
    """

    __slots__ = ("_path", "_values")

    def __init__(self, values: ReadOnly, *, path: str = "") -> None:
        self._values = values
        self._path = path

    def text_or_none(self, name: str) -> str | None:
        value = self._values.get(name)
        if isinstance(value, str):
            return value or None
        if value is None:
            return None
        raise self.refusal(name, expected="text")

    def text(self, name: str) -> str:
        return self._needed(self.text_or_none(name), name=name, expected="text")

    def texts(self, name: str) -> tuple[str, ...]:
        found = tuple(value for value in self._list(name) if isinstance(value, str))
        if len(found) != len(self._list(name)):
            raise self.refusal(name, expected="a list of texts")
        return found

    def whole_or_none(self, name: str) -> int | None:
        value = self._value(name)
        if value is None or (type(value) is int and abs(value) <= LARGEST_WHOLE):
            return value
        raise self.refusal(name, expected="a whole number")

    def whole(self, name: str) -> int:
        return self._needed(self.whole_or_none(name), name=name, expected="a whole number")

    def flag_or_none(self, name: str) -> bool | None:
        """A boolean, also in the ways that a form has to write it: true, false, 1 or 0."""
        value = self._value(name)
        if value is None or isinstance(value, bool):
            return value
        flag = _FLAGS.get(str(value)) if type(value) in {str, int} else None
        return self._needed(flag, name=name, expected="true or false")

    def flag(self, name: str) -> bool:
        return self._needed(self.flag_or_none(name), name=name, expected="true or false")

    def moment_or_none(self, name: str) -> datetime | None:
        """A UTC datetime, of ISO 8601 with an offset or of an object with date and timezone."""
        value = self._value(name)
        if value is None:
            return None
        return self._needed(_moment(value), name=name, expected="a date and time with an offset")

    def moment(self, name: str) -> datetime:
        moment = self.moment_or_none(name)
        return self._needed(moment, name=name, expected="a date and time with an offset")

    def object_or_empty(self, name: str) -> ReadOnly:
        """An inner object as it is; an empty one when the field says nothing."""
        value = self._value(name)
        if value is None or isinstance(value, ReadOnly):
            return value or ReadOnly()
        raise self.refusal(name, expected="an object")

    def record(self, name: str) -> Fields:
        """The fields of an inner object; none when the field says nothing."""
        return Fields(self.object_or_empty(name), path=f"{self._path}{name}.")

    def records(self, name: str) -> tuple[Fields, ...]:
        values = self._list(name)
        found = tuple(
            Fields(value, path=f"{self._path}{name}[{place}].")
            for place, value in enumerate(values)
            if isinstance(value, ReadOnly)
        )
        if len(found) != len(values):
            raise self.refusal(name, expected="a list of objects")
        return found

    def refusal(self, name: str, *, expected: str) -> BodyMalformed:
        """The error to raise about this field."""
        return BodyMalformed(f"{self._path}{name}", expected=expected)

    def _value(self, name: str) -> Json:
        value = self._values.get(name)
        return None if value == "" else value

    def _list(self, name: str) -> tuple[Json, ...]:
        value = self._value(name)
        if value is None or isinstance(value, tuple):
            return value or ()
        raise self.refusal(name, expected="a list")

    def _needed(self, value: T | None, *, name: str, expected: str) -> T:
        if value is None:
            raise self.refusal(name, expected=expected)
        return value


def _moment(value: Json) -> datetime | None:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
        elif isinstance(value, ReadOnly):
            moment = datetime.fromisoformat(str(value.get("date")))
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=_zone(str(value.get("timezone"))))
        else:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else None
    # The last two come from a zone's name: none of that name, or a folder of zones.
    except (ValueError, OverflowError, KeyError, OSError):
        return None


def _zone(name: str) -> tzinfo | None:
    if name in {"UTC", "Z"}:
        return UTC
    if _OFFSET.fullmatch(name):
        return datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo
    return ZoneInfo(name) if _ZONE.fullmatch(name) else None
