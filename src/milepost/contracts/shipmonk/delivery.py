"""How a ShipMonk webhook is delivered: HTTP Basic, X-Sm-Signature, and three published schedules.

Published: Basic is the only authentication; the signature is HMAC-SHA512 over the raw body with a
secret of the customer's choice; any 2xx is success. The signature's encoding is not published.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Annotated

import msgspec

from milepost.contracts.contract import read_as
from milepost.contracts.shipmonk.payloads import Options, SignatureEncoding
from milepost.delivery.model import Claimed
from milepost.delivery.retry import DAY, HOUR, MINUTE, REHEARSAL, Schedule

FIXED = Schedule(
    name="fixed-100x5m",
    title="100 retries, 5 minutes apart",
    source=(
        "ShipMonk, page of the webhook “Order status change”: a 4xx is tried again up to 100 "
        "times with 5 minutes between attempts"
    ),
    waits_s=(5 * MINUTE,) * 100,
)
_DOUBLING = (30, *(n * MINUTE for n in (1, 2, 4, 8, 16, 32, 60)))
EXPONENTIAL = Schedule(
    name="exponential-8",
    title="8 retries, at first 30 seconds and in the end an hour apart",
    source=(
        "ShipMonk, changelog v1.021: 8 retries after 30 seconds, 1, 2, 4, 8, 16, 32 and 60 minutes"
    ),
    waits_s=_DOUBLING,
)
_HOURS, _REST = divmod(3 * DAY - sum(_DOUBLING), HOUR)
THREE_DAYS = Schedule(
    name="three-days",
    title="retries for 3 days, from 30 seconds apart to an hour apart",
    source=(
        "ShipMonk, page of the webhook “Shipment notification”: tried again for the next 3 days; "
        "the waits in between are ours"
    ),
    waits_s=(*_DOUBLING, *(HOUR,) * _HOURS, _REST),
)
SCHEDULES = (FIXED, EXPONENTIAL, THREE_DAYS, REHEARSAL)
TIMEOUT_S = 15.0
"""Ours: no timeout is published."""

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the receiver knows its sender: Basic, a signature, both or neither."""

    username: Secret | None = None
    password: Secret | None = None
    signature_secret: Secret | None = None

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            name = "username" if self.username is None else "password"
            raise ValueError(f"{name}: expected a value, as Basic needs both")
        for name in ("username", "password"):
            value: str = getattr(self, name) or ""
            if not value.isprintable():
                raise ValueError(f"{name}: expected no control characters (RFC 7617)")
        if ":" in (self.username or ""):
            raise ValueError("username: expected no colon (RFC 7617)")

    def __repr__(self) -> str:
        return "Credentials(…)"


def headers(claimed: Claimed) -> tuple[tuple[str, str], ...]:
    """Basic and X-Sm-Signature, each where the endpoint has the credentials for it."""
    endpoint = claimed.endpoint
    credentials = read_as(Credentials, endpoint.credentials)
    made: list[tuple[str, str]] = []
    if credentials.username is not None:
        pair = f"{credentials.username}:{credentials.password}".encode()
        made.append(("authorization", "Basic " + base64.b64encode(pair).decode()))
    if credentials.signature_secret is not None:
        encoding = read_as(Options, endpoint.options).signature_encoding
        signature = sign(credentials.signature_secret, claimed.body.content, encoding=encoding)
        made.append(("x-sm-signature", signature))
    return tuple(made)


def sign(secret: str, body: bytes, *, encoding: SignatureEncoding = SignatureEncoding.HEX) -> str:
    """The value of X-Sm-Signature: HMAC-SHA512 of the raw body, lower-case hex by default."""
    digest = hmac.digest(secret.encode(), body, hashlib.sha512)
    return digest.hex() if encoding is SignatureEncoding.HEX else base64.b64encode(digest).decode()


def received(status: int) -> bool:
    """Any 2xx (published)."""
    return 200 <= status < 300
