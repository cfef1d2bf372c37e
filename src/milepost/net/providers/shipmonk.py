"""ShipMonk's order interface as a client: pages of its list, and single orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

from milepost.contracts.comparison import Theirs
from milepost.contracts.shipmonk.theirs import (
    MOST_LISTED,
    MOST_NAMED,
    PAGE_SIZE,
    ReadAccess,
    order_of,
    page_of,
)
from milepost.delivery.model import Failure, Reply, Request
from milepost.errors import InvalidInput
from milepost.net.providers.asking import Fetch, TooMuch, failed, halved, refused
from milepost.ports import Now
from milepost.ports.reconciling import Asked, Listed, Unanswered

ONE, LIST = "/v1/integrations/orders", "/v1/integrations/orders-list"
NOT_KNOWN = 404
_TOO_LONG = frozenset((400, 413, 414))

_Parameters = Sequence[tuple[str, str]]


class ShipmonkReader:
    """Asks for many orders by one page of the list, and for those that are not on it by one.

    A list may be behind; that an order is not known is only believed of the order itself.
    """

    at_once = MOST_NAMED
    lists = True

    def __init__(self, access: ReadAccess, *, fetch: Fetch, now: Now, user_agent: str) -> None:
        self._access = access
        self._fetch = fetch
        self._now = now
        self._headers = (
            ("accept", "application/json"),
            ("api-key", access.api_key),
            ("user-agent", user_agent),
        )
        self._base = access.base_url.rstrip("/")

    async def named(self, asked: Sequence[Asked]) -> Sequence[Theirs] | Unanswered:
        found: list[Theirs] = []
        if len(asked) > 1:
            listed = await halved(asked, self._on_the_list)
            if isinstance(listed, Unanswered):
                return listed
            found += listed
        for one in asked:
            if any(_is_meant(one, order) for order in found):
                continue
            single = await self._one(one)
            if isinstance(single, Unanswered):
                return single
            found += single
        return found

    async def listed(self, *, since: datetime, until: datetime, page: int) -> Listed | Unanswered:
        parameters = [
            ("updatedAtStart", since.isoformat(timespec="seconds")),
            ("updatedAtEnd", until.isoformat(timespec="seconds")),
        ]
        found = await self._page(parameters, page=page)
        if isinstance(found, Unanswered):
            return found
        orders, count = found
        mine = self._access.store_id
        if mine is not None:
            orders = [one for one in orders if str(mine) in one.stores]
        return Listed(orders, more=count >= PAGE_SIZE and page < MOST_LISTED // PAGE_SIZE)

    async def _on_the_list(self, asked: Sequence[Asked]) -> Sequence[Theirs] | Unanswered:
        keys = list(dict.fromkeys(one.order_key for one in asked))
        named = [("orderKeys[]", key) for key in keys]
        wanted = frozenset(keys)
        found: list[Theirs] = []
        page = 1
        while True:
            told = await self._page(named, page=page, divisible=len(asked) > 1)
            if isinstance(told, Unanswered):
                return told
            orders, count = told
            found += [one for one in orders if one.order_key in wanted]
            # The same key may be taken in several stores; a page that is not full is the last.
            if count < PAGE_SIZE or page >= MOST_LISTED // PAGE_SIZE:
                return found
            page += 1

    async def _page(
        self, parameters: _Parameters, *, page: int, divisible: bool = False
    ) -> tuple[Sequence[Theirs], int] | Unanswered:
        """The orders of a page and how many it has. Raises TooMuch for one that is `divisible`."""
        paged = (*parameters, ("page", str(page)), ("pageSize", str(PAGE_SIZE)))
        reply = await self._get(LIST, paged)
        if divisible and (reply.failure is Failure.OVERSIZED or reply.status in _TOO_LONG):
            raise TooMuch
        if (problem := self._problem(reply)) is not None:
            return problem
        try:
            return page_of(reply.body)
        except InvalidInput as error:
            return Unanswered(f"the answer cannot be read: {error}")

    async def _one(self, asked: Asked) -> Sequence[Theirs] | Unanswered:
        parameters = [("orderKey", asked.order_key)]
        store_id = self._access.store_id
        numbers = [store for store in asked.stores if store.isascii() and store.isdigit()]
        if store_id is not None or len(numbers) == 1:
            parameters.append(("storeId", str(store_id or numbers[0])))
        reply = await self._get(ONE, parameters)
        if reply.status == NOT_KNOWN:
            return ()
        if (problem := self._problem(reply)) is not None:
            return problem
        try:
            order = order_of(reply.body)
        except InvalidInput as error:
            return Unanswered(f"the answer cannot be read: {error}")
        return (order,) if order is not None and _is_meant(asked, order) else ()

    async def _get(self, path: str, parameters: _Parameters) -> Reply:
        return await self._fetch(
            Request(
                url=f"{self._base}{path}?{urlencode(parameters)}",
                headers=self._headers,
                body=b"",
                timeout_s=self._access.timeout_s,
                method="GET",
            )
        )

    def _problem(self, reply: Reply) -> Unanswered | None:
        if reply.failure is not None:
            return failed(reply, secrets=(self._access.api_key,))
        if not 200 <= reply.status < 300:
            return refused(reply, now=self._now())
        return None


def _is_meant(asked: Asked, order: Theirs) -> bool:
    """Whether this is the order: its key, and a store that it may be in, where any is named."""
    if order.order_key != asked.order_key:
        return False
    return not (asked.stores and order.stores) or not set(asked.stores).isdisjoint(order.stores)
