"""`POST /in/{source}`: a message is proved, stored and decided on, then answered; plain ASGI.

The last part of the path is a secret: it is taken out of the request before anything else, so that
no log, error, span or metric can hold it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec

from milepost.errors import (
    InvalidInput,
    MilepostError,
    Overloaded,
    RateLimited,
    SourceRefused,
    StoreError,
    TooLarge,
)
from milepost.exchange import Bucket, ClientGone, Receive, Scope, Send, TooSlow, read_body
from milepost.inbound.clients import client_of, proxies_of
from milepost.intake import MessageResult
from milepost.logs import ACCOUNT, PROBLEM, ROUTE, logger
from milepost.receiving import Gate, Receiving
from milepost.settings import Settings

PREFIX = "/in/"
SHOWN = "/in/{source}"
"""What is shown of a path, wherever one is shown."""

BODY_WITHIN_S = 10.0
"""How long a body may take to arrive."""

MOST_REMEMBERED = 4_096
TYPES = ("application/json", "application/x-www-form-urlencoded")

_GUARD = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_CLOSE = (b"connection", b"close")
_LATER = (b"retry-after", b"1")
_log = logger("inbound")
_encode = msgspec.json.Encoder().encode


class NoSource(MilepostError):
    """There is nothing at this path."""


class WrongMethod(MilepostError):
    """Only POST is taken."""


class OtherNetwork(MilepostError):
    """The source does not send from this address."""


class WrongType(MilepostError):
    """The body has to be JSON or a form, and not compressed."""


class _Refusal(msgspec.Struct, frozen=True):
    """How an error is answered, by which word it is counted, and whether with the source."""

    status: int
    word: str
    of_source: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()


_REFUSALS: Mapping[type[MilepostError], _Refusal] = MappingProxyType(
    {
        InvalidInput: _Refusal(400, "unreadable", True),
        SourceRefused: _Refusal(401, "not-proved", True),
        OtherNetwork: _Refusal(403, "other-network", True, (_CLOSE,)),
        NoSource: _Refusal(404, "no-source", headers=(_CLOSE,)),
        WrongMethod: _Refusal(405, "wrong-method", headers=((b"allow", b"POST"),)),
        TooSlow: _Refusal(408, "too-slow", True, (_CLOSE,)),
        TooLarge: _Refusal(413, "too-large", True, (_CLOSE,)),
        WrongType: _Refusal(415, "wrong-type", True, (_CLOSE,)),
        RateLimited: _Refusal(429, "rate-limited", True, (_CLOSE,)),
        Overloaded: _Refusal(503, "overloaded", headers=(_LATER,)),
        StoreError: _Refusal(503, "store-error", headers=(_LATER,)),
    }
)
_UNEXPECTED = _Refusal(500, "unexpected")


class Door:
    """The ASGI application of all paths under the prefix; answers every request.

    `clock` counts seconds and never goes back.
    """

    def __init__(
        self,
        receiving: Receiving,
        settings: Settings,
        *,
        body_within_s: float = BODY_WITHIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receiving = receiving
        self._settings = settings
        self._proxies = proxies_of(settings.trusted_proxies)
        self._body_within_s = body_within_s
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads, stores and answers."""
        secret = scope["path"][len(PREFIX) :]
        scope["path"], scope["raw_path"] = SHOWN, SHOWN.encode()
        gate: Gate | None = None
        try:
            if scope["method"] != "POST":
                raise WrongMethod
            # Not before: what is counted by route and method is bounded only where both are known.
            scope[ROUTE] = SHOWN
            gate = await self._receiving.gates.gate(secret)
            if gate is None:
                raise NoSource
            scope[ACCOUNT] = gate.source.account_id
            result = await self._take(gate, scope, receive)
        except MilepostError as error:
            await self._refuse(scope, send, error, gate=gate)
        except RecursionError:
            nested = InvalidInput(field="body", expected="JSON that is nested less deeply")
            await self._refuse(scope, send, nested, gate=gate)
        except ClientGone:
            return
        else:
            told = {"receipt_id": result.receipt_id, "verdict": result.verdict}
            await _respond(send, _encode(told), status=200)

    async def _take(self, gate: Gate, scope: Scope, receive: Receive) -> MessageResult:
        if gate.networks:
            client = client_of(scope.get("client"), scope["headers"], proxies=self._proxies)
            if not gate.admits(client):
                raise OtherNetwork
        self._charge(gate)
        headers = _headers(scope["headers"])
        _check_type(headers)
        body = await read_body(
            headers,
            receive,
            limit=self._settings.max_order_bytes,
            within_s=self._body_within_s,
        )
        texts = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        return await self._receiving.take(gate, texts, body)

    def _charge(self, gate: Gate) -> None:
        """Raises RateLimited when the source sends more than it may."""
        name = (gate.source.account_id, gate.source.source)
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= MOST_REMEMBERED:
                self._buckets.pop(next(iter(self._buckets)))
            bucket = self._buckets[name] = Bucket(
                rate=self._settings.source_requests_per_s,
                burst=self._settings.source_requests_burst,
                at=self._clock(),
            )
        wait_s = bucket.take(1, at=self._clock())
        if wait_s:
            rate = self._settings.source_requests_per_s
            raise RateLimited(f"At most {rate} a second", after_s=max(1, math.ceil(wait_s)))

    async def _refuse(
        self, scope: Scope, send: Send, error: MilepostError, *, gate: Gate | None
    ) -> None:
        refusal = next(
            (found for kind in type(error).__mro__ if (found := _REFUSALS.get(kind))), _UNEXPECTED
        )
        scope[PROBLEM] = refusal.word
        if gate is not None and refusal.of_source:
            self._receiving.refused(gate.source, str(error), kind=refusal.word)
        headers = refusal.headers
        if isinstance(error, RateLimited):
            headers = (*headers, (b"retry-after", b"%d" % error.after_s))
        if isinstance(error, StoreError):
            trace = error if error.__cause__ is not None else None
            _log.error("store failed", error=str(error), exc_info=trace)
        told = {"error": refusal.word, "detail": _detail(error)}
        await _respond(send, _encode(told), status=refusal.status, headers=headers)


def _detail(error: MilepostError) -> str:
    """What a provider is told: of our own troubles no more than that there are some."""
    if isinstance(error, (StoreError, RateLimited)):
        return "Try again in a moment."
    return str(error)


def _headers(given: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Each header once; one that says different things says all of them, as HTTP joins them.

    Whoever stands in between may have looked at another one than we: none of them stands alone.
    """
    found: dict[bytes, bytes] = {}
    others: dict[bytes, dict[bytes, None]] = {}
    for name, value in given:
        first = found.setdefault(name, value)
        if first != value:
            others.setdefault(name, {first: None})[value] = None
    for name, values in others.items():
        found[name] = b", ".join(values)
    return found


def _check_type(headers: Mapping[bytes, bytes]) -> None:
    """Raises WrongType for what no provider sends."""
    told = headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower().decode("latin-1")
    if told and told not in TYPES and not told.endswith("+json"):
        raise WrongType
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise WrongType


async def _respond(
    send: Send,
    content: bytes,
    *,
    status: int,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    length = (b"content-length", b"%d" % len(content))
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [length, *_GUARD, *headers],
        }
    )
    await send({"type": "http.response.body", "body": content})
