"""The bench: it measures what it says it measures, and its targets are compared as they should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import judge, with_those_compared
from benchmarks.backlog import add_orders
from benchmarks.machine import Spent, spent, used_s
from benchmarks.orders import BACKLOG, order_json
from benchmarks.scenarios import SUITE, Scenario, Sense, Want
from benchmarks.storing import at_store
from milepost.delivery.model import DeliveryState
from milepost.ports import Account, Store
from tests.store.desk import ACCOUNT, NOW, an_endpoint

ROOT = Path(__file__).resolve().parents[2]


def test_a_row_that_another_is_compared_with_is_measured_too_and_before_it() -> None:
    names = list(SUITE)
    for name, row in SUITE.items():
        for want in row.wants:
            if want.over:
                assert names.index(want.over) < names.index(name)
                assert with_those_compared([name]) == [want.over, name]
    assert with_those_compared(SUITE) == names


def test_a_figure_counts_by_itself_or_as_a_share_of_that_of_another_row() -> None:
    rows = {"one": {"per_s": 1_000}, "two": {"per_s": 1_150}}
    alone = Want("per_s", Sense.AT_LEAST, 1_200)
    assert judge(alone, "two", rows)["met"] is False
    compared = judge(Want("per_s", Sense.AT_LEAST, 1.1, "one"), "two", rows)
    assert (compared["value"], compared["met"]) == (1.15, True)
    assert judge(Want("per_s", Sense.AT_MOST, 1.1, "one"), "two", rows)["met"] is False


def test_the_targets_of_the_suite_are_those_that_are_published() -> None:
    wanted = {name: [(w.figure, w.number) for w in row.wants] for name, row in SUITE.items()}
    assert wanted["postgres, batches of 100"] == [
        ("delivered_per_s", 12_000),
        ("hub_and_database_us", 120),
    ]
    assert SUITE["postgres, batches of 100"].scenario == Scenario(
        store="postgres", workers=2, seconds=60
    )
    assert wanted["sqlite, one a request"] == [("delivered_per_s", 5_000)]


def test_processor_time_is_split_and_counted_for_an_event() -> None:
    before = spent(hub=[os.getpid()], database=[], receiver=os.getpid())
    assert before.hub + before.database == pytest.approx(used_s(os.getpid())[0], abs=0.05)
    after = Spent(hub=before.hub + 2, database=before.database + 1, receiver=before.receiver)
    assert after.since(before, events=100_000)["hub_us"] == 20.0
    assert after.since(before, events=100_000)["database_us"] == 10.0


def test_orders_differ_and_say_their_store() -> None:
    first, second = (json.loads(order_json(n, store=b"shop")) for n in (1, 2))
    assert (first["store"], len(first["lines"])) == ("shop", 10)
    assert first["order_key"] != second["order_key"]
    assert 3_300 < len(order_json(1)) < 3_600


def test_a_backlog_is_as_long_as_it_was_asked_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'backlog.db'}"

    async def set_up(store: Store) -> None:
        await store.add_account(Account(ACCOUNT, "one", NOW))
        await store.put_store(ACCOUNT, BACKLOG, name="", number=None, now=NOW)
        for name in ("ep_a", "ep_b"):
            await store.put_endpoint(an_endpoint(name))

    at_store(url, set_up)
    add_orders(url, ACCOUNT, ["ep_a", "ep_b"], 250)
    counts = at_store(url, lambda store: store.counts(ACCOUNT))
    assert (counts.orders, counts.deliveries[DeliveryState.PENDING]) == (125, 250)


@pytest.mark.processes
def test_a_short_run_measures_the_whole_path_beside_its_limits(tmp_path: Path) -> None:
    words = ("--store", "postgres", "--workers", "1", "--seconds", "0.9", "--warm-up", "0.3",
             "--hanging", "--endpoints", "2", "--json")  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["events"] >= 100
    assert found["delivered_per_s"] == pytest.approx(2 * found["accepted_per_s"], rel=0.01)
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]
    for name in ("hub_us", "database_us", "receiver_us", "hub_mib", "database_mib"):
        assert found[name] > 0
    assert found["hub_and_database_us"] == pytest.approx(found["hub_us"] + found["database_us"])
    for name in ("limit_send_per_s", "limit_store_per_s", "share_of_limit"):
        assert found[name] > 0
    durable = found["durability"]
    assert (durable["fsync"], durable["synchronous_commit"]) == ("on", "on")
    assert found["settings"]["hanging"] is True
    assert list(tmp_path.glob("milepost-*")) == []
