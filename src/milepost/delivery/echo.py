"""A reply may repeat what it was sent, secrets too; they must not go on record with it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from milepost.delivery.model import Endpoint, RetiringSecret
from milepost.delivery.signature import SECRET_PREFIX

REDACTED = b"[redacted]"
SHORTEST = 4
"""Shorter texts are in every reply, and no secret that deserves the name."""

LONGEST = 512
"""How much longer than what is kept a piece must be, so that no secret is cut in two at its end."""


def without_secrets(reply: bytes, *, endpoint: Endpoint, most: int) -> bytes:
    """The beginning of a reply, at most so many bytes, without any secret of the endpoint."""
    if not reply:
        return reply
    piece = reply[: most + LONGEST]
    for secret in _secrets(endpoint.secrets, endpoint.retiring, endpoint.credentials):
        if secret in piece:
            piece = piece.replace(secret, REDACTED)
    return piece[:most]


@lru_cache(maxsize=4_096)
def _secrets(
    secrets: tuple[str, ...], retiring: tuple[RetiringSecret, ...], credentials: bytes
) -> tuple[bytes, ...]:
    """All that must not be seen, the longest first."""
    told = {text for text in _texts(msgspec.json.decode(credentials)) if len(text) >= SHORTEST}
    for text in (*secrets, *(old.text for old in retiring)):
        told |= {text, text.removeprefix(SECRET_PREFIX)}
    return tuple(sorted((text.encode() for text in told), key=len, reverse=True))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
        name, password = value.get("username"), value.get("password")
        if isinstance(name, str) and isinstance(password, str):
            yield base64.b64encode(f"{name}:{password}".encode()).decode()
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
