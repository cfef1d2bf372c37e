"""Carrier sources, and parcels that are watched: claimed, settled, and begun with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from milepost.errors import UnknownRecord
from milepost.orders.tracking import Scan, Tracking, remembered
from milepost.ports import Lease, OrderRef
from milepost.ports.tracking import CarrierSource, Looked, Watched
from milepost.sealing import Vault
from milepost.store.postgres.packing import plain
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.records import changed_setup
from milepost.store.postgres.session import Session
from milepost.store.postgres.snapshot import read_orders
from milepost.store.postgres.writing import written
from milepost.store.rows import micros
from milepost.store.tracking_rows import (
    carrier_source_of,
    carrier_source_values,
    keys_of,
    keys_text,
    sealed_anew,
    sealed_nothing,
    settled_row,
    tracking_of,
)


async def put_carrier_source(session: Session, source: CarrierSource, *, vault: Vault) -> None:
    """An intake that began before it is committed by then, or decides again."""
    async with changed_setup(session, source.account_id):
        await session.write("put_carrier_source", **carrier_source_values(source, vault=vault))


async def carrier_sources(
    session: Session, account_id: str | None, *, vault: Vault
) -> Sequence[CarrierSource]:
    if account_id is None:
        rows = await session.rows("every_carrier_source")
    else:
        rows = await session.rows("carrier_sources", account_id=account_id)
    return [carrier_source_of(row, vault=vault) for row in rows]


async def delete_carrier_source(session: Session, account_id: str, source: str) -> None:
    if not await session.write("delete_carrier_source", account_id=account_id, source=source):
        raise UnknownRecord(source)


async def forget_carrier_secrets(session: Session, *, vault: Vault) -> None:
    """Puts no secrets where others were that cannot be read any more."""
    for row in await session.rows("every_carrier_source"):
        names = {"account_id": row[0], "source": row[1], "before": row[5]}
        nothing = sealed_nothing(row, vault=vault)
        await session.write("reseal_carrier_source", **names, sealed=nothing)


async def reseal_carrier_sources(session: Session, *, vault: Vault) -> None:
    """Seals with the first key whatever another one has sealed; there are never many."""
    for row in await session.rows("every_carrier_source"):
        if not vault.is_current(row[5]):
            names = {"account_id": row[0], "source": row[1], "before": row[5]}
            sealed = sealed_anew(row, vault=vault)
            await session.write("reseal_carrier_source", **names, sealed=sealed)


async def begin_trackings(
    session: Session, account_id: str, *, after: tuple[str, str], limit: int, now: datetime
) -> tuple[str, str] | None:
    named = {"account_id": account_id, "order_id": after[0], "parcel": after[1]}
    last = await session.row("last_of_a_page_of_parcels", **named, skipped=limit - 1)
    until = {} if last is None else {"last_order": last[0], "last_parcel": last[1]}
    await session.rows("begin_trackings", **named, **until, now=micros(now))
    return None if last is None else (last[0], last[1])


async def claim_trackings(
    session: Session, rooms: Mapping[str, int], *, lease: Lease, now: datetime
) -> Sequence[Watched]:
    rows = await session.batch(
        "claim_trackings", list(rooms.items()), micros(now), lease.owner, micros(lease.until)
    )
    if not rows:
        return ()
    claimed = [tracking_of(plain(row)) for row in rows]
    refs = [OrderRef(tracking.account_id, tracking.order_id) for tracking in claimed]
    orders = (await read_orders(session, refs)).orders
    ahead = [timedelta(microseconds=row[-1]) for row in rows]
    return [Watched(*parts) for parts in zip(claimed, orders, ahead, strict=True)]


async def settle_trackings(session: Session, looked: Sequence[Looked], *, owner: str) -> int:
    rows = sorted((settled_row(one) for one in looked), key=lambda row: row[:3])
    return len(await session.batch("settle_trackings", rows, owner))


async def note_scans(
    session: Session, account_id: str, order_id: str, parcel: str, *, scans: Sequence[Scan]
) -> None:
    named = {"account_id": account_id, "order_id": order_id, "parcel": parcel}
    async with session.transaction():
        row = await session.row("lock_tracking", **named)
        if row is not None:
            keys = remembered(keys_of(row[0]), scans)
            await session.write("set_scans", **named, scans=keys_text(keys))


async def trackings(session: Session, account_id: str, order_id: str) -> Sequence[Tracking]:
    rows = await session.rows("trackings_of", account_id=account_id, order_id=order_id)
    return [tracking_of(row) for row in rows]


class TrackingOnPostgres:
    """The part of the store that has to do with tracking."""

    _vault: Vault
    _main: Pool
    _readers: Pool

    async def put_carrier_source(self, source: CarrierSource) -> None:
        work = partial(put_carrier_source, source=source, vault=self._vault)
        await written(self._main, work)

    async def carrier_sources(self, account_id: str | None = None) -> Sequence[CarrierSource]:
        async with self._readers.session() as session:
            return await carrier_sources(session, account_id, vault=self._vault)

    async def delete_carrier_source(self, account_id: str, source: str) -> None:
        work = partial(delete_carrier_source, account_id=account_id, source=source)
        await written(self._main, work)

    async def begin_trackings(
        self, account_id: str, *, after: tuple[str, str], limit: int, now: datetime
    ) -> tuple[str, str] | None:
        work = partial(begin_trackings, account_id=account_id, after=after, limit=limit, now=now)
        return await written(self._main, work)

    async def claim_trackings(
        self, rooms: Mapping[str, int], *, lease: Lease, now: datetime
    ) -> Sequence[Watched]:
        if not rooms:
            return ()
        work = partial(claim_trackings, rooms=rooms, lease=lease, now=now)
        return await written(self._main, work)

    async def settle_trackings(self, looked: Sequence[Looked], *, owner: str) -> int:
        return await written(self._main, partial(settle_trackings, looked=looked, owner=owner))

    async def note_scans(
        self, account_id: str, order_id: str, parcel: str, *, scans: Sequence[Scan]
    ) -> None:
        work = partial(
            note_scans, account_id=account_id, order_id=order_id, parcel=parcel, scans=scans
        )
        await written(self._main, work)

    async def trackings(self, account_id: str, order_id: str) -> Sequence[Tracking]:
        async with self._readers.session() as session:
            return await trackings(session, account_id, order_id)
