"""Withings order updates as typed notifications, from JSON and from forms."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from milepost_receiver import (
    BodyMalformed,
    HeaderMalformed,
    Receiver,
    SignatureMissing,
    WithingsNotification,
)
from milepost_receiver.withings import PARCEL_STATUSES, STATUSES
from tests.sdk.senders import SECRET, now, numbered, signed, text, withings_update

FORM = "application/x-www-form-urlencoded"
EVERYTHING = {
    "customer_id": "4711",
    "customer_ref": "REF-1002",
    "parcel_status": "in_transit",
    "carrier": "DHL",
    "carrier_service": "Express",
    "tracking_number": "JD014600",
    "is_replacement": True,
    "original_customer_ref": "REF-1001",
    "order_id": "D123456",
    "original_serial_number": "SN-1",
}


def read(body: bytes, *, content_type: str | None = "application/json") -> WithingsNotification:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return Receiver.withings(accept_unsigned=True).read(headers, body)


def form(body: dict[str, Any]) -> bytes:
    return urlencode(body).encode()


def test_every_field_is_read_from_json() -> None:
    notification = read(text(EVERYTHING))
    for name, value in EVERYTHING.items():
        field = "provider_order_id" if name == "order_id" else name
        assert getattr(notification, field) == value
    assert notification.status is None
    assert notification.known


def test_every_field_is_read_from_a_form() -> None:
    from_form = read(form({**EVERYTHING, "is_replacement": "true"}), content_type=FORM)
    from_json = read(text(EVERYTHING))
    for name in EVERYTHING:
        field = "provider_order_id" if name == "order_id" else name
        assert getattr(from_form, field) == getattr(from_json, field)


@pytest.mark.parametrize(
    ("written", "meant"), [("true", True), ("1", True), ("false", False), ("0", False), ("", None)]
)
def test_a_form_writes_booleans_in_four_ways(written: str, meant: bool | None) -> None:
    body = form(withings_update(is_replacement=written))
    assert read(body, content_type=FORM).is_replacement is meant


@pytest.mark.parametrize("written", ["yes", "True", "2", "null"])
def test_another_way_to_write_a_boolean_is_refused(written: str) -> None:
    with pytest.raises(BodyMalformed) as caught:
        read(form(withings_update(is_replacement=written)), content_type=FORM)
    assert caught.value.at == "is_replacement"


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_each_published_status_is_known(status: str) -> None:
    notification = read(text(withings_update(status=status)))
    assert (notification.status, notification.known) == (status, True)


@pytest.mark.parametrize("status", sorted(PARCEL_STATUSES))
def test_each_published_parcel_status_is_known(status: str) -> None:
    notification = read(text({**EVERYTHING, "parcel_status": status}))
    assert (notification.parcel_status, notification.known) == (status, True)


@pytest.mark.parametrize("status", ["shipped", "SHIPPED ", "ADDRESS_ERROR", "LOST"])
def test_an_unknown_status_is_kept_as_it_came(status: str) -> None:
    notification = read(text(withings_update(status=status)))
    assert (notification.status, notification.known) == (status, False)


def test_a_no_break_space_in_a_status_is_a_space() -> None:
    notification = read(text(withings_update(status="ADDRESS\N{NO-BREAK SPACE}ERROR")))
    assert (notification.status, notification.known) == ("ADDRESS ERROR", True)


def test_one_unknown_status_beside_a_known_one_is_said_to_be_unknown() -> None:
    assert not read(text(withings_update(parcel_status="lost"))).known
    assert not read(text(withings_update(status="LOST", parcel_status="pending"))).known


def test_an_update_without_any_status_is_not_known() -> None:
    notification = read(text({"customer_id": "1", "customer_ref": "2"}))
    assert (notification.status, notification.parcel_status) == (None, None)
    assert notification.is_replacement is None
    assert not notification.known


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "a/b+json"],
)
def test_json_is_read_by_its_content_type_and_without_one(content_type: str | None) -> None:
    body = text(withings_update())
    assert read(body, content_type=content_type).customer_ref == "REF-1001"


def test_a_form_is_read_by_its_content_type_with_its_charset() -> None:
    body = form(withings_update(carrier="Česká pošta", status="ADDRESS ERROR", is_replacement=0))
    notification = read(body, content_type=f"{FORM}; charset=UTF-8")
    assert (notification.carrier, notification.status) == ("Česká pošta", "ADDRESS ERROR")


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "json"])
def test_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(HeaderMalformed) as caught:
        read(text(withings_update()), content_type=content_type)
    assert caught.value.at == "content-type"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"customer_id",
        b"customer_id=1",
        b"customer_id=1&customer_ref=2&customer_ref=3",
        b"customer_id=1&customer_ref=%ff",
        b"customer_id=1&customer_ref=\xff",
        b"customer_id=1&customer_ref=2&" + b"&".join(b"x%d=1" % n for n in range(200)),
    ],
)
def test_a_form_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(BodyMalformed):
        read(body, content_type=FORM)


@pytest.mark.parametrize("missing", ["customer_id", "customer_ref"])
@pytest.mark.parametrize("value", [None, "", 5, [], {}])
def test_the_two_identifiers_have_to_be_text(missing: str, value: object) -> None:
    with pytest.raises(BodyMalformed) as caught:
        read(text(withings_update(**{missing: value})))
    assert caught.value.at == missing


def test_what_milepost_sends_is_verified_and_numbered() -> None:
    body = text(withings_update())
    receiver = Receiver.withings(secrets=[SECRET], now=now)
    notification = receiver.read({**signed(body), **numbered()}, body)
    assert (notification.sequence, notification.previous) == (7, 6)
    with pytest.raises(SignatureMissing):
        receiver.read(numbered(), body)


def test_the_providers_order_id_is_not_taken_for_ours() -> None:
    body = text(withings_update(order_id="D123456"))
    receiver = Receiver.withings(secrets=[SECRET], now=now)
    notification = receiver.read({**signed(body), **numbered()}, body)
    assert notification.provider_order_id == "D123456"
    assert notification.order_id == numbered()["milepost-order"]
