"""Getting in and staying in: the first operator, log-in, sessions, and people on record."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from milepost.errors import InvalidInput, MilepostError, UnknownRecord
from milepost.people.passwords import Passwords
from milepost.people.roles import OF_ONE_ACCOUNT, Person
from milepost.people.throttle import Throttle
from milepost.ports import NewId, Now
from milepost.ports.people import PeopleStore, PersonRecord, Role, SessionRecord

FIRST_TOKEN_FOR = timedelta(hours=1)
IDLE = timedelta(hours=12)
"""A session that nobody used for so long is over."""

ABSOLUTE = timedelta(days=14)
"""A session is over then, however much it was used."""

SEEN_EVERY = timedelta(minutes=1)
"""That a session is in use is written down no more often."""

SESSION = "ses_"
_ID_LENGTH = 10
_TOKEN_BYTES = 32
_LONGEST_AGENT, _LONGEST_TOKEN = 200, 128
_NAME = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,62}[^\s\x00-\x1f\x7f])?")


class WrongPassword(MilepostError):
    """The name and the password do not go together."""


class NotNow(MilepostError):
    """There were too many attempts."""

    def __init__(self, after_s: int) -> None:
        super().__init__(f"Try again in {after_s} s")
        self.after_s = after_s


class Opened(msgspec.Struct, frozen=True):
    """A session that was just opened: the token goes to the browser and is kept nowhere."""

    token: str
    person: Person
    until_at: datetime


class Entered(msgspec.Struct, frozen=True):
    """A session that was found again."""

    person: Person
    until_at: datetime


def digest_of(token: str) -> str:
    """What is kept of a token: its 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def name_of(text: str) -> str:
    """A name as it is kept, and as everybody writes it. Raises InvalidInput."""
    name = " ".join(text.split()).casefold()
    if not _NAME.fullmatch(name):
        raise InvalidInput(field="name", expected="1 to 64 characters")
    return name


