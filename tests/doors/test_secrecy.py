"""Signing secrets: followed by others, seen once, and in nothing that comes out afterwards."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost.delivery.model import Reply, Request
from milepost.delivery.signature import sign
from milepost.sealing import key_text
from tests.doors.command_line import CommandLine
from tests.doors.desk import Desk, opened

FIRST, SECOND = ("whsec_" + base64.b64encode(c * 32).decode() for c in (b"f", b"s"))
PASSWORD, SIGNATURE_SECRET = "correct-horse-battery", "our-shared-secret"
BASIC = base64.b64encode(f"hub:{PASSWORD}".encode()).decode()
SECRETS = (FIRST, SECOND, FIRST[6:], SECOND[6:], PASSWORD, SIGNATURE_SECRET, BASIC)
CREDENTIALS = {
    "username": "hub",
    "password": PASSWORD,
    "signature_secret": SIGNATURE_SECRET,
}


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path, dispatch=True) as desk:
        yield desk


def path_of(made: dict[str, Any]) -> str:
    return f"/v1/endpoints/{made['endpoint']['endpoint_id']}"


def signers(request: Request, *secrets: str) -> list[bool]:
    """Which of these secrets a request was signed with."""
    headers = dict(request.headers)
    made = headers["webhook-signature"].split(" ")
    return [
        sign(
            (secret,),
            delivery_id=headers["webhook-id"],
            timestamp=int(headers["webhook-timestamp"]),
            body=request.body,
        )
        in made
        for secret in secrets
    ]


def told(desk: Desk, key: str) -> Request:
    """The request that tells of a new order."""
    desk.order(key)
    desk.quiet()
    return desk.outside.requests[-1]


def test_a_rotated_secret_signs_beside_the_new_one_for_as_long_as_was_asked(sending: Desk) -> None:
    made = sending.endpoint(secret=FIRST)
    answer = sending.post(path_of(made) + "/rotate", {"secret": SECOND, "overlap_s": 3_600})
    assert answer.json["secret"] == SECOND
    assert answer.json["endpoint"]["secrets_count"] == 2
    assert answer.json["endpoint"]["old_secrets_until"] == ["2026-11-23T09:00:00Z"]
    assert signers(told(sending, "B-1"), FIRST, SECOND) == [True, True]
    sending.clock.forward(seconds=3_600)
    # Nothing had to be done for it: its time is over.
    assert signers(told(sending, "B-2"), FIRST, SECOND) == [False, True]
    changed = sending.send("PATCH", path_of(made), {"description": "new"})
    assert changed.json["secrets_count"] == 1


def test_without_being_told_a_rotation_makes_a_secret_and_takes_a_day(sending: Desk) -> None:
    made = sending.endpoint(secret=FIRST)
    answer = sending.post(path_of(made) + "/rotate", {})
    new = answer.json["secret"]
    assert answer.json["endpoint"]["old_secrets_until"] == ["2026-11-24T08:00:00Z"]
    assert signers(told(sending, "B-1"), FIRST, new) == [True, True]


def test_an_old_secret_can_be_ended_at_once(sending: Desk) -> None:
    made = sending.endpoint(secret=FIRST)
    sending.post(path_of(made) + "/rotate", {"secret": SECOND})
    assert sending.post(path_of(made) + "/retire").json["secrets_count"] == 1
    assert signers(told(sending, "B-1"), FIRST, SECOND) == [False, True]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"secret": "whsec_short"}, "secret"),
        ({"secret": FIRST}, "secret"),
        ({"overlap_s": -1}, "overlap_s"),
        ({"overlap_s": 31 * 86_400}, "overlap_s"),
        ({"for": 5}, "for"),
    ],
)
def test_a_rotation_that_cannot_be_is_refused_and_repeats_no_secret(
    sending: Desk, wanted: dict[str, Any], field: str
) -> None:
    made = sending.endpoint(secret=FIRST)
    answer = sending.post(path_of(made) + "/rotate", wanted)
    assert (answer.status, answer.json["field"]) == (422, field)
    assert FIRST.encode() not in answer.body
    assert sending.get(path_of(made)).json["secrets_count"] == 1


def test_another_account_cannot_rotate_a_secret(sending: Desk) -> None:
    made = sending.endpoint()
    other = sending.another()
    for action in ("rotate", "retire"):
        assert (
            other.post(f"{path_of(made)}/{action}", {} if action == "rotate" else None).status
            == 404
        )


def until_tried(desk: Desk, *, times: int) -> None:
    """Lets the dispatcher make so many attempts."""

    async def tried() -> None:
        for _ in range(400):
            if (await desk.hub.store.counts()).attempts >= times:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it was not tried")

    desk.run(tried())


def seen_in(*shown: bytes | str) -> list[str]:
    """The secrets that can be seen in any of these."""
    whole = b"\n".join(s.encode() if isinstance(s, str) else s for s in shown)
    return [secret for secret in SECRETS if secret.encode() in whole]


def test_no_secret_is_in_anything_that_the_interface_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def echo(request: Request) -> Reply:
        said = " ".join(value for _, value in request.headers) + f" {PASSWORD} {FIRST}"
        return Reply(500, body=said.encode())

    with opened(tmp_path, dispatch=True, metrics_token="t") as desk:
        desk.outside.answer = echo
        given = {"options": {}, "credentials": CREDENTIALS, "secret": FIRST}
        made = desk.endpoint("shipmonk", **given)
        desk.post(path_of(made) + "/rotate", {"secret": SECOND})
        desk.order()
        desk.post(path_of(made) + "/test")
        until_tried(desk, times=2)
        paths = [
            "/v1/endpoints",
            path_of(made),
            "/v1/contracts",
            "/v1/stores",
            "/openapi.json",
            "/v1/deliveries",
            "/readyz",
        ]
        shown = [desk.get(path).body for path in paths]
        listed = desk.get("/v1/deliveries").json["deliveries"]
        details = [desk.get(f"/v1/deliveries/{d['delivery_id']}").body for d in listed]
        assert b"[redacted]" in b"".join(details)
        bad = {"contract": "shipmonk", "url": "https://a.example/", "secret": FIRST + "!"}
        refused = [
            desk.post("/v1/endpoints", bad).body,
            desk.post("/v1/endpoints", {**bad, "credentials": {"password": PASSWORD}}).body,
            desk.send("PATCH", path_of(made), {"credentials": {**CREDENTIALS, "x": 1}}).body,
        ]
        metrics = desk.get("/metrics", key="t").body
        endpoint = desk.run(desk.hub.store.endpoint(desk.account_id, path_of(made).split("/")[-1]))
        reprs = repr((endpoint, desk.outside.requests, desk.hub.settings, desk.hub.vault))
        assert seen_in(*shown, *details, *refused, metrics, reprs) == []
    said = capsys.readouterr()
    assert seen_in(said.out, said.err) == []
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"test.db", "test.db.key"} <= files.keys()
    assert seen_in(*files.values()) == []
    key = files["test.db.key"].split()[-1]
    assert key not in files["test.db"] + files.get("test.db-wal", b"")


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = CommandLine(tmp_path)
    made.set_up()
    return made


def test_no_secret_is_in_anything_that_a_command_prints_but_the_one_that_made_it(
    cli: CommandLine,
) -> None:
    (cli.folder / "password.txt").write_text(PASSWORD, encoding="utf-8")
    (cli.folder / "second.txt").write_text(SECOND, encoding="utf-8")
    words = [f"{name}={value}" for name, value in CREDENTIALS.items() if name != "password"]
    words.append(f"password=@{cli.folder / 'password.txt'}")
    given = [part for word in words for part in ("--credential", word)]
    name = cli.endpoint("--secret", FIRST, *given, contract="shipmonk")["endpoint"]["endpoint_id"]
    second = f"@{cli.folder / 'second.txt'}"
    rotated = cli("endpoint", "rotate", name, "--secret", second, "--overlap", "7d")
    assert (rotated.code, seen_in(rotated.out)) == (0, [SECOND, SECOND[6:]])
    commands = [
        ("endpoint", "list"),
        ("endpoint", "show", name),
        ("endpoint", "edit", name, "--description", "x", "--allow-private-networks"),
        ("endpoint", "pause", name),
        ("endpoint", "rotate", name, "--secret", FIRST + "!"),
        ("endpoint", "rotate", name, "--secret", SECOND),
        ("endpoint", "test", name),
        ("delivery", "list"),
        ("endpoint", "retire", name),
        ("doctor",),
        ("upkeep", "show"),
        ("upkeep", "run"),
        ("secrets", "show"),
        ("secrets", "rekey"),
    ]
    said = [cli(*words, *more) for words in commands for more in ((), ("--json",))]
    assert seen_in(*(one.out for one in said), *(one.err for one in said)) == []
    key = (cli.folder / "shop.db.key").read_text(encoding="utf-8").split()[-1]
    assert not any(key in one.out + one.err for one in said)
    files = [path for path in cli.folder.iterdir() if path.suffix != ".txt"]
    assert seen_in(*(path.read_bytes() for path in files)) == []


@pytest.mark.parametrize("overlap", ["x", "-1", "31d", "1y", ""])
def test_an_overlap_that_is_no_time_is_a_usage_error(cli: CommandLine, overlap: str) -> None:
    name = cli.endpoint()["endpoint"]["endpoint_id"]
    said = cli("endpoint", "rotate", name, "--overlap", overlap)
    assert said.code == 2
    assert "--overlap" in said.err


def test_keys_follow_each_other_without_anything_being_lost(cli: CommandLine) -> None:
    old, new = key_text(b"1" * 32), key_text(b"2" * 32)
    cli.environment["MILEPOST_DATABASE_URL"] = f"sqlite:///{cli.folder / 'keys.db'}"
    cli.environment["MILEPOST_SECRET_KEY"] = old
    cli.set_up()
    name = cli.endpoint("--secret", FIRST)["endpoint"]["endpoint_id"]
    assert not (cli.folder / "keys.db.key").exists()
    cli.environment["MILEPOST_SECRET_KEY"] = new
    wrong = cli("endpoint", "show", name)
    assert (wrong.code, wrong.out) == (2, "")
    assert "sealed with the key" in wrong.err
    cli.environment["MILEPOST_SECRET_KEY"] = f"{new},{old}"
    done = cli.ok("secrets", "rekey")
    assert done == {"endpoints": 1, "sealed": 1, "complete": True}
    cli.environment["MILEPOST_SECRET_KEY"] = new
    assert cli.ok("endpoint", "show", name)["secrets_count"] == 1
    assert cli.ok("secrets", "rekey")["sealed"] == 0
    cli.environment["MILEPOST_SECRET_KEY"] = old
    assert cli("endpoint", "show", name).code == 2


def test_a_key_that_is_lost_costs_the_secrets_and_nothing_else(cli: CommandLine) -> None:
    name = cli.endpoint("--secret", FIRST)["endpoint"]["endpoint_id"]
    cli.ok("order", "add", "1001")
    (cli.folder / "shop.db.key").unlink()
    said = cli("order", "list")
    assert said.code == 2
    assert "there is none" in said.err
    assert not (cli.folder / "shop.db.key").exists()
    assert cli.ok("secrets", "forget", "--yes") == {"endpoints": 1}
    assert len(cli.ok("order", "list")["orders"]) == 1
    shown = cli.ok("endpoint", "show", name)
    assert (shown["state"], shown["secrets_count"]) == ("paused", 0)
    refused = cli("endpoint", "resume", name)
    assert (refused.code, "rotate" in refused.err) == (2, True)
    assert cli.ok("endpoint", "rotate", name)["secret"].startswith("whsec_")
    assert cli.ok("endpoint", "resume", name)["state"] == "active"


def test_a_new_key_is_of_use(cli: CommandLine) -> None:
    cli.environment["MILEPOST_DATABASE_URL"] = f"sqlite:///{cli.folder / 'keys.db'}"
    cli.environment["MILEPOST_SECRET_KEY"] = cli.ok("secrets", "new-key")["key"]
    cli.set_up()
    shown = cli.ok("secrets", "show")
    assert shown["from"] == "MILEPOST_SECRET_KEY"
    assert shown["opens"] == [shown["seals"]]
