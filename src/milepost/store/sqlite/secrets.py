"""Endpoints' secrets, sealed: the check at the start, changes, and keys that follow each other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from milepost.delivery.model import Endpoint
from milepost.errors import UnknownRecord
from milepost.ports.secrets import SECRETS_LOST, EndpointName, Resealed
from milepost.sealing import Vault
from milepost.store.rows import endpoint_of, micros
from milepost.store.sealed import sealed_anew, sealed_nothing
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.receiving import forget_source_secrets, reseal_sources
from milepost.store.sqlite.records import put_endpoint
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.tracking import forget_carrier_secrets, reseal_carrier_sources
from milepost.store.sqlite.withings import forget_client_secrets, reseal_clients
from milepost.store.sqlite.writer import Writer

Change = Callable[[Endpoint], Endpoint]


def check_of(session: Session) -> bytes | None:
    row = session.row("seal_check")
    return None if row is None else row[0]


def keep_check(session: Session, check: bytes) -> bytes:
    """The check that is kept: this one, unless another process was faster."""
    session.write("keep_seal_check", sealed=check)
    return check_of(session) or check


def change_endpoint(
    session: Session,
    account_id: str,
    endpoint_id: str,
    *,
    change: Change,
    vault: Vault,
    registry: Registry,
) -> Endpoint:
    row = session.row("endpoint", account_id=account_id, endpoint_id=endpoint_id)
    if row is None:
        raise UnknownRecord(endpoint_id)
    changed = change(endpoint_of(row, vault=vault))
    put_endpoint(session, changed, vault=vault, registry=registry)
    return changed


def reseal(
    session: Session, *, after: EndpointName | None, limit: int, vault: Vault, registry: Registry
) -> Resealed:
    account_id, endpoint_id = after or ("", "")
    rows = session.rows(
        "sealed_endpoints", account_id=account_id, endpoint_id=endpoint_id, limit=limit
    )
    sealed = 0
    for account, endpoint, before in rows:
        if not vault.is_current(before):
            anew = sealed_anew(before, account_id=account, endpoint_id=endpoint, vault=vault)
            names = {"account_id": account, "endpoint_id": endpoint}
            sealed += session.write("reseal_endpoint", **names, sealed=anew, before=before)
    registry.forget()
    last = rows[-1] if len(rows) == limit else None
    return Resealed(len(rows), sealed, None if last is None else (last[0], last[1]))


def finish_resealing(session: Session, *, vault: Vault) -> bool:
    reseal_clients(session, vault=vault)
    reseal_carrier_sources(session, vault=vault)
    reseal_sources(session, vault=vault)
    rows = session.rows("sealed_endpoints", account_id="", endpoint_id="", limit=-1)
    if not all(vault.is_current(row[2]) for row in rows):
        return False
    session.write("replace_seal_check", sealed=vault.check())
    return True


def forget_secrets(
    session: Session, *, check: bytes, now: datetime, vault: Vault, registry: Registry
) -> int:
    """All secrets and credentials of all endpoints; returns how many endpoints there are."""
    rows = session.rows("sealed_endpoints", account_id="", endpoint_id="", limit=-1)
    for account, endpoint, _ in rows:
        nothing = sealed_nothing(account, endpoint, vault=vault)
        named = {"account_id": account, "endpoint_id": endpoint}
        session.write("forget_secrets", **named, sealed=nothing, why=SECRETS_LOST, now=micros(now))
    forget_client_secrets(session, vault=vault)
    forget_carrier_secrets(session, vault=vault)
    forget_source_secrets(session, vault=vault)
    session.write("replace_seal_check", sealed=check)
    registry.forget()
    return len(rows)


class SecretsOnSqlite:
    """The part of the store that has to do with what is sealed."""

    _vault: Vault
    _writer: Writer
    _readers: Readers
    _registry: Registry

    async def connect(self) -> None:
        """Opens all but the secrets."""
        raise NotImplementedError

    async def unlock(self) -> None:
        """Reads the keys and holds them against the database. Raises SettingInvalid."""
        check = await self._readers.run(check_of)
        if check is None:
            new = self._vault.unlock(None)
            check = await self._writer.run(partial(keep_check, check=new))
            if check == new:
                return
        self._vault.unlock(check)

    async def open_without_secrets(self, *, now: datetime) -> int:
        await self.connect()
        check = self._vault.unlock_anew()
        work = partial(
            forget_secrets, check=check, now=now, vault=self._vault, registry=self._registry
        )
        return await self._writer.run(work)

    async def change_endpoint(
        self, account_id: str, endpoint_id: str, *, change: Change
    ) -> Endpoint:
        work = partial(
            change_endpoint,
            account_id=account_id,
            endpoint_id=endpoint_id,
            change=change,
            vault=self._vault,
            registry=self._registry,
        )
        return await self._writer.run(work)

    async def reseal(self, *, after: EndpointName | None, limit: int) -> Resealed:
        work = partial(reseal, after=after, limit=limit, vault=self._vault, registry=self._registry)
        return await self._writer.run(work, weight=limit)

    async def finish_resealing(self) -> bool:
        return await self._writer.run(partial(finish_resealing, vault=self._vault))
