"""One signing secret follows another: both sign for a while, then the new one alone."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.delivery.model import Body, Claimed, Endpoint
from milepost.delivery.rotation import (
    LONGEST_OVERLAP,
    MOST_RETIRING,
    has_expired,
    retired,
    rotated,
    without_expired,
)
from milepost.delivery.signature import common_headers, sign
from milepost.errors import InvalidInput

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def secret(name: str) -> str:
    return "whsec_" + base64.b64encode(name.encode().ljust(32, b".")).decode()


OLD, NEW, NEWEST = secret("old"), secret("new"), secret("newest")


def an_endpoint(*secrets: str) -> Endpoint:
    url = "https://a.example/in"
    return Endpoint("acc", "ep_a", "standard", url, "steady", NOW, NOW, secrets=secrets)


def signers(endpoint: Endpoint, at: datetime) -> list[str]:
    """The names of those secrets that sign a notification at this time, in their order."""
    claimed = Claimed(endpoint, "ord_1", 1, 0, 0, 0, 0, Body(b"{}"))
    timestamp = int(at.timestamp())
    given = dict(common_headers(claimed, timestamp=timestamp, user_agent="Milepost"))
    known = {
        sign((text,), delivery_id=given["webhook-id"], timestamp=timestamp, body=b"{}"): name
        for name, text in (("old", OLD), ("new", NEW), ("newest", NEWEST))
    }
    return [known[signature] for signature in given["webhook-signature"].split(" ")]


def test_during_a_rotation_both_secrets_sign_and_after_it_the_new_one_alone() -> None:
    endpoint = rotated(an_endpoint(OLD), NEW, overlap=DAY, now=NOW)
    assert signers(endpoint, NOW) == ["new", "old"]
    assert signers(endpoint, NOW + DAY - timedelta(seconds=1)) == ["new", "old"]
    assert signers(endpoint, NOW + DAY) == ["new"]


def test_without_an_overlap_the_old_secret_ends_at_once() -> None:
    endpoint = rotated(an_endpoint(OLD), NEW, overlap=timedelta(0), now=NOW)
    assert (endpoint.secrets, endpoint.retiring) == ((NEW,), ())


def test_a_second_rotation_leaves_the_first_its_time() -> None:
    endpoint = rotated(an_endpoint(OLD), NEW, overlap=2 * DAY, now=NOW)
    endpoint = rotated(endpoint, NEWEST, overlap=DAY / 2, now=NOW + DAY)
    assert signers(endpoint, NOW + DAY) == ["newest", "new", "old"]
    assert signers(endpoint, NOW + 1.5 * DAY) == ["newest", "old"]
    assert signers(endpoint, NOW + 2 * DAY) == ["newest"]


def test_what_has_expired_leaves_the_record_with_the_next_change() -> None:
    endpoint = rotated(an_endpoint(OLD), NEW, overlap=DAY, now=NOW)
    assert without_expired(endpoint, now=NOW) is endpoint
    assert has_expired(endpoint, now=NOW + DAY)
    assert without_expired(endpoint, now=NOW + DAY).retiring == ()
    again = rotated(endpoint, NEWEST, overlap=DAY, now=NOW + DAY)
    assert [old.text for old in again.retiring] == [NEW]


def test_old_secrets_can_be_ended_before_their_time() -> None:
    endpoint = retired(rotated(an_endpoint(OLD), NEW, overlap=DAY, now=NOW), now=NOW)
    assert signers(endpoint, NOW) == ["new"]


@pytest.mark.parametrize(
    ("text", "overlap", "field"),
    [
        ("whsec_short", DAY, "secret"),
        (OLD, DAY, "secret"),
        (NEW, LONGEST_OVERLAP + DAY, "overlap_s"),
        (NEW, -DAY, "overlap_s"),
    ],
)
def test_a_rotation_that_cannot_be_is_refused(text: str, overlap: timedelta, field: str) -> None:
    with pytest.raises(InvalidInput) as told:
        rotated(an_endpoint(OLD), text, overlap=overlap, now=NOW)
    assert told.value.field == field
    assert text not in str(told.value)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), max_size=8))
def test_however_often_it_is_rotated_few_secrets_sign_and_the_newest_always_does(
    rotations: list[tuple[int, int]],
) -> None:
    endpoint, now = an_endpoint(OLD), NOW
    for number, (days, pause) in enumerate(rotations):
        now += pause * DAY
        endpoint = rotated(endpoint, secret(f"no. {number}"), overlap=days * DAY, now=now)
        assert endpoint.secrets == (secret(f"no. {number}"),)
        assert len(endpoint.retiring) <= MOST_RETIRING
        assert not has_expired(endpoint, now=now)
        texts = [*endpoint.secrets, *(old.text for old in endpoint.retiring)]
        assert len(set(texts)) == len(texts)


def test_no_secret_is_in_a_representation() -> None:
    endpoint = rotated(an_endpoint(OLD), NEW, overlap=DAY, now=NOW)
    endpoint = msgspec.structs.replace(endpoint, credentials=b'{"password":"hunter2"}')
    claimed = Claimed(endpoint, "ord_1", 1, 0, 0, 0, 0, Body(b"{}"))
    for shown in (repr(endpoint), repr(endpoint.retiring), repr(claimed), str(endpoint)):
        assert not any(text in shown for text in (OLD, NEW, "hunter2"))
