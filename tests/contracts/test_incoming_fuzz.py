"""Whatever arrives, a room refuses it in one of three ways, or reads it."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.contracts import INCOMING
from milepost.contracts.incoming import Message, Read
from milepost.errors import InvalidInput, SourceRefused, TooLarge
from milepost.orders.lifecycle import State
from tests.contracts import test_incoming_shipmonk as shipmonk
from tests.contracts import test_incoming_standard as standard
from tests.contracts import test_incoming_trackers as trackers
from tests.contracts import test_incoming_withings as withings
from tests.contracts.orders import ORDER_ID
from tests.contracts.two_hubs import headers, reader

ROUNDS = 600
VALUES: tuple[Any, ...] = (
    None,
    "",
    "x",
    "\x00",
    "é",
    -1,
    2**70,
    1.5,
    True,
    [],
    {},
    ["x"],
    {"date": "x"},
    "9" * 400,
)
BODIES: dict[str, dict[str, Any]] = {
    "withings": withings.NOTICE,
    "shipmonk": shipmonk.sent(parcels=shipmonk.PARCELS),
    "standard": standard.sent(State.IN_TRANSIT),
    "easypost": trackers.easypost("in_transit", ("in_transit", trackers.at(9))),
    "aftership": trackers.aftership("InTransit", ("InTransit_001", trackers.at(9))),
}
TRACKERS = ("easypost", "aftership")


def proved(name: str, content: bytes) -> dict[str, str]:
    if name in TRACKERS:
        return trackers.signed(name, content)
    return headers(content, order_id=ORDER_ID, sequence=7)


READERS: dict[str, Read] = {
    name: trackers.READERS[name] if name in TRACKERS else reader(name) for name in INCOMING
}


def taken(name: str, given: dict[str, str], content: bytes) -> Message | None:
    """What is read; None where it is refused. Anything else that is raised fails the test."""
    try:
        message = READERS[name](given, content)
    except (SourceRefused, InvalidInput, TooLarge):
        return None
    assert all(len(line) < 300 for line in message.unmapped)
    assert len(message.word) <= 255
    msgspec.json.encode(message).decode()
    return message


def spoiled(value: Any, chance: random.Random) -> Any:
    """The same with one thing in it put wrong, somewhere."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(sorted(value))
        if chance.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: spoiled(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], spoiled(value[place], chance), *value[place + 1 :]]
    return chance.choice(VALUES)


@pytest.mark.parametrize("name", INCOMING)
def test_signed_bodies_with_anything_wrong_in_them_are_read_or_refused(name: str) -> None:
    chance = random.Random(name)
    outcomes = set()
    for _ in range(ROUNDS):
        content = msgspec.json.encode(spoiled(spoiled(BODIES[name], chance), chance))
        outcomes.add(taken(name, proved(name, content), content) is None)
    assert outcomes == {True, False}


@pytest.mark.parametrize("name", INCOMING)
def test_nothing_whose_bytes_were_changed_is_accepted(name: str) -> None:
    chance = random.Random(name)
    content = msgspec.json.encode(BODIES[name])
    given = proved(name, content)
    for _ in range(ROUNDS):
        changed = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        if bytes(changed) != content:
            assert taken(name, given, bytes(changed)) is None
    assert taken(name, given, content) is not None


@pytest.mark.parametrize("name", INCOMING)
def test_bytes_that_are_signed_and_mean_nothing_are_refused(name: str) -> None:
    chance = random.Random(name)
    content = msgspec.json.encode(BODIES[name])
    for _ in range(ROUNDS):
        start, end = sorted(chance.choices(range(len(content)), k=2))
        changed = content[:start] + chance.randbytes(chance.randrange(4)) + content[end:]
        taken(name, proved(name, changed), changed)


@pytest.mark.parametrize("name", INCOMING)
@settings(max_examples=60, deadline=None)
@given(
    given=st.dictionaries(
        st.sampled_from(
            [
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "milepost-sequence",
                "milepost-order",
                "authorization",
                "x-sm-signature",
                "x-hmac-signature",
                "aftership-hmac-sha256",
                "content-type",
            ]
        ),
        st.text(max_size=40) | st.sampled_from(["v1,AAAA", "Basic AAAA", "sha512=00"]),
    ),
    content=st.binary(max_size=200),
)
def test_no_headers_that_anybody_makes_up_prove_anything(
    name: str, given: dict[str, str], content: bytes
) -> None:
    assert taken(name, given, content) is None


@pytest.mark.parametrize("name", INCOMING)
def test_a_body_of_any_depth_is_refused_and_not_followed(name: str) -> None:
    for depth in (65, 1_000, 100_000):
        content = b'{"result":' + b"[" * depth + b"]" * depth + b"}"
        assert taken(name, proved(name, content), content) is None
