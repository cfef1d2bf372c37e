"""The parts of a transfer that need no socket: header lines, and names for libcurl's results."""

from __future__ import annotations

import pycurl
import pytest
from hypothesis import given, strategies

from milepost.delivery.model import Failure
from milepost.net.transfer import FAILURES, Unsendable, header_lines

NOT_ADDED = ["Expect:", "Accept:", "Content-Type:"]


def test_header_lines_are_what_libcurl_takes_for_the_same_headers() -> None:
    headers = (("A-b", "one: two; three"), ("empty", ""), ("blank", "   "), ("c", " d "))
    assert header_lines(headers) == [
        "A-b: one: two; three",
        "empty;",
        "blank;",
        "c:  d ",
        *NOT_ADDED,
    ]


@given(strategies.lists(strategies.tuples(strategies.text(), strategies.text()), max_size=4))
def test_whatever_the_headers_are_no_line_holds_a_line_end(headers: list[tuple[str, str]]) -> None:
    try:
        lines = header_lines(tuple(headers))
    except Unsendable:
        return
    assert len(lines) == len(headers) + len(NOT_ADDED)
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert all(
        line.startswith((f"{name}:", f"{name};"))
        for line, (name, _) in zip(lines, headers, strict=False)
    )


@pytest.mark.parametrize("separator", list('()<>@,;:\\"/[]?={} \t\r\n\x00\x7fé\u212a'))
def test_a_name_is_a_token(separator: str) -> None:
    with pytest.raises(Unsendable):
        header_lines(((f"x{separator}y", "z"),))


def test_every_tls_result_is_a_tls_failure_and_every_failure_but_the_guards_has_a_result() -> None:
    tls = [name for name in dir(pycurl) if name.startswith("E_SSL_")]
    assert len(tls) >= 12
    assert {FAILURES[getattr(pycurl, name)] for name in tls} == {Failure.TLS}
    assert set(FAILURES.values()) == set(Failure) - {Failure.BLOCKED}
    assert pycurl.E_OK not in FAILURES
