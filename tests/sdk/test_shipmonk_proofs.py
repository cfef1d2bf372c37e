"""ShipMonk's two proofs, X-Sm-Signature and HTTP Basic, alone and together."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from milepost_receiver import (
    CredentialsInvalid,
    CredentialsMissing,
    HeaderMalformed,
    Receiver,
    ShipMonkNotification,
    ShipMonkOther,
    SignatureInvalid,
    SignatureMissing,
)
from tests.sdk.senders import SECRET, now, numbered, shipmonk_order, signed, text

VECTOR_SECRET = "whsec"
VECTOR_BODY = b'{"order_key":"agabc123","processing_status":"en_route"}'
DIGEST = hmac.new(VECTOR_SECRET.encode(), VECTOR_BODY, hashlib.sha512)
IN_HEX = DIGEST.hexdigest()
IN_BASE64 = base64.b64encode(DIGEST.digest()).decode()


def read(
    headers: dict[str, str], *, body: bytes = VECTOR_BODY, secrets: tuple[str, ...] = ("whsec",)
) -> ShipMonkNotification | ShipMonkOther:
    return Receiver.shipmonk(signature_secrets=secrets).read(headers, body)


def basic(credentials: str, *, scheme: str = "Basic") -> dict[str, str]:
    token = base64.b64encode(credentials.encode()).decode()
    return {"Authorization": f"{scheme} {token}"}


def test_the_known_vector_verifies() -> None:
    assert IN_HEX.startswith("4f40f35f59da5443")
    assert IN_HEX.endswith("bf672cb1")
    notification = read({"X-Sm-Signature": IN_HEX})
    assert isinstance(notification, ShipMonkNotification)
    assert notification.order_key == "agabc123"
    assert notification.processing_status == "en_route"


@pytest.mark.parametrize(
    "value",
    [
        IN_HEX,
        IN_HEX.upper(),
        IN_BASE64,
        f"sha512={IN_HEX}",
        f"SHA512={IN_HEX}",
        f"sha512={IN_BASE64}",
        f"  {IN_HEX}\t",
    ],
)
def test_hex_and_base64_pass_with_and_without_a_prefix(value: str) -> None:
    assert read({"x-sm-signature": value}).known


@pytest.mark.parametrize(
    "value",
    [
        IN_HEX[:-1],
        IN_HEX + "0",
        IN_BASE64.swapcase(),
        IN_BASE64.rstrip("="),
        f"sha256={IN_HEX}",
        f"sha512={IN_HEX},{IN_HEX}",
        "sha512=",
        "0" * 128,
        hmac.new(b"whsec", VECTOR_BODY, hashlib.sha256).hexdigest(),
    ],
)
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(SignatureInvalid):
        read({"x-sm-signature": value})


def test_the_signature_is_that_of_the_raw_body() -> None:
    with pytest.raises(SignatureInvalid):
        read({"x-sm-signature": IN_HEX}, body=VECTOR_BODY.replace(b":", b": "))


def test_several_signature_secrets_let_one_replace_another() -> None:
    assert read({"x-sm-signature": IN_HEX}, secrets=("newer", "whsec")).known
    with pytest.raises(SignatureInvalid):
        read({"x-sm-signature": IN_HEX}, secrets=("newer", "newest"))


def test_a_missing_signature_is_told_from_a_wrong_one() -> None:
    for headers in ({}, {"x-sm-signature": ""}):
        with pytest.raises(SignatureMissing):
            read(headers)


def test_a_signature_outside_ascii_is_refused_by_our_own_error() -> None:
    with pytest.raises(HeaderMalformed):
        read({"x-sm-signature": "é" * 128})


def test_username_and_password_are_accepted_in_any_of_several_pairs() -> None:
    receiver = Receiver.shipmonk(basic=[("hub", "new: pass"), ("hub", "öld")])
    for credentials in ("hub:new: pass", "hub:öld"):
        assert receiver.read(basic(credentials), VECTOR_BODY).known
        assert receiver.read(basic(credentials, scheme="bAsIc"), VECTOR_BODY).known


@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Basic ",
        "Basic hub:secret",
        "Basic !!!!",
        "Bearer aHViOnNlY3JldA==",
        "aHViOnNlY3JldA==",
        "Basic aHViOnNlY3JldA",
        "Basic aHViOnNlY3JldDI=",
    ],
)
def test_other_credentials_are_refused(value: str) -> None:
    receiver = Receiver.shipmonk(basic=[("hub", "secret")])
    assert receiver.read({"authorization": "Basic aHViOnNlY3JldA=="}, VECTOR_BODY).known
    with pytest.raises(CredentialsInvalid):
        receiver.read({"authorization": value}, VECTOR_BODY)


def test_missing_credentials_are_told_from_wrong_ones() -> None:
    with pytest.raises(CredentialsMissing):
        Receiver.shipmonk(basic=[("hub", "secret")]).read({}, VECTOR_BODY)


def test_every_configured_proof_has_to_hold() -> None:
    body = text(shipmonk_order())
    receiver = Receiver.shipmonk(
        basic=[("hub", "secret")], signature_secrets=["shared"], secrets=[SECRET], now=now
    )
    headers = {
        **signed(body),
        **numbered(),
        **basic("hub:secret"),
        "X-Sm-Signature": hmac.new(b"shared", body, hashlib.sha512).hexdigest(),
    }
    notification = receiver.read(headers, body)
    assert (notification.sequence, notification.previous, notification.attempt) == (7, 6, 1)
    for taken, error in (
        ("webhook-signature", SignatureMissing),
        ("X-Sm-Signature", SignatureMissing),
        ("Authorization", CredentialsMissing),
    ):
        with pytest.raises(error):
            receiver.read({k: v for k, v in headers.items() if k != taken}, body)


def test_the_provider_itself_sends_none_of_our_headers() -> None:
    notification = read({"x-sm-signature": IN_HEX})
    assert notification.delivery_id is None
    assert notification.order_id is None
    assert notification.sequence is None
    assert notification.previous is None
    assert notification.attempt is None
    assert notification.replay is None
