"""The README's way to a first notification works as it is printed, with other ports."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MILEPOST = [sys.executable, "-m", "milepost.cli"]


def _blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)


def _curls(block: str) -> list[tuple[str, dict[str, str], bytes]]:
    """The requests that a block's curl commands make: URL, headers and body."""
    requests = []
    for command in re.split(r"(?m)^(?=curl )", block):
        if not command.startswith("curl "):
            continue
        words = shlex.split(command)
        url = next(w for w in words if w.startswith("http://"))
        headers = [words[i + 1] for i, w in enumerate(words) if w == "-H"]
        body = next(words[i + 1] for i, w in enumerate(words) if w == "-d")
        named = dict(h.split(": ", 1) for h in headers)
        requests.append((url, named, body.encode()))
    return requests


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.terminate()
        process.communicate(timeout=30)


def _start(
    processes: list[subprocess.Popen[str]], words: list[str], *, folder: Path
) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
    process = subprocess.Popen(
        [*MILEPOST, *words],
        cwd=folder,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    processes.append(process)
    return process


def _read_until(process: subprocess.Popen[str], pattern: str) -> str:
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if found := re.search(pattern, read):
            return found[0]
    raise AssertionError(f"it ended without saying {pattern}:\n{read}")


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens at {port}")


@pytest.mark.processes
def test_the_three_calls_of_the_readme_reach_the_listener(
    tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    hub, receiver = _free_port(), _free_port()
    blocks = _blocks()
    serve = shlex.split(next(b for b in blocks if "make serve" in b))
    options = next(w for w in serve if w.startswith("ARGS=")).removeprefix("ARGS=")
    listen = shlex.split(next(b for b in blocks if "milepost listen" in b))[1:]
    listen[listen.index("8401")] = str(receiver)

    serving = _start(processes, ["serve", "--port", str(hub), *options.split()], folder=tmp_path)
    key = _read_until(serving, r"mp_[0-9a-z]{26}_[A-Za-z0-9_-]{43}")
    listening = _start(processes, [*listen, "--count", "2", "--json"], folder=tmp_path)
    _wait_for(hub)
    _wait_for(receiver)

    calls = _curls(next(b for b in blocks if "/v1/orders" in b))
    assert [urlsplit(url).path for url, _, _ in calls] == [
        "/v1/endpoints",
        "/v1/orders",
        "/v1/updates",
    ]
    for url, headers, body in calls:
        sent = {name: value.replace("$KEY", key) for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", hub, timeout=20)
        ours = body.replace(b":8401", f":{receiver}".encode())
        connection.request("POST", urlsplit(url).path, ours, sent)
        answer = connection.getresponse()
        assert answer.status in (200, 201), answer.read()
        connection.close()

    printed, _ = listening.communicate(timeout=30)
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    notes = [line for line in lines if "listening" not in line]
    assert [note["status"] for note in notes] == ["created", "shipped"]
    assert all(note["verified"] for note in notes)
    assert [note["sequence"] for note in notes] == [1, 2]
