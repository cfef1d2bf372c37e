"""How receivers behave, as a table: each behavior is a mix of answers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class Answer(StrEnum):
    """What a receiver does once it has kept a notification."""

    OK = "ok"
    SLOW = "slow"
    HANG = "hang"
    RESET = "reset"
    ERROR = "error"
    THROTTLE = "throttle"
    TRUNCATE = "truncate"
    TRUNCATE_HEAD = "truncate_head"
    OVERSIZE = "oversize"
    REDIRECT = "redirect"
    REFUSE = "refuse"


class Behavior(msgspec.Struct, frozen=True):
    """Answers with their weights; `up_s` and `down_s` are the phases of one that flaps."""

    mix: Mapping[Answer, float]
    up_s: float = 0.0
    down_s: float = 0.0


SLOWEST_S = 0.7
RETRY_AFTER_S = 1
OVERSIZE = 2 * 1024 * 1024
"""How long a reply is that is too long: the sender hangs up in the middle of it."""

A = Answer

# At most three failures in ten: the schedule of 21 attempts, a second apart, is never used up.
BEHAVIORS: Mapping[str, Behavior] = MappingProxyType(
    {
        "steady": Behavior({A.OK: 1}),
        "slow": Behavior({A.SLOW: 1}),
        "hanging": Behavior({A.OK: 0.75, A.HANG: 0.25}),
        "resetting": Behavior({A.OK: 0.7, A.RESET: 0.3}),
        "flapping": Behavior({A.OK: 1}, up_s=2.5, down_s=1.5),
        "lying": Behavior(
            {A.OK: 0.7, A.ERROR: 0.1, A.REDIRECT: 0.05, A.REFUSE: 0.05, A.OVERSIZE: 0.1}
        ),
        "throttling": Behavior({A.OK: 0.7, A.THROTTLE: 0.3}),
        "truncating": Behavior({A.OK: 0.7, A.TRUNCATE: 0.2, A.TRUNCATE_HEAD: 0.1}),
    }
)

CALM_BEHAVIOR = "steady"

BYTES: Mapping[Answer, bytes] = MappingProxyType(
    {
        A.OK: b"HTTP/1.1 204 No Content\r\n\r\n",
        A.SLOW: b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        A.ERROR: b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops",
        A.THROTTLE: (
            b"HTTP/1.1 429 Too Many Requests\r\n"
            b"retry-after: %d\r\ncontent-length: 0\r\n\r\n" % RETRY_AFTER_S
        ),
        A.TRUNCATE: b'HTTP/1.1 200 OK\r\ncontent-length: 64\r\n\r\n{"received":',
        A.TRUNCATE_HEAD: b"HTTP/1.1 200 OK\r\ncontent-le",
        A.OVERSIZE: b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % OVERSIZE + b"x" * OVERSIZE,
        A.REDIRECT: b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
        A.REFUSE: b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    }
)
"""What is written; nothing is when it hangs or resets."""

ACKNOWLEDGING = frozenset((A.OK, A.SLOW, A.OVERSIZE))
"""The answers whose status says that the notification was received, whatever follows it."""

CUT_OFF = frozenset((A.TRUNCATE, A.TRUNCATE_HEAD))


def choose(behavior: Behavior, chance: random.Random) -> Answer:
    answers = list(behavior.mix)
    return chance.choices(answers, weights=[behavior.mix[a] for a in answers])[0]
