"""`serve` as a process: its first start, what it refuses, and how it stops."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from milepost.cli.client import Client, RequestRefused
from milepost.cli.exits import Unreachable
from milepost.cli.serve import First, begin
from milepost.settings import Settings
from milepost.wiring import build
from tests.doors.command_line import CommandLine, command_line

pytestmark = pytest.mark.processes
KEY = re.compile(r"mp_[0-9a-z]{26}_[A-Za-z0-9_-]{43}")


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        yield made


class Serving:
    """A running `serve --json`, what it said when it was ready, and its log."""

    def __init__(self, cli: CommandLine, *words: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
        self._log = (cli.folder / "serve.log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "milepost.cli", "serve", "--port", "0", "--json", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**kept, "MILEPOST_DATABASE_URL": f"sqlite:///{cli.database}"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log()
        self.ready: dict[str, Any] = json.loads(line)

    def log(self) -> str:
        return Path(self._log.name).read_text(encoding="utf-8")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            if stream is not None:
                stream.close()


@contextmanager
def serving(cli: CommandLine, *words: str) -> Iterator[Serving]:
    started = Serving(cli, *words)
    try:
        yield started
    finally:
        started.close()


def refused(cli: CommandLine, *words: str) -> subprocess.CompletedProcess[str]:
    """A `serve` that is expected to end by itself."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
    return subprocess.run(
        [sys.executable, "-m", "milepost.cli", "serve", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**kept, "MILEPOST_DATABASE_URL": f"sqlite:///{cli.database}"},
    )


def test_the_first_start_makes_an_account_a_store_and_a_key_and_later_ones_do_not(
    cli: CommandLine,
) -> None:
    with serving(cli) as first:
        assert first.ready["account_id"].startswith("acc_")
        assert first.ready["store"] == "main"
        with Client(first.ready["url"], api_key=first.ready["api_key"]) as client:
            (store,) = client.get("/v1/stores")["stores"]
        assert store["store"] == "main"
        with (
            Client(first.ready["url"], api_key="mp_nothing") as stranger,
            pytest.raises(RequestRefused) as refusal,
        ):
            stranger.get("/v1/orders")
        assert refusal.value.status == 401
        assert not KEY.search(first.log())
        assert first.stop(signal.SIGTERM) == 0
        assert "stopped" in first.log()
        assert "Traceback" not in first.log()
    with (
        Client(first.ready["url"], api_key="mp_nothing") as nobody,
        pytest.raises(Unreachable),
    ):
        nobody.get("/livez")
    with serving(cli) as second:
        assert second.ready["api_key"] is None
        assert second.ready["account_id"] is None
        assert not KEY.search(second.log())
        assert second.stop(signal.SIGINT) == 0
        assert "Traceback" not in second.log()
    assert [a["name"] for a in cli.ok("account", "list")["accounts"]] == ["main"]
    assert len(cli.ok("account", "key", "list")["keys"]) == 1


def test_a_person_reads_the_url_and_the_key_on_standard_error(cli: CommandLine) -> None:
    done = refused(cli, "--port", "0", "--until-eof")
    assert done.returncode == 0
    assert done.stdout == ""
    assert "http://127.0.0.1:" in done.stderr
    assert len(KEY.findall(done.stderr)) == 1
    assert "not shown again" in done.stderr


def first_start(cli: CommandLine) -> First | None:
    """What the first steps of a start give to the database as it is."""

    async def whole() -> First | None:
        hub = build(Settings(database_url=f"sqlite:///{cli.database}"))
        await hub.open(dispatch=False)
        try:
            return await begin(hub.operations)
        finally:
            await hub.close()

    return asyncio.run(whole())


def test_a_start_that_was_cut_off_before_its_key_is_made_up_for(cli: CommandLine) -> None:
    cli.ok("account", "add", "main")
    first = first_start(cli)
    assert first is not None
    assert KEY.fullmatch(first.api_key)
    assert first_start(cli) is None


def test_a_database_that_somebody_set_up_gets_no_account(cli: CommandLine) -> None:
    cli.ok("account", "add", "acme")
    assert first_start(cli) is None
    assert [a["name"] for a in cli.ok("account", "list")["accounts"]] == ["acme"]


