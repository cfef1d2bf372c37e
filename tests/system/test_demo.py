"""The demonstration as a process: it ends well, leaves nothing behind, dies with its starter."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from milepost.cli.demo.scenarios import ALL, FAILURES

pytestmark = pytest.mark.processes


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MILEPOST_", "COLUMNS"))}
    return {**kept, "TMPDIR": str(folder)}


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "milepost.cli", "demo", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
    )


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            facts = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(facts[1]) == pid and facts[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_for_children(demo: subprocess.Popen[str], count: int) -> list[int]:
    until = time.monotonic() + 30
    while len(found := children_of(demo.pid)) < count:
        assert demo.poll() is None, demo.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def assert_gone(pids: list[int]) -> None:
    until = time.monotonic() + 20
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < until, pids
        time.sleep(0.05)


def test_everything_accepted_is_delivered_verified_and_in_order(tmp_path: Path) -> None:
    began = time.monotonic()
    with start(tmp_path, "--json") as demo:
        out, err = demo.communicate(timeout=90)
    assert demo.returncode == 0, err
    assert out.count("\n") == 1
    told = json.loads(out)
    applied = sum(step.verdict == "applied" for s in ALL for step in s.steps)
    assert list(told) == [
        "orders",
        "updates",
        "delivered",
        "attempts",
        "unverified",
        "out_of_order",
        "lost",
    ]
    assert (told["orders"], told["updates"]) == (len(ALL), applied)
    assert told["delivered"]["standard"] == len(ALL) + applied
    assert told["delivered"]["withings"] > 0
    assert told["delivered"]["shipmonk"] > 0
    assert told["attempts"] == sum(told["delivered"].values()) + FAILURES
    assert (told["unverified"], told["out_of_order"], told["lost"]) == (0, 0, 0)
    assert "answered 500 as asked" in err
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - began < 60


def test_a_person_sees_every_notification_a_timeline_and_the_verdict(tmp_path: Path) -> None:
    with start(tmp_path) as demo:
        out, err = demo.communicate(timeout=90)
    assert demo.returncode == 0, err
    assert err == ""
    landed = [line for line in out.splitlines() if " attempt " in line]
    assert all("verified" in line for line in landed)
    for contract in ("withings", "shipmonk", "standard"):
        assert any(f" {contract} " in line for line in landed)
    assert "attempt 3" in out
    assert re.search(r"happened +state +source +withings +standard", out)
    assert all(len(line) <= 100 for line in out.splitlines() if "answered" not in line)
    assert "Everything accepted was delivered, verified and in order." in out
    assert "\x1b" not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_interrupted_leaves_neither_processes_nor_files(
    tmp_path: Path, number: signal.Signals
) -> None:
    with start(tmp_path, "--json") as demo:
        children = wait_for_children(demo, 4)
        time.sleep(1.0)
        demo.send_signal(number)
        out, err = demo.communicate(timeout=60)
    assert demo.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert_gone(children)
    assert list(tmp_path.iterdir()) == []


def test_its_processes_die_with_it_even_when_it_is_killed(tmp_path: Path) -> None:
    with start(tmp_path, "--json") as demo:
        children = wait_for_children(demo, 4)
        demo.kill()
        demo.communicate(timeout=30)
    assert_gone(children)


def test_a_hub_that_dies_in_the_middle_is_a_failure_of_one_line_and_not_a_hang(
    tmp_path: Path,
) -> None:
    with start(tmp_path, "--json") as demo:
        hub = wait_for_children(demo, 4)[0]
        assert demo.stderr is not None
        for line in demo.stderr:
            if "attempt 1" in line:
                break
        os.kill(hub, signal.SIGKILL)
        out, err = demo.communicate(timeout=60)
    assert demo.returncode in (1, 5)
    assert out == "" or json.loads(out)["lost"] > 0
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
