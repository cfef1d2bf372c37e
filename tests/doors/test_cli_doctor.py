"""The doctor: every check, when it is well and when it is not."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from milepost.cli import doctor
from tests.doors.command_line import CommandLine, Said, command_line


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            made.environment["MILEPOST_PORT"] = str(probe.getsockname()[1])
        yield made


def levels(said: Said) -> dict[str, str]:
    return {check["name"]: check["level"] for check in said.json["checks"]}


def found(said: Said, name: str) -> dict[str, str]:
    (check,) = [check for check in said.json["checks"] if check["name"] == name]
    return {key: str(value) for key, value in check.items()}


def test_everything_is_well_on_a_database_that_was_just_made(cli: CommandLine) -> None:
    cli.set_up()
    said = cli("doctor", "--json")
    assert said.code == 0
    assert said.json["ok"] is True
    assert levels(said) == dict.fromkeys(
        (
            "database",
            "durability",
            "file mode",
            "secrets",
            "disk",
            "clock",
            "port",
            "endpoints",
            "receiver kit",
        ),
        "ok",
    )


def test_a_key_that_others_may_read_and_one_too_many_are_told(cli: CommandLine) -> None:
    cli.set_up()
    assert found(cli("doctor", "--json"), "secrets")["level"] == "ok"
    key = cli.folder / "shop.db.key"
    key.chmod(0o640)
    warned = found(cli("doctor", "--json"), "secrets")
    assert warned["level"] == "warn"
    assert warned["advice"] == f"chmod 600 {key}"
    key.chmod(0o600)
    with key.open("a", encoding="utf-8") as file:
        file.write(cli.ok("secrets", "new-key")["key"] + "\n")
    warned = found(cli("doctor", "--json"), "secrets")
    assert (warned["level"], "rekey" in warned["advice"]) == ("warn", True)


def test_a_person_reads_what_to_do(cli: CommandLine) -> None:
    said = cli("doctor")
    assert said.code == 0
    assert "milepost serve makes it" in said.out


def test_looking_makes_no_database(cli: CommandLine) -> None:
    said = cli("doctor", "--json")
    assert found(said, "database")["level"] == "warn"
    assert not cli.database.exists()


def test_a_file_that_is_no_database_fails(cli: CommandLine) -> None:
    cli.database.write_bytes(b"this is a text" * 1_000)
    said = cli("doctor", "--json")
    assert said.code == 1
    assert said.json["ok"] is False
    assert levels(said)["database"] == "fail"
    assert levels(said)["durability"] == "fail"
    assert found(said, "database")["advice"]


def test_tables_of_another_make_fail(cli: CommandLine) -> None:
    cli.set_up()
    with closing(sqlite3.connect(cli.database)) as connection:
        connection.execute("CREATE TABLE stray (x)")
        connection.commit()
    said = cli("doctor", "--json")
    assert said.code == 1
    assert levels(said)["database"] == "fail"


def test_a_folder_that_is_not_there_fails(cli: CommandLine) -> None:
    said = cli("doctor", "--json", "--database", str(cli.folder / "none" / "shop.db"))
    assert said.code == 1
    assert levels(said)["database"] == "fail"
    assert levels(said)["disk"] == "ok"


def test_a_file_that_others_may_read_is_a_warning(cli: CommandLine) -> None:
    cli.set_up()
    cli.database.chmod(0o644)
    said = cli("doctor", "--json")
    assert said.code == 0
    assert found(said, "file mode")["level"] == "warn"


def test_a_database_on_a_network_fails(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.set_up()
    monkeypatch.setattr(doctor, "filesystem_of", lambda _path: "nfs4")
    said = cli("doctor", "--json")
    assert said.code == 1
    assert "local disk" in found(said, "durability")["advice"]


def test_the_file_system_of_a_path_is_that_of_its_closest_mount() -> None:
    assert doctor.filesystem_of(Path("/proc/self/status")) == "proc"


@pytest.mark.parametrize(
    ("free", "level"), [(2 << 30, "ok"), (500 << 20, "warn"), (1 << 20, "fail")]
)
def test_the_disk_is_judged_by_what_is_free(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=free))
    assert levels(cli("doctor", "--json"))["disk"] == level


def test_a_clock_that_is_behind_the_newest_order_fails(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.set_up()
    cli.ok("order", "add", "1001")

    class Behind(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2025, 6, 1, tzinfo=UTC)

    monkeypatch.setattr(doctor, "datetime", Behind)
    said = cli("doctor", "--json")
    assert said.code == 1
    assert "NTP" in found(said, "clock")["advice"]


def test_a_port_that_another_program_holds_fails(cli: CommandLine) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        said = cli("doctor", "--json", "--port", str(server.server_address[1]))
        server.shutdown()
        thread.join(5)
    assert said.code == 1
    assert found(said, "port")["found"].startswith("another program answers")


def test_a_port_that_does_not_answer_fails(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "ANSWER_WITHIN_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = cli("doctor", "--json", "--port", str(silent.getsockname()[1]))
    assert levels(said)["port"] == "fail"


def test_endpoints_that_the_settings_do_not_permit_are_a_warning(cli: CommandLine) -> None:
    cli.set_up()
    name = cli.endpoint()["endpoint"]["endpoint_id"]
    said = cli("doctor", "--json")
    assert said.code == 0
    check = found(said, "endpoints")
    assert check["level"] == "warn"
    assert name in check["found"]
    cli.environment["MILEPOST_ALLOW_PRIVATE_NETWORKS"] = "true"
    assert levels(cli("doctor", "--json"))["endpoints"] == "ok"


def test_a_receiver_kit_of_another_version_is_a_warning(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "version_of", lambda _name: "99.1.0")
    said = cli("doctor", "--json")
    assert levels(said)["receiver kit"] == "warn"


def test_a_setting_that_cannot_be_used_is_a_usage_error(cli: CommandLine) -> None:
    cli.environment["MILEPOST_ALLOW_NETWORKS"] = "everywhere"
    said = cli("doctor", "--json")
    assert said.code == 2
    assert "MILEPOST_ALLOW_NETWORKS" in said.err
