"""What each error is to somebody in front of a page: a status, a title, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from milepost.errors import (
    AlreadyExists,
    DeliveriesPending,
    IllegalMove,
    InvalidInput,
    MilepostError,
    NotDispatching,
    OrderErased,
    Overloaded,
    RateLimited,
    StoreError,
    TooLarge,
    TooManyResends,
    UnknownRecord,
    UrlRefused,
)
from milepost.exchange import TooSlow
from milepost.people import LinkOver, NotNow, WrongPassword


class NoSuchPage(MilepostError):
    """There is no page at this address."""


class Forbidden(MilepostError):
    """Your role does not include this."""


class OutOfDate(MilepostError):
    """The page that you sent this from is out of date; nothing was changed."""


class WrongMethod(MilepostError):
    """The page cannot be asked in this way."""


class Refusal(msgspec.Struct, frozen=True):
    """How an error is shown; `retold` ones tell their detail, others could tell too much."""

    status: int
    title: str
    next: str
    retold: bool = True


_BACK = "Go back, change it, and send it again."

REFUSALS: Mapping[type[MilepostError], Refusal] = MappingProxyType(
    {
        UnknownRecord: Refusal(
            404,
            "Nothing here",
            "It may have been removed, or it belongs to another account.",
            retold=False,
        ),
        NoSuchPage: Refusal(404, "Nothing here", "Check the address, or start from the overview."),
        Forbidden: Refusal(403, "Not for you", "An operator of this hub can do it, or allow it."),
        OutOfDate: Refusal(
            409, "This page is out of date", "Open it again, look at it, and send it once more."
        ),
        WrongMethod: Refusal(405, "Not like this", "Start from the overview.", retold=False),
        LinkOver: Refusal(
            403,
            "This link has expired",
            "Ask whoever sent it to you for a new one.",
            retold=False,
        ),
        AlreadyExists: Refusal(409, "It is there already", _BACK),
        IllegalMove: Refusal(409, "The order cannot go there", _BACK),
        OrderErased: Refusal(409, "The order was erased", "It takes no more changes."),
        DeliveriesPending: Refusal(409, "Deliveries are pending", "Wait for them, and try again."),
        TooManyResends: Refusal(409, "A resend is running", "Wait for its end, and try again."),
        TooLarge: Refusal(413, "Too large", _BACK),
        TooSlow: Refusal(408, "That took too long", _BACK),
        InvalidInput: Refusal(422, "Something does not fit", _BACK),
        UrlRefused: Refusal(422, "The URL cannot be used", _BACK),
        RateLimited: Refusal(429, "Too many requests", "Wait a moment, and try again."),
        NotNow: Refusal(429, "Too many attempts", "Wait a moment, and try again."),
        WrongPassword: Refusal(401, "Log in", "Try again."),
        Overloaded: Refusal(503, "Busy", "Nothing was changed. Try again in a moment."),
        NotDispatching: Refusal(503, "Not sending", "Nothing was changed. Try again in a moment."),
        StoreError: Refusal(
            503,
            "The database is away",
            "Nothing was changed. Milepost tries again by itself; so does this page.",
            retold=False,
        ),
        MilepostError: Refusal(
            500,
            "Something went wrong",
            "The hub's log says what, under the request id below.",
            retold=False,
        ),
    }
)
"""The nearest class above an error's own counts, so the table needs no order."""


def refusal_of(error: MilepostError) -> Refusal:
    """How an error is shown."""
    return next(REFUSALS[above] for above in type(error).__mro__ if above in REFUSALS)
