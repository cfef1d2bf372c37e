"""Accounts, keys and stores on the command line."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.operations import key_digest
from tests.doors.command_line import CommandLine, command_line


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        yield made


def test_the_first_account_makes_the_database(cli: CommandLine) -> None:
    opened = cli.ok("account", "add", "acme")
    assert cli.database.exists()
    assert opened.keys() == {"account_id", "name", "created_at", "sandbox"}
    assert re.fullmatch(r"acc_[0-9a-z]{26}", opened["account_id"])
    assert opened["created_at"].endswith("Z")
    assert cli.ok("account", "list") == {"accounts": [opened]}


def test_any_other_command_does_not_make_a_database(cli: CommandLine) -> None:
    said = cli("order", "list")
    assert said.code == 5
    assert said.out == ""
    assert "milepost serve" in said.err
    assert said.err.count("\n") == 1
    assert not cli.database.exists()


def test_a_new_key_opens_the_account_and_is_shown_once(cli: CommandLine) -> None:
    cli.set_up()
    made = cli.ok("account", "key", "add", "--name", "warehouse")
    assert made.keys() == {"account_id", "key_id", "name", "created_at", "revoked_at", "key"}
    assert re.fullmatch(r"mp_[0-9a-z]{26}_[A-Za-z0-9_-]{43}", made["key"])
    for words in (("account", "key", "list"), ("account", "key", "list", "--json")):
        said = cli(*words)
        assert made["key_id"] in said.out
        assert made["key"] not in said.out + said.err
    with sqlite3.connect(cli.database) as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert made["key"] not in dump
    assert key_digest(made["key"]) in dump or bytes.fromhex(key_digest(made["key"])).hex() in dump


def test_a_person_reads_the_key_and_that_it_is_not_shown_again(cli: CommandLine) -> None:
    cli.set_up()
    said = cli("account", "key", "add")
    assert re.search(r"mp_[0-9a-z]{26}_[A-Za-z0-9_-]{43}", said.out)
    assert "not shown again" in said.err


def test_a_revoked_key_is_listed_as_revoked(cli: CommandLine) -> None:
    cli.set_up()
    made = cli.ok("account", "key", "add")
    assert cli.ok("account", "key", "revoke", made["key_id"])["revoked"]
    (listed,) = cli.ok("account", "key", "list")["keys"]
    assert listed["revoked_at"].endswith("Z")


def test_revoking_a_key_that_is_not_there_ends_with_not_found(cli: CommandLine) -> None:
    cli.set_up()
    said = cli("account", "key", "revoke", "key_nothere")
    assert said.code == 3
    assert "key_nothere" in said.err


def test_with_several_accounts_one_must_be_named_by_id_or_name(cli: CommandLine) -> None:
    first = cli.ok("account", "add", "acme")
    cli.ok("account", "add", "globex")
    said = cli("store", "list")
    assert said.code == 2
    assert "--account" in said.err
    assert "globex" in said.err
    cli.ok("store", "add", "one", "--account", "globex")
    assert cli.ok("store", "list", "--account", first["account_id"]) == {"stores": []}
    cli.environment["MILEPOST_ACCOUNT"] = "globex"
    assert [s["store"] for s in cli.ok("store", "list")["stores"]] == ["one"]


def test_an_account_that_is_not_there_ends_with_not_found(cli: CommandLine) -> None:
    cli.set_up()
    said = cli("store", "list", "--account", "nobody")
    assert said.code == 3
    assert "acme" in said.err


def test_a_name_of_two_accounts_is_refused(cli: CommandLine) -> None:
    for _ in range(2):
        cli.ok("account", "add", "twin")
    said = cli("store", "list", "--account", "twin")
    assert said.code == 1
    assert said.err.count("acc_") == 2


def test_stores_get_the_next_number_and_can_be_renamed(cli: CommandLine) -> None:
    cli.set_up()
    made = cli.ok("store", "add", "eu", "--name", "Europe", "--number", "7")
    assert made.keys() == {"store", "number", "name", "created_at"}
    assert cli.ok("store", "add", "eu", "--name", "Europa")["name"] == "Europa"
    assert [(s["store"], s["number"]) for s in cli.ok("store", "list")["stores"]] == [
        ("main", 1),
        ("eu", 7),
    ]


def test_a_number_that_is_taken_is_refused(cli: CommandLine) -> None:
    cli.set_up()
    said = cli("store", "add", "eu", "--number", "1")
    assert said.code == 1
    assert said.out == ""


@pytest.mark.parametrize("name", ["", "with space", "x" * 101])
def test_a_store_with_an_impossible_name_is_a_usage_error(cli: CommandLine, name: str) -> None:
    cli.set_up()
    assert cli("store", "add", name).code == 2


def test_empty_lists_say_what_to_do_next(cli: CommandLine) -> None:
    cli.ok("account", "add", "acme")
    for words, advice in (
        (("store", "list"), "milepost store add"),
        (("account", "key", "list"), "milepost account key add"),
        (("endpoint", "list"), "milepost endpoint add"),
        (("order", "list"), "milepost order add"),
        (("delivery", "list"), "endpoint"),
        (("quarantine", "list"), "every update was applied"),
    ):
        said = cli(*words)
        assert said.code == 0
        assert advice in said.out
