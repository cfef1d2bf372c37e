"""What a rule of the conformance check is, and what was found of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from milepost.rehearsal.conformance.desk import Desk


class Verdict(StrEnum):
    """Whether a rule is kept."""

    PASS = "pass"  # noqa: S105 - a verdict, not a secret
    FAIL = "fail"
    NOT_CHECKED = "not_checked"


class Level(StrEnum):
    """What breaking a rule costs: wrong books or open doors, or only time and comfort."""

    MUST = "must"
    SHOULD = "should"


class Need(StrEnum):
    """What a rule cannot be checked without, in the words in which that is said."""

    SECRET = "no --secret was given"  # noqa: S105 - what is said, not a secret
    BASIC = "no --basic was given"
    SIGNATURE_SECRET = "no --signature-secret was given"  # noqa: S105
    ANY_SIGNATURE = "neither --secret nor --signature-secret was given"
    ANY_PROOF = "no secret was given"
    STATE_URL = "no --state-url was given"


class Found(msgspec.Struct, frozen=True):
    """What one check saw."""

    verdict: Verdict
    saw: str


Check = Callable[["Desk"], Awaitable[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: what it asks, why it matters, how it is mended, and how it is checked.

    `contracts` are those that it is of, None for all; `needs` is what it cannot be checked without.
    """

    name: str
    title: str
    why: str
    mend: str
    check: Check
    level: Level = Level.MUST
    needs: Need | None = None
    contracts: frozenset[str] | None = None


class Finding(msgspec.Struct, frozen=True):
    """What came of one rule, in the shape that `--json` prints."""

    rule: str
    title: str
    level: Level
    verdict: Verdict
    saw: str
    why: str
    mend: str


def passed(saw: str) -> Found:
    return Found(Verdict.PASS, saw)


def failed(saw: str) -> Found:
    return Found(Verdict.FAIL, saw)


def not_checked(why: str) -> Found:
    return Found(Verdict.NOT_CHECKED, why)
