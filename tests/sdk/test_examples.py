"""The examples run as real processes, and receive what the hub sends."""

from __future__ import annotations

import ast
import socket
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.sdk.processes import ROOT, Running, free_port, post, until
from tests.sdk.rooms import CREDENTIALS, OPTIONS, Sent, sent
from tests.sdk.senders import FOREIGN_SECRET, SECRET

pytestmark = pytest.mark.processes

EXAMPLES = ROOT / "examples"
GUIDES = ROOT / "docs/guides"
ORDERS = [f"ord_01jgw3v0c8c7k5m8r2x4n6p{n:03}" for n in range(3)]


class Started(NamedTuple):
    """An example that listens, and how to talk to it."""

    process: Running
    port: int
    path: str

    def post(self, told: Sent) -> int:
        return post(self.port, self.path, *told)


def listening(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(words: Sequence[str], *, folder: Path, path: str, **settings: str) -> Started:
    port = free_port()
    words = [word.format(port=port) for word in words]
    process = Running(words, folder=folder, PORT=str(port), **settings)
    until(lambda: listening(port), process=process)
    return Started(process, port, path)


def told(contract: str, **given: object) -> Sent:
    """A notification as the hub sends it now."""
    defaults = {"at": round(time.time()), "secrets": (SECRET,), "options": OPTIONS[contract]}
    return sent(contract.partition(" ")[0], **{**defaults, **given})  # type: ignore[arg-type]


TEN_LINES = {
    "shipmonk": ("receive_shipmonk.py", {"HUB_PASSWORD": "pass:word", "HUB_SECRET": "shared"}),
    "withings": ("receive_withings.py", {"HUB_SECRET": SECRET}),
    "withings form": ("receive_withings.py", {"HUB_SECRET": SECRET}),
}


@pytest.mark.parametrize("contract", sorted(TEN_LINES))
def test_ten_lines_receive_a_contract(contract: str, tmp_path: Path) -> None:
    name, settings = TEN_LINES[contract]
    started = start([str(EXAMPLES / name)], folder=tmp_path, path="/", **settings)
    proofs = {"credentials": CREDENTIALS} if contract == "shipmonk" else {}
    try:
        for order_id in ORDERS:
            for _ in range(2):
                assert started.post(told(contract, order_id=order_id, **proofs)) == 204
        headers, body = told(contract, order_id=ORDERS[0], sequence=2, **proofs)
        assert started.post((headers, body.replace(b"001", b"009") + b" ")) == 401
        assert started.post(((), body)) == 401
        until(
            lambda: all(order_id in started.process.said() for order_id in ORDERS),
            process=started.process,
        )
        lines = [line for line in started.process.said().splitlines() if "Notification(" in line]
        assert len(lines) == len(ORDERS)
    finally:
        started.process.kill()


def test_ten_lines_are_ten_lines() -> None:
    for name, _ in TEN_LINES.values():
        source = (EXAMPLES / name).read_text(encoding="utf-8")
        text = ast.get_docstring(ast.parse(source), clean=False)
        code = source.replace(f'"""{text}"""', "")
        assert len([line for line in code.splitlines() if line.strip()]) <= 10


SERVED = {
    "flask": ["-m", "flask", "--app", "receive_with_flask", "run", "--port", "{port}"],
    "fastapi": ["-m", "uvicorn", "receive_with_fastapi:app", "--port", "{port}"],
    "django": [
        str(EXAMPLES / "receive_with_django.py"),
        "runserver",
        "127.0.0.1:{port}",
        "--noreload",
    ],
}


def rows(folder: Path, text: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "shop.db", timeout=30)
    try:
        return connection.execute(text).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("framework", sorted(SERVED))
def test_an_example_of_a_framework_does_each_notification_once(
    framework: str, tmp_path: Path
) -> None:
    def run() -> Started:
        words = SERVED[framework]
        return start(words, folder=tmp_path, path="/notifications", HUB_SECRET=SECRET)

    def everything_done() -> bool:
        found = rows(tmp_path, "SELECT order_key, told FROM orders")
        return sorted(found) == [(order_id, 3) for order_id in ORDERS]

    everything = [
        told("standard", order_id=order_id, sequence=n) for n in (1, 2, 3) for order_id in ORDERS
    ]
    started = run()
    try:
        for one in everything:
            assert started.post(one) == 204
            assert started.post(one) == 204
        assert started.post(told("standard", secrets=(FOREIGN_SECRET,))) == 401
        assert started.post((everything[0][0], b" " * 2_000_000)) == 413
        until(everything_done, process=started.process)
        started.process.kill()
        started = run()
        for one in everything:
            assert started.post(one) == 204
        until(everything_done, process=started.process)
    finally:
        started.process.kill()
    assert rows(tmp_path, "SELECT count(*) FROM milepost_inbox") == [(9,)]
    assert rows(tmp_path, "SELECT DISTINCT outcome FROM milepost_inbox") == [("done",)]
    assert rows(tmp_path, "SELECT DISTINCT state FROM orders") == [("shipped",)]


@pytest.mark.parametrize(
    ("guide", "example"),
    [
        ("receive-shipmonk.md", "receive_shipmonk.py"),
        ("receive-withings.md", "receive_withings.py"),
    ],
)
def test_a_guide_shows_the_example_that_runs(guide: str, example: str) -> None:
    text = (GUIDES / guide).read_text(encoding="utf-8")
    assert (EXAMPLES / example).read_text(encoding="utf-8").partition("\n\n")[2] in text
