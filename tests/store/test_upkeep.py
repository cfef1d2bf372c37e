"""What is cleared away: orders whose time is over, in two steps; what is pending stays whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from milepost.delivery.model import DeliveryState, Endpoint
from milepost.delivery.outcome import Abandon
from milepost.errors import UnknownRecord
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, Parcel
from milepost.ports import Changes, DeliveryFilter, Lease, OrderRef, Page
from milepost.ports.upkeep import Standing, Swept
from tests.store.desk import ACCOUNT, ME, NOW, SOMEONE, Desk, a_delivery, at, kept

LATER = NOW + timedelta(days=90)


def always(_standing: Standing) -> bool:
    return True


def drop(desk: Desk, *orders: Order, is_due: Any = always) -> list[str]:
    names = [order.order_id for order in orders]
    found = desk.run(desk.store.drop_orders(ACCOUNT, names, is_due=is_due, now=LATER))
    return list(found)


def sweep(desk: Desk, *, limit: int = 1_000, name: tuple[str, str] | None = None) -> Swept:
    swept: Swept = desk.run(desk.store.sweep(name=name, limit=limit))
    return swept


def sweep_all(desk: Desk, *, limit: int = 1_000) -> int:
    """How often it took."""
    turns = 1
    while sweep(desk, limit=limit).more:
        turns += 1
        assert turns < 1_000
    return turns


def is_gone(desk: Desk, order: Order) -> bool:
    try:
        desk.run(desk.store.order(OrderRef(ACCOUNT, order_id=order.order_id)))
    except UnknownRecord:
        return True
    return False


def deliveries(desk: Desk, order: Order) -> list[DeliveryState]:
    wanted = DeliveryFilter(order_id=order.order_id)
    found, _ = desk.run(desk.store.deliveries(ACCOUNT, wanted=wanted, page=Page(limit=100)))
    return [delivery.state for delivery in found]


def settled_order(desk: Desk, key: str, endpoint: Endpoint) -> Order:
    """An order with two notifications that were received."""
    order = desk.place(key, to=[endpoint])
    order = desk.move(order, State.DELIVERED, to=[endpoint])
    for _ in range(2):
        desk.settle(*desk.claim())
        desk.run(desk.store.release(owner=ME, now=NOW))
    assert deliveries(desk, order) == [DeliveryState.ACKNOWLEDGED] * 2
    return order


# orders


def test_an_order_that_was_taken_off_is_found_by_nobody_and_leaves_nothing(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order, other = settled_order(desk, "K1", endpoint), settled_order(desk, "K2", endpoint)
    assert drop(desk, order) == [order.order_id]
    assert is_gone(desk, order)
    assert desk.run(desk.store.find_orders(ACCOUNT, "K1")) == []
    assert sweep(desk).orders == 1
    assert deliveries(desk, order) == []
    assert desk.run(desk.store.history(ACCOUNT, order.order_id, after=0, limit=9)) == []
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.delivery(ACCOUNT, endpoint.endpoint_id, order.order_id, 1))
    assert desk.attempts(endpoint, order) == []
    assert not is_gone(desk, other)
    assert deliveries(desk, other) == [DeliveryState.ACKNOWLEDGED] * 2
    assert len(desk.attempts(endpoint, other)) == 1
    counts = desk.run(desk.store.counts(ACCOUNT))
    assert (counts.orders, counts.events, counts.attempts) == (1, 2, 2)


def test_an_order_with_a_pending_delivery_is_not_taken_off(desk: Desk) -> None:
    endpoint, silent = desk.endpoint(), desk.endpoint("ep_b")
    order = desk.place("K1", to=[endpoint, silent])
    assert drop(desk, order) == []
    claimed = {c.endpoint.endpoint_id: c for c in desk.claim()}
    desk.settle(claimed["ep_a"])
    assert drop(desk, order) == []
    desk.settle(claimed["ep_b"], step=Abandon())
    assert drop(desk, order) == [order.order_id]


def test_an_order_whose_delivery_is_sent_again_stays_until_that_is_settled(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = settled_order(desk, "K1", endpoint)
    desk.resend(endpoint, order)
    assert drop(desk, order) == []
    (claimed,) = desk.claim()
    assert claimed.replay == 1
    desk.settle(claimed)
    assert drop(desk, order) == [order.order_id]


def test_whether_an_order_is_due_is_asked_of_how_it_stands_then(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = settled_order(desk, "K1", endpoint)
    asked: list[Standing] = []

    def is_due(standing: Standing) -> bool:
        asked.append(standing)
        return False

    assert drop(desk, order, is_due=is_due) == []
    assert {(s.order_id, s.state, s.updated_at, s.is_pending, s.settled_at) for s in asked} == {
        (order.order_id, State.DELIVERED, NOW, False, NOW)
    }
    assert not is_gone(desk, order)


def test_the_same_order_can_come_anew_after_it_was_taken_off(desk: Desk) -> None:
    endpoint = desk.endpoint()
    drop(desk, settled_order(desk, "K1", endpoint))
    again = desk.place("K1", to=[endpoint], order_id="ord_again")
    sweep_all(desk)
    assert not is_gone(desk, again)
    assert deliveries(desk, again) == [DeliveryState.PENDING]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_sweep_clears_few_rows_at_a_time_and_goes_on_where_it_stopped(
    desk: Desk, limit: int
) -> None:
    endpoint = desk.endpoint()
    orders = [settled_order(desk, f"K{n}", endpoint) for n in range(3)]
    drop(desk, *orders)
    first = sweep(desk, limit=limit)
    assert first.rows <= limit
    assert first.more
    sweep_all(desk, limit=limit)
    counts = desk.run(desk.store.counts(ACCOUNT))
    assert (counts.orders, counts.events, counts.attempts) == (0, 0, 0)
    assert sweep(desk) == Swept(0, 0, more=False)


def test_what_a_process_left_in_the_middle_is_swept_by_the_next(desk: Desk, another: Any) -> None:
    endpoint = desk.endpoint()
    drop(desk, settled_order(desk, "K1", endpoint))
    sweep(desk, limit=2)
    next_one = Desk(another(), desk.run)
    sweep_all(next_one)
    assert desk.run(desk.store.counts(ACCOUNT)).events == 0


def test_orders_are_walked_by_their_ids_between_two(desk: Desk, neighbor: Desk) -> None:
    for key in ("K1", "K2", "K3"):
        desk.place(key)
    neighbor.place("K2")

    def walk(after: str, before: str) -> list[str]:
        found = desk.run(desk.store.aged_orders(ACCOUNT, after=after, before=before, limit=2))
        return [aged.order_id for aged in found]

    assert walk("ord_", "ord_z") == ["ord_k1", "ord_k2"]
    assert walk("ord_k2", "ord_z") == ["ord_k3"]
    assert walk("ord_", "ord_k2") == ["ord_k1"]


def test_an_intake_that_read_an_order_before_it_was_taken_off_decides_again(
    desk: Desk,
) -> None:
    order = desk.place("K1")
    seen: list[Order | None] = []

    def decide(snapshot: Any) -> Changes:
        (found,) = snapshot.orders
        seen.append(found)
        return Changes()

    drop(desk, order)
    desk.change(decide, refs=[OrderRef(ACCOUNT, order_id=order.order_id)])
    assert seen == [None]


# what belongs to no order


def test_updates_that_were_kept_go_by_when_they_came_in(desk: Desk) -> None:
    for number, day in enumerate((0, 1, 2)):
        name = f"upd_{number}"
        desk.change(Changes(quarantined=[kept(name, Verdict.STALE, received_at=at(day * 86_400))]))
    named: dict[str, Any] = {"before": "upd_9", "until": at(86_400), "limit": 10}
    assert desk.run(desk.store.old_quarantined(ACCOUNT, **named)) == 2
    assert desk.run(desk.store.drop_quarantined(ACCOUNT, **{**named, "limit": 1})) == 1
    assert desk.run(desk.store.drop_quarantined(ACCOUNT, **named)) == 1
    left, _ = desk.run(desk.store.quarantine(ACCOUNT, verdict=None, page=Page()))
    assert [update.update_id for update in left] == ["upd_2"]


def notices(desk: Desk, prefix: str, *, until: Any = LATER, limit: int = 100) -> Any:
    found, _ = desk.run(
        desk.store.old_notices(ACCOUNT, prefix=prefix, after=None, until=until, limit=limit)
    )
    return found


def test_test_notifications_go_when_they_were_settled_long_enough_ago(desk: Desk) -> None:
    endpoint = desk.endpoint()
    made_up = [desk.place(key, order_id=f"tst_{key}") for key in ("K1", "K2")]
    for order in made_up:
        drop(desk, order)
        sweep_all(desk)
        desk.run(desk.store.add_delivery(a_delivery(endpoint, order), now=NOW))
    first, second = desk.claim()
    desk.settle(first)
    assert [n.order_id for n in notices(desk, "tst_")] == [first.order_id]
    assert notices(desk, "tst_", until=NOW - timedelta(seconds=1)) == []
    assert notices(desk, "ops_") == []
    found = notices(desk, "tst_")
    assert desk.run(desk.store.drop_notices(ACCOUNT, found)) == 1
    assert desk.run(desk.store.drop_notices(ACCOUNT, found)) == 0
    counts = desk.run(desk.store.counts(ACCOUNT))
    assert (counts.attempts, sum(counts.deliveries.values())) == (0, 1)
    desk.settle(second)


def test_the_latest_operational_event_of_an_endpoint_stays(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", order_id="ops_ep_a")
    drop(desk, order)
    sweep_all(desk)
    for sequence in (1, 2, 3):
        event = msgspec.structs.replace(order, sequence=sequence)
        desk.run(desk.store.add_delivery(a_delivery(endpoint, event), now=NOW))
        desk.settle(*desk.claim())
    assert [n.sequence for n in notices(desk, "ops_")] == [1, 2]


def test_deliveries_of_orders_are_no_notices(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint], order_id="tst_rehearsed")
    desk.settle(*desk.claim())
    assert notices(desk, "tst_") == []
    assert drop(desk, order) == ["tst_rehearsed"]


# whose it is


def lease(owner: str, *, seconds: float = 60) -> Lease:
    return Lease(owner, at(seconds))


def test_one_process_alone_does_the_upkeep_until_its_lease_is_over(desk: Desk) -> None:
    def take(owner: str, now: float, not_since: float | None = None) -> bool:
        since = None if not_since is None else at(not_since)
        taken: bool = desk.run(
            desk.store.take_upkeep(
                lease=lease(owner, seconds=now + 60), now=at(now), not_since=since
            )
        )
        return taken

    assert take(ME, 0)
    assert not take(SOMEONE, 10)
    assert take(ME, 20)
    assert not take(SOMEONE, 79)
    assert take(SOMEONE, 80)
    assert not desk.run(desk.store.renew_upkeep(lease=lease(ME)))
    assert desk.run(desk.store.renew_upkeep(lease=lease(SOMEONE, seconds=200)))
    assert not take(ME, 190)
    desk.run(desk.store.end_upkeep(owner=SOMEONE, report='{"orders":3}', now=at(195)))
    record = desk.run(desk.store.upkeep())
    assert (record.begun_at, record.ended_at, record.report) == (at(80), at(195), '{"orders":3}')
    assert record.owner is None
    # It was done lately, and by whom does not matter.
    assert not take(ME, 200, not_since=79)
    assert take(ME, 200, not_since=80)
    # It was begun just now, but its lease is over without an end.
    assert take(SOMEONE, 300, not_since=79)


def test_before_the_first_upkeep_there_is_nothing_to_tell(desk: Desk) -> None:
    record = desk.run(desk.store.upkeep())
    assert (record.begun_at, record.report) == (None, "")


def test_parcels_and_content_go_with_their_order(desk: Desk) -> None:
    order = desk.place("K1", parcels=(Parcel("1", tracking_number="1Z"),))
    drop(desk, order)
    sweep_all(desk)
    assert desk.run(desk.store.find_orders(ACCOUNT, "1Z")) == []
    again = desk.place("K1")
    assert again.parcels == ()
    read = desk.run(desk.store.order(OrderRef(ACCOUNT, order_id=again.order_id)))
    assert read.parcels == ()
