"""The intake transaction: read, decide, and write everything that was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from milepost.delivery.model import (
    Body,
    Claimed,
    DeliveryState,
    EndpointState,
    LanePolicy,
    NewDelivery,
)
from milepost.orders.model import Order, Parcel
from milepost.ports import Changes, Decide, Lease, Mentioned, OrderRef, Quarantined
from milepost.store.client_rows import rehearsal_row
from milepost.store.compression import compressed_rows
from milepost.store.rows import (
    Row,
    content_row,
    event_row,
    micros,
    order_row,
    parcel_row,
    quarantined_row,
)
from milepost.store.sqlite.receiving import write_receipts
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.snapshot import read_snapshot

Name = tuple[str, str]
"""An order's account and id."""

Lane = tuple[str, str, str]
"""A lane's account, order and endpoint."""

_PENDING = DeliveryState.PENDING.value
_ABANDONED = DeliveryState.ABANDONED.value


def change_orders(
    session: Session,
    refs: Sequence[OrderRef],
    *,
    decide: Decide,
    lease: Lease,
    now: datetime,
    mentioned: Mentioned,
    registry: Registry,
) -> list[Claimed]:
    """Writes what `decide` makes of the orders; returns the deliveries whose lanes are leased."""
    snapshot = read_snapshot(session, refs, mentioned=mentioned, registry=registry)
    changes = decide(snapshot)
    before = {(o.account_id, o.order_id): o for o in snapshot.orders if o is not None}
    _write_orders(session, changes, before=before)
    if changes.events:
        session.batch("insert_events", list(map(event_row, changes.events)))
    if changes.rehearsals:
        session.batch("put_rehearsals", list(map(rehearsal_row, changes.rehearsals)))
    if changes.released or changes.quarantined:
        _write_quarantine(session, changes, now=now)
    write_receipts(session, changes)
    if not changes.deliveries:
        return []
    created = {(order.account_id, order.order_id) for order in changes.created}
    return queue_deliveries(session, changes.deliveries, created=created, lease=lease, now=now)


# orders


def _write_orders(session: Session, changes: Changes, *, before: Mapping[Name, Order]) -> None:
    contents: list[Row] = []
    parcels: list[Row] = []
    for order in changes.created:
        contents.append(content_row(order, changes.told))
        if order.parcels:
            parcels += _parcel_rows(order, known=())
    gone: list[Row] = []
    for order in changes.changed:
        known = before.get((order.account_id, order.order_id))
        if known is None or not _same_content(order, known):
            contents.append(content_row(order, changes.told))
        known_parcels = known.parcels if known is not None else ()
        if order.parcels is not known_parcels:
            parcels += _parcel_rows(order, known=known_parcels)
            gone += _parcels_gone(order, known=known_parcels)
    if changes.created:
        session.batch("insert_orders", list(map(order_row, changes.created)))
    if changes.changed:
        session.batch("update_orders", list(map(order_row, changes.changed)))
    session.batch("put_contents", compressed_rows(contents))
    if gone:
        session.batch("delete_parcels", gone)
    if parcels:
        session.batch("put_parcels", parcels)


def _same_content(order: Order, known: Order) -> bool:
    return order.content is known.content or order.content == known.content


def _parcel_rows(order: Order, *, known: tuple[Parcel, ...]) -> Iterable[Row]:
    """The rows of those parcels that are new, changed or at another place."""
    for position, parcel in enumerate(order.parcels):
        if position >= len(known) or not (known[position] is parcel or known[position] == parcel):
            yield parcel_row(order, parcel, position=position)


def _parcels_gone(order: Order, *, known: tuple[Parcel, ...]) -> Iterable[Row]:
    left = {parcel.parcel for parcel in order.parcels}
    return ((order.account_id, order.order_id, p.parcel) for p in known if p.parcel not in left)


def _write_quarantine(session: Session, changes: Changes, *, now: datetime) -> None:
    rows: dict[tuple[str, str], Quarantined] = {}
    for kept in changes.released:
        rows[kept.account_id, kept.update_id] = msgspec.structs.replace(
            kept, released_at=kept.released_at or now
        )
    for kept in changes.quarantined:
        rows[kept.account_id, kept.update_id] = kept
    session.batch("put_quarantined", list(map(quarantined_row, rows.values())))


# deliveries


def queue_deliveries(
    session: Session,
    deliveries: Sequence[NewDelivery],
    *,
    created: set[Name],
    lease: Lease | None,
    now: datetime,
    first_variant: int = 0,
) -> list[Claimed]:
    """Queues deliveries in their lanes; leases the new lanes that ask for it.

    `created` are the orders that this transaction made, whose lanes are known to be empty.
    `first_variant` is the number of an event's first new body: events of this transaction have
    none before.
    """
    queue = _Queue(session, lease=lease, now=now, first_variant=first_variant)
    queue.look_up(deliveries, created=created)
    for delivery in deliveries:
        queue.add(delivery)
    queue.write()
    return queue.claimed


