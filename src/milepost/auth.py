"""Who is asking: a bearer key becomes the account that it opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from milepost.errors import Unauthorized
from milepost.lookups import Lookups
from milepost.operations import account_of_key, key_digest
from milepost.ports import Store

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
        self._lookups: Lookups[Principal] = Lookups(named="keys", clock=clock)

    async def principal(self, authorization: bytes | None) -> Principal:
        """The principal of an Authorization header's value.

        Raises Unauthorized, StoreError, and RateLimited while too many come with unknown keys:
        a key that was let in before is let in then too.
        """
        text = _bearer(authorization)
        account_id = account_of_key(text)
        if account_id is None:
            raise Unauthorized
        digest = key_digest(text)
        principal = self._lookups.remembered(digest) or await self._lookups.find(
            digest, partial(self._look_up, account_id=account_id, digest=digest)
        )
        if principal is None:
            raise Unauthorized
        return principal

    async def _look_up(
        self, _before: Principal | None, *, account_id: str, digest: str
    ) -> Principal | None:
        key = await self._store.find_key(account_id, digest=digest)
        if key is None or key.revoked_at is not None:
            return None
        return Principal(key.account_id, key.key_id)


def _bearer(authorization: bytes | None) -> str:
    if authorization is None or len(authorization) > _LONGEST_HEADER:
        raise Unauthorized
    scheme, _, text = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not text.isascii():
        raise Unauthorized
    return text.strip().decode("ascii")
