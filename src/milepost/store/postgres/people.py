"""People who look at the pages, their sessions and merchants' links."""

from __future__ import annotations

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
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.session import AlreadyThere, Session, store_errors
from milepost.store.postgres.writing import written
from milepost.store.rows import micros


async def has_operator(session: Session) -> bool:
    return await session.row("any_operator") is not None


async def add_first_token(session: Session, digest: str, *, until: datetime, now: datetime) -> bool:
    if await session.row("any_operator") is not None:
        return False
    await session.write("forget_old_first_tokens", now=micros(now))
    await session.write("add_first_token", digest=digest, until_at=micros(until))
    return True


async def add_first_operator(
    session: Session, person: PersonRecord, *, digest: str, now: datetime
) -> bool:
    async with session.transaction():
        await session.row("hold_first_operator")
        if await session.row("any_operator") is not None:
            return False
        if await session.row("first_token", digest=digest, now=micros(now)) is None:
            return False
        await session.write("forget_first_tokens")
        await session.write("add_person", **person_values(person))
        return True


async def add_person(session: Session, person: PersonRecord) -> None:
    try:
        with store_errors():
            await session.write("add_person", **person_values(person))
    except AlreadyThere:
        raise AlreadyExists(person.name) from None


async def replace_person(session: Session, person: PersonRecord) -> None:
    async with session.transaction():
        if not await session.write("replace_person", **changed_values(person)):
            raise UnknownRecord(person.name)
        await session.write("end_sessions", name=person.name)


async def person(session: Session, name: str) -> PersonRecord | None:
    found = await session.row("person", name=name)
    return None if found is None else person_of(found)


async def people(session: Session) -> Sequence[PersonRecord]:
    return [person_of(row) for row in await session.rows("people")]


async def add_session(session: Session, kept: SessionRecord, *, stale: datetime) -> None:
    await session.write("forget_sessions", now=micros(kept.made_at), stale=micros(stale))
    await session.write("add_session", **session_values(kept))


async def find_session(session: Session, digest: str, *, now: datetime) -> FoundSession | None:
    return found_session_of(await session.row("find_session", digest=digest, now=micros(now)))


async def see_session(session: Session, digest: str, *, now: datetime) -> None:
    await session.write("see_session", digest=digest, now=micros(now))


async def sessions(session: Session, name: str) -> Sequence[SessionRecord]:
    return [session_of(row) for row in await session.rows("sessions", name=name)]


async def end_session(session: Session, name: str, *, session_id: str) -> None:
    await session.write("end_session", name=name, session_id=session_id)


async def end_session_of(session: Session, digest: str) -> None:
    await session.write("end_session_of", digest=digest)


async def add_link(session: Session, link: PortalLink) -> None:
    await session.write("add_link", **link_values(link))


async def link(session: Session, account_id: str, *, link_id: str) -> PortalLink | None:
    found = await session.row("link", account_id=account_id, link_id=link_id)
    return None if found is None else link_of(found)


async def links(session: Session, account_id: str) -> Sequence[PortalLink]:
    return [link_of(row) for row in await session.rows("links", account_id=account_id)]


async def revoke_link(session: Session, account_id: str, *, link_id: str, now: datetime) -> None:
    async with session.transaction():
        if not await session.write(
            "revoke_link", account_id=account_id, link_id=link_id, now=micros(now)
        ):
            raise UnknownRecord(link_id)
        await session.write("end_sessions_by_link", link_account_id=account_id, link_id=link_id)


class PeopleOnPostgres:
    """The part of the store that has to do with people and their sessions."""

    _main: Pool
    _readers: Pool

    async def has_operator(self) -> bool:
        async with self._main.session() as session:
            return await has_operator(session)

    async def add_first_token(self, digest: str, *, until: datetime, now: datetime) -> bool:
        return await written(
            self._main, partial(add_first_token, digest=digest, until=until, now=now)
        )

    async def add_first_operator(self, person: PersonRecord, *, digest: str, now: datetime) -> bool:
        return await written(
            self._main, partial(add_first_operator, person=person, digest=digest, now=now)
        )

    async def add_person(self, person: PersonRecord) -> None:
        await written(self._main, partial(add_person, person=person))

    async def replace_person(self, person: PersonRecord) -> None:
        await written(self._main, partial(replace_person, person=person))

    async def person(self, name: str) -> PersonRecord | None:
        async with self._main.session() as session:
            return await person(session, name=name)

    async def people(self) -> Sequence[PersonRecord]:
        async with self._readers.session() as session:
            return await people(session)

    async def add_session(self, session: SessionRecord, *, stale: datetime) -> None:
        await written(self._main, partial(add_session, kept=session, stale=stale))

    async def find_session(self, digest: str, *, now: datetime) -> FoundSession | None:
        async with self._main.session() as session:
            return await find_session(session, digest=digest, now=now)

    async def see_session(self, digest: str, *, now: datetime) -> None:
        await written(self._main, partial(see_session, digest=digest, now=now))

    async def sessions(self, name: str) -> Sequence[SessionRecord]:
        async with self._readers.session() as session:
            return await sessions(session, name=name)

    async def end_session(self, name: str, session_id: str) -> None:
        await written(self._main, partial(end_session, name=name, session_id=session_id))

    async def end_session_of(self, digest: str) -> None:
        await written(self._main, partial(end_session_of, digest=digest))

    async def add_link(self, link: PortalLink) -> None:
        await written(self._main, partial(add_link, link=link))

    async def link(self, account_id: str, link_id: str) -> PortalLink | None:
        async with self._main.session() as session:
            return await link(session, account_id, link_id=link_id)

    async def links(self, account_id: str) -> Sequence[PortalLink]:
        async with self._readers.session() as session:
            return await links(session, account_id=account_id)

    async def revoke_link(self, account_id: str, link_id: str, *, now: datetime) -> None:
        await written(
            self._main, partial(revoke_link, account_id=account_id, link_id=link_id, now=now)
        )
