"""Random walks of several processes, receivers and operators, judged by what receivers saw.

The store is real, and so are the rules by which a reply becomes a verdict, a verdict a step and a
lease the leave to send; only time, chance and the network are ours.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from milepost.contracts import ROOMS
from milepost.delivery.holding import Lane
from milepost.delivery.model import (
    Claimed,
    Delivery,
    DeliveryState,
    EndpointState,
    Failure,
    Reply,
)
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.ports import Changes, DeliveryFilter, OrderRef, Page, Store
from tests.flows.sender import Process, lane_of
from tests.store.desk import ACCOUNT, HOLD, NOW, Desk, a_delivery, an_event, an_order, moved

PENDING, ACKNOWLEDGED, ABANDONED = (
    DeliveryState.PENDING,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.ABANDONED,
)
OK = Reply(204)
REPLIES = {
    "received": OK,
    "server error": Reply(500),
    "refused": Reply(404),
    "throttled": Reply(429, headers=(("retry-after", "90"),)),
    "cut off": Reply(200, failure=Failure.TRUNCATED),
    "gone": Reply(410),
    "no reply": None,
}
FAILURES = ("server error", "refused", "throttled", "cut off", "no reply")
TROUBLE = {
    "a process renews its leases": "_renew",
    "a process crashes": "_crash",
    "an endpoint is paused": "_pause",
    "an endpoint is resumed": "_resume",
    "a delivery is sent again": "_resend",
    "an endpoint is deleted": "_delete",
}
LONGEST = timedelta(hours=25)
"""No schedule here waits longer, whatever a receiver asks for."""

ENDPOINTS: dict[str, dict[str, Any]] = {
    "ep_n": {"contract": "standard"},
    "ep_s": {"contract": "shipmonk"},
    "ep_h": {"contract": "withings", **HOLD},
}


@dataclass(frozen=True)
class Receipt:
    """What a receiver saw, and whether it answered that it has it."""

    sequence: int
    replay: int
    delivery_id: str
    body: bytes
    acknowledged: bool


class Walk(RuleBasedStateMachine):
    """Whatever happens, nothing that was accepted is lost, reordered or renamed."""

    open_store: Any
    kinds: ClassVar = ENDPOINTS

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self.now = NOW
        self._orders: dict[str, Order] = {}
        self.told: defaultdict[Lane, list[int]] = defaultdict(list)
        self.receipts: defaultdict[Lane, list[Receipt]] = defaultdict(list)
        self.processes: list[Process] = []
        self._generation = 0

    @initialize()
    def begin(self) -> None:
        self.store: Store = type(self).open_store(Path(self.folder.name))
        self._runner.run(self.store.open())
        self.desk = Desk(self.store, self._runner.run)
        self.desk.open_account()
        self.endpoints = {
            name: self.desk.endpoint(
                name, schedule=ROOMS[given["contract"]].schedules[0].name, **given
            )
            for name, given in self.kinds.items()
        }
        self.processes = [self._new_process(), self._new_process()]

    def _new_process(self) -> Process:
        self._generation += 1
        return Process(self.desk, f"process-{self._generation}")

    # what happens

    @rule(
        key=st.sampled_from(["K1", "K2"]),
        count=st.integers(1, 3),
        number=st.integers(0, 1),
        born_leased=st.booleans(),
    )
    def take_in(self, *, key: str, count: int, number: int, born_leased: bool) -> None:
        """New events of an order, told to every endpoint, by one of the processes."""
        process = self.processes[number]
        before = self._orders.get(key)
        order = an_order(key, sequence=0) if before is None else before
        steps = []
        for _ in range(count):
            order = moved(order, State.PICKING)
            steps.append(order)
        self._orders[key] = order
        changes = Changes(
            created=[order] if before is None else [],
            changed=[] if before is None else [order],
            events=[an_event(step) for step in steps],
            deliveries=[
                a_delivery(endpoint, step, lease=born_leased)
                for step in steps
                for endpoint in self.endpoints.values()
            ],
        )
        claimed = self.desk.change(
            changes,
            refs=[OrderRef(ACCOUNT, store="shop", order_key=key)],
            owner=process.owner,
            until=process.lease(self.now).until,
            now=self.now,
        )
        for name in self.endpoints:
            self.told[name, order.order_id] += [step.sequence for step in steps]
        process.take(claimed, now=self.now)

    @rule(number=st.integers(0, 1), limit=st.sampled_from([1, 100]))
    def claim(self, *, number: int, limit: int) -> None:
        self.processes[number].claim(self.now, limit=limit)

    @rule(number=st.integers(0, 1))
    def send(self, *, number: int) -> None:
        self.processes[number].begin(self.now)

    @precondition(lambda self: any(p.wire for p in self.processes))
    @rule(data=st.data(), reply=st.sampled_from(sorted(REPLIES)))
    def arrive(self, *, data: st.DataObject, reply: str) -> None:
        """A request reaches its receiver, whose reply may take its time."""
        process = data.draw(st.sampled_from([p for p in self.processes if p.wire]))
        one = process.wire.pop(data.draw(st.integers(0, len(process.wire) - 1)))
        self._receive(process, one.claimed, REPLIES[reply])

    @precondition(lambda self: any(p.replies for p in self.processes))
    @rule(number=st.integers(0, 1), chance=st.sampled_from([0.0, 0.99]))
    def settle(self, *, number: int, chance: float) -> None:
        self.processes[number].settle(self.now, chance=chance)

    @rule(seconds=st.sampled_from([1, 8, 16, 44, 61, 300, 4_000]))
    def wait(self, *, seconds: int) -> None:
        """Leases run out, retries become due, requests time out; no process does anything."""
        self._forward(timedelta(seconds=seconds))

    @rule(what=st.sampled_from(sorted(TROUBLE)), data=st.data())
    def make_trouble(self, *, what: str, data: st.DataObject) -> None:
        getattr(self, TROUBLE[what])(data)

    def _renew(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self.processes))
        self.desk.run(self.store.renew(lease=process.lease(self.now)))

    def _crash(self, data: st.DataObject) -> None:
        """A process forgets everything; what begins in its place has another name."""
        self.processes[data.draw(st.integers(0, 1))] = self._new_process()

    def _pause(self, data: st.DataObject) -> None:
        self._set_state(data.draw(st.sampled_from(sorted(self.endpoints))), EndpointState.PAUSED)

    def _resume(self, data: st.DataObject) -> None:
        self._set_state(data.draw(st.sampled_from(sorted(self.endpoints))), EndpointState.ACTIVE)

    def _resend(self, data: st.DataObject) -> None:
        lanes = [lane for lane in sorted(self.told) if lane[0] in self.endpoints]
        if lanes:
            endpoint_id, order_id = lane = data.draw(st.sampled_from(lanes))
            sequence = data.draw(st.sampled_from(self.told[lane]))
            self.desk.run(self.store.resend(ACCOUNT, endpoint_id, order_id, sequence, now=self.now))

    def _delete(self, _data: st.DataObject) -> None:
        """Once at most."""
        if "ep_n" in self.endpoints:
            del self.endpoints["ep_n"]
            self.desk.run(self.store.delete_endpoint(ACCOUNT, "ep_n", now=self.now))

    @rule(
        number=st.integers(0, 1),
        reply=st.sampled_from(["received", *FAILURES]),
        times=st.sampled_from([1, 1, 4, 12]),
    )
    def work(self, *, number: int, reply: str, times: int) -> None:
        """All that one process can send is answered alike, as often as it is tried."""
        self.round(self.processes[number], REPLIES[reply])
        for _ in range(times - 1):
            self.wait_for_the_next()
            self.round(self.processes[number], REPLIES[reply])

    # the parts of it

    def round(self, process: Process, reply: Reply | None) -> None:
        """Everything that is due is sent and answered alike."""
        process.claim(self.now, limit=100)
        for _ in range(20):
            if not process.busy:
                break
            process.begin(self.now)
            for one in process.wire:
                self._receive(process, one.claimed, reply)
            process.wire.clear()
            if reply is None:
                self._forward(timedelta(seconds=16))
            process.settle(self.now)

    def wait_for_the_next(self) -> None:
        """Until the next retry is due."""
        due = [d.due_at for d in self.deliveries() if d.due_at is not None]
        if later := [at for at in due if at > self.now]:
            self._forward(min(later) - self.now)

    def _receive(self, process: Process, claimed: Claimed, reply: Reply | None) -> None:
        room = ROOMS[claimed.endpoint.contract]
        received = reply is not None and reply.failure is None and room.received(reply.status)
        self.receipts[lane_of(claimed)].append(
            Receipt(
                claimed.sequence,
                claimed.replay,
                claimed.delivery_id,
                claimed.body.content,
                received,
            )
        )
        process.replies.append((claimed, reply or Reply(0, failure=Failure.TIMEOUT)))

    def _forward(self, by: timedelta) -> None:
        self.now += by
        for process in self.processes:
            process.give_up_waiting(self.now)

    def _set_state(self, name: str, state: EndpointState) -> None:
        self.desk.run(
            self.store.set_endpoint_state(ACCOUNT, name, state=state, why="", now=self.now)
        )

    def deliveries(self) -> list[Delivery]:
        found, _ = self.desk.run(
            self.store.deliveries(ACCOUNT, wanted=DeliveryFilter(), page=Page(limit=10_000))
        )
        return list(found)

    # what must hold

    @invariant()
    def no_two_processes_are_sure_of_one_lane(self) -> None:
        sure = [process.sure_lanes(self.now) for process in self.processes]
        assert not sure or not set.intersection(*sure)

    @invariant()
    def only_the_head_of_a_lane_is_on_its_way(self) -> None:
        """Unless the operator has put an earlier one before it, as a replay, meanwhile."""
        if not any(process.wire for process in self.processes):
            return
        pending = defaultdict(list)
        for d in self.deliveries():
            if d.state is PENDING:
                pending[d.endpoint_id, d.order_id].append(d)
        for process in self.processes:
            for one in process.wire:
                before = [d for d in pending[lane_of(one.claimed)]
                          if d.sequence < one.claimed.sequence]  # fmt: skip
                assert all(d.replay for d in before)

    @invariant()
    def receivers_saw_every_lane_in_order(self) -> None:
        for lane, receipts in self.receipts.items():
            highest = acknowledged = 0
            names: dict[tuple[int, int], tuple[str, bytes]] = {}
            for receipt in receipts:
                name = (receipt.delivery_id, receipt.body)
                assert names.setdefault((receipt.sequence, receipt.replay), name) == name
                assert receipt.sequence in self.told[lane]
                if receipt.replay:
                    continue
                assert receipt.sequence >= highest
                assert receipt.sequence > acknowledged or receipt.sequence == highest
                highest = max(highest, receipt.sequence)
                if receipt.acknowledged:
                    acknowledged = max(acknowledged, receipt.sequence)

    @invariant()
    def nothing_that_was_accepted_disappears(self) -> None:
        on_record = {(d.endpoint_id, d.order_id, d.sequence): d for d in self.deliveries()}
        for lane, sequences in self.told.items():
            for sequence in sequences:
                delivery = on_record.pop((*lane, sequence))
                if delivery.state is ACKNOWLEDGED:
                    assert any(
                        r.sequence == sequence and r.acknowledged for r in self.receipts[lane]
                    )
        assert not on_record

    def teardown(self) -> None:
        try:
            if self.processes:
                self._deliver_all()
        finally:
            self._runner.run(self.store.close())
            self._runner.close()
            self.folder.cleanup()

    def _deliver_all(self) -> None:
        """Whatever state everything is in, it is delivered once all is well again."""
        self.processes = [self._new_process(), self._new_process()]
        self._forward(LONGEST)
        for name in self.endpoints:
            self._set_state(name, EndpointState.ACTIVE)
        for _ in range(2):
            self._settle_all()
            for d in self.deliveries():
                if d.state is ABANDONED and d.endpoint_id in self.endpoints:
                    self.desk.run(
                        self.store.resend(
                            ACCOUNT, d.endpoint_id, d.order_id, d.sequence, now=self.now
                        )
                    )
        self._settle_all()
        left = [d for d in self.deliveries() if d.endpoint_id in self.endpoints]
        assert [d for d in left if d.state is not ACKNOWLEDGED] == []
        self.receivers_saw_every_lane_in_order()
        self.nothing_that_was_accepted_disappears()

    def _settle_all(self) -> None:
        for _ in range(100):
            self.round(self.processes[0], OK)
            before = self.now
            self.wait_for_the_next()
            if self.now == before:
                return
