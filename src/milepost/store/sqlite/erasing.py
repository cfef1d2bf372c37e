"""A person's data on SQLite: what is left of an order when it is erased."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from milepost.errors import DeliveriesPending, UnknownRecord
from milepost.ports import OrderRef
from milepost.ports.upkeep import Erase, Erased, ErasedBody
from milepost.store.compression import plain
from milepost.store.rows import content_bytes, event_row, micros, parcel_row
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.receiving import erase_receipts
from milepost.store.sqlite.session import Session, connect, store_errors
from milepost.store.sqlite.snapshot import read_orders
from milepost.store.sqlite.writer import Writer
from milepost.store.upkeep_rows import (
    BODIES_AT_ONCE,
    ERASED_IN_PLACE,
    PERSON_SCOPE,
    digest_of,
    erased_body_of,
    erased_quarantined,
)

CHECKPOINT_TURNS, CHECKPOINT_WAITS_MS, CHECKPOINT_PAUSE_S = 5, 50, 0.1


@contextmanager
def overwriting(session: Session) -> Generator[None, None, None]:
    """What is deleted or replaced inside is overwritten in the file too."""
    session.connection.execute("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        session.connection.execute("PRAGMA secure_delete = OFF")


def erase_order(
    session: Session,
    account_id: str,
    order_id: str,
    *,
    erase: Erase,
    abandon: bool,
    now: datetime,
) -> Erased:
    (order,) = read_orders(session, [OrderRef(account_id, order_id=order_id)])
    if order is None:
        raise UnknownRecord(order_id)
    if order.erased_at is not None:
        return Erased(order, abandoned=0)
    named = {"account_id": account_id, "order_id": order_id}
    ((pending,),) = session.rows("pending_of_order", **named)
    if pending and not abandon:
        raise DeliveriesPending(pending)
    if pending:
        session.write("abandon_order", **named, now=micros(now))
        session.write("drop_lanes_of_order", **named)
    after, event = erase(order)
    with overwriting(session):
        session.write("mark_erased", **named, sequence=after.sequence, now=micros(now))
        session.batch("put_contents", [(account_id, order_id, content_bytes(after.content))])
        session.write("clear_parcels", **named, limit=len(order.parcels))
    parcels = [parcel_row(after, parcel, position=i) for i, parcel in enumerate(after.parcels)]
    session.batch("put_parcels", parcels)
    session.write("clear_tracking", **named)
    session.batch("insert_events", [event_row(event)])
    session.write("add_removal", **named, scope=PERSON_SCOPE, now=micros(now))
    return Erased(after, abandoned=pending)


def erased_body(
    session: Session, account_id: str, endpoint_id: str, order_id: str, sequence: int
) -> ErasedBody | None:
    return erased_body_of(
        session.row(
            "erased_body",
            account_id=account_id,
            endpoint_id=endpoint_id,
            order_id=order_id,
            sequence=sequence,
        )
    )


def clear_person(session: Session, order: dict[str, str], *, limit: int) -> int:
    cleared = _erase_bodies(session, order, limit=limit)
    for statement in ERASED_IN_PLACE:
        if cleared < limit:
            cleared += session.write(statement, **order, limit=limit - cleared)
    if cleared < limit:
        cleared += _erase_quarantined(session, order, limit=limit - cleared)
    if cleared < limit:
        cleared += erase_receipts(session, order, limit=limit - cleared)
    return cleared


def _erase_bodies(session: Session, order: dict[str, str], *, limit: int) -> int:
    erased = 0
    while erased < limit:
        some = min(limit - erased, BODIES_AT_ONCE)
        rows = session.rows("bodies_to_erase", **order, limit=some)
        for sequence, variant, content_type, kept in rows:
            content = plain(kept)
            body = {**order, "sequence": sequence, "variant": variant}
            session.write(
                "add_erased_body",
                **body,
                content_type=content_type,
                size=len(content),
                digest=digest_of(content),
            )
            session.write("drop_body", **body)
        erased += len(rows)
        if len(rows) < some:
            break
    return erased


def _erase_quarantined(session: Session, order: dict[str, str], *, limit: int) -> int:
    changes = erased_quarantined(session.rows("quarantined_of_order", **order))
    for change in changes[:limit]:
        session.write("erase_quarantined", **change)
    return min(len(changes), limit)


class ErasingOnSqlite:
    """The part of the store that erases a person's data."""

    _path: Path
    _writer: Writer
    _readers: Readers

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
        return await self._writer.run(work)

    async def erased_body(
        self, account_id: str, endpoint_id: str, order_id: str, sequence: int
    ) -> ErasedBody | None:
        work = partial(
            erased_body,
            account_id=account_id,
            endpoint_id=endpoint_id,
            order_id=order_id,
            sequence=sequence,
        )
        return await self._readers.run(work)

    async def finish_erasing(self) -> None:
        """Writes the log back and begins it anew; while others read, a later one does."""
        await asyncio.to_thread(_begin_log_anew, self._path)


def _begin_log_anew(path: Path) -> None:
    with store_errors():
        connection = connect(path)
        try:
            # Whoever waits here keeps all that write waiting.
            connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAITS_MS}")
            for _ in range(CHECKPOINT_TURNS):
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    break
                time.sleep(CHECKPOINT_PAUSE_S)
        finally:
            connection.close()
