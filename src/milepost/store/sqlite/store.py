"""The Store of `milepost.ports` on one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from milepost.delivery.model import (
    Attempt,
    Claimed,
    Delivery,
    Endpoint,
    NewDelivery,
)
from milepost.metrics import Metrics
from milepost.orders.events import OrderEvent, Verdict
from milepost.orders.model import Order
from milepost.orders.model import Store as StoreRecord
from milepost.ports import (
    Account,
    ApiKey,
    Backlog,
    Counts,
    Decide,
    DeliveryFilter,
    Lease,
    Mentioned,
    OrderFilter,
    OrderRef,
    Page,
    Quarantined,
    Settlement,
)
from milepost.ports.core import NOTHING_MENTIONED
from milepost.sealing import KeyFile, Vault, key_path
from milepost.store.migrate import migrate_sqlite
from milepost.store.sqlite import by_hand, intake, lanes, reading, records
from milepost.store.sqlite.answers import AnswersOnSqlite
from milepost.store.sqlite.attention import AttentionOnSqlite
from milepost.store.sqlite.clocks import ClocksOnSqlite
from milepost.store.sqlite.dispatch_lock import DispatchLock
from milepost.store.sqlite.egress import EgressOnSqlite
from milepost.store.sqlite.health import HealthOnSqlite
from milepost.store.sqlite.merchants import MerchantsOnSqlite
from milepost.store.sqlite.people import PeopleOnSqlite
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.receiving import ReceivingOnSqlite
from milepost.store.sqlite.reconciling import ReconcilingOnSqlite
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.resends import ResendsOnSqlite
from milepost.store.sqlite.secrets import SecretsOnSqlite
from milepost.store.sqlite.session import connect, store_errors
from milepost.store.sqlite.silence import SilenceOnSqlite
from milepost.store.sqlite.tracking import TrackingOnSqlite
from milepost.store.sqlite.trends import TrendsOnSqlite
from milepost.store.sqlite.upkeep import UpkeepOnSqlite
from milepost.store.sqlite.withings import WithingsOnSqlite
from milepost.store.sqlite.writer import Writer

MOST_WAITING = 50_000
"""Orders that may wait for the writing thread before more are refused with Overloaded."""

SLOW_S = 1.0
"""What takes longer is a warning in the log."""


class SqliteStore(
    SecretsOnSqlite,
    UpkeepOnSqlite,
    HealthOnSqlite,
    AttentionOnSqlite,
    AnswersOnSqlite,
    ResendsOnSqlite,
    ReconcilingOnSqlite,
    WithingsOnSqlite,
    EgressOnSqlite,
    PeopleOnSqlite,
    TrendsOnSqlite,
    MerchantsOnSqlite,
    TrackingOnSqlite,
    ReceivingOnSqlite,
    SilenceOnSqlite,
    ClocksOnSqlite,
):
    """One file, for one process that dispatches and any number that read and write.

    What a method has returned is on disk: WAL with synchronous=FULL. Concurrent writes share
    commits; reads never wait for writes.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        most_waiting: int = MOST_WAITING,
        metrics: Metrics | None = None,
        slow_s: float = SLOW_S,
        vault: Vault | None = None,
    ) -> None:
        """Without a `vault` the key lies beside the file, and is made with it."""
        metrics = metrics or Metrics()
        self._path = Path(path)
        self._vault = vault or Vault(KeyFile(key_path(self._path), new=True))
        self._lock = DispatchLock(self._path)
        self._registry = Registry(self._vault)
        self._readers = Readers(self._path, metrics=metrics, slow_s=slow_s)
        self._writer = Writer(
            self._connect,
            begun=self._registry.refresh,
            undone=self._registry.forget,
            most_waiting=most_waiting,
            metrics=metrics,
            slow_s=slow_s,
        )

    def _connect(self) -> sqlite3.Connection:
        with store_errors():
            connection = connect(self._path)
            try:
                migrate_sqlite(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    async def open(self) -> None:
        """Makes the file if it is missing, and its key if that is missing too.

        Raises SchemaTooNew, SchemaChanged, SettingInvalid for a wrong key, and StoreError.
        """
        await self.connect()
        await self.unlock()

    async def connect(self) -> None:
        await self._writer.open()

    async def close(self) -> None:
        """Lets what was begun finish; a second call does nothing."""
        await self._writer.close()
        await self._readers.close()
        self._lock.give_back()

    # the main path

    async def change_orders(
        self,
        refs: Sequence[OrderRef],
        *,
        decide: Decide,
        lease: Lease,
        now: datetime,
        mentioned: Mentioned = NOTHING_MENTIONED,
    ) -> Sequence[Claimed]:
        """Calls `decide` on the writing thread. Raises Overloaded when too much waits already."""
        work = partial(
            intake.change_orders,
            refs=refs,
            decide=decide,
            lease=lease,
            now=now,
            mentioned=mentioned,
            registry=self._registry,
        )
        return await self._writer.run(work, weight=len(refs) or 1, may_wait=False)

    async def take_dispatch(self) -> None:
        if not self._lock.held:
            with store_errors():
                self._lock.take()
            await self._writer.run(partial(lanes.release, owner=None, registry=self._registry))

    def listen(self, callback: Callable[[], None]) -> None:
        """A file tells nobody; what another process has queued is seen at the next look."""

    async def claim(
        self, *, lease: Lease, now: datetime, held: Mapping[str, int], room: int, limit: int
    ) -> Sequence[Claimed]:
        """Writes nothing, and waits for no write, when nothing is due."""
        found = await self._readers.run(partial(lanes.endpoints_with_work, now=now))
        rooms = lanes.rooms_of(found, held=held, room=room, limit=limit)
        if not rooms:
            return ()
        work = partial(
            lanes.claim, rooms=rooms, lease=lease, now=now, limit=limit, registry=self._registry
        )
        return await self._writer.run(work, weight=limit)

    async def settle(
        self, settlements: Sequence[Settlement], *, lease: Lease, now: datetime
    ) -> Sequence[Claimed]:
        if not settlements:
            return ()
        work = partial(
            lanes.settle, settlements=settlements, lease=lease, now=now, registry=self._registry
        )
        return await self._writer.run(work, weight=len(settlements))

    async def confirm(self, claimed: Sequence[Claimed], *, lease: Lease) -> Sequence[Claimed]:
        return await self._writer.run(partial(lanes.confirm, claimed=claimed, lease=lease))

    async def renew(self, *, lease: Lease) -> None:
        await self._writer.run(partial(lanes.renew, lease=lease, registry=self._registry))

    async def release(self, *, owner: str, now: datetime) -> None:  # noqa: ARG002
        """Lanes keep the time at which they were due, whatever time it is now."""
        await self._writer.run(partial(lanes.release, owner=owner, registry=self._registry))

    # accounts, keys and stores

    async def add_account(self, account: Account) -> None:
        await self._writer.run(partial(records.add_account, account=account))

    async def add_first_account(self, account: Account) -> bool:
        return await self._writer.run(partial(records.add_first_account, account=account))

    async def accounts(self) -> Sequence[Account]:
        return await self._readers.run(reading.accounts)

    async def add_key(self, key: ApiKey, *, digest: str) -> None:
        await self._writer.run(partial(records.add_key, key=key, digest=digest))

    async def keys(self, account_id: str) -> Sequence[ApiKey]:
        return await self._readers.run(partial(reading.keys, account_id=account_id))

    async def revoke_key(self, account_id: str, key_id: str, *, now: datetime) -> None:
        await self._writer.run(
            partial(records.revoke_key, account_id=account_id, key_id=key_id, now=now)
        )

    async def find_key(self, account_id: str, *, digest: str) -> ApiKey | None:
        return await self._readers.run(
            partial(reading.find_key, account_id=account_id, digest=digest)
        )

    async def put_store(
        self, account_id: str, store: str, *, name: str, number: int | None, now: datetime
    ) -> StoreRecord:
        work = partial(
            records.put_store,
            account_id=account_id,
            store=store,
            name=name,
            number=number,
            now=now,
            registry=self._registry,
        )
        return await self._writer.run(work)

    async def stores(self, account_id: str) -> Sequence[StoreRecord]:
        return await self._readers.run(partial(reading.stores, account_id=account_id))

    # endpoints

    async def put_endpoint(self, endpoint: Endpoint) -> None:
        await self._writer.run(
            partial(
                records.put_endpoint,
                endpoint=endpoint,
                vault=self._vault,
                registry=self._registry,
            )
        )

    async def endpoint(self, account_id: str, endpoint_id: str) -> Endpoint:
        return await self._readers.run(
            partial(
                reading.endpoint,
                account_id=account_id,
                endpoint_id=endpoint_id,
                vault=self._vault,
            )
        )

    async def endpoints(self, account_id: str) -> Sequence[Endpoint]:
        return await self._readers.run(
            partial(reading.endpoints, account_id=account_id, vault=self._vault)
        )

    async def delete_endpoint(self, account_id: str, endpoint_id: str, *, now: datetime) -> int:
        work = partial(
            records.delete_endpoint,
            account_id=account_id,
            endpoint_id=endpoint_id,
            now=now,
            registry=self._registry,
        )
        return await self._writer.run(work)

    # reading

    async def order(self, ref: OrderRef) -> Order:
        return await self._readers.run(partial(reading.order, ref=ref))

    async def find_orders(self, account_id: str, text: str) -> Sequence[Order]:
        return await self._readers.run(
            partial(reading.find_orders, account_id=account_id, text=text)
        )

    async def orders(
        self, account_id: str, *, wanted: OrderFilter, page: Page
    ) -> tuple[Sequence[Order], str | None]:
        return await self._readers.run(
            partial(reading.orders, account_id=account_id, wanted=wanted, page=page)
        )

    async def history(
        self, account_id: str, order_id: str, *, after: int, limit: int
    ) -> Sequence[OrderEvent]:
        work = partial(
            reading.history, account_id=account_id, order_id=order_id, after=after, limit=limit
        )
        return await self._readers.run(work)

    async def quarantine(
        self, account_id: str, *, verdict: Verdict | None, page: Page
    ) -> tuple[Sequence[Quarantined], str | None]:
        """Leaves out orphans that were applied when their order came."""
        return await self._readers.run(
            partial(reading.quarantine, account_id=account_id, verdict=verdict, page=page)
        )

    async def deliveries(
        self, account_id: str, *, wanted: DeliveryFilter, page: Page
    ) -> tuple[Sequence[Delivery], str | None]:
        return await self._readers.run(
            partial(reading.deliveries, account_id=account_id, wanted=wanted, page=page)
        )

    async def delivery(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int
    ) -> tuple[Delivery, bytes]:
        work = partial(
            reading.delivery,
            account_id=account_id,
            endpoint_id=endpoint_id,
            order_id=order_id,
            sequence=sequence,
        )
        return await self._readers.run(work)

    async def attempts(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int
    ) -> Sequence[Attempt]:
        work = partial(
            reading.attempts,
            account_id=account_id,
            endpoint_id=endpoint_id,
            order_id=order_id,
            sequence=sequence,
        )
        return await self._readers.run(work)

    async def add_delivery(self, delivery: NewDelivery, *, now: datetime) -> Delivery:
        """Raises UnknownRecord for an endpoint that is gone, AlreadyExists for a known name."""
        work = partial(by_hand.add_delivery, delivery=delivery, now=now, registry=self._registry)
        return await self._writer.run(work)

    async def resend(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int, *, now: datetime
    ) -> Delivery:
        """An endpoint that is gone has no lanes: raises UnknownRecord for it too."""
        work = partial(
            by_hand.resend,
            account_id=account_id,
            endpoint_id=endpoint_id,
            order_id=order_id,
            sequence=sequence,
            now=now,
            registry=self._registry,
        )
        return await self._writer.run(work)

    async def backlog(self, *, now: datetime, most: int) -> Backlog:
        return await self._readers.run(partial(reading.backlog, now=now, most=most))

    async def counts(self, account_id: str | None = None) -> Counts:
        return await self._readers.run(partial(reading.counts, account_id=account_id))
