"""Ways to spoil a message, each by chance alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.fuzz.corpus import Message, proven

Header = tuple[str | bytes, str | bytes]

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    "",
    " ",
    "\0",
    "\u202e",
    "x" * 5_000,
    "2026-13-45T99:99:99Z",
    {"date": "2026-01-01 00:00:00", "timezone": "../../etc/passwd"},
    0,
    -1,
    2**63,
    -(2**63) - 1,
    10**400,
    1e308,
    [],
    {},
    [[]],
    [{}] * 50,
    {"": None},
)
ODD_HEADERS: tuple[str | bytes, ...] = (
    "",
    " ",
    "\r\nx-injected: 1",
    "\0",
    "²³",
    "0x10",
    "-1",
    "1e3",
    "9" * 30,
    "é" * 20,
    b"\xff\xfe",
    "v1,",
    "v1," + "A" * 44,
    "Basic ",
    "Basic =",
    "sha512=",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-7",
    "multipart/form-data; boundary=x",
    "a" * 9_000,
)
PIECES: tuple[bytes, ...] = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 5_000,
    b"\\ud800",
    b"\\udc00\\ud800",
    b"\\u0000",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\0",
    b"{",
    b"]",
    b'"',
    b",",
    b"/*",
    b"%ZZ",
    b"%00",
    b"&&&=",
    b"&status=OPEN",
    b"+",
)


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A spoiled message: what is thrown, and the last message in it that was really proven.

    `changes` names what was done to it, in order.
    """

    proven: Message
    headers: tuple[Header, ...]
    body: bytes
    changes: tuple[str, ...]


def flip_a_bit(body: bytes, chance: Random) -> bytes:
    if not body:
        return body
    made = bytearray(body)
    made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return bytes(made)


def cut(body: bytes, chance: Random) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def repeat_a_part(body: bytes, chance: Random) -> bytes:
    begin = chance.randrange(len(body) + 1)
    end = min(len(body), begin + chance.randrange(200))
    return body[:end] + body[begin:end] * chance.randrange(1, 30) + body[end:]


def put_in(body: bytes, chance: Random) -> bytes:
    place = chance.randrange(len(body) + 1)
    return body[:place] + chance.choice(PIECES) + body[place:]


def noise(body: bytes, chance: Random) -> bytes:  # noqa: ARG001
    return chance.randbytes(chance.randrange(300))


def nest(body: bytes, chance: Random) -> bytes:
    depth = chance.choice((10, 63, 64, 65, 500, 20_000))
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    ends = chance.random() < 0.7
    return b'{"a":' + opening * depth + (b"1" + closing * depth + b"}" if ends else b"") + body[:50]


def say_twice(body: bytes, chance: Random) -> bytes:
    """A key of an object, or a field of a form, twice."""
    if body[:1] == b"{":
        key = body[1:].partition(b":")[0]
        return b"{" + key + chance.choice((b":null,", b":1,", b":{},")) + body[1:]
    field = body.partition(b"&")[0]
    return body + b"&" + field


def odd_value(body: bytes, chance: Random) -> bytes:
    """Something else at one place of a JSON body."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return body + b" "
    places = list(_places(told))
    if not places:
        return b"[]"
    inside, key = chance.choice(places)
    inside[key] = chance.choice(ODD_VALUES)
    return _written(told, escaped=chance.random() < 0.5)


def without_a_field(body: bytes, chance: Random) -> bytes:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return b"&".join(chance.sample(body.split(b"&"), chance.randrange(body.count(b"&") + 2)))
    places = [(inside, key) for inside, key in _places(told) if isinstance(inside, dict)]
    if places:
        inside, key = chance.choice(places)
        del inside[key]
    return _written(told, escaped=True)


def as_a_form(body: bytes, chance: Random) -> bytes:  # noqa: ARG001
    fields = ("customer_id=1", "customer_ref=%F0%9F", "status=OPEN", "a[]=1", "a[b]=2", "=", "x")
    return "&".join(chance.choices(fields, k=chance.choice((3, 9, 200)))).encode()


def compress(body: bytes, chance: Random) -> bytes:  # noqa: ARG001
    return gzip.compress(body, mtime=0)


def large(body: bytes, chance: Random) -> bytes:
    return body + chance.choice((b" ", b"[")) * chance.choice((100_000, 1_048_577))


BODIES: tuple[Callable[[bytes, Random], bytes], ...] = (
    flip_a_bit,
    flip_a_bit,
    cut,
    repeat_a_part,
    put_in,
    put_in,
    noise,
    nest,
    say_twice,
    odd_value,
    odd_value,
    odd_value,
    without_a_field,
    as_a_form,
    compress,
)
RARE = (large,)
RARELY = 0.005


def odd_header(headers: list[Header], chance: Random) -> None:
    place = chance.randrange(len(headers))
    headers[place] = (headers[place][0], chance.choice(ODD_HEADERS))


def lost_header(headers: list[Header], chance: Random) -> None:
    del headers[chance.randrange(len(headers))]


def second_header(headers: list[Header], chance: Random) -> None:
    name, value = chance.choice(headers)
    other = chance.choice((value, chance.choice(ODD_HEADERS)))
    headers.insert(chance.randrange(len(headers) + 1), (_shouted(name), other))


def spoiled_header(headers: list[Header], chance: Random) -> None:
    place = chance.randrange(len(headers))
    name, value = headers[place]
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
    change = chance.choice((flip_a_bit, cut, put_in, repeat_a_part))
    headers[place] = (name, change(raw, chance))


def foreign_header(headers: list[Header], chance: Random) -> None:
    """A value that belongs to another header."""
    place = chance.randrange(len(headers))
    headers[place] = (headers[place][0], chance.choice(headers)[1])


def many_headers(headers: list[Header], chance: Random) -> None:
    headers.extend((f"x-{n}", "1") for n in range(chance.choice((50, 1_200))))


HEADERS: tuple[Callable[[list[Header], Random], None], ...] = (
    odd_header,
    odd_header,
    lost_header,
    second_header,
    spoiled_header,
    foreign_header,
)
RARE_HEADERS = (many_headers,)


def fuzz(corpus: Sequence[Message], chance: Random) -> Fuzzed:
    """One spoiled message; some bodies are spoiled first and proven then, to get past the proof."""
    message = chance.choice(corpus)
    changes: list[str] = []
    body = message.body
    proven_anew = chance.random() < 0.5
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        change = chance.choice(RARE if chance.random() < RARELY else BODIES)
        body = change(body, chance)
        changes.append(change.__name__)
    if proven_anew:
        message = proven(message, body)
        changes.append("proven")
    headers: list[Header] = list(message.headers)
    for _ in range(chance.choice((0, 0, 1, 2) if proven_anew else (0, 1, 1, 3))):
        if headers:
            spoil = chance.choice(RARE_HEADERS if chance.random() < RARELY else HEADERS)
            spoil(headers, chance)
            changes.append(spoil.__name__)
    return Fuzzed(message, tuple(headers), body, tuple(changes))


def _shouted(name: str | bytes) -> str | bytes:
    return name.upper()


def _places(told: Any) -> Iterator[tuple[Any, Any]]:
    """Every object or list in a JSON value with each of its keys."""
    left = [told]
    while left:
        inside = left.pop()
        if isinstance(inside, dict | list):
            for key, value in inside.items() if isinstance(inside, dict) else enumerate(inside):
                left.append(value)
                yield inside, key


def _written(told: Any, *, escaped: bool) -> bytes:
    try:
        return json.dumps(told, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    except RecursionError:
        return b"[]"
