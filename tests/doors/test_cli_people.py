"""`milepost user` and `milepost portal` on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.command_line import CommandLine, command_line

PASSWORD = "a long enough password\n"


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.set_up()
        yield made


def test_people_are_added_changed_and_locked_out(cli: CommandLine) -> None:
    cli.ok("user", "add", "Ada", "--role", "operator", stdin=PASSWORD)
    bob = cli.ok("user", "add", "bob", "--role", "merchant", stdin=PASSWORD)
    assert bob["account_id"].startswith("acc_")
    assert cli.ok("user", "role", "bob", "read-only")["account_id"] is None
    assert cli.ok("user", "disable", "bob")["disabled_at"] is not None
    assert cli.ok("user", "disable", "bob", "--enable")["disabled_at"] is None
    assert [p["name"] for p in cli.ok("user", "list")["people"]] == ["ada", "bob"]
    assert cli("user", "password", "eve", stdin=PASSWORD).code == 3
    assert cli("user", "add", "eve", "--role", "operator", stdin="short\n").code == 2


def test_links_are_made_listed_and_revoked(cli: CommandLine) -> None:
    made = cli.ok("portal", "link", "--expires", "12h")
    assert made["url"].startswith("http://127.0.0.1:8400/portal/")
    cli.ok("portal", "revoke", made["link_id"])
    (kept,) = cli.ok("portal", "list")["links"]
    assert kept["revoked_at"] is not None
    assert "url" not in kept
    assert cli("portal", "link", "--expires", "soon").code == 2
    assert cli("portal", "revoke", "lnk_nothing").code == 3