def test_a_port_that_is_taken_is_refused_before_the_database_is_touched(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = refused(cli, "--port", str(taken.getsockname()[1]))
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert "in use" in done.stderr
    assert not cli.database.exists()


def test_a_second_hub_on_the_same_file_is_refused_and_the_first_goes_on(cli: CommandLine) -> None:
    with serving(cli) as first:
        done = refused(cli, "--port", "0")
        assert done.returncode == 5
        assert "Traceback" not in done.stderr
        assert "Another process dispatches" in done.stderr
        with Client(first.ready["url"], api_key=first.ready["api_key"]) as client:
            assert client.get("/livez")["status"] == "live"


@pytest.mark.parametrize(
    "words",
    [
        ("--host", "no.such.host.invalid"),
        ("--database", "postgres://x"),
        ("--log-level", "loud"),
        ("--allow-network", "everywhere"),
    ],
)
def test_what_cannot_be_served_is_one_line(cli: CommandLine, words: tuple[str, ...]) -> None:
    done = refused(cli, "--port", "0", *words)
    assert done.returncode in (2, 5)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_garbage_on_its_port_is_answered_and_not_logged_by_the_line(cli: CommandLine) -> None:
    with serving(cli) as started:
        port = int(started.ready["url"].rpartition(":")[2])
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
                assert b" 400 " in connection.recv(1_000)
        assert started.stop() == 0
        assert len(started.log().splitlines()) < 10


def test_commands_work_beside_a_running_hub_which_sends_what_they_queue(cli: CommandLine) -> None:
    with serving(cli, "--allow-private-networks") as hub, _listener() as (url, receiver):
        made = cli.ok("endpoint", "add", url, "--contract", "standard", "--secret", SECRET, PRIVATE)
        cli.ok("order", "add", "1001")
        cli.ok("update", "1001", "shipped")
        assert receiver.stdout is not None
        landed = [json.loads(receiver.stdout.readline()) for _ in range(2)]
        assert [x["status"] for x in landed] == ["created", "shipped"]
        assert all(x["verified"] for x in landed)
        deadline = time.monotonic() + 10
        while cli.ok("delivery", "list", "--state", "pending")["deliveries"]:
            assert time.monotonic() < deadline
        with Client(hub.ready["url"], api_key=hub.ready["api_key"]) as client:
            found = client.every("/v1/deliveries?limit=1", name="deliveries")
        assert [d["endpoint_id"] for d in found] == [made["endpoint"]["endpoint_id"]] * 2
        assert hub.stop() == 0


SECRET = "whsec_bWlsZXBvc3QtY29tbWFuZC1saW5lLXRlc3QtMDE="
PRIVATE = "--allow-private-networks"
LISTENING = ("--json", "--until-eof", "--secret", SECRET)


@contextmanager
def _listener(*words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A `milepost listen` and its URL."""
    started = subprocess.Popen(
        [sys.executable, "-m", "milepost.cli", "listen", "--port", "0", *LISTENING, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with started:
            assert started.stdout is not None
            yield json.loads(started.stdout.readline())["listening"], started
            assert started.stdin is not None
            started.stdin.close()
    finally:
        started.kill()
        started.wait()


def test_requests_on_their_way_are_finished_when_it_stops(cli: CommandLine) -> None:
    with serving(cli) as hub:
        url, key = hub.ready["url"], hub.ready["api_key"]
        answered: list[int] = []
        failed: list[str] = []
        going = threading.Event()

        def post(number: int) -> None:
            with Client(url, api_key=key) as client:
                for n in range(10_000):
                    body = {"store": "main", "order_key": f"{number}-{n}"}
                    try:
                        client.post("/v1/orders", body)
                    except (Unreachable, RequestRefused) as error:
                        if isinstance(error, RequestRefused) and error.status != 503:
                            failed.append(str(error))
                        return
                    answered.append(n)
                    going.set()

        clients = [threading.Thread(target=post, args=(n,)) for n in range(4)]
        for client in clients:
            client.start()
        assert going.wait(10)
        time.sleep(0.3)
        assert hub.stop() == 0
        for client in clients:
            client.join(10)
        assert not failed
        assert "Traceback" not in hub.log()
    stored = 0
    after: str | None = None
    while True:
        words = ("--after", after) if after else ()
        page = cli.ok("order", "list", "--limit", "1000", *words)
        stored += len(page["orders"])
        after = page["next"]
        if after is None:
            break
    assert stored >= len(answered) > 0
