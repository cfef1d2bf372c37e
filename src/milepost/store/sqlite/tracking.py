"""Carrier sources, and parcels that are watched: claimed, settled, and begun with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from milepost.errors import UnknownRecord
from milepost.orders.model import Order
from milepost.orders.tracking import Scan, Tracking, remembered
from milepost.ports import Lease, OrderRef
from milepost.ports.tracking import CarrierSource, Looked, Watched
from milepost.sealing import Vault
from milepost.store.rows import Row, micros
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.snapshot import read_orders
from milepost.store.sqlite.writer import Writer
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


def put_carrier_source(session: Session, source: CarrierSource, *, vault: Vault) -> None:
    session.write("put_carrier_source", **carrier_source_values(source, vault=vault))


def carrier_sources(
    session: Session, account_id: str | None, *, vault: Vault
) -> Sequence[CarrierSource]:
    if account_id is None:
        rows = session.rows("every_carrier_source")
    else:
        rows = session.rows("carrier_sources", account_id=account_id)
    return [carrier_source_of(row, vault=vault) for row in rows]


def delete_carrier_source(session: Session, account_id: str, source: str) -> None:
    if not session.write("delete_carrier_source", account_id=account_id, source=source):
        raise UnknownRecord(source)


def forget_carrier_secrets(session: Session, *, vault: Vault) -> None:
    """Puts no secrets where others were that cannot be read any more."""
    for row in session.rows("every_carrier_source"):
        names = {"account_id": row[0], "source": row[1], "before": row[5]}
        session.write("reseal_carrier_source", **names, sealed=sealed_nothing(row, vault=vault))


def reseal_carrier_sources(session: Session, *, vault: Vault) -> None:
    """Seals with the first key whatever another one has sealed; there are never many."""
    for row in session.rows("every_carrier_source"):
        if not vault.is_current(row[5]):
            names = {"account_id": row[0], "source": row[1], "before": row[5]}
            session.write("reseal_carrier_source", **names, sealed=sealed_anew(row, vault=vault))


def begin_trackings(
    session: Session, account_id: str, *, after: tuple[str, str], limit: int, now: datetime
) -> tuple[str, str] | None:
    named = {"account_id": account_id, "order_id": after[0], "parcel": after[1]}
    last = session.row("last_of_a_page_of_parcels", **named, skipped=limit - 1)
    until = {} if last is None else {"last_order": last[0], "last_parcel": last[1]}
    session.write("begin_trackings", **named, **until, now=micros(now))
    return None if last is None else (last[0], last[1])


def any_due(session: Session, rooms: Mapping[str, int], *, now: datetime) -> bool:
    """Whether any parcel of these accounts is due."""
    return any(
        session.row("due_trackings", account_id=account_id, now=micros(now), limit=1)
        for account_id in rooms
    )


def claim_trackings(
    session: Session, rooms: Mapping[str, int], *, lease: Lease, now: datetime
) -> list[tuple[Tracking, timedelta]]:
    """Each with how far the clock of its account is ahead of ours."""
    leases: list[Row] = []
    claimed: list[tuple[Tracking, timedelta]] = []
    for account_id, room in rooms.items():
        for row in session.rows(
            "due_trackings", account_id=account_id, now=micros(now), limit=room
        ):
            ahead = row[-1]
            until = micros(lease.until) + ahead
            leases.append((*row[:3], lease.owner, until))
            tracking = tracking_of((*row[:4], until, *row[5:]))
            claimed.append((tracking, timedelta(microseconds=ahead)))
    session.batch("lease_trackings", leases)
    return claimed


def settle_trackings(session: Session, looked: Sequence[Looked], *, owner: str) -> int:
    rows = (settled_row(one) for one in looked)
    told = [(*row[:3], owner, *row[3:]) for row in rows]
    return len(session.batch("settle_trackings", told))


def note_scans(
    session: Session, account_id: str, order_id: str, parcel: str, *, scans: Sequence[Scan]
) -> None:
    for row in session.rows("trackings_of", account_id=account_id, order_id=order_id):
        if row[2] == parcel:
            session.write(
                "set_scans",
                account_id=account_id,
                order_id=order_id,
                parcel=parcel,
                scans=keys_text(remembered(keys_of(row[9]), scans)),
            )


def trackings(session: Session, account_id: str, order_id: str) -> Sequence[Tracking]:
    rows = session.rows("trackings_of", account_id=account_id, order_id=order_id)
    return [tracking_of(row) for row in rows]


class TrackingOnSqlite:
    """The part of the store that has to do with tracking."""

    _vault: Vault
    _writer: Writer
    _readers: Readers

    async def put_carrier_source(self, source: CarrierSource) -> None:
        await self._writer.run(partial(put_carrier_source, source=source, vault=self._vault))

    async def carrier_sources(self, account_id: str | None = None) -> Sequence[CarrierSource]:
        return await self._readers.run(
            partial(carrier_sources, account_id=account_id, vault=self._vault)
        )

    async def delete_carrier_source(self, account_id: str, source: str) -> None:
        work = partial(delete_carrier_source, account_id=account_id, source=source)
        await self._writer.run(work)

    async def begin_trackings(
        self, account_id: str, *, after: tuple[str, str], limit: int, now: datetime
    ) -> tuple[str, str] | None:
        work = partial(begin_trackings, account_id=account_id, after=after, limit=limit, now=now)
        return await self._writer.run(work, weight=limit)

    async def claim_trackings(
        self, rooms: Mapping[str, int], *, lease: Lease, now: datetime
    ) -> Sequence[Watched]:
        """Writes nothing, and waits for no write, when nothing is due."""
        if not await self._readers.run(partial(any_due, rooms=rooms, now=now)):
            return ()
        work = partial(claim_trackings, rooms=rooms, lease=lease, now=now)
        claimed = await self._writer.run(work, weight=sum(rooms.values()))
        refs = [OrderRef(tracking.account_id, tracking.order_id) for tracking, _ in claimed]
        orders: Sequence[Order | None] = await self._readers.run(partial(read_orders, refs=refs))
        return [
            Watched(tracking, order, ahead)
            for (tracking, ahead), order in zip(claimed, orders, strict=True)
        ]

    async def settle_trackings(self, looked: Sequence[Looked], *, owner: str) -> int:
        work = partial(settle_trackings, looked=looked, owner=owner)
        return await self._writer.run(work, weight=len(looked))

    async def note_scans(
        self, account_id: str, order_id: str, parcel: str, *, scans: Sequence[Scan]
    ) -> None:
        work = partial(
            note_scans, account_id=account_id, order_id=order_id, parcel=parcel, scans=scans
        )
        await self._writer.run(work)

    async def trackings(self, account_id: str, order_id: str) -> Sequence[Tracking]:
        return await self._readers.run(partial(trackings, account_id=account_id, order_id=order_id))
