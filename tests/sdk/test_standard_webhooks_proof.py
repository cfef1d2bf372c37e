"""Standard Webhooks: what its reference implementation signs is accepted, and nothing else."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from milepost_receiver import (
    HeaderMalformed,
    Receiver,
    SignatureInvalid,
    SignatureMissing,
    StandardNotification,
    TimestampOutOfRange,
)
from milepost_receiver.verify import StandardWebhooks
from tests.sdk.senders import (
    FOREIGN_SECRET,
    NOW,
    OLD_SECRET,
    SECRET,
    delivery_id,
    envelope,
    now,
    numbered,
    signature,
    signed,
    text,
)

BODY = text(envelope())


def receiver(*secrets: str | bytes) -> Receiver[StandardNotification]:
    return Receiver.standard(secrets=secrets or [SECRET], now=now)


def test_what_the_reference_implementation_signs_is_accepted() -> None:
    assert receiver().read(signed(BODY), BODY).delivery_id == delivery_id()


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(st.characters(codec="ascii", min_codepoint=33, exclude_characters=".")).filter(
        bool
    ),
    body=st.text(st.characters(codec="utf-8")),
    damage=st.sampled_from(["none", "signature", "body", "id", "secret"]),
)
def test_it_agrees_with_the_reference_implementation(name: str, body: str, damage: str) -> None:
    at = int(time.time())
    secret = FOREIGN_SECRET if damage == "secret" else SECRET
    headers = signed(body.encode(), name=name.strip("\x7f") or "x", at=at, secret=secret)
    if damage == "signature":
        headers["webhook-signature"] = signature(b"other", name="other", at=at)
    if damage == "id":
        headers["webhook-id"] += "x"
    sent = body + "x" if damage == "body" else body
    try:
        Webhook(SECRET).verify(sent.encode(), headers, json_parse=False)
        agreed = True
    except WebhookVerificationError:
        agreed = False
    proof = StandardWebhooks([SECRET])
    if agreed:
        proof.check(headers, body=sent.encode())
    else:
        with pytest.raises(SignatureInvalid):
            proof.check(headers, body=sent.encode())
    assert agreed is (damage == "none")


def test_during_a_rotation_the_receiver_takes_the_old_secret_and_the_new() -> None:
    rotating = receiver(SECRET, OLD_SECRET)
    for secret in (SECRET, OLD_SECRET):
        assert rotating.read(signed(BODY, secret=secret), BODY).known
    with pytest.raises(SignatureInvalid):
        rotating.read(signed(BODY, secret=FOREIGN_SECRET), BODY)


def test_during_a_rotation_one_good_signature_among_several_is_enough() -> None:
    headers = signed(BODY)
    foreign = signature(BODY, name=delivery_id(), secret=FOREIGN_SECRET)
    for several in (
        f"{foreign} {headers['webhook-signature']}",
        f"{headers['webhook-signature']} {foreign}",
        f"v1a,c29tZXRoaW5n nonsense v1, {headers['webhook-signature']}",
    ):
        assert receiver().read({**headers, "webhook-signature": several}, BODY).known


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        receiver().read(signed(BODY), BODY.replace(b"1001", b"1002"))


def test_a_changed_id_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        receiver().read({**signed(BODY), "webhook-id": delivery_id(8)}, BODY)


def test_a_changed_timestamp_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        receiver().read({**signed(BODY), "webhook-timestamp": str(NOW + 1)}, BODY)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_of_the_three_headers_has_to_be_there(missing: str) -> None:
    headers = signed(BODY)
    for left in ({**headers, missing: ""}, {k: v for k, v in headers.items() if k != missing}):
        with pytest.raises(SignatureMissing) as caught:
            receiver().read(left, BODY)
        assert caught.value.at == missing


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_up_to_five_minutes_off_is_accepted(seconds: int) -> None:
    assert receiver().read(signed(BODY, at=NOW + seconds), BODY).known


@pytest.mark.parametrize("seconds", [-86_400, -301, 301, 86_400])
def test_more_than_five_minutes_off_is_refused(seconds: int) -> None:
    with pytest.raises(TimestampOutOfRange):
        receiver().read(signed(BODY, at=NOW + seconds), BODY)


def test_the_tolerance_can_be_chosen() -> None:
    strict = Receiver.standard(secrets=[SECRET], tolerance_seconds=10, now=now)
    assert strict.read(signed(BODY, at=NOW - 10), BODY).known
    with pytest.raises(TimestampOutOfRange):
        strict.read(signed(BODY, at=NOW - 11), BODY)


def test_the_clock_is_this_machines_unless_another_is_given() -> None:
    at = int(time.time())
    assert Receiver.standard(secrets=[SECRET]).read(signed(BODY, at=at), BODY).known


@pytest.mark.parametrize("stamp", ["yesterday", "1.7e9", "-1", "1_767_600_000", "9" * 400, "+5"])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(stamp: str) -> None:
    with pytest.raises(HeaderMalformed) as caught:
        receiver().read({**signed(BODY), "webhook-timestamp": stamp}, BODY)
    assert caught.value.at == "webhook-timestamp"


@pytest.mark.parametrize("value", ["v1", "v1a,AAAA", "v2,AAAA", "v1:AAAA", ","])
def test_signatures_of_other_kinds_count_as_none(value: str) -> None:
    with pytest.raises(SignatureMissing):
        receiver().read({**signed(BODY), "webhook-signature": value}, BODY)


@pytest.mark.parametrize("value", ["v1,", "v1,AAAA", "v1,====", "v1," + "A" * 4_000])
def test_a_signature_that_is_wrong_or_nonsense_is_refused(value: str) -> None:
    with pytest.raises(SignatureInvalid):
        receiver().read({**signed(BODY), "webhook-signature": value}, BODY)


def test_a_signature_with_letters_outside_ascii_is_refused_by_our_own_error() -> None:
    for value in ("v1,é", "v1,\ud800", b"v1,\xff"):
        with pytest.raises(HeaderMalformed):
            receiver().read({**signed(BODY), "webhook-signature": value}, BODY)


def test_one_signature_fits_one_split_of_id_time_and_body_only() -> None:
    # Signed are the same bytes: id "a", time, body "9.…" against id "a.<time>", time 9, body "…".
    headers = signed(b"%d.{}" % NOW, name="a", at=NOW)
    moved = {**headers, "webhook-id": f"a.{NOW}"}
    with pytest.raises(HeaderMalformed):
        receiver().read(moved, b"{}")


def test_a_secret_may_be_text_with_or_without_its_prefix_or_bytes() -> None:
    bare = SECRET.removeprefix("whsec_")
    for secret in (SECRET, bare, base64.b64decode(bare)):
        assert receiver(secret).read(signed(BODY), BODY).known


def test_order_sequence_and_replay_have_to_agree_with_the_signed_id() -> None:
    headers = {**signed(BODY), **numbered()}
    assert receiver().read(headers, BODY).sequence == 7
    for change in (
        {"milepost-order": "ord_other"},
        {"milepost-sequence": "8"},
        {"milepost-replay": "1"},
    ):
        with pytest.raises(HeaderMalformed) as caught:
            receiver().read({**headers, **change}, BODY)
        assert caught.value.at == "webhook-id"


def test_a_replay_cannot_pass_for_the_first_sending() -> None:
    name = delivery_id(replay=2)
    headers = {**signed(BODY, name=name), **numbered(), "milepost-replay": "2"}
    assert receiver().read(headers, BODY).replay == 2
    del headers["milepost-replay"]
    with pytest.raises(HeaderMalformed):
        receiver().read(headers, BODY)
