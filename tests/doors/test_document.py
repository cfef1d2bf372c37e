"""The published document is valid, whole, and says what the code does."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from milepost.api.app import ROUTES
from milepost.api.examples import ANSWERS, REQUESTS
from milepost.api.problems import KINDS, TYPE_PREFIX
from milepost.api.webhooks import SHAPES, example_body
from milepost.contracts import ROOMS, Notice, sample
from milepost.orders.lifecycle import CARRIER, State
from milepost.orders.model import Store
from tests.doors.desk import START, Desk, validator

BY_NAME = {route.name: route for route in ROUTES}


@pytest.fixture
def document(desk: Desk) -> dict[str, Any]:
    answer = desk.get("/openapi.json")
    assert answer.status == 200
    found: dict[str, Any] = answer.json
    return found


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_route_is_published_once_under_its_own_name(document: dict[str, Any]) -> None:
    published = {
        (method.upper(), path): operation["operationId"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert published == {(r.method, r.path): r.name for r in ROUTES}
    assert len(set(published.values())) == len(ROUTES)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref":"#/([^"]+)"', msgspec.json.encode(document).decode()):
        found: Any = document
        for step in reference.split("/"):
            found = found[step]
        assert found


def test_every_route_but_the_public_ones_asks_for_a_key(document: dict[str, Any]) -> None:
    assert document["security"] == [{"key": []}]
    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        assert ("401" in operation["responses"]) != route.public
        assert (operation.get("security") == []) == route.public


def test_every_kind_of_problem_is_published_where_it_can_happen(document: dict[str, Any]) -> None:
    text = msgspec.json.encode(document["components"]["responses"]).decode()
    named = set(re.findall(re.escape(TYPE_PREFIX) + r"([a-z-]+)", text))
    unrouted = {"no-such-path", "method-not-allowed"}
    assert named == {kind.name for kind in KINDS.values()} - unrouted - {"stopping"}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_request_in_the_examples_is_one_that_the_route_reads(
    document: dict[str, Any], name: str
) -> None:
    route = BY_NAME[name]
    msgspec.json.decode(msgspec.json.encode(REQUESTS[name]), type=route.documented or route.body)
    content = document["paths"][route.path][route.method.lower()]["requestBody"]["content"]
    validator(msgspec.json.encode(content["application/json"]["schema"])).validate(REQUESTS[name])


def test_every_route_that_takes_a_body_has_an_example() -> None:
    assert {r.name for r in ROUTES if r.takes_body} == set(REQUESTS)


@pytest.mark.parametrize(("name", "status"), ANSWERS)
def test_every_answer_in_the_examples_has_the_published_shape(
    document: dict[str, Any], name: str, status: Any
) -> None:
    route = BY_NAME[name]
    msgspec.convert(ANSWERS[name, status], route.answers[status])


def test_notifications_are_published_for_every_contract(document: dict[str, Any]) -> None:
    assert set(document["webhooks"]) == {*ROOMS, "operational"} == set(SHAPES)
    for name, hook in document["webhooks"].items():
        headers = {p["name"] for p in hook["post"]["parameters"]}
        assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= headers
        assert {"milepost-order", "milepost-sequence", "milepost-previous"} <= headers
        assert ("x-sm-signature" in headers) == (name == "shipmonk")
        assert all(p["description"] for p in hook["post"]["parameters"])
        assert all(p["description"] != "Of this contract." for p in hook["post"]["parameters"])


@pytest.mark.parametrize("name", ROOMS)
@pytest.mark.parametrize("state", State)
def test_every_body_that_a_contract_sends_has_the_published_shape(
    document: dict[str, Any], name: str, state: State
) -> None:
    room = ROOMS[name]
    order, event = sample(Store("acc_1", "berlin", 7, "Berlin", START), now=START, order_id="ord_1")
    parcels = tuple(msgspec.structs.replace(p, state=state) for p in order.parcels)
    order = msgspec.structs.replace(
        order, state=state, parcels=parcels if state in CARRIER else (), previous_state=State.PACKED
    )
    event = msgspec.structs.replace(event, state=state)
    notice = Notice(order, event, Store("acc_1", "berlin", 7, "Berlin", START))
    options = msgspec.convert({"customer_id": "1"} if name == "withings" else {}, room.options)
    body = room.body(notice, options)
    content = document["webhooks"][name]["post"]["requestBody"]["content"][body.content_type]
    validator(msgspec.json.encode(content["schema"])).validate(msgspec.json.decode(body.content))


@pytest.mark.parametrize("name", ROOMS)
def test_the_example_of_a_notification_has_the_published_shape(
    document: dict[str, Any], name: str
) -> None:
    content = document["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]
    shown = content["examples"]["shipped"]["value"]
    assert shown == msgspec.json.decode(example_body(ROOMS[name], rooms=ROOMS).content)
    validator(msgspec.json.encode(content["schema"])).validate(shown)


def test_the_example_of_an_operational_event_has_the_published_shape(
    document: dict[str, Any],
) -> None:
    hook = document["webhooks"]["operational"]["post"]
    content = hook["requestBody"]["content"]["application/json"]
    shown = content["examples"]["paused"]["value"]
    assert shown["type"] == "endpoint.paused"
    validator(msgspec.json.encode(content["schema"])).validate(shown)


def test_pages_that_load_from_another_host_are_off(desk: Desk, document: dict[str, Any]) -> None:
    for target in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert desk.get(target).status == 404
    assert "http://" not in msgspec.json.encode(document).decode().replace("^https?://", "")
