"""What was not delivered, and what each endpoint acknowledged of an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from milepost.delivery.model import Delivery, DeliveryState, Outcome
from milepost.delivery.outcome import Abandon, Acknowledge, Retry
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import State
from milepost.ports import Lease, Page, Settlement
from milepost.ports.answers import Acknowledgement, Told
from tests.store.desk import ACCOUNT, ME, NOW, Desk, an_attempt, at

PENDING, ACKNOWLEDGED, ABANDONED = (
    DeliveryState.PENDING,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.ABANDONED,
)
FAILED = Outcome.TIMEOUT


def undelivered(
    desk: Desk, *, endpoint_id: str | None = None, limit: int = 50
) -> list[tuple[str, str, int, DeliveryState]]:
    """All of it, page by page."""
    found: list[Delivery] = []
    after: str | None = None
    while True:
        page = Page(after, limit)
        part, after = desk.run(
            desk.store.undelivered(desk.account_id, endpoint_id=endpoint_id, page=page)
        )
        assert len(part) <= limit
        found += part
        if after is None:
            return [(d.endpoint_id, d.order_id, d.sequence, d.state) for d in found]


def told(desk: Desk, order_id: str) -> Sequence[Told]:
    found: Sequence[Told] = desk.run(desk.store.told(desk.account_id, order_id))
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_what_is_not_acknowledged_is_listed_oldest_first_whatever_became_of_it(
    desk: Desk, limit: int
) -> None:
    first, other = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    lost = desk.place("K1", to=[first, other], now=at(-30))
    desk.settle(*desk.claim(now=NOW), step=Abandon(), outcome=FAILED)
    desk.place("K2", to=[first], now=at(-20))
    desk.settle(*desk.claim(now=NOW))
    waits = desk.place("K3", to=[first], now=at(-10))
    desk.settle(*desk.claim(now=NOW), step=Retry(at(900)), outcome=FAILED)
    desk.move(waits, State.PICKING, to=[first, other], now=at(-5))
    desk.claim(now=NOW)
    everything = [
        ("ep_a", lost.order_id, 1, ABANDONED),
        ("ep_b", lost.order_id, 1, ABANDONED),
        ("ep_a", waits.order_id, 1, PENDING),
        ("ep_a", waits.order_id, 2, PENDING),
        ("ep_b", waits.order_id, 2, PENDING),
    ]
    assert undelivered(desk, limit=limit) == everything
    assert undelivered(desk, endpoint_id="ep_b", limit=limit) == [
        row for row in everything if row[0] == "ep_b"
    ]
    assert undelivered(desk, endpoint_id="ep_none", limit=limit) == []


def test_what_was_queued_since_a_page_was_read_comes_on_a_later_one(desk: Desk) -> None:
    endpoint = desk.endpoint()
    for n in range(3):
        desk.place(f"K{n}", to=[endpoint], now=at(n))
    read = desk.store.undelivered
    first, after = desk.run(read(ACCOUNT, endpoint_id=None, page=Page(limit=2)))
    desk.settle(*desk.claim(now=at(1)), now=at(1))
    desk.place("K9", to=[endpoint], now=at(9))
    rest, end = desk.run(read(ACCOUNT, endpoint_id=None, page=Page(after, limit=2)))
    assert [d.order_id for d in first] == ["ord_k0", "ord_k1"]
    assert ([d.order_id for d in rest], end) == (["ord_k2", "ord_k9"], None)


def test_what_is_sent_again_is_pending_until_it_is_acknowledged(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.settle(*desk.claim(), step=Abandon(), outcome=FAILED)
    desk.resend(endpoint, order, now=at(1))
    assert [row[3] for row in undelivered(desk)] == [PENDING]
    desk.settle(*desk.claim(now=at(1)), now=at(2))
    assert undelivered(desk) == []


def test_what_an_endpoint_left_behind_is_listed_after_it_is_gone(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    desk.run(desk.store.delete_endpoint(ACCOUNT, "ep_a", now=at(1)))
    assert undelivered(desk) == [("ep_a", order.order_id, 1, ABANDONED)]
    assert undelivered(desk, endpoint_id="ep_a") == [("ep_a", order.order_id, 1, ABANDONED)]


def test_nobody_sees_what_another_account_was_not_told(desk: Desk, neighbor: Desk) -> None:
    order = desk.place("K1", to=[desk.endpoint()])
    neighbor.endpoint()
    assert undelivered(neighbor) == []
    assert told(neighbor, order.order_id) == []


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WyJvcmRfMSJd"])
def test_what_was_not_delivered_goes_on_after_its_own_cursors_only(desk: Desk, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        desk.run(desk.store.undelivered(ACCOUNT, endpoint_id=None, page=Page(cursor)))


def test_what_each_endpoint_was_told_of_an_order(desk: Desk) -> None:
    good, bad, late = desk.endpoint("ep_a"), desk.endpoint("ep_b"), desk.endpoint("ep_c")
    order = desk.place("K1", to=[good, bad])
    for claimed in desk.claim():
        if claimed.endpoint.endpoint_id == "ep_b":
            desk.settle(claimed, step=Abandon(), outcome=FAILED)
        else:
            desk.settle(claimed)
    desk.place("K2", to=[good])
    order = desk.move(order, State.PICKING, State.PACKED, to=[good, bad, late], now=at(5))
    found = {t.newest.endpoint_id: t for t in told(desk, order.order_id)}
    assert {name: _standing(t) for name, t in found.items()} == {
        "ep_a": (3, PENDING, 1, 2, 0, 0),
        "ep_b": (3, PENDING, None, 2, 1, 0),
        "ep_c": (3, PENDING, None, 2, 0, 0),
    }
    assert found["ep_a"].acknowledged == Acknowledgement(1, "created", NOW)
    assert {t.waits_since for t in found.values()} == {at(5)}
    assert found["ep_a"].newest == desk.delivery(good, order, 3)


def _standing(one: Told) -> tuple[Any, ...]:
    acknowledged = one.acknowledged and one.acknowledged.sequence
    counts = (one.pending, one.abandoned, one.superseded)
    return (one.newest.sequence, one.newest.state, acknowledged, *counts)


def test_the_last_acknowledgement_is_the_last_in_time_also_of_an_earlier_one(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.move(desk.place("K1", to=[endpoint]), State.PICKING, to=[endpoint])
    (second,) = desk.settle(*desk.claim())
    desk.settle(second)
    (before,) = told(desk, order.order_id)
    assert before.acknowledged == Acknowledgement(2, "picking", NOW)
    desk.resend(endpoint, order, 1, now=at(5))
    (again,) = desk.claim(now=at(5))
    (waiting,) = told(desk, order.order_id)
    assert (waiting.acknowledged, waiting.pending) == (before.acknowledged, 1)
    lease = Lease(ME, at(60))
    received = Settlement(again, an_attempt(again, started_at=at(5)), Acknowledge())
    desk.run(desk.store.settle([received], lease=lease, now=at(6)))
    (after,) = told(desk, order.order_id)
    assert after.acknowledged == Acknowledgement(1, "created", at(5))
    assert (after.newest.sequence, after.pending) == (2, 0)


def test_an_order_that_nobody_was_told_of_has_no_answer(desk: Desk) -> None:
    order = desk.place("K1")
    assert told(desk, order.order_id) == []
    assert told(desk, "ord_none") == []
