"""How endpoints are doing: put on record, told to whoever subscribed, and read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from milepost.delivery.health import Condition, Health, OperationalNotice, Pulse
from milepost.delivery.model import Endpoint, EndpointState, NewDelivery
from milepost.errors import UnknownRecord
from milepost.ports.health import Judge, Judged
from milepost.sealing import Vault
from milepost.store.health_rows import conditions_of, health_of, health_row, notices_to, told_of
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.queue import Queue, lanes_of, look_up
from milepost.store.postgres.records import changed_setup
from milepost.store.postgres.registry import Registry, Setup
from milepost.store.postgres.session import Session
from milepost.store.postgres.wakes import Wakes
from milepost.store.postgres.writing import written
from milepost.store.rows import endpoint_of, micros


async def beat(
    session: Session, pulses: Sequence[Pulse], *, judge: Judge, now: datetime, registry: Registry
) -> bool:
    """Account by account; returns whether anybody was told of anything."""
    by_account: dict[str, dict[str, Pulse]] = {}
    for pulse in pulses:
        by_account.setdefault(pulse.account_id, {})[pulse.endpoint_id] = pulse
    told = False
    for account_id, those in by_account.items():
        beating = _Beating(session, account_id, those, judge=judge, now=now, registry=registry)
        told |= await beating.write()
    return told


class _Beating:
    """The pulses of one account while they are being put on record."""

    def __init__(
        self,
        session: Session,
        account_id: str,
        pulses: Mapping[str, Pulse],
        *,
        judge: Judge,
        now: datetime,
        registry: Registry,
    ) -> None:
        self._session = session
        self._account_id = account_id
        self._pulses = pulses
        self._judge = judge
        self._now = now
        self._registry = registry

    async def write(self) -> bool:
        """Sees first whether anything is to be paused: who holds the setup cannot only share it."""
        for holding in (False, True):
            async with self._session.transaction():
                setup = await self._setup(holding=holding)
                judged = await self._judge_all(setup)
                pausing = any(one.pause is not None for _, one in judged)
                if pausing and not holding:
                    continue
                return await self._put(judged, setup=setup)
        return False

    async def _setup(self, *, holding: bool) -> Setup:
        lock = "hold_setup" if holding else "share_setup"
        await self._session.row(lock, account_id=self._account_id)
        return await setup_of(self._session, self._account_id, registry=self._registry)

    async def _judge_all(self, setup: Setup) -> list[tuple[Endpoint, Judged]]:
        names = [endpoint_id for endpoint_id in sorted(self._pulses) if endpoint_id in setup.by_id]
        rows = await self._session.batch("healths", [(self._account_id, name) for name in names])
        judged: list[tuple[Endpoint, Judged]] = []
        for position, *columns in rows:
            endpoint = setup.by_id[names[position - 1]]
            pulse = self._pulses[endpoint.endpoint_id]
            judged.append((endpoint, self._judge(endpoint, health_of(columns), pulse)))
        return judged

    async def _put(self, judged: Sequence[tuple[Endpoint, Judged]], *, setup: Setup) -> bool:
        if not judged:
            return False
        session = self._session
        await session.batch("put_healths", [health_row(e, one.health) for e, one in judged])
        paused = [(endpoint, one.pause) for endpoint, one in judged if one.pause is not None]
        for endpoint, why in paused:
            await change_state(
                session, endpoint, state=EndpointState.PAUSED, why=why, now=self._now
            )
        told = False
        for _, one in judged:
            for notice in one.notices:
                told |= await tell(session, notice, endpoints=setup.endpoints, now=self._now)
        if paused:
            await session.write("raise_setup_version", account_id=self._account_id)
        return told


async def setup_of(session: Session, account_id: str, *, registry: Registry) -> Setup:
    """The account's setup, for whoever has a lock on it."""
    row = await session.row("setup_version", account_id=account_id)
    return await registry.setup(session, account_id, 0 if row is None else row[0])


