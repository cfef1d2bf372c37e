"""Withings' order interface as a client: a nonce for each question, and orders by reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec

from milepost.contracts.comparison import Theirs
from milepost.contracts.withings.signing import GET_NONCE
from milepost.contracts.withings.theirs import (
    MOST_NAMED,
    OK,
    TOO_MANY,
    ReadAccess,
    nonce_of,
    orders_of,
    refuses_caller,
    refuses_parameters,
    signed,
    status_of,
)
from milepost.delivery.model import Failure, Request
from milepost.errors import InvalidInput
from milepost.net.providers.asking import Fetch, TooMuch, failed, halved, refused
from milepost.ports import Now
from milepost.ports.reconciling import Asked, Listed, Unanswered

A_MINUTE = timedelta(minutes=1)
"""How long it is waited after too many calls, which are counted by the minute (published)."""

SIGNATURE, ORDER, GET_DETAIL = "/v2/signature", "/v2/order", "getdetail"


class WithingsReader:
    """Asks by customer_ref_id; each question costs two calls of the 120 a minute (published)."""

    at_once = MOST_NAMED
    lists = False

    def __init__(self, access: ReadAccess, *, fetch: Fetch, now: Now, user_agent: str) -> None:
        self._access = access
        self._fetch = fetch
        self._now = now
        self._user_agent = user_agent
        self._base = access.base_url.rstrip("/")

    async def named(self, asked: Sequence[Asked]) -> Sequence[Theirs] | Unanswered:
        return await halved(asked, self._named)

    async def listed(self, *, since: datetime, until: datetime, page: int) -> Listed | Unanswered:
        """Nothing: it lists none."""
        del since, until, page
        return Listed((), more=False)

    async def _named(self, asked: Sequence[Asked]) -> Sequence[Theirs] | Unanswered:
        # A nonce is good for one call alone, whatever becomes of that call.
        nonce = await self._nonce()
        if isinstance(nonce, Unanswered):
            return nonce
        keys = list(dict.fromkeys(one.order_key for one in asked))
        parameters = {
            **signed(self._access, action=GET_DETAIL, once=nonce),
            "nonce": nonce,
            "customer_ref_ids": msgspec.json.encode(keys).decode(),
        }
        body = await self._ask(ORDER, parameters, parts=len(keys))
        if isinstance(body, Unanswered):
            return body
        wanted = frozenset(keys)
        return [order for order in orders_of(body) if order.order_key in wanted]

    async def _nonce(self) -> str | Unanswered:
        timestamp = str(int(self._now().timestamp()))
        parameters = {
            **signed(self._access, action=GET_NONCE, once=timestamp),
            "timestamp": timestamp,
        }
        body = await self._ask(SIGNATURE, parameters, parts=0)
        if isinstance(body, Unanswered):
            return body
        try:
            return nonce_of(body)
        except InvalidInput:
            return Unanswered("the answer holds no nonce")

    async def _ask(self, path: str, parameters: Mapping[str, str], *, parts: int) -> object:
        """The body of the answer, or that there was none. Raises TooMuch where `parts` are."""
        reply = await self._fetch(
            Request(
                url=self._base + path,
                headers=(
                    ("accept", "application/json"),
                    ("content-type", "application/x-www-form-urlencoded"),
                    ("user-agent", self._user_agent),
                ),
                body=urlencode(parameters).encode(),
                timeout_s=self._access.timeout_s,
            )
        )
        if reply.failure is Failure.OVERSIZED and parts > 1:
            raise TooMuch
        if reply.failure is not None:
            return failed(reply, secrets=(self._access.client_secret,))
        if reply.status != 200:
            return refused(reply, now=self._now())
        try:
            number, body = status_of(reply.body)
        except InvalidInput as error:
            return Unanswered(f"the answer cannot be read: {error}")
        if number == OK:
            return body
        if number == TOO_MANY:
            return Unanswered("status 601: too many calls", wait=A_MINUTE)
        if parts and refuses_parameters(number):
            raise TooMuch
        return Unanswered(f"status {number}", is_final=refuses_caller(number))
