"""`milepost reconcile`, with a provider behind a real socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.orders.lifecycle import State
from milepost.ports.receiving import Source
from milepost.provider.applications import ClientInput
from milepost.settings import Settings
from milepost.wiring import build
from tests.doors.command_line import CommandLine, command_line
from tests.flows.beside import Provided, answering
from tests.flows.house import house
from tests.keys import KEY

S = State
LOCAL = "--allow-private-networks"


@dataclass
class Theirs:
    """A provider that answers on a thread of its own."""

    folder: Path
    ready: threading.Event = field(default_factory=threading.Event)
    access: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Theirs:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._life()))
        self._thread.start()
        assert self.ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _life(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with (
            house(self.folder, dispatch=False, secret_key=KEY) as built,
            answering(built) as url,
        ):
            operations = built.hub.operations
            account_id = (await operations.add_account("provider")).account_id
            wanted = ClientInput(name="reader", billing_id="4711", store="main")
            made = await built.hub.provider.applications.add(account_id, wanted)
            self.hub = Provided(built.hub, built.outside, built.clock, account_id)
            self.access = {
                "base_url": url,
                "client_id": made.client.client_id,
                "client_secret": made.secret,
                "quiet_h": 0,
                "every_h": 0,
            }
            self.ready.set()
            await self._over.wait()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def has(self, key: str, *states: State) -> None:
        self.run(self.hub.order(key))
        for state in states:
            self.hub.clock.forward(seconds=1)
            self.run(self.hub.update(key, state))


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Theirs]:
    (tmp_path / "theirs").mkdir()
    with Theirs(tmp_path / "theirs") as made:
        yield made


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    (tmp_path / "ours").mkdir()
    with command_line(tmp_path / "ours") as made:
        made.set_up()
        yield made


def add_source(cli: CommandLine, access: dict[str, Any], *, name: str = "theirs") -> None:
    """A source of the only account, whose provider is asked like this."""

    async def put() -> None:
        hub = build(Settings(database_url=f"sqlite:///{cli.database}"))
        await hub.open(dispatch=False)
        try:
            (account,) = await hub.operations.accounts()
            at = datetime.now(UTC) - timedelta(days=1)
            source = Source(
                account_id=account.account_id,
                source=name,
                kind="withings",
                digest=f"{name:0<64}",
                store="main",
                stores={},
                networks=(),
                precedence=0,
                trusted=False,
                options=b"{}",
                credentials=b"{}",
                read_access=msgspec.json.encode(access),
                created_at=at,
                updated_at=at,
            )
            await hub.store.put_source(source)
        finally:
            await hub.close()

    asyncio.run(put())


def test_differences_are_listed_then_mended_and_then_there_are_none(
    cli: CommandLine, theirs: Theirs
) -> None:
    for key in ("1001", "1002"):
        cli.ok("order", "add", key)
        cli.ok("update", key, "verified")
    theirs.has("1001", S.VERIFIED, S.SUBMITTED)
    theirs.has("1002", S.VERIFIED)
    add_source(cli, theirs.access)

    listed = cli("reconcile", "theirs", "--dry-run", LOCAL)
    assert listed.code == 1, listed
    for text in ("1001", "VERIFIED", "PROCESSING", "dry run"):
        assert text in listed.out
    assert cli.ok("order", "show", "1001")["state"] == "verified"

    mended = cli("reconcile", "theirs", LOCAL, "--json")
    assert mended.code == 0, mended
    assert mended.json["reconciliation"]["applied"] == 1
    (found,) = mended.json["differences"]
    assert (found["order_key"], found["verdict"]) == ("1001", "applied")
    assert theirs.access["client_secret"] not in mended.out + mended.err
    assert cli.ok("order", "show", "1001")["state"] == "submitted"

    assert cli.ok("reconcile", "theirs", "--all", LOCAL)["reconciliation"]["differences"] == 0
    assert cli("reconcile", "run", "theirs", "--order", "1002", LOCAL).code == 0
    since = ("--changed-since", "2000-01-01T00:00:00Z")
    assert cli.ok("reconcile", "theirs", *since, LOCAL)["reconciliation"]["asked"] == 2

    runs = cli.ok("reconcile", "runs")["reconciliations"]
    assert [run["choice"]["what"] for run in runs] == ["changed", "order", "all", "open", "open"]
    shown = cli("reconcile", "show", runs[3]["reconciliation_id"])
    assert shown.code == 0
    assert "1001" in shown.out
    assert cli("reconcile", "runs", "--source", "nobody").code == 0


def test_what_cannot_be_mended_ends_with_another_code(cli: CommandLine, theirs: Theirs) -> None:
    cli.ok("order", "add", "1001")
    add_source(cli, theirs.access)
    said = cli("reconcile", "theirs", LOCAL)
    assert said.code == 1
    assert "unknown_there" in said.out
    add_source(cli, {**theirs.access, "client_secret": "wrong"}, name="wrong")
    said = cli("reconcile", "wrong", LOCAL)
    assert said.code == 5
    assert "status 401" in said.out
    # Without being allowed to, nobody asks this machine.
    assert cli("reconcile", "theirs").code == 5


def test_what_is_asked_for_wrongly_is_told(cli: CommandLine) -> None:
    add_source(cli, {}, name="blind")
    assert cli("reconcile", "nobody").code == 3
    said = cli("reconcile", "blind")
    assert said.code == 2
    assert "read_access" in said.err
    assert cli("reconcile", "blind", "--all", "--order", "1001").code == 2
    assert cli("reconcile", "show", "rec_none").code == 3
    assert cli("reconcile", "stop", "rec_none").code == 3
    assert cli("reconcile", "runs").code == 0
