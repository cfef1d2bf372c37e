"""Reading from the hub what was missed: every notification of one endpoint, once, oldest first."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from milepost_receiver.errors import ReceiverError, ReplayMalformed
from milepost_receiver.hub_client import TIMEOUT_SECONDS, HubClient
from milepost_receiver.inbox import Fetched, Inbox
from milepost_receiver.notification import Notification
from milepost_receiver.receiver import Receiver

N = TypeVar("N", bound=Notification)

PAGE = 100
NEVER_SENT = "superseded"
"""A newer notification of the order took its place, as the endpoint's policy wants it."""


@dataclass(frozen=True, slots=True)
class Page(Generic[N]):
    """Some of what was queued for the endpoint.

    `following` goes on with this run and `place` begins another one, both None where there is none.
    `erased` counts those whose personal data was erased at the hub, `unreadable` names what this
    receiver cannot read.
    """

    found: tuple[Fetched[N], ...]
    following: str | None
    place: str | None
    erased: int
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """What a run brought: how many were looked at, and how many of those were missing."""

    looked_at: int = 0
    added: int = 0
    erased: int = 0
    unreadable: tuple[str, ...] = ()


class Replay(Generic[N]):
    """The deliveries of one endpoint as the hub has them, read with a key of the account.

    The receiver is the endpoint's own; no signature is checked, for the key and the connection
    prove the hub. `url` has to be https, or an address of this machine. Each request may take
    `timeout` seconds, and is tried again where the hub is busy or away. The key is never shown.
    """

    def __init__(
        self,
        receiver: Receiver[N],
        *,
        url: str,
        key: str,
        endpoint_id: str,
        page: int = PAGE,
        timeout: float = TIMEOUT_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._receiver = receiver
        self._path = f"/v1/endpoints/{quote(endpoint_id, safe='')}/deliveries"
        self._page = page
        self._client = HubClient(url, key=key, timeout=timeout, sleep=sleep)

    def __repr__(self) -> str:
        return f"Replay({self._path})"

    def fill(self, inbox: Inbox[N], *, since: datetime | None = None) -> Filled:
        """Keeps all that is not in the inbox yet, and the place to begin another time.

        Run it as often as you like, also beside the receiver: what is there stays as it is. It
        begins where it last ended; the first time at `since`, or with all that the hub has. Raises
        a ReplayFailed, or InboxUnavailable; what was kept before stays kept.
        """
        place = inbox.place()
        filled = Filled()
        for page in self.pages(after=place, since=since):
            added = inbox.keep_missing(page.found, place=page.place)
            filled = Filled(
                looked_at=filled.looked_at + len(page.found),
                added=filled.added + added,
                erased=filled.erased + page.erased,
                unreadable=(*filled.unreadable, *page.unreadable),
            )
        return filled

    def notifications(
        self, *, after: str | None = None, since: datetime | None = None
    ) -> Iterator[N]:
        """Each notification, for receivers without an inbox. Raises a ReplayFailed."""
        for page in self.pages(after=after, since=since):
            yield from (fetched.notification for fetched in page.found)

    def pages(
        self, *, after: str | None = None, since: datetime | None = None
    ) -> Iterator[Page[N]]:
        """The pages after a place, or since a time. Raises a ReplayFailed."""
        while True:
            page = self._read(after=after, since=since)
            yield page
            if page.following is None:
                return
            after = page.following

    def _read(self, *, after: str | None, since: datetime | None) -> Page[N]:
        query = {"limit": str(self._page)}
        if after is not None:
            query["after"] = after
        elif since is not None:
            query["since"] = since.isoformat()
        told = self._client.get(f"{self._path}?{urlencode(query)}")
        deliveries = told.get("deliveries")
        if not isinstance(deliveries, list):
            raise ReplayMalformed("deliveries", expected="a list")
        found: list[Fetched[N]] = []
        erased, unreadable = 0, []
        for one in deliveries:
            name, headers = _headers(one)
            if one.get("state") == NEVER_SENT:
                continue
            body = _body(one)
            if body is None:
                erased += 1
                continue
            try:
                found.append(Fetched(headers, self._receiver.read_trusted(headers, body)))
            except ReceiverError:
                unreadable.append(name)
        following, place = _cursor(told, "next"), _cursor(told, "keep")
        return Page(tuple(found), following, place, erased, tuple(unreadable))


def _headers(one: Any) -> tuple[str, dict[str, str]]:
    """The delivery's id and headers as its first attempt has them, without those that prove it."""
    try:
        order_id, sequence = str(one["order_id"]), int(one["sequence"])
        name = f"{order_id}-{sequence}-{one['endpoint_id']}"
        headers = {
            "webhook-id": name,
            "milepost-order": order_id,
            "milepost-sequence": str(sequence),
            "milepost-previous": str(int(one["previous"])),
        }
        if one["content_type"] is not None:
            headers["content-type"] = str(one["content_type"])
    except (LookupError, TypeError, ValueError, OverflowError):
        raise ReplayMalformed("deliveries", expected="deliveries") from None
    return name, headers


def _body(one: Mapping[str, Any]) -> bytes | None:
    text, encoding = one.get("body"), one.get("body_encoding")
    if text is None:
        return None
    try:
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
        if encoding == "utf-8":
            return str(text).encode()
    except (TypeError, ValueError):
        pass
    raise ReplayMalformed("body", expected="text, or bytes in base64")


def _cursor(told: Mapping[str, Any], name: str) -> str | None:
    value = told.get(name)
    if value is None or (isinstance(value, str) and value):
        return value
    raise ReplayMalformed(name, expected="a cursor")
