"""When the disk is full or fails: an error, nothing by half, and on as soon as it is well again."""

from __future__ import annotations

import asyncio
import random
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from milepost.delivery.model import DeliveryState
from milepost.errors import StoreError
from milepost.orders.model import OrderContent
from milepost.ports import Changes, Lease, OrderRef
from milepost.store.sqlite import SqliteStore
from milepost.store.sqlite.session import Session
from tests.store.desk import ME, NOW, Desk, Gate, a_delivery, an_endpoint, an_event, an_order, at

# Noise, which does not get smaller where contents are compressed.
LARGE = OrderContent(customer_notes=random.Random(1).randbytes(4_500).hex())
Trouble = Callable[[Desk], Any]


@contextmanager
def full(desk: Desk) -> Iterator[None]:
    """The database may not grow by a page."""
    assert isinstance(desk.store, SqliteStore)

    def allow(pages: str) -> None:
        desk.run(
            desk.store._writer.run(  # type: ignore[attr-defined]
                lambda session: session.connection.execute(
                    f"PRAGMA max_page_count = {pages}"
                ).fetchall()
            )
        )

    allow("1")
    try:
        yield
    finally:
        allow("1073741823")


@contextmanager
def failing(desk: Desk) -> Iterator[None]:
    """No file of this process may grow: writing ends with an error of the disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("trouble", [full, failing])
def test_what_the_disk_cannot_take_is_refused_whole_and_taken_later(
    desk: Desk, trouble: Trouble
) -> None:
    endpoint = desk.endpoint()
    first = desk.place("K1", to=[endpoint])
    (head,) = desk.claim()
    orders = [an_order(f"L{n}", content=LARGE) for n in range(100)]
    changes = Changes(
        created=orders,
        events=[an_event(o) for o in orders],
        deliveries=[a_delivery(endpoint, o, lease=True) for o in orders],
    )
    with trouble(desk):
        for _ in range(3):
            with pytest.raises(StoreError):
                desk.change(changes)
        counts = desk.run(desk.store.counts())
        assert (counts.orders, counts.events, counts.deliveries[DeliveryState.PENDING]) == (1, 1, 1)
    assert len(desk.change(changes)) == 100
    desk.settle(head)
    assert desk.states(endpoint, first) == [DeliveryState.ACKNOWLEDGED]
    assert desk.run(desk.store.counts()).orders == 101


def test_those_that_share_a_transaction_with_one_too_large_are_told_the_truth(desk: Desk) -> None:
    large = [an_order(f"L{n}", content=LARGE) for n in range(200)]

    async def crowd() -> list[Any]:
        lease, ref = Lease(ME, at(60)), [OrderRef(desk.account_id)]
        changes = [[an_order("K1")], [an_order("K2")], large, [an_order("K3")]]
        return await asyncio.gather(
            *(
                desk.store.change_orders(
                    ref,
                    decide=lambda _, created=created: Changes(created=created),  # type: ignore[misc]
                    lease=lease,
                    now=NOW,
                )
                for created in changes
            ),
            return_exceptions=True,
        )

    with full(desk):
        results = desk.run(crowd())
    assert isinstance(results[2], StoreError)
    on_record = {o.order_key for key in ("K1", "K2", "K3") for o in found(desk, key)}
    told = {key for key, n in (("K1", 0), ("K2", 1), ("K3", 3)) if results[n] == []}
    assert on_record == told
    assert desk.run(desk.store.counts()).orders == len(told)


def test_what_a_lost_transaction_had_read_is_forgotten(desk: Desk) -> None:
    new = an_endpoint("ep_new", account_id=desk.account_id)

    async def crowd() -> list[Any]:
        results = await asyncio.gather(
            desk.store.put_endpoint(new),
            desk.store.change_orders(
                [OrderRef(desk.account_id)],
                decide=lambda _: Changes(created=[an_order("K1")]),
                lease=Lease(ME, at(60)),
                now=NOW,
            ),
            return_exceptions=True,
        )
        return list(results)

    with failing(desk):
        results = desk.run(crowd())
    assert [type(r) for r in results] == [StoreError, StoreError]
    desk.change(Changes())
    assert desk.snapshots[-1].endpoints == {desk.account_id: ()}
    assert found(desk, "K1") == []


def test_when_the_database_undoes_everything_everybody_is_told(desk: Desk) -> None:
    assert isinstance(desk.store, SqliteStore)
    writer = desk.store._writer

    def lose(session: Session) -> None:
        session.connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    async def crowd() -> list[Any]:
        put = [
            desk.store.put_store(desk.account_id, name, name=name, number=None, now=NOW)
            for name in ("before", "after")
        ]
        gate = Gate()
        ref, lease = [OrderRef(desk.account_id)], Lease(ME, at(60))
        first = asyncio.create_task(
            desk.store.change_orders(ref, decide=gate.decide, lease=lease, now=NOW)
        )
        await asyncio.to_thread(gate.reached.wait)
        calls = (put[0], writer.run(lose), put[1])
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0)
        gate.open()
        results: list[Any] = await asyncio.gather(first, *tasks, return_exceptions=True)
        return results[1:]

    assert [type(r) for r in desk.run(crowd())] == [StoreError] * 3
    assert [s.store for s in desk.run(desk.store.stores(desk.account_id))] == ["shop"]
    desk.place("K1")


def found(desk: Desk, key: str) -> Any:
    return desk.run(desk.store.find_orders(desk.account_id, key))


def test_endpoints_that_could_not_be_written_are_not_remembered(desk: Desk) -> None:
    desk.endpoint("ep_a")
    options = b'{"x":"%s"}' % (b"y" * 9_000)
    with full(desk):
        for n in range(3):
            with pytest.raises(StoreError):
                desk.endpoint(f"ep_{n}", options=options)
    desk.change(Changes())
    assert [e.endpoint_id for e in desk.snapshots[-1].endpoints[desk.account_id]] == ["ep_a"]
