"""A merchant's link: signed with the hub's key, for one account, until it expires or is revoked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from milepost.errors import InvalidInput, MilepostError, SecretUnreadable
from milepost.people.entry import SESSION, Opened, People
from milepost.people.roles import Person
from milepost.ports import NewId, Now
from milepost.ports.people import PeopleStore, PortalLink, Role
from milepost.sealing import Vault

LINK = "lnk_"
LONGEST = timedelta(days=366)
ROLES = (Role.MERCHANT, Role.READER)

_ID_LENGTH = 10
_LONGEST_TEXT = 512
_PLACE = "portal link"


class LinkOver(MilepostError):
    """The link is not, or no longer, good."""


class NewLink(msgspec.Struct, frozen=True):
    """A link on record, and its text, which is shown this once."""

    link: PortalLink
    text: str


class _Said(msgspec.Struct, frozen=True, array_like=True):
    """What stands in a link, where nobody can read or change it."""

    account_id: str
    link_id: str
    until: int


class Portal:
    """Makes and opens links; what it returns is on disk.

    The text of a link is sealed with the hub's key, so a changed one is refused without a look at
    the database; what is on record lets it be revoked.
    """

    def __init__(
        self, store: PeopleStore, *, people: People, vault: Vault, now: Now, new_id: NewId
    ) -> None:
        self._store = store
        self._people = people
        self._vault = vault
        self._now = now
        self._new_id = new_id

    async def make(
        self, account_id: str, *, role: Role, lasting: timedelta, made_by: str
    ) -> NewLink:
        """A link to an account that the caller knows to be there. Raises InvalidInput."""
        if not timedelta(minutes=1) <= lasting <= LONGEST:
            raise InvalidInput(field="expires", expected="a minute to 366 days")
        if role not in ROLES:
            raise InvalidInput(field="role", expected=" or ".join(ROLES))
        now = self._now()
        link = PortalLink(
            account_id=account_id,
            link_id=LINK + self._new_id()[-_ID_LENGTH:],
            role=role,
            made_by=made_by,
            made_at=now,
            until_at=now + lasting,
        )
        await self._store.add_link(link)
        said = _Said(account_id, link.link_id, int(link.until_at.timestamp()))
        sealed = self._vault.seal(msgspec.json.encode(said), place=_PLACE)
        return NewLink(link, base64.urlsafe_b64encode(sealed).rstrip(b"=").decode())

    async def open(self, text: str, *, address: str, agent: str) -> Opened:
        """Opens a session of whoever holds the link. Raises LinkOver."""
        said = self._read(text)
        now = self._now()
        if datetime.fromtimestamp(said.until, UTC) <= now:
            raise LinkOver
        link = await self._store.link(said.account_id, said.link_id)
        if link is None or link.revoked_at is not None or link.until_at <= now:
            raise LinkOver
        person = Person("", link.role, link.account_id, SESSION + self._new_id()[-_ID_LENGTH:])
        return await self._people.open_session(
            person,
            until=link.until_at,
            address=address,
            agent=agent,
            link=(link.account_id, link.link_id),
        )

    async def links(self, account_id: str) -> Sequence[PortalLink]:
        """The links of an account, those that are over too, newest first."""
        return await self._store.links(account_id)

    async def revoke(self, account_id: str, link_id: str) -> None:
        """Ends a link and what it opened. Raises UnknownRecord."""
        await self._store.revoke_link(account_id, link_id, now=self._now())

    def _read(self, text: str) -> _Said:
        if len(text) > _LONGEST_TEXT:
            raise LinkOver
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return msgspec.json.decode(self._vault.open(sealed, place=_PLACE), type=_Said)
        except (binascii.Error, ValueError, SecretUnreadable, msgspec.MsgspecError):
            raise LinkOver from None
