"""Headers in whatever collection they come, bodies of whatever size, settings of whatever kind."""

from __future__ import annotations

import email.message
from collections.abc import Iterator
from typing import Any

import pytest

from milepost_receiver import (
    BodyMalformed,
    BodyTooLarge,
    ConfigurationInvalid,
    HeaderMalformed,
    Receiver,
    ReceiverError,
    SignatureMissing,
)
from tests.sdk.senders import SECRET, delivery_id, envelope, now, numbered, signed, text

BODY = text(envelope())
HEADERS = {**signed(BODY), **numbered()}
RECEIVER = Receiver.standard(secrets=[SECRET], now=now)


def message() -> email.message.Message:
    made = email.message.Message()
    for name, value in HEADERS.items():
        made[name.title()] = value
    made["Received"] = "one"
    made["Received"] = "two"
    return made


class Broken:
    def items(self) -> Iterator[tuple[str, str]]:
        raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS,
        {name.upper(): value for name, value in HEADERS.items()},
        {name.encode(): value.encode() for name, value in HEADERS.items()},
        list(HEADERS.items()),
        [[name.title().encode(), value.encode()] for name, value in HEADERS.items()],
        iter(HEADERS.items()),
        [*HEADERS.items(), *HEADERS.items()],
        [*HEADERS.items(), ("x-other", "ü"), ("x-other", "\r\n"), ("", 5), (None, None)],
        message(),
    ],
    ids=["dict", "upper", "bytes", "pairs", "bytes pairs", "iterator", "twice", "odd", "message"],
)
def test_headers_come_in_many_collections(headers: Any) -> None:
    assert RECEIVER.read(headers, BODY).delivery_id == delivery_id()


@pytest.mark.parametrize(
    "headers",
    [
        None,
        5,
        "webhook-id: x",
        ["webhook-id"],
        [("webhook-id",)],
        [("webhook-id", "x", "y")],
        [5],
        Broken(),
        object(),
        {"webhook-id": 5},
        {"webhook-id": None},
        {"webhook-id": ["x"]},
        {"webhook-id": "x" * 9_000},
        {"webhook-id": "x\r\ny"},
        {"webhook-id": "x\0"},
        {"webhook-id": "ü"},
        {"webhook-id": b"\xff"},
        {"webhook-id": "\udc80"},
        [("x", "y")] * 1_001,
    ],
)
def test_headers_that_cannot_be_read_are_refused(headers: Any) -> None:
    with pytest.raises(HeaderMalformed) as caught:
        RECEIVER.read(headers, BODY)
    assert SECRET not in str(caught.value)


def test_a_header_that_is_there_twice_with_two_values_is_refused() -> None:
    for name in HEADERS:
        with pytest.raises(HeaderMalformed) as caught:
            RECEIVER.read([*HEADERS.items(), (name.upper(), "9")], BODY)
        assert (caught.value.at, caught.value.expected) == (name, "one value")


def test_a_name_that_only_looks_like_ours_in_lower_case_is_not_ours() -> None:
    kelvin = "webhoo\N{KELVIN SIGN}-id"
    assert kelvin.lower() == "webhook-id"
    left = {name: value for name, value in HEADERS.items() if name != "webhook-id"}
    with pytest.raises(SignatureMissing):
        RECEIVER.read({**left, kelvin: delivery_id()}, BODY)


def test_headers_that_a_contract_does_not_read_are_not_looked_at() -> None:
    headers = {**HEADERS, "authorization": "ü", "x-sm-signature": "ü"}
    assert RECEIVER.read(headers, BODY).known


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_body_may_be_any_kind_of_bytes(kind: Any) -> None:
    notification = RECEIVER.read(HEADERS, kind(BODY))
    assert type(notification.received) is bytes
    assert notification.received == BODY


@pytest.mark.parametrize("body", [None, "{}", {}, [1, 2], 5, object()])
def test_a_body_that_is_not_bytes_is_refused(body: Any) -> None:
    with pytest.raises(BodyMalformed) as caught:
        RECEIVER.read(HEADERS, body)
    assert caught.value.expected == "the raw bytes of the request"


def test_a_released_view_is_refused() -> None:
    view = memoryview(BODY)
    view.release()
    with pytest.raises(BodyMalformed):
        RECEIVER.read(HEADERS, view)


