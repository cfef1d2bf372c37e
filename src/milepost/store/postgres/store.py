"""The Store of `milepost.ports` on one PostgreSQL database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

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
from milepost.sealing import NoKeys, Vault
from milepost.store.postgres import by_hand, intake, lanes, reading, records
from milepost.store.postgres.answers import AnswersOnPostgres
from milepost.store.postgres.attention import AttentionOnPostgres
from milepost.store.postgres.clocks import ClocksOnPostgres
from milepost.store.postgres.egress import EgressOnPostgres
from milepost.store.postgres.health import HealthOnPostgres
from milepost.store.postgres.leases import Leases
from milepost.store.postgres.merchants import MerchantsOnPostgres
from milepost.store.postgres.migrate import check_settings, migrate, prepare
from milepost.store.postgres.people import PeopleOnPostgres
from milepost.store.postgres.pool import STATEMENT_TIMEOUT_S, Connector, Pool
from milepost.store.postgres.receiving import ReceivingOnPostgres
from milepost.store.postgres.reconciling import ReconcilingOnPostgres
from milepost.store.postgres.registry import Registry
from milepost.store.postgres.resends import ResendsOnPostgres
from milepost.store.postgres.secrets import SecretsOnPostgres
from milepost.store.postgres.session import Session
from milepost.store.postgres.silence import SilenceOnPostgres
from milepost.store.postgres.tracking import TrackingOnPostgres
from milepost.store.postgres.trends import TrendsOnPostgres
from milepost.store.postgres.upkeep import UpkeepOnPostgres
from milepost.store.postgres.wakes import Wakes
from milepost.store.postgres.withings import WithingsOnPostgres
from milepost.store.postgres.writing import written

T = TypeVar("T")

CONNECTIONS = 4
"""How many connections intake, settling and claiming share; each is used by one at a time."""

SLOW_S = 1.0
"""What takes longer is a warning in the log."""

READERS = 4
"""How many connections lists and single records share, which keep nobody else waiting."""

READ_TIMEOUT_S = 120.0
"""Counting everything takes longer than anything else."""


class PostgresStore(
    SecretsOnPostgres,
    UpkeepOnPostgres,
    HealthOnPostgres,
    AttentionOnPostgres,
    AnswersOnPostgres,
    ResendsOnPostgres,
    ReconcilingOnPostgres,
    WithingsOnPostgres,
    EgressOnPostgres,
    PeopleOnPostgres,
    TrendsOnPostgres,
    MerchantsOnPostgres,
    TrackingOnPostgres,
    ReceivingOnPostgres,
    SilenceOnPostgres,
    ClocksOnPostgres,
):
    """One database, for any number of processes, which meet in its transactions alone.

    What a method has returned is on disk, and on the standbys that the database waits for. While
    the database is away every method raises StoreError; when it is back, or another of the hosts
    in the URL takes writes, they work again.
    """

    def __init__(
        self,
        url: str,
        *,
        metrics: Metrics | None = None,
        slow_s: float = SLOW_S,
        vault: Vault | None = None,
    ) -> None:
        """Without a `vault` there is no key, and it cannot be opened. Raises SettingInvalid."""
        metrics = metrics or Metrics()
        self._vault = vault or Vault(NoKeys())
        self._connector = Connector(url)
        self._registry = Registry(self._vault)
        self._leases = Leases()
        self._main = Pool(
            self._connector,
            size=CONNECTIONS,
            prepare=prepare,
            timeout_s=STATEMENT_TIMEOUT_S,
            taking=metrics.transaction_s,
            slow_s=slow_s,
        )
        self._readers = Pool(
            self._connector,
            size=READERS,
            prepare=prepare,
            timeout_s=READ_TIMEOUT_S,
            taking=metrics.read_s,
            slow_s=slow_s,
        )
        self._wakes = Wakes(self._main, self._connector)

    async def open(self) -> None:
        """Migrates an empty or older database, and reads the keys of its secrets.

        Raises SchemaTooNew, SchemaChanged, SettingInvalid for a wrong key, and StoreError.
        """
        await self.connect()
        await self.unlock()

    async def connect(self) -> None:
        connection = await self._connector.connect(prepare=migrate, timeout_s=None)
        try:
            await check_settings(connection)
        finally:
            await connection.close()

    async def close(self) -> None:
        """Lets what was begun finish; a second call does nothing."""
        await self._wakes.close()
        await self._main.close()
        await self._readers.close()

    async def _write(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """What `work` returns; it is begun again when others were in its way."""
        return await written(self._main, work)

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
        """Calls `decide` again whenever somebody else has changed what it was shown."""
        taken = await intake.change_orders(
            self._main,
            refs,
            decide=decide,
            lease=lease,
            now=now,
            mentioned=mentioned,
            registry=self._registry,
            leases=self._leases,
        )
        if taken.leaves_work:
            self._wakes.tell()
        return taken.claimed

    async def take_dispatch(self) -> None:
        """Any number of processes may dispatch; leases of a dead one run out."""

    def listen(self, callback: Callable[[], None]) -> None:
        """Goes on listening when the connection was lost and is back, with a call in between."""
        self._wakes.listen(callback)

    async def claim(
        self, *, lease: Lease, now: datetime, held: Mapping[str, int], room: int, limit: int
    ) -> Sequence[Claimed]:
        if limit < 1:
            return ()
        try:
            claimed = await self._write(
                partial(
                    lanes.claim,
                    lease=lease,
                    now=now,
                    held=held,
                    room=room,
                    limit=limit,
                    registry=self._registry,
                    leases=self._leases,
                )
            )
        except BaseException:
            self._leases.doubt(lease.owner)
            raise
        return claimed or ()

    async def settle(
        self, settlements: Sequence[Settlement], *, lease: Lease, now: datetime
    ) -> Sequence[Claimed]:
        if not settlements:
            return ()
        try:
            return await self._write(
                partial(
                    lanes.settle,
                    settlements=settlements,
                    lease=lease,
                    now=now,
                    registry=self._registry,
                    leases=self._leases,
                )
            )
        except BaseException:
            self._leases.doubt(lease.owner)
            raise

    async def confirm(self, claimed: Sequence[Claimed], *, lease: Lease) -> Sequence[Claimed]:
        if not claimed:
            return ()
        work = partial(lanes.confirm, claimed=claimed, lease=lease, leases=self._leases)
        return await self._write(work)

    async def renew(self, *, lease: Lease) -> None:
        await self._write(partial(lanes.renew, lease=lease, leases=self._leases))

    async def release(self, *, owner: str, now: datetime) -> None:  # noqa: ARG002
        """Lanes keep the time at which they were due, whatever time it is now."""
        await self._write(partial(lanes.release, owner=owner, leases=self._leases))
        self._wakes.tell()

    # accounts, keys and stores

    async def add_account(self, account: Account) -> None:
        await self._write(partial(records.add_account, account=account))

    async def add_first_account(self, account: Account) -> bool:
        return await self._write(partial(records.add_first_account, account=account))

    async def accounts(self) -> Sequence[Account]:
        async with self._readers.session() as session:
            return await reading.accounts(session)

    async def add_key(self, key: ApiKey, *, digest: str) -> None:
        await self._write(partial(records.add_key, key=key, digest=digest))

    async def keys(self, account_id: str) -> Sequence[ApiKey]:
        async with self._readers.session() as session:
            return await reading.keys(session, account_id)

    async def revoke_key(self, account_id: str, key_id: str, *, now: datetime) -> None:
        await self._write(
            partial(records.revoke_key, account_id=account_id, key_id=key_id, now=now)
        )

    async def find_key(self, account_id: str, *, digest: str) -> ApiKey | None:
        async with self._readers.session() as session:
            return await reading.find_key(session, account_id, digest=digest)

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
        )
        return await self._write(work)

    async def stores(self, account_id: str) -> Sequence[StoreRecord]:
        async with self._readers.session() as session:
            return await reading.stores(session, account_id)

    # endpoints

    async def put_endpoint(self, endpoint: Endpoint) -> None:
        """Waits for the account's intakes that are being written."""
        if await self._write(partial(records.put_endpoint, endpoint=endpoint, vault=self._vault)):
            self._wakes.tell()

    async def endpoint(self, account_id: str, endpoint_id: str) -> Endpoint:
        async with self._readers.session() as session:
            return await reading.endpoint(session, account_id, endpoint_id, vault=self._vault)

    async def endpoints(self, account_id: str) -> Sequence[Endpoint]:
        async with self._readers.session() as session:
            return await reading.endpoints(session, account_id, vault=self._vault)

    async def delete_endpoint(self, account_id: str, endpoint_id: str, *, now: datetime) -> int:
        """Abandons a part at a time: when it fails in the middle it can be called again."""
        return await self._write(
            partial(
                records.delete_endpoint, account_id=account_id, endpoint_id=endpoint_id, now=now
            )
        )

    # reading

    async def order(self, ref: OrderRef) -> Order:
        async with self._readers.session() as session:
            return await reading.order(session, ref)

    async def find_orders(self, account_id: str, text: str) -> Sequence[Order]:
        async with self._readers.session() as session:
            return await reading.find_orders(session, account_id, text)

    async def orders(
        self, account_id: str, *, wanted: OrderFilter, page: Page
    ) -> tuple[Sequence[Order], str | None]:
        async with self._readers.session() as session:
            return await reading.orders(session, account_id, wanted=wanted, page=page)

    async def history(
        self, account_id: str, order_id: str, *, after: int, limit: int
    ) -> Sequence[OrderEvent]:
        async with self._readers.session() as session:
            return await reading.history(session, account_id, order_id, after=after, limit=limit)

    async def quarantine(
        self, account_id: str, *, verdict: Verdict | None, page: Page
    ) -> tuple[Sequence[Quarantined], str | None]:
        """Leaves out orphans that were applied when their order came."""
        async with self._readers.session() as session:
            return await reading.quarantine(session, account_id, verdict=verdict, page=page)

    async def deliveries(
        self, account_id: str, *, wanted: DeliveryFilter, page: Page
    ) -> tuple[Sequence[Delivery], str | None]:
        async with self._readers.session() as session:
            return await reading.deliveries(session, account_id, wanted=wanted, page=page)

    async def delivery(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int
    ) -> tuple[Delivery, bytes]:
        async with self._readers.session() as session:
            return await reading.delivery(session, account_id, endpoint_id, order_id, sequence)

    async def attempts(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int
    ) -> Sequence[Attempt]:
        async with self._readers.session() as session:
            return await reading.attempts(session, account_id, endpoint_id, order_id, sequence)

    async def add_delivery(self, delivery: NewDelivery, *, now: datetime) -> Delivery:
        """Raises UnknownRecord for an endpoint that is gone, AlreadyExists for a known name."""
        queued = await self._write(partial(by_hand.add_delivery, delivery=delivery, now=now))
        self._wakes.tell()
        return queued

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
        )
        again = await self._write(work)
        self._wakes.tell()
        return again

    async def backlog(self, *, now: datetime, most: int) -> Backlog:
        async with self._readers.session() as session:
            return await reading.backlog(session, now=now, most=most)

    async def counts(self, account_id: str | None = None) -> Counts:
        async with self._readers.session() as session:
            return await reading.counts(session, account_id)
