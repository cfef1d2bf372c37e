"""docs/api.md: every command on the page runs, in order, and answers what the page shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from string import Template
from typing import Any

import msgspec

from milepost.api.app import BODY_WITHIN_S, ROUTES
from milepost.api.problems import KINDS, title_of
from milepost.delivery.model import ENDPOINT_TEST
from milepost.lookups import REMEMBERED_S
from milepost.settings import Settings
from tests.doors.desk import Answer, Desk

PAGE = (Path(__file__).resolve().parents[2] / "docs/api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```\n\n```json\n(.*?)```", PAGE, re.DOTALL)
ANY = "…"
KEPT = {
    "order_id": "ORDER",
    "endpoint_id": "ENDPOINT",
    "delivery_id": "DELIVERY",
    "client_id": "CLIENT",
    "next": "NEXT",
    "resend_id": "RESEND",
}


def run(desk: Desk, command: str, variables: dict[str, str]) -> Answer:
    """What a curl command on the page would be answered."""
    words = shlex.split(Template(command.replace("\\\n", " ")).substitute(variables))
    assert words.pop(0) == "curl"
    method, headers, body, target = "", {}, None, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0).encode()
        else:
            assert word.startswith("http://hub"), word
            target = word.removeprefix("http://hub")
    assert "authorization" in headers or target == "/readyz"
    assert (body is None) == ("content-type" not in headers)
    method = method or ("GET" if body is None else "POST")
    return desk.send(method, target, raw=body, headers=headers, key="")


def assert_shown(shown: Any, got: Any) -> None:
    """The page may leave fields out, and write … for what is different each time."""
    if shown == ANY:
        assert got
    elif isinstance(shown, dict):
        for name, value in shown.items():
            assert_shown(value, got[name])
    elif isinstance(shown, list):
        assert len(shown) == len(got)
        for one, other in zip(shown, got, strict=True):
            assert_shown(one, other)
    else:
        assert shown == got


def ids_in(told: Any) -> dict[str, str]:
    """The ids that later commands on the page name."""
    found: dict[str, str] = {}
    if isinstance(told, dict):
        for name, value in told.items():
            # A test notification names an order that is nowhere else.
            if name in KEPT and isinstance(value, str) and not value.startswith(ENDPOINT_TEST):
                found[KEPT[name]] = value
            found |= ids_in(value)
    elif isinstance(told, list):
        for one in reversed(told):
            found |= ids_in(one)
    return found


def test_every_command_on_the_page_answers_what_the_page_shows(desk: Desk) -> None:
    fences = re.findall(r"^```(\w*)$", PAGE, re.MULTILINE)
    assert len(EXAMPLES) == fences.count("sh") == fences.count("json") > 20
    fresh = desk.another("reader")
    fresh.run(_forget_store(fresh))
    variables = {"MILEPOST": "http://hub", "KEY": fresh.key}
    for command, shown in EXAMPLES:
        fresh.clock.forward(seconds=1)
        answer = run(fresh, command, variables)
        assert_shown(msgspec.json.decode(shown), answer.json)
        variables = {**variables, **ids_in(answer.json)}


async def _forget_store(desk: Desk) -> None:
    """Gives the reader an account without stores, as a fresh one is."""
    account = await desk.hub.operations.add_account("fresh")
    desk.account_id = account.account_id
    desk.key = (await desk.hub.operations.add_key(account.account_id, name="reader")).text


def test_the_page_lists_every_route() -> None:
    listed = re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted((r.method, r.path, r.summary) for r in ROUTES)


def test_the_page_lists_every_problem() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| (.+) \|$", PAGE, re.MULTILINE)
    known = [(k.name, str(int(k.status)), title_of(k)) for k in KINDS.values()]
    verdicts = {"applied", "duplicate", "stale", "orphan", "illegal"}
    assert sorted(row for row in listed if row[0] not in verdicts) == sorted(known)


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    settings = Settings()
    assert (settings.max_order_bytes, settings.max_body_bytes) == (256 * 1024, 8 * 1024 * 1024)
    assert settings.max_batch == 1_000
    assert f"{BODY_WITHIN_S:g} s" in PAGE
    assert f"{REMEMBERED_S:g} seconds more at most" in PAGE
