"""Stores and endpoints: opened, changed, paused, tested, removed; secrets are shown once."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.doors.desk import Desk

WITHINGS: dict[str, Any] = {"contract": "withings", "options": {"customer_id": "12345"}}


def test_a_store_is_opened_renumbered_and_read(desk: Desk) -> None:
    opened = desk.send("PUT", "/v1/stores/paris.fr", {"name": "Paris", "number": 75})
    assert opened.status == 200
    assert opened.json["number"] == 75
    changed = desk.send("PUT", "/v1/stores/paris.fr", {"name": "Paris II", "number": 76})
    assert changed.json["name"] == "Paris II"
    assert desk.get("/v1/stores/paris.fr").json == changed.json
    names = [s["store"] for s in desk.get("/v1/stores").json["stores"]]
    assert sorted(names) == ["berlin", "paris.fr"]


def test_two_stores_cannot_have_one_number(desk: Desk) -> None:
    desk.send("PUT", "/v1/stores/paris", {"number": 7})
    answer = desk.send("PUT", "/v1/stores/rome", {"number": 7})
    assert answer.status == 409
    assert answer.json["type"] == "urn:milepost:problem:already-exists"


@pytest.mark.parametrize(
    ("store", "body", "field"),
    [
        ("a%20b", {}, "store"),
        ("-a", {}, "store"),
        ("a" * 101, {}, "store"),
        ("%C3%BC", {}, "store"),
        ("a", {"number": 0}, "number"),
        ("a", {"number": 2**31}, "number"),
        ("a", {"number": True}, "number"),
        ("a", {"name": ""}, "name"),
        ("a", {"name": "  "}, "name"),
        ("a", {"colour": 1}, "colour"),
    ],
)
def test_a_store_that_cannot_be_is_refused(
    desk: Desk, store: str, body: dict[str, Any], field: str
) -> None:
    answer = desk.send("PUT", f"/v1/stores/{store}", body)
    assert answer.status == 422
    assert answer.json["field"] == field


def test_a_new_endpoint_shows_its_secret_once_and_never_its_credentials(desk: Desk) -> None:
    made = desk.endpoint(
        "shipmonk",
        credentials={"username": "u-hidden", "password": "p-hidden", "signature_secret": "s-hid"},
    )
    secret = made["secret"]
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    endpoint_id = made["endpoint"]["endpoint_id"]
    assert made["endpoint"]["credentials_set"] == ["password", "signature_secret", "username"]
    shown = [
        desk.get(f"/v1/endpoints/{endpoint_id}").body,
        desk.get("/v1/endpoints").body,
        desk.send("PATCH", f"/v1/endpoints/{endpoint_id}", {"description": "x"}).body,
        desk.post(f"/v1/endpoints/{endpoint_id}/pause").body,
        desk.post(f"/v1/endpoints/{endpoint_id}/resume").body,
    ]
    for body in shown:
        assert b"whsec_" not in body
        assert b"hid" not in body


def test_an_endpoint_has_its_contracts_defaults(desk: Desk) -> None:
    endpoint = desk.endpoint(**WITHINGS)["endpoint"]
    rooms = {c["name"]: c for c in desk.get("/v1/contracts").json["contracts"]}
    room = rooms["withings"]
    assert endpoint["schedule"] == room["schedules"][0]["name"]
    assert endpoint["timeout_s"] == room["timeout_s"]
    assert endpoint["stores"] is None
    assert endpoint["statuses"] is None
    assert endpoint["options"]["customer_id"] == "12345"
    assert endpoint["options"]["profile"] == "json"
    assert endpoint["state"] == "active"


def test_contracts_publish_their_statuses_schedules_and_options(desk: Desk) -> None:
    rooms = {c["name"]: c for c in desk.get("/v1/contracts").json["contracts"]}
    assert set(rooms) == {"withings", "shipmonk", "standard"}
    for room in rooms.values():
        assert set(room["sends"]) <= set(room["statuses"])
        assert all(s["source"] for s in room["schedules"])
        assert all(len(s["waits_s"]) == s["attempts"] - 1 for s in room["schedules"])
    options = rooms["withings"]["options"]
    assert "customer_id" in str(options)
    assert "signature_secret" in str(rooms["shipmonk"]["credentials"])


@pytest.mark.parametrize(
    ("given", "field", "expected"),
    [
        ({"contract": "acme"}, "contract", "withings, shipmonk, standard"),
        ({"contract": "withings"}, "options.customer_id", "a value"),
        ({**WITHINGS, "options": {"customer_id": ""}}, "options.customer_id", "1"),
        ({**WITHINGS, "options": {"customer_id": "1", "x": 1}}, "options.x", "no such field"),
        ({**WITHINGS, "options": []}, "options", "object"),
        ({**WITHINGS, "options": {"customer_id": "1", "profile": "xml"}}, "options.profile", "js"),
        ({"credentials": {"username": "u"}}, "credentials.username", "no such field"),
        ({"contract": "shipmonk", "credentials": {"username": "u"}}, "credentials.password", ""),
        ({"url": "ftp://example.com/"}, "url", "http"),
        ({"url": "https://user:pass@example.com/"}, "url", "no user name"),
        ({"url": "https://127.0.0.1/"}, "url", "permits"),
        ({"url": "https://[::1]/"}, "url", "permits"),
        ({"url": "https://169.254.169.254/latest"}, "url", "permits"),
        ({"url": ""}, "url", ""),
        ({"url": "x" * 3_000}, "url", "2048"),
        ({"schedule": "never"}, "schedule", "rehearsal"),
        ({"stores": ["berlin", "paris"]}, "stores[1]", "berlin"),
        ({"stores": []}, "stores", "1"),
        ({"statuses": ["shipped", "gone"]}, "statuses[1]", "shipped"),
        ({**WITHINGS, "statuses": ["CREATED"]}, "statuses[0]", "SHIPPED"),
        ({"timeout_s": 0}, "timeout_s", ">= 1"),
        ({"timeout_s": 1e999}, "", ""),
        ({"concurrency": 257}, "concurrency", "256"),
        ({"lane_policy": "jump"}, "lane_policy", "go_on, hold"),
        ({"secret": "hunter2"}, "secret", "whsec_"),
        ({"secret": "whsec_c2hvcnQ="}, "secret", "24 to 64"),
        ({"colour": "red"}, "colour", "no such field"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_an_endpoint_that_cannot_be_is_refused(
    desk: Desk, given: dict[str, Any], field: str, expected: str
) -> None:
    told = {"contract": "standard", "url": "https://receiver.example/hook", **given}
    if given.get("timeout_s") == 1e999:
        answer = desk.post(
            "/v1/endpoints",
            raw=b'{"contract":"standard","url":"https://receiver.example/","timeout_s":1e999}',
        )
        field = "timeout_s"
    else:
        answer = desk.post("/v1/endpoints", told)
    assert answer.status == 422, answer.body
    assert answer.json["field"] == field
    assert expected in answer.json["expected"]
    assert "hunter2" not in answer.body.decode()
    assert desk.get("/v1/endpoints").json["endpoints"] == []


def test_an_account_has_a_bounded_number_of_endpoints(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milepost.operations.MOST_ENDPOINTS", 2)
    desk.endpoint()
    desk.endpoint()
    told = {"contract": "standard", "url": "https://receiver.example/"}
    assert desk.post("/v1/endpoints", told).status == 422
    assert desk.another().post("/v1/endpoints", told).status == 201


def test_a_url_that_is_refused_has_its_own_type_of_problem(desk: Desk) -> None:
    told = {"contract": "standard", "url": "https://10.0.0.1/"}
    answer = desk.post("/v1/endpoints", told)
    assert answer.json["type"] == "urn:milepost:problem:url-refused"


def test_a_change_changes_what_it_names_and_nothing_else(desk: Desk) -> None:
    before = desk.endpoint(statuses=["shipped"], description="old")["endpoint"]
    target = f"/v1/endpoints/{before['endpoint_id']}"
    desk.clock.forward(seconds=1)
    after = desk.send(
        "PATCH", target, {"statuses": None, "concurrency": 4, "stores": ["berlin", "berlin"]}
    ).json
    assert after == {
        **before,
        "statuses": None,
        "concurrency": 4,
        "stores": ["berlin"],
        "updated_at": "2026-11-23T08:00:01Z",
    }
    assert desk.get(target).json == after


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"contract": "withings"}, "contract"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": None}, "url"),
        ({"statuses": ["gone"]}, "statuses[0]"),
        ({"secrets": ["whsec_x"]}, "secrets"),
        ({"options": {"x": 1}}, "options.x"),
        ({"schedule": "never"}, "schedule"),
        ({"state": "paused"}, "state"),
    ],
)
def test_a_change_that_cannot_be_leaves_the_endpoint_as_it_was(
    desk: Desk, change: dict[str, Any], field: str
) -> None:
    before = desk.endpoint()["endpoint"]
    target = f"/v1/endpoints/{before['endpoint_id']}"
    answer = desk.send("PATCH", target, {"description": "new", **change})
    assert answer.status == 422, answer.body
    assert answer.json["field"] == field
    assert desk.get(target).json == before


def test_a_subscription_lets_only_its_stores_and_statuses_through(sending: Desk) -> None:
    sending.send("PUT", "/v1/stores/paris", {})
    sending.endpoint(stores=["berlin"], statuses=["shipped"])
    for store in ("berlin", "paris"):
        sending.post("/v1/orders", {"store": store, "order_key": "1"})
        told = {"store": store, "order_key": "1", "state": "shipped"}
        assert sending.post("/v1/updates", told).status == 200
    sending.quiet()
    listed = sending.get("/v1/deliveries").json["deliveries"]
    assert [d["status"] for d in listed] == ["shipped"]


def test_a_paused_endpoint_parks_what_comes_and_sends_it_when_resumed(sending: Desk) -> None:
    endpoint_id = sending.endpoint()["endpoint"]["endpoint_id"]
    paused = sending.post(f"/v1/endpoints/{endpoint_id}/pause").json
    assert (paused["state"], paused["state_why"]) == ("paused", "paused by the operator")
    sending.order()
    assert sending.outside.requests == []
    resumed = sending.post(f"/v1/endpoints/{endpoint_id}/resume").json
    assert (resumed["state"], resumed["state_why"]) == ("active", "")
    sending.quiet()
    assert len(sending.outside.requests) == 1


def test_removing_an_endpoint_abandons_what_is_pending_and_keeps_its_history(desk: Desk) -> None:
    endpoint_id = desk.endpoint()["endpoint"]["endpoint_id"]
    desk.order("B-1")
    desk.order("B-2")
    answer = desk.send("DELETE", f"/v1/endpoints/{endpoint_id}")
    assert answer.status == 200
    assert answer.json == {"endpoint_id": endpoint_id, "abandoned": 2}
    assert desk.get(f"/v1/endpoints/{endpoint_id}").status == 404
    assert desk.send("DELETE", f"/v1/endpoints/{endpoint_id}").status == 404
    desk.order("B-3")
    listed = desk.get("/v1/deliveries").json["deliveries"]
    assert [d["state"] for d in listed] == ["abandoned", "abandoned"]


@pytest.mark.parametrize(
    ("contract", "given", "status"),
    [
        ("standard", {}, "shipped"),
        ("withings", {"options": {"customer_id": "12345"}}, "SHIPPED"),
        (
            "shipmonk",
            {"credentials": {"username": "u", "password": "p", "signature_secret": "s"}},
            "awaiting_carrier_processing",
        ),
    ],
)
def test_a_test_notification_arrives_signed_in_the_endpoints_contract(
    sending: Desk, contract: str, given: dict[str, Any], status: str
) -> None:
    made = sending.endpoint(contract, **given)
    answer = sending.post(f"/v1/endpoints/{made['endpoint']['endpoint_id']}/test")
    assert answer.status == 202
    assert answer.json["order_id"].startswith("tst_")
    sending.quiet()
    (request,) = sending.outside.requests
    headers = dict(request.headers)
    assert headers["webhook-id"] == answer.json["delivery_id"]
    assert headers["milepost-order"] == answer.json["order_id"]
    assert ("authorization" in headers) == (contract == "shipmonk")
    shown = sending.get(f"/v1/deliveries/{answer.json['delivery_id']}").json
    assert shown["status"] == status
    assert shown["state"] == "acknowledged"
    assert shown["body"].encode() == request.body
    assert sending.get("/v1/orders").json["orders"] == []


def test_an_account_cannot_open_stores_without_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milepost.operations.MOST_STORES", 2)
    assert desk.send("PUT", "/v1/stores/paris", {}).status == 200
    refused = desk.send("PUT", "/v1/stores/oslo", {})
    assert (refused.status, refused.json["field"]) == (422, "store")
    assert desk.send("PUT", "/v1/stores/paris", {"name": "Paris"}).status == 200
