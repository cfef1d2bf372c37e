"""The status numbers of the order interface: every answer is HTTP 200 and has one of these.

Published are the families of numbers, and 0, 277, 503, 522, 524, 601 and 2554 by themselves. Which
number of its family anything else has is ours; the documentation says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import msgspec

from milepost.errors import MilepostError


class Number(IntEnum):
    """The status numbers that are answered."""

    OK = 0
    SHIPPED_ALREADY = 277
    DUPLICATE = 400
    NOT_SIGNED = 401
    INVALID = 501
    BAD_ADDRESS = 503
    TOO_SLOW = 522
    BAD_STATE = 524
    TOO_MANY = 601
    NO_SUCH_ACTION = 2554
    FAILED = 5000
    NOT_NOW = 5001


MEANINGS: Mapping[Number, str] = MappingProxyType(
    {
        Number.OK: "done",
        Number.SHIPPED_ALREADY: "the order has shipped and cannot be cancelled",
        Number.DUPLICATE: "a customer_ref_id is taken already; nothing was created",
        Number.NOT_SIGNED: "the client_id, the signature or the nonce does not count",
        Number.INVALID: "a parameter is missing or does not fit",
        Number.BAD_ADDRESS: "an address is not valid; nothing was created",
        Number.TOO_SLOW: "the request did not arrive in time",
        Number.BAD_STATE: "the warehouse has the order: it can no longer be changed",
        Number.TOO_MANY: "too many calls of this application within a minute",
        Number.NO_SUCH_ACTION: "this service has no such action",
        Number.FAILED: "something went wrong here; the log says what",
        Number.NOT_NOW: "nothing can be taken in right now; nothing was created",
    }
)


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong, for a person: of which order, in which field of it, and why."""

    reason: str
    field: str | None = None
    customer_ref_id: str | None = None


class Refused(MilepostError):
    """The order interface refuses this."""

    def __init__(
        self,
        number: Number,
        reasons: Sequence[Reason] = (),
        *,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(MEANINGS[number])
        self.number = number
        self.reasons = tuple(reasons)
        self.body = dict(body or {})


def invalid(field: str, expected: str) -> Refused:
    """The refusal of one parameter, by its path and what would fit."""
    return Refused(Number.INVALID, (Reason(f"expected {expected}", field=field or None),))
