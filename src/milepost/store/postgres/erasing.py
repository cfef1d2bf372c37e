"""A person's data on PostgreSQL: what is left of an order when it is erased."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from milepost.errors import DeliveriesPending, UnknownRecord
from milepost.ports import OrderRef
from milepost.ports.upkeep import Erase, Erased, ErasedBody
from milepost.store.compression import plain
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.receiving import erase_receipts
from milepost.store.postgres.records import changed_setup
from milepost.store.postgres.session import Session
from milepost.store.postgres.snapshot import read_orders
from milepost.store.postgres.writing import written
from milepost.store.rows import content_bytes, event_row, micros, parcel_row
from milepost.store.upkeep_rows import (
    BODIES_AT_ONCE,
    ERASED_IN_PLACE,
    PERSON_SCOPE,
    digest_of,
    erased_body_of,
    erased_quarantined,
)

MOST_ROWS = 2**31 - 1


async def erase_order(
    session: Session,
    account_id: str,
    order_id: str,
    *,
    erase: Erase,
    abandon: bool,
    now: datetime,
) -> Erased:
    """No intake of the account runs beside it, nor does anybody queue or resend."""
    named = {"account_id": account_id, "order_id": order_id}
    async with changed_setup(session, account_id):
        (order,) = (await read_orders(session, [OrderRef(account_id, order_id=order_id)])).orders
        if order is None:
            raise UnknownRecord(order_id)
        if order.erased_at is not None:
            return Erased(order, abandoned=0)
        pending = await _pending(session, named, abandon=abandon, now=now)
        after, event = erase(order)
        await session.write("mark_erased", **named, sequence=after.sequence, now=micros(now))
        await session.batch(
            "update_contents", [(account_id, order_id, content_bytes(after.content))]
        )
        one = {"account_id": account_id, "order_ids": [order_id], "limit": MOST_ROWS}
        await session.write("clear_parcels", **one)
        parcels = [parcel_row(after, parcel, position=i) for i, parcel in enumerate(after.parcels)]
        await session.batch("put_parcels", parcels)
        await session.write("clear_tracking", **one)
        await session.batch("insert_events", [event_row(event)])
        await session.write("add_removal", **named, scope=PERSON_SCOPE, now=micros(now))
    return Erased(after, abandoned=pending)


async def _pending(session: Session, named: dict[str, str], *, abandon: bool, now: datetime) -> int:
    """How many deliveries were pending, which are abandoned. Raises DeliveriesPending."""
    lanes = await session.rows("lanes_of_order", **named)
    if not lanes:
        return 0
    # Whoever settles one of them just now is waited for; the next statements see what it did.
    await session.batch("lock_lanes", lanes)
    ((pending,),) = await session.rows("pending_of_order", **named)
    if pending and not abandon:
        raise DeliveriesPending(pending)
    await session.batch("end_lanes", lanes, micros(now))
    return int(pending)


async def clear_person(session: Session, account_id: str, order_id: str, *, limit: int) -> int:
    """How many rows it has emptied; the limit when there may be more."""
    named = {"account_id": account_id, "order_id": order_id}
    cleared = await _erase_bodies(session, named, limit=limit)
    for statement in ERASED_IN_PLACE:
        if cleared < limit:
            cleared += await session.write(statement, **named, limit=limit - cleared)
    if cleared < limit:
        cleared += await _erase_quarantined(session, named, limit=limit - cleared)
    if cleared < limit:
        cleared += await erase_receipts(session, named, limit=limit - cleared)
    return cleared


async def _erase_bodies(session: Session, named: dict[str, str], *, limit: int) -> int:
    erased = 0
    while erased < limit:
        some = min(limit - erased, BODIES_AT_ONCE)
        rows = await session.rows("bodies_to_erase", **named, limit=some)
        for sequence, variant, content_type, kept in rows:
            content = plain(kept)
            body = {**named, "sequence": sequence, "variant": variant}
            await session.write(
                "add_erased_body",
                **body,
                content_type=content_type,
                size=len(content),
                digest=digest_of(content),
            )
            await session.write("drop_body", **body)
        erased += len(rows)
        if len(rows) < some:
            break
    return erased


async def _erase_quarantined(session: Session, named: dict[str, str], *, limit: int) -> int:
    changes = erased_quarantined(await session.rows("quarantined_of_order", **named))
    for change in changes[:limit]:
        await session.write("erase_quarantined", **change)
    return min(len(changes), limit)


async def erased_body(
    session: Session, account_id: str, endpoint_id: str, order_id: str, sequence: int
) -> ErasedBody | None:
    return erased_body_of(
        await session.row(
            "erased_body",
            account_id=account_id,
            endpoint_id=endpoint_id,
            order_id=order_id,
            sequence=sequence,
        )
    )


class ErasingOnPostgres:
    """The part of the store that erases a person's data."""

    _main: Pool
    _readers: Pool

    async def erase_order(
        self, account_id: str, order_id: str, *, erase: Erase, abandon: bool, now: datetime
    ) -> Erased:
        work = partial(
            erase_order,
            account_id=account_id,
            order_id=order_id,
            erase=erase,
            abandon=abandon,
            now=now,
        )
        return await written(self._main, work)

    async def erased_body(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int
    ) -> ErasedBody | None:
        async with self._readers.session() as session:
            return await erased_body(session, account_id, endpoint_id, order_id, sequence)

    async def finish_erasing(self) -> None:
        """Its own vacuum takes the old rows away; when is a matter of the database's settings."""
