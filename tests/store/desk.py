"""A store as the tests drive it: one call after another, with changes decided beforehand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from milepost.delivery.model import (
    Attempt,
    Body,
    Claimed,
    Delivery,
    DeliveryState,
    Endpoint,
    LanePolicy,
    NewDelivery,
    Outcome,
)
from milepost.delivery.outcome import Acknowledge, Step
from milepost.orders.events import EventType, OrderEvent, Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Address, Line, Order, OrderContent
from milepost.ports import (
    Account,
    Changes,
    Decide,
    DeliveryFilter,
    Lease,
    OrderRef,
    Page,
    Quarantined,
    Settlement,
    Snapshot,
    Store,
)
from milepost.store.sqlite import SqliteStore

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]

OPENERS: dict[str, Callable[[Path], Store]] = {
    "sqlite": lambda folder: SqliteStore(folder / "milepost.db")
}
"""Every kind of store, not open yet, on a database in this folder."""

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_001, tzinfo=UTC)
ACCOUNT, OTHER = "acc_one", "acc_two"
ME, SOMEONE = "me", "someone"


def at(seconds: float) -> datetime:
    """So long after NOW."""
    return NOW + timedelta(seconds=seconds)


def an_endpoint(name: str = "ep_a", *, account_id: str = ACCOUNT, **given: Any) -> Endpoint:
    return Endpoint(
        **{
            "account_id": account_id,
            "endpoint_id": name,
            "contract": "standard",
            "url": f"https://{name}.example/in",
            "schedule": "steady",
            "created_at": NOW,
            "updated_at": NOW,
            "secrets": ("whsec_one", "whsec_two"),
            **given,
        }
    )


HOLD = {"lane_policy": LanePolicy.HOLD}


def an_order(key: str, *, account_id: str = ACCOUNT, **given: Any) -> Order:
    return Order(
        **{
            "account_id": account_id,
            "order_id": f"ord_{key.lower()}",
            "store": "shop",
            "order_key": key,
            "state": State.CREATED,
            "state_at": NOW,
            "sequence": 1,
            "created_at": NOW,
            "updated_at": NOW,
            "content": OrderContent(
                order_number=f"N-{key}",
                currency="USD",
                ship_to=Address(name="Ada", city="Turin", country_code="IT"),
                lines=(Line(sku="SKU-1", quantity=2),),
            ),
            **given,
        }
    )


def an_event(order: Order, **given: Any) -> OrderEvent:
    return OrderEvent(
        **{
            "account_id": order.account_id,
            "order_id": order.order_id,
            "sequence": order.sequence,
            "type": EventType.CREATED if order.sequence == 1 else EventType.STATE_CHANGED,
            "state": order.state,
            "previous_state": order.previous_state,
            "source": "api",
            "occurred_at": order.state_at,
            "received_at": NOW,
            **given,
        }
    )


def a_delivery(
    endpoint: Endpoint,
    order: Order,
    *,
    lease: bool = False,
    body: Body | None = None,
    supersedes: bool = False,
) -> NewDelivery:
    return NewDelivery(
        endpoint=endpoint,
        order_id=order.order_id,
        sequence=order.sequence,
        status=order.state.value,
        body=body or Body(f"{order.order_id} {order.sequence}".encode()),
        lease=lease,
        supersedes=supersedes,
    )


def moved(order: Order, state: State, **given: Any) -> Order:
    """The order one event later."""
    return msgspec.structs.replace(
        order, state=state, previous_state=order.state, sequence=order.sequence + 1, **given
    )


def an_attempt(claimed: Claimed, outcome: Outcome = Outcome.ACKNOWLEDGED, **given: Any) -> Attempt:
    return Attempt(
        **{
            "attempt": claimed.attempts + 1,
            "replay": claimed.replay,
            "started_at": NOW,
            "duration_ms": 12.5,
            "outcome": outcome,
            "status": 204,
            **given,
        }
    )


def kept(update_id: str, verdict: Verdict = Verdict.ORPHAN, **given: Any) -> Quarantined:
    return Quarantined(
        **{
            "account_id": ACCOUNT,
            "update_id": update_id,
            "verdict": verdict,
            "why": "because",
            "source": "warehouse",
            "store": "shop",
            "order_key": "K1",
            "order_id": None,
            "occurred_at": at(-60),
            "received_at": NOW,
            "update": Update(source="warehouse", state=State.PICKING, raw="PICK"),
            **given,
        }
    )


def names(found: Sequence[Claimed]) -> list[tuple[str, str, int]]:
    """What a claim is known by, sorted."""
    return sorted((c.endpoint.endpoint_id, c.order_id, c.sequence) for c in found)


@dataclass
class Desk:
    """One account's doings at a store."""

    store: Store
    run: Run[Any]
    account_id: str = ACCOUNT
    snapshots: list[Snapshot] = field(default_factory=list)

    def open_account(self, *, stores: Sequence[str] = ("shop",)) -> None:
        self.run(self.store.add_account(Account(self.account_id, "One", NOW)))
        for name in stores:
            self.run(self.store.put_store(self.account_id, name, name=name, number=None, now=NOW))

    def endpoint(self, name: str = "ep_a", **given: Any) -> Endpoint:
        """An endpoint on record."""
        endpoint = an_endpoint(name, account_id=self.account_id, **given)
        self.run(self.store.put_endpoint(endpoint))
        return endpoint

    def change(
        self,
        changes: Changes | Decide,
        *,
        refs: Sequence[OrderRef] = (),
        now: datetime = NOW,
        owner: str = ME,
        until: datetime | None = None,
    ) -> Sequence[Claimed]:
        """Commits these changes; keeps the snapshot that was handed to the decision."""

        def decide(snapshot: Snapshot) -> Changes:
            self.snapshots.append(snapshot)
            return changes(snapshot) if callable(changes) else changes

        lease = Lease(owner, until or now + timedelta(seconds=60))
        found: Sequence[Claimed] = self.run(
            self.store.change_orders(
                refs or [OrderRef(self.account_id)], decide=decide, lease=lease, now=now
            )
        )
        return found

    def place(
        self, key: str, *, to: Sequence[Endpoint] = (), lease: bool = False, **given: Any
    ) -> Order:
        """A new order whose first event is told to these endpoints."""
        now = given.pop("now", NOW)
        order = an_order(key, account_id=self.account_id, **given)
        self.change(
            Changes(
                created=[order],
                events=[an_event(order)],
                deliveries=[a_delivery(endpoint, order, lease=lease) for endpoint in to],
            ),
            refs=[OrderRef(self.account_id, store=order.store, order_key=key)],
            now=now,
        )
        return order

    def move(
        self, order: Order, *states: State, to: Sequence[Endpoint] = (), **given: Any
    ) -> Order:
        """The order after these states, one event each, all in one transaction."""
        now, lease = given.pop("now", NOW), given.pop("lease", False)
        events, deliveries = [], []
        for state in states:
            order = moved(order, state, **given)
            events.append(an_event(order))
            deliveries += [a_delivery(endpoint, order, lease=lease) for endpoint in to]
        self.change(
            Changes(changed=[order], events=events, deliveries=deliveries),
            refs=[OrderRef(self.account_id, order_id=order.order_id)],
            now=now,
        )
        return order

    def claim(
        self,
        *,
        owner: str = ME,
        now: datetime = NOW,
        lease_s: float = 60,
        held: dict[str, int] | None = None,
        room: int = 1_000,
        limit: int = 1_000,
    ) -> Sequence[Claimed]:
        lease = Lease(owner, now + timedelta(seconds=lease_s))
        found: Sequence[Claimed] = self.run(
            self.store.claim(lease=lease, now=now, held=held or {}, room=room, limit=limit)
        )
        return found

    def settle(
        self,
        *claimed: Claimed,
        step: Step | None = None,
        outcome: Outcome = Outcome.ACKNOWLEDGED,
        owner: str = ME,
        now: datetime = NOW,
    ) -> Sequence[Claimed]:
        """Settles all of these alike; returns the next heads."""
        settlements = [
            Settlement(c, an_attempt(c, outcome), step or Acknowledge()) for c in claimed
        ]
        lease = Lease(owner, now + timedelta(seconds=60))
        found: Sequence[Claimed] = self.run(self.store.settle(settlements, lease=lease, now=now))
        return found

    def delivery(self, endpoint: Endpoint, order: Order, sequence: int = 1) -> Delivery:
        found: tuple[Delivery, bytes] = self.run(
            self.store.delivery(self.account_id, endpoint.endpoint_id, order.order_id, sequence)
        )
        return found[0]

    def states(self, endpoint: Endpoint, order: Order) -> list[DeliveryState]:
        """The states of an order's deliveries for one endpoint, the oldest first."""
        wanted = DeliveryFilter(endpoint_id=endpoint.endpoint_id, order_id=order.order_id)
        found, _ = self.run(
            self.store.deliveries(self.account_id, wanted=wanted, page=Page(limit=1_000))
        )
        return [d.state for d in sorted(found, key=lambda d: d.sequence)]

    def attempts(self, endpoint: Endpoint, order: Order, sequence: int = 1) -> Sequence[Attempt]:
        found: Sequence[Attempt] = self.run(
            self.store.attempts(self.account_id, endpoint.endpoint_id, order.order_id, sequence)
        )
        return found

    def resend(
        self, endpoint: Endpoint, order: Order, sequence: int = 1, *, now: datetime = NOW
    ) -> Delivery:
        found: Delivery = self.run(
            self.store.resend(
                self.account_id, endpoint.endpoint_id, order.order_id, sequence, now=now
            )
        )
        return found


class Gate:
    """Keeps the writing thread inside of a decision until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.reached = threading.Event()

    def decide(self, _: Snapshot) -> Changes:
        self.reached.set()
        assert self._open.wait(30)
        return Changes()

    def open(self) -> None:
        self._open.set()
