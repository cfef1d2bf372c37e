"""A merchant's processes are killed anywhere: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.postgres.server import new_database
from tests.sdk.killed import connect, inbox
from tests.sdk.processes import Running, post, until
from tests.sdk.rooms import sent
from tests.sdk.senders import SECRET

pytestmark = pytest.mark.processes

ORDERS = [f"ord_01jgw3v0c8c7k5m8r2x4n6p{n:03}" for n in range(3)]
TOLD = [(order_id, sequence) for sequence in range(1, 5) for order_id in ORDERS]


class Folder:
    """A merchant's folder, and the processes in it."""

    def __init__(self, path: Path, *, url: str) -> None:
        self.path = path
        self.started: list[Running] = []
        self.settings = {"SHOP_URL": url} if url else {}
        subprocess.run(
            [sys.executable, "-m", "tests.sdk.killed", "create"],
            cwd=path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **self.settings},
            check=True,
            timeout=60,
        )

    def start(self, *words: str) -> Running:
        started = Running(["-m", "tests.sdk.killed", *words], folder=self.path, **self.settings)
        self.started.append(started)
        return started

    def serve(self, *words: str) -> tuple[Running, int]:
        """A process that receives, and its port."""
        (self.path / "out.txt").unlink(missing_ok=True)
        process = self.start("serve", *words)
        until(lambda: process.said().endswith("\n"), process=process)
        return process, int(process.said())

    def tell(self, port: int, order_id: str, sequence: int) -> int:
        headers, body = sent(
            "standard",
            order_id=order_id,
            sequence=sequence,
            at=round(time.time()),
            secrets=(SECRET,),
        )
        return post(port, "/", headers, body)

    def done(self) -> list[tuple[str, int]]:
        with closing(connect()) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT order_id, sequence FROM done ORDER BY number")
            return list(cursor.fetchall())


@pytest.fixture(params=["sqlite", "postgres"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Folder]:
    url = new_database(empty=True) if request.param == "postgres" else ""
    made = Folder(tmp_path, url=url)
    monkeypatch.chdir(tmp_path)
    for name, value in made.settings.items():
        monkeypatch.setenv(name, value)
    yield made
    for process in made.started:
        process.kill()


def check_order(done: list[tuple[str, int]]) -> None:
    assert sorted(done) == sorted(TOLD)
    for order_id in ORDERS:
        assert [s for o, s in done if o == order_id] == [1, 2, 3, 4]


def test_what_was_answered_is_worked_once_however_often_the_worker_is_killed(
    folder: Folder,
) -> None:
    receiver, port = folder.serve()
    for order_id, sequence in TOLD:
        assert folder.tell(port, order_id, sequence) == 204
        assert folder.tell(port, order_id, sequence) == 204
    receiver.kill()
    assert folder.done() == []
    assert inbox().waiting() == len(TOLD)
    deaths = 0
    while inbox().waiting():
        worker = folder.start("work", "4")
        deaths += worker.popen.wait(60) == -signal.SIGKILL
    assert deaths >= 2
    check_order(folder.done())


def test_what_was_kept_and_never_answered_is_done_once_when_it_comes_again(
    folder: Folder,
) -> None:
    for order_id, sequence in TOLD[:2]:
        receiver, port = folder.serve("unanswered")
        assert folder.tell(port, order_id, sequence) == 0
        assert receiver.popen.wait(60) == -signal.SIGKILL
    receiver, port = folder.serve()
    for order_id, sequence in TOLD:
        assert folder.tell(port, order_id, sequence) == 204
    assert folder.start("work", "0").popen.wait(60) == 0
    check_order(folder.done())
