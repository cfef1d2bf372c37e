"""Sources as an operator sets them up: what proves them, and which orders they mean."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from milepost.contracts.read_access import check_read_access
from milepost.errors import AlreadyExists, InvalidInput, UnknownRecord
from milepost.ports import Now, Store
from milepost.ports.receiving import Refusals, Source
from milepost.receiving.gates import digest_of, networks_of, reads, room_of

MOST_SOURCES = 100
"""Sources of one account."""

MOST_NETWORKS = 50
MOST_STORES = 1_000
MOST_PRECEDENCE = 1_000
SECRET_BYTES = 32

UNSAID = msgspec.Raw()
"""What stands for JSON that was not given."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


class SourceInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source as it is asked for; what is left out of it is as Source says."""

    source: str
    kind: str
    store: str
    stores: dict[str, str] = {}
    networks: tuple[str, ...] = ()
    precedence: int = 0
    trusted: bool = False
    options: msgspec.Raw = UNSAID
    credentials: msgspec.Raw = UNSAID
    read_access: msgspec.Raw = UNSAID

    def __repr__(self) -> str:
        return f"SourceInput({self.source}, {self.kind})"


class SourceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a source changes; what is left out stays.

    With `overlap` the secrets that `credentials` has had count beside the new ones, so that a
    provider can be given the new ones while it still uses the others.
    """

    store: str | None = None
    stores: dict[str, str] | None = None
    networks: tuple[str, ...] | None = None
    precedence: int | None = None
    trusted: bool | None = None
    options: msgspec.Raw = UNSAID
    credentials: msgspec.Raw = UNSAID
    read_access: msgspec.Raw = UNSAID
    overlap: bool = False

    def __repr__(self) -> str:
        return "SourceChange(…)"


class MadeSource(msgspec.Struct, frozen=True):
    """A source and the secret of its path: the only time that it is shown."""

    source: Source
    secret: str

    def __repr__(self) -> str:
        return f"MadeSource({self.source!r})"


class SourceStatus(msgspec.Struct, frozen=True):
    """A source, when it has sent last, and what of it was refused."""

    source: Source
    last_received_at: datetime | None
    refusals: Refusals


