"""Signatures against an independent implementation of Standard Webhooks, and the common headers."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from milepost.delivery.model import Body, Claimed, Endpoint
from milepost.delivery.signature import common_headers, new_secret, sign, signing_key
from milepost.errors import InvalidInput

NOW = datetime(2026, 3, 1, tzinfo=UTC)
keys = st.binary(min_size=24, max_size=64)
names = st.from_regex(r"(ord|tst)_[0-9a-z]{26}-[1-9]\d{0,8}-ep_[a-z2-7]{10}(-r\d)?", fullmatch=True)
stamps = st.integers(1, 4_102_444_800)
# The oracle takes text, so bodies are text here; that bytes are signed as they are is tested below.
bodies = st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore"))


def claimed(*secrets: str, replay: int = 0, attempts: int = 0, body: bytes = b"{}") -> Claimed:
    endpoint = Endpoint(
        "acc_1", "ep_a", "standard", "https://example.com", "rehearsal", NOW, NOW, secrets=secrets
    )
    return Claimed(endpoint, "ord_1", 7, 5, attempts, attempts, replay, Body(body))


@given(keys, names, stamps, bodies)
def test_an_independent_implementation_signs_the_same(
    key: bytes, name: str, stamp: int, body: bytes
) -> None:
    secret = new_secret(key)
    theirs = standardwebhooks.Webhook(secret).sign(
        msg_id=name, timestamp=datetime.fromtimestamp(stamp, UTC), data=body.decode()
    )
    assert sign((secret,), delivery_id=name, timestamp=stamp, body=body) == theirs


@given(st.lists(keys, min_size=2, max_size=3, unique=True), bodies)
def test_while_secrets_rotate_a_receiver_with_any_of_them_can_verify(
    rotating: list[bytes], body: bytes
) -> None:
    secrets = tuple(new_secret(key) for key in rotating)
    value = sign(secrets, delivery_id="ord_1-1-ep_a", timestamp=1_700_000_000, body=body)
    parts = value.split(" ")
    assert len(parts) == len(secrets)
    for secret, part in zip(secrets, parts, strict=True):
        assert part == sign(
            (secret,), delivery_id="ord_1-1-ep_a", timestamp=1_700_000_000, body=body
        )


def test_an_independent_receiver_verifies_what_is_sent() -> None:
    secret = new_secret(bytes(range(32)))
    body = '{"état":"expédié"}'.encode()
    stamp = int(datetime.now(UTC).timestamp())
    sent = dict(common_headers(claimed(secret, body=body), timestamp=stamp, user_agent="M/1"))
    receiver = standardwebhooks.Webhook(secret)
    assert receiver.verify(body.decode(), sent) == {"état": "expédié"}
    for spoiled in (body + b" ", body.replace(b"t", b"u")):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            receiver.verify(spoiled.decode(), sent)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        receiver.verify(body.decode(), {**sent, "webhook-id": "ord_1-8-ep_a"})


def test_the_published_example_of_the_standard_is_signed_as_it_says() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    value = sign(
        (secret,),
        delivery_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1_614_265_330,
        body=b'{"test": 2432232314}',
    )
    assert value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_bytes_that_are_no_text_are_signed_as_they_are() -> None:
    secret = new_secret(bytes(24))
    values = {
        sign((secret,), delivery_id="a", timestamp=1, body=body)
        for body in (b"\xff", b"\xfe", b"\xff\x00", b"")
    }
    assert len(values) == 4


@given(keys)
def test_a_new_secret_is_the_text_of_its_key(key: bytes) -> None:
    assert signing_key(new_secret(key)) == key


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
        "whsec_MfKQ9r8GKYqr TwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ-r8GKYqrTwjUPD8ILPZIo2LaLa_w",
        "whsec_éééé",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
    ],
)
def test_a_secret_that_cannot_sign_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        signing_key(secret)
    assert refused.value.field == "secret"
    key = secret.removeprefix("whsec_").strip()
    assert not key or key not in str(refused.value)


def test_every_notification_says_which_step_of_which_order_it_is() -> None:
    secret = new_secret(bytes(24))
    headers = common_headers(claimed(secret, attempts=2), timestamp=1_700_000_000, user_agent="M/1")
    told = dict(headers)
    assert len(told) == len(headers)
    signature = told.pop("webhook-signature")
    assert signature == sign(
        (secret,), delivery_id="ord_1-7-ep_a", timestamp=1_700_000_000, body=b"{}"
    )
    assert told == {
        "content-type": "application/json",
        "user-agent": "M/1",
        "webhook-id": "ord_1-7-ep_a",
        "webhook-timestamp": "1700000000",
        "milepost-order": "ord_1",
        "milepost-sequence": "7",
        "milepost-previous": "5",
        "milepost-attempt": "3",
    }


def test_a_replay_says_so_and_is_signed_under_its_own_name() -> None:
    secret = new_secret(bytes(24))
    told = dict(common_headers(claimed(secret, replay=2), timestamp=1, user_agent="M/1"))
    assert told["milepost-replay"] == "2"
    assert told["webhook-id"] == "ord_1-7-ep_a-r2"
    assert told["webhook-signature"] == sign(
        (secret,), delivery_id="ord_1-7-ep_a-r2", timestamp=1, body=b"{}"
    )
