"""ShipMonk's order status change, and its siblings, as typed notifications."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from milepost_receiver import (
    BodyMalformed,
    Receiver,
    ShipMonkNotification,
    ShipMonkOther,
    ShipMonkPackage,
)
from milepost_receiver.shipmonk import ORDER_STATUSES, PROCESSING_STATUSES
from tests.sdk.senders import shipmonk_order, text

AUTHORIZATION = {"authorization": "Basic aHViOnNlY3JldA=="}
RECEIVER = Receiver.shipmonk(basic=[("hub", "secret")])


def read(body: Any) -> ShipMonkNotification:
    notification = RECEIVER.read(AUTHORIZATION, body if isinstance(body, bytes) else text(body))
    assert isinstance(notification, ShipMonkNotification)
    return notification


def read_other(body: Any) -> ShipMonkOther:
    notification = RECEIVER.read(AUTHORIZATION, text(body))
    assert isinstance(notification, ShipMonkOther)
    return notification


def test_the_facts_of_the_order_and_of_its_shipment_are_read() -> None:
    notification = read(shipmonk_order())
    assert notification.order_key == "agabc123"
    assert notification.order_number == "1001"
    assert (notification.store_id, notification.store_name) == (77, "Main shop")
    assert (notification.processing_status, notification.order_status) == ("en_route", "fulfilled")
    assert (notification.carrier, notification.carrier_service) == ("UPS", "Ground")
    assert notification.master_tracking_number == "1ZMASTER"
    assert notification.tracking_url == "https://track.example/1ZMASTER"
    assert notification.packages == (
        ShipMonkPackage(number=1, tracking_number="1ZA", tracking_url="https://track.example/1ZA"),
        ShipMonkPackage(number=2, tracking_number="1ZB", tracking_url=None),
        ShipMonkPackage(number=3, tracking_number=None, tracking_url=None),
    )
    assert notification.ordered_at == datetime(2026, 1, 3, 10, tzinfo=UTC)
    assert notification.shipped_at == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert notification.updated_at is None
    assert notification.known


def test_tracking_numbers_are_those_of_the_packages_and_else_the_masters() -> None:
    assert read(shipmonk_order()).tracking_numbers == ("1ZA", "1ZB")
    assert read(shipmonk_order(packages=[])).tracking_numbers == ("1ZMASTER",)
    nothing = read(shipmonk_order(packages=[], master_tracking_number=None))
    assert nothing.tracking_numbers == ()


def test_the_least_that_an_order_needs_is_its_key_and_its_status() -> None:
    notification = read({"order_key": "a", "processing_status": "packed"})
    assert notification.order_number is None
    assert notification.store_id is None
    assert notification.carrier is None
    assert notification.packages == ()
    assert notification.known


@pytest.mark.parametrize("status", sorted(PROCESSING_STATUSES))
def test_each_published_processing_status_is_known(status: str) -> None:
    notification = read(shipmonk_order(processing_status=status))
    assert (notification.processing_status, notification.known) == (status, True)


@pytest.mark.parametrize("status", sorted(ORDER_STATUSES))
def test_each_published_order_status_is_known(status: str) -> None:
    assert read(shipmonk_order(order_status=status)).known


def test_both_spellings_of_a_backorder_are_one() -> None:
    for written in ("backorder", "back-order"):
        notification = read(shipmonk_order(processing_status=written))
        assert (notification.processing_status, notification.known) == ("backorder", True)


def test_an_unknown_status_is_kept_as_it_came() -> None:
    notification = read(shipmonk_order(processing_status="in_orbit"))
    assert (notification.processing_status, notification.known) == ("in_orbit", False)
    notification = read(shipmonk_order(order_status="onhold"))
    assert (notification.order_status, notification.known) == ("onhold", False)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-05T09:00:00+01:00", datetime(2026, 1, 5, 8, tzinfo=UTC)),
        ("2026-01-05T08:00:00Z", datetime(2026, 1, 5, 8, tzinfo=UTC)),
        (
            {"date": "2026-07-05 10:00:00.000000", "timezone": "Europe/Prague"},
            datetime(2026, 7, 5, 8, tzinfo=UTC),
        ),
        (
            {"date": "2026-01-05 08:00:00.000000", "timezone": "UTC", "timezone_type": 3},
            datetime(2026, 1, 5, 8, tzinfo=UTC),
        ),
        (
            {"date": "2026-01-05 03:00:00.000000", "timezone": "-05:00"},
            datetime(2026, 1, 5, 8, tzinfo=UTC),
        ),
    ],
)
def test_a_date_is_text_or_an_object_with_a_time_zone(written: Any, meant: datetime) -> None:
    assert read(shipmonk_order(shipped_at=written)).shipped_at == meant


@pytest.mark.parametrize(
    "written",
    [
        "yesterday",
        "2026-01-05",
        "2026-01-05T08:00:00",
        "9999-12-31T23:59:59-10:00",
        1_767_600_000,
        [],
        {},
        {"date": "2026-01-05 08:00:00"},
        {"date": "2026-01-05 08:00:00", "timezone": "Europe/Atlantis"},
        {"date": "2026-01-05 08:00:00", "timezone": "Europe"},
        {"date": "2026-01-05 08:00:00", "timezone": "../../etc/localtime"},
        {"date": "2026-01-05 08:00:00", "timezone": "/etc/localtime"},
        {"date": "2026-01-05 08:00:00", "timezone": "+99:99"},
        {"date": "2026-01-05 08:00:00", "timezone": "a" * 5_000},
        {"date": 5, "timezone": 5},
    ],
)
def test_a_date_that_is_none_is_refused_by_name(written: Any) -> None:
    with pytest.raises(BodyMalformed) as caught:
        read(shipmonk_order(shipped_at=written))
    assert caught.value.at == "shipped_at"


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"order_key": None}, "order_key"),
        ({"processing_status": None}, "processing_status"),
        ({"processing_status": ["packed"]}, "processing_status"),
        ({"store": "Main shop"}, "store"),
        ({"store": {"id": "77"}}, "store.id"),
        ({"packages": {}}, "packages"),
        ({"packages": [None]}, "packages"),
        ({"packages": [{"number": 1.5}]}, "packages[0].number"),
        ({"packages": [{}, {"tracking_number": 5}]}, "packages[1].tracking_number"),
        ({"shipment_data": []}, "shipment_data"),
        ({"shipment_data": {"carrier": 1}}, "shipment_data.carrier"),
    ],
)
def test_a_field_that_does_not_fit_is_named(change: dict[str, Any], at: str) -> None:
    with pytest.raises(BodyMalformed) as caught:
        read(shipmonk_order(**change))
    assert caught.value.at == at


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"order_key": "a", "parent_order_key": None, "packages": []}, "shipment"),
        ({"rma": "R1", "return_reason": None, "status": "in_progress"}, "return"),
        ({"asn": "A1", "status": "arrived"}, "receiving"),
    ],
)
def test_sibling_events_are_told_apart_by_their_keys(body: dict[str, Any], kind: str) -> None:
    notification = read_other(body)
    assert (notification.kind, notification.known) == (kind, True)
    assert notification.body == body or notification.body["packages"] == ()


def test_an_event_that_nobody_knows_is_kept_and_said_to_be_unknown() -> None:
    notification = read_other({"rma": "R1"})
    assert (notification.kind, notification.known) == ("unknown", False)
    assert notification.body == {"rma": "R1"}


def test_the_whole_body_is_there_and_cannot_be_changed() -> None:
    body = read(shipmonk_order()).body
    assert json.loads(json.dumps(body)) == shipmonk_order()
    inner: Any = body["store"]
    for name, arguments in {
        "update": ({"id": 1},),
        "__setitem__": ("id", 1),
        "__delitem__": ("id",),
        "setdefault": ("x", 1),
        "pop": ("id",),
        "popitem": (),
        "clear": (),
        "__ior__": ({"x": 1},),
    }.items():
        with pytest.raises(TypeError):
            getattr(inner, name)(*arguments)
    assert isinstance(body["items"], tuple)
    assert body["store"] == {"id": 77, "name": "Main shop"}


def test_lists_inside_lists_cannot_be_changed_either() -> None:
    body = read(shipmonk_order(extra_data=[[1, [2, {"a": [3]}]], []])).body
    assert body["extra_data"] == ((1, (2, {"a": (3,)})), ())


def test_a_notification_is_hashable_and_can_be_copied_and_pickled() -> None:
    notification = read(shipmonk_order())
    for again in (pickle.loads(pickle.dumps(notification)), copy.deepcopy(notification)):
        assert again == notification
        assert hash(again) == hash(notification)
        assert type(again.body) is type(notification.body)


def test_personal_data_in_the_body_stays_out_of_the_repr() -> None:
    shown = repr(read(shipmonk_order()))
    assert "agabc123" in shown
    for personal in ("Ada", "Mill Lane", "ada@example.com"):
        assert personal not in shown