class People:
    """Keeps people and their sessions; what it returns is on disk.

    `token` gives so many random bytes; `clock` counts seconds and never goes back.
    """

    def __init__(
        self,
        store: PeopleStore,
        *,
        now: Now,
        new_id: NewId,
        token: Callable[[int], bytes],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id
        self._token = token
        self._passwords = Passwords()
        self._throttle = Throttle(clock)

    # the first operator

    async def first_token(self) -> str | None:
        """A new token that makes the first operator within the hour; None where there is one."""
        text, now = self._new_token(), self._now()
        kept = await self._store.add_first_token(
            digest_of(text), until=now + FIRST_TOKEN_FOR, now=now
        )
        return text if kept else None

    async def has_operator(self) -> bool:
        return await self._store.has_operator()

    async def begin(self, token: str, *, name: str, password: str) -> PersonRecord | None:
        """Makes the first operator; None when the token is not, or no longer, good.

        Raises InvalidInput.
        """
        record = await self._record(name, role=Role.OPERATOR, sees=None, password=password)
        digest = digest_of(token[:_LONGEST_TOKEN])
        made = await self._store.add_first_operator(record, digest=digest, now=self._now())
        return record if made else None

    # people

    async def add(
        self, name: str, *, role: Role, password: str, sees: str | None = None
    ) -> PersonRecord:
        """Raises InvalidInput, AlreadyExists."""
        record = await self._record(name, role=role, sees=sees, password=password)
        await self._store.add_person(record)
        return record

    async def people(self) -> Sequence[PersonRecord]:
        """Everybody, by name, disabled ones too."""
        return await self._store.people()

    async def change_role(self, name: str, *, role: Role, sees: str | None) -> PersonRecord:
        """Ends the person's sessions. Raises UnknownRecord, InvalidInput."""
        _check_scope(role, sees)
        return await self._change(name, role=role, sees=sees)

    async def change_password(self, name: str, password: str) -> PersonRecord:
        """Ends the person's sessions. Raises UnknownRecord, InvalidInput."""
        await self.person(name)
        return await self._change(name, password=await self._passwords.kept(password))

    async def disable(self, name: str, *, disabled: bool = True) -> PersonRecord:
        """Ends the person's sessions, or lets the person log in again. Raises UnknownRecord."""
        return await self._change(name, disabled_at=self._now() if disabled else None)

    async def person(self, name: str) -> PersonRecord:
        """Raises UnknownRecord."""
        found = await self._store.person(name_of(name))
        if found is None:
            raise UnknownRecord(f"Nobody is called {name}.")
        return found

    # sessions

    async def log_in(self, name: str, password: str, *, address: str, agent: str) -> Opened:
        """Opens a session of a person.

        Raises WrongPassword, which is the same for a name that nobody has, and NotNow.
        """
        found = await self._proved(name, password, address=address)
        return await self.open(found, address=address, agent=agent)

    async def is_password(self, name: str, password: str, *, address: str) -> bool:
        """Whether this is the person's password; guesses are bounded here too. Raises NotNow."""
        try:
            await self._proved(name, password, address=address)
        except WrongPassword:
            return False
        return True

    async def _proved(self, name: str, password: str, *, address: str) -> PersonRecord:
        try:
            wanted = name_of(name)
        except InvalidInput:
            wanted = ""
        after_s = self._throttle.wait_s(wanted, address)
        if after_s:
            raise NotNow(after_s)
        # Counted before it is known, so that many at once do not get past.
        self._throttle.failed(wanted, address)
        found = await self._store.person(wanted) if wanted else None
        usable = found is not None and found.disabled_at is None
        kept = found.password if found is not None and usable else None
        if not await self._passwords.fits(kept, password) or found is None:
            raise WrongPassword
        self._throttle.succeeded(wanted, address)
        return found

    async def open(self, person: PersonRecord, *, address: str, agent: str) -> Opened:
        """Opens a session of somebody who has proved to be this person."""
        now = self._now()
        return await self.open_session(
            Person(person.name, person.role, person.sees, SESSION + self._new_id()[-_ID_LENGTH:]),
            until=now + ABSOLUTE,
            address=address,
            agent=agent,
        )

    async def open_session(
        self,
        person: Person,
        *,
        until: datetime,
        address: str,
        agent: str,
        link: tuple[str, str] = ("", ""),
    ) -> Opened:
        """Opens a session, of a person or by a link: its account and id."""
        token, now = self._new_token(), self._now()
        session = SessionRecord(
            digest=digest_of(token),
            session_id=person.session_id,
            name=person.name,
            link_account_id=link[0],
            link_id=link[1],
            made_at=now,
            seen_at=now,
            until_at=min(until, now + ABSOLUTE),
            address=address,
            agent=agent[:_LONGEST_AGENT],
        )
        await self._store.add_session(session, stale=now - IDLE)
        return Opened(token, person, session.until_at)

    async def find(self, token: str) -> Entered | None:
        """Whose session this is, if it is not over; one query, and a write once a minute."""
        if not token or len(token) > _LONGEST_TOKEN:
            return None
        now = self._now()
        found = await self._store.find_session(digest_of(token), now=now)
        if found is None:
            return None
        session = found.session
        if session.until_at <= now or session.seen_at <= now - IDLE:
            return None
        if session.seen_at <= now - SEEN_EVERY:
            await self._store.see_session(session.digest, now=now)
        person = Person(session.name, found.role, found.sees, session.session_id)
        return Entered(person, session.until_at)

    async def sessions(self, name: str) -> Sequence[SessionRecord]:
        """The open sessions of a person, those seen last first."""
        now = self._now()
        found = await self._store.sessions(name)
        return [s for s in found if s.until_at > now and s.seen_at > now - IDLE]

    async def end(self, name: str, session_id: str) -> None:
        """Ends a session of a person."""
        await self._store.end_session(name, session_id)

    async def log_out(self, token: str) -> None:
        """Ends the session of a token, in every tab."""
        await self._store.end_session_of(digest_of(token))

    # inside

    def _new_token(self) -> str:
        return base64.urlsafe_b64encode(self._token(_TOKEN_BYTES)).rstrip(b"=").decode()

    async def _record(
        self, name: str, *, role: Role, sees: str | None, password: str
    ) -> PersonRecord:
        _check_scope(role, sees)
        wanted = name_of(name)
        kept = await self._passwords.kept(password)
        return PersonRecord(wanted, role, sees, kept, self._now())

    async def _change(self, name: str, **changes: object) -> PersonRecord:
        changed = msgspec.structs.replace(await self.person(name), **changes)
        await self._store.replace_person(changed)
        return changed


def _check_scope(role: Role, sees: str | None) -> None:
    wanted = OF_ONE_ACCOUNT[role]
    if wanted is not None and wanted != (sees is not None):
        expected = "an account" if wanted else "none: the role sees every account"
        raise InvalidInput(field="account", expected=f"{expected} (role {role})")
