"""How bad JSON is refused: with a path, with what was expected, and without the value."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.contracts.contract import read_as, read_under
from milepost.errors import InvalidInput


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    color: Color | None = None
    size: Literal["s", "m"] | None = None
    amount: Decimal | None = None
    at: datetime | None = None
    day: date | None = None
    count: int = 0

    def __post_init__(self) -> None:
        if self.color is Color.BLUE:
            raise ValueError("color: expected a warm one")


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=3)]
    inner: Inner = Inner()
    list: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = {}


@pytest.mark.parametrize(
    ("said", "field", "expected"),
    [
        (b"{}", "name", "a value"),
        (b'{"name":1}', "name", "str, got int"),
        (b'{"name":"long"}', "name", "str of length <= 3"),
        (b'{"name":"a","more":1}', "more", "no such field"),
        (b'{"name":"a","inner":{"color":"green"}}', "inner.color", "one of red, blue"),
        (b'{"name":"a","inner":{"color":"blue"}}', "inner.color", "a warm one"),
        (b'{"name":"a","inner":{"size":"xl"}}', "inner.size", "one of m, s"),
        (b'{"name":"a","inner":{"amount":"much"}}', "inner.amount", "a number"),
        (
            b'{"name":"a","inner":{"at":"noon"}}',
            "inner.at",
            "a date and time with an offset (RFC 3339)",
        ),
        (
            b'{"name":"a","inner":{"count":1%s}}' % (b"0" * 5_000),
            "inner.count",
            "a number within the limits",
        ),
        (b'{"name":"a","inner":{"day":"noon"}}', "inner.day", "a date (RFC 3339)"),
        (b'{"name":"a","list":[{},{"color":"x"}]}', "list[1].color", "one of red, blue"),
        (b'{"name":"a","by_name":{"k":{"size":"x"}}}', "by_name[...].size", "one of m, s"),
        (b"[]", "", "object, got array"),
        (b"", "", "well-formed JSON"),
        (b'{"name":"a"', "", "well-formed JSON"),
        (b'{"name":"a"} {', "", "well-formed JSON"),
        (b'{"name":"\xff"}', "", "text in UTF-8"),
    ],
)
def test_a_refusal_says_where_and_what(said: bytes, field: str, expected: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_as(Outer, said)
    assert (caught.value.field, caught.value.expected) == (field, expected)


def test_a_refusal_inside_something_has_the_whole_path() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_under("lines[2].extensions.x", shape=Outer, raw=b'{"name":"a","inner":{"size":1}}')
    assert caught.value.field == "lines[2].extensions.x.inner.size"


@pytest.mark.parametrize("name", ["name", "inner", "list"])
def test_a_refusal_never_repeats_the_value(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_as(Outer, b'{"name":"a","%s":{"color":"s3cret","size":"s3cret"}}' % name.encode())
    assert "s3cret" not in str(caught.value)


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_whatever_bytes_come_only_our_error_is_raised(said: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_as(Outer, said)


def test_equal_bytes_are_read_once() -> None:
    assert read_as(Outer, b'{"name":"abc"}') is read_as(Outer, b'{"name":"abc"}')
