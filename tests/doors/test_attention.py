"""What asks for a person, over HTTP and on the command line; how endpoints are set up and shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost.attention import LONGEST_ID, MOST_DISMISSED_AT_ONCE, Kind
from milepost.delivery.model import Reply
from tests.doors.command_line import CommandLine, command_line
from tests.doors.desk import Desk

DISMISS = "/v1/attention/dismiss"


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.set_up()
        yield made


def matters(desk: Desk, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get(f"/v1/attention{query}").json["matters"]
    return found


def troubled(desk: Desk) -> str:
    """A desk with one of everything; the id of the endpoint that is paused."""
    paused = desk.endpoint()["endpoint"]["endpoint_id"]
    desk.post(f"/v1/endpoints/{paused}/pause")
    desk.order("B-1")
    desk.update("B-1", state="cancelled")
    desk.update("B-1", state="packed")
    desk.update("B-9", state="packed")
    return str(paused)


def test_nothing_asks_for_a_person_while_all_is_well(desk: Desk) -> None:
    desk.endpoint()
    desk.order()
    assert desk.get("/v1/attention").json == {"matters": [], "next": None}


def test_each_matter_says_why_since_when_and_what_can_be_done(desk: Desk) -> None:
    paused = troubled(desk)
    first, second = matters(desk)
    assert (first["kind"], first["endpoint_id"]) == ("endpoint_paused", paused)
    assert (first["why"], first["since"]) == ("paused by the operator", "2026-11-23T08:00:00Z")
    assert first["actions"][0] == {
        "does": "Resume it: what is parked is sent, in order.",
        "method": "POST",
        "path": f"/v1/endpoints/{paused}/resume",
        "command": f"milepost endpoint resume {paused}",
    }
    assert (second["kind"], second["why"]) == (
        "update_illegal",
        "there is no way from cancelled to packed",
    )
    assert second["order_id"].startswith("ord_")
    desk.clock.forward(minutes=61)
    kinds = [m["kind"] for m in matters(desk)]
    assert kinds == ["endpoint_paused", "update_illegal", "update_without_order"]
    desk.order("B-9")
    desk.post(f"/v1/endpoints/{paused}/resume")
    assert [m["kind"] for m in matters(desk)] == ["update_illegal"]


def test_every_action_can_be_done(desk: Desk) -> None:
    troubled(desk)
    desk.clock.forward(hours=2)
    for matter in matters(desk):
        for action in matter["actions"]:
            if action["method"] == "GET":
                assert desk.get(action["path"]).status == 200
            elif action["path"].startswith("/v1/endpoints"):
                assert desk.post(action["path"]).status == 200
            else:
                assert desk.post(action["path"], {}).status == 422


def test_the_list_comes_page_by_page_over_its_kinds(desk: Desk) -> None:
    for _ in range(2):
        endpoint_id = desk.endpoint()["endpoint"]["endpoint_id"]
        desk.post(f"/v1/endpoints/{endpoint_id}/pause")
    for n in range(3):
        desk.order(f"B-{n}")
        desk.update(f"B-{n}", state="cancelled")
        desk.clock.forward(seconds=1)
        desk.update(f"B-{n}", state="packed")
    whole = [m["attention_id"] for m in matters(desk)]
    assert len(whole) == 5
    for limit in (1, 2, 3, 4, 5):
        seen: list[str] = []
        after = ""
        for _ in range(10):
            page = desk.get(f"/v1/attention?limit={limit}{after}").json
            seen += [m["attention_id"] for m in page["matters"]]
            assert len(page["matters"]) <= limit
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert seen == whole, limit
    only = matters(desk, "?kind=update_illegal")
    assert [m["attention_id"] for m in only] == whole[2:]


@pytest.mark.parametrize("after", ["x", "nothing.x", "update_illegal.x", "endpoint_failing"])
def test_a_cursor_that_the_list_did_not_give_is_refused(desk: Desk, after: str) -> None:
    assert desk.get(f"/v1/attention?after={after}").status == 422


def test_what_is_put_aside_stays_aside_until_its_reason_begins_anew(desk: Desk) -> None:
    paused = troubled(desk)
    ids = [m["attention_id"] for m in matters(desk)]
    assert desk.post(DISMISS, {"items": [*ids, ids[0]]}).json == {
        "items": 2,
        "kinds": [],
        "until": None,
    }
    assert matters(desk) == []
    desk.clock.forward(minutes=1)
    desk.post(f"/v1/endpoints/{paused}/resume")
    desk.post(f"/v1/endpoints/{paused}/pause")
    assert [m["endpoint_id"] for m in matters(desk)] == [paused]


def test_all_of_a_kind_is_put_aside_up_to_a_time_and_never_ahead_of_it(desk: Desk) -> None:
    troubled(desk)
    desk.clock.forward(seconds=10)
    desk.order("B-2")
    desk.update("B-2", state="cancelled")
    desk.update("B-2", state="packed")
    early = {"kinds": ["update_illegal"], "until": "2026-11-23T09:00:05+01:00"}
    assert desk.post(DISMISS, early).json["until"] == "2026-11-23T08:00:05Z"
    assert len(matters(desk, "?kind=update_illegal")) == 1
    ahead = {"kinds": ["update_illegal", "endpoint_paused"], "until": "2030-01-01T00:00:00Z"}
    assert desk.post(DISMISS, ahead).json["until"] == "2026-11-23T08:00:10Z"
    assert matters(desk) == []
    desk.clock.forward(seconds=1)
    desk.update("B-2", state="picking")
    assert len(matters(desk)) == 1


def test_an_update_that_was_too_young_when_all_were_put_aside_comes_up_later(desk: Desk) -> None:
    desk.update("B-9", state="packed")
    desk.clock.forward(minutes=30)
    desk.post(DISMISS, {"kinds": ["update_without_order"]})
    desk.clock.forward(minutes=31)
    assert len(matters(desk)) == 1


def test_a_delivery_given_up_is_listed_until_it_is_sent_again(sending: Desk) -> None:
    desk = sending
    desk.outside.answer = lambda _request: Reply(500)
    desk.endpoint(schedule="rehearsal")
    desk.order()
    for _ in range(1_000):
        desk.clock.forward(seconds=2)
        desk.hub.dispatcher.look()
        desk.run(_moment())
        if matters(desk, "?kind=delivery_abandoned"):
            break
    (matter,) = matters(desk, "?kind=delivery_abandoned")
    assert matter["why"] == "given up after 21 attempts, the last one with server_error"
    resend, show = matter["actions"]
    assert desk.get(show["path"]).json["state"] == "abandoned"
    desk.outside.answer = lambda _request: Reply(204)
    assert desk.post(resend["path"]).status == 202
    desk.quiet()
    assert matters(desk, "?kind=delivery_abandoned") == []


async def _moment() -> None:
    import asyncio

    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({}, ""),
        ({"items": ["paused:ep_1:1"], "kinds": ["endpoint_paused"]}, ""),
        ({"items": []}, "items"),
        ({"items": ["nonsense"]}, "items[0]"),
        ({"items": ["paused:" + "x" * LONGEST_ID]}, "items[0]"),
        ({"items": ["paused:ep_1:1"] * (MOST_DISMISSED_AT_ONCE + 1)}, "items"),
        ({"items": ["paused:ep_1:1"], "until": "2026-01-01T00:00:00Z"}, "until"),
        ({"kinds": ["nonsense"]}, "kinds[0]"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["endpoint_paused"], "until": "2026-01-01T00:00:00"}, "until"),
    ],
)
def test_what_cannot_be_put_aside_is_refused(desk: Desk, told: dict[str, Any], field: str) -> None:
    answer = desk.post(DISMISS, told)
    assert (answer.status, answer.json.get("field", "")) == (422, field), answer.body


def test_what_is_another_account_s_is_neither_seen_nor_put_aside(desk: Desk) -> None:
    other = desk.another()
    troubled(other)
    assert matters(desk) == []
    ids = [m["attention_id"] for m in matters(other)]
    assert desk.post(DISMISS, {"items": ids}).json["items"] == 2
    assert desk.post(DISMISS, {"kinds": [k.value for k in Kind]}).status == 200
    assert [m["attention_id"] for m in matters(other)] == ids


# endpoints


def test_how_an_endpoint_is_doing_is_part_of_it(sending: Desk) -> None:
    desk = sending
    made = desk.endpoint()["endpoint"]
    assert made["health"] == {
        "condition": "healthy",
        "since": None,
        "failures": 0,
        "failing_since": None,
        "last_success_at": None,
        "last_failure_at": None,
        "last_outcome": None,
    }
    target = f"/v1/endpoints/{made['endpoint_id']}"
    desk.order()
    desk.quiet()
    health = made["health"]
    for _ in range(1_000):
        desk.run(desk.hub.health.beat())
        health = desk.get(target).json["health"]
        if health["last_success_at"]:
            break
        desk.run(_moment())
    assert (health["condition"], health["last_success_at"]) == ("healthy", "2026-11-23T08:00:00Z")
    desk.clock.forward(seconds=5)
    paused = desk.post(f"{target}/pause").json
    assert (paused["health"]["condition"], paused["state_at"]) == (
        "paused",
        "2026-11-23T08:00:05Z",
    )
    assert paused["health"]["since"] == "2026-11-23T08:00:05Z"
    (listed,) = desk.get("/v1/endpoints").json["endpoints"]
    assert listed == desk.get(target).json == paused


def test_limits_and_policies_are_given_changed_and_taken_away(desk: Desk) -> None:
    told: dict[str, Any] = {
        "requests_per_s": 12.5,
        "backlog_policy": "latest",
        "pause_after_h": 72,
        "operational": "also",
    }
    made = desk.endpoint(**told)["endpoint"]
    assert {name: made[name] for name in told} == told
    target = f"/v1/endpoints/{made['endpoint_id']}"
    changed = desk.send(
        "PATCH", target, {"requests_per_s": None, "pause_after_h": None, "operational": "none"}
    ).json
    assert (changed["requests_per_s"], changed["pause_after_h"]) == (None, None)
    assert (changed["operational"], changed["backlog_policy"]) == ("none", "latest")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"requests_per_s": 0}, "requests_per_s"),
        ({"requests_per_s": 10_001}, "requests_per_s"),
        ({"pause_after_h": 0.5}, "pause_after_h"),
        ({"pause_after_h": 2_161}, "pause_after_h"),
        ({"backlog_policy": "newest"}, "backlog_policy"),
        ({"operational": True}, "operational"),
        ({"contract": "shipmonk", "backlog_policy": "latest"}, "backlog_policy"),
        ({"contract": "shipmonk", "operational": "only"}, "operational"),
    ],
)
def test_limits_and_policies_that_cannot_be_are_refused(
    desk: Desk, given: dict[str, Any], field: str
) -> None:
    told = {"contract": "standard", "url": "https://receiver.example/", **given}
    answer = desk.post("/v1/endpoints", told)
    assert (answer.status, answer.json["field"]) == (422, field)


def test_contracts_say_what_they_allow_and_how_far_chance_spreads_a_wait(desk: Desk) -> None:
    rooms = {c["name"]: c for c in desk.get("/v1/contracts").json["contracts"]}
    allowed = {n: (c["latest_suffices"], c["tells_operational_events"]) for n, c in rooms.items()}
    assert allowed == {
        "standard": (True, True),
        "withings": (False, False),
        "shipmonk": (False, False),
    }
    schedules = {s["name"]: s for c in rooms.values() for s in c["schedules"]}
    assert schedules["health-data-cycles"]["spreads_s"] == [0, 0, 0, 600, 0, 1200, 0, 1800, 0]
    assert schedules["fixed-100x5m"]["spreads_s"] == [30] * 100


# the command line


def test_the_list_is_read_and_put_aside_on_the_command_line(cli: CommandLine) -> None:
    name = cli.endpoint()["endpoint"]["endpoint_id"]
    assert "Nothing asks for a person." in cli("attention", "list").out
    cli.ok("endpoint", "pause", name, "--why", "maintenance until six")
    said = cli("attention", "list")
    assert "maintenance until six" in said.out
    assert f"milepost endpoint resume {name}" in said.out
    (matter,) = cli.ok("attention", "list")["matters"]
    assert cli.ok("attention", "list", "--kind", "endpoint_failing")["matters"] == []
    assert "1 is put aside" in cli("attention", "dismiss", matter["attention_id"]).out
    assert cli.ok("attention", "list") == {"matters": [], "next": None}
    cli.ok("endpoint", "resume", name)
    cli.ok("endpoint", "pause", name)
    assert len(cli.ok("attention", "list")["matters"]) == 1
    told = cli.ok("attention", "dismiss", "--kind", "endpoint_paused")
    assert (told["items"], told["kinds"]) == (0, ["endpoint_paused"])
    assert cli.ok("attention", "list")["matters"] == []


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("paused:ep_1:1", "--kind", "endpoint_paused"),
        ("paused:ep_1:1", "--until", "2026-01-01"),
        ("nonsense",),
        ("--kind", "nonsense"),
    ],
)
def test_what_cannot_be_put_aside_is_a_usage_error(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    assert cli("attention", "dismiss", *words).code == 2


def test_limits_and_policies_are_given_on_the_command_line(cli: CommandLine) -> None:
    name = cli.endpoint()["endpoint"]["endpoint_id"]
    shown = cli.ok(
        "endpoint", "edit", name, "--requests-per-second", "20", "--pause-after-hours", "72",
        "--backlog-policy", "latest", "--operational", "also", "--allow-private-networks",
    )  # fmt: skip
    assert (shown["requests_per_s"], shown["pause_after_h"]) == (20, 72)
    assert (shown["backlog_policy"], shown["operational"]) == ("latest", "also")
    said = cli("endpoint", "show", name).out
    assert "72 h" in said
    assert "healthy" in said
    undone = cli.ok(
        "endpoint", "edit", name, "--any-rate", "--never-pause", "--allow-private-networks"
    )
    assert (undone["requests_per_s"], undone["pause_after_h"]) == (None, None)
    for words in (
        ("--any-rate", "--requests-per-second", "5"),
        ("--never-pause", "--pause-after-hours", "5"),
        ("--requests-per-second", "0"),
    ):
        assert cli("endpoint", "edit", name, "--allow-private-networks", *words).code == 2
