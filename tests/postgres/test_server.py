"""The server that tests, bench and torture start: it ends with whoever started it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.postgres import is_alive

ROOT = Path(__file__).resolve().parents[2]
STARTS_ONE = """
import sys
from benchmarks.postgres import Server
server = Server()
print(server.folder, *server.pids, flush=True)
sys.stdin.read()
"""


@pytest.mark.processes
def test_a_server_ends_and_leaves_nothing_when_its_process_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        folder, *pids = process.stdout.readline().split()
        assert len(pids) > 3
        process.kill()
    until = time.monotonic() + 30
    while Path(folder).exists() or any(is_alive(int(pid)) for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.05)
