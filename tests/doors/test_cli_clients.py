"""Client applications and replacement orders on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.cli.exits import ExitCode
from tests.doors.command_line import LOCAL, CommandLine, command_line

BILLING = ("--billing-id", "4711")
NOTIFY = ("--notify-uri", LOCAL, "--allow-private-networks")


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.ok("account", "add", "acme")
        yield made


def test_an_application_is_registered_with_secrets_that_are_shown_once(cli: CommandLine) -> None:
    made = cli.ok("client", "add", "shop", *BILLING, *NOTIFY)
    client = made["client"]
    assert len(client["client_id"]) == len(made["secret"]) == 64
    assert made["notification_secret"].startswith("whsec_")
    assert (client["store"], client["billing_id"], client["notify_uri"]) == ("shop", "4711", LOCAL)
    for words in (("client", "list"), ("client", "show", client["client_id"])):
        for said in (cli(*words), cli(*words, "--json")):
            assert client["client_id"] in said.out
            assert made["secret"] not in said.out + said.err
            assert made["notification_secret"] not in said.out + said.err
    assert cli.ok("client", "list") == {"clients": [client]}
    assert [s["store"] for s in cli.ok("store", "list")["stores"]] == ["shop"]
    (endpoint,) = cli.ok("endpoint", "list")["endpoints"]
    assert endpoint["endpoint_id"] == client["endpoint_id"]
    assert endpoint["options"]["customer_id"] == "4711"


def test_an_application_brings_the_id_and_the_secret_that_it_has(cli: CommandLine) -> None:
    cli.environment["MILEPOST_CLIENT_SECRET"] = "test_client_secret"
    made = cli.ok("client", "add", "shop", *BILLING, "--client-id", "test_client_id")
    assert (made["client"]["client_id"], made["secret"]) == ("test_client_id", "test_client_secret")
    assert made["client"]["notify_uri"] is None
    said = cli("client", "add", "other", *BILLING, "--client-id", "test_client_id")
    assert said.code == ExitCode.REFUSED
    assert "exists" in said.err
    said = cli("client", "add", "third", *BILLING, "--store", "shop")
    assert said.code == ExitCode.REFUSED


def test_an_application_is_changed_and_removed(cli: CommandLine) -> None:
    first = cli.ok("client", "add", "shop", *BILLING)
    client_id = first["client"]["client_id"]
    changed = cli.ok("client", "edit", client_id, *NOTIFY, "--name", "Shop", "--rotate-secret")
    assert changed["client"]["notify_uri"] == LOCAL
    assert changed["client"]["name"] == "Shop"
    assert changed["secret"] not in (None, first["secret"])
    assert changed["notification_secret"].startswith("whsec_")
    shown = cli("client", "edit", client_id, "--billing-id", "8")
    assert "secret" not in shown.out
    gone = cli.ok("client", "edit", client_id, "--no-notify-uri")
    assert gone["client"]["notify_uri"] is None
    assert cli.ok("endpoint", "list") == {"endpoints": []}
    assert cli.ok("client", "remove", client_id) == {"client_id": client_id, "abandoned": 0}
    assert cli("client", "show", client_id).code == ExitCode.NOT_FOUND
    assert cli("client", "remove", client_id, "--yes").code == ExitCode.NOT_FOUND


@pytest.mark.parametrize(
    "words",
    [
        ("client", "add", "shop", *BILLING, "--client-id", "a,b"),
        ("client", "add", "shop", *BILLING, "--secret", "short"),
        ("client", "add", "shop", *BILLING, "--notify-uri", LOCAL),
        ("client", "add", "my shop", *BILLING),
        ("client", "edit", "x", "--rotate-secret", "--secret", "sixteen characters"),
        ("client", "edit", "x", "--no-notify-uri", "--notify-uri", LOCAL),
    ],
)
def test_what_cannot_work_is_refused(cli: CommandLine, words: tuple[str, ...]) -> None:
    said = cli(*words)
    assert said.code == ExitCode.USAGE, said
    assert said.err.count("\n") == 1
    assert cli.ok("client", "list") == {"clients": []}


def test_an_order_is_replaced_with_the_next_name_or_with_one_that_is_given(
    cli: CommandLine,
) -> None:
    cli.ok("store", "add", "main")
    cli.ok("order", "add", "1001", "--line", "SCALE-1:2")
    first = cli.ok("order", "replace", "1001", "--serial-number", "SN-1", "--note", "broken")
    assert (first["order_key"], first["state"]) == ("1001-R1", "verified")
    named = cli.ok("order", "replace", "1001", "--key", "X", "--line", "SCALE-1:1")
    shown = cli.ok("order", "show", named["order_id"])
    assert shown["content"]["replacement_for"] == "1001"
    assert [line["quantity"] for line in shown["content"]["lines"]] == [1]
    assert "1001-R2" in cli("order", "replace", "1001").out
    assert cli("order", "replace", "1001", "--key", "X").code == ExitCode.REFUSED
    assert cli("order", "replace", "none").code == ExitCode.NOT_FOUND
