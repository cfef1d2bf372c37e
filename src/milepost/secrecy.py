"""What changes of secrets: an endpoint's gets a successor, and the keys that seal them all do.

A secret is in the answer to the call that made it and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import msgspec

from milepost.delivery.model import Endpoint
from milepost.delivery.rotation import (
    LONGEST_OVERLAP,
    OVERLAP,
    has_expired,
    retired,
    rotated,
    without_expired,
)
from milepost.delivery.signature import new_secret
from milepost.orders.model import Name
from milepost.ports import Now, Store
from milepost.ports.secrets import EndpointName

SECRET_BYTES = 32
RESEALED_AT_ONCE = 100

OverlapS = Annotated[int, msgspec.Meta(ge=0, le=int(LONGEST_OVERLAP.total_seconds()))]


class RotationInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many seconds the old secret signs beside the new one; 0 ends it at once.

    `secret` is the new one, made when it is left out.
    """

    overlap_s: OverlapS = int(OVERLAP.total_seconds())
    secret: Name | None = None

    def __repr__(self) -> str:
        return f"RotationInput({self.overlap_s} s)"


class Rekeyed(msgspec.Struct, frozen=True):
    """How many endpoints were looked at, and how many were sealed anew.

    When all of them are `complete`, the first key alone is enough.
    """

    endpoints: int
    sealed: int
    complete: bool


class Secrecy:
    """Rotates secrets and keys. Chance comes in as `token`, which returns so many random bytes."""

    def __init__(self, store: Store, *, now: Now, token: Callable[[int], bytes]) -> None:
        self._store = store
        self._now = now
        self._token = token

    async def rotate(self, account_id: str, endpoint_id: str, wanted: RotationInput) -> Endpoint:
        """Gives an endpoint a new secret, which is the first of those of the returned one.

        Attempts that begin after it are signed with both. Raises UnknownRecord, InvalidInput.
        """
        now = self._now()
        secret = wanted.secret or new_secret(self._token(SECRET_BYTES))
        overlap = timedelta(seconds=wanted.overlap_s)
        return await self._store.change_endpoint(
            account_id,
            endpoint_id,
            change=lambda known: rotated(known, secret, overlap=overlap, now=now),
        )

    async def retire(self, account_id: str, endpoint_id: str) -> Endpoint:
        """Ends the old secrets of an endpoint now. Raises UnknownRecord."""
        now = self._now()
        return await self._store.change_endpoint(
            account_id, endpoint_id, change=lambda known: retired(known, now=now)
        )

    async def expired(self, account_id: str) -> int:
        """How many endpoints have secrets on record whose time is over."""
        return len(await self._expired(account_id))

    async def _expired(self, account_id: str) -> list[Endpoint]:
        now = self._now()
        return [e for e in await self._store.endpoints(account_id) if has_expired(e, now=now)]

    async def drop_expired(self, account_id: str) -> int:
        """Takes secrets whose time is over off the record; returns of how many endpoints."""
        now = self._now()
        found = await self._expired(account_id)
        for endpoint in found:
            await self._store.change_endpoint(
                account_id,
                endpoint.endpoint_id,
                change=lambda known: without_expired(known, now=now),
            )
        return len(found)

    async def rekey(self, *, progress: Callable[[int], None] = lambda _seen: None) -> Rekeyed:
        """Seals every secret with the first key, some at a time; can be stopped and begun again.

        `progress` is told after each part how many endpoints were looked at.
        """
        seen = sealed = 0
        after: EndpointName | None = None
        while True:
            part = await self._store.reseal(after=after, limit=RESEALED_AT_ONCE)
            seen += part.seen
            sealed += part.sealed
            progress(seen)
            after = part.after
            if after is None:
                return Rekeyed(seen, sealed, await self._store.finish_resealing())
