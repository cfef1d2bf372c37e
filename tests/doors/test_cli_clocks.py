"""`milepost clock` and /v1/clock: what an account's clock shows, and moving that of a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from milepost.delivery.model import Reply
from tests.doors.command_line import CommandLine, command_line
from tests.doors.desk import START, Desk

ADVANCE = "/v1/clock/advance"


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.ok("account", "add", "rehearsal", "--sandbox")
        made.ok("store", "add", "main")
        yield made


def a_sandbox(desk: Desk) -> Desk:
    """The desk of a sandbox account of the same hub."""
    operations = desk.hub.operations
    account = desk.run(operations.add_account("rehearsal", sandbox=True))
    key = desk.run(operations.add_key(account.account_id, name="tests")).text
    desk.run(operations.put_store(account.account_id, "berlin", name="Berlin", number=None))
    return Desk(desk.runner, desk.hub, desk.app, desk.clock, desk.outside, account.account_id, key)


@pytest.fixture
def sandbox(desk: Desk) -> Desk:
    return a_sandbox(desk)


# --- over HTTP ------------------------------------------------------------------------------------


def test_the_clock_of_an_account_that_is_no_sandbox_is_shown_and_cannot_be_moved(
    desk: Desk,
) -> None:
    assert desk.get("/v1/clock").json == {
        "sandbox": False,
        "now": "2026-11-23T08:00:00Z",
        "ahead_s": 0.0,
        "next_due_at": None,
        "under_way": 0,
    }
    refused = desk.post(ADVANCE, {"by": "3d"})
    assert (refused.status, refused.json["type"]) == (409, "urn:milepost:problem:no-sandbox")
    assert "cannot be moved" in refused.json["title"]


def test_the_clock_of_a_sandbox_is_moved_by_a_length_or_to_a_time(
    sandbox: Desk, desk: Desk
) -> None:
    moved = sandbox.post(ADVANCE, {"by": "1d12h"}).json
    assert (moved["now"], moved["ahead_s"]) == ("2026-11-24T20:00:00Z", 129_600.0)
    moved = sandbox.post(ADVANCE, {"to": "2026-12-24T19:00:00+01:00"}).json
    assert moved["now"] == "2026-12-24T18:00:00Z"
    assert desk.get("/v1/clock").json["now"] == "2026-11-23T08:00:00Z"


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({}, ""),
        ({"by": "3d", "to": "2026-12-24T18:00:00Z"}, ""),
        ({"by": "-3d"}, "by"),
        ({"by": "0s"}, "by"),
        ({"by": "9999d"}, "by"),
        ({"by": 3}, "by"),
        ({"to": "2026-11-22T08:00:00Z"}, "to"),
        ({"to": "2126-11-22T08:00:00Z"}, "to"),
        ({"to": "9999-12-31T23:59:59-23:59"}, "to"),
        ({"to": "2026-12-24T18:00:00"}, "to"),
        ({"by": "3d", "step": True}, "to"),
        ({"until": "2026-12-24T18:00:00Z"}, "until"),
    ],
)
def test_a_move_that_makes_no_sense_is_refused(
    sandbox: Desk, told: dict[str, object], field: str
) -> None:
    refused = sandbox.post(ADVANCE, told)
    assert refused.status == 422
    assert refused.json["field"] == field
    assert sandbox.get("/v1/clock").json["ahead_s"] == 0


def test_times_that_come_in_are_judged_by_the_account_s_clock(sandbox: Desk, desk: Desk) -> None:
    sandbox.post(ADVANCE, {"by": "30d"})
    told = {"state": "picking", "occurred_at": "2026-12-23T08:00:00Z"}
    for one, status in ((sandbox, 200), (desk, 422)):
        one.order("B-1")
        assert one.update("B-1", **told).status == status
    late = {"store": "berlin", "order_key": "B-1", "state": "packing"}
    update = {**late, "occurred_at": "2026-12-22T08:00:00Z"}
    (item,) = sandbox.post("/v1/updates/batch", {"updates": [update]}).json["results"]
    assert item["verdict"] == "stale"


def test_step_by_step_the_clock_stops_at_what_comes_due_and_waits_for_it(sending: Desk) -> None:
    sandbox = a_sandbox(sending)
    sandbox.outside.answer = lambda _request: Reply(503)
    sandbox.endpoint()
    sandbox.order("B-1")
    goal = {"to": "2026-11-23T09:00:00Z", "step": True}
    seen: list[datetime] = []
    for _ in range(2_000):
        view = sandbox.post(ADVANCE, goal).json
        seen.append(datetime.fromisoformat(view["now"]))
        if seen[-1] >= START + timedelta(hours=1):
            break
    assert seen[-1] == START + timedelta(hours=1)
    assert seen == sorted(seen)
    attempts = len(sandbox.outside.requests)
    assert attempts >= 3
    # It has stopped at each retry.
    assert len(set(seen)) >= attempts


# --- on the command line --------------------------------------------------------------------------


def test_the_clock_is_shown_and_moved(cli: CommandLine) -> None:
    before = cli.ok("clock", "show")
    assert (before["sandbox"], before["ahead_s"]) == (True, 0.0)
    after = cli.ok("clock", "advance", "3d")
    assert after["ahead_s"] == pytest.approx(3 * 86_400, abs=120)
    said = cli("clock", "advance", "1h", "--jump")
    assert said.code == 0
    assert "3 days, 1:00:00" in said.out
    assert "sandbox" in said.out


def test_the_way_says_how_it_is_gone_on_with(cli: CommandLine) -> None:
    said = cli("clock", "advance", "1h")
    assert "to go on after an interruption: --to 20" in said.err


def test_an_order_is_told_at_the_time_of_its_account(cli: CommandLine) -> None:
    now = datetime.fromisoformat(cli.ok("clock", "advance", "30d", "--jump")["now"])
    cli.ok("order", "add", "1001")
    placed = datetime.fromisoformat(cli.ok("order", "show", "1001")["created_at"])
    assert now <= placed < now + timedelta(hours=1)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("3 days",),
        ("3d", "--to", "2030-01-01"),
        ("--to", "2020-01-01"),
        ("--to", "soon"),
        ("9999d",),
    ],
)
def test_a_move_that_makes_no_sense_is_a_usage_error(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    assert cli("clock", "advance", *words).code == 2
    assert cli.ok("clock", "show")["ahead_s"] == 0


def test_an_account_that_is_no_sandbox_is_refused(cli: CommandLine) -> None:
    cli.ok("account", "add", "shop")
    said = cli("clock", "advance", "1d", "--account", "shop")
    assert said.code == 1
    assert "no sandbox" in said.err
    shown = cli.ok("account", "list")["accounts"]
    assert [(a["name"], a["sandbox"]) for a in shown] == [("rehearsal", True), ("shop", False)]
