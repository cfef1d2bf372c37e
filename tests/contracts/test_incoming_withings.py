"""Withings order updates that come in."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
import pytest

from milepost.contracts import INCOMING
from milepost.contracts.incoming import MessageKind
from milepost.contracts.withings.payloads import BY_PARCEL_STATUS, BY_STATUS
from milepost.errors import InvalidInput, SourceRefused, TooLarge
from milepost.orders.lifecycle import State
from tests.contracts.two_hubs import BORN, SECRET, headers, reader

ROOM = INCOMING["withings"]
NOTICE = {
    "customer_id": "42",
    "customer_ref": "K-1",
    "parcel_status": "in_transit",
    "carrier": "UPS",
    "carrier_service": "Ground",
    "tracking_number": "1Z9",
    "is_replacement": False,
}
UNSIGNED = ROOM.reader(ROOM.credentials(), ROOM.options(), BORN.timestamp)
JSON = {"content-type": "application/json"}


def body(**said: object) -> bytes:
    return msgspec.json.encode({k: v for k, v in {**NOTICE, **said}.items() if v is not None})


def test_a_notice_tells_the_order_its_state_and_its_parcel() -> None:
    message = UNSIGNED(JSON, body())
    assert (message.kind, message.order_key, message.word) == (
        MessageKind.ORDER,
        "K-1",
        "in_transit",
    )
    assert (message.message_id, message.store, message.unmapped) == (None, None, ())
    (update,) = message.updates
    assert update.state is State.IN_TRANSIT
    assert (update.carrier, update.carrier_service) == ("UPS", "Ground")
    assert update.tracking_number == message.tracking_number == "1Z9"
    assert update.raw == "in_transit"
    assert update.occurred_at is None


def test_a_form_says_the_same_as_json() -> None:
    form = urlencode({**NOTICE, "is_replacement": "false"}).encode()
    media = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert UNSIGNED(media, form) == UNSIGNED(JSON, body())


@pytest.mark.parametrize(("word", "state"), BY_STATUS.items())
def test_every_status_is_read(word: str, state: State) -> None:
    (update,) = UNSIGNED(JSON, body(status=word, parcel_status=None)).updates
    assert update.state is state


@pytest.mark.parametrize(("word", "state"), BY_PARCEL_STATUS.items())
def test_every_parcel_status_is_read(word: str, state: State) -> None:
    (update,) = UNSIGNED(JSON, body(parcel_status=word)).updates
    assert update.state is state


@pytest.mark.parametrize(
    ("said", "unmapped"),
    [
        ({"status": "SLEEPING", "parcel_status": None}, "status: SLEEPING"),
        ({"parcel_status": "lost_in_space"}, "parcel_status: lost_in_space"),
        ({"status": "SHIPPED", "parcel_status": "beamed"}, "parcel_status: beamed"),
        ({"status": "OPEN", "parcel_status": "delivered"}, "status: OPEN"),
        ({"parcel_status": None}, "status: "),
        ({"parcel_status": "x" * 900}, "parcel_status: " + "x" * 255),
    ],
)
def test_a_word_that_means_nothing_is_shown_and_nothing_is_guessed(
    said: dict[str, str | None], unmapped: str
) -> None:
    message = UNSIGNED(JSON, body(**said))
    assert message.updates == ()
    assert message.unmapped == (unmapped,)
    assert message.order_key == "K-1"


def test_a_number_counts_only_where_a_signature_proves_it() -> None:
    content = body()
    proved = headers(content, order_id="ord_1", sequence=7)
    (update,) = reader("withings")(proved, content).updates
    assert update.source_sequence == 7
    claimed = {name: value for name, value in proved.items() if name != "webhook-signature"}
    message = UNSIGNED(claimed, content)
    assert message.updates[0].source_sequence is None
    assert message.message_id == "ord_1-7-ep_1"


def test_with_secrets_nothing_unsigned_or_changed_is_taken() -> None:
    read, content = reader("withings"), body()
    proved = headers(content, order_id="ord_1", sequence=7)
    for given, sent in (
        (JSON, content),
        (proved, content.replace(b"in_transit", b"delivered")),
        ({**proved, "webhook-timestamp": "1"}, content),
        ({**proved, "webhook-id": "ord_1-8-ep_1"}, content),
    ):
        with pytest.raises(SourceRefused) as refused:
            read(given, sent)
        assert SECRET[6:] not in str(refused.value)
    with pytest.raises(InvalidInput):
        read({**proved, "milepost-sequence": "8"}, content)


def test_several_secrets_may_be_in_use_while_one_replaces_another() -> None:
    other = "whsec_" + "A" * 32
    read = reader("withings", secrets=[other, SECRET])
    content = body()
    assert read(headers(content, order_id="ord_1", sequence=1), content).updates


@pytest.mark.parametrize(
    ("media", "content"),
    [
        ("application/json", b"[]"),
        ("application/json", b"{"),
        ("application/json", b'{"customer_ref":"K-1"}'),
        ("application/json", b'{"a":' + b"[" * 70 + b"]" * 70 + b"}"),
        ("application/json", b'{"customer_id":"42","customer_ref":"K\\u0000","status":"OPEN"}'),
        ("application/json", body(customer_ref="K" * 256)),
        ("application/json", body(tracking_number="9" * 256)),
        ("application/x-www-form-urlencoded", b"customer_id=4&customer_ref=a%00b&status=OPEN"),
        ("application/x-www-form-urlencoded", b"a=1&a=2"),
        ("text/plain", b"hello"),
        ("application/xml", b"<a/>"),
    ],
)
def test_what_cannot_be_read_is_invalid_input(media: str, content: bytes) -> None:
    with pytest.raises(InvalidInput):
        UNSIGNED({"content-type": media}, content)


def test_what_is_too_large_is_said_to_be() -> None:
    with pytest.raises(TooLarge):
        UNSIGNED(JSON, b" " * (1024 * 1024 + 1))


def test_a_secret_that_is_none_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidInput) as refused:
        reader("withings", secrets=["tell nobody"])
    assert refused.value.field == "credentials.secrets"
    assert "tell nobody" not in str(refused.value)
    assert "tell" not in repr(ROOM.credentials(secrets=("tell nobody",)))
