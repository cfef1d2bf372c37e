"""Withings' order interface: signatures, what a request may say, and what is answered."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.contracts.withings.addresses import FIELDS, address_faults, bad_addresses
from milepost.contracts.withings.answers import created_order, order_detail, order_ids_of
from milepost.contracts.withings.numbers import MEANINGS, Number, Refused
from milepost.contracts.withings.payloads import public_order_id
from milepost.contracts.withings.requests import (
    address_of,
    content_of,
    is_ean,
    read_named,
    read_orders,
    read_person,
    read_testmode,
    warnings_of,
)
from milepost.contracts.withings.signing import is_signed, signature, signed_by, signed_text
from milepost.contracts.withings.testmode import SEQUENCES, step_update
from milepost.orders.address import AddressFault
from milepost.orders.lifecycle import State, way_to
from milepost.orders.model import Address, Line, OrderContent, ParcelDetails
from milepost.orders.move import move
from tests.contracts import orders

SECRET = "test_client_secret"
NONCE = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
ADDRESS = {
    "name": "Ada",
    "email": "ada@example.com",
    "address1": "2 rue Maurice Hartmann",
    "city": "Issy",
    "zip": 92130,
    "country": "fr",
}
PRODUCTS = [{"ean": "3700546702518", "quantity": "3"}]
PERSON = {
    "mailingpref": "true",
    "birthdate": "1563746400",
    "measures": '[{"value":180,"unit":-2,"type":4}]',
    "gender": "0",
    "preflang": "en_US",
    "unit_pref": '{"weight":1}',
    "email": "ada@example.com",
    "timezone": "Europe/Paris",
    "shortname": "ADA",
    "external_id": "person-1",
}


def asked(**changes: Any) -> dict[str, Any]:
    return {"customer_ref_id": "R-1", "address": ADDRESS, "products": PRODUCTS, **changes}


def read(*told: Any, **given: Any) -> Any:
    return read_orders({"order": json.dumps(told)}, **given)


def refusal(call: Any, *args: Any, **given: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        call(*args, **given)
    return caught.value


# signatures


@pytest.mark.parametrize(
    ("action", "once", "expected"),
    [
        (
            "getnonce",
            "1700000000",
            "496df8970fd645edd50468d0de7446cf83fc931d4dfa441ab36bf4c76425477a",
        ),
        (
            "createorder",
            NONCE,
            "aa30ce0294abc8bace8c4510020513a9f818e2cdb72ab821828842734054f502",
        ),
    ],
)
def test_the_test_vectors_are_signed_as_published(action: str, once: str, expected: str) -> None:
    text = signed_text(action=action, client_id="test_client_id", once=once)
    assert signature(SECRET, text) == expected
    assert is_signed(SECRET, text, given=expected)
    for wrong in (expected.upper(), expected[:-1], expected + "0", "", "é"):
        assert not is_signed(SECRET, text, given=wrong)
    assert not is_signed("another", text, given=expected)


def test_what_is_signed_stands_in_the_order_of_the_names() -> None:
    for action in ("getnonce", "createorder"):
        names = sorted(("action", "client_id", signed_by(action)))
        values = {"action": action, "client_id": "c", signed_by(action): "o"}
        text = signed_text(action=action, client_id="c", once="o")
        assert text == ",".join(values[name] for name in names)


# what is asked


def test_texts_may_be_numbers_and_numbers_texts() -> None:
    (order,) = read(asked(customer_ref_id=7, force_address="true"))
    address = address_of(order.address)
    content = content_of(order, address=address)
    assert (order.ref, order.force_address) == ("7", True)
    assert (address.zip, address.country_code) == ("92130", "FR")
    assert [(line.sku, line.quantity) for line in content.lines] == [("3700546702518", 3)]
    assert content.customer_email == "ada@example.com"


def test_every_field_of_an_address_goes_somewhere_and_unknown_ones_do_no_harm() -> None:
    told = {name: f"{name} x" for name in FIELDS.values()} | {"country": "FR", "planet": "Earth"}
    (order,) = read(asked(address=told))
    kept = msgspec.to_builtins(address_of(order.address))
    assert kept == {ours: told[theirs] for ours, theirs in FIELDS.items()}


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ([], "order"),
        ([asked(customer_ref_id="")], "order[0].customer_ref_id"),
        ([{}], "order[0].customer_ref_id"),
        ([asked(address=None)], "order[0].address"),
        ([asked(products=[])], "order[0].products"),
        ([asked(products=[{"quantity": 1}])], "order[0].products[0].ean"),
        (
            [asked(products=[{"quantity": 1, "ean": "1", "partner_ref": "2"}])],
            "order[0].products[0].ean",
        ),
        ([asked(products=[{"ean": "1", "quantity": 0}])], "order[0].products[0].quantity"),
        ([asked(address={**ADDRESS, "city": "x" * 256})], "order[0].address.city"),
        ([asked(address={**ADDRESS, "city": "\0"})], "order"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_path(told: list[Any], field: str) -> None:
    refused = refusal(read, *told)
    assert refused.number is Number.INVALID
    assert refused.reasons[0].field == field
    assert refused.reasons[0].reason.startswith("expected")


@pytest.mark.parametrize("text", ["", "{", "7", "null", '{"customer_ref_id": "x"}', "[" * 5_000])
def test_an_order_that_is_no_array_of_orders_is_refused(text: str) -> None:
    assert refusal(read_orders, {"order": text}).number is Number.INVALID


def test_ten_orders_are_the_most_and_an_update_has_exactly_one() -> None:
    many = [asked(customer_ref_id=f"R-{n}") for n in range(11)]
    assert len(read(*many[:10])) == 10
    assert refusal(read, *many).number is Number.INVALID
    assert refusal(read, *many[:2], most=1).number is Number.INVALID


def test_a_reference_that_is_there_twice_is_named() -> None:
    refused = refusal(read, asked(), asked(customer_ref_id="R-2"), asked())
    assert refused.number is Number.DUPLICATE
    assert [reason.customer_ref_id for reason in refused.reasons] == ["R-1"]


def test_orders_are_named_by_either_of_their_names() -> None:
    assert read_named({"order_ids": '["D1", "D1", 2]'}) == ("order_ids", ("D1", "2"))
    assert read_named({"customer_ref_ids": '["x"]', "order_ids": ""})[0] == "customer_ref_ids"
    for wrong in ({}, {"order_ids": '["D1"]', "customer_ref_ids": '["x"]'}, {"order_ids": "[]"}):
        assert refusal(read_named, wrong).number is Number.INVALID


@pytest.mark.parametrize(("text", "mode"), [("", None), ("0", None), ("1", 1), ("4", 4)])
def test_a_test_mode_is_one_of_four_or_not_set(text: str, mode: int | None) -> None:
    assert read_testmode({"testmode": text}) == mode


@pytest.mark.parametrize("text", ["5", "-1", "one", "\N{FULLWIDTH DIGIT ONE}"])
def test_any_other_test_mode_is_refused(text: str) -> None:
    assert refusal(read_testmode, {"testmode": text}).number is Number.INVALID


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mailingpref", "perhaps"),
        ("birthdate", "1815-12-10"),
        ("measures", "{}"),
        ("gender", "2"),
        ("preflang", "english"),
        ("unit_pref", "[]"),
        ("email", "nobody"),
        ("timezone", "Paris time"),
        ("shortname", "A!A"),
        ("external_id", ""),
        ("phonenumber", "0123"),
        ("goals", "[]"),
    ],
)
def test_each_field_of_a_person_is_checked(name: str, value: str) -> None:
    assert read_person(PERSON | {"phonenumber": "+33123456789"}).external_id == "person-1"
    refused = refusal(read_person, {**PERSON, name: value})
    assert refused.number is Number.INVALID
    assert refused.reasons[0].field == name


@given(st.text(), st.text())
def test_no_request_is_too_odd_to_be_refused_politely(name: str, text: str) -> None:
    for call in (read_orders, read_named, read_testmode, read_person):
        with suppress(Refused):
            call({name: text, "order": text, "order_ids": text, "testmode": text})


# addresses and oddities


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"email": "nobody"}, "email"),
        ({"city": ""}, "city"),
        ({"zip": "92"}, "zip"),
        ({"country": "XX"}, "country"),
    ],
)
def test_a_bad_address_names_its_order_and_its_field(change: dict[str, Any], field: str) -> None:
    (order,) = read(asked(address={**ADDRESS, **change}))
    refused = bad_addresses({order.ref: address_faults(address_of(order.address))})
    assert refused.number is Number.BAD_ADDRESS
    assert refused.body == {"invalid_address_customer_ref_ids": ["R-1"]}
    assert [reason.field for reason in refused.reasons] == [f"address.{field}"]


def test_a_postal_code_is_needed_by_the_model_even_where_the_country_does_not_ask() -> None:
    ireland = Address(
        name="A", email="a@b", street1="x", city="Dublin", country_code="IE", zip="D02 AF30"
    )
    assert address_faults(ireland) == ()
    without = msgspec.structs.replace(ireland, zip=None)
    assert [fault.field for fault in address_faults(without)] == ["zip"]


def test_a_fault_without_a_field_is_one_of_the_address() -> None:
    refused = bad_addresses({"R": (AddressFault("", "nobody lives there"),)})
    assert [reason.field for reason in refused.reasons] == ["address"]


def test_check_digits_and_telephones_are_warned_about_and_never_refused() -> None:
    odd = asked(
        address={**ADDRESS, "telephone": "0123"},
        products=[{"ean": "3700546702519", "quantity": 1}, {"partner_ref": "1", "quantity": 1}],
    )
    assert [w.field for w in warnings_of(read(odd))] == ["address.telephone", "products[0].ean"]
    assert warnings_of(read(asked())) == []


@pytest.mark.parametrize("text", ["3700546702518", "96385074", "036000291452", "10614141000415"])
def test_a_check_digit_catches_every_single_wrong_digit(text: str) -> None:
    assert is_ean(text)
    for place, digit in enumerate(text):
        for other in "0123456789":
            if other != digit:
                assert not is_ean(text[:place] + other + text[place + 1 :])


# answers


def test_an_order_id_leads_back_to_the_order() -> None:
    assert orders.ORDER_ID in order_ids_of(public_order_id(orders.ORDER_ID))
    assert "tst_01x" in order_ids_of(public_order_id("tst_01x"))


@pytest.mark.parametrize("state", State)
def test_facts_of_a_carrier_are_answered_once_the_order_has_shipped(state: State) -> None:
    order = orders.order(state)
    detail = order_detail(order)
    facts = {"carrier", "carrier_service", "tracking_number", "parcel_status"}
    shipped = detail["status"] == "SHIPPED" and state is not State.FULFILLED_ELSEWHERE
    assert (facts <= set(detail)) == shipped
    assert shipped or not facts & set(detail)
    assert None not in detail.values()
    assert detail["is_replacement"] is False
    assert set(created_order(order)) == {"order_id", "customer_ref_id", "status", "products"}


def test_devices_stand_with_their_product() -> None:
    devices = [
        {"sku": "A", "serial_number": "S1", "mac_address": "M1", "hash_deviceid": "H1"},
        {"sku": "B", "serial_number": "S2", "model": "Body", "model_id": 7},
        {"sku": "A", "serial_number": "S3"},
    ]
    details = ParcelDetails(extensions={"withings": orders.raw(devices=devices)})
    parcel = msgspec.structs.replace(orders.PARCEL, state=State.SHIPPED, details=details)
    lines = (Line(sku="A", quantity=2), Line(sku="B", quantity=1))
    order = orders.order(State.SHIPPED, content=OrderContent(lines=lines), parcels=(parcel,))
    one, other = order_detail(order)["products"]
    assert one["serial_numbers"] == ["S1", "S3"]
    assert (one["mac_addresses"], one["hash_deviceids"]) == (["M1"], ["H1"])
    assert other["devices"] == [{"serial_number": "S2", "model": "Body", "model_id": 7}]


def test_every_number_means_something() -> None:
    assert set(MEANINGS) == set(Number)


# test mode


@pytest.mark.parametrize("mode", SEQUENCES)
def test_every_step_of_a_sequence_is_legal_and_told_twice_says_nothing_new(mode: int) -> None:
    order = orders.order(State.VERIFIED, previous_state=State.CREATED, parcels=())
    order = msgspec.structs.replace(order, order_id="tst_01")
    for step in range(1, len(SEQUENCES[mode])):
        update = step_update(order, mode=mode, step=step)
        assert update is not None
        moved = move(order, update, now=orders.OCCURRED_AT)
        assert moved.event is not None
        again = step_update(moved.order, mode=mode, step=step)
        assert again is not None
        assert move(moved.order, again, now=orders.OCCURRED_AT).event is None
        order = moved.order
    assert order.state is SEQUENCES[mode][-1].state


def test_a_fake_order_that_somebody_moved_leaves_its_sequence() -> None:
    cancelled = orders.order(State.CANCELLED, previous_state=State.VERIFIED)
    assert step_update(cancelled, mode=1, step=2) is None
    assert way_to(State.CANCELLED, State.READY_TO_SHIP) is None