class _Queue:
    """Deliveries of one transaction on their way into their lanes."""

    def __init__(
        self, session: Session, *, lease: Lease | None, now: datetime, first_variant: int
    ) -> None:
        self._session = session
        self._first_variant = first_variant
        self._lease = lease
        self._leased = (None, None) if lease is None else (lease.owner, micros(lease.until))
        self._now = micros(now)
        self._received_at = now
        # The latest sequence of each lane that was looked up or added to.
        self._latest: dict[Lane, int] = {}
        self._standing: set[Lane] = set()
        self._held: set[Lane] = set()
        # The newest of each lane in which it makes others needless.
        self._superseding: dict[Lane, int] = {}
        self._variants: dict[tuple[str, str, int], list[Body]] = {}
        self._deliveries: list[Row] = []
        self._bodies: list[Row] = []
        self._lanes: list[Row] = []
        self.claimed: list[Claimed] = []

    def look_up(self, deliveries: Sequence[NewDelivery], *, created: set[Name]) -> None:
        """Reads what is known of the lanes of orders that were there before."""
        lanes: dict[Lane, None] = {}
        for delivery in deliveries:
            account_id = delivery.endpoint.account_id
            if (account_id, delivery.order_id) not in created:
                lanes[account_id, delivery.order_id, delivery.endpoint.endpoint_id] = None
        if not lanes:
            return
        wanted = list(lanes)
        rows = self._session.batch("lanes_before", [(i, *lane) for i, lane in enumerate(wanted)])
        for position, sequence, state, standing in rows:
            lane = wanted[position]
            self._latest[lane] = sequence
            if standing:
                self._standing.add(lane)
            elif state == _ABANDONED:
                self._held.add(lane)

    def add(self, delivery: NewDelivery) -> None:
        endpoint = delivery.endpoint
        account_id, order_id, sequence = endpoint.account_id, delivery.order_id, delivery.sequence
        lane = (account_id, order_id, endpoint.endpoint_id)
        previous = self._latest.get(lane, 0)
        self._latest[lane] = sequence
        variant = self._variant(account_id, order_id, sequence, body=delivery.body)
        history = (sequence, previous, delivery.status, _PENDING)
        self._deliveries.append((*lane, *history, self._now, 0, 0, 0, self._now, variant))
        if lane not in self._standing:
            self._standing.add(lane)
            self._begin(lane, delivery, previous=previous)
        elif delivery.supersedes:
            self._superseding[lane] = sequence

    def _begin(self, lane: Lane, delivery: NewDelivery, *, previous: int) -> None:
        """A new lane, whose head this delivery is; one that was given up under `hold` waits."""
        endpoint = delivery.endpoint
        held = endpoint.lane_policy is LanePolicy.HOLD and lane in self._held
        leased = (
            delivery.lease
            and self._lease is not None
            and endpoint.state is EndpointState.ACTIVE
            and not held
        )
        due_at = None if held else self._now
        lease = self._leased if leased else (None, None)
        self._lanes.append((lane[0], lane[2], lane[1], delivery.sequence, due_at, *lease))
        if leased:
            self.claimed.append(
                Claimed(
                    endpoint=endpoint,
                    order_id=delivery.order_id,
                    sequence=delivery.sequence,
                    previous=previous,
                    attempts=0,
                    tries=0,
                    replay=0,
                    body=delivery.body,
                    received_at=self._received_at,
                )
            )

    def _variant(self, account_id: str, order_id: str, sequence: int, *, body: Body) -> int:
        """The number of these bytes among the bodies of one event; equal ones are kept once."""
        event = (account_id, order_id, sequence)
        known = self._variants.get(event)
        if known is None:
            known = self._variants[event] = []
        for variant, other in enumerate(known, self._first_variant):
            if other is body or other == body:
                return variant
        variant = self._first_variant + len(known)
        known.append(body)
        self._bodies.append((*event, variant, body.content_type, body.content))
        return variant

    def write(self) -> None:
        self._session.batch("insert_deliveries", self._deliveries)
        self._session.batch("insert_bodies", compressed_rows(self._bodies))
        self._session.batch("insert_lanes", self._lanes)
        if self._superseding:
            self._supersede()

    def _supersede(self) -> None:
        newest, moved = [], []
        for (account_id, order_id, endpoint_id), sequence in self._superseding.items():
            newest.append((self._now, account_id, order_id, endpoint_id, sequence))
            moved.append((account_id, endpoint_id, order_id))
        self._session.batch("supersede", newest)
        self._session.batch("move_past_superseded", moved)
