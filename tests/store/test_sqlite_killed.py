"""A process that is killed while it writes: what it had answered is there, nothing is by half."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from milepost.ports import Store
from milepost.store.sqlite import SqliteStore
from tests.store.desk import Desk, Run
from tests.store.killed import BATCH

ROOT = Path(__file__).resolve().parents[2]


def write_until_killed(path: Path, *, after: int) -> set[str]:
    """The batches that the process had been told of before it was killed."""
    writing = subprocess.Popen(
        [sys.executable, "-m", "tests.store.killed", str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))},
    )
    assert writing.stdout is not None
    answered = [writing.stdout.readline() for _ in range(after)]
    writing.send_signal(signal.SIGKILL)
    answered += writing.stdout.readlines()
    writing.stdout.close()
    assert writing.wait() == -signal.SIGKILL
    return {line.strip() for line in answered if line.endswith("\n")}


@pytest.mark.processes
@pytest.mark.parametrize("after", [1, 17, 60])
def test_a_batch_is_there_whole_or_not_at_all(tmp_path: Path, run: Run[Any], after: int) -> None:
    path = tmp_path / "milepost.db"
    answered = write_until_killed(path, after=after)
    assert len(answered) >= after

    store: Store = SqliteStore(path)
    run(store.open())
    desk = Desk(store, run)
    run(store.take_dispatch())
    claimed = desk.claim(owner="next", limit=1_000_000, room=1_000_000)
    counts = run(store.counts())
    run(store.close())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        keys = [row[0] for row in connection.execute("SELECT order_key FROM orders")]
        rest = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("order_contents", "order_events", "deliveries", "bodies", "lanes")
        ]

    batches = Counter(key.rpartition("-")[0] for key in keys)
    assert set(batches.values()) == {BATCH}
    assert answered <= set(batches)
    # Each of the four writers waits for its answer, so that at most one batch each is untold.
    assert len(batches) <= len(answered) + 4
    assert rest == [len(keys)] * 5
    assert counts.orders == len(claimed) == len(keys)
