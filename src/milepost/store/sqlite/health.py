"""How endpoints are doing: put on record, told to whoever subscribed, and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from milepost.delivery.health import Condition, Health, OperationalNotice, Pulse
from milepost.delivery.model import Endpoint, EndpointState
from milepost.errors import UnknownRecord
from milepost.ports.health import Judge
from milepost.store.health_rows import conditions_of, health_of, health_row, notices_to, told_of
from milepost.store.rows import Row, micros
from milepost.store.sqlite.intake import queue_deliveries
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer


def beat(
    session: Session, pulses: Sequence[Pulse], *, judge: Judge, now: datetime, registry: Registry
) -> None:
    wanted = [(i, pulse.account_id, pulse.endpoint_id) for i, pulse in enumerate(pulses)]
    rows: list[Row] = []
    for position, *columns in session.batch("healths", wanted):
        pulse = pulses[position]
        endpoint = registry.endpoint(session, pulse.account_id, pulse.endpoint_id)
        if endpoint is None:
            continue
        judged = judge(endpoint, health_of(columns), pulse)
        rows.append(health_row(endpoint, judged.health))
        if judged.pause is not None:
            pause = EndpointState.PAUSED
            change_state(
                session, endpoint, state=pause, why=judged.pause, now=now, registry=registry
            )
        for notice in judged.notices:
            tell(session, notice, now=now, registry=registry)
    session.batch("put_healths", rows)


def change_state(
    session: Session,
    endpoint: Endpoint,
    *,
    state: EndpointState,
    why: str,
    now: datetime,
    registry: Registry,
) -> None:
    """Pauses or resumes, with a clean record of failures."""
    named = {"account_id": endpoint.account_id, "endpoint_id": endpoint.endpoint_id}
    session.write("set_endpoint_state", **named, state=state.value, why=why, now=micros(now))
    if state is EndpointState.ACTIVE:
        session.write("rest_health", **named)
    registry.forget()


def set_endpoint_state(
    session: Session,
    account_id: str,
    endpoint_id: str,
    *,
    state: EndpointState,
    why: str,
    now: datetime,
    notice: OperationalNotice | None,
    registry: Registry,
) -> Endpoint:
    endpoint = registry.endpoint(session, account_id, endpoint_id)
    if endpoint is None:
        raise UnknownRecord(endpoint_id)
    change_state(session, endpoint, state=state, why=why, now=now, registry=registry)
    if notice is not None and endpoint.state is not state:
        tell(session, notice, now=now, registry=registry)
    return registry.endpoint(session, account_id, endpoint_id) or endpoint


def tell(session: Session, notice: OperationalNotice, *, now: datetime, registry: Registry) -> None:
    """Queues the notice for whoever subscribed, under the next number of its subject."""
    subject = notice.event.endpoint
    known = registry.endpoints(session, (subject.account_id,))
    listeners = told_of(notice, known[subject.account_id])
    if not listeners:
        return
    numbers = session.rows(
        "number_notice", account_id=subject.account_id, endpoint_id=subject.endpoint_id
    )
    for (number,) in numbers:
        deliveries = notices_to(listeners, notice=notice, number=number)
        queue_deliveries(session, deliveries, created=set(), lease=None, now=now)


def health(session: Session, account_id: str) -> Mapping[str, Health]:
    rows = session.rows("health_of_account", account_id=account_id)
    return {row[0]: health_of(row[1:]) for row in rows}


def conditions(session: Session) -> Mapping[Condition, int]:
    return conditions_of(session.rows("count_conditions"))


def paused_endpoints(session: Session) -> frozenset[str]:
    return frozenset(row[0] for row in session.rows("paused_endpoints"))


def untold(session: Session, *, before: datetime) -> Sequence[tuple[str, str]]:
    return [(row[0], row[1]) for row in session.rows("untold", before=micros(before))]


class HealthOnSqlite:
    """The part of the store that has to do with how endpoints are doing."""

    _writer: Writer
    _readers: Readers
    _registry: Registry

    async def beat(self, pulses: Sequence[Pulse], *, judge: Judge, now: datetime) -> None:
        work = partial(beat, pulses=pulses, judge=judge, now=now, registry=self._registry)
        await self._writer.run(work, weight=len(pulses) or 1)

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
        )
        return await self._writer.run(work)

    async def health(self, account_id: str) -> Mapping[str, Health]:
        return await self._readers.run(partial(health, account_id=account_id))

    async def conditions(self) -> Mapping[Condition, int]:
        return await self._readers.run(conditions)

    async def paused_endpoints(self) -> frozenset[str]:
        return await self._readers.run(paused_endpoints)

    async def untold(self, *, before: datetime) -> Sequence[tuple[str, str]]:
        return await self._readers.run(partial(untold, before=before))
