"""What an account has set up, in memory, read again only when it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from milepost.delivery.model import Endpoint
from milepost.orders.model import Store
from milepost.sealing import Vault
from milepost.store.postgres.session import Session
from milepost.store.rows import endpoint_of, store_of


class Setup(NamedTuple):
    """What an account has set up: its endpoints, oldest first, and its stores by name.

    `ahead` is how far its clock is ahead of ours.
    """

    version: int
    endpoints: tuple[Endpoint, ...]
    by_id: Mapping[str, Endpoint]
    stores: Mapping[tuple[str, str], Store]
    ahead: timedelta = timedelta()


NOTHING = Setup(0, (), {}, {})


class Registry:
    """The setup of every account that this process has had to do with."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._known: dict[str, Setup] = {}

    async def setup(self, session: Session, account_id: str, version: int) -> Setup:
        """The account's setup, at least as new as this version.

        The version was read first: what is newer than it says is found out by whoever relies on
        it, because the version is no longer the same then.
        """
        known = self._known.get(account_id, NOTHING)
        if known.version == version:
            return known
        endpoints = tuple(
            endpoint_of(row, vault=self._vault)
            for row in await session.rows("endpoints", account_id=account_id)
        )
        stores = [store_of(row) for row in await session.rows("stores", account_id=account_id)]
        clock = await session.row("clock", account_id=account_id)
        setup = Setup(
            version,
            endpoints,
            {endpoint.endpoint_id: endpoint for endpoint in endpoints},
            {(store.account_id, store.store): store for store in stores},
            timedelta(microseconds=0 if clock is None else clock[1]),
        )
        self._known[account_id] = setup
        return setup
