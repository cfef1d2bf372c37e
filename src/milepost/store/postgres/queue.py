"""Deliveries of one transaction on their way into their lanes, as rows to write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from milepost.delivery.model import Body, Claimed, EndpointState, LanePolicy, NewDelivery
from milepost.ports import Lease
from milepost.store.compression import compressed_rows
from milepost.store.postgres.leases import Lane
from milepost.store.postgres.session import Session
from milepost.store.rows import Row, micros

OrderName = tuple[str, str]
"""An order's account and id."""


class Before(NamedTuple):
    """What was queued for a lane before: the latest sequence, and how that stands."""

    sequence: int = 0
    is_given_up: bool = False
    stands: bool = False


NOTHING = Before()


async def look_up(session: Session, lanes: Iterable[Lane]) -> Mapping[Lane, Before]:
    """What was queued for these lanes before; those for which nothing was are left out."""
    wanted = sorted(lanes)
    if not wanted:
        return {}
    return {
        wanted[position - 1]: Before(max(sequence, head or 0), is_given_up, head is not None)
        for position, sequence, is_given_up, head in await session.batch("lanes_before", wanted)
    }


def lanes_of(
    deliveries: Iterable[NewDelivery], *, created: Collection[OrderName]
) -> Mapping[Lane, NewDelivery]:
    """The lanes of orders that were there before, each with the first delivery for it."""
    lanes: dict[Lane, NewDelivery] = {}
    for delivery in deliveries:
        account_id, endpoint_id = delivery.endpoint.account_id, delivery.endpoint.endpoint_id
        if (account_id, delivery.order_id) not in created:
            lanes.setdefault((account_id, endpoint_id, delivery.order_id), delivery)
    return lanes


class Queue:
    """Gathers rows, and says afterwards which deliveries are leased.

    `before` tells of the lanes of orders that this transaction has not made. `first_variant` is
    the number of an event's first new body: events of this transaction have none before.
    """

    def __init__(
        self,
        *,
        before: Mapping[Lane, Before],
        lease: Lease | None,
        now: datetime,
        first_variant: int = 0,
    ) -> None:
        self._before = before
        self._leased: tuple[str | None, int | None]
        self._leased = (None, None) if lease is None else (lease.owner, micros(lease.until))
        self._received_at = now
        self._now = micros(now)
        self._first_variant = first_variant
        self._variants: dict[tuple[str, str, int], list[Body]] = {}
        self._latest: dict[Lane, int] = {}
        self._firsts: dict[Lane, int] = {}
        self._new: dict[Lane, Row] = {}
        self._superseding: dict[Lane, int] = {}
        self._deliveries: list[Row] = []
        self._bodies: list[Row] = []
        self.claimed: list[Claimed] = []
        self.leaves_work = False

    def add(self, delivery: NewDelivery) -> None:
        endpoint = delivery.endpoint
        account_id, order_id, sequence = endpoint.account_id, delivery.order_id, delivery.sequence
        lane = (account_id, endpoint.endpoint_id, order_id)
        variant = self._variant(account_id, order_id, sequence, body=delivery.body)
        latest = self._latest.get(lane)
        self._latest[lane] = sequence
        if latest is None:
            self._firsts[lane] = sequence
            before = self._before.get(lane, NOTHING)
            latest = before.sequence
            if before.stands and delivery.supersedes:
                self._superseding[lane] = sequence
            if not before.stands and self._begin(lane, delivery, before, variant=variant):
                return
        elif delivery.supersedes:
            self._superseding[lane] = sequence
        self._deliveries.append(
            (
                account_id,
                order_id,
                endpoint.endpoint_id,
                sequence,
                latest,
                delivery.status,
                self._now,
                variant,
            )
        )

    def _begin(self, lane: Lane, delivery: NewDelivery, before: Before, *, variant: int) -> bool:
        """Begins a lane; whether its head stands in it. It does not where the lane is held."""
        endpoint = delivery.endpoint
        if before.is_given_up and endpoint.lane_policy is LanePolicy.HOLD:
            self._new[lane] = (None, None, None, None, None, None, None)
            return False
        wanted = delivery.lease and endpoint.state is EndpointState.ACTIVE
        leased = self._leased if wanted else (None, None)
        if leased[0] is None:
            self.leaves_work = True
        else:
            self.claimed.append(self._claim(delivery, before.sequence))
        head = (delivery.status, before.sequence, variant, self._now)
        self._new[lane] = (self._now, *leased, *head)
        return True

    def _claim(self, delivery: NewDelivery, previous: int) -> Claimed:
        return Claimed(
            endpoint=delivery.endpoint,
            order_id=delivery.order_id,
            sequence=delivery.sequence,
            previous=previous,
            attempts=0,
            tries=0,
            replay=0,
            body=delivery.body,
            received_at=self._received_at,
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

    def follows(self, lane: Lane) -> bool:
        """Whether more was queued in the lane than the first."""
        return self._latest[lane] > self._firsts[lane]

    def superseding(self) -> list[Row]:
        """The lanes in which the newest makes others needless, and its sequence, in their order."""
        return [(*lane, sequence) for lane, sequence in sorted(self._superseding.items())]

    def rows(self) -> dict[str, Sequence[Row]]:
        """What is written, by the statement that writes it; lanes in the order of their key."""
        lanes = sorted(self._firsts)
        return {
            "insert_deliveries": self._deliveries,
            "insert_bodies": compressed_rows(self._bodies),
            "insert_lanes": [
                (*lane, self._firsts[lane], self._latest[lane], *self._new[lane])
                for lane in lanes
                if lane in self._new
            ],
            "append_to_lanes": [
                (*lane, self._firsts[lane], self._latest[lane], self._now)
                for lane in lanes
                if lane not in self._new
            ],
        }


def lane_of(claimed: Claimed) -> Lane:
    """The lane of a claimed delivery."""
    endpoint = claimed.endpoint
    return endpoint.account_id, endpoint.endpoint_id, claimed.order_id
