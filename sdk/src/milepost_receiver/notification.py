"""What every notification carries, whatever its contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from milepost_receiver.errors import HeaderMalformed

DELIVERY_HEADERS = frozenset(
    {
        "webhook-id",
        "milepost-order",
        "milepost-sequence",
        "milepost-previous",
        "milepost-attempt",
        "milepost-replay",
    }
)
LONGEST_NAME = 256
MOST_DIGITS = 18

_DELIVERY_ID = re.compile(
    r"(?P<order>[^-]+)-(?P<sequence>[0-9]+)-(?P<endpoint>[^-]+)(-r(?P<replay>[0-9]+))?"
)


class DeliveryFacts(TypedDict):
    """What the headers, and not the body, say of a delivery."""

    delivery_id: str | None
    order_id: str | None
    sequence: int | None
    previous: int | None
    attempt: int | None
    replay: int | None
    received: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notification that was verified and read.

    The first six are None when the provider itself sent it: only Milepost sends those headers.
    `delivery_id` is the same on every attempt of one delivery; `order_id` is Milepost's own;
    `sequence` numbers the events of that order from 1; `previous` is the sequence of the
    notification queued for this endpoint before it, 0 for the first; `attempt` counts from 1;
    `replay` counts how often an operator sent it again. `received` is the body as it arrived.
    `known` says whether every status in it is a published one; others are kept as they came.
    """

    delivery_id: str | None
    order_id: str | None
    sequence: int | None
    previous: int | None
    attempt: int | None
    replay: int | None
    received: bytes = field(repr=False)
    known: bool


def read_delivery_facts(headers: Mapping[str, str], *, body: bytes) -> DeliveryFacts:
    """The delivery's facts, out of headers by lower-case name.

    The signature covers the delivery id but no milepost-… header, so what they say has to agree
    with it. Raises HeaderMalformed.
    """
    sequence = _whole(headers, "milepost-sequence", least=1)
    previous = _whole(headers, "milepost-previous", least=0)
    if sequence is not None and previous is not None and previous >= sequence:
        raise HeaderMalformed("milepost-previous", expected="less than milepost-sequence")
    facts = DeliveryFacts(
        delivery_id=_name(headers, "webhook-id"),
        order_id=_name(headers, "milepost-order"),
        sequence=sequence,
        previous=previous,
        attempt=_whole(headers, "milepost-attempt", least=1),
        replay=_whole(headers, "milepost-replay", least=1),
        received=body,
    )
    _check_agreement(facts)
    return facts


def _check_agreement(facts: DeliveryFacts) -> None:
    told = (facts["order_id"], facts["sequence"], facts["replay"])
    if facts["delivery_id"] is None or told == (None, None, None):
        return
    order_id, sequence, replay = (None if fact is None else str(fact) for fact in told)
    named = _DELIVERY_ID.fullmatch(facts["delivery_id"])
    if (
        named is None
        or named["order"] != (order_id or named["order"])
        or named["sequence"] != (sequence or named["sequence"])
        or named["replay"] != replay
    ):
        raise HeaderMalformed("webhook-id", expected="what the milepost-… headers say")


def _name(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    if value is not None and not 0 < len(value) <= LONGEST_NAME:
        raise HeaderMalformed(name, expected=f"1 to {LONGEST_NAME} characters")
    return value


def _whole(headers: Mapping[str, str], name: str, *, least: int) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not text.isdigit() or len(text) > MOST_DIGITS or int(text) < least:
        raise HeaderMalformed(name, expected=f"a whole number of at least {least}")
    return int(text)
