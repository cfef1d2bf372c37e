"""Who is calling: a signature, a nonce that nobody has used, and not too many calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from milepost.contracts.withings.numbers import Number, Reason, Refused
from milepost.contracts.withings.signing import (
    GET_NONCE,
    NONCE_BYTES,
    NONCE_S,
    is_signed,
    signed_by,
    signed_text,
)
from milepost.ports import Now
from milepost.ports.withings import Admission, ClientApplication, WithingsStore

LONGEST_ID = 255
_NOBODY = "a secret that no application has"
_TIMESTAMP = re.compile(r"[0-9]{1,20}", re.ASCII)


class Callers:
    """Tells applications that may call from everybody else.

    Calls are counted once they are signed, so that nobody else can use up an application's. One
    that is not answered because there were too many leaves its nonce good.
    """

    def __init__(
        self,
        store: WithingsStore,
        *,
        now: Now,
        token: Callable[[int], bytes],
        calls_a_minute: int,
    ) -> None:
        self._store = store
        self._now = now
        self._token = token
        self._most_calls = calls_a_minute

    async def nonce(self, *, client_id: str, timestamp: str, signature: str) -> str:
        """A nonce for the application that has signed this. Raises Refused, StoreError.

        The timestamp counts as signed and for nothing else: what it has to be is not published.
        """
        if not _TIMESTAMP.fullmatch(timestamp):
            why = Reason("expected seconds since 1970", field="timestamp")
            raise Refused(Number.INVALID, (why,))
        client = await self._signer(
            action=GET_NONCE, client_id=client_id, once=timestamp, signature=signature
        )
        now = self._now()
        nonce = self._token(NONCE_BYTES).hex()
        kept = await self._store.add_nonce(
            client.account_id,
            client.client_id,
            nonce=nonce,
            expires_at=now + timedelta(seconds=NONCE_S),
            most_calls=self._most_calls,
            now=now,
        )
        if not kept:
            raise self._too_many()
        return nonce

    async def caller(
        self, *, action: str, client_id: str, nonce: str, signature: str
    ) -> ClientApplication:
        """The application that has signed this, whose nonce is used up now.

        Raises Refused, StoreError.
        """
        client = await self._signer(
            action=action, client_id=client_id, once=nonce, signature=signature
        )
        admission = await self._store.use_nonce(
            client.account_id,
            client.client_id,
            nonce=nonce,
            most_calls=self._most_calls,
            now=self._now(),
        )
        match admission:
            case Admission.ADMITTED:
                return client
            case Admission.TOO_MANY_CALLS:
                raise self._too_many()
            case Admission.NONCE_UNKNOWN:
                why = "it was used already, is older than 30 minutes, or was never given out"
                raise Refused(Number.NOT_SIGNED, (Reason(why, field="nonce"),))

    async def _signer(
        self, *, action: str, client_id: str, once: str, signature: str
    ) -> ClientApplication:
        """Takes no longer, and says nothing else, for an application that there is not."""
        known = None
        if len(client_id) <= LONGEST_ID:
            known = await self._store.find_client(client_id)
        text = signed_text(action=action, client_id=client_id, once=once)
        secret = _NOBODY if known is None else known.secret
        if not is_signed(secret, text, given=signature) or known is None:
            why = f"not that of action,client_id,{signed_by(action)} with this client's secret"
            raise Refused(Number.NOT_SIGNED, (Reason(why, field="signature"),))
        return known

    def _too_many(self) -> Refused:
        why = f"at most {self._most_calls} calls a minute are answered"
        return Refused(Number.TOO_MANY, (Reason(why),))
