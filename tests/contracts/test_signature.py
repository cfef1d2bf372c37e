"""The common signature, held against an implementation of Standard Webhooks by others."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from milepost.contracts import ROOMS, Contract, read_as
from milepost.delivery.model import Body, Claimed, Endpoint
from milepost.delivery.signature import common_headers, new_secret, sign, signing_key
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import State
from tests.contracts import orders

SECRET = new_secret(bytes(range(32)))
SECRETS = st.binary(min_size=24, max_size=64).map(new_secret)
NAMES = st.from_regex(r"[a-z0-9_-]{1,60}", fullmatch=True)
MOMENTS = st.integers(0, 2**32)


@given(SECRETS, NAMES, MOMENTS, st.text(max_size=200))
def test_we_sign_as_the_others_do(secret: str, name: str, timestamp: int, body: str) -> None:
    ours = sign((secret,), delivery_id=name, timestamp=timestamp, body=body.encode())
    moment = datetime.fromtimestamp(timestamp, UTC)
    assert ours == standardwebhooks.Webhook(secret).sign(name, moment, body)


@pytest.mark.parametrize("room", ROOMS.values(), ids=lambda room: room.name)
def test_the_others_verify_the_headers_of_a_real_notification(room: Contract) -> None:
    options = read_as(room.options, OPTIONS.get(room.name, b"{}"))
    body = room.body(orders.notice(orders.order(State.PACKED)), options)
    now = int(datetime.now(UTC).timestamp())
    headers = dict(common_headers(claimed(body), timestamp=now, user_agent="Milepost/0"))
    assert standardwebhooks.Webhook(SECRET).verify(body.content, headers)


def test_during_a_rotation_either_secret_verifies() -> None:
    new = new_secret(bytes(32))
    now = int(datetime.now(UTC).timestamp())
    headers = dict(
        common_headers(
            claimed(Body(b'{"a":1}'), secrets=(new, SECRET)), timestamp=now, user_agent="Milepost/0"
        )
    )
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (new, SECRET):
        assert standardwebhooks.Webhook(secret).verify(b'{"a":1}', headers) == {"a": 1}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(new_secret(b"x" * 32)).verify(b'{"a":1}', headers)


def test_the_common_headers_say_which_step_of_which_order_it_is() -> None:
    headers = common_headers(claimed(Body(b"{}")), timestamp=1_700_000_000, user_agent="Milepost/0")
    assert dict(headers) | {"webhook-signature": ""} == {
        "content-type": "application/json",
        "user-agent": "Milepost/0",
        "webhook-id": "ord_1-7-ep_a-r2",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "",
        "milepost-order": "ord_1",
        "milepost-sequence": "7",
        "milepost-previous": "5",
        "milepost-attempt": "3",
        "milepost-replay": "2",
    }


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_not base64!",
        base64.b64encode(bytes(32)).decode(),
        new_secret(bytes(23)),
        new_secret(bytes(65)),
    ],
)
def test_a_secret_that_is_none_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        signing_key(secret)
    assert len(secret) < 8 or secret not in str(caught.value)


OPTIONS = {"withings": b'{"customer_id":"C-1"}'}


def claimed(body: Body, *, secrets: tuple[str, ...] = (SECRET,)) -> Claimed:
    endpoint = Endpoint(
        account_id="acc_1",
        endpoint_id="ep_a",
        contract="standard",
        url="https://receiver.example/hook",
        schedule="standard-webhooks",
        created_at=orders.CREATED_AT,
        updated_at=orders.CREATED_AT,
        secrets=secrets,
    )
    return Claimed(endpoint, "ord_1", 7, 5, 2, 2, 2, body)
