"""Chance that can be had again: everything that looks random is drawn from the seed and a name."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

from milepost.delivery.signature import SECRET_PREFIX

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80
_FIRST_START = datetime(2025, 1, 6, 8, 0, tzinfo=UTC)
_DAYS = 200


def drawn(seed: int, *names: object) -> bytes:
    """32 bytes that depend on the seed and the names and on nothing else."""
    return hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()


def chance(seed: int, *names: object) -> float:
    """A number in [0, 1) of the seed and the names."""
    return int.from_bytes(drawn(seed, *names)[:6], "big") / 2**48


def start_of(seed: int) -> datetime:
    """When a rehearsal begins that was given no start: a morning of 2025, all of it long past."""
    return _FIRST_START + timedelta(days=int.from_bytes(drawn(seed, "start")[:4], "big") % _DAYS)


def ulid(seed: int, *names: object, at: datetime) -> str:
    """A ULID in lower case of this moment, its other 80 bits drawn."""
    bits = int.from_bytes(drawn(seed, *names)[: _RANDOM_BITS // 8], "big")
    value = int(at.timestamp() * 1000) << _RANDOM_BITS | bits
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def short_name(seed: int, *names: object) -> str:
    """Ten characters, as the ids of endpoints have them."""
    value = int.from_bytes(drawn(seed, *names)[:8], "big")
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(0, 50, 5))


def signing_secret(seed: int, *names: object) -> str:
    """A signing secret that is drawn too: for rehearsals that were given none."""
    return SECRET_PREFIX + base64.b64encode(drawn(seed, "secret", *names)).decode()
