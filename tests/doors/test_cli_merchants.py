"""The commands around a merchant's orders: warehouses, required actions, and splits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.command_line import CommandLine, command_line


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.set_up()
        yield made


def test_a_warehouse_is_named_and_listed(cli: CommandLine) -> None:
    assert "no warehouse yet" in cli("warehouse", "list").out
    made = cli.ok("warehouse", "put", "FL1", "--name", "Florida", "--timezone", "US/Eastern")
    assert (made["number"], made["enabled"], made["name"]) == (1, True, "Florida")
    changed = cli.ok("warehouse", "put", "FL1", "--disabled")
    assert (changed["number"], changed["enabled"]) == (1, False)
    assert "FL1" in cli("warehouse", "list").out
    assert cli.ok("warehouse", "list")["warehouses"] == [changed]
    refused = cli("warehouse", "put", "FL1", "--timezone", "Mars/Base")
    assert refused.code != 0
    assert "timezone" in refused.err


def test_an_order_is_stopped_by_an_action_and_goes_on_when_it_is_settled(cli: CommandLine) -> None:
    cli.ok("order", "add", "A-1", "--line", "PEN:3", "--line", "INK:1")
    stopped = cli.ok("order", "require", "A-1", "--require", "customs")
    assert stopped["state"] == "submit_failed"
    assert cli.ok("order", "require", "A-1", "--settle", "customs")["state"] == "submitted"
    refused = cli("order", "require", "A-1", "--require", "weather")
    assert refused.code != 0
    assert "customs" in refused.err


def test_an_order_is_split_into_parts(cli: CommandLine) -> None:
    cli.ok("order", "add", "A-1", "--line", "PEN:3", "--line", "INK:1")
    split = cli.ok("order", "split", "A-1", "--part", "A-1-2=PEN:1,INK:1")
    assert [line["quantity"] for line in split["order"]["content"]["lines"]] == [2]
    assert [part["order_key"] for part in split["parts"]] == ["A-1-2"]
    assert cli("order", "split", "A-1", "--part", "nonsense").code != 0
    shown = cli("order", "split", "A-1", "--part", "A-1-3=PEN:1")
    assert (shown.code, "A-1-3" in shown.out) == (0, True)
