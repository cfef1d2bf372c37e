"""Client applications, nonces and fake orders on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
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
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.session import AlreadyThere, Session, store_errors
from milepost.store.postgres.snapshot import read_orders
from milepost.store.postgres.writing import written
from milepost.store.rows import micros, moment_or_none


@asynccontextmanager
async def _unique(what: str) -> AsyncGenerator[None, None]:
    try:
        with store_errors():
            yield
    except AlreadyThere:
        raise AlreadyExists(what) from None


async def add_client(session: Session, client: ClientApplication, *, vault: Vault) -> None:
    named = {"account_id": client.account_id, "client_id": client.client_id}
    async with session.transaction():
        async with _unique(f"client id {client.client_id}"):
            await session.write("add_client_id", **named)
        async with _unique(f"an application of the store {client.store}"):
            await session.write("add_client", **client_values(client, vault=vault))


async def change_client(session: Session, client: ClientApplication, *, vault: Vault) -> None:
    if not await session.write("change_client", **client_values(client, vault=vault)):
        raise UnknownRecord(client.client_id)


async def delete_client(session: Session, account_id: str, client_id: str) -> None:
    named = {"account_id": account_id, "client_id": client_id}
    async with session.transaction():
        if not await session.write("delete_client", **named):
            raise UnknownRecord(client_id)
        for name in ("delete_client_id", "delete_client_nonces", "delete_client_calls"):
            await session.write(name, **named)


async def reseal_clients(session: Session, *, vault: Vault) -> None:
    """Seals every secret of a client application with the first key."""
    for account_id, client_id, before in await session.rows("sealed_clients"):
        if not vault.is_current(before):
            named = {"account_id": account_id, "client_id": client_id}
            anew = sealed_client_anew(before, **named, vault=vault)
            await session.write("reseal_client", **named, sealed=anew, before=before)


async def forget_client_secrets(session: Session, *, vault: Vault) -> None:
    """Puts secrets that nobody knows where others were that cannot be read any more."""
    for account_id, client_id, before in await session.rows("sealed_clients"):
        anew = sealed_at_random(account_id, client_id, vault=vault)
        named = {"account_id": account_id, "client_id": client_id}
        await session.write("reseal_client", **named, sealed=anew, before=before)


async def _may_call(
    session: Session, account_id: str, client_id: str, *, most_calls: int, now: datetime
) -> bool:
    ((calls,),) = await session.rows("count_call", **call_values(account_id, client_id, now=now))
    return int(calls) <= most_calls


async def add_nonce(
    session: Session,
    account_id: str,
    client_id: str,
    *,
    nonce: str,
    expires_at: datetime,
    most_calls: int,
    now: datetime,
) -> bool:
    named = {"account_id": account_id, "client_id": client_id, "nonce": nonce}
    async with session.transaction():
        if not await _may_call(session, account_id, client_id, most_calls=most_calls, now=now):
            return False
        await session.write("add_nonce", **named, expires_at=micros(expires_at))
    return True


async def use_nonce(
    session: Session,
    account_id: str,
    client_id: str,
    *,
    nonce: str,
    most_calls: int,
    now: datetime,
) -> Admission:
    named = {"account_id": account_id, "client_id": client_id, "nonce": nonce}
    async with session.transaction():
        if not await _may_call(session, account_id, client_id, most_calls=most_calls, now=now):
            return Admission.TOO_MANY_CALLS
        rows = await session.rows("use_nonce", **named)
    known = bool(rows) and rows[0][0] > micros(now)
    return Admission.ADMITTED if known else Admission.NONCE_UNKNOWN


async def drop_old_nonces(session: Session, *, now: datetime) -> int:
    dropped = 0
    for account_id, client_id, _ in await session.rows("sealed_clients"):
        dropped += await session.write(
            "drop_old_nonces", account_id=account_id, client_id=client_id, now=micros(now)
        )
    return dropped


async def claim_rehearsals(
    session: Session, *, now: datetime, until: datetime, limit: int
) -> list[Rehearsal]:
    rows = await session.rows(
        "claim_rehearsals", now=micros(now), until=micros(until), limit=limit, among_others=True
    )
    return [rehearsal_of(row) for row in rows]


class WithingsOnPostgres:
    """The part of the store that the order interface of a provider needs."""

    _vault: Vault
    _main: Pool
    _readers: Pool

    async def add_client(self, client: ClientApplication) -> None:
        await written(self._main, partial(add_client, client=client, vault=self._vault))

    async def change_client(self, client: ClientApplication) -> None:
        await written(self._main, partial(change_client, client=client, vault=self._vault))

    async def delete_client(self, account_id: str, client_id: str) -> None:
        work = partial(delete_client, account_id=account_id, client_id=client_id)
        await written(self._main, work)

    async def client(self, account_id: str, client_id: str) -> ClientApplication:
        async with self._readers.session() as session:
            row = await session.row("client", account_id=account_id, client_id=client_id)
        if row is None:
            raise UnknownRecord(client_id)
        return client_of(row, vault=self._vault)

    async def clients(self, account_id: str) -> Sequence[ClientApplication]:
        async with self._readers.session() as session:
            rows = await session.rows("clients", account_id=account_id)
        return [client_of(row, vault=self._vault) for row in rows]

    async def find_client(self, client_id: str) -> ClientApplication | None:
        async with self._readers.session() as session:
            row = await session.row("find_client", client_id=client_id)
        return None if row is None else client_of(row, vault=self._vault)

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
        return await written(self._main, work)

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
        return await written(self._main, work)

    async def drop_old_nonces(self, *, now: datetime) -> int:
        return await written(self._main, partial(drop_old_nonces, now=now))

    async def orders_named(self, refs: Sequence[OrderRef]) -> Sequence[Order | None]:
        async with self._readers.session() as session, session.one_state():
            return (await read_orders(session, refs)).orders

    async def claim_rehearsals(
        self, *, now: datetime, until: datetime, limit: int
    ) -> Sequence[Rehearsal]:
        work = partial(claim_rehearsals, now=now, until=until, limit=limit)
        return await written(self._main, work)

    async def next_rehearsal_at(self) -> datetime | None:
        async with self._readers.session() as session:
            ((at,),) = await session.rows("next_rehearsal_at")
        return moment_or_none(at)

    async def put_rehearsal(self, rehearsal: Rehearsal) -> None:
        async with self._main.session() as session:
            await session.write(
                "put_rehearsal",
                account_id=rehearsal.account_id,
                order_id=rehearsal.order_id,
                step=rehearsal.step,
                due_at=micros(rehearsal.due_at),
            )

    async def end_rehearsal(self, rehearsal: Rehearsal) -> None:
        async with self._main.session() as session:
            await session.write(
                "end_rehearsal",
                account_id=rehearsal.account_id,
                order_id=rehearsal.order_id,
                step=rehearsal.step,
            )
