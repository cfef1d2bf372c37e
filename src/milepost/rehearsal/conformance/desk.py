"""The tools of the checks: sends one notification, right or wrong, and looks at what came of it."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

import certifi
import msgspec

from milepost.contracts.shipmonk.delivery import Credentials
from milepost.delivery.model import Claimed, Endpoint, Reply, Request
from milepost.rehearsal.chance import signing_secret
from milepost.rehearsal.conformance.notes import Note, Notes
from milepost.rehearsal.sends import request_of

_ANOTHER = "another"
_LOOKS_EVERY_S = 0.05
STATE_TIMEOUT_S = 10.0


class Part(StrEnum):
    """How one proof is made."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a request is proved: which parts are wrong or missing, how old it is, what it rotates.

    `changed`: its body is not what was signed. `second`: another secret signs before the right one.
    """

    signature: Part = Part.RIGHT
    basic: Part = Part.RIGHT
    body_signature: Part = Part.RIGHT
    age_s: int = 0
    changed: bool = False
    second: bool = False


RIGHT = How()
WRONG = How(signature=Part.WRONG, basic=Part.WRONG, body_signature=Part.WRONG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user told: which proofs the receiver knows, where its state is, and the limits."""

    secret: bool
    basic: bool
    signature_secret: bool
    state_url: str | None = None
    state_field: str = "state"
    settle_s: float = 0.5
    within_ms: float = 1_000.0
    parallel: int = 10


class Desk:
    """Sends to one receiver; everything that the checks share."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        ask: Callable[[Request], Awaitable[Reply]],
        given: Given,
        seed: int,
    ) -> None:
        self.endpoint = endpoint
        self.given = given
        self.notes = Notes(endpoint, seed=seed, now=lambda: datetime.now(UTC))
        self.first = Reply(0)
        self._ask = ask
        self._wrong = signing_secret(seed, _ANOTHER)

    async def begin(self) -> None:
        """Sends the first notification, of which several rules speak."""
        self.first = await self.send(self.notes.fresh())

    async def send(self, note: Note, *, how: How = RIGHT, attempt: int = 1) -> Reply:
        """What the receiver answers to this notification."""
        return await self._ask(self.request(note, how=how, attempt=attempt))

    def request(self, note: Note, *, how: How = RIGHT, attempt: int = 1) -> Request:
        """The request, proved in this way."""
        claimed = self._proved(note.claimed, how=how)
        request = request_of(claimed, attempt=attempt, timestamp=int(time.time()) - how.age_s)
        missing = _missing(how)
        headers = tuple((name, value) for name, value in request.headers if name not in missing)
        body = request.body
        if how.changed:
            joint = b" " if claimed.body.content_type == "application/json" else b"&added=1"
            body += joint
        return msgspec.structs.replace(request, headers=headers, body=body)

    def _proved(self, claimed: Claimed, *, how: How) -> Claimed:
        endpoint = claimed.endpoint
        secrets = endpoint.secrets
        if how.second:
            secrets = (self._wrong, *secrets)
        if how.signature is Part.WRONG:
            secrets = (self._wrong,)
        credentials = endpoint.credentials
        if endpoint.contract == "shipmonk":
            told = msgspec.json.decode(credentials, type=Credentials)
            if how.basic is Part.WRONG and told.password is not None:
                told = msgspec.structs.replace(told, password=f"{_ANOTHER} password")
            if how.body_signature is Part.WRONG and told.signature_secret is not None:
                told = msgspec.structs.replace(told, signature_secret=f"{_ANOTHER} secret")
            credentials = msgspec.json.encode(told)
        changed = msgspec.structs.replace(endpoint, secrets=secrets, credentials=credentials)
        return msgspec.structs.replace(claimed, endpoint=changed)

    # the receiver's own state

    async def state(self, note: Note) -> Any:
        """What the receiver says of the order, as JSON; None where it says nothing readable."""
        template = self.given.state_url or ""
        url = template.replace("{order_key}", quote(note.order_key, safe="")).replace(
            "{order_id}", quote(note.claimed.order_id, safe="")
        )
        headers = (("accept", "application/json"),)
        request = Request(url, headers, b"", STATE_TIMEOUT_S, method="GET")
        reply = await self._ask(request)
        if not 200 <= reply.status < 300:
            return None
        try:
            return msgspec.json.decode(reply.body)
        except msgspec.DecodeError:
            return None

    def word_in(self, state: Any) -> str | None:
        """The order's state in what the receiver said of it."""
        word = state.get(self.given.state_field) if isinstance(state, dict) else None
        return word.casefold() if isinstance(word, str) else None

    async def comes_to(self, note: Note) -> str | None:
        """The state that the receiver has, once it is that of the note or the time is over."""
        until = time.monotonic() + self.given.settle_s
        while True:
            word = self.word_in(await self.state(note))
            if word in note.words or time.monotonic() > until:
                return word
            await asyncio.sleep(_LOOKS_EVERY_S)

    async def settle(self) -> None:
        """Gives the receiver the time to do what it may do after its answer."""
        await asyncio.sleep(self.given.settle_s)

    # many at once, and one connection

    async def many(self, number: int, *, at_once: int) -> list[Reply]:
        """The answers to so many notifications, so many at a time."""
        free = asyncio.Semaphore(at_once)

        async def one() -> Reply:
            async with free:
                return await self.send(self.notes.fresh())

        return await asyncio.gather(*(one() for _ in range(number)))

    async def keeps_connection(self) -> bool:
        """Whether two requests go over one connection."""
        requests = [self.request(self.notes.fresh()) for _ in range(2)]
        return await asyncio.to_thread(_over_one_connection, requests)

    def in_profile(self, profile: str) -> Notes:
        """Notes in another profile of the contract."""
        options = {**msgspec.json.decode(self.endpoint.options), "profile": profile}
        endpoint = msgspec.structs.replace(self.endpoint, options=msgspec.json.encode(options))
        now = datetime.now(UTC)
        return Notes(endpoint, seed=int(now.timestamp() * 1000), now=lambda: now)


def _missing(how: How) -> frozenset[str]:
    parts = (
        (how.signature, "webhook-signature"),
        (how.basic, "authorization"),
        (how.body_signature, "x-sm-signature"),
    )
    return frozenset(name for part, name in parts if part is Part.MISSING)


def _over_one_connection(requests: list[Request]) -> bool:
    parts = urlsplit(requests[0].url)
    host, timeout = parts.hostname or "", requests[0].timeout_s
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=certifi.where())
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=timeout)
    path = parts._replace(scheme="", netloc="").geturl() or "/"
    try:
        for place, request in enumerate(requests):
            if place and connection.sock is None:
                return False
            connection.request("POST", path, request.body, dict(request.headers))
            connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
