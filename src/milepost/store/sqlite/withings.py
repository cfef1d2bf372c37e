"""Client applications, nonces and fake orders on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.orders.model import Order
from milepost.ports import OrderRef
from milepost.ports.rehearsals import Rehearsal
from milepost.ports.withings import Admission, ClientApplication
from milepost.sealing import Vault
from milepost.store.client_rows import (
    call_values,
    client_of,
    client_values,
    rehearsal_of,
    sealed_at_random,
    sealed_client_anew,
)
from milepost.store.rows import micros, moment_or_none
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.snapshot import read_orders
from milepost.store.sqlite.writer import Writer


@contextmanager
def _unique(what: str) -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise AlreadyExists(what) from None


def add_client(session: Session, client: ClientApplication, *, vault: Vault) -> None:
    with _unique(f"client id {client.client_id}"):
        session.write("add_client_id", account_id=client.account_id, client_id=client.client_id)
    with _unique(f"an application of the store {client.store}"):
        session.write("add_client", **client_values(client, vault=vault))


def change_client(session: Session, client: ClientApplication, *, vault: Vault) -> None:
    if not session.write("change_client", **client_values(client, vault=vault)):
        raise UnknownRecord(client.client_id)


def delete_client(session: Session, account_id: str, client_id: str) -> None:
    named = {"account_id": account_id, "client_id": client_id}
    if not session.write("delete_client", **named):
        raise UnknownRecord(client_id)
    for name in ("delete_client_id", "delete_client_nonces", "delete_client_calls"):
        session.write(name, **named)


def client(session: Session, account_id: str, client_id: str, *, vault: Vault) -> ClientApplication:
    row = session.row("client", account_id=account_id, client_id=client_id)
    if row is None:
        raise UnknownRecord(client_id)
    return client_of(row, vault=vault)


def clients(session: Session, account_id: str, *, vault: Vault) -> list[ClientApplication]:
    return [client_of(row, vault=vault) for row in session.rows("clients", account_id=account_id)]


def find_client(session: Session, client_id: str, *, vault: Vault) -> ClientApplication | None:
    row = session.row("find_client", client_id=client_id)
    return None if row is None else client_of(row, vault=vault)


def reseal_clients(session: Session, *, vault: Vault) -> None:
    """Seals every secret of a client application with the first key."""
    for account_id, client_id, before in session.rows("sealed_clients"):
        if not vault.is_current(before):
            named = {"account_id": account_id, "client_id": client_id}
            anew = sealed_client_anew(before, **named, vault=vault)
            session.write("reseal_client", **named, sealed=anew, before=before)


def forget_client_secrets(session: Session, *, vault: Vault) -> None:
    """Puts secrets that nobody knows where others were that cannot be read any more."""
    for account_id, client_id, before in session.rows("sealed_clients"):
        anew = sealed_at_random(account_id, client_id, vault=vault)
        named = {"account_id": account_id, "client_id": client_id}
        session.write("reseal_client", **named, sealed=anew, before=before)


def _may_call(
    session: Session, account_id: str, client_id: str, *, most_calls: int, now: datetime
) -> bool:
    ((calls,),) = session.rows("count_call", **call_values(account_id, client_id, now=now))
    return int(calls) <= most_calls


def add_nonce(
    session: Session,
    account_id: str,
    client_id: str,
    *,
    nonce: str,
    expires_at: datetime,
    most_calls: int,
    now: datetime,
) -> bool:
    if not _may_call(session, account_id, client_id, most_calls=most_calls, now=now):
        return False
    named = {"account_id": account_id, "client_id": client_id, "nonce": nonce}
    session.write("add_nonce", **named, expires_at=micros(expires_at))
    return True


def use_nonce(
    session: Session,
    account_id: str,
    client_id: str,
    *,
    nonce: str,
    most_calls: int,
    now: datetime,
) -> Admission:
    if not _may_call(session, account_id, client_id, most_calls=most_calls, now=now):
        return Admission.TOO_MANY_CALLS
    rows = session.rows("use_nonce", account_id=account_id, client_id=client_id, nonce=nonce)
    known = bool(rows) and rows[0][0] > micros(now)
    return Admission.ADMITTED if known else Admission.NONCE_UNKNOWN


def drop_old_nonces(session: Session, *, now: datetime) -> int:
    return sum(
        session.write(
            "drop_old_nonces", account_id=account_id, client_id=client_id, now=micros(now)
        )
        for account_id, client_id, _ in session.rows("sealed_clients")
    )


def claim_rehearsals(
    session: Session, *, now: datetime, until: datetime, limit: int
) -> list[Rehearsal]:
    rows = session.rows("claim_rehearsals", now=micros(now), until=micros(until), limit=limit)
    return [rehearsal_of(row) for row in rows]


def any_due(session: Session, *, now: datetime) -> bool:
    at = next_rehearsal_at(session)
    return at is not None and at <= now


def next_rehearsal_at(session: Session) -> datetime | None:
    ((at,),) = session.rows("next_rehearsal_at")
    return moment_or_none(at)


def put_rehearsal(session: Session, rehearsal: Rehearsal) -> None:
    session.write(
        "put_rehearsal",
        account_id=rehearsal.account_id,
        order_id=rehearsal.order_id,
        step=rehearsal.step,
        due_at=micros(rehearsal.due_at),
    )


def end_rehearsal(session: Session, rehearsal: Rehearsal) -> None:
    session.write(
        "end_rehearsal",
        account_id=rehearsal.account_id,
        order_id=rehearsal.order_id,
        step=rehearsal.step,
    )


class WithingsOnSqlite:
    """The part of the store that the order interface of a provider needs."""

    _vault: Vault
    _writer: Writer
    _readers: Readers

    async def add_client(self, client: ClientApplication) -> None:
        await self._writer.run(partial(add_client, client=client, vault=self._vault))

    async def change_client(self, client: ClientApplication) -> None:
        await self._writer.run(partial(change_client, client=client, vault=self._vault))

    async def delete_client(self, account_id: str, client_id: str) -> None:
        await self._writer.run(partial(delete_client, account_id=account_id, client_id=client_id))

    async def client(self, account_id: str, client_id: str) -> ClientApplication:
        work = partial(client, account_id=account_id, client_id=client_id, vault=self._vault)
        return await self._readers.run(work)

    async def clients(self, account_id: str) -> Sequence[ClientApplication]:
        work = partial(clients, account_id=account_id, vault=self._vault)
        return await self._readers.run(work)

    async def find_client(self, client_id: str) -> ClientApplication | None:
        work = partial(find_client, client_id=client_id, vault=self._vault)
        return await self._readers.run(work)

    async def add_nonce(
        self,
        account_id: str,
        client_id: str,
        *,
        nonce: str,
        expires_at: datetime,
        most_calls: int,
        now: datetime,
    ) -> bool:
        work = partial(
            add_nonce,
            account_id=account_id,
            client_id=client_id,
            nonce=nonce,
            expires_at=expires_at,
            most_calls=most_calls,
            now=now,
        )
        return await self._writer.run(work)

    async def use_nonce(
        self, account_id: str, client_id: str, *, nonce: str, most_calls: int, now: datetime
    ) -> Admission:
        work = partial(
            use_nonce,
            account_id=account_id,
            client_id=client_id,
            nonce=nonce,
            most_calls=most_calls,
            now=now,
        )
        return await self._writer.run(work)

    async def drop_old_nonces(self, *, now: datetime) -> int:
        return await self._writer.run(partial(drop_old_nonces, now=now))

    async def orders_named(self, refs: Sequence[OrderRef]) -> Sequence[Order | None]:
        return await self._readers.run(partial(read_orders, refs=refs))

    async def claim_rehearsals(
        self, *, now: datetime, until: datetime, limit: int
    ) -> Sequence[Rehearsal]:
        """Writes nothing, and waits for no write, when nothing is due."""
        if not await self._readers.run(partial(any_due, now=now)):
            return ()
        return await self._writer.run(partial(claim_rehearsals, now=now, until=until, limit=limit))

    async def next_rehearsal_at(self) -> datetime | None:
        return await self._readers.run(next_rehearsal_at)

    async def put_rehearsal(self, rehearsal: Rehearsal) -> None:
        await self._writer.run(partial(put_rehearsal, rehearsal=rehearsal))

    async def end_rehearsal(self, rehearsal: Rehearsal) -> None:
        await self._writer.run(partial(end_rehearsal, rehearsal=rehearsal))
