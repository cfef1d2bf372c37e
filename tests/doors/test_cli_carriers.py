"""`milepost carrier`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doors.command_line import CommandLine, command_line

CONFIG = {
    "url": "https://acme.example/{tracking_number}",
    "headers": {"authorization": "Bearer {secret:token}"},
    "statuses": {"IT": "in_transit"},
    "status": "/status",
    "time": "/at",
}


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as cli:
        yield cli


@pytest.fixture
def acme(cli: CommandLine) -> Path:
    """A configuration, and an account to put it into."""
    cli.set_up()
    path = cli.folder / "acme.json"
    path.write_text(json.dumps(CONFIG))
    return path


def put(cli: CommandLine, path: Path, *words: str) -> Any:
    return cli.ok("carrier", "put", "acme", str(path), "--secret", "token=hush", *words)


def test_a_source_is_put_listed_shown_and_removed(cli: CommandLine, acme: Path) -> None:
    made = put(cli, acme, "--carrier", "Acme", "--carrier", "ACME Express")
    assert made["carriers"] == ["Acme", "ACME Express"]
    assert made["secrets"] == ["token"]
    assert cli.ok("carrier", "list") == {"sources": [made]}
    assert cli.ok("carrier", "show", "acme")["config"] == CONFIG
    for words in (("put", "acme", str(acme)), ("list",), ("show", "acme")):
        said = cli("carrier", *words)
        assert said.code == 0, said
        assert "acme" in said.out
        assert "hush" not in said.out + said.err
    assert cli.ok("carrier", "remove", "acme") == {"source": "acme", "removed": True}
    assert cli("carrier", "remove", "acme").code == 3
    assert cli("carrier", "show", "acme").code == 3


def test_secrets_stay_when_none_are_given_and_can_come_from_a_file(
    cli: CommandLine, acme: Path
) -> None:
    (cli.folder / "token").write_text("from-a-file\n")
    cli.ok("carrier", "put", "acme", str(acme), "--secret", f"token=@{cli.folder / 'token'}")
    assert cli.ok("carrier", "put", "acme", str(acme))["secrets"] == ["token"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("acme.json", "--secret", "other=x"), 2, "token"),
        (("acme.json", "--secret", "token"), 2, "NAME=VALUE"),
        (("acme.json", "--secret", "token=env:HOME"), 2, "CARRIER_"),
        (("missing.json",), 1, "missing.json"),
        (("broken.json",), 2, "JSON"),
        (("--kind", "pigeon"), 2, "simulator"),
        ((), 2, "config.url"),
    ],
)
def test_a_source_that_cannot_work_is_refused(
    cli: CommandLine, acme: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    (cli.folder / "broken.json").write_text("{")
    paths = [str(cli.folder / word) if word.endswith(".json") else word for word in words]
    said = cli("carrier", "put", "acme", *paths)
    assert said.code == code, said
    assert told in said.err
    assert cli.ok("carrier", "list")["sources"] == []


def test_a_source_can_be_asked_and_nothing_is_taken_in(cli: CommandLine) -> None:
    cli.set_up()
    cli.ok("carrier", "put", "sim", "--kind", "simulator")
    told = cli.ok("carrier", "ask", "sim", "SIM-quick-1")
    assert [s["state"] for s in told["scans"]] == ["in_transit", "out_for_delivery", "delivered"]
    said = cli("carrier", "ask", "sim", "SIM-quick-1")
    assert "OUT_FOR_DELIVERY" in said.out
    assert "knows nothing" in cli("carrier", "ask", "sim", "SIM-silent-1").out


def test_a_source_that_does_not_answer_ends_with_unavailable(cli: CommandLine, acme: Path) -> None:
    acme.write_text(json.dumps({**CONFIG, "url": "http://127.0.0.1:9/{tracking_number}"}))
    cli.ok("carrier", "put", "acme", str(acme), "--secret", "token=x", "--allow-private-networks")
    said = cli("carrier", "ask", "acme", "1Z", "--json")
    assert said.code == 5
    assert said.json["failed"].startswith("blocked")
    said = cli("carrier", "ask", "acme", "1Z", "--allow-private-networks")
    assert said.code == 5
    assert "connection_refused" in said.err


def test_it_is_shown_how_the_parcels_of_an_order_are_watched(cli: CommandLine) -> None:
    cli.set_up()
    cli.ok("order", "add", "1001")
    assert "none of its parcels" in cli("carrier", "watched", "1001").out.casefold()
    cli.ok("carrier", "put", "hooks", "--kind", "pushed")
    cli.ok("update", "1001", "shipped", "--tracking-number", "1Z")
    (shown,) = cli.ok("carrier", "watched", "1001")["trackings"]
    assert (shown["parcel"], shown["asks"], shown["ended"]) == ("unnamed", 0, None)
    assert "unnamed" in cli("carrier", "watched", "1001").out


def test_an_empty_list_says_what_to_do_next(cli: CommandLine) -> None:
    cli.set_up()
    assert "milepost carrier put" in cli("carrier", "list").out
