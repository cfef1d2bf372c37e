"""What holds for every command: help, exit codes, one JSON value, errors of one line, documents."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup

from milepost.cli.exits import MEANINGS, ExitCode, exit_code_of
from milepost.cli.options import OWN_VARIABLES, moment, settings_given
from milepost.cli.output import plain, utc
from milepost.errors import (
    AlreadyExists,
    IllegalMove,
    InvalidInput,
    MilepostError,
    Overloaded,
    SchemaTooNew,
    SettingInvalid,
    StoreBusy,
    StoreError,
    UnknownRecord,
    UrlRefused,
)
from tests.doors.command_line import COMMAND, CommandLine, command_line

DOCUMENT = Path(__file__).parents[2] / "docs/cli.md"


def commands(group: object = COMMAND, *, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command as it is typed."""
    if not isinstance(group, TyperGroup):
        yield above
        return
    for name, command in group.commands.items():
        yield from commands(command, above=(*above, name))


EVERY = list(commands())
RECORDS = [words for words in EVERY if words[0] in {"order", "endpoint", "delivery", "update"}]


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        yield made


def test_the_commands_are_all_there() -> None:
    assert {" ".join(words) for words in EVERY} == {
        "serve",
        "demo",
        "carrier put",
        "source add",
        "source list",
        "source show",
        "source set",
        "source rotate",
        "source remove",
        "receipt list",
        "receipt show",
        "receipt retry",
        "carrier list",
        "carrier show",
        "carrier ask",
        "carrier watched",
        "carrier remove",
        "egress list",
        "egress add",
        "egress remove",
        "egress cancel",
        "egress record",
        "client add",
        "client list",
        "client show",
        "client edit",
        "client remove",
        "order replace",
        "order require",
        "order split",
        "warehouse put",
        "warehouse list",
        "work",
        "account add",
        "account list",
        "account key add",
        "account key list",
        "account key revoke",
        "store add",
        "store list",
        "endpoint add",
        "endpoint list",
        "endpoint show",
        "endpoint edit",
        "endpoint pause",
        "endpoint resume",
        "endpoint remove",
        "endpoint test",
        "endpoint rotate",
        "endpoint retire",
        "user add",
        "user list",
        "user role",
        "user disable",
        "user password",
        "portal link",
        "portal list",
        "portal revoke",
        "secrets new-key",
        "secrets show",
        "secrets rekey",
        "secrets forget",
        "upkeep run",
        "upkeep show",
        "order erase",
        "order add",
        "order show",
        "order list",
        "order find",
        "order history",
        "order truth",
        "update",
        "delivery list",
        "delivery show",
        "delivery resend",
        "delivery undelivered",
        "resend failed",
        "resend between",
        "resend latest",
        "resend order",
        "resend list",
        "resend show",
        "resend stop",
        "reconcile run",
        "reconcile runs",
        "reconcile show",
        "reconcile stop",
        "quarantine list",
        "attention list",
        "attention dismiss",
        "silence list",
        "silence thresholds",
        "silence set",
        "silence reset",
        "clock show",
        "clock advance",
        "lifecycle explain",
        "lifecycle graph",
        "listen",
        "simulate",
        "conformance",
        "doctor",
        "version",
    }


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_explains_itself_with_examples_and_takes_json(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    said = cli(*words, "--help")
    assert said.code == 0
    assert f"milepost {' '.join(words)}" in said.out
    assert "Examples:" in said.out
    assert "--json" in said.out


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_is_in_the_document_with_an_example(words: tuple[str, ...]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```.*?```", text, re.DOTALL))
    assert re.search(rf"^(\S+=\S+ )?milepost {' '.join(words)}\b", code, re.MULTILINE)


def test_every_option_in_an_example_of_the_document_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    lines = re.findall(r"^milepost ([a-z].+)$", text, re.MULTILINE)
    assert len(lines) > len(EVERY)
    for line in lines:
        words = next(w for w in EVERY if f"{line} ".startswith(" ".join(w) + " "))
        command: object = COMMAND
        for word in words:
            assert isinstance(command, TyperGroup)
            command = command.commands[word]
        known = {"--help"} | {opt for param in command.params for opt in param.opts}  # type: ignore[attr-defined]
        assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", line)) <= known, line


def test_the_document_and_the_help_tell_every_exit_code(cli: CommandLine) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    shown = cli("--help").out
    for code, meaning in MEANINGS.items():
        assert f"| {code.value} | {meaning} |" in text
        assert re.search(rf"{code.value} +{re.escape(meaning)}", shown)
    assert set(MEANINGS) == set(ExitCode)


def test_the_document_tells_every_variable_of_the_command_line() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in OWN_VARIABLES)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput(field="x", expected="y"), 2),
        (UrlRefused(field="url", expected="y"), 2),
        (SettingInvalid("x"), 2),
        (UnknownRecord(), 3),
        (IllegalMove("x", state="a", allowed=()), 4),
        (StoreError(), 5),
        (StoreBusy(), 5),
        (SchemaTooNew(), 5),
        (AlreadyExists(), 1),
        (Overloaded(), 1),
        (MilepostError(), 1),
    ],
)
def test_each_error_has_its_exit_code(error: MilepostError, code: int) -> None:
    assert exit_code_of(error) == code