def test_a_body_over_the_limit_is_refused_before_anything_else() -> None:
    exact = Receiver.standard(secrets=[SECRET], max_body_bytes=len(BODY), now=now)
    assert exact.read(HEADERS, BODY).known
    tight = Receiver.standard(secrets=[SECRET], max_body_bytes=len(BODY) - 1, now=now)
    for body in (BODY, bytearray(BODY), memoryview(BODY)):
        with pytest.raises(BodyTooLarge) as caught:
            tight.read({}, body)
        assert caught.value.http_status == 413


def test_the_limit_is_a_mebibyte_unless_another_is_chosen() -> None:
    with pytest.raises(BodyTooLarge):
        RECEIVER.read(HEADERS, bytes(1024 * 1024 + 1))
    with pytest.raises(ReceiverError) as caught:
        RECEIVER.read(HEADERS, bytes(1024 * 1024))
    assert not isinstance(caught.value, BodyTooLarge)


SETTINGS: list[Any] = [
    lambda: Receiver.standard(secrets=[]),
    lambda: Receiver.standard(secrets=None),  # type: ignore[call-overload]
    lambda: Receiver.standard(secrets=SECRET),
    lambda: Receiver.standard(secrets=["whsec_"]),
    lambda: Receiver.standard(secrets=["whsec_c2hvcnQ="]),
    lambda: Receiver.standard(secrets=["whsec_not base64 at all, however long it may be"]),
    lambda: Receiver.standard(secrets=["whsec_\ud800\ud800\ud800\ud800"]),
    lambda: Receiver.standard(secrets=[None]),  # type: ignore[list-item]
    lambda: Receiver.standard(secrets=[bytes(23)]),
    lambda: Receiver.standard(secrets=[bytes(65)]),
    lambda: Receiver.standard(secrets=[SECRET], max_body_bytes=0),
    lambda: Receiver.standard(secrets=[SECRET], tolerance_seconds=0),
    lambda: Receiver.standard(secrets=[SECRET], tolerance_seconds=float("nan")),
    lambda: Receiver.standard(secrets=[SECRET], tolerance_seconds=float("inf")),
    Receiver.withings,
    lambda: Receiver.withings(secrets=[]),
    lambda: Receiver.withings(secrets=[SECRET], accept_unsigned=True),
    Receiver.shipmonk,
    lambda: Receiver.shipmonk(basic=[]),
    lambda: Receiver.shipmonk(basic=[("a:b", "c")]),
    lambda: Receiver.shipmonk(basic=[("", "")]),
    lambda: Receiver.shipmonk(basic=[("\ud800", "c")]),
    lambda: Receiver.shipmonk(basic=["ab"]),  # type: ignore[list-item]
    lambda: Receiver.shipmonk(basic=("user", "password")),  # type: ignore[arg-type]
    lambda: Receiver.shipmonk(signature_secrets=[]),
    lambda: Receiver.shipmonk(signature_secrets=["shared", ""]),
    lambda: Receiver.shipmonk(signature_secrets="shared"),
    lambda: Receiver.shipmonk(signature_secrets=["\ud800"]),
]


@pytest.mark.parametrize("make", SETTINGS)
def test_a_receiver_that_could_not_verify_is_never_made(make: Any) -> None:
    with pytest.raises(ConfigurationInvalid):
        make()


def test_secrets_are_shown_neither_in_reprs_nor_in_errors() -> None:
    receiver = Receiver.shipmonk(
        basic=[("hub", "pass-word")], signature_secrets=["sig-secret"], secrets=[SECRET]
    )
    assert repr(receiver) == (
        "Receiver(shipmonk: BasicCredentials, ShipMonkSignature, StandardWebhooks)"
    )
    shown = repr(receiver) + "".join(repr(vars_of) for vars_of in receiver._proofs)
    with pytest.raises(ReceiverError) as caught:
        receiver.read({"authorization": "Basic d3Jvbmc6d3Jvbmc="}, BODY)
    with pytest.raises(ConfigurationInvalid) as refused:
        Receiver.standard(secrets=["whsec_almost-a-secret"])
    for error in (caught.value, refused.value):
        shown += str(error) + repr(error) + repr(error.__context__)
    for secret in ("pass-word", "sig-secret", SECRET, SECRET[6:], "almost", "d3Jvbmc6d3Jvbmc="):
        assert secret not in shown


def test_an_unsigned_receiver_says_so() -> None:
    assert repr(Receiver.withings(accept_unsigned=True)) == "Receiver(withings: unsigned)"
