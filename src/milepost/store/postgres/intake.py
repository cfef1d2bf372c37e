"""Intake: read, decide, and write everything that was decided, or else decide again.

Nothing is locked while a decision is made. What keeps it true is checked by the one statement that
writes: an order that somebody else has changed meanwhile has the event already that this one would
append, an order that somebody else has created has the key, and `stand_still` and `miss_no_keys`
look after the rest. Then the decision is made anew on what is there now. After a few such turns the
orders are locked first, so that nobody waits for ever.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from milepost.delivery.model import Claimed, LanePolicy
from milepost.errors import StoreError
from milepost.orders.events import Verdict
from milepost.orders.model import Order, Parcel
from milepost.ports import Changes, Decide, Lease, Mentioned, OrderRef, Quarantined, Snapshot
from milepost.store.client_rows import rehearsal_row
from milepost.store.compression import compressed_rows
from milepost.store.postgres.commands import batch
from milepost.store.postgres.leases import Held, Lane, Leases
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.queue import Queue, lane_of, lanes_of, look_up
from milepost.store.postgres.registry import Registry
from milepost.store.postgres.session import OrderAlreadyThere, Outdated, Session, is_in_doubt
from milepost.store.postgres.snapshot import Key, Read, read_snapshot
from milepost.store.receiving_rows import decided_rows, receipt_rows
from milepost.store.rows import (
    Row,
    content_row,
    event_row,
    micros,
    order_row,
    parcel_row,
    quarantined_row,
)

FREE_TURNS = 3
"""How often it is tried without locking the orders."""

TURNS = 12
LONGEST_PAUSE_S = 0.05

KEY_LOCKS = 64
"""How many locks the natural keys fall to; a transaction can hold no more than so many."""


class Taken(NamedTuple):
    """What an intake has leased, in which of those lanes more follows, and what it left to do."""

    claimed: Sequence[Claimed] = ()
    followed: Collection[Lane] = ()
    leaves_work: bool = False


async def change_orders(
    pool: Pool,
    refs: Sequence[OrderRef],
    *,
    decide: Decide,
    lease: Lease,
    now: datetime,
    mentioned: Mentioned,
    registry: Registry,
    leases: Leases,
) -> Taken:
    """Commits what `decide` makes of the orders; it is called once for each turn."""
    one: _Turn | None = None
    seen: Snapshot | None = None
    for turn in range(TURNS):
        try:
            async with pool.session() as session:
                one = _Turn(
                    session, refs, lease=lease, now=now, mentioned=mentioned, registry=registry
                )
                taken = await one.take(decide, locking=turn >= FREE_TURNS, unlike=seen)
        except Outdated as error:
            seen = (
                one.snapshot if one is not None and isinstance(error, OrderAlreadyThere) else None
            )
            await asyncio.sleep(random.uniform(0, min(0.001 * 2**turn, LONGEST_PAUSE_S)))
        except BaseException as error:
            if is_in_doubt(error):
                leases.doubt(lease.owner)
            raise
        else:
            for claimed in taken.claimed:
                lane = lane_of(claimed)
                alone = lane not in taken.followed
                held = Held(claimed.sequence, attempts=0, revision=0, alone=alone)
                leases.took(lease.owner, lane, held)
            return taken
    raise StoreError("Others keep changing the same orders")


class _Turn:
    """One try to decide and to write."""

    def __init__(
        self,
        session: Session,
        refs: Sequence[OrderRef],
        *,
        lease: Lease,
        now: datetime,
        mentioned: Mentioned,
        registry: Registry,
    ) -> None:
        self._session = session
        self._refs = refs
        self._mentioned = mentioned
        self._lease = lease
        self._now = now
        self._registry = registry
        self.snapshot: Snapshot | None = None

    async def take(self, decide: Decide, *, locking: bool, unlike: Snapshot | None) -> Taken:
        """Raises Outdated when it must be tried again; StoreError when that cannot help."""
        if locking:
            async with self._session.transaction():
                read = await self._read()
                await self._lock_orders(read.snapshot.orders)
                return await self._decide(await self._read(), decide, within=True)
        read = await self._read()
        if unlike is not None and read.snapshot == unlike:
            raise StoreError("The changes are at odds with what is stored")
        return await self._decide(read, decide, within=False)

    async def _read(self) -> Read:
        read = await read_snapshot(
            self._session, self._refs, mentioned=self._mentioned, registry=self._registry
        )
        self.snapshot = read.snapshot
        return read

    async def _lock_orders(self, orders: Sequence[Order | None]) -> None:
        names = [(o.account_id, o.order_id) for o in orders if o is not None]
        if names:
            await self._session.batch("lock_orders", names)

    async def _decide(self, read: Read, decide: Decide, *, within: bool) -> Taken:
        changes = decide(read.snapshot)
        created = {(order.account_id, order.order_id) for order in changes.created}
        lanes = lanes_of(changes.deliveries, created=created)
        superseding = any(delivery.supersedes for delivery in changes.deliveries)
        holding = any(lanes[lane].endpoint.lane_policy is LanePolicy.HOLD for lane in lanes)
        if not (holding or superseding):
            return await self._write(read, changes, lanes=lanes)
        # Whether a lane that may be held begins anew depends on how it ended, so that none may end
        # between the look at it and the write; and what is superseded may not be claimed between.
        # All are locked, in the order that everybody keeps.
        if within:
            return await self._hold_and_write(read, changes, lanes=lanes)
        async with self._session.transaction():
            await self._lock_orders(changes.changed)
            return await self._hold_and_write(read, changes, lanes=lanes)

    async def _hold_and_write(
        self, read: Read, changes: Changes, *, lanes: Collection[Lane]
    ) -> Taken:
        for account_id in sorted(read.versions):
            await self._session.row("share_setup", account_id=account_id)
        await self._session.batch("lock_lanes", sorted(lanes))
        return await self._write(read, changes, lanes=lanes)

    async def _write(self, read: Read, changes: Changes, *, lanes: Collection[Lane]) -> Taken:
        before = await look_up(self._session, lanes)
        queue = Queue(before=before, lease=self._lease, now=self._now)
        for delivery in changes.deliveries:
            queue.add(delivery)
        written = _order_rows(changes, before=_by_name(read.snapshot.orders))
        written |= _quarantine_rows(changes, now=self._now)
        written |= queue.rows()
        written["put_rehearsals"] = list(map(rehearsal_row, changes.rehearsals))
        written["insert_receipts"] = receipt_rows(changes)
        written["decide_receipts"] = decided_rows(changes)
        arguments = {name: batch(name).arguments(rows) for name, rows in written.items() if rows}
        if not arguments:
            return Taken()
        arguments = _guards(read, changes) | arguments
        await self._session.compound(
            tuple(arguments), [value for values in arguments.values() for value in values]
        )
        if superseding := queue.superseding():
            await self._supersede(superseding)
        followed = [lane for lane in map(lane_of, queue.claimed) if queue.follows(lane)]
        return Taken(queue.claimed, frozenset(followed), queue.leaves_work)

    async def _supersede(self, lanes: Sequence[Row]) -> None:
        """For whoever has locked these lanes, each with the newest in it."""
        now = micros(self._now)
        await self._session.batch("record_waiting_heads", lanes)
        changed = await self._session.batch("supersede", lanes, now)
        moved = sorted({(row[0], row[1], row[2]) for row in changed})
        if moved:
            await self._session.batch("move_past_superseded", moved)


def _by_name(orders: Iterable[Order | None]) -> Mapping[tuple[str, str], Order]:
    return {(o.account_id, o.order_id): o for o in orders if o is not None}


# rows


def _order_rows(
    changes: Changes, *, before: Mapping[tuple[str, str], Order]
) -> dict[str, Sequence[Row]]:
    created = sorted(changes.created, key=lambda o: (o.account_id, o.order_key, o.store))
    changed = sorted(changes.changed, key=lambda o: (o.account_id, o.order_id))
    parcels = [row for order in created for row in _parcel_rows(order, known=())]
    gone: list[Row] = []
    contents: list[Row] = []
    for order in changed:
        known = before.get((order.account_id, order.order_id))
        if known is None or not _same_content(order, known):
            contents.append(content_row(order, changes.told))
        known_parcels = known.parcels if known is not None else ()
        if order.parcels is not known_parcels:
            parcels += _parcel_rows(order, known=known_parcels)
            gone += _parcels_gone(order, known=known_parcels)
    return {
        "insert_orders": list(map(order_row, created)),
        "update_orders": list(map(order_row, changed)),
        "insert_contents": compressed_rows([content_row(order, changes.told) for order in created]),
        "update_contents": compressed_rows(contents),
        "delete_parcels": gone,
        "put_parcels": parcels,
        "insert_events": sorted(map(event_row, changes.events), key=_event_key),
    }


_event_key = itemgetter(slice(0, 3))


def _same_content(order: Order, known: Order) -> bool:
    return order.content is known.content or order.content == known.content


def _parcel_rows(order: Order, *, known: tuple[Parcel, ...]) -> list[Row]:
    """The rows of those parcels that are new, changed or at another place."""
    return [
        parcel_row(order, parcel, position=position)
        for position, parcel in enumerate(order.parcels)
        if position >= len(known) or not (known[position] is parcel or known[position] == parcel)
    ]


def _parcels_gone(order: Order, *, known: tuple[Parcel, ...]) -> list[Row]:
    left = {parcel.parcel for parcel in order.parcels}
    return [(order.account_id, order.order_id, p.parcel) for p in known if p.parcel not in left]


def _quarantine_rows(changes: Changes, *, now: datetime) -> dict[str, Sequence[Row]]:
    rows: dict[tuple[str, str], Quarantined] = {}
    for kept in changes.released:
        rows[kept.account_id, kept.update_id] = msgspec.structs.replace(
            kept, released_at=kept.released_at or now
        )
    for kept in changes.quarantined:
        rows[kept.account_id, kept.update_id] = kept
    return {"put_quarantined": [quarantined_row(rows[name]) for name in sorted(rows)]}


# what must still be so


def _guards(read: Read, changes: Changes) -> dict[str, list[Any]]:
    """The statements that refuse to write what was decided on something outdated."""
    versions = sorted(read.versions.items())
    guards = {"stand_still": batch("stand_still").arguments(versions)}
    waiting = read.snapshot.waiting
    created = {(o.account_id, o.store, o.order_key) for o in changes.created} & waiting.keys()
    kept = {
        (q.account_id, q.store, q.order_key)
        for q in changes.quarantined
        if q.verdict is Verdict.ORPHAN and q.store is not None and q.order_key is not None
    } & waiting.keys()
    if created or kept:
        known = [orphan.update_id for key in created for orphan in waiting[key]]
        guards["miss_no_keys"] = _key_guard(sorted(created), sorted(kept - created), known)
    return guards


def _key_guard(created: Sequence[Key], kept: Sequence[Key], known: list[str]) -> list[Any]:
    locks = {_lock_of(key): False for key in created}
    locks |= {_lock_of(key): True for key in kept}
    numbers = sorted(locks)
    columns = [
        numbers,
        [locks[number] for number in numbers],
        *(zip(*created, strict=True) if created else ((), (), ())),
        known,
        *(zip(*kept, strict=True) if kept else ((), (), ())),
    ]
    return batch("miss_no_keys").pack(columns)


def _lock_of(key: Key) -> int:
    """Which lock a natural key falls to, in every process the same."""
    return zlib.crc32("\x1f".join(key).encode(errors="surrogatepass")) % KEY_LOCKS
