"""The public name of a delivery: made of what it is, read back, and never misread."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from milepost.delivery.model import (
    Body,
    Claimed,
    Delivery,
    DeliveryState,
    Endpoint,
    Reply,
    delivery_id,
    read_delivery_id,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ORDER = "ord_01h2xcejqtf2nbrexx3vqjhp41"
ENDPOINT = "ep_abcdefghij"

ids = st.from_regex(r"(ord|tst)_[0-9a-z]{26}", fullmatch=True)
endpoints = st.from_regex(r"ep_[a-z2-7]{10}", fullmatch=True)
sequences = st.integers(1, 999_999_999)


def endpoint(**facts: object) -> Endpoint:
    told: dict[str, object] = {
        "account_id": "acc_1",
        "endpoint_id": ENDPOINT,
        "contract": "standard",
        "url": "https://example.com/hook?key=secret",
        "schedule": "rehearsal",
        "created_at": NOW,
        "updated_at": NOW,
        "secrets": ("whsec_secret",),
        "credentials": b'{"password":"secret"}',
    }
    return Endpoint(**{**told, **facts})  # type: ignore[arg-type]


@given(ids, sequences, endpoints, st.integers(0, 99))
def test_a_name_is_read_back_as_what_it_was_made_of(
    order_id: str, sequence: int, endpoint_id: str, replay: int
) -> None:
    name = delivery_id(order_id, sequence, endpoint_id, replay=replay)
    assert read_delivery_id(name) == (order_id, sequence, endpoint_id)


@given(ids, sequences, endpoints)
def test_a_replay_has_another_name_and_says_which_replay_it_is(
    order_id: str, sequence: int, endpoint_id: str
) -> None:
    names = [delivery_id(order_id, sequence, endpoint_id, replay=n) for n in range(4)]
    assert len(set(names)) == 4
    assert names[0] == f"{order_id}-{sequence}-{endpoint_id}"
    assert names[3] == f"{names[0]}-r3"


@given(ids, sequences, endpoints, st.integers(0, 99))
def test_a_name_is_plain_and_has_no_full_stop_which_would_break_its_signature(
    order_id: str, sequence: int, endpoint_id: str, replay: int
) -> None:
    name = delivery_id(order_id, sequence, endpoint_id, replay=replay)
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set(". /?#%")


def test_a_delivery_and_its_claim_have_the_same_name() -> None:
    of_record = Delivery("acc_1", ENDPOINT, ORDER, 7, "x", DeliveryState.PENDING, NOW, replay=2)
    claimed = Claimed(endpoint(), ORDER, 7, 6, 0, 0, 2, Body(b"{}"))
    assert of_record.delivery_id == claimed.delivery_id == f"{ORDER}-7-{ENDPOINT}-r2"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-",
        "--",
        "---",
        ORDER,
        f"{ORDER}-7",
        f"{ORDER}--{ENDPOINT}",
        f"{ORDER}-x-{ENDPOINT}",
        f"{ORDER}-7.5-{ENDPOINT}",
        f"{ORDER}-+7-{ENDPOINT}",
        f"{ORDER}- 7-{ENDPOINT}",
        f"{ORDER}-\u0667-{ENDPOINT}",
        f"{ORDER}-\u00b2-{ENDPOINT}",
        f"{ORDER}-1000000000-{ENDPOINT}",
        f"{ORDER}-{'9' * 5_000}-{ENDPOINT}",
        f"{ORDER}-7-{ENDPOINT}-2",
        f"{ORDER}-7-{ENDPOINT}-x2",
        f"{ORDER}-7-{ENDPOINT}-",
        f"{ORDER}-7-{ENDPOINT}-r2-r3",
        f"{ORDER}--7-{ENDPOINT}",
    ],
)
def test_what_is_no_name_is_read_as_none(name: str) -> None:
    assert read_delivery_id(name) is None


@given(st.text(max_size=80) | st.text("-0123456789r_abcx\0\u0667", max_size=40))
@example(f"{ORDER}-7-{ENDPOINT}-r2")
def test_whatever_is_read_of_a_hostile_text_was_in_it(name: str) -> None:
    found = read_delivery_id(name)
    if found is not None:
        order_id, sequence, endpoint_id = found
        parts = name.split("-")
        assert (order_id, endpoint_id) == (parts[0], parts[2])
        assert sequence == int(parts[1]) >= 0


def test_an_endpoint_wants_what_it_subscribed_to() -> None:
    everything = endpoint()
    assert everything.wants(store="shop", status="SHIPPED")
    some = endpoint(stores=("shop",), statuses=("SHIPPED",))
    assert some.wants(store="shop", status="SHIPPED")
    assert not some.wants(store="other", status="SHIPPED")
    assert not some.wants(store="shop", status="OPEN")
    assert not endpoint(stores=()).wants(store="shop", status="SHIPPED")


def test_an_endpoint_prints_none_of_its_secrets() -> None:
    assert "secret" not in repr(endpoint())
    assert "secret" not in str(endpoint())


def test_a_header_of_a_reply_is_found_by_its_lower_case_name() -> None:
    reply = Reply(503, headers=(("retry-after", "60"), ("server", "x")))
    assert reply.header("retry-after") == "60"
    assert reply.header("date") is None