async def change_state(
    session: Session, endpoint: Endpoint, *, state: EndpointState, why: str, now: datetime
) -> None:
    """Pauses, or resumes with a clean record of failures, for whoever holds the setup."""
    named = {"account_id": endpoint.account_id, "endpoint_id": endpoint.endpoint_id}
    await session.write("set_endpoint_state", **named, state=state.value, why=why, now=micros(now))
    if state is EndpointState.ACTIVE:
        await session.write("rest_health", **named)


async def set_endpoint_state(
    session: Session,
    account_id: str,
    endpoint_id: str,
    *,
    state: EndpointState,
    why: str,
    now: datetime,
    notice: OperationalNotice | None,
    registry: Registry,
    vault: Vault,
) -> Endpoint:
    async with changed_setup(session, account_id):
        setup = await setup_of(session, account_id, registry=registry)
        endpoint = setup.by_id.get(endpoint_id)
        if endpoint is None:
            raise UnknownRecord(endpoint_id)
        await change_state(session, endpoint, state=state, why=why, now=now)
        if notice is not None and endpoint.state is not state:
            await tell(session, notice, endpoints=setup.endpoints, now=now)
        (row,) = await session.rows("endpoint", account_id=account_id, endpoint_id=endpoint_id)
    return endpoint_of(row, vault=vault)


async def tell(
    session: Session,
    notice: OperationalNotice,
    *,
    endpoints: Iterable[Endpoint],
    now: datetime,
) -> bool:
    """Queues the notice for those of the account's endpoints that subscribed; whether any did.

    The setup is shared or held until the transaction ends, so that none of them goes away.
    """
    subject = notice.event.endpoint
    listeners = told_of(notice, endpoints)
    if not listeners:
        return False
    row = await session.row(
        "number_notice", account_id=subject.account_id, endpoint_id=subject.endpoint_id
    )
    if row is None:
        return False
    await queue_notices(session, notices_to(listeners, notice=notice, number=row[0]), now=now)
    return True


async def queue_notices(
    session: Session, deliveries: Sequence[NewDelivery], *, now: datetime
) -> None:
    """Queues these, of orders that are none, for whoever shares or holds the setup."""
    before = await look_up(session, lanes_of(deliveries, created=()))
    queue = Queue(before=before, lease=None, now=now)
    for delivery in deliveries:
        queue.add(delivery)
    for name, rows in queue.rows().items():
        if rows:
            await session.batch(name, rows)


async def health(session: Session, account_id: str) -> Mapping[str, Health]:
    rows = await session.rows("health_of_account", account_id=account_id)
    return {row[0]: health_of(row[1:]) for row in rows}


class HealthOnPostgres:
    """The part of the store that has to do with how endpoints are doing."""

    _vault: Vault
    _main: Pool
    _readers: Pool
    _registry: Registry
    _wakes: Wakes

    async def beat(self, pulses: Sequence[Pulse], *, judge: Judge, now: datetime) -> None:
        """Each account's pulses are a transaction of their own."""
        work = partial(beat, pulses=pulses, judge=judge, now=now, registry=self._registry)
        if await written(self._main, work):
            self._wakes.tell()

    async def set_endpoint_state(
        self,
        account_id: str,
        endpoint_id: str,
        *,
        state: EndpointState,
        why: str,
        now: datetime,
        notice: OperationalNotice | None = None,
    ) -> Endpoint:
        work = partial(
            set_endpoint_state,
            account_id=account_id,
            endpoint_id=endpoint_id,
            state=state,
            why=why,
            now=now,
            notice=notice,
            registry=self._registry,
            vault=self._vault,
        )
        endpoint = await written(self._main, work)
        self._wakes.tell()
        return endpoint

    async def health(self, account_id: str) -> Mapping[str, Health]:
        async with self._readers.session() as session:
            return await health(session, account_id)

    async def conditions(self) -> Mapping[Condition, int]:
        async with self._readers.session() as session:
            return conditions_of(await session.rows("count_conditions"))

    async def paused_endpoints(self) -> frozenset[str]:
        async with self._readers.session() as session:
            return frozenset(row[0] for row in await session.rows("paused_endpoints"))

    async def untold(self, *, before: datetime) -> Sequence[tuple[str, str]]:
        async with self._readers.session() as session:
            return [(row[0], row[1]) for row in await session.rows("untold", before=micros(before))]
