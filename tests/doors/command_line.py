"""The command line on a real SQLite file, run in-process, and the hub beside it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.main import get_command
from typer.testing import CliRunner

from milepost.cli import app
from milepost.delivery.model import DeliveryState, Reply, Request
from milepost.ports import DeliveryFilter, Page
from milepost.settings import Settings
from milepost.wiring import build

COMMAND = get_command(app)
"""The whole command line, put together once: that takes longer than most commands."""

LOCAL = "http://127.0.0.1:8499/hooks"


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on standard output."""
        assert self.out.endswith("\n"), self.err
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


@dataclass
class CommandLine:
    """Runs commands as a shell would; `environment` is all of ours that they see."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.folder / "shop.db"

    def __call__(self, *words: str, stdin: str | bytes | None = None) -> Said:
        env: dict[str, str | None] = {k: None for k in os.environ if k.startswith("MILEPOST_")}
        env |= {"MILEPOST_DATABASE_URL": f"sqlite:///{self.database}", "COLUMNS": "250"}
        env |= self.environment
        with CliRunner().isolation(input=stdin, env=env) as (out, err, _):
            with pytest.raises(SystemExit) as ended:
                COMMAND.main(args=list(words), prog_name="milepost")
            sys.stdout.flush()
            sys.stderr.flush()
            return Said(
                int(ended.value.code or 0), out.getvalue().decode(), err.getvalue().decode()
            )

    def ok(self, *words: str, stdin: str | bytes | None = None) -> Any:
        """The JSON of a command that has to succeed."""
        said = self(*words, "--json", stdin=stdin)
        assert said.code == 0, said
        return said.json

    def set_up(self) -> None:
        """An account and a store, both the only ones."""
        self.ok("account", "add", "acme")
        self.ok("store", "add", "main")

    def endpoint(self, *words: str, contract: str = "standard") -> Any:
        """A new endpoint on this machine."""
        wanted = ("--contract", contract, "--allow-private-networks")
        return self.ok("endpoint", "add", LOCAL, *wanted, *words)

    def dispatch(self, answer: Callable[[Request], Reply]) -> None:
        """Sends what is due, as `serve` would, until nothing is pending that may be sent."""
        settings = Settings(database_url=f"sqlite:///{self.database}", poll_s=0.01)

        async def send() -> None:
            def post(request: Request, done: Callable[[Reply], None]) -> None:
                asyncio.get_running_loop().call_soon(done, answer(request))

            hub = build(settings, post=post)
            await hub.open(dispatch=True)
            try:
                (account,) = await hub.operations.accounts()
                wanted = DeliveryFilter(state=DeliveryState.PENDING)
                for _ in range(500):
                    pending, _ = await hub.store.deliveries(
                        account.account_id, wanted=wanted, page=Page()
                    )
                    if all(delivery.attempts for delivery in pending):
                        return
                    await asyncio.sleep(0.01)
                raise AssertionError("it was not sent")
            finally:
                await hub.close()

        asyncio.run(send())


@contextmanager
def command_line(folder: Path) -> Iterator[CommandLine]:
    """The command line on an empty folder; the logs are set back to how they were."""
    known = structlog.get_config()
    try:
        yield CommandLine(folder)
    finally:
        structlog.configure(**known)
