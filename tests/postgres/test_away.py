"""The database goes away, and comes back, or another one takes its place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg
import pytest

from milepost.delivery.model import Claimed, DeliveryState, EndpointState
from milepost.delivery.outcome import Acknowledge
from milepost.errors import StoreError
from milepost.ports import Changes, Lease, OrderRef, Settlement, Snapshot
from milepost.store.postgres import PostgresStore
from milepost.store.postgres.pool import CONNECT_TIMEOUT_S, Connector
from tests.keys import a_vault
from tests.postgres.invariants import broken
from tests.postgres.server import Server, ask, execute
from tests.store.desk import (
    ACCOUNT,
    ME,
    NOW,
    SOMEONE,
    Desk,
    Run,
    a_delivery,
    an_attempt,
    an_endpoint,
    an_event,
    an_order,
    at,
    names,
)

T = TypeVar("T")

pytestmark = pytest.mark.processes

LEASE = Lease(ME, at(60))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(settings={"wal_level": "replica", "hot_standby": "on"})
    yield server
    server.remove()


@pytest.fixture
def home(server: Server) -> str:
    """A new database on a server that the test may stop."""
    asyncio.run(execute(server.url("postgres"), "DROP DATABASE IF EXISTS hub WITH (FORCE)"))
    asyncio.run(execute(server.url("postgres"), "CREATE DATABASE hub"))
    return server.url("hub")


async def opened(url: str) -> PostgresStore:
    store = PostgresStore(url, vault=a_vault())
    await store.open()
    return store


@pytest.fixture
def at_home(home: str, run: Run[Any]) -> Iterator[Desk]:
    desk = Desk(run(opened(home)), run)
    desk.open_account()
    desk.endpoint()
    yield desk
    run(desk.store.close())
    assert asyncio.run(broken(home)) == {}


def creating(key: str, *, lease: bool = True) -> Callable[[Snapshot], Changes]:
    order = an_order(key)

    def decide(_: Snapshot) -> Changes:
        return Changes(
            created=[order],
            events=[an_event(order)],
            deliveries=[a_delivery(an_endpoint(), order, lease=lease)],
        )

    return decide


async def until_it_works(call: Callable[[], Awaitable[T]], *, within_s: float = 10) -> T:
    """What a call returns as soon as it raises StoreError no more."""
    ends = time.monotonic() + within_s
    while True:
        try:
            return await call()
        except StoreError:
            assert time.monotonic() < ends
            await asyncio.sleep(0.02)


def test_everything_fails_while_the_database_is_away_and_works_when_it_is_back(
    at_home: Desk, server: Server
) -> None:
    store, run = at_home.store, at_home.run
    order = at_home.place("K1", to=[an_endpoint()])
    (head,) = at_home.claim()
    server.stop()
    key = OrderRef(ACCOUNT, store="shop", order_key="K2")
    for call in (
        store.change_orders([key], decide=creating("K2"), lease=LEASE, now=NOW),
        store.claim(lease=LEASE, now=NOW, held={}, room=9, limit=9),
        store.settle([Settlement(head, an_attempt(head), Acknowledge())], lease=LEASE, now=NOW),
        store.renew(lease=LEASE),
        store.order(key),
        store.accounts(),
        store.set_endpoint_state(ACCOUNT, "ep_a", state=EndpointState.ACTIVE, why="", now=NOW),
        store.counts(),
    ):
        with pytest.raises(StoreError):
            run(call)
    server.start()
    run(until_it_works(store.accounts))
    at_home.settle(head)
    assert at_home.states(an_endpoint(), order) == [DeliveryState.ACKNOWLEDGED]
    assert len(at_home.change(creating("K2"), refs=[key])) == 1


def test_while_nobody_answers_asking_again_costs_nothing(at_home: Desk, server: Server) -> None:
    store, run = at_home.store, at_home.run
    server.stop()

    async def ask_often() -> float:
        began = time.monotonic()
        for _ in range(300):
            with pytest.raises(StoreError):
                await store.accounts()
        return time.monotonic() - began

    assert run(ask_often()) < CONNECT_TIMEOUT_S
    server.start()
    run(until_it_works(store.accounts))


def test_a_crash_of_the_database_loses_nothing_that_was_accepted(
    at_home: Desk, server: Server
) -> None:
    store = at_home.store
    accepted: list[str] = []

    async def take_in(number: int) -> None:
        key = f"K{number:04}"
        try:
            await store.change_orders(
                [OrderRef(ACCOUNT, store="shop", order_key=key)],
                decide=creating(key, lease=False),
                lease=LEASE,
                now=NOW,
            )
        except StoreError:
            return
        accepted.append(key)

    async def keep_taking_in() -> None:
        crash = asyncio.get_running_loop().run_in_executor(None, crash_soon)
        for number in range(10_000):
            await take_in(number)
            if crash.done() and len(accepted) % 50 == 0:
                break
        await crash

    def crash_soon() -> None:
        for _ in range(2):
            time.sleep(0.3)
            server.stop("immediate")
            server.start()
        time.sleep(0.5)

    # What is not on the disk by then would be lost with a real machine only.
    at_home.run(keep_taking_in())
    at_home.run(until_it_works(store.accounts))
    assert len(accepted) > 20
    found = {c.order_id for c in at_home.claim(now=at(1), room=10**6, limit=10**6)}
    assert {f"ord_{key.lower()}" for key in accepted} <= found


def test_lanes_leased_in_an_answer_that_never_came_run_out_though_others_are_renewed(
    at_home: Desk, home: str
) -> None:
    store, run = at_home.store, at_home.run
    held = at_home.place("K1", to=[an_endpoint()], lease=True)

    async def lose_the_answer() -> None:
        hand = await asyncpg.connect(home)
        try:
            await lose_it_by(hand)
        finally:
            await hand.close()

    async def lose_it_by(hand: Any) -> None:
        key = OrderRef(ACCOUNT, store="shop", order_key="K2")
        async with hand.transaction():
            await hand.execute("LOCK TABLE lanes IN EXCLUSIVE MODE")
            asking = asyncio.create_task(
                store.change_orders([key], decide=creating("K2"), lease=LEASE, now=NOW)
            )
            await asyncio.wait([asking], timeout=0.2)
            await hand.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            with pytest.raises(StoreError):
                await asking

    run(lose_the_answer())
    # As far as we know it may have been stored, as it is here by somebody of the same name.
    same = Desk(run(opened(home)), run)
    lost = same.place("K2", to=[an_endpoint()], lease=True)
    run(same.store.close())
    run(store.renew(lease=Lease(ME, at(600))))
    again = names(at_home.claim(owner=SOMEONE, now=at(61)))
    assert again == [("ep_a", lost.order_id, 1)]
    assert held.order_id != lost.order_id


# more than one host


@pytest.fixture
def standby(server: Server, home: str) -> Iterator[Server]:
    standby = Server(copy_of=server)
    yield standby
    standby.remove()


def both(first: Server, second: Server) -> str:
    return f"postgresql://postgres@/hub?host={first.sockets},{second.sockets}"


def test_the_host_that_takes_writes_is_found_and_found_again_when_another_takes_over(
    server: Server, standby: Server, run: Run[Any]
) -> None:
    store = run(opened(both(standby, server)))
    desk = Desk(store, run)
    desk.open_account()
    endpoint = desk.endpoint()
    first = desk.place("K1", to=[endpoint], lease=True)

    def caught_up() -> bool:
        # Even the tables may have come after the copy was made.
        with suppress(asyncpg.UndefinedTableError):
            return ask(standby.url("hub"), "SELECT count(*) FROM lanes") == [1]
        return False

    while not caught_up():
        time.sleep(0.05)
    server.stop("immediate")
    standby.promote()
    run(until_it_works(lambda: store.renew(lease=Lease(ME, at(120)))))
    second = desk.place("K2", to=[endpoint])
    assert names(desk.claim(owner=SOMEONE, now=at(1))) == [("ep_a", second.order_id, 1)]
    assert names(desk.claim(owner=SOMEONE, now=at(121))) == [
        ("ep_a", order.order_id, 1) for order in (first, second)
    ]
    run(store.close())
    server.start()


def test_a_host_that_only_reads_is_not_written_to(
    server: Server, standby: Server, run: Run[Any]
) -> None:
    connector = Connector(standby.url("hub"))
    with pytest.raises(StoreError):
        run(connector.connect())
    with pytest.raises(StoreError):
        run(PostgresStore("postgresql://postgres@/hub?host=/nowhere", vault=a_vault()).open())


# words that something is due


async def heard(words: asyncio.Queue[None], *, within_s: float = 5) -> bool:
    """Whether a word comes, and then no more are waiting."""
    try:
        await asyncio.wait_for(words.get(), within_s)
    except TimeoutError:
        return False
    await asyncio.sleep(0.05)
    while not words.empty():
        words.get_nowait()
    return True


def test_whoever_listens_is_woken_by_what_another_process_queues_and_nobody_has_leased(
    at_home: Desk, home: str, server: Server
) -> None:
    run = at_home.run
    other = run(opened(home))
    words: asyncio.Queue[None] = asyncio.Queue()
    endpoint = an_endpoint()

    async def listen() -> bool:
        other.listen(lambda: words.put_nowait(None))
        return await heard(words)

    assert run(listen())
    order = at_home.place("K1", to=[endpoint])
    assert run(heard(words))
    at_home.place("K2", to=[endpoint], lease=True)
    assert not run(heard(words, within_s=0.2))
    at_home.settle(*at_home.claim())
    assert not run(heard(words, within_s=0.2))
    at_home.resend(endpoint, order)
    assert run(heard(words))
    server.stop()
    server.start()
    assert run(heard(words))
    run(until_it_works(at_home.store.accounts))
    at_home.place("K3", to=[endpoint])
    assert run(heard(words))
    run(other.close())


def test_many_words_in_a_row_are_told_as_few(at_home: Desk, home: str) -> None:
    run = at_home.run
    other = run(opened(home))
    count = 0

    def hear() -> None:
        nonlocal count
        count += 1

    async def queue_many() -> None:
        other.listen(hear)
        await asyncio.sleep(0.3)

        async def one(number: int) -> Sequence[Claimed]:
            key = OrderRef(ACCOUNT, store="shop", order_key=f"K{number}")
            decide = creating(f"K{number}", lease=False)
            return await at_home.store.change_orders([key], decide=decide, lease=LEASE, now=NOW)

        await asyncio.gather(*(one(number) for number in range(200)))
        await asyncio.sleep(0.1)

    run(queue_many())
    assert 2 <= count < 100
    run(other.close())
