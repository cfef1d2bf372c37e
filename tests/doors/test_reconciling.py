"""Comparing with a provider over HTTP: begun, gone on with, read page by page, and stopped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest

from milepost.contracts.comparison import Theirs
from milepost.ports.receiving import Source
from milepost.ports.reconciling import Asked, Listed
from tests.doors.desk import START, Desk

PATH = "/v1/sources/theirs/reconcile"


class Picking:
    """A provider that is picking every order."""

    at_once = 50
    lists = False

    async def named(self, asked: Sequence[Asked]) -> Sequence[Theirs]:
        return [Theirs(one.order_key, {"status": "PROCESSING"}) for one in asked]

    async def listed(self, *, since: datetime, until: datetime, page: int) -> Listed:
        return Listed((), more=False)


@pytest.fixture
def provided(desk: Desk) -> Desk:
    """A desk with a source whose provider is asked, and three orders."""
    access = {"client_id": "app", "client_secret": "never-shown", "quiet_h": 0}
    source = Source(
        account_id=desk.account_id,
        source="theirs",
        kind="withings",
        digest="0" * 64,
        store="berlin",
        stores={},
        networks=(),
        precedence=0,
        trusted=False,
        options=b"{}",
        credentials=b"{}",
        read_access=msgspec.json.encode(access),
        created_at=START,
        updated_at=START,
    )
    desk.run(desk.hub.store.put_source(source))
    desk.hub.comparisons.runs._provider_of = lambda _access: Picking()
    for number in range(3):
        desk.order(f"B-{number}")
        desk.update(f"B-{number}", state="verified")
    desk.clock.forward(seconds=10)
    return desk


def whole(desk: Desk, name: str) -> None:
    """Lets a run come to its end."""
    runs = desk.hub.comparisons.runs
    desk.run(runs.run(desk.run(runs.find(desk.account_id, name))))


def begin(desk: Desk, told: dict[str, Any]) -> str:
    answer = desk.post(PATH, told)
    assert answer.status == 202, answer.body
    assert answer.json["state"] == "running"
    name: str = answer.json["reconciliation_id"]
    return name


def test_a_comparison_is_begun_and_its_differences_are_read_page_by_page(provided: Desk) -> None:
    name = begin(provided, {})
    whole(provided, name)
    first = provided.get(f"/v1/reconciliations/{name}?limit=2")
    run = first.json["reconciliation"]
    assert (run["state"], run["asked"], run["differences"], run["applied"]) == ("done", 3, 3, 3)
    assert run["choice"]["what"] == "open"
    rest = provided.get(f"/v1/reconciliations/{name}?limit=2&after={first.json['next']}")
    told = [*first.json["differences"], *rest.json["differences"]]
    assert [(one["order_key"], one["verdict"]) for one in told] == [
        (f"B-{number}", "applied") for number in range(3)
    ]
    assert (told[0]["kind"], told[0]["ours"], told[0]["theirs"]) == (
        "state",
        "VERIFIED",
        "PROCESSING",
    )
    assert rest.json["next"] is None
    assert b"never-shown" not in first.body
    listed = provided.get("/v1/reconciliations?source=theirs").json["reconciliations"]
    assert [one["reconciliation_id"] for one in listed] == [name]
    assert provided.get("/v1/reconciliations?source=others").json["reconciliations"] == []


def test_what_is_compared_is_chosen(provided: Desk) -> None:
    order_id = provided.order("B-1")
    for told, what, asked in (
        ({"all": True}, "all", 3),
        ({"changed_since": "2026-11-23T07:00:00Z"}, "changed", 3),
        ({"order_id": order_id}, "order", 1),
    ):
        name = begin(provided, {**told, "dry_run": True})
        whole(provided, name)
        run = provided.get(f"/v1/reconciliations/{name}").json["reconciliation"]
        assert (run["choice"]["what"], run["asked"], run["applied"]) == (what, asked, 0)
        assert run["dry_run"] is True


def test_another_choice_waits_until_the_first_has_ended(provided: Desk) -> None:
    name = begin(provided, {})
    assert begin(provided, {}) == name
    refused = provided.post(PATH, {"all": True})
    assert refused.status == 409
    assert refused.json["type"] == "urn:milepost:problem:reconciliation-runs"
    stopped = provided.post(f"/v1/reconciliations/{name}/stop")
    assert (stopped.status, stopped.json["state"]) == (200, "stopped")
    assert begin(provided, {"all": True}) != name


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"all": True, "order_id": "x"}, 422),
        ({"every": True}, 422),
        ({"changed_since": "yesterday"}, 422),
        ({"order_id": "ord_00000000000000000000000000"}, 404),
    ],
)
def test_what_cannot_be_compared_is_refused(
    provided: Desk, told: dict[str, Any], status: int
) -> None:
    assert provided.post(PATH, told).status == status


def test_a_source_that_cannot_be_asked_is_refused(provided: Desk) -> None:
    (source,) = provided.run(provided.hub.store.sources(provided.account_id))
    blind = msgspec.structs.replace(source, read_access=b"{}")
    provided.run(provided.hub.store.put_source(blind))
    refused = provided.post(PATH, {})
    assert refused.status == 422
    assert "read_access" in refused.json["detail"]
    assert provided.post("/v1/sources/nobody/reconcile", {}).status == 404
