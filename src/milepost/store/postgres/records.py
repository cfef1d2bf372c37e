"""Accounts, keys, stores and endpoints: the writes.

Whatever an intake relies on is changed under the account's lock and raises the version of its
setup: an intake that began before is either committed by then, or decides again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

from milepost.delivery.model import Endpoint, EndpointState, LanePolicy
from milepost.errors import AlreadyExists, UnknownRecord
from milepost.orders.model import Store
from milepost.ports import Account, ApiKey
from milepost.sealing import Vault
from milepost.store.postgres.session import AlreadyThere, Session, store_errors
from milepost.store.rows import endpoint_values, micros, micros_or_none, store_of

LANES_AT_ONCE = 1_000
"""How many lanes of an endpoint that goes away are ended in one transaction."""


@asynccontextmanager
async def _unique(what: str) -> AsyncGenerator[None, None]:
    try:
        with store_errors():
            yield
    except AlreadyThere:
        raise AlreadyExists(what) from None


@asynccontextmanager
async def changed_setup(session: Session, account_id: str) -> AsyncGenerator[None, None]:
    """A transaction that no intake of the account runs beside, and that each one after it sees."""
    async with session.transaction():
        await session.row("hold_setup", account_id=account_id)
        yield
        await session.write("raise_setup_version", account_id=account_id)


async def add_first_account(session: Session, account: Account) -> bool:
    async with session.transaction():
        await session.row("hold_first_account")
        added = await session.write(
            "add_first_account",
            account_id=account.account_id,
            name=account.name,
            created_at=micros(account.created_at),
        )
    return bool(added)


async def add_account(session: Session, account: Account) -> None:
    async with _unique(account.account_id):
        await session.write(
            "add_account",
            account_id=account.account_id,
            name=account.name,
            created_at=micros(account.created_at),
            sandbox=int(account.sandbox),
        )


async def add_key(session: Session, key: ApiKey, *, digest: str) -> None:
    async with _unique(key.key_id):
        await session.write(
            "add_key",
            account_id=key.account_id,
            key_id=key.key_id,
            name=key.name,
            digest=digest,
            created_at=micros(key.created_at),
            revoked_at=micros_or_none(key.revoked_at),
        )


async def revoke_key(session: Session, account_id: str, key_id: str, *, now: datetime) -> None:
    changed = await session.write(
        "revoke_key", account_id=account_id, key_id=key_id, now=micros(now)
    )
    if not changed:
        raise UnknownRecord(key_id)


async def put_store(
    session: Session,
    account_id: str,
    store: str,
    *,
    name: str,
    number: int | None,
    now: datetime,
) -> Store:
    """The account's lock makes the next free number nobody else's."""
    named = {"account_id": account_id, "store": store}
    values = {**named, "name": name, "number": number}
    async with _unique(f"number {number}"), changed_setup(session, account_id):
        if not await session.write("update_store", **values):
            await session.write("insert_store", **values, now=micros(now))
        (row,) = await session.rows("store", **named)
    return store_of(row)


async def put_endpoint(session: Session, endpoint: Endpoint, *, vault: Vault) -> bool:
    """Lanes that were held under another policy go on as soon as the policy says so.

    Returns whether there may be something to send now.
    """
    async with changed_setup(session, endpoint.account_id):
        await write_endpoint(session, endpoint, vault=vault)
    return endpoint.state is EndpointState.ACTIVE


async def write_endpoint(session: Session, endpoint: Endpoint, *, vault: Vault) -> None:
    """Writes an endpoint, inside of a transaction that changes the account's setup."""
    named = {"account_id": endpoint.account_id, "endpoint_id": endpoint.endpoint_id}
    await session.write("put_endpoint", **endpoint_values(endpoint, vault=vault))
    await session.write("open_health", **named)
    if endpoint.lane_policy is LanePolicy.GO_ON:
        await session.write("let_go", **named)


async def delete_endpoint(
    session: Session, account_id: str, endpoint_id: str, *, now: datetime
) -> int:
    """What is pending is abandoned a part at a time, so that nobody waits long for it.

    The endpoint goes with the last part: until then it can be deleted again.
    """
    named = {"account_id": account_id, "endpoint_id": endpoint_id}
    if await session.row("endpoint", **named) is None:
        raise UnknownRecord(endpoint_id)
    abandoned, ended = 0, LANES_AT_ONCE
    while ended == LANES_AT_ONCE:
        async with session.transaction():
            count, ended = await _end_lanes(session, account_id, endpoint_id, now=now)
        abandoned += count
    async with changed_setup(session, account_id):
        if not await session.write("delete_endpoint", **named):
            raise UnknownRecord(endpoint_id)
        await session.write("drop_health", **named)
        ended = LANES_AT_ONCE
        while ended == LANES_AT_ONCE:
            count, ended = await _end_lanes(session, account_id, endpoint_id, now=now)
            abandoned += count
    return abandoned


async def _end_lanes(
    session: Session, account_id: str, endpoint_id: str, *, now: datetime
) -> tuple[int, int]:
    """How many deliveries were abandoned, and how many lanes that ended.

    The lanes are locked by a statement of its own, so that the next sees all that is in them.
    """
    rows = await session.rows(
        "lanes_to_end", account_id=account_id, endpoint_id=endpoint_id, limit=LANES_AT_ONCE
    )
    if not rows:
        return 0, 0
    ((count,),) = await session.batch("end_lanes", rows, micros(now))
    return count, len(rows)