@pytest.mark.parametrize("words", RECORDS, ids=" ".join)
def test_an_error_is_one_line_on_standard_error_and_no_traceback(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    needed = {
        "show": ("x",),
        "edit": ("x",),
        "pause": ("x",),
        "resume": ("x",),
        "remove": ("x",),
        "test": ("x",),
        "find": ("x",),
        "history": ("x",),
        "truth": ("x",),
        "replace": ("x",),
        "require": ("x", "--require", "customs"),
        "split": ("x", "--part", "y=PEN:1"),
        "rotate": ("x",),
        "retire": ("x",),
        "erase": ("x",),
        "resend": ("x",),
        "update": ("x", "picking"),
    }
    rest = needed.get(words[-1], ())
    if words[-1] == "add":
        rest = ("x",) if words[0] == "order" else ("https://example.com/", "--contract", "standard")
    said = cli(*words, *rest, "--json")
    assert said.code == 5
    assert said.out == ""
    assert said.err.startswith("milepost: ")
    assert said.err.count("\n") == 1


def test_an_unknown_setting_is_named_but_our_own_variables_are_none(cli: CommandLine) -> None:
    cli.environment["MILEPOST_DATABASE"] = "x.db"
    said = cli("order", "list")
    assert said.code == 2
    assert "MILEPOST_DATABASE " in said.err
    given = {"MILEPOST_ACCOUNT": "acme", "MILEPOST_LISTEN_SECRET": "whsec_", "MILEPOST_PORT": "1"}
    assert settings_given(given).port == 1


def test_a_database_is_named_by_its_path_or_its_url(cli: CommandLine) -> None:
    other = cli.folder / "other.db"
    cli.ok("account", "add", "acme", "--database", str(other))
    assert other.exists()
    assert len(cli.ok("account", "list", "--database", f"sqlite:///{other}")["accounts"]) == 1
    assert not cli.database.exists()
    assert cli("account", "list", "--database", "postgres://x").code == 2
    assert cli("account", "list", "--database", str(cli.folder)).code == 5


def test_versions_are_told(cli: CommandLine) -> None:
    told = cli("version", "--json").json
    assert told.keys() == {"milepost", "milepost_receiver", "python", "sqlite"}
    assert told["milepost"] in cli("version").out


def test_control_characters_never_reach_a_terminal() -> None:
    assert plain("a\x1b[31m\x07\u202eb\nc") == "a·[31m··b\nc"


def test_times_are_read_with_or_without_an_offset() -> None:
    told = moment("2026-01-31T13:00+01:00", option="--at")
    assert told is not None
    assert utc(told) == "2026-01-31T12:00:00Z"
    assert moment(None, option="--at") is None
    with pytest.raises(InvalidInput):
        moment("noon", option="--at")


def test_the_module_and_the_script_are_the_same_command() -> None:
    for start in (
        [sys.executable, "-m", "milepost.cli"],
        [str(Path(sys.executable).with_name("milepost"))],
    ):
        done = subprocess.run([*start, "version", "--json"], capture_output=True, check=True)
        assert json.loads(done.stdout)["milepost"]


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    done = subprocess.run(
        f"{sys.executable} -m milepost.cli lifecycle graph --full | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
