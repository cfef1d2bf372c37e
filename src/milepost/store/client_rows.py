"""Client applications and rehearsals as rows and back, the same for every database."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from milepost.ports.rehearsals import Rehearsal
from milepost.ports.withings import CALLS_WITHIN, ClientApplication
from milepost.sealing import Vault
from milepost.store.rows import Row, micros, moment

SECRET_BYTES = 32


def place_of_client(account_id: str, client_id: str) -> str:
    """The place that an application's secret is sealed for: in another row it does not open."""
    return f"client {account_id} {client_id}"


def sealed_client_anew(sealed: bytes, *, account_id: str, client_id: str, vault: Vault) -> bytes:
    """The same secret, sealed with the key that seals now. Raises SecretUnreadable."""
    place = place_of_client(account_id, client_id)
    return vault.seal(vault.open(sealed, place=place), place=place)


def sealed_at_random(account_id: str, client_id: str, *, vault: Vault) -> bytes:
    """A secret that nobody knows, in the place of one that cannot be read any more."""
    place = place_of_client(account_id, client_id)
    return vault.seal(secrets.token_hex(SECRET_BYTES).encode(), place=place)


def client_values(client: ClientApplication, *, vault: Vault) -> dict[str, Any]:
    """The columns of an application by their names; its secret is sealed."""
    place = place_of_client(client.account_id, client.client_id)
    return {
        "account_id": client.account_id,
        "client_id": client.client_id,
        "name": client.name,
        "billing_id": client.billing_id,
        "sealed": vault.seal(client.secret.encode(), place=place),
        "store": client.store,
        "endpoint_id": client.endpoint_id,
        "created_at": micros(client.created_at),
        "updated_at": micros(client.updated_at),
    }


def client_of(row: Row, *, vault: Vault) -> ClientApplication:
    """Raises SecretUnreadable."""
    return ClientApplication(
        account_id=row[0],
        client_id=row[1],
        name=row[2],
        billing_id=row[3],
        secret=vault.open(row[4], place=place_of_client(row[0], row[1])).decode(),
        store=row[5],
        endpoint_id=row[6],
        created_at=moment(row[7]),
        updated_at=moment(row[8]),
    )


def call_values(account_id: str, client_id: str, *, now: datetime) -> dict[str, Any]:
    """What counting a call needs to know."""
    return {
        "account_id": account_id,
        "client_id": client_id,
        "now": micros(now),
        "before": micros(now - CALLS_WITHIN),
    }


def rehearsal_row(rehearsal: Rehearsal) -> Row:
    return (
        rehearsal.account_id,
        rehearsal.order_id,
        rehearsal.mode,
        rehearsal.step,
        micros(rehearsal.due_at),
    )


def rehearsal_of(row: Row) -> Rehearsal:
    return Rehearsal(
        account_id=row[0], order_id=row[1], mode=row[2], step=row[3], due_at=moment(row[4])
    )
