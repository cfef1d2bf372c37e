"""People, sessions and links as rows and back, the same for every database."""

from __future__ import annotations

from typing import Any

from milepost.ports.people import FoundSession, PersonRecord, PortalLink, Role, SessionRecord
from milepost.store.rows import Row, micros, micros_or_none, moment, moment_or_none

_SESSION_COLUMNS = 10


def person_values(person: PersonRecord) -> dict[str, Any]:
    return {
        "name": person.name,
        "role": person.role.value,
        "sees": person.sees,
        "password": person.password,
        "created_at": micros(person.created_at),
        "disabled_at": micros_or_none(person.disabled_at),
    }


def changed_values(person: PersonRecord) -> dict[str, Any]:
    """The columns that can change."""
    values = person_values(person)
    del values["created_at"]
    return values


def person_of(row: Row) -> PersonRecord:
    return PersonRecord(
        name=row[0],
        role=Role(row[1]),
        sees=row[2],
        password=row[3],
        created_at=moment(row[4]),
        disabled_at=moment_or_none(row[5]),
    )


def session_values(session: SessionRecord) -> dict[str, Any]:
    return {
        "digest": session.digest,
        "session_id": session.session_id,
        "name": session.name,
        "link_account_id": session.link_account_id,
        "link_id": session.link_id,
        "made_at": micros(session.made_at),
        "seen_at": micros(session.seen_at),
        "until_at": micros(session.until_at),
        "address": session.address,
        "agent": session.agent,
    }


def session_of(row: Row) -> SessionRecord:
    return SessionRecord(
        digest=row[0],
        session_id=row[1],
        name=row[2],
        link_account_id=row[3],
        link_id=row[4],
        made_at=moment(row[5]),
        seen_at=moment(row[6]),
        until_at=moment(row[7]),
        address=row[8],
        agent=row[9],
    )


def found_session_of(row: Row | None) -> FoundSession | None:
    """None where neither a person nor a link stands behind it any longer."""
    if row is None or row[_SESSION_COLUMNS] is None:
        return None
    role, sees = row[_SESSION_COLUMNS:]
    return FoundSession(session_of(row), Role(role), sees)


def link_values(link: PortalLink) -> dict[str, Any]:
    return {
        "account_id": link.account_id,
        "link_id": link.link_id,
        "role": link.role.value,
        "made_by": link.made_by,
        "made_at": micros(link.made_at),
        "until_at": micros(link.until_at),
        "revoked_at": micros_or_none(link.revoked_at),
    }


def link_of(row: Row) -> PortalLink:
    return PortalLink(
        account_id=row[0],
        link_id=row[1],
        role=Role(row[2]),
        made_by=row[3],
        made_at=moment(row[4]),
        until_at=moment(row[5]),
        revoked_at=moment_or_none(row[6]),
    )
