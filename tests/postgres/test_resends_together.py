"""Sending again while other processes work on the same lanes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import asyncpg
import pytest

from milepost.delivery.model import DeliveryState, Outcome
from milepost.delivery.outcome import Abandon, Acknowledge
from milepost.ports import Lease, OrderRef, Settlement, Store
from milepost.ports.resends import Advance, Failed, Place, Resend, ResendState
from milepost.resends import Resends
from milepost.store.postgres import PostgresStore
from tests.postgres.deciding import key_of, next_event
from tests.postgres.invariants import broken
from tests.store.desk import ACCOUNT, ME, NOW, Desk, Run, an_attempt, at

ACKNOWLEDGED, PENDING = DeliveryState.ACKNOWLEDGED, DeliveryState.PENDING
WAIT_S = 0.2


@pytest.fixture(autouse=True)
def nothing_is_broken(url: str) -> Iterator[None]:
    yield
    assert asyncio.run(broken(url)) == {}


@pytest.fixture
def hand(url: str, run: Run[Any]) -> Iterator[Any]:
    """A connection in whose open transaction a test does half of something."""
    connection = run(asyncpg.connect(url))
    yield connection
    run(connection.close())


async def waits(task: asyncio.Task[Any]) -> None:
    """Gives a task the time to get as far as it can."""
    await asyncio.wait([task], timeout=WAIT_S)
    assert not task.done()


def test_what_comes_in_while_its_lane_is_begun_by_a_resend_is_not_lost(
    desk: Desk, hand: Any
) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim())
    key = f"'{ACCOUNT}', '{endpoint.endpoint_id}', '{order.order_id}'"

    async def race() -> None:
        async with hand.transaction():
            # What an intake does that has begun a lane and not committed yet.
            await hand.execute(
                "INSERT INTO lanes (account_id, endpoint_id, order_id, sequence, last, due_at,"
                f" status, previous, variant, created_at) VALUES ({key}, 2, 2, 7, 'two', 1, 0, 7)"
            )
            await hand.execute(
                f"INSERT INTO bodies VALUES ('{ACCOUNT}', '{order.order_id}', 2, 0, 't', 'two')"
            )
            await hand.execute("UPDATE orders SET sequence = 2")
            await hand.execute(
                "INSERT INTO order_events SELECT account_id, order_id, 2, type, state,"
                " previous_state, source, occurred_at, received_at, NULL, NULL, NULL, NULL, NULL, 0"
                " FROM order_events"
            )
            resending = asyncio.create_task(
                desk.store.resend(ACCOUNT, endpoint.endpoint_id, order.order_id, 1, now=at(1))
            )
            await waits(resending)
        assert (await resending).replay == 1

    desk.run(race())
    (again,) = desk.claim(now=at(2))
    assert (again.sequence, again.replay, again.body.content) == (1, 1, b"ord_k1 1")
    (following,) = desk.settle(again, now=at(2))
    assert (following.sequence, following.previous, following.body.content) == (2, 1, b"two")


def test_two_that_send_again_in_one_lane_at_once_leave_it_due(desk: Desk, hand: Any) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim())
    desk.run(_next(desk, order))
    desk.settle(*desk.claim())
    key = f"'{ACCOUNT}', '{endpoint.endpoint_id}', '{order.order_id}'"

    async def race() -> None:
        async with hand.transaction():
            await hand.execute(
                "INSERT INTO lanes (account_id, endpoint_id, order_id, sequence, last, due_at)"
                f" VALUES ({key}, 1, 1, 5)"
            )
            await hand.execute(
                "UPDATE deliveries SET state = 'pending', tries = 0, replay = 1, due_at = 5,"
                " settled_at = NULL WHERE sequence = 1"
            )
            resending = asyncio.create_task(
                desk.store.resend(ACCOUNT, endpoint.endpoint_id, order.order_id, 2, now=at(1))
            )
            await waits(resending)
        await resending

    desk.run(race())
    (first,) = desk.claim(now=at(2))
    assert first.sequence == 1
    assert [c.sequence for c in desk.settle(first, now=at(2))] == [2]


async def _next(desk: Desk, order: Any) -> None:
    lease = Lease("nobody", at(60))
    await desk.store.change_orders([key_of(order)], decide=next_event, lease=lease, now=NOW)


def test_resends_go_on_beside_intake_claims_and_each_other_and_send_each_once(
    desk: Desk, another: Callable[[], PostgresStore]
) -> None:
    endpoints = [desk.endpoint("ep_a"), desk.endpoint("ep_b")]
    orders = [desk.place(f"K{n}", to=endpoints) for n in range(20)]
    heads: Sequence[Any] = desk.claim()
    desk.settle(*heads, step=Abandon(), outcome=Outcome.TIMEOUT)
    stores = [another(), another()]
    chance = random.Random(3)
    done: list[str] = []
    sent: list[tuple[str, str, int, int]] = []

    async def resend(store: PostgresStore, name: str) -> None:
        numbers = count()
        resends = Resends(
            store,
            now=lambda: at(5),
            new_id=lambda: f"{name}_{next(numbers)}",
            look=lambda: None,
            part=3,
        )
        (one, two) = await resends.begin(ACCOUNT, Failed(NOW), endpoint_id=None)
        while any(r.state is ResendState.RUNNING for r in (one, two)):
            one, two = await resends.advance(one), await resends.advance(two)
        assert (one.queued, two.queued) == (20, 20)
        done.append(name)

    async def take_in(store: PostgresStore) -> None:
        for _ in range(15):
            refs: list[OrderRef] = [key_of(order) for order in chance.sample(orders, 2)]
            lease = Lease("nobody", at(10**6))
            await store.change_orders(refs, decide=next_event, lease=lease, now=at(6))
        done.append("in")

    async def dispatch(store: Store, owner: str) -> None:
        lease = Lease(owner, at(10**6))
        while True:
            last = len(done) == 4
            claimed = await store.claim(lease=lease, now=at(9), held={}, room=9, limit=4)
            if last and not claimed:
                return
            while claimed:
                sent.extend(
                    (c.endpoint.endpoint_id, c.order_id, c.sequence, c.replay) for c in claimed
                )
                told = [Settlement(c, an_attempt(c), Acknowledge()) for c in claimed]
                claimed = await store.settle(told, lease=lease, now=at(9))

    async def all_at_once() -> None:
        await asyncio.gather(
            *(resend(store, f"r{n}") for n, store in enumerate(stores)),
            *(take_in(store) for store in stores),
            *(dispatch(store, f"{ME}-{n}") for n, store in enumerate((*stores, desk.store))),
        )

    desk.run(all_at_once())
    assert len(sent) == len(set(sent)) == 2 * (20 + 2 * 15 * 2)
    replays = [name for name in sent if name[3]]
    assert sorted(replays) == sorted(
        (e.endpoint_id, o.order_id, 1, 1) for e in endpoints for o in orders
    )
    counts = desk.run(desk.store.counts())
    assert counts.deliveries[PENDING] == counts.deliveries[DeliveryState.ABANDONED] == 0


def test_a_part_that_was_not_committed_is_queued_by_whoever_goes_on(
    desk: Desk, hand: Any, another: Callable[[], PostgresStore]
) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim(), step=Abandon(), outcome=Outcome.TIMEOUT)
    wanted = Resend(ACCOUNT, "rsd_1", endpoint.endpoint_id, Failed(NOW), at(1))
    resend = desk.run(desk.store.add_resend(wanted, most=5))
    advance = Advance([(order.order_id, 1)], False, examined=1, place=Place("x", 1), ends=True)

    async def die_in_the_middle() -> None:
        async with hand.transaction():
            await hand.execute("LOCK TABLE lanes IN ACCESS EXCLUSIVE MODE")
            dying = asyncio.create_task(desk.store.advance_resend(resend, advance, now=at(2)))
            await waits(dying)
            dying.cancel()
            await asyncio.wait([dying])

    desk.run(die_in_the_middle())
    after = desk.run(another().advance_resend(resend, advance, now=at(3)))
    assert (after.queued, after.state) == (1, ResendState.DONE)
    assert desk.delivery(endpoint, order).replay == 1
