"""Whoever decided on what another process has changed meanwhile decides again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from milepost.errors import StoreError
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.ports import Changes, OrderRef, Snapshot
from milepost.store.postgres import intake
from tests.postgres.deciding import Once, key_of, next_event
from tests.postgres.elsewhere import Elsewhere
from tests.postgres.invariants import broken
from tests.store.desk import ACCOUNT, NOW, Desk, an_event, an_order, kept, names


@pytest.fixture
def elsewhere(url: str, desk: Desk) -> Iterator[Elsewhere]:
    other = Elsewhere(url)
    yield other
    other.close()


@pytest.fixture(autouse=True)
def nothing_is_broken(url: str) -> Iterator[None]:
    yield
    assert asyncio.run(broken(url)) == {}


def test_an_order_that_was_changed_meanwhile_is_decided_on_again(
    desk: Desk, elsewhere: Elsewhere
) -> None:
    order = desk.place("K1")
    decide = Once(lambda: elsewhere.desk.move(order, State.PACKED), next_event)
    desk.change(decide, refs=[key_of(order)])
    assert [s.orders[0] and s.orders[0].sequence for s in decide.seen] == [1, 2]
    history = desk.run(desk.store.history(ACCOUNT, order.order_id, after=0, limit=9))
    assert [(e.sequence, e.state) for e in history] == [
        (1, State.CREATED),
        (2, State.PACKED),
        (3, State.PICKING),
    ]


def test_an_order_that_was_created_meanwhile_is_decided_on_again(
    desk: Desk, elsewhere: Elsewhere
) -> None:
    mine = an_order("K1", order_id="ord_mine")

    def create(snapshot: Snapshot) -> Changes:
        if snapshot.orders[0] is not None:
            return next_event(snapshot)
        return Changes(created=[mine], events=[an_event(mine)])

    decide = Once(lambda: elsewhere.desk.place("K1"), create)
    desk.change(decide, refs=[key_of(mine)])
    assert [s.orders[0] and s.orders[0].order_id for s in decide.seen] == [None, "ord_k1"]
    assert desk.run(desk.store.order(key_of(mine))).sequence == 2


def test_an_endpoint_that_was_added_meanwhile_is_told(desk: Desk, elsewhere: Elsewhere) -> None:
    order = desk.place("K1")
    decide = Once(elsewhere.desk.endpoint, next_event)
    desk.change(decide, refs=[key_of(order)])
    assert [c.sequence for c in desk.claim()] == [2]


def test_an_endpoint_that_was_deleted_meanwhile_gets_nothing(
    desk: Desk, elsewhere: Elsewhere
) -> None:
    desk.endpoint("ep_a")
    desk.endpoint("ep_b")
    order = desk.place("K1")
    store = elsewhere.store
    decide = Once(
        lambda: elsewhere.run(store.delete_endpoint(ACCOUNT, "ep_a", now=NOW)), next_event
    )
    desk.change(decide, refs=[key_of(order)])
    assert names(desk.claim()) == [("ep_b", order.order_id, 2)]


def test_an_update_that_came_meanwhile_is_applied_to_the_order_it_was_kept_for(
    desk: Desk, elsewhere: Elsewhere
) -> None:
    order = an_order("K1")

    def create(snapshot: Snapshot) -> Changes:
        waiting = snapshot.waiting[ACCOUNT, "shop", "K1"]
        released = [
            msgspec.structs.replace(orphan, verdict=Verdict.APPLIED, order_id=order.order_id)
            for orphan in waiting
        ]
        return Changes(created=[order], events=[an_event(order)], released=released)

    orphan = kept("upd_1")

    def keep(snapshot: Snapshot) -> Changes:
        assert snapshot.orders == [None]
        return Changes(quarantined=[orphan])

    decide = Once(lambda: elsewhere.desk.change(keep, refs=[key_of(order)]), create)
    desk.change(decide, refs=[key_of(order)])
    assert [s.waiting[ACCOUNT, "shop", "K1"] for s in decide.seen] == [[], [orphan]]


def test_an_update_whose_order_came_meanwhile_is_not_kept_for_it(
    desk: Desk, elsewhere: Elsewhere
) -> None:
    def keep(snapshot: Snapshot) -> Changes:
        if snapshot.orders[0] is not None:
            return next_event(snapshot)
        return Changes(quarantined=[kept("upd_1")])

    decide = Once(lambda: elsewhere.desk.place("K1"), keep)
    desk.change(decide, refs=[OrderRef(ACCOUNT, store="shop", order_key="K1")])
    assert len(decide.seen) == 2
    assert desk.run(desk.store.counts()).quarantined == 0


def test_whoever_is_overtaken_again_and_again_locks_the_orders_and_gets_through(
    desk: Desk, elsewhere: Elsewhere
) -> None:
    order = desk.place("K1")
    seen: list[int] = []

    def decide(snapshot: Snapshot) -> Changes:
        (found,) = snapshot.orders
        assert found is not None
        seen.append(found.sequence)
        if len(seen) <= intake.FREE_TURNS:
            elsewhere.desk.move(found, State.PACKED)
        return next_event(snapshot)

    desk.change(decide, refs=[key_of(order)])
    assert seen == [1, 2, 3, 4]


def test_changes_at_odds_with_the_database_are_refused_and_not_tried_for_ever(
    desk: Desk,
) -> None:
    order = desk.place("K1")
    seen: list[Snapshot] = []

    def repeat(snapshot: Snapshot) -> Changes:
        seen.append(snapshot)
        return Changes(changed=[order], events=[an_event(order)])

    with pytest.raises(StoreError):
        desk.change(repeat, refs=[key_of(order)])
    assert len(seen) <= 2
