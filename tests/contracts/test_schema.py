"""Every ShipMonk body fits our schema, and the published one where that lies beside the project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings

from milepost.contracts import ROOMS, sample
from milepost.contracts.contract import Notice
from milepost.contracts.shipmonk.payloads import Options
from milepost.contracts.shipmonk.shapes import OrderDetail
from milepost.contracts.shipmonk.statuses import ORDER_STATUSES, STATUSES
from milepost.orders.lifecycle import EDGES
from milepost.orders.model import Order
from tests.contracts import orders, shapes

ROOM = ROOMS["shipmonk"]
HERE = Path(__file__).parent
OURS = json.loads((HERE / "shipmonk.schema.json").read_text(encoding="utf-8"))
PUBLISHED = HERE.parents[2] / "shared/contracts/shipmonk-openapi-v1.024.json"
BODY = "Fulfillment_IntegrationsBundle_ApiResource_Output_Order_PublicApiOrderDetailOutput"

FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("date", raises=ValueError)
def is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


def schemas() -> Iterator[dict[str, Any]]:
    yield OURS
    if PUBLISHED.exists():
        document = json.loads(PUBLISHED.read_text(encoding="utf-8"))
        yield {**document["components"]["schemas"][BODY], "components": document["components"]}


VALIDATORS = [
    jsonschema.Draft202012Validator(schema, format_checker=FORMATS) for schema in schemas()
]


def check(notice: Notice) -> None:
    body = json.loads(ROOM.body(notice, Options()).content)
    for validator in VALIDATORS:
        validator.validate(body)


def test_our_schema_is_a_schema_and_asks_for_every_property() -> None:
    jsonschema.Draft202012Validator.check_schema(OURS)
    assert OURS["required"] == list(OURS["properties"]) == list(OrderDetail.__struct_fields__)
    assert set(OURS["$defs"]["processing_status"]["enum"]) == set(STATUSES)
    assert set(OURS["$defs"]["order_status"]["enum"]) == set(ORDER_STATUSES)


def test_a_walk_along_every_edge_fits_the_schema() -> None:
    for origin, target in EDGES:
        check(orders.notice(orders.order(target, previous_state=origin)))


def test_a_full_order_and_a_test_notification_fit_the_schema() -> None:
    check(orders.notice(orders.rich_order()))
    told, event = sample(orders.STORE, now=orders.OCCURRED_AT, order_id="tst_1")
    check(Notice(told, event, orders.STORE))


@given(order=shapes.any_order())
@settings(max_examples=60)
def test_an_order_of_any_shape_fits_the_schema(order: Order) -> None:
    check(orders.notice(order))


@pytest.mark.parametrize(
    "change",
    [
        {"order_size": "tiny"},
        {"processing_status": "back-order"},
        {"currency_code": "euro"},
        {"ordered_at": "2026-05-04T08:00:00"},
        {"store": {"id": "17", "name": "Main store"}},
        {"surprise": 1},
    ],
)
def test_our_schema_refuses_what_is_not_published(change: dict[str, Any]) -> None:
    body = json.loads(ROOM.body(orders.notice(orders.rich_order()), Options()).content)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATORS[0].validate({**body, **change})


def test_our_schema_misses_every_property_that_is_not_there() -> None:
    body = msgspec.json.decode(ROOM.body(orders.notice(orders.order()), Options()).content)
    for name in body:
        with pytest.raises(jsonschema.ValidationError, match=f"'{name}' is a required property"):
            VALIDATORS[0].validate({key: value for key, value in body.items() if key != name})
