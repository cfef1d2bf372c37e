"""`milepost source` and `milepost receipt`, beside a hub that takes messages in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost.settings import Settings
from milepost.wiring import build
from tests.doors.command_line import CommandLine, command_line

SECRET = "whsec_" + "c2VjcmV0" * 4


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.set_up()
        yield made


def add(cli: CommandLine, *more: str) -> dict[str, Any]:
    made: dict[str, Any] = cli.ok("source", "add", "w", "--kind", "withings", *more)
    return made


def tell(cli: CommandLine, path: str, **told: str) -> dict[str, Any]:
    """What a message to this path is answered."""
    hub = build(Settings(database_url=f"sqlite:///{cli.database}"))

    async def take() -> dict[str, Any]:
        await hub.open(dispatch=False)
        try:
            gate = await hub.receiving.gates.gate(path.removeprefix("/in/"))
            assert gate is not None
            body = json.dumps({"customer_id": "1", **told}).encode()
            headers = {"content-type": "application/json"}
            result = await hub.receiving.take(gate, headers, body)
        finally:
            await hub.close()
        return {"receipt_id": result.receipt_id, "verdict": result.verdict}

    return asyncio.run(take())


def test_a_source_is_set_up_shown_changed_and_removed(cli: CommandLine) -> None:
    made = add(cli, "--credential", f"secrets={SECRET}", "--network", "192.0.2.0/24")
    assert made["path"].startswith("/in/")
    assert made["url"] is None
    assert made["source"]["credentials"] == {"secrets": 1}
    shown = cli("source", "show", "w")
    assert SECRET not in shown.out
    assert made["path"] not in shown.out
    changed = cli.ok("source", "set", "w", "--precedence", "3", "--trusted")
    assert (changed["precedence"], changed["trusted"]) == (3, True)
    assert changed["networks"] == ["192.0.2.0/24"]
    more = cli.ok("source", "set", "w", "--credential", f"secrets={SECRET}QQ==", "--overlap")
    assert more["credentials"] == {"secrets": 2}
    rotated = cli.ok("source", "rotate", "w")
    assert rotated["path"] != made["path"]
    assert [one["source"] for one in cli.ok("source", "list")["sources"]] == ["w"]
    assert cli.ok("source", "remove", "w") == {"source": "w"}
    gone = cli("source", "show", "w")
    assert (gone.code, gone.err.count("\n")) == (3, 1)


def test_what_was_sent_is_listed_shown_and_decided_again(cli: CommandLine) -> None:
    path = add(cli)["path"]
    told = tell(cli, path, customer_ref="1001", status="SHIPPED")
    assert told["verdict"] == "orphan"
    listed = cli.ok("receipt", "list", "--verdict", "orphan")
    assert [one["receipt_id"] for one in listed["receipts"]] == [told["receipt_id"]]
    shown = cli("receipt", "show", told["receipt_id"])
    assert "SHIPPED" in shown.out
    cli.ok("order", "add", "1001")
    by_order = cli.ok("receipt", "list", "--order", "1001")["receipts"]
    assert [one["verdict"] for one in by_order] == ["applied"]
    assert cli("receipt", "retry", told["receipt_id"]).code == 2
    strange = tell(cli, path, customer_ref="1001", status="TELEPORTED")
    again = cli.ok("receipt", "retry", strange["receipt_id"])
    assert again["verdict"] == "unmapped"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--kind", "pigeons"),
        ("--kind", "withings", "--map", "nothing"),
        ("--kind", "withings", "--credential", "secrets"),
        ("--kind", "withings", "--read-access", "{"),
        ("--kind", "withings", "--store", "nowhere"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(cli: CommandLine, wrong: tuple[str, ...]) -> None:
    said = cli("source", "add", "x", *wrong)
    assert (said.code, said.err.count("\n")) == (2, 1), said
