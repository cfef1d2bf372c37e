"""`milepost egress`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from milepost_receiver.senders import networks_in
from tests.doors.command_line import CommandLine, command_line

OLD, NEW = "192.0.2.0/24", "2001:db8::/48"


def day(number: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=number)).isoformat()


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as cli:
        yield cli


@pytest.fixture
def networks(cli: CommandLine) -> CommandLine:
    """One network in use and one that will be."""
    cli.set_up()
    cli.ok("egress", "add", OLD, "--on", day(0), "--force")
    cli.ok("egress", "add", NEW, "--on", day(20))
    return cli


def test_the_list_has_what_is_in_use_and_what_is_planned(networks: CommandLine) -> None:
    listed = networks.ok("egress", "list")
    assert listed["networks"] == [OLD]
    (planned,) = listed["planned"]
    assert (planned["network"], planned["action"], planned["forced"]) == (NEW, "add", False)
    assert planned["effective_at"] == f"{day(20)}T00:00:00Z"
    said = networks("egress", "list")
    assert (OLD in said.out, NEW in said.out, planned["change_id"] in said.out) == (True,) * 3


def test_a_change_takes_effect_a_week_ahead_unless_told(cli: CommandLine) -> None:
    cli.set_up()
    planned = cli.ok("egress", "add", OLD)
    assert planned["effective_at"] == f"{day(8)}T00:00:00Z"


@pytest.mark.parametrize("words", [("add", NEW), ("remove", OLD)])
def test_a_change_in_under_a_week_is_refused_unless_it_is_forced(
    cli: CommandLine, words: tuple[str, str]
) -> None:
    cli.set_up()
    cli.ok("egress", "add", OLD, "--on", day(0), "--force")
    said = cli("egress", *words, "--on", day(6))
    assert said.code == 2
    assert day(8) in said.err
    assert "--force" in said.err
    assert cli.ok("egress", "list")["planned"] == []
    assert cli.ok("egress", *words, "--on", day(6), "--force")["forced"] is True


def test_the_record_is_printed_for_today_and_for_the_day_of_each_change(
    networks: CommandLine,
) -> None:
    networks.ok("egress", "remove", OLD, "--on", day(30))
    records = networks.ok("egress", "record")["records"]
    assert [(r["day"], r["text"]) for r in records] == [
        (day(0), "v=milepost1 ip4:192.0.2.0/24 ip6:2001:db8::/48"),
        (day(20), "v=milepost1 ip4:192.0.2.0/24 ip6:2001:db8::/48"),
        (day(30), "v=milepost1 ip6:2001:db8::/48"),
    ]
    assert [r["because"] and r["because"]["network"] for r in records] == [None, NEW, OLD]
    for record in records:
        assert [str(n) for n in networks_in(["".join(record["strings"])])] == record["networks"]


def test_a_person_reads_the_strings_in_quotes_and_a_zone_file_its_lines(
    networks: CommandLine,
) -> None:
    said = networks("egress", "record", "--on", day(25))
    assert said.out == '"v=milepost1 ip4:192.0.2.0/24 ip6:2001:db8::/48"\n'
    said = networks("egress", "record", "--name", "_m.example.com")
    line = '_m.example.com 3600 IN TXT "v=milepost1 ip4:192.0.2.0/24 ip6:2001:db8::/48"'
    assert said.out.splitlines() == [line, line]
    assert day(20) in said.err


def test_a_record_that_is_too_long_for_udp_is_said_to_be(
    networks: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "TCP" not in networks("egress", "record").err
    monkeypatch.setattr("milepost.cli.egress.SAFE_BYTES", 20)
    said = networks("egress", "record")
    assert said.code == 0
    assert "over 20, resolvers need TCP" in said.err


def test_a_planned_change_can_be_taken_back_and_one_in_effect_cannot(networks: CommandLine) -> None:
    (planned,) = networks.ok("egress", "list")["planned"]
    assert networks.ok("egress", "cancel", planned["change_id"])["cancelled_at"]
    assert networks.ok("egress", "list") == {"networks": [OLD], "planned": []}
    assert networks("egress", "cancel", planned["change_id"]).code == 3
    assert networks("egress", "cancel", "egr_unheard0f").code == 3
    begun = networks.ok("egress", "remove", OLD, "--on", day(0), "--force")
    assert networks("egress", "cancel", begun["change_id"]).code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("add", "192.0.2.1/24"),
        ("add", OLD),
        ("remove", "203.0.113.0/24"),
        ("add", "203.0.113.0/24", "--on", "next week"),
    ],
)
def test_what_cannot_be_is_a_usage_error(networks: CommandLine, words: tuple[str, ...]) -> None:
    assert networks("egress", *words).code == 2


def test_an_empty_list_says_what_to_do_next(cli: CommandLine) -> None:
    cli.set_up()
    assert "milepost egress add" in cli("egress", "list").out
    assert cli.ok("egress", "record")["records"][0]["text"] == "v=milepost1"
