"""`milepost simulate` against real receivers and a real hub: what arrives, what is reported."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost.contracts import ROOMS
from milepost.rehearsal.scenarios import SCENARIOS
from tests.doors.command_line import CommandLine, command_line
from tests.system.processes import SIGNING_SECRET, town
from tests.system.rehearsed import PROOFS, AcceptsAnything, BreaksOnRepeats, Rehearsed
from tests.system.rehearsed import SECRET as OUR_SECRET

CHAOS = "duplicate,reorder,drop,lose,delay,error=500"


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        yield made


def played(cli: CommandLine, receiver: Rehearsed, contract: str, *words: str) -> Any:
    return cli.ok(
        "simulate", *words, "--contract", contract, "--to", receiver.url, *PROOFS[contract]
    )


@pytest.mark.parametrize("contract", ROOMS)
def test_every_scenario_is_verified_and_ends_as_it_did(cli: CommandLine, contract: str) -> None:
    with Rehearsed(contract) as receiver:
        report = played(cli, receiver, contract, "all", "--seed", "4")
    assert report["good"] is True
    assert len(report["orders"]) == len(SCENARIOS) + 2
    totals = report["totals"]
    assert totals["requests"] == totals["notifications"] == totals["acknowledged"]
    for order in report["orders"]:
        assert receiver.books.states[order["order_key"]][1] == order["words"][-1]


@pytest.mark.parametrize("contract", ROOMS)
def test_chaos_leaves_a_good_receiver_with_the_truth(cli: CommandLine, contract: str) -> None:
    words = ("all", "--seed", "11", "--chaos", "duplicate=0.5,reorder=0.5,drop,delay,error=503")
    with Rehearsed(contract) as receiver:
        report = played(cli, receiver, contract, *words)
        states = dict(receiver.books.states)
    with Rehearsed(contract) as receiver:
        played(cli, receiver, contract, "all", "--seed", "11")
        assert states == receiver.books.states
    totals = report["totals"]
    for name in ("duplicates", "reordered", "dropped", "delayed", "retries", "pretended"):
        assert totals[name] > 0, name
    assert totals["lost"] == 0
    assert totals["acknowledged"] == totals["requests"]


def test_what_arrives_is_what_the_report_says(cli: CommandLine) -> None:
    with Rehearsed("standard") as receiver:
        report = played(cli, receiver, "standard", "return", "--orders", "3", "--chaos", CHAOS)
    sent = [one for one in report["requests"] if not one["lost"]]
    arrived = [
        (headers["webhook-id"], int(headers["milepost-attempt"]))
        for headers, _ in receiver.books.requests
    ]
    assert arrived == [(one["delivery_id"], one["attempt"]) for one in sent]
    totals = report["totals"]
    assert totals["requests"] == len(arrived)
    assert len({name for name, _ in arrived}) == totals["notifications"] - totals["lost"]
    assert totals["lost"] > 0
    assert [one for order in report["orders"] for one in order["lost"]]
    slowest = [one["ms"] for one in report["slowest"]]
    assert slowest == sorted(slowest, reverse=True)
    assert slowest[0] == totals["slowest_ms"]


@pytest.mark.parametrize("contract", ROOMS)
def test_the_same_seed_is_the_same_to_the_byte(cli: CommandLine, contract: str) -> None:
    words = ("two_parcels", "--orders", "2", "--seed", "99", "--chaos", CHAOS, "--frozen")
    arrived, dumps = [], []
    for name in ("one", "two"):
        folder = cli.folder / name
        # What is signed at the rehearsal's own time is too old for who looks at the clock.
        with AcceptsAnything(contract) as receiver:
            played(cli, receiver, contract, *words, "--dump", str(folder))
            port = receiver.base.rpartition(":")[2].encode()
            arrived.append(
                [
                    ({k: v for k, v in headers.items() if k.lower() != "host"}, body)
                    for headers, body in receiver.books.requests
                ]
            )
        written = sorted(folder.iterdir())
        dumps.append([(p.name, p.read_bytes().replace(port, b"PORT")) for p in written])
    assert arrived[0] == arrived[1]
    assert dumps[0] == dumps[1]
    assert len(dumps[0]) == len(arrived[0]) > 10


def test_without_a_frozen_clock_only_the_proof_of_time_differs(cli: CommandLine) -> None:
    dumps = []
    with Rehearsed("standard") as receiver:
        for name in ("one", "two"):
            folder = cli.folder / name
            words = ("hold", "--seed", "5", "--start", "2026-01-31T12:00:00Z")
            played(cli, receiver, "standard", *words, "--dump", str(folder))
            dumps.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert dumps[0] == dumps[1]
    assert b"webhook-timestamp: (when it is sent)" in dumps[0][0]
    assert b"2026-01-31T12:00:00Z" in dumps[0][0]


def test_a_folder_with_another_rehearsal_in_it_is_left_alone(cli: CommandLine) -> None:
    (cli.folder / "00001.http").write_bytes(b"")
    words = ("hold", "--to", "http://127.0.0.1:9/", "--dump", str(cli.folder))
    assert cli("simulate", *words).code == 1


def test_a_receiver_that_breaks_on_repeats_fails_the_rehearsal(cli: CommandLine) -> None:
    with BreaksOnRepeats("standard") as receiver:
        words = ("simulate", "complete", "--to", receiver.url, *PROOFS["standard"])
        calm = cli(*words, "--json")
        chaotic = cli(*words, "--json", "--chaos", "duplicate=1")
    assert calm.code == 0
    assert chaotic.code == 1
    assert chaotic.json["orders"][0]["duplicates_refused"] > 0


def test_what_is_refused_is_tried_again_before_the_next_of_its_order(cli: CommandLine) -> None:
    class FailsFirst(Rehearsed):
        failed: set[str] = set()  # noqa: RUF012

        def work(self, notification: Any) -> int:
            name = str(notification.delivery_id)
            if name not in self.failed:
                self.failed.add(name)
                self.books.seen.discard(name)
                return 503
            return super().work(notification)

    with FailsFirst("standard") as receiver:
        report = played(cli, receiver, "standard", "cancelled", "--orders", "2")
    assert report["good"] is True
    assert report["totals"]["retries"] == report["totals"]["notifications"]
    lanes: dict[str, list[int]] = {}
    for one in report["requests"]:
        lanes.setdefault(one["order_key"], []).append(one["sequence"])
    assert all(lane == sorted(lane) for lane in lanes.values())


def test_a_receiver_that_is_not_there_is_told_as_such(cli: CommandLine) -> None:
    said = cli(
        *("simulate", "cancelled", "--to", "http://127.0.0.1:9/", "--attempts", "2", "--json")
    )
    assert said.code == 1
    totals = said.json["totals"]
    assert totals["unreachable"] == totals["requests"] == 2 * totals["notifications"]
    assert said.json["requests"][0]["outcome"] == "connection_refused"


def test_a_table_for_people_says_what_happened(cli: CommandLine) -> None:
    with Rehearsed("shipmonk") as receiver:
        said = cli(
            *("simulate", "complete", "--contract", "shipmonk", "--to", receiver.url),
            *PROOFS["shipmonk"],
            *("--chaos", "duplicate,error=500", "--seed", "3", "--speed", "1000000"),
        )
    assert said.code == 0
    assert "204, taken as 500" in said.out
    assert "The receiver took everything that it was sent." in said.out
    assert "--seed 3 plays the same again" in said.err


def test_the_scenarios_and_the_chaos_are_listed(cli: CommandLine) -> None:
    listed = cli.ok("simulate", "--list")
    assert [one["scenario"] for one in listed["scenarios"]] == list(SCENARIOS)
    assert {"duplicate", "reorder", "drop", "lose", "delay", "error"} == set(listed["chaos"])
    assert "lost_and_found" in cli("simulate", "--list").out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("hold",),
        ("nonesuch", "--to", "http://127.0.0.1:9/"),
        ("hold", "--to", "http://127.0.0.1:9/", "--speed", "fast"),
        ("hold", "--to", "http://127.0.0.1:9/", "--chaos", "explode"),
        ("hold", "--to", "http://10.0.0.1/"),
        ("hold", "--to", "http://127.0.0.1:9/", "--secret", "whsec_short"),
        ("hold", "--to", "http://127.0.0.1:9/", "--option", "nonesuch=1"),
        ("hold", "--to", "http://127.0.0.1:9/", "--through-hub"),
        (
            *("hold", "--to", "http://127.0.0.1:9/", "--through-hub", "--api-key", "mp_x"),
            *("--chaos", "error=500"),
        ),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    said = cli("simulate", *words)
    assert said.code == 2
    assert said.err.count("milepost: ") == 1
    assert "whsec_short" not in said.err


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rehearsed, tuple[str, ...]]]:
    """A running hub with a receiver, and how it is told things."""
    assert SIGNING_SECRET == OUR_SECRET
    folder = tmp_path_factory.mktemp("hub")
    with (
        Rehearsed("shipmonk") as receiver,
        town(folder, f"sqlite:///{folder / 'hub.db'}") as running,
    ):
        serving = running.start("serve", "--port", "0")
        key = serving.ready["api_key"]
        endpoint = {
            "contract": "shipmonk",
            "url": receiver.url,
            "secret": SIGNING_SECRET,
            "schedule": "rehearsal",
            "credentials": {
                "username": "hub",
                "password": "password",
                "signature_secret": "our-secret",
            },
        }
        assert serving.ask("POST", "/v1/endpoints", endpoint, key=key).status == 201
        yield receiver, ("--through-hub", "--to", serving.ready["url"], "--api-key", key)


Hub = tuple[Rehearsed, tuple[str, ...]]


@pytest.mark.processes
def test_through_a_hub_the_truth_comes_out_whatever_goes_wrong_on_the_way(
    cli: CommandLine, hub: Hub
) -> None:
    receiver, through = hub
    chaos = "duplicate=0.3,reorder=0.3,drop,delay"
    report = cli.ok("simulate", "all", *through, "--seed", "8", "--chaos", chaos)
    assert report["good"] is True
    assert report["lost"] == 0
    assert set(report["deliveries"]) == {"acknowledged"}
    verdicts = Counter(report["verdicts"])
    assert verdicts["duplicate"] > 0
    assert verdicts["stale"] > 0
    assert verdicts["orphan"] > 0
    assert all(order["state"] == order["truth"] for order in report["orders"])
    for order in report["orders"]:
        assert order["order_key"] in receiver.books.states


@pytest.mark.processes
def test_what_is_lost_on_the_way_to_a_hub_is_told_and_fails_nothing(
    cli: CommandLine, hub: Hub
) -> None:
    _, through = hub
    said = cli("simulate", "cancelled", *through, "--seed", "77", "--chaos", "lose")
    assert said.code == 0
    assert "1 never told" in said.out
    assert "--seed 77 tells the same again" in said.err


@pytest.mark.processes
def test_a_receiver_is_sent_what_the_hub_would_send(cli: CommandLine, hub: Hub) -> None:
    receiver, through = hub
    words = ("simulate", "two_parcels", "--seed", "21")
    cli.ok(*words, *through)
    by_hub = [one for one in receiver.books.requests if b"SIM-21-" in one[1]]
    with Rehearsed("shipmonk") as other:
        played(cli, other, "shipmonk", *words[1:])
    by_us = other.books.requests
    assert len(by_us) == len(by_hub) > 5
    for (our_headers, our_body), (headers, body) in zip(by_us, by_hub, strict=True):
        assert list(our_headers) == list(headers)
        same = ("User-Agent", "content-type", "authorization", "milepost-attempt")
        for name in same:
            assert our_headers.get(name) == headers.get(name)
        assert our_headers["milepost-sequence"] == headers["milepost-sequence"]
        assert our_headers["milepost-previous"] == headers["milepost-previous"]
        ours, theirs = json.loads(our_body), json.loads(body)
        assert list(ours) == list(theirs)
        # The hub has its own store, and its own clock for when it learned of something.
        for told in (ours, theirs):
            del told["store"], told["updated_at"]
        assert ours == theirs


def test_the_pace_is_kept(cli: CommandLine) -> None:
    with Rehearsed("standard") as receiver:
        began = time.monotonic()
        # Two minutes, of which three hundred seconds pass in one.
        played(cli, receiver, "standard", "cancelled", "--speed", "300")
        assert time.monotonic() - began >= 0.39
