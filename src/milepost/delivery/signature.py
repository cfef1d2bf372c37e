"""The headers that every notification carries in every contract, and their signature.

Signing follows Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, base64, `v1,` before it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from functools import lru_cache

from milepost.delivery.model import Claimed
from milepost.errors import InvalidInput

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix, not a secret


@lru_cache(maxsize=4_096)
def signing_key(secret: str) -> bytes:
    """The key bytes in a `whsec_…` secret (24 to 64 bytes, base64).

    Raises InvalidInput, which never repeats the secret.
    """
    expected = f"{SECRET_PREFIX} and 24 to 64 bytes in base64"
    if not secret.startswith(SECRET_PREFIX):
        raise InvalidInput(field="secret", expected=expected)
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(field="secret", expected=expected) from None
    if not 24 <= len(key) <= 64:
        raise InvalidInput(field="secret", expected=expected)
    return key


def new_secret(random_bytes: bytes) -> str:
    """The text form of a signing key made of these random bytes (24 to 64 of them)."""
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


@lru_cache(maxsize=4_096)
def _keyed(secret: str) -> hmac.HMAC:
    """The secret's HMAC before any content; copying it costs half of beginning one."""
    return hmac.new(signing_key(secret), digestmod=hashlib.sha256)


def sign(secrets: tuple[str, ...], *, delivery_id: str, timestamp: int, body: bytes) -> str:
    """The value of webhook-signature: one signature for each secret, separated by spaces."""
    content = b"%s.%d.%s" % (delivery_id.encode(), timestamp, body)
    signatures: list[str] = []
    for secret in secrets:
        keyed = _keyed(secret).copy()
        keyed.update(content)
        signatures.append("v1," + base64.b64encode(keyed.digest()).decode())
    return " ".join(signatures)


def common_headers(
    claimed: Claimed, *, timestamp: int, user_agent: str
) -> tuple[tuple[str, str], ...]:
    """What we add in every contract: who it is, which step of which order, and the signature."""
    name = claimed.delivery_id
    body = claimed.body.content
    secrets = claimed.endpoint.secrets
    if claimed.endpoint.retiring:
        secrets += tuple(
            old.text for old in claimed.endpoint.retiring if old.until.timestamp() > timestamp
        )
    headers = (
        ("content-type", claimed.body.content_type),
        ("user-agent", user_agent),
        ("webhook-id", name),
        ("webhook-timestamp", str(timestamp)),
        (
            "webhook-signature",
            sign(secrets, delivery_id=name, timestamp=timestamp, body=body),
        ),
        ("milepost-order", claimed.order_id),
        ("milepost-sequence", str(claimed.sequence)),
        ("milepost-previous", str(claimed.previous)),
        ("milepost-attempt", str(claimed.attempts + 1)),
    )
    return (*headers, ("milepost-replay", str(claimed.replay))) if claimed.replay else headers
