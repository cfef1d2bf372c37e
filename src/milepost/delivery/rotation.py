"""How one signing secret follows another: both sign until the old one's time is over."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from milepost.delivery.model import Endpoint, RetiringSecret
from milepost.delivery.signature import signing_key
from milepost.errors import InvalidInput

OVERLAP = timedelta(days=1)
LONGEST_OVERLAP = timedelta(days=30)

MOST_RETIRING = 2
"""Each secret is a signature on every notification: the oldest beyond these ends at once."""


def rotated(endpoint: Endpoint, secret: str, *, overlap: timedelta, now: datetime) -> Endpoint:
    """The endpoint with a new secret; those before it go on signing for so long, or end now.

    Raises InvalidInput for a secret that cannot sign or is in use, and for an overlap too long.
    """
    signing_key(secret)
    if secret in endpoint.secrets:
        raise InvalidInput(field="secret", expected="another secret than the one in use")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        most = int(LONGEST_OVERLAP.total_seconds())
        raise InvalidInput(field="overlap_s", expected=f"0 to {most} seconds")
    replaced = tuple(RetiringSecret(text, now + overlap) for text in endpoint.secrets)
    before = tuple(old for old in endpoint.retiring if old.text != secret)
    changed = msgspec.structs.replace(
        endpoint,
        secrets=(secret,),
        retiring=(*replaced, *before)[:MOST_RETIRING],
        updated_at=now,
    )
    return without_expired(changed, now=now)


def retired(endpoint: Endpoint, *, now: datetime) -> Endpoint:
    """The endpoint with its current secret alone."""
    return msgspec.structs.replace(endpoint, retiring=(), updated_at=now)


def without_expired(endpoint: Endpoint, *, now: datetime) -> Endpoint:
    """The endpoint without the secrets whose time is over; the same one when there are none."""
    if not has_expired(endpoint, now=now):
        return endpoint
    left = tuple(old for old in endpoint.retiring if old.until > now)
    return msgspec.structs.replace(endpoint, retiring=left)


def has_expired(endpoint: Endpoint, *, now: datetime) -> bool:
    """Whether a secret is still on record whose time is over."""
    return any(old.until <= now for old in endpoint.retiring)
