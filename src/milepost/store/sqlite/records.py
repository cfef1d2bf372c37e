"""Accounts, keys, stores and endpoints: the writes, each one transaction of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

from milepost.delivery.model import Endpoint, LanePolicy
from milepost.errors import AlreadyExists, UnknownRecord
from milepost.orders.model import Store
from milepost.ports import Account, ApiKey
from milepost.sealing import Vault
from milepost.store.rows import endpoint_values, micros, micros_or_none, store_of
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.session import Session


@contextmanager
def _unique(what: str) -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise AlreadyExists(what) from None


def add_first_account(session: Session, account: Account) -> bool:
    added = session.write(
        "add_first_account",
        account_id=account.account_id,
        name=account.name,
        created_at=micros(account.created_at),
    )
    return bool(added)


def add_account(session: Session, account: Account) -> None:
    with _unique(account.account_id):
        session.write(
            "add_account",
            account_id=account.account_id,
            name=account.name,
            created_at=micros(account.created_at),
            sandbox=int(account.sandbox),
        )


def add_key(session: Session, key: ApiKey, *, digest: str) -> None:
    with _unique(key.key_id):
        session.write(
            "add_key",
            account_id=key.account_id,
            key_id=key.key_id,
            name=key.name,
            digest=digest,
            created_at=micros(key.created_at),
            revoked_at=micros_or_none(key.revoked_at),
        )


def revoke_key(session: Session, account_id: str, key_id: str, *, now: datetime) -> None:
    changed = session.write("revoke_key", account_id=account_id, key_id=key_id, now=micros(now))
    if not changed:
        raise UnknownRecord(key_id)


def put_store(
    session: Session,
    account_id: str,
    store: str,
    *,
    name: str,
    number: int | None,
    now: datetime,
    registry: Registry,
) -> Store:
    named = {"account_id": account_id, "store": store}
    with _unique(f"number {number}"):
        if not session.write("update_store", **named, name=name, number=number):
            session.write("insert_store", **named, name=name, number=number, now=micros(now))
    registry.forget()
    return store_of(session.rows("store", **named)[0])


def put_endpoint(session: Session, endpoint: Endpoint, *, vault: Vault, registry: Registry) -> None:
    """Lanes that were held under another policy go on as soon as the policy says so."""
    named = {"account_id": endpoint.account_id, "endpoint_id": endpoint.endpoint_id}
    session.write("put_endpoint", **endpoint_values(endpoint, vault=vault))
    session.write("open_health", **named)
    registry.forget()
    if endpoint.lane_policy is LanePolicy.GO_ON:
        session.write("let_go_of_held_lanes", **named)


def delete_endpoint(
    session: Session, account_id: str, endpoint_id: str, *, now: datetime, registry: Registry
) -> int:
    named = {"account_id": account_id, "endpoint_id": endpoint_id}
    if not session.write("delete_endpoint", **named):
        raise UnknownRecord(endpoint_id)
    registry.forget()
    session.write("drop_health", **named)
    abandoned = session.write("abandon_endpoint", **named, now=micros(now))
    session.write("drop_lanes", **named)
    return abandoned
