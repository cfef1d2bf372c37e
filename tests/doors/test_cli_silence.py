"""Silences and their thresholds, over HTTP and on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from milepost.orders.lifecycle import ENDS, State
from milepost.orders.silence import DEFAULTS
from milepost.settings import Settings
from milepost.wiring import build
from tests.doors.command_line import CommandLine, command_line
from tests.doors.desk import Desk

THRESHOLDS = "/v1/silence/thresholds"
ON_ITS_WAY = ("submitted", "shipped", "in_transit")


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.set_up()
        yield made


def silent(desk: Desk, **after: float) -> None:
    """Has the hub look after so long."""
    desk.clock.forward(**after)
    desk.run(desk.hub.silences.look())


def two(desk: Desk) -> tuple[str, str]:
    """Two silent orders, one of each kind."""
    first, second = desk.order("B-1"), desk.order("B-2")
    desk.update("B-1", state="submitted")
    for state in ON_ITS_WAY:
        desk.update("B-2", state=state)
    silent(desk, days=6)
    return first, second


def listed(desk: Desk, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get(f"/v1/silences{query}").json["silences"]
    return found


def test_silences_are_listed_and_filtered(desk: Desk) -> None:
    first, second = two(desk)
    assert [one["order_id"] for one in listed(desk, "?kind=state_too_long")] == [first]
    (shown,) = listed(desk, "?kind=carrier_silent")
    assert shown["order_id"] == second
    assert (shown["store"], shown["order_key"], shown["state"]) == ("berlin", "B-2", "in_transit")
    assert (shown["after_s"], shown["ended_at"], shown["lasted_s"]) == (5 * 86_400, None, None)
    desk.update("B-2", state="delivered")
    silent(desk, seconds=60)
    (over,) = listed(desk, "?open=false")
    assert (over["ended_state"], over["lasted_s"]) == ("delivered", 6 * 86_400)
    assert [one["order_id"] for one in listed(desk, "?open=true")] == [first]
    assert listed(desk, "?state=packed") == []
    assert len(listed(desk)) == 2


def test_the_list_goes_on_with_the_cursor_that_it_gave(desk: Desk) -> None:
    two(desk)
    whole = [one["number"] for one in listed(desk)]
    page = desk.get("/v1/silences?limit=1").json
    rest = desk.get(f"/v1/silences?limit=1&after={page['next']}").json
    assert [one["number"] for part in (page, rest) for one in part["silences"]] == whole == [2, 1]
    assert rest["next"] is None


@pytest.mark.parametrize("query", ["?kind=loud", "?state=nowhere", "?open=maybe", "?after=x"])
def test_a_filter_that_means_nothing_is_refused(desk: Desk, query: str) -> None:
    assert desk.get(f"/v1/silences{query}").status == 422


def test_another_account_sees_none_of_it(desk: Desk) -> None:
    two(desk)
    other = desk.another()
    assert listed(other) == []
    desk.send("PUT", THRESHOLDS, {"thresholds": [{"state": "on_hold", "after_s": None}]})
    assert not any(one["changed"] for one in other.get(THRESHOLDS).json["thresholds"])


def test_a_silence_is_shown_with_what_asks_for_a_person_and_put_aside(desk: Desk) -> None:
    two(desk)
    found = desk.get("/v1/attention?kind=order_silent").json["matters"]
    assert [one["attention_id"] for one in found] == ["silence:2", "silence:1"]
    for matter in found:
        assert all(
            desk.send(act["method"], act["path"], {}).status in {200, 422}
            for act in matter["actions"]
            if "SOURCE" not in act["path"]
        )
    desk.post("/v1/attention/dismiss", {"items": ["silence:2"]})
    left = desk.get("/v1/attention?kind=order_silent").json["matters"]
    assert [one["attention_id"] for one in left] == ["silence:1"]
    desk.post("/v1/attention/dismiss", {"kinds": ["order_silent"]})
    assert desk.get("/v1/attention").json["matters"] == []
    assert len(listed(desk, "?open=true")) == 2


def test_thresholds_are_shown_with_their_defaults(desk: Desk) -> None:
    shown = desk.get(THRESHOLDS).json["thresholds"]
    assert [one["state"] for one in shown] == [state for state in State if state in DEFAULTS]
    assert all(one["after_s"] == one["default_s"] and not one["changed"] for one in shown)


def test_what_is_put_is_all_that_the_account_sets_itself(desk: Desk) -> None:
    def put(**own: int | None) -> dict[str, int | None]:
        body = {"thresholds": [{"state": s, "after_s": after} for s, after in own.items()]}
        shown = desk.send("PUT", THRESHOLDS, body).json["thresholds"]
        return {one["state"]: one["after_s"] for one in shown if one["changed"]}

    assert put(on_hold=3_600, backordered=None) == {"on_hold": 3_600, "backordered": None}
    assert put(packed=60) == {"packed": 60}
    assert put() == {}


@pytest.mark.parametrize(
    "wanted",
    [
        [{"state": "on_hold", "after_s": 59}],
        [{"state": "on_hold", "after_s": 366 * 86_400}],
        [{"state": "on_hold"}],
        [{"state": "nowhere", "after_s": 60}],
        [{"state": "on_hold", "after_s": 60}, {"state": "on_hold", "after_s": 90}],
        *([{"state": state, "after_s": 60}] for state in sorted(ENDS)),
    ],
)
def test_thresholds_that_cannot_be_are_refused_whole(desk: Desk, wanted: object) -> None:
    assert desk.send("PUT", THRESHOLDS, {"thresholds": wanted}).status == 422
    assert not any(one["changed"] for one in desk.get(THRESHOLDS).json["thresholds"])


def test_metrics_count_what_is_open_and_what_was_raised(desk: Desk) -> None:
    two(desk)
    told = desk.get("/metrics").body.decode()
    assert 'milepost_silences_open{kind="carrier_silent"} 1.0' in told
    assert 'milepost_silences_raised_total{kind="state_too_long"} 1.0' in told


# the command line


def look(cli: CommandLine) -> None:
    """Has a hub look at the command line's database, nine days later."""

    async def once() -> None:
        later = datetime.now(UTC) + timedelta(days=9)
        settings = Settings(database_url=f"sqlite:///{cli.database}")
        hub = build(settings, post=lambda _request, _done: None, clock=lambda: later)
        await hub.open(dispatch=False)
        await hub.silences.look()
        await hub.close()

    asyncio.run(once())


def test_silences_are_listed_on_the_command_line(cli: CommandLine) -> None:
    assert "Every order has been heard of in time." in cli("silence", "list").out
    cli.ok("order", "add", "1001")
    look(cli)
    assert "1001" in cli("silence", "list").out
    (shown,) = cli.ok("silence", "list", "--kind", "state_too_long", "--state", "created")[
        "silences"
    ]
    assert (shown["order_key"], shown["lasted_s"]) == ("1001", None)
    assert cli.ok("silence", "list", "--kind", "carrier_silent")["silences"] == []
    cli.ok("update", "1001", "cancelled")
    look(cli)
    assert cli.ok("silence", "list")["silences"] == []
    assert [one["state"] for one in cli.ok("silence", "list", "--all")["silences"]] == ["created"]
    assert cli.ok("attention", "list", "--kind", "order_silent")["matters"] == []


def test_thresholds_are_set_switched_off_and_reset_on_the_command_line(cli: CommandLine) -> None:
    assert "a new order is checked" in cli("silence", "thresholds").out
    assert cli.ok("silence", "thresholds")["thresholds"][0]["state"] == "created"
    (shown,) = cli.ok("silence", "set", "on_hold", "1d12h")["thresholds"]
    assert (shown["after_s"], shown["default_s"], shown["changed"]) == (129_600, 432_000, True)
    assert "1d12h" in cli("silence", "thresholds").out
    (shown,) = cli.ok("silence", "set", "backordered", "off")["thresholds"]
    assert shown["after_s"] is None
    (shown,) = cli.ok("silence", "reset", "on_hold")["thresholds"]
    assert not shown["changed"]
    assert not any(one["changed"] for one in cli.ok("silence", "reset", "--all")["thresholds"])


@pytest.mark.parametrize(
    "words",
    [
        ("set", "delivered", "3d"),
        ("set", "on_hold", "soon"),
        ("set", "on_hold", "5s"),
        ("set", "nowhere", "3d"),
        ("reset",),
        ("reset", "on_hold", "--all"),
        ("list", "--after", "x"),
    ],
)
def test_what_cannot_be_set_is_refused_with_usage(cli: CommandLine, words: tuple[str, ...]) -> None:
    assert cli("silence", *words).code == 2