class Setup:
    """Changes sources and tells of them; what it returns is on disk.

    `token` makes so many random bytes; `forget` is told that sources are not as they were.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Now,
        token: Callable[[int], bytes],
        epoch_s: Callable[[], float],
        forget: Callable[[], None],
    ) -> None:
        self._store = store
        self._now = now
        self._token = token
        self._epoch_s = epoch_s
        self._forget = forget

    async def sources(self, account_id: str) -> Sequence[Source]:
        """The account's sources by name."""
        return await self._store.sources(account_id)

    async def source(self, account_id: str, name: str) -> Source:
        """Raises UnknownRecord."""
        for source in await self._store.sources(account_id):
            if source.source == name:
                return source
        raise UnknownRecord(name)

    async def statuses(self, account_id: str) -> Sequence[SourceStatus]:
        """The account's sources by name, each with how it has been doing."""
        refusals = await self._store.refusals(account_id)
        received = await self._store.last_received_each(account_id)
        return [
            SourceStatus(
                source,
                received.get(source.source),
                refusals.get(source.source, Refusals()),
            )
            for source in await self._store.sources(account_id)
        ]

    async def status(self, account_id: str, name: str) -> SourceStatus:
        """Raises UnknownRecord."""
        source = await self.source(account_id, name)
        refusals = await self._store.refusals(account_id)
        last = await self._store.last_received(account_id, name)
        return SourceStatus(source, last, refusals.get(name, Refusals()))

    async def add(self, account_id: str, wanted: SourceInput) -> MadeSource:
        """Sets a source up. Raises InvalidInput, and AlreadyExists for a name that is taken."""
        if not _NAME.fullmatch(wanted.source):
            expected = "1 to 100 letters, digits, dots, hyphens and underscores"
            raise InvalidInput(field="source", expected=expected)
        known = await self._store.sources(account_id)
        if any(source.source == wanted.source for source in known):
            raise AlreadyExists(wanted.source)
        if len(known) >= MOST_SOURCES:
            raise InvalidInput(field="", expected=f"at most {MOST_SOURCES} sources in an account")
        secret, now = self._secret(), self._now()
        source = Source(
            account_id=account_id,
            source=wanted.source,
            kind=wanted.kind,
            digest=digest_of(secret),
            store=wanted.store,
            stores=dict(wanted.stores),
            networks=tuple(dict.fromkeys(wanted.networks)),
            precedence=wanted.precedence,
            trusted=wanted.trusted,
            options=_compact(wanted.options),
            credentials=_compact(wanted.credentials),
            read_access=_compact(wanted.read_access),
            created_at=now,
            updated_at=now,
        )
        await self._check(source)
        await self._put(source)
        return MadeSource(source, secret)

    async def change(self, account_id: str, name: str, wanted: SourceChange) -> Source:
        """Changes a source. Raises UnknownRecord and InvalidInput."""
        before = await self.source(account_id, name)
        told = {
            field: value
            for field in ("store", "stores", "networks", "precedence", "trusted")
            if (value := getattr(wanted, field)) is not None
        }
        for field in ("options", "credentials", "read_access"):
            raw: msgspec.Raw = getattr(wanted, field)
            if bytes(raw):
                told[field] = _compact(raw)
        if wanted.overlap and "credentials" in told:
            told["credentials"] = _beside(told["credentials"], before.credentials)
        source = msgspec.structs.replace(before, **told, updated_at=self._now())
        await self._check(source)
        await self._put(source)
        return source

    async def rotate(self, account_id: str, name: str) -> MadeSource:
        """Gives a source another path; the one before is nobody's. Raises UnknownRecord."""
        before = await self.source(account_id, name)
        secret = self._secret()
        source = msgspec.structs.replace(before, digest=digest_of(secret), updated_at=self._now())
        await self._put(source)
        return MadeSource(source, secret)

    async def remove(self, account_id: str, name: str) -> None:
        """Removes a source; its receipts stay. Raises UnknownRecord."""
        await self._store.delete_source(account_id, name)
        self._forget()

    async def _put(self, source: Source) -> None:
        await self._store.put_source(source)
        self._forget()

    def _secret(self) -> str:
        return urlsafe_b64encode(self._token(SECRET_BYTES)).decode().rstrip("=")

    async def _check(self, source: Source) -> None:
        """Raises InvalidInput for what cannot be used."""
        room_of(source.kind)
        stores = {store.store for store in await self._store.stores(source.account_id)}
        if source.store not in stores:
            raise InvalidInput(field="store", expected="a store of this account")
        for theirs, ours in source.stores.items():
            if ours not in stores:
                raise InvalidInput(field=f"stores.{theirs}", expected="a store of this account")
        _check_at_most("stores", source.stores, MOST_STORES)
        _check_at_most("networks", source.networks, MOST_NETWORKS)
        networks_of(source.networks)
        if not -MOST_PRECEDENCE <= source.precedence <= MOST_PRECEDENCE:
            expected = f"a number from -{MOST_PRECEDENCE:,} to {MOST_PRECEDENCE:,}"
            raise InvalidInput(field="precedence", expected=expected)
        reads(source, clock=self._epoch_s)
        check_read_access(source.kind, source.read_access)


def _check_at_most(field: str, given: Mapping[str, str] | Sequence[str], most: int) -> None:
    if len(given) > most:
        raise InvalidInput(field=field, expected=f"at most {most:,}")


def _compact(raw: msgspec.Raw) -> bytes:
    return msgspec.json.format(bytes(raw) or b"{}", indent=-1)


def _beside(new: bytes, before: bytes) -> bytes:
    """The new credentials with what lists held before; at most as many as a room takes."""
    told, had = msgspec.json.decode(new), msgspec.json.decode(before or b"{}")
    for name, value in told.items():
        kept = had.get(name)
        if isinstance(value, list) and isinstance(kept, list):
            told[name] = [*value, *(one for one in kept if one not in value)]
    return msgspec.json.encode(told)
