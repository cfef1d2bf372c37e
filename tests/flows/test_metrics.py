"""What the flows count, and when they take nothing more in; on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from milepost.delivery.model import Failure, Reply, Request
from milepost.errors import BacklogFull, DiskFull, Overloaded, StoreError
from milepost.metrics import Metrics, Spread, Tally
from milepost.orders.lifecycle import State
from milepost.ports import Backlog
from milepost.pressure import Pressure
from tests.flows.house import START, House, house


def counts(tally: Tally) -> dict[tuple[str, ...], int]:
    return dict(tally.counts())


def held(spread: Spread, *labels: str) -> tuple[Mapping[str, float], Any]:
    """How many values are at most each bound, and their sum."""
    found = {where: (dict(buckets), total) for where, buckets, total in spread.shelves()}
    return found[labels]


def test_a_histogram_counts_each_value_at_its_bound_and_above() -> None:
    spread = Spread("name", "about", "label", bounds=(1.0, 2.5))
    spread.see([0.5, 1.0, 1.1, 99.0], "a")
    spread.see([2.5], "a")
    buckets, total = held(spread, "a")
    assert buckets == {"1": 2, "2.5": 4, "+Inf": 5}
    assert total == pytest.approx(104.1)
    spread.see([], "b")
    assert held(spread, "b") == ({"1": 0, "2.5": 0, "+Inf": 0}, 0.0)


def test_every_instrument_has_a_name_of_its_own_in_the_units_of_prometheus() -> None:
    metrics = Metrics()
    names = [one.name for one in metrics.tallies] + [one.name for one in metrics.spreads]
    assert len(names) == len(set(names)) > 10
    assert all(name.startswith("milepost_") for name in names)
    assert all(one.name.endswith(("_seconds", "_rows")) for one in metrics.spreads)
    assert not any(one.name.endswith("_total") for one in metrics.tallies)


def test_orders_and_updates_are_counted_by_what_was_decided(tmp_path: Path) -> None:
    async def story(there: House) -> None:
        await there.order("1")
        await there.order("1")
        await there.order("1", order_number="7")
        await there.live("1", [State.SHIPPED, State.SHIPPED])
        await there.update("1", State.VERIFYING)
        await there.update("2", State.SHIPPED)
        metrics = there.hub.metrics
        assert counts(metrics.orders) == {("created",): 1, ("unchanged",): 1, ("updated",): 1}
        assert counts(metrics.updates) == {
            ("applied",): 1,
            ("duplicate",): 1,
            ("illegal",): 1,
            ("orphan",): 1,
        }
        assert counts(metrics.queued) == {}

    run(story, tmp_path, dispatch=False)


def test_attempts_are_counted_by_contract_and_outcome(tmp_path: Path) -> None:
    replies = [Reply(503), Reply(0, failure=Failure.TIMEOUT, duration_ms=15_000.0)]

    async def story(there: House) -> None:
        there.outside.answer = lambda _r: replies.pop(0) if replies else Reply(204, duration_ms=8.0)
        await there.endpoint()
        await there.endpoint("shipmonk", credentials={"username": "u", "password": "p"})
        await there.order("1")
        for _ in range(20):
            await there.until(lambda: not there.hub.dispatcher.on_wire)
            there.clock.forward(minutes=10)
            await asyncio.sleep(0.03)
        await there.quiet()
        metrics = there.hub.metrics
        attempts = counts(metrics.attempts)
        assert sum(n for (_, outcome), n in attempts.items() if outcome == "acknowledged") == 2
        assert sum(n for (_, outcome), n in attempts.items() if outcome == "server_error") == 1
        assert sum(n for (_, outcome), n in attempts.items() if outcome == "timeout") == 1
        assert counts(metrics.queued) == {("standard",): 1, ("shipmonk",): 1}
        assert counts(metrics.acknowledged) == {("standard",): 1, ("shipmonk",): 1}
        assert counts(metrics.abandoned) == {}
        took = [held(metrics.attempt_s, one) for one in ("standard", "shipmonk")]
        assert sum(total for _, total in took) == pytest.approx(15.016)

    run(story, tmp_path)


def test_accept_to_receipt_is_counted_from_the_event_however_often_it_was_tried(
    tmp_path: Path,
) -> None:
    replies = [Reply(503)]

    async def story(there: House) -> None:
        there.outside.answer = lambda _r: replies.pop() if replies else Reply(204, duration_ms=500)
        await there.endpoint()
        await there.order("1")
        await there.until(lambda: bool(counts(there.hub.metrics.attempts)))
        assert list(there.hub.metrics.receipt_s.shelves()) == []
        there.clock.forward(seconds=3_600)
        there.hub.dispatcher.look()
        await there.quiet()
        buckets, total = held(there.hub.metrics.receipt_s, "standard")
        assert total == pytest.approx(3_600.5)
        assert (buckets["1800"], buckets["7200"], buckets["+Inf"]) == (0, 1, 1)

    run(story, tmp_path)


def test_the_next_of_a_lane_is_counted_from_its_own_event(tmp_path: Path) -> None:
    async def story(there: House) -> None:
        there.outside.answer = lambda _request: None
        await there.endpoint()
        await there.order("1")
        await there.until(lambda: len(there.outside.hanging) == 1)
        there.clock.forward(seconds=10)
        await there.update("1", State.SHIPPED)
        there.outside.answer = lambda _request: Reply(204)
        there.clock.forward(seconds=5)
        there.outside.hanging[0](Reply(204))
        acknowledged = there.hub.metrics.acknowledged
        await there.until(lambda: sum(counts(acknowledged).values()) == len(("first", "second")))
        # The first was taken at once and answered in no time; the second waited for five seconds.
        _, total = held(there.hub.metrics.receipt_s, "standard")
        assert total == pytest.approx(5.0)

    run(story, tmp_path)


def test_a_replay_is_an_attempt_but_no_receipt(tmp_path: Path) -> None:
    async def story(there: House) -> None:
        await there.endpoint()
        order_id = await there.order("1")
        await there.quiet()
        sent = there.outside.requests[0]
        name = dict(sent.headers)["webhook-id"]
        there.clock.forward(days=3)
        account, endpoint = "acc_test", name.rpartition("-")[2]
        await there.hub.store.resend(account, endpoint, order_id, 1, now=there.clock())
        there.hub.dispatcher.look()
        await there.quiet()
        assert counts(there.hub.metrics.attempts) == {("standard", "acknowledged"): 2}
        buckets, _ = held(there.hub.metrics.receipt_s, "standard")
        assert buckets["+Inf"] == 1

    run(story, tmp_path)


def test_what_was_given_up_is_counted(tmp_path: Path) -> None:
    async def story(there: House) -> None:
        there.outside.answer = lambda _request: Reply(500)
        await there.endpoint()
        await there.order("1")
        for _ in range(100):
            there.clock.forward(days=1)
            there.hub.dispatcher.look()
            await asyncio.sleep(0.01)
            if counts(there.hub.metrics.abandoned):
                break
        assert counts(there.hub.metrics.abandoned) == {("standard",): 1}
        assert counts(there.hub.metrics.acknowledged) == {}

    run(story, tmp_path)


def test_transactions_and_reads_are_timed(tmp_path: Path) -> None:
    async def story(there: House) -> None:
        before, _ = held(there.hub.metrics.commit_s)
        await there.order("1")
        metrics = there.hub.metrics
        commits, commit_s = held(metrics.commit_s)
        transactions, transaction_s = held(metrics.transaction_s)
        _, rows = held(metrics.transaction_rows)
        assert commits["+Inf"] == transactions["+Inf"] > before["+Inf"]
        assert transaction_s >= commit_s > 0
        assert rows >= 3
        assert held(metrics.read_s)[1] > 0

    run(story, tmp_path, dispatch=True)


def test_a_slow_transaction_and_a_slow_read_are_warnings_in_the_log(tmp_path: Path) -> None:
    async def story(there: House) -> None:
        with structlog.testing.capture_logs() as logs:
            await there.order("1")
            await there.hub.store.accounts()
            await asyncio.sleep(0.01)
        told = {entry["event"]: entry for entry in logs}
        assert told["slow_transaction"]["log_level"] == "warning"
        assert told["slow_transaction"]["rows"] >= 3
        assert told["slow_read"]["read"] == "accounts"

    run(story, tmp_path, dispatch=False, slow_store_s=1e-9)


def test_a_dispatcher_works_until_it_stops_or_breaks(tmp_path: Path) -> None:
    async def story(there: House) -> None:
        dispatcher = there.hub.dispatcher
        assert dispatcher.works(within_s=5)
        assert not dispatcher.works(within_s=-1)

        async def broken(**_given: object) -> Any:
            raise RuntimeError("broken")

        there.hub.store.claim = broken  # type: ignore[method-assign]
        with structlog.testing.capture_logs() as logs:
            dispatcher.look()
            await there.until(lambda: not dispatcher.works(within_s=5))
            await asyncio.sleep(0)
        assert [entry["event"] for entry in logs] == ["dispatcher_failed"]

    run(story, tmp_path)


def test_a_dispatcher_that_was_not_started_or_was_stopped_does_not_work(tmp_path: Path) -> None:
    async def idle(there: House) -> None:
        assert not there.hub.dispatcher.works(within_s=5)

    async def stopped(there: House) -> None:
        await there.hub.dispatcher.stop(within_s=1)
        assert not there.hub.dispatcher.works(within_s=5)

    run(idle, tmp_path, dispatch=False)
    run(stopped, tmp_path)


# pressure


class Ground:
    """A store that has so much pending and a disk that has so much left; counts the looks."""

    def __init__(self) -> None:
        self.pending = 0
        self.free = 1_000
        self.looks = 0
        self.at = 0.0
        self.takes_s = 0.0
        self.error: Exception | None = None

    async def backlog(self, *, now: object, most: int) -> Backlog:
        await asyncio.sleep(0)
        self.looks += 1
        self.at += self.takes_s
        if self.error is not None:
            raise self.error
        return Backlog(pending=min(self.pending, most))

    def pressure(self) -> Pressure:
        return Pressure(
            self,  # type: ignore[arg-type]
            free_bytes=lambda: self.free,
            min_free_bytes=500,
            max_pending=10,
            now=lambda: START,
            clock=lambda: self.at,
        )


def test_nothing_is_taken_in_while_the_disk_is_nearly_full() -> None:
    async def story() -> None:
        ground = Ground()
        pressure = ground.pressure()
        await pressure.look()
        await pressure.admit()
        ground.at, ground.free = 1.5, 499
        await pressure.look()
        with pytest.raises(DiskFull):
            await pressure.admit()
        ground.free = 500
        with pytest.raises(DiskFull):
            await pressure.admit()
        ground.at = 3.0
        await pressure.admit()

    asyncio.run(story())


def test_nothing_is_taken_in_while_too_much_is_pending() -> None:
    async def story() -> None:
        ground = Ground()
        pressure = ground.pressure()
        ground.pending = 10
        await pressure.look()
        await pressure.admit()
        ground.at, ground.pending = 2.0, 11
        with structlog.testing.capture_logs() as logs:
            await pressure.look()
            for _ in range(3):
                with pytest.raises(BacklogFull):
                    await pressure.admit()
        assert [entry["event"] for entry in logs] == ["intake_refuses"]
        assert issubclass(BacklogFull, Overloaded)

    asyncio.run(story())


def test_the_database_is_looked_at_once_a_second_however_much_comes_in() -> None:
    async def story() -> None:
        ground = Ground()
        pressure = ground.pressure()
        await pressure.look()
        for _ in range(1_000):
            await asyncio.gather(pressure.admit(), pressure.look())
        assert ground.looks == 1
        ground.at = 1.0
        await asyncio.gather(*(pressure.look() for _ in range(50)))
        assert ground.looks == 2

    asyncio.run(story())


def test_a_look_that_takes_long_is_followed_by_a_longer_rest() -> None:
    async def story() -> None:
        ground = Ground()
        ground.takes_s = 0.2
        pressure = ground.pressure()
        await pressure.look()
        ground.at += 19.0
        await pressure.look()
        assert ground.looks == 1
        ground.at += 2.0
        await pressure.look()
        assert ground.looks == 2

    asyncio.run(story())


def test_while_all_is_well_nobody_waits_for_a_look() -> None:
    async def story() -> None:
        ground = Ground()
        pressure = ground.pressure()
        await pressure.look()
        ground.at = 5.0
        await pressure.admit()
        assert ground.looks == 1
        await pressure.stop()
        assert ground.looks == 2

    asyncio.run(story())


def test_a_look_that_fails_refuses_nothing_and_is_told() -> None:
    async def story() -> None:
        ground = Ground()
        ground.error = StoreError("away")
        pressure = ground.pressure()
        with structlog.testing.capture_logs() as logs:
            await pressure.look()
        await pressure.admit()
        assert [entry["event"] for entry in logs] == ["look_failed"]

    asyncio.run(story())


def test_a_hub_that_serves_knows_from_its_start_how_full_it_is(tmp_path: Path) -> None:
    async def fill(there: House) -> None:
        await there.endpoint()
        for i in range(3):
            await there.order(str(i))

    async def full(there: House) -> None:
        assert there.hub.pressure.reading.backlog.pending == 3
        with pytest.raises(BacklogFull):
            await there.order("4")

    def hang(_request: Request) -> None:
        return None

    run(fill, tmp_path, dispatch=False)
    run(full, tmp_path, max_pending=2, stop_s=0.1, answer=hang)


def run(story: Any, folder: Path, *, answer: Any = None, **settings: Any) -> None:
    async def whole() -> None:
        async with house(folder, **settings) as there:
            if answer is not None:
                there.outside.answer = answer
            await asyncio.wait_for(story(there), timedelta(seconds=20).total_seconds())

    asyncio.run(whole())
