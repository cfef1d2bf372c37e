"""Endpoints on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.delivery.model import Reply
from tests.doors.command_line import LOCAL, CommandLine, command_line


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.set_up()
        yield made


def test_an_endpoint_is_opened_with_a_secret_that_is_shown_once(cli: CommandLine) -> None:
    made = cli.endpoint()
    assert made["secret"].startswith("whsec_")
    endpoint = made["endpoint"]
    assert endpoint["contract"] == "standard"
    assert endpoint["url"] == LOCAL
    assert endpoint["state"] == "active"
    for words in (
        ("endpoint", "show", endpoint["endpoint_id"]),
        ("endpoint", "show", endpoint["endpoint_id"], "--json"),
        ("endpoint", "list"),
        ("endpoint", "list", "--json"),
    ):
        said = cli(*words)
        assert endpoint["endpoint_id"] in said.out
        assert made["secret"] not in said.out + said.err
    assert cli.ok("endpoint", "list") == {"endpoints": [endpoint]}
    assert cli.ok("endpoint", "show", endpoint["endpoint_id"]) == endpoint


def test_a_person_reads_the_secret_once(cli: CommandLine) -> None:
    said = cli("endpoint", "add", "https://example.com/", "--contract", "standard")
    assert said.code == 0
    assert "secret whsec_" in said.out
    assert "not shown again" in said.err


def test_an_address_of_this_machine_is_refused_unless_it_is_allowed(cli: CommandLine) -> None:
    said = cli("endpoint", "add", LOCAL, "--contract", "standard")
    assert said.code == 2
    assert "loopback" in said.err
    cli.environment["MILEPOST_ALLOW_NETWORKS"] = "127.0.0.0/8"
    assert cli("endpoint", "add", LOCAL, "--contract", "standard").code == 0


def test_options_are_read_as_the_contract_types_them(cli: CommandLine) -> None:
    words = ("--option", "customer_id=12", "--option", "order_id=true", "--option", "profile=form")
    endpoint = cli.endpoint(*words, contract="withings")["endpoint"]
    assert endpoint["options"]["customer_id"] == "12"
    assert endpoint["options"]["order_id"] is True
    assert endpoint["options"]["profile"] == "form"


def test_a_missing_or_unknown_option_is_named(cli: CommandLine) -> None:
    words = ("endpoint", "add", "https://example.com/", "--contract", "withings")
    missing = cli(*words)
    assert missing.code == 2
    assert "--option customer_id" in missing.err
    unknown = cli(*words, "--option", "customer_id=1", "--option", "color=red")
    assert unknown.code == 2
    assert "color" in unknown.err
    assert cli(*words, "--option", "nothing").code == 2


def test_a_credential_can_come_from_a_file_and_is_never_shown(cli: CommandLine) -> None:
    secret = cli.folder / "password.txt"
    secret.write_text("hunter-2-is-long\n", encoding="utf-8")
    made = cli.endpoint(
        *("--credential", "username=hub", "--credential", f"password=@{secret}"),
        contract="shipmonk",
    )
    assert made["endpoint"]["credentials_set"] == ["password", "username"]
    shown = cli("endpoint", "show", made["endpoint"]["endpoint_id"])
    assert "hunter-2" not in shown.out
    said = cli("endpoint", "add", LOCAL, "--contract", "shipmonk", "--credential", "password=@none")
    assert said.code == 1
    assert "none: No such file" in said.err


def test_a_bad_credential_is_refused_without_being_repeated(cli: CommandLine) -> None:
    said = cli(
        *("endpoint", "add", "https://example.com/", "--contract", "shipmonk"),
        *("--credential", "username=hub", "--credential", "passwort=hunter-2"),
    )
    assert said.code == 2
    assert "hunter-2" not in said.err


def test_an_unknown_contract_schedule_store_or_status_is_a_usage_error(cli: CommandLine) -> None:
    words = ("endpoint", "add", "https://example.com/", "--contract")
    assert "one of withings" in cli(*words, "fax").err
    for wrong in (
        ("--schedule", "whenever"),
        ("--store", "moon"),
        ("--status", "nowhere"),
        ("--timeout", "0"),
        ("--concurrency", "0"),
        ("--secret", "short"),
    ):
        said = cli(*words, "standard", *wrong)
        assert said.code == 2, wrong
        assert said.out == ""
    assert cli.ok("endpoint", "list") == {"endpoints": []}


def test_an_edit_changes_what_is_named_and_nothing_else(cli: CommandLine) -> None:
    before = cli.endpoint("--status", "shipped", "--description", "the shop")["endpoint"]
    name = before["endpoint_id"]
    after = cli.ok("endpoint", "edit", name, "--url", "https://example.com/new", "--all-statuses")
    assert after["url"] == "https://example.com/new"
    assert after["statuses"] is None
    unchanged = before.keys() - {"url", "statuses", "updated_at"}
    assert {k: after[k] for k in unchanged} == {k: before[k] for k in unchanged}


def test_an_edit_merges_options_by_name_and_drops_empty_ones(cli: CommandLine) -> None:
    name = cli.endpoint("--option", "customer_id=12", contract="withings")["endpoint"][
        "endpoint_id"
    ]
    private = "--allow-private-networks"
    edited = cli.ok("endpoint", "edit", name, "--option", "order_id=true", private)
    assert edited["options"]["order_id"] is True
    assert edited["options"]["customer_id"] == "12"
    dropped = cli.ok("endpoint", "edit", name, "--option", "order_id=", private)
    assert dropped["options"]["order_id"] is False
    said = cli("endpoint", "edit", name, "--option", "customer_id=", private)
    assert said.code == 2


def test_a_secret_is_rotated_beside_the_old_one_and_then_alone(cli: CommandLine) -> None:
    made = cli.endpoint()
    name = made["endpoint"]["endpoint_id"]
    rotated = cli.ok("endpoint", "rotate", name)
    assert rotated["secret"] != made["secret"]
    assert rotated["endpoint"]["secrets_count"] == 2
    retired = cli.ok("endpoint", "retire", name)
    assert retired["secrets_count"] == 1
    assert "secret" not in retired


def test_options_that_exclude_each_other_are_a_usage_error(cli: CommandLine) -> None:
    name = cli.endpoint()["endpoint"]["endpoint_id"]
    for words in (
        ("--all-stores", "--store", "main"),
        ("--all-statuses", "--status", "shipped"),
    ):
        assert cli("endpoint", "edit", name, *words).code == 2


def test_an_endpoint_is_paused_with_a_reason_and_resumed(cli: CommandLine) -> None:
    name = cli.endpoint()["endpoint"]["endpoint_id"]
    paused = cli.ok("endpoint", "pause", name, "--why", "maintenance")
    assert (paused["state"], paused["state_why"]) == ("paused", "maintenance")
    assert "paused: maintenance" in cli("endpoint", "show", name).out
    assert cli.ok("endpoint", "resume", name)["state"] == "active"


def test_removing_an_endpoint_counts_what_it_abandons(cli: CommandLine) -> None:
    name = cli.endpoint()["endpoint"]["endpoint_id"]
    cli.ok("order", "add", "1001")
    assert cli.ok("endpoint", "remove", name) == {"endpoint_id": name, "abandoned": 1}
    assert cli("endpoint", "show", name).code == 3


def test_a_test_notification_is_queued_and_sent(cli: CommandLine) -> None:
    name = cli.endpoint()["endpoint"]["endpoint_id"]
    queued = cli.ok("endpoint", "test", name)
    assert queued["state"] == "pending"
    assert queued["order_id"].startswith("tst_")
    cli.dispatch(lambda _request: Reply(204))
    shown = cli.ok("delivery", "show", queued["delivery_id"])
    assert shown["state"] == "acknowledged"


@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("edit",),
        ("pause",),
        ("resume",),
        ("remove",),
        ("test",),
    ],
)
def test_an_endpoint_that_is_not_there_ends_with_not_found(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    said = cli("endpoint", *words, "ep_nothere00")
    assert said.code == 3
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "ep_nothere00" in said.err
