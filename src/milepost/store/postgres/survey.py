"""What can be told of a PostgreSQL database before anything is written to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from milepost.errors import StoreError
from milepost.store.migrate import migrations
from milepost.store.postgres.address import Host, hosts_of
from milepost.store.postgres.migrate import CATALOG, version_of
from milepost.store.postgres.pool import CONNECT_TIMEOUT_S
from milepost.store.postgres.session import store_errors

LATEST = migrations("postgres")[-1].number


class Place(msgspec.Struct, frozen=True):
    """One host of the URL as it answers now; `error` says why it does not.

    `schema` is the number of the latest migration, 0 for an empty database. `ahead_s` is by how
    much its clock is ahead of ours.
    """

    name: str
    error: str = ""
    version: str = ""
    writable: bool = False
    schema: int = 0
    settings: Mapping[str, str] = {}
    connections: int = 0
    most_connections: int = 0
    ahead_s: float = 0.0


async def survey(url: str) -> Sequence[Place]:
    """Every host of the URL, in its order. Raises SettingInvalid for one that cannot be read."""
    return [await _look_at(host) for host in hosts_of(url)]


async def _look_at(host: Host) -> Place:
    try:
        with store_errors():
            connection = await asyncpg.connect(host.url, timeout=CONNECT_TIMEOUT_S)
            try:
                asked_at = datetime.now(UTC)
                told = await connection.fetchrow(CATALOG["standing"].text)
                settings = await connection.fetch(CATALOG["settings"].text)
                schema = await version_of(connection)
            finally:
                await connection.close(timeout=CONNECT_TIMEOUT_S)
    except StoreError as error:
        return Place(host.name, error=error.detail)
    return Place(
        host.name,
        version=told["version"],
        writable=told["writable"],
        schema=schema,
        settings=dict(map(tuple, settings)),
        connections=told["connections"],
        most_connections=told["most_connections"],
        ahead_s=(told["now"] - asked_at).total_seconds(),
    )
