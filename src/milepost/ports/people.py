"""What is kept of the people who look at the pages, of their sessions and of merchants' links."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec


class Role(StrEnum):
    """What a person is to the hub."""

    OPERATOR = "operator"
    MERCHANT = "merchant"
    READER = "read-only"


class PersonRecord(msgspec.Struct, frozen=True):
    """A person who can log in, by a name that is unique in the installation.

    `sees` is the one account that the person sees, None for all of them.
    """

    name: str
    role: Role
    sees: str | None
    password: str
    """As Argon2 writes it, with its salt; never the password itself."""
    created_at: datetime
    disabled_at: datetime | None = None


class PortalLink(msgspec.Struct, frozen=True):
    """A link that lets whoever holds it see one account until it expires or is revoked."""

    account_id: str
    link_id: str
    role: Role
    made_by: str
    made_at: datetime
    until_at: datetime
    revoked_at: datetime | None = None


class SessionRecord(msgspec.Struct, frozen=True):
    """A browser that is let in: by the name of a person, or by a link.

    Its token is kept as a digest only; `session_id` names it on pages.
    """

    digest: str
    session_id: str
    name: str
    link_account_id: str
    link_id: str
    made_at: datetime
    seen_at: datetime
    until_at: datetime
    address: str = ""
    agent: str = ""


class FoundSession(msgspec.Struct, frozen=True):
    """A session and what its person, or its link, may do today."""

    session: SessionRecord
    role: Role
    sees: str | None


class PeopleStore(Protocol):
    """People, their sessions, and merchants' links. Every method may raise StoreError."""

    async def has_operator(self) -> bool:
        """Whether an operator is on record, disabled or not."""

    async def add_first_token(self, digest: str, *, until: datetime, now: datetime) -> bool:
        """Keeps a token that may make the first operator; False where there is one already."""

    async def add_first_operator(self, person: PersonRecord, *, digest: str, now: datetime) -> bool:
        """Adds the first operator for a token that is kept and not over, and voids every token.

        Of several who try at once one succeeds.
        """

    async def add_person(self, person: PersonRecord) -> None:
        """Raises AlreadyExists when the name is taken."""

    async def replace_person(self, person: PersonRecord) -> None:
        """Replaces the one of this name, and ends all sessions of it. Raises UnknownRecord."""

    async def person(self, name: str) -> PersonRecord | None:
        """The person of this name, disabled or not."""

    async def people(self) -> Sequence[PersonRecord]:
        """Everybody, by name."""

    async def add_session(self, session: SessionRecord, *, stale: datetime) -> None:
        """Keeps a session, and forgets those that were over or not seen since `stale`."""

    async def find_session(self, digest: str, *, now: datetime) -> FoundSession | None:
        """The session with this digest.

        None as soon as its person is disabled, or its link is over or revoked.
        """

    async def see_session(self, digest: str, *, now: datetime) -> None:
        """Notes that it is in use."""

    async def sessions(self, name: str) -> Sequence[SessionRecord]:
        """The sessions of a person, those seen last first."""

    async def end_session(self, name: str, session_id: str) -> None:
        """Ends a session of a person; one that is over already stays so."""

    async def end_session_of(self, digest: str) -> None:
        """Ends the session with this digest, whoever's it is."""

    async def add_link(self, link: PortalLink) -> None:
        """Keeps a link."""

    async def link(self, account_id: str, link_id: str) -> PortalLink | None:
        """The link with this id, over or not."""

    async def links(self, account_id: str) -> Sequence[PortalLink]:
        """The links of an account, revoked ones too, newest first."""

    async def revoke_link(self, account_id: str, link_id: str, *, now: datetime) -> None:
        """Ends a link and every session that it opened. Raises UnknownRecord."""
