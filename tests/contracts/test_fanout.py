"""Who is told of an event: an endpoint for which its contract shows something new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from milepost.contracts import ROOMS
from milepost.contracts.fanout import fan_out
from milepost.delivery.model import Endpoint, NewDelivery
from milepost.orders.events import Update
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.orders.move import move
from tests.contracts import orders

OPTIONS = {"withings": b'{"customer_id":"C-1"}'}


def endpoint(contract: str, **facts: Any) -> Endpoint:
    defaults = {
        "account_id": "acc_1",
        "endpoint_id": f"ep_{contract}",
        "contract": contract,
        "url": "https://receiver.example/hook",
        "schedule": "rehearsal",
        "created_at": orders.CREATED_AT,
        "updated_at": orders.CREATED_AT,
        "options": OPTIONS.get(contract, b"{}"),
    }
    return Endpoint(**{**defaults, **facts})


def told(before: Order | None, after: Order, *endpoints: Endpoint) -> list[NewDelivery]:
    return fan_out(
        orders.event(after, previous_state=before and before.state),
        before=before,
        after=after,
        store=orders.STORE,
        endpoints=endpoints,
        rooms=ROOMS,
        lease=lambda endpoint: endpoint.endpoint_id == "ep_leased",
    )


def play(contract: str, said: Sequence[Mapping[str, str]], **facts: Any) -> list[str]:
    """The words that an endpoint is sent while a provider says these, one after the other."""
    room, now = ROOMS[contract], orders.OCCURRED_AT
    first = room.reads(said[0])
    order = orders.order(first.state or State.CREATED, first.reason, sequence=1)
    sent = [d.status for d in told(None, order, endpoint(contract))]
    for number, words in enumerate(said[1:], start=1):
        reading, at = room.reads(words), now + timedelta(minutes=number)
        update = Update(
            "provider", reading.state, reading.reason, at, updating=reading.updating, **facts
        )
        result = move(order, update, now=at)
        if result.event is not None:
            sent += [d.status for d in told(order, result.order, endpoint(contract))]
        order = result.order
    return sent


@pytest.mark.parametrize(
    "statuses",
    [
        "VERIFIED PROCESSING OPEN SHIPPED",
        "VERIFIED PROCESSING TRASHED",
        "VERIFIED PROCESSING FAILED",
        "VERIFIED PROCESSING BACKHOLD",
        "VERIFIED PROCESSING BACKHOLD OPEN SHIPPED",
        "VERIFIED FAILED PROCESSING OPEN BACKHOLD TRASHED",
    ],
)
def test_withings_sequences_go_out_as_they_came_in(statuses: str) -> None:
    said = [{"status": status} for status in statuses.split()]
    assert play("withings", said) == statuses.split()


@pytest.mark.parametrize(
    "statuses",
    [
        "info_received in_transit delivered",
        "info_received in_transit failed_attempt pickup delivered",
        "in_transit delayed exception return",
        "in_transit exception expired",
    ],
)
def test_withings_parcel_statuses_go_out_as_they_came_in(statuses: str) -> None:
    said = [{"status": "OPEN"}, {"status": "SHIPPED"}]
    said += [{"parcel_status": status} for status in statuses.split()]
    assert play("withings", said) == ["OPEN", "SHIPPED", *statuses.split()]


def test_pending_after_shipped_is_nothing_new() -> None:
    said = [{"status": "SHIPPED"}, {"parcel_status": "pending"}, {"parcel_status": "in_transit"}]
    assert play("withings", said) == ["SHIPPED", "in_transit"]


@pytest.mark.parametrize(
    "statuses",
    [
        "queued_to_submit submitted pick_in_progress pack_in_progress packed awaiting_pick_up",
        "awaiting_pick_up awaiting_carrier_processing en_route delivered",
        "subscription submitted backorder submitted packed en_route undeliverable",
        "package_forwarding on_hold submitted cancellation_requested cancelled",
        "unable_to_submit submitted packed shipped_untrackable",
    ],
)
def test_shipmonk_sequences_go_out_as_they_came_in(statuses: str) -> None:
    said = [{"processing_status": status} for status in statuses.split()]
    assert play("shipmonk", said) == statuses.split()


@pytest.mark.parametrize("after", ["submitted", "pick_in_progress"])
def test_an_edit_is_not_told_and_the_status_after_it_is(after: str) -> None:
    said = [{"processing_status": status} for status in ("submitted", "updating", after)]
    assert play("shipmonk", said) == ["submitted", after]


def test_a_contract_that_shows_nothing_new_tells_nothing() -> None:
    before = orders.order(State.SUBMITTED)
    after = orders.order(State.PICKING, previous_state=State.SUBMITTED)
    sent = told(before, after, *(endpoint(name) for name in ROOMS))
    assert [d.endpoint.contract for d in sent] == ["shipmonk", "standard"]


def test_a_cancellation_that_was_asked_for_and_refused_is_unknown_to_withings() -> None:
    packed = orders.order(State.PACKED, previous_state=State.SUBMITTED)
    asked = orders.order(State.CANCEL_REQUESTED, previous_state=State.PACKED)
    again = orders.order(State.PACKED, previous_state=State.CANCEL_REQUESTED)
    assert told(packed, asked, endpoint("withings")) == []
    assert told(asked, again, endpoint("withings")) == []


def test_subscriptions_choose_by_store_and_by_word() -> None:
    after = orders.order(State.SHIPPED, previous_state=State.PACKED)
    before = orders.order(State.PACKED)
    wanted = endpoint("withings", stores=("main",), statuses=("SHIPPED",))
    assert [d.status for d in told(before, after, wanted)] == ["SHIPPED"]
    assert told(before, after, endpoint("withings", stores=("other",))) == []
    assert told(before, after, endpoint("withings", statuses=("delivered",))) == []


def test_endpoints_that_speak_alike_share_one_body() -> None:
    alike = [endpoint("withings", endpoint_id=f"ep_{n}") for n in range(3)]
    other = endpoint("withings", options=b'{"customer_id":"C-2"}')
    sent = told(None, orders.order(State.VERIFIED), *alike, other)
    assert sent[0].body is sent[1].body is sent[2].body
    assert sent[3].body != sent[0].body


def test_the_neutral_contract_is_given_the_words_of_the_others() -> None:
    (sent,) = told(None, orders.order(State.VERIFIED), endpoint("standard"))
    assert msgspec.json.decode(sent.body.content)["data"]["words"] == {
        "withings": {"status": "VERIFIED", "parcel_status": None},
        "shipmonk": {"processing_status": "queued_to_submit", "order_status": "unfulfilled"},
    }


def test_only_the_endpoints_that_can_be_sent_to_at_once_ask_for_a_lease() -> None:
    both = (endpoint("standard"), endpoint("standard", endpoint_id="ep_leased"))
    assert [d.lease for d in told(None, orders.order(), *both)] == [False, True]
