"""Telling from the sequence numbers whether notifications of an order are missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_receiver import Arrival, ConfigurationInvalid, Gaps, Notification, compare


def notice(
    sequence: int | None, *, previous: int | None = None, order_id: str | None = "ord_a"
) -> Notification:
    return Notification(
        delivery_id=None,
        order_id=order_id,
        sequence=sequence,
        previous=previous,
        attempt=1,
        replay=None,
        received=b"",
        known=True,
    )


@pytest.mark.parametrize(
    ("last", "sequence", "previous", "arrival"),
    [
        (None, 1, 0, Arrival.IN_ORDER),
        (0, 1, 0, Arrival.IN_ORDER),
        (None, 4, 0, Arrival.IN_ORDER),
        (None, 4, 2, Arrival.GAP),
        (2, 3, 2, Arrival.IN_ORDER),
        (2, 9, 2, Arrival.IN_ORDER),
        (2, 9, 5, Arrival.GAP),
        (5, 9, 2, Arrival.IN_ORDER),
        (5, 5, 4, Arrival.DUPLICATE),
        (5, 4, 3, Arrival.OUT_OF_ORDER),
        (5, 1, 0, Arrival.OUT_OF_ORDER),
        (5, None, None, Arrival.UNNUMBERED),
        (5, 6, None, Arrival.UNNUMBERED),
    ],
)
def test_a_notification_is_compared_with_the_last_sequence_known(
    last: int | None, sequence: int | None, previous: int | None, arrival: Arrival
) -> None:
    assert compare(last, notice(sequence, previous=previous)) is arrival


def test_a_life_without_loss_is_in_order_whatever_numbers_the_endpoint_does_not_get() -> None:
    gaps = Gaps()
    for sequence, previous in ((1, 0), (2, 1), (5, 2), (9, 5)):
        assert gaps.check(notice(sequence, previous=previous)) is Arrival.IN_ORDER
    assert gaps.last_sequence("ord_a") == 9


def test_a_gap_is_told_once_and_what_fills_it_late_is_out_of_order() -> None:
    gaps = Gaps()
    assert gaps.check(notice(1, previous=0)) is Arrival.IN_ORDER
    assert gaps.check(notice(3, previous=2)) is Arrival.GAP
    assert gaps.check(notice(4, previous=3)) is Arrival.IN_ORDER
    assert gaps.check(notice(2, previous=1)) is Arrival.OUT_OF_ORDER
    assert gaps.check(notice(4, previous=3)) is Arrival.DUPLICATE
    assert gaps.last_sequence("ord_a") == 4


def test_orders_do_not_disturb_each_other() -> None:
    gaps = Gaps()
    assert gaps.check(notice(1, previous=0)) is Arrival.IN_ORDER
    assert gaps.check(notice(1, previous=0, order_id="ord_b")) is Arrival.IN_ORDER
    assert gaps.check(notice(2, previous=1)) is Arrival.IN_ORDER
    assert gaps.last_sequence("ord_b") == 1
    assert gaps.last_sequence("ord_c") is None


def test_what_the_provider_itself_sends_is_unnumbered_and_leaves_no_trace() -> None:
    gaps = Gaps()
    assert gaps.check(notice(None, order_id=None)) is Arrival.UNNUMBERED
    assert len(gaps) == 0


def test_the_order_not_heard_of_for_longest_is_forgotten() -> None:
    gaps = Gaps(capacity=2)
    for order_id in ("ord_a", "ord_b", "ord_a", "ord_c"):
        gaps.check(notice(1, previous=0, order_id=order_id))
    assert len(gaps) == 2
    assert gaps.last_sequence("ord_b") is None
    assert gaps.check(notice(2, previous=1, order_id="ord_a")) is Arrival.IN_ORDER
    assert gaps.check(notice(2, previous=1, order_id="ord_b")) is Arrival.GAP


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_tracker_of_nothing_is_refused(capacity: int) -> None:
    with pytest.raises(ConfigurationInvalid):
        Gaps(capacity=capacity)


@given(
    queued=st.lists(st.integers(1, 60), unique=True, min_size=1).map(sorted),
    lost=st.sets(st.integers(1, 60)),
)
def test_a_gap_is_told_exactly_where_something_was_lost(queued: list[int], lost: set[int]) -> None:
    gaps = Gaps()
    missing = False
    for previous, sequence in zip([0, *queued], queued, strict=False):
        if sequence in lost:
            missing = True
            continue
        expected = Arrival.GAP if missing else Arrival.IN_ORDER
        assert gaps.check(notice(sequence, previous=previous)) is expected
        missing = False


@given(arrivals=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 8)), max_size=30))
def test_the_last_sequence_never_goes_back(arrivals: list[tuple[int, int]]) -> None:
    gaps = Gaps()
    highest = 0
    for sequence, previous in arrivals:
        arrival = gaps.check(notice(sequence, previous=min(previous, sequence - 1)))
        assert (arrival in {Arrival.DUPLICATE, Arrival.OUT_OF_ORDER}) is (sequence <= highest)
        highest = max(highest, sequence)
        assert gaps.last_sequence("ord_a") == highest
