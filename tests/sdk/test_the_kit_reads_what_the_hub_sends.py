"""The hub's own contract rooms make a notification, and the kit verifies and reads it."""

from __future__ import annotations

import pytest

from milepost.contracts import ROOMS
from milepost.orders.lifecycle import State
from milepost_receiver import (
    Notification,
    Receiver,
    ShipMonkNotification,
    StandardNotification,
    WithingsNotification,
)
from milepost_receiver.shipmonk import PROCESSING_STATUSES
from milepost_receiver.standard import STATES
from milepost_receiver.withings import PARCEL_STATUSES, STATUSES
from tests.sdk.rooms import CREDENTIALS, sent
from tests.sdk.senders import ENDPOINT_ID, SECRET, delivery_id, now

ORDER_ID = "tst_01jgw3v0c8c7k5m8r2x4n6p9qa"


def check_delivery(notification: Notification, *, body: bytes, replay: int | None) -> None:
    assert notification.delivery_id is not None
    assert notification.delivery_id.startswith(f"{ORDER_ID}-1-{ENDPOINT_ID}")
    assert notification.order_id == ORDER_ID
    assert (notification.sequence, notification.previous) == (1, 0)
    assert (notification.attempt, notification.replay) == (3, replay)
    assert notification.received == body
    assert notification.known


@pytest.mark.parametrize("replay", [0, 2])
def test_a_notification_of_the_standard_contract(replay: int) -> None:
    headers, body = sent("standard", replay=replay)
    notification = Receiver.standard(secrets=[SECRET], now=now).read(headers, body)
    assert type(notification) is StandardNotification
    check_delivery(notification, body=body, replay=replay or None)
    assert notification.delivery_id == delivery_id(1, order_id=ORDER_ID, replay=replay)
    assert notification.type == "endpoint.test"
    assert notification.order.state == "shipped"
    assert notification.order.parcels[0].tracking_number is not None
    assert notification.words.keys() == {"withings", "shipmonk"}


@pytest.mark.parametrize("profile", ["json", "form"])
def test_a_notification_of_the_withings_contract(profile: str) -> None:
    options = b'{"customer_id":"4711","order_id":true,"profile":"%s"}' % profile.encode()
    headers, body = sent("withings", options=options)
    notification = Receiver.withings(secrets=[SECRET], now=now).read(headers, body)
    assert type(notification) is WithingsNotification
    check_delivery(notification, body=body, replay=None)
    assert (notification.customer_id, notification.customer_ref) == ("4711", ORDER_ID)
    assert (notification.status, notification.is_replacement) == ("SHIPPED", False)
    assert notification.tracking_number is not None
    assert notification.provider_order_id is not None


@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_notification_of_the_shipmonk_contract(encoding: str) -> None:
    options = b'{"signature_encoding":"%s"}' % encoding.encode()
    headers, body = sent("shipmonk", options=options, credentials=CREDENTIALS)
    receiver = Receiver.shipmonk(
        basic=[("hub", "pass:word")], signature_secrets=["shared"], secrets=[SECRET], now=now
    )
    notification = receiver.read(headers, body)
    assert isinstance(notification, ShipMonkNotification)
    check_delivery(notification, body=body, replay=None)
    assert notification.order_key == ORDER_ID
    assert (notification.store_id, notification.store_name) == (77, "Main shop")
    assert notification.processing_status == "awaiting_carrier_processing"
    assert len(notification.tracking_numbers) == 1


def test_kit_and_hub_know_the_same_words() -> None:
    assert {state.value for state in State} == STATES
    assert set(ROOMS["withings"].statuses) == STATUSES | PARCEL_STATUSES
    assert set(ROOMS["shipmonk"].statuses) == PROCESSING_STATUSES
