"""`milepost resend`, `delivery undelivered` and `order truth`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from milepost.cli import resend_asking
from milepost.delivery.model import Outcome, Reply
from milepost.delivery.outcome import Abandon
from milepost.ports import Lease, Settlement
from milepost.resends import Resends
from milepost.settings import Settings
from milepost.wiring import build
from tests.doors.command_line import CommandLine, command_line
from tests.store.desk import an_attempt

LONG_AGO = "2020-01-01"


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.set_up()
        yield made


def give_up(cli: CommandLine) -> None:
    """Gives up everything that is due."""

    async def work() -> None:
        hub = build(Settings(database_url=f"sqlite:///{cli.database}"))
        await hub.open(dispatch=False)
        now = datetime.now(UTC)
        lease = Lease("me", now + timedelta(seconds=60))
        heads = await hub.store.claim(lease=lease, now=now, held={}, room=99, limit=99)
        while heads:
            told = [Settlement(h, an_attempt(h, Outcome.TIMEOUT), Abandon()) for h in heads]
            heads = await hub.store.settle(told, lease=lease, now=now)
        await hub.close()

    asyncio.run(work())


def test_what_was_not_delivered_is_listed(cli: CommandLine) -> None:
    assert "acknowledged" in cli("delivery", "undelivered").out
    endpoint_id = cli.endpoint()["endpoint"]["endpoint_id"]
    cli.ok("order", "add", "1001")
    give_up(cli)
    cli.ok("update", "1001", "submitted")
    found = cli.ok("delivery", "undelivered", "--endpoint", endpoint_id)["deliveries"]
    assert [(d["sequence"], d["state"]) for d in found] == [(1, "abandoned"), (2, "pending")]
    first = cli.ok("delivery", "undelivered", "--limit", "1")
    rest = cli.ok("delivery", "undelivered", "--after", first["next"])
    assert [d["sequence"] for d in rest["deliveries"]] == [2]
    assert found[0]["delivery_id"] in cli("delivery", "undelivered").out


def test_the_truth_of_an_order_says_what_each_endpoint_knows(cli: CommandLine) -> None:
    cli.ok("order", "add", "1001")
    assert "No endpoint wants" in cli("order", "truth", "1001").out
    cli.endpoint()
    cli.ok("update", "1001", "submitted")
    give_up(cli)
    (one,) = cli.ok("order", "truth", "1001")["endpoints"]
    assert (one["standing"], one["shows"], one["abandoned"]) == ("behind", "submitted", 1)
    said = cli("order", "truth", "1001")
    assert "behind" in said.out
    assert "milepost resend order ord_" in said.err


def test_nothing_is_sent_again_without_a_yes(cli: CommandLine) -> None:
    cli.endpoint()
    cli.ok("order", "add", "1001")
    give_up(cli)
    for words in ((), ("--dry-run",)):
        told = cli.ok("resend", "failed", "--since", LONG_AGO, *words)
        assert (told["dry_run"], told["would_send"], told["resends"]) == (True, 1, [])
        said = cli("resend", "failed", "--since", LONG_AGO, *words)
        assert said.code == 0
        assert "1 × created" in said.out
        assert ("--yes queues it" in said.err) == (not words)
    assert cli.ok("resend", "list")["resends"] == []
    assert cli("resend", "failed", "--since", LONG_AGO, "--dry-run", "--yes").code == 2


def test_what_failed_is_sent_again_after_a_yes(cli: CommandLine) -> None:
    cli.endpoint()
    cli.ok("order", "add", "1001")
    give_up(cli)
    told = cli.ok("resend", "failed", "--since", LONG_AGO, "--yes")
    ((made,), dry) = told["resends"], told["dry_run"]
    assert (made["state"], made["queued"], dry) == ("done", 1, False)
    (one,) = cli.ok("delivery", "undelivered")["deliveries"]
    assert (one["state"], one["replay"]) == ("pending", 1)
    again = cli("resend", "failed", "--since", LONG_AGO, "--yes")
    assert (again.code, "nothing to send again" in again.out) == (0, True)
    shown = cli("resend", "show", made["resend_id"])
    assert "failed since 20" in shown.out
    assert cli.ok("resend", "show", made["resend_id"]) == made
    assert cli.ok("resend", "stop", made["resend_id"]) == made
    assert made["resend_id"] in cli("resend", "list").out


def test_a_span_a_range_and_the_latest_are_sent_again(cli: CommandLine) -> None:
    endpoint_id = cli.endpoint()["endpoint"]["endpoint_id"]
    cli.ok("order", "add", "1001")
    cli.ok("update", "1001", "submitted")
    cli.ok("update", "1001", "packed")
    cli.dispatch(lambda _request: Reply(204))
    to = ("--endpoint", endpoint_id)
    for words, number in (
        (("between", "--since", LONG_AGO, "--until", "2999-01-01", *to), 3),
        (("between", "--since", LONG_AGO, "--until", "2020-01-02", *to), 0),
        (("latest", "--since", LONG_AGO, *to), 1),
        (("order", "1001"), 3),
        (("order", "1001", "--first", "2", "--last", "2", *to), 1),
    ):
        assert cli.ok("resend", *words, "--dry-run")["would_send"] == number, words
    said = cli("resend", "order", "1001", "--first", "2", "--yes")
    assert said.code == 0
    assert f"{'done':<8}" in said.out
    states = {d["sequence"]: d["state"] for d in cli.ok("delivery", "list")["deliveries"]}
    assert states == {1: "acknowledged", 2: "pending", 3: "pending"}


def test_what_an_endpoint_does_not_take_yet_is_left_to_a_running_hub(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resend_asking, "PATIENCE_S", 0.1)
    sizes = {"part": 1, "room": 2}
    monkeypatch.setattr(Resends.__init__, "__kwdefaults__", sizes)
    cli.endpoint()
    for key in ("1", "2", "3", "4"):
        cli.ok("order", "add", key)
    give_up(cli)
    said = cli("resend", "failed", "--since", LONG_AGO, "--yes")
    assert said.code == 0
    assert "running" in said.out
    assert "milepost resend show rsd_" in said.err
    (made,) = cli.ok("resend", "list")["resends"]
    assert (made["state"], made["queued"]) == ("running", 2)
    stopped = cli.ok("resend", "stop", made["resend_id"])
    assert (stopped["state"], stopped["queued"]) == ("stopped", 2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("failed", "--since", "yesterday"), 2),
        (("failed", "--since", LONG_AGO, "--endpoint", "ep_none"), 3),
        (("latest", "--since", LONG_AGO), 2),
        (("between", "--since", LONG_AGO, "--until", "2019-01-01", "--endpoint", "ENDPOINT"), 2),
        (("order", "nothing"), 3),
        (("order", "1001", "--first", "3", "--last", "2"), 2),
        (("show", "rsd_none"), 3),
        (("stop", "rsd_none"), 3),
    ],
)
def test_what_cannot_be_sent_again_ends_with_its_code(
    cli: CommandLine, words: tuple[str, ...], code: int
) -> None:
    endpoint_id = cli.endpoint()["endpoint"]["endpoint_id"]
    cli.ok("order", "add", "1001")
    said = cli("resend", *(endpoint_id if word == "ENDPOINT" else word for word in words))
    assert said.code == code, said
