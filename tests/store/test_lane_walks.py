"""Random walks over intake, claims, settling, crashes and operators, beside a simple model."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from milepost.delivery.model import Claimed, DeliveryState, EndpointState, Outcome
from milepost.delivery.outcome import Abandon, Acknowledge, Pause, Retry, Step
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.ports import Changes, DeliveryFilter, Lease, OrderRef, Page, Snapshot, Store
from tests.store.desk import (
    ACCOUNT,
    HOLD,
    NOW,
    OPENERS,
    Desk,
    a_delivery,
    an_event,
    an_order,
    at,
    moved,
)

PENDING, ACKNOWLEDGED, ABANDONED, SUPERSEDED = (
    DeliveryState.PENDING,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.ABANDONED,
    DeliveryState.SUPERSEDED,
)
OWNERS = ("me", "someone")
LEASE_S = 60
Lane = tuple[str, str]


@dataclass
class Sent:
    """A delivery as the model knows it."""

    previous: int
    due_at: datetime
    state: DeliveryState = PENDING
    attempts: int = 0
    tries: int = 0
    replay: int = 0


@dataclass
class Queue:
    """A lane as the model knows it; its head is the first that is pending."""

    deliveries: dict[int, Sent] = field(default_factory=dict)
    owner: str | None = None
    until: datetime = NOW
    held: bool = False

    @property
    def head(self) -> int | None:
        return min((n for n, d in self.deliveries.items() if d.state is PENDING), default=None)

    def rest(self) -> None:
        self.owner = None

    def supersede(self) -> None:
        """What waits before the newest becomes needless; of a leased lane the first is spared."""
        waiting = [n for n, d in self.deliveries.items() if d.state is PENDING and not d.replay]
        on_its_way = min(waiting) if self.owner is not None else None
        for sequence in sorted(waiting)[:-1]:
            if sequence != on_its_way and not self.deliveries[sequence].attempts:
                self.deliveries[sequence].state = SUPERSEDED


class Walk(RuleBasedStateMachine):
    """Whatever happens, the store does what the model does."""

    open_store: Any

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self._now = 0.0
        self._lanes: dict[Lane, Queue] = {}
        self._orders: dict[str, Order] = {}
        self._paused: set[str] = set()
        self._in_flight: list[tuple[str, Claimed]] = []

    @initialize()
    def begin(self) -> None:
        self._open()
        self._desk.open_account()
        self._endpoints = {
            "ep_a": self._desk.endpoint("ep_a"),
            "ep_h": self._desk.endpoint("ep_h", **HOLD),
            "ep_l": self._desk.endpoint("ep_l"),
        }

    def _open(self) -> None:
        self._store: Store = type(self).open_store(Path(self._folder.name))
        self._runner.run(self._store.open())
        self._desk = Desk(self._store, self._runner.run)

    def teardown(self) -> None:
        self._runner.run(self._store.close())
        self._runner.close()
        self._folder.cleanup()

    @property
    def now(self) -> datetime:
        return at(self._now)

    # what happens

    @rule(
        key=st.sampled_from(["K1", "K2", "K3"]),
        count=st.integers(1, 3),
        lease=st.booleans(),
        to=st.sampled_from([("ep_a",), ("ep_h",), ("ep_l",), ("ep_a", "ep_h")]),
    )
    def take_in(self, key: str, count: int, lease: bool, to: tuple[str, ...]) -> None:
        """New events of an order, each told to some endpoints."""
        known = self._orders.get(key)
        order = an_order(key, sequence=0) if known is None else known
        steps = []
        for _ in range(count):
            order = moved(order, State.PICKING)
            steps.append(order)
        self._orders[key] = order

        def decide(seen: Snapshot) -> Changes:
            assert seen.orders == [known]
            endpoints = {e.endpoint_id: e for e in seen.endpoints[ACCOUNT]}
            return Changes(
                created=[order] if known is None else [],
                changed=[] if known is None else [order],
                events=[an_event(step) for step in steps],
                deliveries=[
                    a_delivery(endpoints[name], step, lease=lease, supersedes=name == "ep_l")
                    for step in steps
                    for name in to
                ],
            )

        claimed = self._desk.change(
            decide, refs=[OrderRef(ACCOUNT, store="shop", order_key=key)], now=self.now
        )
        wanted = []
        for name in to:
            lane = self._lanes.setdefault((name, order.order_id), Queue())
            was_empty = lane.head is None
            latest = max(lane.deliveries, default=0)
            if was_empty and latest and lane.deliveries[latest].state is ABANDONED:
                lane.held = name == "ep_h"
            elif was_empty:
                lane.held = False
            for step in steps:
                lane.deliveries[step.sequence] = Sent(latest, self.now)
                latest = step.sequence
            if was_empty and lease and not lane.held and name not in self._paused:
                self._lease(lane, "me")
                wanted.append((name, order.order_id, steps[0].sequence))
            if name == "ep_l":
                lane.supersede()
        self._expect(claimed, wanted, owner="me")

    @rule(owner=st.sampled_from(OWNERS), room=st.sampled_from([1, 1_000]))
    def claim(self, owner: str, room: int) -> None:
        claimed = self._desk.claim(owner=owner, now=self.now, lease_s=LEASE_S, room=room)
        due: dict[str, list[tuple[datetime, Lane]]] = {}
        for name, lane in self._lanes.items():
            if self._claimable(name, lane):
                due.setdefault(name[0], []).append((self._due(lane), name))
        got: dict[str, list[Lane]] = {}
        for c in claimed:
            got.setdefault(c.endpoint.endpoint_id, []).append((c.endpoint.endpoint_id, c.order_id))
        assert {e: min(room, len(lanes)) for e, lanes in due.items()} == {
            e: len(lanes) for e, lanes in got.items()
        }
        for endpoint_id, lanes in got.items():
            times = {name: time for time, name in due[endpoint_id]}
            oldest = sorted(times.values())[: len(lanes)]
            assert sorted(times[name] for name in lanes) == oldest
        for c in claimed:
            self._lease(self._lanes[c.endpoint.endpoint_id, c.order_id], owner)
        self._expect(claimed, [_name(c) for c in claimed], owner=owner)

    @precondition(lambda self: self._in_flight)
    @rule(
        data=st.data(),
        how=st.sampled_from(["acknowledge", "retry", "abandon", "pause"]),
        keep=st.booleans(),
    )
    def settle(self, data: st.DataObject, how: str, keep: bool) -> None:
        """One of those that were ever claimed, perhaps long after its lease was lost."""
        index = data.draw(st.integers(0, len(self._in_flight) - 1))
        owner, claimed = self._in_flight[index]
        if not keep:
            del self._in_flight[index]
        steps: dict[str, Step] = {
            "acknowledge": Acknowledge(),
            "retry": Retry(at(self._now + 30)),
            "abandon": Abandon(),
            "pause": Pause("gone"),
        }
        step = steps[how]
        following = self._desk.settle(
            claimed, step=step, outcome=Outcome.GONE, owner=owner, now=self.now
        )
        endpoint_id = claimed.endpoint.endpoint_id
        lane = self._lanes[endpoint_id, claimed.order_id]
        sent = lane.deliveries[claimed.sequence]
        counts = lane.owner == owner and sent.state is PENDING and sent.attempts == claimed.attempts
        wanted = []
        if counts:
            sent.attempts += 1
            sent.tries = claimed.tries + 1
            lane.rest()
            self._step(lane, sent, step, endpoint_id=endpoint_id)
            goes_on = isinstance(step, Acknowledge | Abandon) and lane.head is not None
            if goes_on and self._claimable((endpoint_id, claimed.order_id), lane):
                self._lease(lane, owner)
                wanted = [(endpoint_id, claimed.order_id, lane.head)]
        self._expect(following, wanted, owner=owner)

    def _step(self, lane: Queue, sent: Sent, step: Step, *, endpoint_id: str) -> None:
        match step:
            case Acknowledge():
                sent.state = ACKNOWLEDGED
            case Abandon():
                sent.state = ABANDONED
                lane.held = endpoint_id == "ep_h" and lane.head is not None
            case Retry(when):
                sent.due_at = when
            case Pause():
                sent.due_at = self.now
                self._paused.add(endpoint_id)

    @precondition(lambda self: self._lanes)
    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        endpoint_id, order_id = data.draw(st.sampled_from(sorted(self._lanes)))
        lane = self._lanes[endpoint_id, order_id]
        sequence = data.draw(st.sampled_from(sorted(lane.deliveries)))
        order = an_order(order_id.removeprefix("ord_").upper())
        found = self._desk.resend(self._endpoints[endpoint_id], order, sequence, now=self.now)
        sent = lane.deliveries[sequence]
        if sent.state is not PENDING:
            sent.state, sent.tries, sent.due_at = PENDING, 0, self.now
            sent.replay += 1
            lane.held = False
        assert (found.state, found.replay) == (PENDING, sent.replay)

    @rule(endpoint_id=st.sampled_from(["ep_a", "ep_h", "ep_l"]))
    def resume_or_pause(self, endpoint_id: str) -> None:
        paused = endpoint_id in self._paused
        state = EndpointState.ACTIVE if paused else EndpointState.PAUSED
        (self._paused.discard if paused else self._paused.add)(endpoint_id)
        self._desk.run(
            self._store.set_endpoint_state(ACCOUNT, endpoint_id, state=state, why="", now=self.now)
        )

    @rule(seconds=st.sampled_from([1, 29, 31, 61]))
    def wait(self, seconds: int) -> None:
        """Leases may run out, and retries become due."""
        self._now += seconds

    @rule(owner=st.sampled_from(OWNERS), prolong=st.booleans())
    def renew_or_release(self, owner: str, prolong: bool) -> None:
        mine = [lane for lane in self._lanes.values() if lane.owner == owner]
        if prolong:
            until = at(self._now + LEASE_S)
            self._desk.run(self._store.renew(lease=Lease(owner, until)))
            for lane in mine:
                lane.until = until
        else:
            self._desk.run(self._store.release(owner=owner, now=self.now))
            for lane in mine:
                lane.rest()

    @rule(take_over=st.booleans())
    def crash(self, take_over: bool) -> None:
        """The process ends without a word; the next one may take over the dispatch."""
        self._runner.run(self._store.close())
        self._open()
        if take_over:
            self._runner.run(self._store.take_dispatch())
            for lane in self._lanes.values():
                lane.rest()

    # what must hold

    def _claimable(self, name: Lane, lane: Queue) -> bool:
        free = lane.owner is None or lane.until <= self.now
        return (
            lane.head is not None
            and free
            and not lane.held
            and name[0] not in self._paused
            and lane.deliveries[lane.head].due_at <= self.now
        )

    @staticmethod
    def _due(lane: Queue) -> datetime:
        assert lane.head is not None
        return lane.deliveries[lane.head].due_at

    def _lease(self, lane: Queue, owner: str) -> None:
        lane.owner, lane.until = owner, at(self._now + LEASE_S)

    def _expect(self, claimed: Any, wanted: Any, *, owner: str) -> None:
        """What was claimed is what the model would have claimed, and is as the model knows it."""
        assert sorted(_name(c) for c in claimed) == sorted(wanted)
        for c in claimed:
            lane = self._lanes[c.endpoint.endpoint_id, c.order_id]
            sent = lane.deliveries[c.sequence]
            assert c.sequence == lane.head
            assert (c.previous, c.attempts, c.tries, c.replay) == (
                sent.previous,
                sent.attempts,
                sent.tries,
                sent.replay,
            )
            assert c.body.content == f"{c.order_id} {c.sequence}".encode()
            self._in_flight.append((owner, c))

    @invariant()
    def every_delivery_is_as_the_model_knows_it(self) -> None:
        if not self._lanes:
            return
        found, _ = self._desk.run(
            self._store.deliveries(ACCOUNT, wanted=DeliveryFilter(), page=Page(limit=10_000))
        )
        assert {
            (d.endpoint_id, d.order_id, d.sequence): (
                d.state,
                d.attempts,
                d.tries,
                d.replay,
                d.previous,
                d.due_at,
            )
            for d in found
        } == {
            (*name, sequence): (
                d.state,
                d.attempts,
                d.tries,
                d.replay,
                d.previous,
                d.due_at if d.state is PENDING else None,
            )
            for name, lane in self._lanes.items()
            for sequence, d in lane.deliveries.items()
        }


def _name(claimed: Claimed) -> tuple[str, str, int]:
    return claimed.endpoint.endpoint_id, claimed.order_id, claimed.sequence


@pytest.mark.parametrize("database", OPENERS)
def test_whatever_happens_the_store_does_what_the_model_does(database: str) -> None:
    walk = type("WalkOn" + database, (Walk,), {"open_store": staticmethod(OPENERS[database])})
    run_state_machine_as_test(
        walk,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )
