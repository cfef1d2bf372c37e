"""Orders and their updates on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from milepost.delivery.model import Reply, Request
from milepost.orders.lifecycle import State, allowed_next
from tests.doors.command_line import CommandLine, command_line


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.set_up()
        yield made


def test_an_order_is_created_then_updated_then_unchanged(cli: CommandLine) -> None:
    words = ("order", "add", "1001", "--line", "SCALE-1:2:79.95", "--currency", "EUR")
    created = cli.ok(*words)
    assert created["outcome"] == "created"
    assert cli.ok(*words)["outcome"] == "unchanged"
    updated = cli.ok(*words, "--email", "ada@example.com")
    assert updated["outcome"] == "updated"
    assert updated["order_id"] == created["order_id"]
    shown = cli.ok("order", "show", "1001")
    assert shown["content"]["lines"] == [{"sku": "SCALE-1", "quantity": 2, "price": "79.95"}]
    assert shown["content"]["customer_email"] == "ada@example.com"
    assert shown["words"].keys() == {"withings", "shipmonk", "standard"}


def test_content_comes_from_a_file_or_standard_input_and_options_win(cli: CommandLine) -> None:
    content = {"currency": "EUR", "ship_to": {"city": "Utrecht"}, "order_number": "A"}
    path = cli.folder / "order.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    cli.ok("order", "add", "1001", "--content", str(path), "--number", "B")
    shown = cli.ok("order", "show", "1001")
    assert shown["order_number"] == "B"
    assert shown["content"]["ship_to"] == {"city": "Utrecht"}
    cli.ok("order", "add", "1002", "--content", "-", stdin=json.dumps(content))
    assert cli.ok("order", "show", "1002")["order_number"] == "A"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "JSON"),
        (b"\xff{}", "UTF-8"),
        (b"[]", "Expected object"),
        (b'{"colour": "red"}', "colour"),
        (b'{"lines": [{"sku": "A", "quantity": -1}]}', "quantity"),
        (b'{"extensions": {"fax": {}}}', "extensions.fax"),
        (b" " * 300_000, "262144"),
    ],
)
def test_content_that_does_not_fit_is_refused_by_name(
    cli: CommandLine, content: bytes, said: str
) -> None:
    refused = cli("order", "add", "1001", "--content", "-", stdin=content)
    assert refused.code == 2
    assert refused.out == ""
    assert said in refused.err
    assert cli.ok("order", "list")["orders"] == []


def test_a_content_file_that_is_not_there_is_one_line(cli: CommandLine) -> None:
    said = cli("order", "add", "1001", "--content", str(cli.folder / "none.json"))
    assert said.code == 1
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("line", ["", ":1", "A:x", "A:1:y", "A:1:2:3", "A:-1"])
def test_a_line_that_cannot_be_read_is_a_usage_error(cli: CommandLine, line: str) -> None:
    assert cli("order", "add", "1001", "--line", line).code == 2


def test_an_unknown_store_is_refused_and_several_need_naming(cli: CommandLine) -> None:
    assert cli("order", "add", "1001", "--store", "moon").code == 2
    cli.ok("store", "add", "eu")
    said = cli("order", "add", "1001")
    assert said.code == 2
    assert "main, eu" in said.err


def test_lists_are_paged_and_filtered(cli: CommandLine) -> None:
    for n in range(5):
        cli.ok("order", "add", f"10{n}")
    cli.ok("update", "100", "on_hold")
    first = cli.ok("order", "list", "--limit", "3")
    rest = cli.ok("order", "list", "--limit", "3", "--after", first["next"])
    keys = [o["order_key"] for o in first["orders"] + rest["orders"]]
    assert keys == ["104", "103", "102", "101", "100"]
    assert rest["next"] is None
    held = cli.ok("order", "list", "--state", "on_hold")["orders"]
    assert [o["order_key"] for o in held] == ["100"]
    assert cli.ok("order", "list", "--store", "elsewhere")["orders"] == []
    assert "--after" in cli("order", "list", "--limit", "3").err
    assert cli("order", "list", "--after", "nonsense").code == 2
    assert cli("order", "list", "--state", "lost").code == 2


def test_an_order_is_found_by_each_of_its_names(cli: CommandLine) -> None:
    made = cli.ok("order", "add", "1001", "--number", "#A-7")
    cli.ok("update", "1001", "shipped", "--tracking-number", "1Z999")
    for name in (made["order_id"], "1001", "#A-7", "1Z999"):
        assert cli.ok("order", "show", name)["order_id"] == made["order_id"]
        (found,) = cli.ok("order", "find", name)["orders"]
        assert found["order_id"] == made["order_id"]


def test_finding_nothing_ends_with_not_found_and_an_empty_list(cli: CommandLine) -> None:
    said = cli("order", "find", "nothing", "--json")
    assert (said.code, said.json) == (3, {"orders": []})
    assert cli("order", "show", "nothing").code == 3
    assert cli("order", "history", "nothing").code == 3


def test_a_key_in_two_stores_needs_the_store(cli: CommandLine) -> None:
    cli.ok("store", "add", "eu")
    ids = {s: cli.ok("order", "add", "1001", "--store", s)["order_id"] for s in ("main", "eu")}
    said = cli("order", "show", "1001")
    assert said.code == 1
    assert all(i in said.err for i in ids.values())
    assert cli.ok("order", "show", "1001", "--store", "eu")["order_id"] == ids["eu"]


def test_an_update_is_applied_once_and_then_a_duplicate(cli: CommandLine) -> None:
    cli.ok("order", "add", "1001")
    words = ("update", "1001", "shipped", "--carrier", "UPS", "--tracking-number", "1Z9")
    applied = cli.ok(*words)
    assert (applied["verdict"], applied["state"], applied["sequence"]) == ("applied", "shipped", 2)
    duplicate = cli.ok(*words)
    assert (duplicate["verdict"], duplicate["sequence"]) == ("duplicate", 2)
    (parcel,) = cli.ok("order", "show", "1001")["parcels"]
    assert (parcel["carrier"], parcel["tracking_number"]) == ("UPS", "1Z9")


def test_an_illegal_update_ends_with_4_and_the_states_that_are_allowed(cli: CommandLine) -> None:
    cli.ok("order", "add", "1001")
    cli.ok("update", "1001", "shipped")
    said = cli("update", "1001", "picking", "--json")
    assert said.code == 4
    assert said.json["verdict"] == "illegal"
    assert said.json["allowed"] == list(allowed_next(State.SHIPPED))
    shown = cli("update", "1001", "picking")
    assert shown.code == 4
    assert "in_transit" in shown.out


def test_a_stale_update_ends_with_1_and_is_kept(cli: CommandLine) -> None:
    cli.ok("order", "add", "1001", "--ordered-at", "2026-01-01T00:00:00Z")
    cli.ok("update", "1001", "shipped", "--at", "2026-01-03T00:00:00Z")
    said = cli("update", "1001", "in_transit", "--at", "2026-01-02T00:00:00Z", "--json")
    assert said.code == 1
    assert said.json["verdict"] == "stale"
    (kept,) = cli.ok("quarantine", "list")["updates"]
    assert kept["verdict"] == "stale"
    assert kept["update"]["state"] == "in_transit"
    assert kept["occurred_at"] == "2026-01-02T00:00:00Z"
    assert cli.ok("quarantine", "list", "--verdict", "illegal")["updates"] == []
    assert "stale" in cli("quarantine", "list").out


def test_an_update_for_an_order_to_come_is_kept_and_applies_itself(cli: CommandLine) -> None:
    said = cli("update", "1001", "on_hold", "--store", "main", "--json")
    assert said.code == 3
    assert said.json["verdict"] == "orphan"
    cli.ok("order", "add", "1001")
    assert cli.ok("order", "show", "1001")["state"] == "on_hold"
    assert cli.ok("quarantine", "list")["updates"] == []


def test_an_update_without_a_store_for_no_order_is_not_found(cli: CommandLine) -> None:
    said = cli("update", "1001", "on_hold")
    assert said.code == 3
    assert cli.ok("quarantine", "list")["updates"] == []


def test_a_correction_needs_its_note_and_is_marked_in_the_history(cli: CommandLine) -> None:
    cli.ok("order", "add", "1001")
    cli.ok("update", "1001", "delivered")
    assert cli("update", "1001", "returning").code == 4
    assert cli("update", "1001", "returning", "--correction").code == 2
    words = ("--correction", "--note", "refused at the door", "--raw", "RTS")
    assert cli.ok("update", "1001", "returning", *words)["state"] == "returning"
    last = cli.ok("order", "history", "1001")["events"][-1]
    assert last["correction"] is True
    assert (last["note"], last["raw"]) == ("refused at the door", "RTS")
    history = cli("order", "history", "1001").out
    assert "correction" in history
    assert "refused at the door" in history


def test_facts_alone_are_an_update_and_nothing_at_all_is_none(cli: CommandLine) -> None:
    cli.ok("order", "add", "1001")
    cli.ok("update", "1001", "shipped")
    cli.ok("update", "1001", "--carrier", "DHL", "--parcel", "1")
    assert cli.ok("order", "show", "1001")["parcels"][0]["carrier"] == "DHL"
    assert cli("update", "1001").code == 2


def test_a_reason_goes_with_its_state_only(cli: CommandLine) -> None:
    cli.ok("order", "add", "1001")
    assert cli("update", "1001", "picking", "--reason", "subscription").code == 2
    assert cli.ok("update", "1001", "scheduled", "--reason", "subscription")["reason"] == (
        "subscription"
    )


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01", "1970-01-01T00:00:00Z", "2999-01-01"])
def test_a_time_that_cannot_be_is_a_usage_error(cli: CommandLine, at: str) -> None:
    cli.ok("order", "add", "1001")
    assert cli("update", "1001", "picking", "--at", at).code == 2
    assert cli.ok("order", "show", "1001")["state"] == "created"


def test_times_are_shown_in_the_local_zone_and_in_json_in_utc(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        cli.ok("order", "add", "1001", "--ordered-at", "2026-01-01T00:00:00Z")
        cli.ok("update", "1001", "picking", "--at", "2026-01-02T09:30:00")
        shown = cli("order", "history", "1001").out
        told = cli.ok("order", "history", "1001")["events"][-1]["occurred_at"]
    time.tzset()
    assert "2026-01-02 09:30:00+09:00" in shown
    assert datetime.fromisoformat(told) == datetime(2026, 1, 2, 0, 30, tzinfo=UTC)
    assert told.endswith("Z")


def test_history_is_paged_by_sequence(cli: CommandLine) -> None:
    cli.ok("order", "add", "1001")
    for state in ("verified", "submitted", "picking"):
        cli.ok("update", "1001", state)
    page = cli.ok("order", "history", "1001", "--limit", "2")
    assert ([e["sequence"] for e in page["events"]], page["next"]) == ([1, 2], 2)
    rest = cli.ok("order", "history", "1001", "--after", "2")
    assert ([e["sequence"] for e in rest["events"]], rest["next"]) == ([3, 4], None)
    assert "--after 2" in cli("order", "history", "1001", "--limit", "2").err


def test_what_a_source_wrote_cannot_steer_the_terminal(cli: CommandLine) -> None:
    cli.ok("order", "add", "1001")
    cli.ok("update", "1001", "on_hold", "--note", "\x1b[2J[red]boo[/red]\x07")
    shown = cli("order", "history", "1001").out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]boo[/red]" in shown


def test_a_delivery_is_shown_with_its_attempts_and_its_exact_body(cli: CommandLine) -> None:
    cli.endpoint()
    cli.ok("order", "add", "1001")
    bodies: list[bytes] = []

    def answer(request: Request) -> Reply:
        bodies.append(request.body)
        return Reply(500, body=b"out of \x1b[31mink")

    cli.dispatch(answer)
    (listed,) = cli.ok("delivery", "list", "--order", "1001")["deliveries"]
    name = listed["delivery_id"]
    detail = cli.ok("delivery", "show", name)
    (attempt,) = detail["attempts_made"]
    assert (attempt["status"], attempt["outcome"]) == (500, "server_error")
    assert cli("delivery", "show", name, "--body").out.encode() == bodies[0]
    shown = cli("delivery", "show", name).out
    assert "server_error" in shown
    assert "out of ·[31mink" in shown
    assert cli("delivery", "show", name, "--body", "--json").code == 2


def test_a_settled_delivery_is_sent_again_under_a_new_name(cli: CommandLine) -> None:
    cli.endpoint()
    cli.ok("order", "add", "1001")
    cli.dispatch(lambda _request: Reply(204))
    (listed,) = cli.ok("delivery", "list", "--state", "acknowledged")["deliveries"]
    again = cli.ok("delivery", "resend", listed["delivery_id"])
    assert again["delivery_id"] == listed["delivery_id"] + "-r1"
    assert again["state"] == "pending"
    said = cli("delivery", "resend", listed["delivery_id"])
    assert said.code == 0
    assert again["delivery_id"] in said.out


@pytest.mark.parametrize("name", ["nothing", "ord_x-1-ep_y", "ord_x-1-ep_y-r9", "a-b-c-d-e"])
def test_a_delivery_that_is_not_there_ends_with_not_found(cli: CommandLine, name: str) -> None:
    for command in ("show", "resend"):
        said = cli("delivery", command, name)
        assert said.code == 3
        assert name in said.err


def test_deliveries_are_filtered_by_endpoint_order_and_state(cli: CommandLine) -> None:
    first, second = (cli.endpoint()["endpoint"]["endpoint_id"] for _ in range(2))
    for key in ("1001", "1002"):
        cli.ok("order", "add", key)
    found = cli.ok("delivery", "list", "--endpoint", first, "--order", "1001")["deliveries"]
    assert [d["endpoint_id"] for d in found] == [first]
    assert len(cli.ok("delivery", "list", "--endpoint", second)["deliveries"]) == 2
    assert cli.ok("delivery", "list", "--state", "abandoned")["deliveries"] == []
    assert "No delivery is like that" in cli("delivery", "list", "--state", "abandoned").out
    page = cli.ok("delivery", "list", "--limit", "3")
    assert len(page["deliveries"]) == 3
    assert len(cli.ok("delivery", "list", "--after", page["next"])["deliveries"]) == 1
    assert cli("delivery", "list", "--order", "1009").code == 3
