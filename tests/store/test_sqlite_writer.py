"""The writing thread: shared commits, failures that stay where they happen, a bounded queue."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.delivery.model import Body
from milepost.errors import Overloaded, StoreBusy, StoreError
from milepost.orders.lifecycle import State
from milepost.ports import Changes, Lease, OrderFilter, OrderRef, Page, Snapshot, Store
from milepost.store.sqlite import SqliteStore, writer
from milepost.store.sqlite.session import Session
from tests.store.desk import (
    ACCOUNT,
    ME,
    NOW,
    Desk,
    Gate,
    Run,
    a_delivery,
    an_event,
    an_order,
    at,
    moved,
)

LEASE = Lease(ME, at(60))


def sqlite_of(desk: Desk) -> SqliteStore:
    assert isinstance(desk.store, SqliteStore)
    return desk.store


def creating(key: str) -> Callable[[Snapshot], Changes]:
    order = an_order(key)
    return lambda _: Changes(created=[order], events=[an_event(order)])


async def intake(store: Store, decide: Callable[[Snapshot], Changes], *, refs: int = 1) -> Any:
    return await store.change_orders(
        [OrderRef(ACCOUNT)] * refs, decide=decide, lease=LEASE, now=NOW
    )


def test_whatever_waits_shares_a_commit(desk: Desk) -> None:
    store = sqlite_of(desk)

    async def crowd() -> int:
        gate = Gate()
        first = asyncio.create_task(intake(store, gate.decide))
        await asyncio.to_thread(gate.reached.wait)
        others = [asyncio.create_task(intake(store, creating(f"K{n}"))) for n in range(100)]
        await asyncio.sleep(0)
        before = store._writer.commits
        gate.open()
        await asyncio.gather(first, *others)
        return store._writer.commits - before

    assert desk.run(crowd()) == 2
    assert desk.run(store.counts()).orders == 100


def test_a_transaction_is_only_so_large(desk: Desk) -> None:
    store = sqlite_of(desk)

    async def crowd() -> int:
        gate = Gate()
        first = asyncio.create_task(intake(store, gate.decide))
        await asyncio.to_thread(gate.reached.wait)
        others = [
            asyncio.create_task(intake(store, lambda _: Changes(), refs=1_000)) for _ in range(6)
        ]
        await asyncio.sleep(0)
        before = store._writer.commits
        gate.open()
        await asyncio.gather(first, *others)
        return store._writer.commits - before

    assert desk.run(crowd()) == 4


def test_one_that_fails_takes_none_of_those_down_that_share_its_commit(desk: Desk) -> None:
    store = sqlite_of(desk)

    def refuse(_: Snapshot) -> Changes:
        raise LookupError("mine alone")

    async def crowd() -> list[Any]:
        gate = Gate()
        first = asyncio.create_task(intake(store, gate.decide))
        await asyncio.to_thread(gate.reached.wait)
        twice = an_order("K1", order_id="ord_other")
        others = [
            intake(store, creating("K1")),
            intake(store, refuse),
            intake(store, lambda _: Changes(created=[an_order("K5"), twice])),
            store.put_store(ACCOUNT, "b", name="B", number=None, now=NOW),
            intake(store, creating("K2")),
        ]
        tasks = [asyncio.create_task(call) for call in others]
        await asyncio.sleep(0)
        before = store._writer.commits
        gate.open()
        results = await asyncio.gather(first, *tasks, return_exceptions=True)
        assert store._writer.commits - before == 2
        return results[1:]

    results = desk.run(crowd())
    assert [type(r).__name__ for r in results] == [
        "list",
        "LookupError",
        "StoreError",
        "Store",
        "list",
    ]
    found, _ = desk.run(store.orders(ACCOUNT, wanted=OrderFilter(), page=Page()))
    assert [o.order_key for o in found] == ["K2", "K1"]


def test_an_answer_comes_only_after_the_commit(desk: Desk, another: Callable[[], Store]) -> None:
    witness = another()

    async def watch() -> None:
        for n in range(20):
            await intake(desk.store, creating(f"K{n}"))
            assert (await witness.counts()).orders == n + 1

    desk.run(watch())


def test_more_than_may_wait_is_refused_and_later_taken(tmp_path: Path, run: Run[Any]) -> None:
    store = SqliteStore(tmp_path / "small.db", most_waiting=10)

    async def crowd() -> None:
        await store.open()
        gate = Gate()
        first = asyncio.create_task(intake(store, gate.decide))
        await asyncio.to_thread(gate.reached.wait)
        waiting = [asyncio.create_task(intake(store, creating(f"K{n}"))) for n in range(9)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await intake(store, creating("K99"))
        # What is on its way already is settled and set up, however long the queue is.
        settings = asyncio.create_task(
            store.put_store(ACCOUNT, "b", name="B", number=None, now=NOW)
        )
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(first, *waiting, settings)
        await intake(store, creating("K99"), refs=1_000)
        assert (await store.counts()).orders == 10

    try:
        run(crowd())
    finally:
        run(store.close())


def test_a_caller_that_goes_away_takes_nothing_back(desk: Desk) -> None:
    async def leave() -> None:
        gate = Gate()
        first = asyncio.create_task(intake(desk.store, gate.decide))
        await asyncio.to_thread(gate.reached.wait)
        gone = asyncio.create_task(intake(desk.store, creating("K1")))
        await asyncio.sleep(0)
        gone.cancel()
        gate.open()
        await first
        with pytest.raises(asyncio.CancelledError):
            await gone

    desk.run(leave())
    desk.place("K2")
    assert desk.run(desk.store.counts()).orders == 2


def test_a_slow_list_keeps_no_intake_waiting(desk: Desk) -> None:
    for n in range(3):
        desk.place(f"K{n}")
    store = sqlite_of(desk)

    async def race() -> None:
        begun, end = threading.Event(), threading.Event()

        def slow(session: Any) -> int:
            before = session.rows("orders_page", account_id=ACCOUNT, limit=99)
            begun.set()
            assert end.wait(30)
            after = session.rows("orders_page", account_id=ACCOUNT, limit=99)
            assert before == after
            return len(after)

        reading = asyncio.create_task(store._readers.run(slow))
        await asyncio.to_thread(begun.wait)
        await intake(store, creating("K9"))
        assert (await store.counts()).orders == 4
        end.set()
        assert await reading == 3

    desk.run(race())


def test_a_slow_decision_keeps_no_list_waiting(desk: Desk) -> None:
    async def race() -> None:
        gate = Gate()
        deciding = asyncio.create_task(intake(desk.store, gate.decide))
        await asyncio.to_thread(gate.reached.wait)
        assert (await desk.store.counts()).orders == 0
        gate.open()
        await deciding

    desk.run(race())


def test_an_idle_claim_waits_for_no_write_and_makes_none(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.place("K1", to=[endpoint], lease=True)
    store = sqlite_of(desk)

    async def look() -> None:
        gate = Gate()
        deciding = asyncio.create_task(intake(store, gate.decide))
        await asyncio.to_thread(gate.reached.wait)
        before = store._writer.commits
        for _ in range(5):
            assert await store.claim(lease=LEASE, now=at(1), held={}, room=9, limit=9) == ()
        assert store._writer.commits == before
        gate.open()
        await deciding

    desk.run(look())


def test_closing_lets_what_was_accepted_finish(tmp_path: Path, run: Run[Any]) -> None:
    store = SqliteStore(tmp_path / "closing.db")

    async def close_early() -> list[Any]:
        await store.open()
        tasks = [asyncio.create_task(intake(store, creating(f"K{n}"))) for n in range(30)]
        await asyncio.sleep(0)
        await store.close()
        return await asyncio.gather(*tasks)

    assert run(close_early()) == [[]] * 30
    for call in (store.accounts(), intake(store, creating("K99"))):
        with pytest.raises(StoreError):
            run(call)
    run(store.close())


def test_what_was_never_opened_can_be_closed(tmp_path: Path, run: Run[Any]) -> None:
    store = SqliteStore(tmp_path / "never.db")
    run(store.close())
    assert not (tmp_path / "never.db").exists()


def test_two_processes_write_to_one_file_in_turn(desk: Desk, another: Callable[[], Store]) -> None:
    other = another()

    async def both() -> None:
        for n in range(20):
            await asyncio.gather(
                intake(desk.store, creating(f"A{n}")), intake(other, creating(f"B{n}"))
            )

    desk.run(both())
    assert desk.run(desk.store.counts()).orders == 40


def test_a_process_waits_for_its_turn_only_so_long(
    desk: Desk, another: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    other, store = another(), sqlite_of(desk)

    async def hold(seconds: float) -> float:
        gate = Gate()
        held = asyncio.create_task(intake(other, gate.decide))
        await asyncio.to_thread(gate.reached.wait)
        asyncio.get_running_loop().call_later(seconds, gate.open)
        began = time.monotonic()
        try:
            await intake(store, creating(f"K{seconds}"))
        finally:
            took = time.monotonic() - began
            gate.open()
            await held
        return took

    assert desk.run(hold(0.3)) >= 0.2
    monkeypatch.setattr(writer, "TURN_WITHIN_S", 0.2)
    with pytest.raises(StoreError, match="locked"):
        desk.run(hold(30.0))
    assert desk.run(hold(0.0)) < 10
    assert desk.run(store.counts()).orders == 2


def test_what_is_kept_of_the_accounts_is_read_again_only_when_another_process_changed_it(
    desk: Desk, another: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = another()
    read: list[str] = []
    rows = Session.rows

    def noted(session: Session, name: str, /, **values: Any) -> Any:
        read.append(name)
        return rows(session, name, **values)

    def seen() -> tuple[int, list[str]]:
        found: list[int] = []

        def decide(snapshot: Snapshot) -> Changes:
            found.append(len(snapshot.endpoints.get(ACCOUNT, ())))
            return Changes()

        read.clear()
        desk.run(intake(desk.store, decide))
        return found[0], [name for name in read if name.startswith("every_")]

    # What this process has changed itself is looked at once more after another one's write.
    desk.run(intake(other, creating("K0")))
    assert seen()[0] == 0
    monkeypatch.setattr(Session, "rows", noted)
    desk.run(intake(other, creating("K1")))
    assert seen() == (0, [])
    endpoint = desk.endpoint()
    changed = msgspec.structs.replace(endpoint, endpoint_id="ep_other")
    assert seen() == (1, ["every_endpoint", "every_store"])
    desk.run(other.put_endpoint(changed))
    assert seen() == (2, ["every_endpoint", "every_store"])
    desk.run(other.delete_endpoint(ACCOUNT, "ep_other", now=NOW))
    assert seen() == (1, ["every_endpoint", "every_store"])
    assert seen() == (1, [])
    desk.run(intake(other, creating("K2")))
    assert seen() == (1, [])


# who dispatches


def test_one_process_dispatches_from_a_file(desk: Desk, another: Callable[[], Store]) -> None:
    other = another()
    desk.run(desk.store.take_dispatch())
    desk.run(desk.store.take_dispatch())
    with pytest.raises(StoreBusy):
        desk.run(other.take_dispatch())
    desk.run(desk.store.close())
    desk.run(other.take_dispatch())


def test_leases_of_a_dead_process_end_when_the_next_one_takes_over(
    desk: Desk, another: Callable[[], Store]
) -> None:
    endpoint = desk.endpoint()
    desk.place("K1", to=[endpoint], lease=True)
    desk.place("K2", to=[endpoint])
    desk.claim()
    desk.run(desk.store.close())
    next_one = Desk(another(), desk.run)
    assert next_one.claim(owner="next") == ()
    desk.run(next_one.store.take_dispatch())
    assert len(next_one.claim(owner="next")) == 2


def test_a_store_that_only_takes_in_leaves_leases_alone(
    desk: Desk, another: Callable[[], Store]
) -> None:
    endpoint = desk.endpoint()
    desk.run(desk.store.take_dispatch())
    desk.place("K1", to=[endpoint])
    claimed = desk.claim()
    elsewhere = Desk(another(), desk.run)
    elsewhere.place("K2", to=[endpoint])
    assert desk.settle(*claimed) == []
    assert len(desk.claim()) == 1


def test_a_lane_is_kept_once_however_many_bring_to_it(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1")

    async def crowd() -> list[Any]:
        return await asyncio.gather(
            *(
                intake(
                    desk.store,
                    lambda _, n=n: Changes(  # type: ignore[misc]
                        deliveries=[
                            a_delivery(endpoint, an_order("K1", sequence=n + 2), lease=True)
                        ]
                    ),
                )
                for n in range(10)
            )
        )

    claimed = [c.sequence for found in desk.run(crowd()) for c in found]
    assert claimed == [2]
    previous = [desk.delivery(endpoint, order, n).previous for n in range(2, 12)]
    assert previous == [0, *range(2, 11)]


def count(desk: Desk, table: str) -> int:
    counted: int = desk.run(
        sqlite_of(desk)._readers.run(
            lambda session: session.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[
                0
            ]
        )
    )
    return counted


def test_a_body_that_several_endpoints_share_takes_one_row(desk: Desk) -> None:
    endpoints = [desk.endpoint(f"ep_{n}") for n in range(4)]
    order = desk.place("K1", to=endpoints)
    assert count(desk, "bodies") == 1
    words = [Body(b"one"), Body(b"one"), Body(b"two"), Body(b"one")]
    later = moved(order, State.PICKING)
    deliveries = [
        a_delivery(endpoint, later, body=body)
        for endpoint, body in zip(endpoints, words, strict=True)
    ]
    desk.change(Changes(changed=[later], deliveries=deliveries))
    assert count(desk, "bodies") == 3


def test_a_lane_has_a_row_exactly_while_it_has_something_pending(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    heads = desk.claim()
    while heads:
        assert count(desk, "lanes") == 1
        heads = desk.settle(*heads)
    assert count(desk, "lanes") == 0
    desk.resend(endpoint, order)
    assert count(desk, "lanes") == 1


def test_a_commit_reaches_the_disk_before_its_answer(desk: Desk) -> None:
    settings = desk.run(
        sqlite_of(desk)._writer.run(
            lambda session: [
                session.connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("synchronous", "journal_mode", "foreign_keys")
            ]
        )
    )
    assert settings == [2, "wal", 0]


def test_readers_cannot_write(desk: Desk) -> None:
    with pytest.raises(StoreError, match="readonly"):
        desk.run(
            sqlite_of(desk)._readers.run(
                lambda session: session.connection.execute("DELETE FROM stores")
            )
        )


def test_the_event_loop_goes_on_while_a_decision_is_made(desk: Desk) -> None:
    async def beat() -> int:
        def slow(_: Snapshot) -> Changes:
            time.sleep(0.2)
            return Changes()

        deciding, beats = asyncio.create_task(intake(desk.store, slow)), 0
        while not deciding.done():
            await asyncio.sleep(0.01)
            beats += 1
        return beats

    assert desk.run(beat()) > 5
