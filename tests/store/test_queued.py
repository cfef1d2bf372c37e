"""What was queued for one endpoint, oldest first, with its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from milepost.delivery.model import Body, DeliveryState, Outcome
from milepost.delivery.outcome import Abandon
from milepost.errors import InvalidInput
from milepost.orders.lifecycle import State
from milepost.ports import Page
from milepost.ports.answers import Queued, QueuedPage
from tests.store.desk import NOW, Desk, at

LONG_AGO, LATER = at(-1_000_000), at(1_000_000)


def page_of(
    desk: Desk,
    *,
    after: str | None = None,
    limit: int = 50,
    since: datetime = LONG_AGO,
    until: datetime = LATER,
    endpoint_id: str = "ep_a",
) -> QueuedPage:
    asked: dict[str, Any] = {"since": since, "until": until, "page": Page(after, limit)}
    found: QueuedPage = desk.run(desk.store.queued(desk.account_id, endpoint_id, **asked))
    return found


def named(items: Sequence[Queued]) -> list[tuple[str, int, str]]:
    return [(q.delivery.order_id, q.delivery.sequence, q.delivery.state.value) for q in items]


def everything(desk: Desk, *, limit: int, **given: Any) -> list[tuple[str, int, str]]:
    found: list[Queued] = []
    after: str | None = None
    while True:
        page = page_of(desk, after=after, limit=limit, **given)
        assert len(page.items) <= limit
        found += page.items
        after = page.following
        if after is None:
            return named(found)


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_all_that_was_queued_is_listed_oldest_first_whatever_became_of_it(
    desk: Desk, limit: int
) -> None:
    mine, other = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    desk.place("K1", to=[mine, other], now=at(-30))
    desk.settle(*desk.claim(now=NOW), step=Abandon(), outcome=Outcome.TIMEOUT)
    desk.place("K2", to=[mine], now=at(-20))
    desk.settle(*desk.claim(now=NOW))
    waits = desk.place("K3", to=[mine], now=at(-10))
    desk.claim(now=NOW)
    desk.move(waits, State.PICKING, to=[mine, other], now=at(-5))
    desk.place("K4", to=[mine], now=at(-1))
    assert everything(desk, limit=limit) == [
        ("ord_k1", 1, "abandoned"),
        ("ord_k2", 1, "acknowledged"),
        ("ord_k3", 1, "pending"),
        ("ord_k3", 2, "pending"),
        ("ord_k4", 1, "pending"),
    ]
    assert everything(desk, limit=limit, since=at(-10))[0] == ("ord_k3", 1, "pending")
    assert everything(desk, limit=limit, endpoint_id="ep_none") == []


def test_each_comes_with_the_bytes_that_are_sent(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (queued,) = page_of(desk).items
    assert queued.body == Body(b"ord_k1 1")
    assert queued.delivery == desk.delivery(endpoint, order, 1)


def test_a_cursor_is_settled_no_later_than_what_was_asked(desk: Desk) -> None:
    endpoint = desk.endpoint()
    for n in range(4):
        desk.place(f"K{n}", to=[endpoint], now=at(n))
    page = page_of(desk, until=at(1), limit=3)
    assert len(page.items) == 3
    assert page.following is not None
    rest = page_of(desk, after=page.settled)
    assert named(rest.items) == [("ord_k2", 1, "pending"), ("ord_k3", 1, "pending")]
    assert page_of(desk, until=at(-1)).settled is None
    assert page_of(desk, after=page_of(desk).settled).items == []


def test_what_is_sent_again_keeps_its_place(desk: Desk) -> None:
    endpoint = desk.endpoint()
    first = desk.place("K1", to=[endpoint], now=at(1))
    desk.place("K2", to=[endpoint], now=at(2))
    desk.settle(*desk.claim(now=at(3)))
    desk.resend(endpoint, first, now=at(9))
    assert everything(desk, limit=1) == [
        ("ord_k1", 1, DeliveryState.PENDING.value),
        ("ord_k2", 1, DeliveryState.ACKNOWLEDGED.value),
    ]


def test_nobody_reads_what_was_queued_for_another_account(desk: Desk, neighbor: Desk) -> None:
    desk.place("K1", to=[desk.endpoint()])
    neighbor.endpoint()
    assert page_of(neighbor).items == []


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WyJvcmRfMSJd"])
def test_what_was_queued_goes_on_after_its_own_cursors_only(desk: Desk, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        page_of(desk, after=cursor)
