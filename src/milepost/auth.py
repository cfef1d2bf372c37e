"""Who is asking: a bearer key becomes the account that it opens."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from milepost.errors import RateLimited, Unauthorized
from milepost.operations import account_of_key, key_digest
from milepost.ports import Store

REMEMBERED_S = 3.0
"""How long a key that was found is let in without another look, so how long revocation takes."""

MOST_REMEMBERED = 4_096

MOST_UNKNOWN_PER_S = 200
"""Keys that nobody knows are looked up no more often: the database is there for the others."""

_LONGEST_HEADER = 256


class Principal(msgspec.Struct, frozen=True, gc=False):
    """Whose request this is, and which of its keys it came with."""

    account_id: str
    key_id: str


class Authenticator:
    """Tells keys that are known and not revoked from everything else.

    Keys are looked up by the SHA-256 of their text, so the time that a comparison takes tells
    nothing of the text; texts are not kept in memory. `clock` counts seconds and never goes back.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._remembered: dict[str, tuple[Principal, float]] = {}
        self._unknown = 0
        self._unknown_since = clock()

    async def principal(self, authorization: bytes | None) -> Principal:
        """The principal of an Authorization header's value.

        Raises Unauthorized, StoreError, and RateLimited while too many come with unknown keys:
        a key that was let in before is let in then too.
        """
        text = _bearer(authorization)
        digest = key_digest(text)
        known = self._remembered.get(digest)
        if known is not None and self._clock() < known[1]:
            return known[0]
        return await self._look_up(text, digest)

    async def _look_up(self, text: str, digest: str) -> Principal:
        known = self._remembered.pop(digest, None) is not None
        account_id = account_of_key(text)
        if account_id is None:
            raise Unauthorized
        if not known:
            self._charge_unknown()
        key = await self._store.find_key(account_id, digest=digest)
        if key is None or key.revoked_at is not None:
            raise Unauthorized
        if not known:
            self._unknown = max(0, self._unknown - 1)
        # Counted from before a slow look-up would have ended, so that it is never stretched.
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)))
        principal = Principal(key.account_id, key.key_id)
        self._remembered[digest] = (principal, self._clock() + REMEMBERED_S)
        return principal

    def _charge_unknown(self) -> None:
        """Counts a key as unknown until it turns out not to be. Raises RateLimited."""
        if self._clock() >= self._unknown_since + 1:
            self._unknown, self._unknown_since = 0, self._clock()
        if self._unknown >= MOST_UNKNOWN_PER_S:
            raise RateLimited("Too many requests come with unknown keys", after_s=1)
        self._unknown += 1


def _bearer(authorization: bytes | None) -> str:
    if authorization is None or len(authorization) > _LONGEST_HEADER:
        raise Unauthorized
    scheme, _, text = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not text.isascii():
        raise Unauthorized
    return text.strip().decode("ascii")
