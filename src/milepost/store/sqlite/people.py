"""People who look at the pages, their sessions and merchants' links."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.ports.people import FoundSession, PersonRecord, PortalLink, SessionRecord
from milepost.store.people_rows import (
    changed_values,
    found_session_of,
    link_of,
    link_values,
    person_of,
    person_values,
    session_of,
    session_values,
)
from milepost.store.rows import micros
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer


def has_operator(session: Session) -> bool:
    return session.row("any_operator") is not None


def add_first_token(session: Session, digest: str, *, until: datetime, now: datetime) -> bool:
    if session.row("any_operator") is not None:
        return False
    session.write("forget_old_first_tokens", now=micros(now))
    session.write("add_first_token", digest=digest, until_at=micros(until))
    return True


def add_first_operator(
    session: Session, person: PersonRecord, *, digest: str, now: datetime
) -> bool:
    if session.row("any_operator") is not None:
        return False
    if session.row("first_token", digest=digest, now=micros(now)) is None:
        return False
    session.write("forget_first_tokens")
    session.write("add_person", **person_values(person))
    return True


def add_person(session: Session, person: PersonRecord) -> None:
    try:
        session.write("add_person", **person_values(person))
    except sqlite3.IntegrityError:
        raise AlreadyExists(person.name) from None


def replace_person(session: Session, person: PersonRecord) -> None:
    if not session.write("replace_person", **changed_values(person)):
        raise UnknownRecord(person.name)
    session.write("end_sessions", name=person.name)


def person(session: Session, name: str) -> PersonRecord | None:
    found = session.row("person", name=name)
    return None if found is None else person_of(found)


def people(session: Session) -> Sequence[PersonRecord]:
    return [person_of(row) for row in session.rows("people")]


def add_session(session: Session, kept: SessionRecord, *, stale: datetime) -> None:
    session.write("forget_sessions", now=micros(kept.made_at), stale=micros(stale))
    session.write("add_session", **session_values(kept))


def find_session(session: Session, digest: str, *, now: datetime) -> FoundSession | None:
    return found_session_of(session.row("find_session", digest=digest, now=micros(now)))


def see_session(session: Session, digest: str, *, now: datetime) -> None:
    session.write("see_session", digest=digest, now=micros(now))


def sessions(session: Session, name: str) -> Sequence[SessionRecord]:
    return [session_of(row) for row in session.rows("sessions", name=name)]


def end_session(session: Session, name: str, *, session_id: str) -> None:
    session.write("end_session", name=name, session_id=session_id)


def end_session_of(session: Session, digest: str) -> None:
    session.write("end_session_of", digest=digest)


def add_link(session: Session, link: PortalLink) -> None:
    session.write("add_link", **link_values(link))


def link(session: Session, account_id: str, *, link_id: str) -> PortalLink | None:
    found = session.row("link", account_id=account_id, link_id=link_id)
    return None if found is None else link_of(found)


def links(session: Session, account_id: str) -> Sequence[PortalLink]:
    return [link_of(row) for row in session.rows("links", account_id=account_id)]


def revoke_link(session: Session, account_id: str, *, link_id: str, now: datetime) -> None:
    if not session.write("revoke_link", account_id=account_id, link_id=link_id, now=micros(now)):
        raise UnknownRecord(link_id)
    session.write("end_sessions_by_link", link_account_id=account_id, link_id=link_id)


class PeopleOnSqlite:
    """The part of the store that has to do with people and their sessions."""

    _writer: Writer
    _readers: Readers

    async def has_operator(self) -> bool:
        return await self._readers.run(has_operator)

    async def add_first_token(self, digest: str, *, until: datetime, now: datetime) -> bool:
        return await self._writer.run(partial(add_first_token, digest=digest, until=until, now=now))

    async def add_first_operator(self, person: PersonRecord, *, digest: str, now: datetime) -> bool:
        return await self._writer.run(
            partial(add_first_operator, person=person, digest=digest, now=now)
        )

    async def add_person(self, person: PersonRecord) -> None:
        await self._writer.run(partial(add_person, person=person))

    async def replace_person(self, person: PersonRecord) -> None:
        await self._writer.run(partial(replace_person, person=person))

    async def person(self, name: str) -> PersonRecord | None:
        return await self._readers.run(partial(person, name=name))

    async def people(self) -> Sequence[PersonRecord]:
        return await self._readers.run(people)

    async def add_session(self, session: SessionRecord, *, stale: datetime) -> None:
        await self._writer.run(partial(add_session, kept=session, stale=stale))

    async def find_session(self, digest: str, *, now: datetime) -> FoundSession | None:
        return await self._readers.run(partial(find_session, digest=digest, now=now))

    async def see_session(self, digest: str, *, now: datetime) -> None:
        await self._writer.run(partial(see_session, digest=digest, now=now))

    async def sessions(self, name: str) -> Sequence[SessionRecord]:
        return await self._readers.run(partial(sessions, name=name))

    async def end_session(self, name: str, session_id: str) -> None:
        await self._writer.run(partial(end_session, name=name, session_id=session_id))

    async def end_session_of(self, digest: str) -> None:
        await self._writer.run(partial(end_session_of, digest=digest))

    async def add_link(self, link: PortalLink) -> None:
        await self._writer.run(partial(add_link, link=link))

    async def link(self, account_id: str, link_id: str) -> PortalLink | None:
        return await self._readers.run(partial(link, account_id=account_id, link_id=link_id))

    async def links(self, account_id: str) -> Sequence[PortalLink]:
        return await self._readers.run(partial(links, account_id=account_id))

    async def revoke_link(self, account_id: str, link_id: str, *, now: datetime) -> None:
        await self._writer.run(
            partial(revoke_link, account_id=account_id, link_id=link_id, now=now)
        )
