"""Endpoints, stores and moved clocks in memory, as the transaction that is open sees them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from milepost.delivery.model import Endpoint
from milepost.orders.model import Store
from milepost.sealing import Vault
from milepost.store.rows import endpoint_of, store_of
from milepost.store.sqlite.session import Session

StoresByName = Mapping[tuple[str, str], Store]


class Registry:
    """What every intake needs of the accounts, read again only after somebody has changed it.

    Used on the writing thread alone. Whoever writes an endpoint or a store, or moves a clock, calls
    `forget`; what other processes have written is noticed by a number that grows with it.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._data_version: int | None = None
        self._version: int | None = None
        self._endpoints: dict[str, tuple[Endpoint, ...]] | None = None
        self._by_id: dict[tuple[str, str], Endpoint] = {}
        self._stores: dict[str, dict[tuple[str, str], Store]] | None = None
        self._ahead: dict[str, timedelta] | None = None

    def refresh(self, session: Session) -> None:
        """Forgets everything if another process has changed it; call it in each transaction."""
        data_version = session.connection.execute("PRAGMA data_version").fetchone()[0]
        if data_version == self._data_version:
            return
        self._data_version = data_version
        ((version,),) = session.rows("registry_version")
        if version != self._version:
            self._version = version
            self.forget()

    def forget(self) -> None:
        self._endpoints = None
        self._stores = None
        self._ahead = None

    def endpoint(self, session: Session, account_id: str, endpoint_id: str) -> Endpoint | None:
        self._read_endpoints(session)
        return self._by_id.get((account_id, endpoint_id))

    def endpoints(
        self, session: Session, accounts: Sequence[str]
    ) -> Mapping[str, Sequence[Endpoint]]:
        """The endpoints of each of these accounts, oldest first."""
        known = self._read_endpoints(session)
        return {account_id: known.get(account_id, ()) for account_id in accounts}

    def every_endpoint(self, session: Session) -> Collection[Endpoint]:
        self._read_endpoints(session)
        return self._by_id.values()

    def stores(self, session: Session, accounts: Sequence[str]) -> StoresByName:
        """The stores of these accounts by account and name."""
        known = self._read_stores(session)
        if len(accounts) == 1:
            return known.get(accounts[0], {})
        return {key: store for a in accounts for key, store in known.get(a, {}).items()}

    def ahead(self, session: Session) -> Mapping[str, timedelta]:
        """How far the clocks of accounts are ahead of ours, of those for which they are."""
        if self._ahead is None:
            rows = session.rows("clocks_ahead")
            self._ahead = {row[0]: timedelta(microseconds=row[1]) for row in rows}
        return self._ahead

    def _read_endpoints(self, session: Session) -> dict[str, tuple[Endpoint, ...]]:
        if self._endpoints is None:
            found: dict[str, list[Endpoint]] = {}
            for row in session.rows("every_endpoint"):
                endpoint = endpoint_of(row, vault=self._vault)
                found.setdefault(endpoint.account_id, []).append(endpoint)
            self._endpoints = {account_id: tuple(those) for account_id, those in found.items()}
            self._by_id = {
                (e.account_id, e.endpoint_id): e for those in found.values() for e in those
            }
        return self._endpoints

    def _read_stores(self, session: Session) -> dict[str, dict[tuple[str, str], Store]]:
        if self._stores is None:
            self._stores = {}
            for store in map(store_of, session.rows("every_store")):
                mine = self._stores.setdefault(store.account_id, {})
                mine[store.account_id, store.store] = store
        return self._stores
