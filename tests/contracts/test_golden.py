"""Recorded bodies: what goes out today went out before, to the byte but for the spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost.contracts import ROOMS, Notice, Words, read_as, sample
from milepost.delivery.model import Body
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order, OrderContent
from tests.contracts import orders

GOLDEN = Path(__file__).parent / "golden"
LINK = b'{"order_detail_url":"https://orders.example/{store}/{order_key}"}'
WITHINGS = b'{"customer_id":"C-1"}'
ALL_FIELDS = b'{"customer_id":"C-1","order_id":true,"original_serial_number":true}'
FORM = b'{"customer_id":"C-1","profile":"form"}'

REPLACEMENT = OrderContent(
    replacement_for="key-0",
    extensions={"withings": orders.raw(original_serial_number="00-24-e4-00-00-01")},
)


def step(state: State, after: State | None = None, **facts: Any) -> Notice:
    """The notice of one step, with the words of the other contracts."""
    order = orders.order(state, previous_state=after, **facts)
    return Notice(order, orders.event(order), orders.STORE, others(order))


def others(order: Order) -> dict[str, Words]:
    return {name: room.words(order) for name, room in ROOMS.items() if not room.shows_others}


def trial() -> Notice:
    order, event = sample(orders.STORE, now=orders.OCCURRED_AT, order_id="tst_01jt9x7m0v")
    return Notice(order, event, orders.STORE, others(order))


def two_parcels() -> Notice:
    order = orders.rich_order()
    event = orders.event(
        order, parcel="1", raw="en_route", skipped=(State.INFO_RECEIVED,), source="shipmonk"
    )
    return Notice(order, event, orders.STORE, others(order))


def corrected() -> Notice:
    order = orders.order(State.IN_TRANSIT, previous_state=State.DELIVERED)
    event = orders.event(order, correction=True, note="delivered to the wrong door")
    return Notice(order, event, orders.STORE, others(order))


CASES: dict[str, tuple[Notice, bytes]] = {
    "withings/verified.json": (step(State.VERIFIED, State.CREATED), WITHINGS),
    "withings/shipped.json": (step(State.SHIPPED, State.READY_TO_SHIP), WITHINGS),
    "withings/shipped_and_in_transit.json": (step(State.IN_TRANSIT, State.PACKED), WITHINGS),
    "withings/delivered.json": (step(State.DELIVERED, State.IN_TRANSIT), WITHINGS),
    "withings/trashed.json": (step(State.CANCELLED, State.CANCEL_REQUESTED), WITHINGS),
    "withings/fulfilled_elsewhere.json": (
        step(State.FULFILLED_ELSEWHERE, State.VERIFIED),
        WITHINGS,
    ),
    "withings/replacement.json": (
        step(State.DELAYED, State.IN_TRANSIT, content=REPLACEMENT),
        ALL_FIELDS,
    ),
    "withings/address_error.form": (step(State.ADDRESS_ERROR, State.VERIFYING), FORM),
    "withings/delivered.form": (step(State.DELIVERED, State.IN_TRANSIT), FORM),
    "withings/test.json": (trial(), WITHINGS),
    "shipmonk/bare.json": (step(State.CREATED, sequence=1), b"{}"),
    "shipmonk/subscription.json": (step(State.SCHEDULED, reason=Reason.SUBSCRIPTION), LINK),
    "shipmonk/address_error.json": (step(State.ADDRESS_ERROR, State.VERIFYING), b"{}"),
    "shipmonk/full.json": (two_parcels(), b"{}"),
    "shipmonk/test.json": (trial(), b"{}"),
    "standard/created.json": (step(State.CREATED, sequence=1), b"{}"),
    "standard/two_parcels.json": (two_parcels(), b"{}"),
    "standard/correction.json": (corrected(), b"{}"),
    "standard/test.json": (trial(), b"{}"),
}


def laid_out(body: Body) -> bytes:
    """The body as it is recorded: JSON indented, a form with a line for each field."""
    if body.content_type == "application/json":
        return msgspec.json.format(body.content, indent=2) + b"\n"
    return body.content.replace(b"&", b"\n&") + b"\n"


@pytest.mark.parametrize("name", CASES)
def test_a_body_is_the_one_on_record(name: str) -> None:
    notice, options = CASES[name]
    room = ROOMS[name.partition("/")[0]]
    body = room.body(notice, read_as(room.options, options))
    assert laid_out(body).decode() == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_record_is_of_a_case() -> None:
    found = {path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*") if path.is_file()}
    assert found == set(CASES)


def test_every_room_is_on_record() -> None:
    assert {name.partition("/")[0] for name in CASES} == set(ROOMS)
