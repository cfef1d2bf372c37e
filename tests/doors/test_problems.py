"""Every refusal is a problem document, and nothing of the inside leaves with it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import structlog

import milepost.errors
from milepost.api.app import ROUTES
from milepost.api.problems import KINDS, TYPE_PREFIX, kind_of
from milepost.errors import MilepostError, SettingInvalid, Stopping, StoreError
from tests.doors.desk import Desk

GUARDS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def failing(error: Exception) -> Any:
    """A method that fails."""

    async def fail(*_args: object, **_given: object) -> None:
        raise error

    return fail


def test_every_error_of_ours_has_a_status_and_kinds_have_names_of_their_own() -> None:
    errors = [
        cls
        for _, cls in inspect.getmembers(milepost.errors, inspect.isclass)
        if issubclass(cls, MilepostError)
    ]
    assert all(400 <= kind_of(cls).status <= 599 for cls in errors)
    assert kind_of(SettingInvalid).name == "unexpected"
    names = [kind.name for kind in KINDS.values()]
    assert len(names) == len(set(names))


def test_a_problem_document_has_the_members_of_rfc_9457(desk: Desk) -> None:
    answer = desk.get("/v1/orders/ord_nothing")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json == {
        "type": TYPE_PREFIX + "unknown-record",
        "title": "There is no such record in this account.",
        "status": answer.status,
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize("target", ["/v1/orders", "/v1/orders/x", "/nowhere", "/livez"])
def test_every_answer_is_guarded_and_has_an_id(desk: Desk, target: str) -> None:
    answer = desk.get(target)
    assert GUARDS.items() <= dict(answer.headers).items()
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-request-id"]


def test_a_request_id_is_echoed_when_it_is_plain_and_made_when_not(desk: Desk) -> None:
    kept = desk.get("/v1/orders", headers={"x-request-id": "my-id_1.2"})
    assert kept.headers["x-request-id"] == "my-id_1.2"
    made = {
        desk.get("/v1/orders", headers={"x-request-id": odd}).headers["x-request-id"]
        for odd in ("", "a b", "x" * 65, "\x1b[31m", "é")
    }
    assert len(made) == 5
    assert all(len(one) < 30 and one.isascii() for one in made)


def test_a_path_that_is_not_there_is_not_found(desk: Desk) -> None:
    for target in ("/v1", "/docs", "/redoc", "/v1/orders/"):
        answer = desk.get(target)
        assert answer.status == 404
        assert answer.json["type"] == TYPE_PREFIX + "no-such-path"


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.name)
def test_another_method_is_refused_with_those_that_there_are(desk: Desk, route: Any) -> None:
    answer = desk.send("TRACE", route.path.replace("{", "").replace("}", ""))
    assert answer.status == 405
    methods = set(answer.headers["allow"].split(", "))
    assert methods - {"HEAD"} == {r.method for r in ROUTES if r.path == route.path} | (
        {"GET"} if route.path == "/v1/orders/{order_id}" else set()
    )


def test_head_answers_like_get(desk: Desk) -> None:
    got, asked = desk.get("/v1/orders"), desk.send("HEAD", "/v1/orders")
    assert asked.status == 200
    assert asked.headers["content-type"] == got.headers["content-type"]


def test_what_goes_wrong_inside_stays_inside_and_in_the_log(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = RuntimeError("the password is hunter2")
    monkeypatch.setattr(desk.hub.insights, "order", failing(hidden))
    with structlog.testing.capture_logs() as logs:
        answer = desk.get("/v1/orders/ord_1")
    assert answer.status == 500
    assert answer.json == {
        "type": TYPE_PREFIX + "unexpected",
        "title": answer.json["title"],
        "status": 500,
        "request_id": answer.headers["x-request-id"],
    }
    assert b"hunter2" not in answer.body
    assert b"Traceback" not in answer.body
    (entry,) = logs
    assert entry["exc_info"] is hidden
    assert entry["request_id"] == answer.headers["x-request-id"]


def test_a_store_that_fails_is_told_of_without_its_details(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.hub.store, "keys", failing(StoreError("disk /dev/secret is full")))
    with structlog.testing.capture_logs() as logs:
        answer = desk.get("/readyz")
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert b"secret" not in answer.body
    assert len(logs) == 1
    assert desk.get("/livez").status == 200


def test_a_hub_that_stops_takes_nothing_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.hub.intake, "orders", failing(Stopping()))
    answer = desk.post("/v1/orders", {"store": "berlin", "order_key": "1"})
    assert answer.status == 503
    assert answer.json["type"] == TYPE_PREFIX + "stopping"
    assert answer.headers["retry-after"] == "1"
