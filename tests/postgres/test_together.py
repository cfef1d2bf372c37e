"""Several processes at one database: whatever they do at once, they agree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import asyncpg
import msgspec
import pytest

from milepost.delivery.model import Claimed, DeliveryState, Endpoint, EndpointState, Outcome
from milepost.delivery.outcome import Acknowledge, Retry
from milepost.errors import UnknownRecord
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.ports import (
    Account,
    Changes,
    DeliveryFilter,
    Lease,
    OrderRef,
    Page,
    Settlement,
    Snapshot,
)
from milepost.store.postgres import PostgresStore, records
from tests.postgres.deciding import key_of, next_event
from tests.postgres.elsewhere import Elsewhere
from tests.postgres.invariants import broken
from tests.store.desk import (
    ACCOUNT,
    HOLD,
    ME,
    NOW,
    SOMEONE,
    Desk,
    Run,
    an_attempt,
    an_event,
    an_order,
    at,
    kept,
    names,
)

ACKNOWLEDGED, PENDING = DeliveryState.ACKNOWLEDGED, DeliveryState.PENDING


@pytest.fixture
def elsewhere(url: str, desk: Desk) -> Iterator[Elsewhere]:
    other = Elsewhere(url)
    yield other
    other.close()


@pytest.fixture(autouse=True)
def nothing_is_broken(url: str) -> Iterator[None]:
    yield
    assert asyncio.run(broken(url)) == {}


# many at once


@pytest.fixture
def stores(another: Callable[[], PostgresStore]) -> list[PostgresStore]:
    return [another(), another()]


def test_orders_that_two_processes_keep_changing_have_no_gap_and_no_fork(
    desk: Desk, stores: Sequence[PostgresStore]
) -> None:
    orders = [desk.place(f"K{n}") for n in range(6)]
    chance = random.Random(7)

    async def keep_changing(store: PostgresStore) -> None:
        for _ in range(25):
            refs = [key_of(order) for order in chance.sample(orders, 3)]
            lease = Lease(ME, at(60))
            await store.change_orders(refs, decide=next_event, lease=lease, now=NOW)

    async def all_at_once() -> None:
        await asyncio.gather(*(keep_changing(store) for store in (*stores, *stores)))

    desk.run(all_at_once())
    counts = desk.run(desk.store.counts())
    assert counts.events == len(orders) + 4 * 25 * 3


def test_updates_and_their_orders_meet_whoever_comes_first(
    desk: Desk, stores: Sequence[PostgresStore]
) -> None:
    def create(key: str) -> Callable[[Snapshot], Changes]:
        def decide(snapshot: Snapshot) -> Changes:
            order = an_order(key)
            waiting = snapshot.waiting[ACCOUNT, "shop", key]
            released = [msgspec.structs.replace(o, verdict=Verdict.APPLIED) for o in waiting]
            return Changes(created=[order], events=[an_event(order)], released=released)

        return decide

    def update(key: str) -> Callable[[Snapshot], Changes]:
        def decide(snapshot: Snapshot) -> Changes:
            if snapshot.orders[0] is not None:
                return next_event(snapshot)
            return Changes(quarantined=[kept(f"upd_{key}", order_key=key)])

        return decide

    async def take(store: PostgresStore, key: str, decide: Any) -> None:
        ref = OrderRef(ACCOUNT, store="shop", order_key=key)
        await store.change_orders([ref], decide=decide, lease=Lease(ME, at(60)), now=NOW)

    async def all_at_once() -> None:
        for n in range(40):
            key = f"K{n}"
            calls = [take(stores[0], key, create(key)), take(stores[1], key, update(key))]
            await asyncio.gather(*(calls if n % 2 else calls[::-1]))

    desk.run(all_at_once())
    assert desk.run(desk.store.counts()).orders == 40


def test_of_several_processes_on_an_empty_database_one_opens_the_first_account(
    run: Run[Any], stores: Sequence[PostgresStore]
) -> None:
    async def all_at_once() -> list[bool]:
        tries = [Account(f"acc_{n}", "main", NOW) for n in range(12)]
        return await asyncio.gather(
            *(stores[n % 2].add_first_account(account) for n, account in enumerate(tries))
        )

    assert run(all_at_once()).count(True) == 1
    assert len(run(stores[0].accounts())) == 1


class Worker:
    """A process that claims and settles, and notes what it sent."""

    def __init__(self, store: PostgresStore, owner: str, *, chance: random.Random) -> None:
        self._store = store
        self._owner = owner
        self._chance = chance
        self.sent: list[Claimed] = []

    async def work(self, *, until: Callable[[], bool]) -> None:
        lease = Lease(self._owner, at(10**9))
        while True:
            last = until()
            heads: Sequence[Claimed] = await self._store.claim(
                lease=lease, now=at(10**6), held={}, room=20, limit=10
            )
            if last and not heads:
                return
            while heads:
                heads = await self._settle(heads, lease)

    async def _settle(self, heads: Sequence[Claimed], lease: Lease) -> Sequence[Claimed]:
        self.sent += heads
        settlements = []
        for head in heads:
            if self._chance.random() < 0.2:
                attempt, step = an_attempt(head, Outcome.TIMEOUT), Retry(at(10**6))
                settlements.append(Settlement(head, attempt, step))
            else:
                settlements.append(Settlement(head, an_attempt(head), Acknowledge()))
        return await self._store.settle(settlements, lease=lease, now=at(10**6))


def test_lanes_are_never_held_twice_and_go_in_order_while_intake_goes_on(
    desk: Desk, stores: Sequence[PostgresStore]
) -> None:
    endpoints = [desk.endpoint("ep_a"), desk.endpoint("ep_h", **HOLD), desk.endpoint("ep_c")]
    orders = [desk.place(f"K{n}", to=endpoints) for n in range(8)]
    chance = random.Random(11)
    workers = [
        Worker(store, f"owner-{n}", chance=chance) for n, store in enumerate((*stores, *stores))
    ]
    done: list[int] = []

    async def keep_changing(store: PostgresStore) -> None:
        for _ in range(15):
            refs = [key_of(order) for order in chance.sample(orders, 2)]
            await store.change_orders(
                refs, decide=next_event, lease=Lease("nobody", at(10**6)), now=NOW
            )
        done.append(1)

    async def all_at_once() -> None:
        await asyncio.gather(
            *(keep_changing(store) for store in stores),
            *(worker.work(until=lambda: len(done) == 2) for worker in workers),
        )

    desk.run(all_at_once())
    counts = desk.run(desk.store.counts())
    made = (8 + 2 * 15 * 2) * 3
    assert counts.deliveries[ACKNOWLEDGED] == made
    sent = [c for worker in workers for c in worker.sent]
    assert counts.attempts == len(sent)
    times = {(c.endpoint.endpoint_id, c.order_id, c.sequence, c.attempts) for c in sent}
    assert len(times) == len(sent)


def test_two_processes_that_claim_at_once_share_the_lanes(
    desk: Desk, stores: Sequence[PostgresStore]
) -> None:
    endpoint = desk.endpoint()
    for n in range(60):
        desk.place(f"K{n}", to=[endpoint])

    async def claim(store: PostgresStore, owner: str) -> Sequence[Claimed]:
        lease = Lease(owner, at(60))
        return await store.claim(lease=lease, now=NOW, held={}, room=1_000, limit=10)

    async def all_at_once() -> list[Sequence[Claimed]]:
        calls = [claim(store, f"owner-{n}") for n, store in enumerate([*stores] * 4)]
        return await asyncio.gather(*calls)

    claimed = [name for part in desk.run(all_at_once()) for name in names(part)]
    assert len(claimed) == len(set(claimed)) == 60


def test_an_expired_lease_is_taken_over_and_the_late_settlement_changes_nothing(
    desk: Desk, stores: Sequence[PostgresStore], run: Run[Any]
) -> None:
    mine, theirs = (Desk(store, run) for store in stores)
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (late,) = mine.claim(lease_s=60)
    assert theirs.claim(owner=SOMEONE, now=at(59)) == ()
    (taken,) = theirs.claim(owner=SOMEONE, now=at(60))
    assert mine.settle(late, now=at(61)) == []
    assert desk.states(endpoint, order) == [PENDING]
    theirs.settle(taken, owner=SOMEONE, now=at(62))
    assert mine.settle(late, now=at(63)) == []
    assert len(desk.attempts(endpoint, order)) == 1


def test_any_process_can_settle_what_another_one_of_the_same_owner_claimed(
    desk: Desk, stores: Sequence[PostgresStore], run: Run[Any]
) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    (head,) = Desk(stores[0], run).claim()
    (following,) = Desk(stores[1], run).settle(head)
    assert following.sequence == 2
    assert desk.states(endpoint, order) == [ACKNOWLEDGED, PENDING]


# the lane that ends while something is appended to it


@pytest.fixture
def hand(url: str, run: Run[Any]) -> Iterator[Any]:
    """A connection in whose open transaction a test does half of something."""
    connection = run(asyncpg.connect(url))
    yield connection
    run(connection.close())


async def soon(task: asyncio.Task[Any]) -> None:
    """Gives a task the time to get as far as it can."""
    await asyncio.wait([task], timeout=0.2)
    assert not task.done()


def test_a_lane_that_is_being_ended_is_waited_for_and_begun_anew(
    desk: Desk, hand: Any, stores: Sequence[PostgresStore]
) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (head,) = desk.claim()

    async def race() -> None:
        store = stores[0]
        async with hand.transaction():
            await hand.execute("SELECT FROM lanes FOR UPDATE")
            appending = asyncio.create_task(
                store.change_orders(
                    [key_of(order)], decide=next_event, lease=Lease(ME, at(60)), now=NOW
                )
            )
            await soon(appending)
            await hand.execute("DELETE FROM lanes")
            await hand.execute(
                "INSERT INTO deliveries SELECT account_id, order_id, 'ep_a', 1, 0, 'created',"
                " 'acknowledged', 0, 1, 1, 0, NULL, 0, 'acknowledged', 0 FROM orders"
            )
        assert await appending == []

    desk.run(race())
    assert [(c.sequence, c.previous) for c in desk.claim()] == [(2, 1)]
    desk.settle(head)
    assert desk.states(endpoint, order) == [ACKNOWLEDGED, PENDING]


def test_a_lane_that_is_appended_to_while_it_is_settled_goes_on(
    desk: Desk, hand: Any, stores: Sequence[PostgresStore], run: Run[Any]
) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    mine = Desk(stores[0], run)
    (head,) = mine.claim()

    async def race() -> Sequence[Claimed]:
        async with hand.transaction():
            await hand.execute("UPDATE lanes SET last = 2")
            settling = asyncio.create_task(
                stores[0].settle(
                    [Settlement(head, an_attempt(head), Acknowledge())],
                    lease=Lease(ME, at(60)),
                    now=at(1),
                )
            )
            await soon(settling)
            await hand.execute(
                "INSERT INTO deliveries SELECT account_id, order_id, 'ep_a', 2, 1, 'picking',"
                " 'pending', 0, 0, 0, 0, 0, NULL, NULL, 0 FROM orders"
            )
            await hand.execute(
                "INSERT INTO bodies SELECT account_id, order_id, 2, 0, 'text/plain', 'two'"
                " FROM orders"
            )
        return await settling

    assert [(c.sequence, c.body.content) for c in desk.run(race())] == [(2, b"two")]
    assert desk.states(endpoint, order) == [ACKNOWLEDGED, PENDING]


def test_what_is_sent_again_while_the_lane_is_settled_comes_next(
    desk: Desk, elsewhere: Elsewhere
) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim())
    order = desk.move(order, State.PICKING, State.PACKED, to=[endpoint])
    (head,) = desk.claim()
    elsewhere.desk.resend(endpoint, order, 1, now=at(1))
    (again,) = desk.settle(head, now=at(2))
    assert (again.sequence, again.replay) == (1, 1)
    assert [c.sequence for c in desk.settle(again, now=at(3))] == [3]


def test_an_endpoint_is_deleted_while_its_deliveries_are_on_the_wire(
    desk: Desk, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LANES_AT_ONCE", 3)
    gone, stays = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    orders = [desk.place(f"K{n}", to=[gone, stays], lease=n % 2 == 0) for n in range(10)]
    on_wire = [c for c in desk.claim(limit=100) if c.endpoint == gone][:2]
    store = elsewhere.store
    assert elsewhere.run(store.delete_endpoint(ACCOUNT, "ep_a", now=at(5))) == 10
    assert desk.settle(*on_wire) == []
    assert {s for o in orders for s in desk.states(gone, o)} == {DeliveryState.ABANDONED}
    assert {s for o in orders for s in desk.states(stays, o)} == {PENDING}
    with pytest.raises(UnknownRecord):
        desk.resend(gone, orders[0])


def test_a_pause_counts_for_every_process(desk: Desk, elsewhere: Elsewhere) -> None:
    endpoint = desk.endpoint()
    desk.place("K1", to=[endpoint])
    store = elsewhere.store
    paused: Endpoint = elsewhere.run(
        store.set_endpoint_state(
            ACCOUNT, "ep_a", state=EndpointState.PAUSED, why="asked to", now=at(1)
        )
    )
    assert desk.claim(now=at(2)) == ()
    desk.change(lambda _: Changes())
    assert desk.snapshots[-1].endpoints[ACCOUNT] == (paused,)
    found, _ = desk.run(desk.store.deliveries(ACCOUNT, wanted=DeliveryFilter(), page=Page()))
    assert [d.state for d in found] == [PENDING]


def test_stores_that_are_named_at_once_get_numbers_of_their_own(
    desk: Desk, stores: Sequence[PostgresStore]
) -> None:
    async def all_at_once() -> list[int]:
        calls = [
            store.put_store(ACCOUNT, f"s{n}{m}", name="", number=None, now=NOW)
            for n, store in enumerate(stores)
            for m in range(10)
        ]
        return [found.number for found in await asyncio.gather(*calls)]

    assert sorted(desk.run(all_at_once())) == list(range(2, 22))
