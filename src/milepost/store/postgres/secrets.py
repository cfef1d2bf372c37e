"""Endpoints' secrets, sealed: the check at the start, changes, and keys that follow each other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from milepost.delivery.model import Endpoint, EndpointState
from milepost.errors import UnknownRecord
from milepost.ports.secrets import SECRETS_LOST, EndpointName, Resealed
from milepost.sealing import Vault
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.receiving import forget_source_secrets, reseal_sources
from milepost.store.postgres.records import changed_setup, write_endpoint
from milepost.store.postgres.session import Session
from milepost.store.postgres.tracking import forget_carrier_secrets, reseal_carrier_sources
from milepost.store.postgres.wakes import Wakes
from milepost.store.postgres.withings import forget_client_secrets, reseal_clients
from milepost.store.postgres.writing import written
from milepost.store.rows import endpoint_of, micros
from milepost.store.sealed import sealed_anew, sealed_nothing

Change = Callable[[Endpoint], Endpoint]
MOST_ENDPOINTS = 2**31 - 1


async def check_of(session: Session) -> bytes | None:
    row = await session.row("seal_check")
    return None if row is None else row[0]


async def keep_check(session: Session, check: bytes) -> bytes:
    """The check that is kept: this one, unless another process was faster."""
    await session.write("keep_seal_check", sealed=check)
    return await check_of(session) or check


async def change_endpoint(
    session: Session, account_id: str, endpoint_id: str, *, change: Change, vault: Vault
) -> Endpoint:
    """The account's lock makes it the only change at the time."""
    async with changed_setup(session, account_id):
        row = await session.row("endpoint", account_id=account_id, endpoint_id=endpoint_id)
        if row is None:
            raise UnknownRecord(endpoint_id)
        changed = change(endpoint_of(row, vault=vault))
        await write_endpoint(session, changed, vault=vault)
    return changed


async def reseal(
    session: Session, *, after: EndpointName | None, limit: int, vault: Vault
) -> Resealed:
    account_id, endpoint_id = after or ("", "")
    rows = await session.rows(
        "sealed_endpoints", account_id=account_id, endpoint_id=endpoint_id, limit=limit
    )
    sealed = 0
    for account, endpoint, before in rows:
        if not vault.is_current(before):
            anew = sealed_anew(before, account_id=account, endpoint_id=endpoint, vault=vault)
            names = {"account_id": account, "endpoint_id": endpoint}
            sealed += await session.write("reseal_endpoint", **names, sealed=anew, before=before)
    last = rows[-1] if len(rows) == limit else None
    return Resealed(len(rows), sealed, None if last is None else (last[0], last[1]))


async def finish_resealing(session: Session, *, vault: Vault) -> bool:
    await reseal_clients(session, vault=vault)
    await reseal_carrier_sources(session, vault=vault)
    await reseal_sources(session, vault=vault)
    rows = await session.rows(
        "sealed_endpoints", account_id="", endpoint_id="", limit=MOST_ENDPOINTS
    )
    if not all(vault.is_current(row[2]) for row in rows):
        return False
    await session.write("replace_seal_check", sealed=vault.check())
    return True


async def forget_secrets(session: Session, *, check: bytes, now: datetime, vault: Vault) -> int:
    """All secrets and credentials of all endpoints; returns how many endpoints there are."""
    limit = MOST_ENDPOINTS
    rows = await session.rows("sealed_endpoints", account_id="", endpoint_id="", limit=limit)
    for account, endpoint, _ in rows:
        nothing = sealed_nothing(account, endpoint, vault=vault)
        named = {"account_id": account, "endpoint_id": endpoint}
        async with changed_setup(session, account):
            await session.write(
                "forget_secrets", **named, sealed=nothing, why=SECRETS_LOST, now=micros(now)
            )
    await forget_client_secrets(session, vault=vault)
    await forget_carrier_secrets(session, vault=vault)
    await forget_source_secrets(session, vault=vault)
    await session.write("replace_seal_check", sealed=check)
    return len(rows)


class SecretsOnPostgres:
    """The part of the store that has to do with what is sealed."""

    _vault: Vault
    _main: Pool
    _readers: Pool
    _wakes: Wakes

    async def connect(self) -> None:
        """Opens all but the secrets."""
        raise NotImplementedError

    async def unlock(self) -> None:
        """Reads the keys and holds them against the database. Raises SettingInvalid."""
        async with self._readers.session() as session:
            check = await check_of(session)
        if check is None:
            new = self._vault.unlock(None)
            check = await written(self._main, partial(keep_check, check=new))
            if check == new:
                return
        self._vault.unlock(check)

    async def open_without_secrets(self, *, now: datetime) -> int:
        await self.connect()
        check = self._vault.unlock_anew()
        work = partial(forget_secrets, check=check, now=now, vault=self._vault)
        return await written(self._main, work)

    async def change_endpoint(
        self, account_id: str, endpoint_id: str, *, change: Change
    ) -> Endpoint:
        work = partial(
            change_endpoint,
            account_id=account_id,
            endpoint_id=endpoint_id,
            change=change,
            vault=self._vault,
        )
        changed = await written(self._main, work)
        if changed.state is EndpointState.ACTIVE:
            self._wakes.tell()
        return changed

    async def reseal(self, *, after: EndpointName | None, limit: int) -> Resealed:
        work = partial(reseal, after=after, limit=limit, vault=self._vault)
        return await written(self._main, work)

    async def finish_resealing(self) -> bool:
        return await written(self._main, partial(finish_resealing, vault=self._vault))
