"""The guide "test your receiver" works as it is printed, with another port."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.command_line import CommandLine, command_line

GUIDE = (Path(__file__).resolve().parents[2] / "docs/guides/test-your-receiver.md").read_text(
    encoding="utf-8"
)
PORT = "8402"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.DOTALL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        yield made


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The guide's receiver, started as the guide says."""
    (program,) = blocks("python")
    (tmp_path / "receiver.py").write_text(program, encoding="utf-8")
    start = next(line for block in blocks("sh") for line in [block.strip()] if "python" in line)
    chosen = free_port()
    words = start.replace(PORT, str(chosen)).split()
    process = subprocess.Popen(
        [sys.executable, *words[1:]], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 30
        with socket.socket() as probe:
            while probe.connect_ex(("127.0.0.1", chosen)) != 0:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
        yield chosen
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.processes
def test_every_command_of_the_guide_succeeds_with_the_receiver_of_the_guide(
    cli: CommandLine, port: int
) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("milepost ")]
    assert len(lines) == len(commands) + 1
    assert len(commands) >= 6
    for line in commands:
        words = shlex.split(line.replace(PORT, str(port)))[1:]
        if "http" in line and words[0] == "conformance":
            # The receiver of the guide is done when it answers: the test need not wait.
            words += ["--settle", "0.05"]
        said = cli(*words)
        assert said.code == 0, (line, said.out, said.err)
        if "conformance" in line and "--state-url" in line:
            assert "0 failed, 1 not checked" in said.out
