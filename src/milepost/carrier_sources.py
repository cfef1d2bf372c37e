"""Carrier sources: what an operator sets up, so that parcels are watched."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from milepost.errors import InvalidInput, UnknownRecord
from milepost.orders.model import Parcel
from milepost.orders.tracking import EXPIRES_AFTER, Tracking
from milepost.ports import Now
from milepost.ports.tracking import Carrier, CarrierSource, Failed, Told, TrackingStore

MOST_SOURCES = 50
"""Sources of one account: each of them is looked at whenever it is looked what is due."""

PARCELS_AT_ONCE = 1_000
"""How many parcels are begun with in one transaction."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


class SourceInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A carrier source as it is asked for.

    `carriers` are those that it answers for, none standing for all that no other source names.
    A secret that is `env:NAME` is read from that variable whenever a process begins to ask.
    """

    kind: str
    carriers: tuple[str, ...] = ()
    config: msgspec.Raw = msgspec.Raw(b"{}")


class Sources:
    """Changes sources and tells of them; what it returns is on disk."""

    def __init__(
        self,
        store: TrackingStore,
        *,
        check: Callable[[CarrierSource], None],
        carrier_of: Callable[[CarrierSource], Carrier],
        changed: Callable[[], None],
        now: Now,
    ) -> None:
        """`check` raises InvalidInput; `changed` is told that the sources are not as they were."""
        self._store = store
        self._check = check
        self._carrier_of = carrier_of
        self._changed = changed
        self._now = now

    async def put(
        self,
        account_id: str,
        name: str,
        wanted: SourceInput,
        *,
        secrets: Mapping[str, str] | None = None,
    ) -> CarrierSource:
        """Creates or replaces a source, and watches what is on its way already.

        Without `secrets` those that it has stay. Raises InvalidInput.
        """
        if not _NAME.fullmatch(name):
            expected = "1 to 100 letters, digits, dots, hyphens and underscores"
            raise InvalidInput(field="name", expected=expected)
        now, known = self._now(), await self._store.carrier_sources(account_id)
        before = next((source for source in known if source.source == name), None)
        if before is None and len(known) >= MOST_SOURCES:
            raise InvalidInput(field="", expected=f"at most {MOST_SOURCES} sources in an account")
        kept = b"{}" if before is None else before.secrets
        source = CarrierSource(
            account_id=account_id,
            source=name,
            kind=wanted.kind,
            carriers=tuple(dict.fromkeys(wanted.carriers)),
            config=msgspec.json.format(bytes(wanted.config), indent=-1),
            secrets=kept if secrets is None else msgspec.json.encode(dict(secrets)),
            created_at=now if before is None else before.created_at,
            updated_at=now,
        )
        self._check(source)
        await self._store.put_carrier_source(source)
        await self._begin(account_id)
        self._changed()
        return source

    async def _begin(self, account_id: str) -> None:
        after: tuple[str, str] | None = ("", "")
        while after is not None:
            after = await self._store.begin_trackings(
                account_id, after=after, limit=PARCELS_AT_ONCE, now=self._now()
            )

    async def list(self, account_id: str) -> Sequence[CarrierSource]:
        """The account's sources by name."""
        return await self._store.carrier_sources(account_id)

    async def named(self, account_id: str, name: str) -> CarrierSource:
        """Raises UnknownRecord."""
        for source in await self._store.carrier_sources(account_id):
            if source.source == name:
                return source
        raise UnknownRecord(name)

    async def remove(self, account_id: str, name: str) -> None:
        """Removes a source; parcels that it answered for are not asked for. Raises UnknownRecord.

        While the account has another source their time runs on.
        """
        await self._store.delete_carrier_source(account_id, name)
        self._changed()

    async def ask(
        self, account_id: str, name: str, *, tracking_number: str, carrier: str | None
    ) -> Told | Failed:
        """What a source says of a number now; nothing is taken in. Raises UnknownRecord."""
        now = self._now()
        source = await self.named(account_id, name)
        made_at = now - EXPIRES_AFTER
        parcel = Parcel("1", carrier=carrier, tracking_number=tracking_number, created_at=made_at)
        return await self._carrier_of(source).ask(parcel, now=now)

    async def trackings(self, account_id: str, order_id: str) -> Sequence[Tracking]:
        """The parcels of an order that are watched or were, by name."""
        return await self._store.trackings(account_id, order_id)
