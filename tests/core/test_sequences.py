"""Every sequence that a provider publishes, told in canonical states, is legal step by step."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order
from tests.core.making import hear, new_order, says

S = State

WITHINGS = {
    "CREATED": S.CREATED,
    "ADDRESS VERIFICATION": S.VERIFYING,
    "ADDRESS ERROR": S.ADDRESS_ERROR,
    "VERIFIED": S.VERIFIED,
    "PROCESSING": S.SUBMITTED,
    "FAILED": S.SUBMIT_FAILED,
    "OPEN": S.READY_TO_SHIP,
    "SHIPPED": S.SHIPPED,
    "TRASHED": S.CANCELLED,
    "BACKHOLD": S.ON_HOLD,
    "pending": S.SHIPPED,
    "info_received": S.INFO_RECEIVED,
    "in_transit": S.IN_TRANSIT,
    "failed_attempt": S.ATTEMPT_FAILED,
    "exception": S.EXCEPTION,
    "delayed": S.DELAYED,
    "pickup": S.AVAILABLE_FOR_PICKUP,
    "delivered": S.DELIVERED,
    "return": S.RETURNING,
    "expired": S.EXPIRED,
}

TEST_MODES = {
    "1": "VERIFIED PROCESSING OPEN SHIPPED pending info_received in_transit delivered",
    "2": "VERIFIED PROCESSING TRASHED",
    "3": "VERIFIED PROCESSING FAILED",
    "4": "VERIFIED PROCESSING BACKHOLD",
}

INFERRED = (
    "VERIFIED PROCESSING",
    "VERIFIED FAILED",
    "VERIFIED TRASHED",
    "VERIFIED FAILED PROCESSING",
    "VERIFIED FAILED TRASHED",
    "VERIFIED PROCESSING OPEN",
    "VERIFIED PROCESSING BACKHOLD",
    "VERIFIED PROCESSING FAILED",
    "VERIFIED PROCESSING TRASHED",
    "VERIFIED PROCESSING OPEN SHIPPED",
    "VERIFIED PROCESSING OPEN BACKHOLD",
    "VERIFIED PROCESSING OPEN TRASHED",
    "VERIFIED PROCESSING BACKHOLD PROCESSING",
    "VERIFIED PROCESSING BACKHOLD OPEN",
    "VERIFIED PROCESSING BACKHOLD TRASHED",
)

PARCEL_WORDS = tuple(word for word in WITHINGS if word.islower())

WITHINGS_LIVES = (
    "CREATED ADDRESS_VERIFICATION VERIFIED PROCESSING OPEN SHIPPED",
    "CREATED ADDRESS_ERROR VERIFIED PROCESSING",
    "CREATED ADDRESS_VERIFICATION ADDRESS_ERROR VERIFIED",
    "OPEN SHIPPED in_transit failed_attempt in_transit pickup delivered",
    "OPEN SHIPPED in_transit delayed exception in_transit delivered",
    "OPEN SHIPPED in_transit failed_attempt return",
    "OPEN SHIPPED in_transit expired delivered",
    "OPEN SHIPPED expired",
)

SHIPMONK: dict[str, Update] = {
    "queued_to_submit": says(S.VERIFIED),
    "subscription": says(S.SCHEDULED, reason=Reason.SUBSCRIPTION),
    "package_forwarding": says(S.SCHEDULED, reason=Reason.PACKAGE_FORWARDING),
    "awaiting_label": says(S.SCHEDULED, reason=Reason.MERCHANT_FACILITY),
    "unable_to_submit": says(S.SUBMIT_FAILED),
    "unable_to_submit(address)": says(S.ADDRESS_ERROR),
    "on_hold": says(S.ON_HOLD),
    "backorder": says(S.BACKORDERED),
    "submitted": says(S.SUBMITTED),
    "pick_in_progress": says(S.PICKING),
    "pack_in_progress": says(S.PACKING),
    "packed": says(S.PACKED),
    "awaiting_pick_up": says(S.READY_TO_SHIP),
    "awaiting_carrier_processing": says(S.SHIPPED),
    "en_route": says(S.IN_TRANSIT),
    "delivered": says(S.DELIVERED),
    "undeliverable": says(S.UNDELIVERABLE),
    "shipped_untrackable": says(S.UNTRACKED),
    "fulfilled_by_3rd": says(S.FULFILLED_ELSEWHERE),
    "cancellation_requested": says(S.CANCEL_REQUESTED),
    "cancelled": says(S.CANCELLED),
    "updating": says(updating=True),
    "updated": says(updating=False),
}

WAREHOUSE = "submitted pick_in_progress pack_in_progress packed awaiting_pick_up"

SHIPMONK_LIVES = {
    "happy": f"queued_to_submit {WAREHOUSE} awaiting_carrier_processing en_route delivered",
    "backorder": f"queued_to_submit backorder queued_to_submit {WAREHOUSE}",
    "backorder in the warehouse": "queued_to_submit submitted backorder submitted pick_in_progress",
    "backorder released": "backorder submitted pick_in_progress",
    "hold": f"queued_to_submit on_hold queued_to_submit {WAREHOUSE}",
    "hold while picking": "submitted pick_in_progress on_hold pick_in_progress pack_in_progress",
    "cancel granted": "queued_to_submit submitted cancellation_requested cancelled",
    "cancel refused": "submitted pick_in_progress cancellation_requested pick_in_progress packed",
    "cancel refused later": "submitted cancellation_requested pack_in_progress packed",
    "cancel too late": "packed cancellation_requested awaiting_carrier_processing en_route",
    "cancel far too late": "packed cancellation_requested en_route delivered",
    "cancelled at once": "queued_to_submit cancelled",
    "undeliverable": f"{WAREHOUSE} awaiting_carrier_processing en_route undeliverable",
    "undeliverable then delivered": "packed en_route undeliverable en_route delivered",
    "untrackable": f"{WAREHOUSE} awaiting_carrier_processing shipped_untrackable",
    "untrackable at once": "packed shipped_untrackable",
    "untrackable after all": "packed shipped_untrackable en_route delivered",
    "unable": "queued_to_submit unable_to_submit queued_to_submit submitted",
    "bad address": "unable_to_submit(address) queued_to_submit submitted",
    "another cause": "queued_to_submit unable_to_submit unable_to_submit(address) submitted",
    "subscription": "queued_to_submit subscription submitted",
    "forwarding": "package_forwarding submitted",
    "label": "awaiting_label submitted",
    "reason changed": "subscription package_forwarding submitted",
    "elsewhere": "queued_to_submit fulfilled_by_3rd",
    "an edit": "queued_to_submit updating updated submitted",
    "an edit that goes on": "submitted updating pick_in_progress updated pack_in_progress",
}


def play(order: Order, updates: Iterable[Update], *, repeats: bool = False) -> Order:
    """The order after updates a minute apart; a repeat may be a duplicate where it is said so."""
    for at, update in enumerate(updates):
        told = hear(order, says(update.state, at, reason=update.reason, updating=update.updating))
        fine = (Verdict.APPLIED, Verdict.DUPLICATE) if repeats else (Verdict.APPLIED,)
        assert told.verdict in fine, (order.state, update.state, told.why)
        order = told.order
    return order


def withings(words: str) -> list[Update]:
    return [says(WITHINGS[word.replace("_V", " V").replace("_E", " E")]) for word in words.split()]


@pytest.mark.parametrize("mode", TEST_MODES)
def test_each_test_mode_of_withings_plays_through(mode: str) -> None:
    words = TEST_MODES[mode].split()
    order = play(new_order(), withings(TEST_MODES[mode]), repeats=True)
    assert order.state is WITHINGS[words[-1]]
    # Only `pending` says again what SHIPPED said.
    assert order.sequence == 1 + len(words) - words.count("pending")


@pytest.mark.parametrize("words", INFERRED)
def test_each_inferred_step_of_withings_is_legal(words: str) -> None:
    assert play(new_order(), withings(words)).state is withings(words)[-1].state


@pytest.mark.parametrize("word", PARCEL_WORDS)
def test_each_parcel_word_of_withings_may_follow_shipped(word: str) -> None:
    order = play(new_order(), withings(f"OPEN SHIPPED {word}"), repeats=True)
    assert order.state is WITHINGS[word]


@pytest.mark.parametrize("words", WITHINGS_LIVES)
def test_each_whole_life_at_withings_plays_through(words: str) -> None:
    order = play(new_order(), withings(words), repeats=words.startswith("CREATED"))
    assert order.state is withings(words)[-1].state


def test_every_word_of_withings_is_played() -> None:
    lives = [*TEST_MODES.values(), *INFERRED, *WITHINGS_LIVES, *PARCEL_WORDS]
    played = {w.replace("_V", " V").replace("_E", " E") for life in lives for w in life.split()}
    assert played == set(WITHINGS)


@pytest.mark.parametrize("name", SHIPMONK_LIVES)
def test_each_life_at_shipmonk_plays_through(name: str) -> None:
    words = SHIPMONK_LIVES[name].split()
    order = play(new_order(), [SHIPMONK[word] for word in words])
    last = SHIPMONK[words[-1]]
    assert order.state is (last.state or order.state)
    assert order.reason is last.reason
    assert order.sequence == 1 + len(words)


def test_every_word_of_shipmonk_is_played() -> None:
    played = {w for life in SHIPMONK_LIVES.values() for w in life.split()}
    assert played == set(SHIPMONK)
