"""Withings: which field is there when, in both profiles, and which word names a notice."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, parse_qsl

import msgspec
import pytest
from hypothesis import given, settings

from milepost.contracts import ROOMS, read_as
from milepost.contracts.withings.payloads import (
    BY_PARCEL_STATUS,
    BY_STATUS,
    FORM,
    Options,
    Profile,
    public_order_id,
    shown,
    status_of,
)
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import BEFORE_SHIPPING, CARRIER, State
from milepost.orders.model import Order, OrderContent, Parcel, ParcelDetails
from tests.contracts import orders, shapes

ROOM = ROOMS["withings"]
JSON = Options(customer_id="C-1")
AS_FORM = Options(customer_id="C-1", profile=Profile.FORM)
SHIPPED_FACTS = {"carrier", "carrier_service", "tracking_number"}


def told(state: State, *, after: State | None, options: Options = JSON, **facts: Any) -> Any:
    """The fields of the notice that brings an order from one state to another."""
    notice = orders.notice(orders.order(state, previous_state=after, **facts))
    content = ROOM.body(notice, options).content
    if options.profile is Profile.FORM:
        return dict(parse_qsl(content.decode(), strict_parsing=True))
    return msgspec.json.decode(content)


@pytest.mark.parametrize("status", BY_STATUS)
def test_every_published_status_comes_back_as_it_went_in(status: str) -> None:
    state = ROOM.reads({"status": status}).state
    assert state is not None
    assert ROOM.words(orders.order(state))["status"] == status
    assert told(state, after=None)["status"] == status


@pytest.mark.parametrize("status", BY_PARCEL_STATUS)
def test_every_published_parcel_status_comes_back_as_it_went_in(status: str) -> None:
    for said in ({"parcel_status": status}, {"status": "SHIPPED", "parcel_status": status}):
        state = ROOM.reads(said).state
        assert state is not None
        assert ROOM.words(orders.order(state))["parcel_status"] == status
        assert told(state, after=State.INFO_RECEIVED)["parcel_status"] == status


def test_a_no_break_space_in_a_status_is_read_as_a_space() -> None:
    assert ROOM.reads({"status": "ADDRESS\N{NO-BREAK SPACE}ERROR"}).state is State.ADDRESS_ERROR


def test_a_parcel_status_beside_a_status_before_shipping_is_refused() -> None:
    with pytest.raises(InvalidInput, match="parcel_status"):
        ROOM.reads({"status": "OPEN", "parcel_status": "in_transit"})


def test_the_eight_listed_statuses_and_all_parcel_statuses_are_sent() -> None:
    assert ROOM.sends == {
        "ADDRESS ERROR",
        "VERIFIED",
        "PROCESSING",
        "FAILED",
        "OPEN",
        "SHIPPED",
        "TRASHED",
        "BACKHOLD",
        *BY_PARCEL_STATUS,
    }


@pytest.mark.parametrize("state", [*BEFORE_SHIPPING, State.CANCELLED])
def test_before_shipping_there_is_a_status_and_no_fact_of_a_carrier(state: State) -> None:
    facts = told(state, after=State.CREATED, parcels=(orders.PARCEL,))
    assert set(facts) == {"customer_id", "customer_ref", "status", "is_replacement"}


@pytest.mark.parametrize("origin", [*BEFORE_SHIPPING, State.CANCEL_REQUESTED, State.CANCELLED])
def test_the_notice_of_shipping_has_the_status_and_the_carriers_facts(origin: State) -> None:
    facts = told(State.SHIPPED, after=origin)
    assert facts == {
        "customer_id": "C-1",
        "customer_ref": "key-1",
        "status": "SHIPPED",
        "carrier": "UPS",
        "carrier_service": "Ground",
        "tracking_number": "1Z999AA10123456784",
        "is_replacement": False,
    }


@pytest.mark.parametrize("state", sorted(CARRIER - {State.SHIPPED, State.UNTRACKED}))
def test_a_skip_past_shipping_tells_both(state: State) -> None:
    facts = told(state, after=State.PACKED)
    assert facts["status"] == "SHIPPED"
    assert facts["parcel_status"] == shown(orders.order(state))[1] != "pending"
    assert set(facts) >= SHIPPED_FACTS


@pytest.mark.parametrize("state", sorted(CARRIER - {State.SHIPPED}))
def test_after_shipping_there_is_a_parcel_status_and_no_status(state: State) -> None:
    facts = told(state, after=State.SHIPPED)
    assert facts["parcel_status"] == shown(orders.order(state))[1]
    assert "status" not in facts
    assert set(facts) >= SHIPPED_FACTS


def test_a_correction_out_of_shipping_takes_the_carriers_facts_away() -> None:
    facts = told(State.READY_TO_SHIP, after=State.SHIPPED, parcels=(orders.PARCEL,))
    assert facts["status"] == "OPEN"
    assert not SHIPPED_FACTS & set(facts)


def test_an_order_fulfilled_elsewhere_has_shipped_without_a_parcel_status() -> None:
    facts = told(State.FULFILLED_ELSEWHERE, after=State.VERIFIED)
    assert facts["status"] == "SHIPPED"
    assert not {"parcel_status", *SHIPPED_FACTS} & set(facts)


@pytest.mark.parametrize("fact", sorted(SHIPPED_FACTS))
@pytest.mark.parametrize("unknown", [None, ""])
def test_a_fact_of_the_carrier_that_nobody_told_is_absent(fact: str, unknown: str | None) -> None:
    parcel = msgspec.structs.replace(orders.PARCEL, state=State.IN_TRANSIT, **{fact: unknown})
    facts = told(State.IN_TRANSIT, after=State.SHIPPED, parcels=(parcel,))
    assert SHIPPED_FACTS - set(facts) == {fact}


def test_the_parcel_whose_state_is_told_is_the_one_whose_number_is_told() -> None:
    delivered = Parcel("1", state=State.DELIVERED, tracking_number="first")
    moving = Parcel("2", state=State.IN_TRANSIT, tracking_number="second")
    announced = Parcel("3", tracking_number="third")
    two = told(State.IN_TRANSIT, after=State.SHIPPED, parcels=(delivered, moving))
    three = told(State.IN_TRANSIT, after=State.SHIPPED, parcels=(delivered, moving, announced))
    assert two["tracking_number"] == three["tracking_number"] == "second"


def test_a_replacement_names_its_original() -> None:
    content = OrderContent(replacement_for="key-0")
    facts = told(State.VERIFIED, after=State.CREATED, content=content)
    assert facts["is_replacement"] is True
    assert facts["original_customer_ref"] == "key-0"
    assert "original_serial_number" not in facts


def test_an_order_that_replaces_nothing_says_so_and_names_no_original() -> None:
    facts = told(State.VERIFIED, after=State.CREATED)
    assert facts["is_replacement"] is False
    assert "original_customer_ref" not in facts


@pytest.mark.parametrize(
    ("on", "replacement_for", "serial", "there"),
    [
        (True, "key-0", "SN-1", True),
        (False, "key-0", "SN-1", False),
        (True, None, "SN-1", False),
        (True, "key-0", None, False),
    ],
)
def test_the_original_serial_number_needs_the_option_a_replacement_and_the_number(
    on: bool, replacement_for: str | None, serial: str | None, there: bool
) -> None:
    content = OrderContent(
        replacement_for=replacement_for,
        extensions={"withings": orders.raw(original_serial_number=serial)},
    )
    options = Options(customer_id="C-1", original_serial_number=on)
    facts = told(State.VERIFIED, after=State.CREATED, content=content, options=options)
    assert facts.get("original_serial_number") == ("SN-1" if there else None)


def test_the_order_id_is_there_by_option_only_and_never_changes() -> None:
    options = Options(customer_id="C-1", order_id=True)
    assert "order_id" not in told(State.VERIFIED, after=None)
    seen = {told(s, after=None, options=options)["order_id"] for s in State}
    assert seen == {"D01JT9X7M0V3Q8S4N6K2P5W1ZYE"} == {public_order_id(orders.ORDER_ID)}


@pytest.mark.parametrize("state", [s for s in State if s is not State.CANCEL_REQUESTED])
def test_a_requested_cancellation_shows_what_was_shown_before_it(state: State) -> None:
    asked = orders.order(State.CANCEL_REQUESTED, previous_state=state)
    assert shown(asked) == shown(orders.order(state))


def test_a_requested_cancellation_of_which_nothing_was_known_shows_a_new_order() -> None:
    assert shown(orders.order(State.CANCEL_REQUESTED)) == ("CREATED", None)


@pytest.mark.parametrize(
    ("state", "after", "word"),
    [
        (State.VERIFIED, State.CREATED, "VERIFIED"),
        (State.SHIPPED, State.PACKED, "SHIPPED"),
        (State.UNTRACKED, State.PACKED, "SHIPPED"),
        (State.UNTRACKED, State.INFO_RECEIVED, "pending"),
        (State.IN_TRANSIT, State.SHIPPED, "in_transit"),
        (State.IN_TRANSIT, State.PACKED, "in_transit"),
        (State.FULFILLED_ELSEWHERE, State.VERIFIED, "SHIPPED"),
    ],
)
def test_a_notice_is_named_by_its_parcel_status_or_else_by_its_status(
    state: State, after: State, word: str
) -> None:
    facts = told(state, after=after)
    assert facts.get("parcel_status", facts.get("status")) == word
    assert status_of(orders.order(state, previous_state=after)) == word


def test_the_form_has_the_same_fields_and_always_a_status() -> None:
    for state in State:
        for after in (State.VERIFIED, State.SHIPPED):
            as_json = told(state, after=after)
            as_form = told(state, after=after, options=AS_FORM)
            status, _ = shown(orders.order(state, previous_state=after))
            assert as_form == {**as_json, "status": status, "is_replacement": "false"}


def test_the_form_says_what_it_is_and_writes_booleans_as_words() -> None:
    content = OrderContent(replacement_for="key & 0")
    notice = orders.notice(orders.order(State.ADDRESS_ERROR, content=content))
    body = ROOM.body(notice, AS_FORM)
    assert body.content_type == FORM == "application/x-www-form-urlencoded"
    assert b"status=ADDRESS+ERROR&is_replacement=true&" in body.content
    assert parse_qs(body.content.decode())["original_customer_ref"] == ["key & 0"]


@given(order=shapes.any_order())
@settings(max_examples=60)
def test_both_profiles_say_the_same_of_any_order_and_never_null(order: Order) -> None:
    notice = orders.notice(order)
    as_json = msgspec.json.decode(ROOM.body(notice, JSON).content)
    as_form = dict(parse_qsl(ROOM.body(notice, AS_FORM).content.decode(), keep_blank_values=True))
    assert all(value not in (None, "") for value in as_json.values())
    words = {True: "true", False: "false"}
    expected = {key: words.get(value, value) for key, value in as_json.items()}
    assert {**as_form, "status": ""} == {**expected, "status": ""}
    assert ("parcel_status" in as_json) or ("status" in as_json)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (b"{}", "customer_id"),
        (b'{"customer_id":""}', "customer_id"),
        (b'{"customer_id":"%s"}' % (b"x" * 256), "customer_id"),
        (b'{"customer_id":"C-1","profile":"xml"}', "profile"),
        (b'{"customer_id":"C-1","order_id":"yes"}', "order_id"),
    ],
)
def test_options_that_cannot_be_used_are_refused_by_name(said: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_as(Options, said)
    assert caught.value.field == field


AWAITING = msgspec.structs.replace(
    orders.PARCEL,
    state=State.SHIPPED,
    details=ParcelDetails(extensions={"withings": orders.raw(awaits_scan=True)}),
)


def test_pending_is_told_by_itself_once_a_source_says_that_there_is_no_event_yet() -> None:
    shipped = orders.order(State.SHIPPED, previous_state=State.READY_TO_SHIP)
    waiting = msgspec.structs.replace(shipped, parcels=(AWAITING,))
    assert ROOM.shown(shipped) != ROOM.shown(waiting)
    assert status_of(shipped) == "SHIPPED"
    assert status_of(waiting) == "pending"
    facts = told(State.SHIPPED, after=State.SHIPPED, parcels=(AWAITING,))
    assert facts["parcel_status"] == "pending"
    assert "status" not in facts


def test_a_parcel_that_awaits_its_first_scan_when_it_ships_has_both_words_in_one_notice() -> None:
    facts = told(State.SHIPPED, after=State.READY_TO_SHIP, parcels=(AWAITING,))
    assert (facts["status"], facts["parcel_status"]) == ("SHIPPED", "pending")


def test_waiting_for_a_scan_says_nothing_once_the_carrier_has_the_parcel() -> None:
    moving = orders.order(State.IN_TRANSIT, previous_state=State.SHIPPED, parcels=())
    awaiting = msgspec.structs.replace(AWAITING, state=State.IN_TRANSIT)
    assert ROOM.shown(moving) == ROOM.shown(msgspec.structs.replace(moving, parcels=(awaiting,)))
