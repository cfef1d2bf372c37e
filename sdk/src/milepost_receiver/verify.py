"""Proof that a notification comes from its sender; every comparison takes constant time.

Every proof takes headers by lower-case name, as pick_headers gives them, and the raw body; it
answers nothing and raises an Unauthentic error, or HeaderMalformed.
"""

from __future__ import annotations

import base64
import hmac
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Protocol, TypeVar

from milepost_receiver.errors import (
    ConfigurationInvalid,
    CredentialsInvalid,
    CredentialsMissing,
    HeaderMalformed,
    SignatureInvalid,
    SignatureMissing,
    TimestampOutOfRange,
)

T = TypeVar("T")

TOLERANCE_SECONDS = 300.0
KEY_PREFIX = "whsec_"
SHIPMONK_PREFIX = "sha512="
HEX_DIGITS = 128
"""Of an HMAC-SHA512; in base64 it has 88 characters."""
KEY_BYTES = range(24, 65)
LONGEST_TIMESTAMP = 12


class Proof(Protocol):
    """One way to verify a notification, and the headers that it reads."""

    headers: ClassVar[frozenset[str]]

    def check(self, headers: Mapping[str, str], *, body: bytes) -> None: ...


class StandardWebhooks:
    """Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, not older than the tolerance.

    Any of several secrets will do, so that one can replace another without a missed notification.
    `now` answers the time in seconds since the epoch. Raises ConfigurationInvalid.
    """

    __slots__ = ("_keys", "_now", "_tolerance_seconds")
    headers: ClassVar[frozenset[str]] = frozenset(
        {"webhook-id", "webhook-timestamp", "webhook-signature"}
    )

    def __init__(
        self,
        secrets: Iterable[str | bytes],
        *,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not (tolerance_seconds > 0 and math.isfinite(tolerance_seconds)):
            raise ConfigurationInvalid("tolerance_seconds", expected="a positive number")
        self._keys = tuple(_standard_key(secret) for secret in _several(secrets, name="secrets"))
        self._tolerance_seconds = tolerance_seconds
        self._now = now

    def check(self, headers: Mapping[str, str], *, body: bytes) -> None:
        name = _needed(headers, "webhook-id")
        stamp = _needed(headers, "webhook-timestamp")
        signatures = _needed(headers, "webhook-signature")
        if "." in name:
            # With a full stop in it, one signature would fit several splits of id, time and body.
            raise HeaderMalformed("webhook-id", expected="no full stop")
        if not stamp.isdigit() or len(stamp) > LONGEST_TIMESTAMP:
            raise HeaderMalformed("webhook-timestamp", expected="seconds since the epoch")
        if abs(self._now() - int(stamp)) > self._tolerance_seconds:
            raise TimestampOutOfRange(
                "webhook-timestamp", expected=f"within {self._tolerance_seconds:g} seconds of now"
            )
        given = [part[3:].encode() for part in signatures.split(" ") if part.startswith("v1,")]
        if not given:
            raise SignatureMissing("webhook-signature", expected="v1,<base64>")
        content = b"%s.%s.%s" % (name.encode(), stamp.encode(), body)
        made = [base64.b64encode(hmac.digest(key, content, "sha256")) for key in self._keys]
        if not _any_equal(given, made):
            raise SignatureInvalid("webhook-signature")


class ShipMonkSignature:
    """X-Sm-Signature: HMAC-SHA512 over the raw body, in hex or base64, `sha512=` before it or not.

    The provider publishes the header and the algorithm, not the encoding. The secret is the text
    that the customer chose; any of several will do. Raises ConfigurationInvalid.
    """

    __slots__ = ("_keyed",)
    headers: ClassVar[frozenset[str]] = frozenset({"x-sm-signature"})

    def __init__(self, secrets: Iterable[str | bytes]) -> None:
        texts = _several(secrets, name="signature_secrets")
        keys = [_encoded(text, name="signature_secrets") for text in texts]
        # The key is taken in once: for a body of the usual size that is half of the work.
        self._keyed = tuple(hmac.new(key, digestmod="sha512") for key in keys)

    def check(self, headers: Mapping[str, str], *, body: bytes) -> None:
        given = _needed(headers, "x-sm-signature")
        if given[: len(SHIPMONK_PREFIX)].lower() == SHIPMONK_PREFIX:
            given = given[len(SHIPMONK_PREFIX) :]
        digests = [_digest(keyed, body) for keyed in self._keyed]
        if len(given) == HEX_DIGITS:
            given, made = given.lower(), [digest.hex().encode() for digest in digests]
        else:
            made = [base64.b64encode(digest) for digest in digests]
        if not _any_equal([given.encode()], made):
            raise SignatureInvalid("x-sm-signature")


class BasicCredentials:
    """HTTP Basic in UTF-8; any of several pairs of username and password will do.

    Raises ConfigurationInvalid. It proves who sent the request, not that nobody changed it.
    """

    __slots__ = ("_tokens",)
    headers: ClassVar[frozenset[str]] = frozenset({"authorization"})

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._tokens = tuple(_basic_token(pair) for pair in _several(pairs, name="basic"))

    def check(self, headers: Mapping[str, str], *, body: bytes) -> None:  # noqa: ARG002
        given = headers.get("authorization")
        if not given:
            raise CredentialsMissing("authorization")
        scheme, _, token = given.partition(" ")
        known = _any_equal([token.strip(" ").encode()], self._tokens)
        if scheme.lower() != "basic" or not known:
            raise CredentialsInvalid("authorization")


def _digest(keyed: hmac.HMAC, body: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(body)
    return mac.digest()


def _needed(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise SignatureMissing(name)
    return value


def _any_equal(given: Iterable[bytes], made: Iterable[bytes]) -> bool:
    # A list, not a generator: every pair is compared, wherever a match is.
    return any([hmac.compare_digest(one, other) for one in given for other in made])  # noqa: C419


def _several(values: Iterable[T], *, name: str) -> tuple[T, ...]:
    try:
        found = () if isinstance(values, str | bytes) else tuple(values)
    except TypeError:
        found = ()
    if not found:
        raise ConfigurationInvalid(name, expected="a list with at least one entry")
    return found


def _standard_key(secret: object) -> bytes:
    key = secret
    if isinstance(secret, str):
        try:
            key = base64.b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
        except ValueError:
            key = b""
    if not isinstance(key, bytes) or len(key) not in KEY_BYTES:
        raise ConfigurationInvalid(
            "secrets", expected=f"{KEY_PREFIX} and 24 to 64 bytes in base64, or those bytes"
        )
    return key


def _encoded(text: object, *, name: str) -> bytes:
    try:
        encoded = text.encode() if isinstance(text, str) else text
    except ValueError:
        encoded = b""
    if not isinstance(encoded, bytes) or not encoded:
        raise ConfigurationInvalid(name, expected="text that is not empty")
    return encoded


def _basic_token(pair: object) -> bytes:
    match pair:
        case (str(username), str(password)) if ":" not in username and (username or password):
            return base64.b64encode(_encoded(f"{username}:{password}", name="basic"))
        case _:
            raise ConfigurationInvalid(
                "basic", expected="pairs of username and password, no colon in the username"
            )
