"""The only place that knows HTTP status codes: what each error becomes, as RFC 9457 says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType

import msgspec

from milepost.errors import (
    AlreadyExists,
    BacklogFull,
    DeliveriesPending,
    DiskFull,
    IllegalMove,
    InvalidInput,
    MilepostError,
    NoSandbox,
    NotDispatching,
    OrderErased,
    Overloaded,
    RateLimited,
    ReconciliationRuns,
    Stopping,
    StoreError,
    TooLarge,
    TooManyResends,
    Unauthorized,
    UnknownRecord,
    UrlRefused,
)
from milepost.exchange import TooSlow

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:milepost:problem:"

Headers = tuple[tuple[bytes, bytes], ...]


class Status(IntEnum):
    """The statuses that Milepost answers with."""

    OK = 200
    CREATED = 201
    ACCEPTED = 202
    MALFORMED = 400
    UNAUTHORIZED = 401
    NOT_FOUND = 404
    METHOD_NOT_ALLOWED = 405
    TOO_SLOW = 408
    CONFLICT = 409
    TOO_LARGE = 413
    UNSUPPORTED = 415
    INVALID = 422
    TOO_MANY = 429
    UNEXPECTED = 500
    UNAVAILABLE = 503


class NotJson(MilepostError):
    """The body is not JSON."""


class UnsupportedBody(MilepostError):
    """The body has to be application/json, and not compressed."""


class NoSuchPath(MilepostError):
    """There is nothing at this path."""


class MethodNotAllowed(MilepostError):
    """The path does not take this method."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"It takes {self.allowed}.")


class Unexpected(MilepostError):
    """Something went wrong in Milepost; its log says what, under this request id."""


class Kind(msgspec.Struct, frozen=True):
    """What an error becomes: its status, its name in a problem's type, and headers.

    `retold` errors tell their detail; others could tell what nobody outside should know.
    """

    status: Status
    name: str
    headers: Headers = ()
    retold: bool = True


_CLOSE: Headers = ((b"connection", b"close"),)
_LATER: Headers = ((b"retry-after", b"1"),)
_MUCH_LATER: Headers = ((b"retry-after", b"10"),)
_JSON_ONLY: Headers = ((b"accept", b"application/json"), (b"accept-encoding", b"identity"))

# The nearest class above an error's own counts, so the table needs no order.
KINDS: Mapping[type[MilepostError], Kind] = MappingProxyType(
    {
        NotJson: Kind(Status.MALFORMED, "not-json"),
        Unauthorized: Kind(
            Status.UNAUTHORIZED,
            "unauthorized",
            ((b"www-authenticate", b'Bearer realm="milepost"'),),
        ),
        UnknownRecord: Kind(Status.NOT_FOUND, "unknown-record", retold=False),
        NoSuchPath: Kind(Status.NOT_FOUND, "no-such-path"),
        MethodNotAllowed: Kind(Status.METHOD_NOT_ALLOWED, "method-not-allowed"),
        TooSlow: Kind(Status.TOO_SLOW, "too-slow", _CLOSE),
        AlreadyExists: Kind(Status.CONFLICT, "already-exists"),
        ReconciliationRuns: Kind(Status.CONFLICT, "reconciliation-runs"),
        TooManyResends: Kind(Status.CONFLICT, "too-many-resends"),
        NoSandbox: Kind(Status.CONFLICT, "no-sandbox"),
        IllegalMove: Kind(Status.CONFLICT, "illegal-move"),
        OrderErased: Kind(Status.CONFLICT, "order-erased"),
        DeliveriesPending: Kind(Status.CONFLICT, "deliveries-pending"),
        TooLarge: Kind(Status.TOO_LARGE, "too-large", _CLOSE),
        UnsupportedBody: Kind(Status.UNSUPPORTED, "unsupported-body", _JSON_ONLY),
        InvalidInput: Kind(Status.INVALID, "invalid-input"),
        UrlRefused: Kind(Status.INVALID, "url-refused"),
        RateLimited: Kind(Status.TOO_MANY, "rate-limited"),
        MilepostError: Kind(Status.UNEXPECTED, "unexpected", retold=False),
        StoreError: Kind(Status.UNAVAILABLE, "store-error", _LATER, retold=False),
        Overloaded: Kind(Status.UNAVAILABLE, "overloaded", _LATER),
        DiskFull: Kind(Status.UNAVAILABLE, "disk-full", _MUCH_LATER),
        BacklogFull: Kind(Status.UNAVAILABLE, "backlog-full", _MUCH_LATER),
        Stopping: Kind(Status.UNAVAILABLE, "stopping", _LATER),
        NotDispatching: Kind(Status.UNAVAILABLE, "not-dispatching", _LATER),
    }
)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was refused (RFC 9457).

    `field` is the path of what does not fit, empty for the whole input, and `expected` what would.
    `state` and `allowed` tell of an illegal move: where the order is, and where it may go next.
    """

    type: str
    title: str
    status: int
    detail: str | None = None
    field: str | None = None
    expected: str | None = None
    state: str | None = None
    allowed: tuple[str, ...] | None = None
    request_id: str | None = None


def kind_of(error: MilepostError | type[MilepostError]) -> Kind:
    """What an error becomes."""
    cls = error if isinstance(error, type) else type(error)
    return next(KINDS[above] for above in cls.__mro__ if above in KINDS)


def problem_of(error: MilepostError, *, request_id: str | None = None) -> Problem:
    """The document that tells of an error; nothing of the machine's inside is in it."""
    kind = kind_of(error)
    detail = error.detail if kind.retold and error.detail else None
    problem = Problem(
        type=TYPE_PREFIX + kind.name,
        title=title_of(kind),
        status=kind.status,
        detail=detail,
        request_id=request_id,
    )
    if isinstance(error, InvalidInput):
        return msgspec.structs.replace(problem, field=error.field, expected=error.expected)
    if isinstance(error, IllegalMove):
        return msgspec.structs.replace(problem, state=error.state, allowed=error.allowed)
    return problem


def title_of(kind: Kind) -> str:
    """The title of every problem of this kind: what its class says of itself."""
    cls = next(cls for cls, known in KINDS.items() if known is kind)
    return (Unexpected if cls is MilepostError else cls).__doc__ or ""


def headers_of(error: MilepostError) -> Headers:
    """The headers that go with an error's answer."""
    if isinstance(error, MethodNotAllowed):
        return ((b"allow", error.allowed.encode()),)
    if isinstance(error, RateLimited):
        return ((b"retry-after", b"%d" % error.after_s),)
    return kind_of(error).headers
