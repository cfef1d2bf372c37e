"""The intake transaction: what the decision sees, and that what it decides is kept whole."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from milepost.delivery.model import Body, DeliveryState, EndpointState
from milepost.errors import StoreError, UnknownRecord
from milepost.orders.events import Update, Verdict
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import (
    Lot,
    OrderContent,
    PackedItem,
    Parcel,
    ParcelDetails,
    Weight,
)
from milepost.orders.move import move
from milepost.ports import Changes, OrderRef, Page, Snapshot
from tests.store.desk import (
    ACCOUNT,
    HOLD,
    ME,
    NOW,
    OTHER,
    Desk,
    a_delivery,
    an_event,
    an_order,
    at,
    kept,
    moved,
    names,
)

NOTHING = Changes()
FIRST_PARCEL = Parcel(
    "1",
    state=State.IN_TRANSIT,
    state_at=at(-5),
    source_sequence=12,
    carrier="UPS",
    carrier_service="Ground",
    tracking_number="1Z999",
    tracking_url="https://ups.example/1Z999",
    created_at=at(-9),
    told_by="carrier",
    precedence=7,
    details=ParcelDetails(
        number=1,
        weight=Weight(Decimal("1.250"), "kg"),
        items=(PackedItem(sku="SKU-1", quantity=2, lots=(Lot("L1", date(2027, 1, 2)),)),),
        extensions={"shipmonk": msgspec.Raw(b'{"box":1}')},
    ),
)
RICH: dict[str, Any] = {
    "told_by": "warehouse",
    "precedence": -3,
    "corrections": ("0123456789abcdef", "fedcba9876543210"),
    "state": State.SCHEDULED,
    "reason": Reason.FUTURE_DATE,
    "previous_state": State.CREATED,
    "source_sequence": 44,
    "updating": True,
    "shipped_at": at(-100),
    "parcels": (FIRST_PARCEL, Parcel("0"), Parcel("é 2", tracking_number="T2")),
}


def order_of(desk: Desk, key: str) -> Any:
    return desk.run(desk.store.order(OrderRef(desk.account_id, store="shop", order_key=key)))


def test_an_order_comes_back_as_it_was_written(desk: Desk) -> None:
    plain, rich = desk.place("K1"), desk.place("K2", **RICH)
    assert order_of(desk, "K1") == plain
    assert order_of(desk, "K2") == rich
    assert desk.run(desk.store.order(OrderRef(ACCOUNT, order_id=rich.order_id))) == rich


def test_an_order_without_a_number_or_with_its_key_for_number_comes_back(desk: Desk) -> None:
    for key, number in (("K1", None), ("K2", "K2")):
        order = desk.place(key, content=OrderContent(order_number=number))
        assert order_of(desk, key) == order


def test_the_decision_sees_each_order_in_the_order_asked(desk: Desk) -> None:
    first, second = desk.place("K1", **RICH), desk.place("K2")
    refs = [
        OrderRef(ACCOUNT, store="shop", order_key="K2"),
        OrderRef(ACCOUNT, order_id="ord_nowhere"),
        OrderRef(ACCOUNT, order_id=first.order_id),
        OrderRef(ACCOUNT, store="elsewhere", order_key="K2"),
        OrderRef(ACCOUNT, store="shop", order_key="K2"),
        OrderRef(ACCOUNT),
    ]
    desk.change(NOTHING, refs=refs)
    assert desk.snapshots[-1].orders == [second, None, first, None, second, None]


@pytest.mark.parametrize("count", [1, 49, 50, 51, 64, 1_000])
def test_a_batch_of_any_size_is_written_and_read_whole(desk: Desk, count: int) -> None:
    endpoint = desk.endpoint()
    orders = [an_order(f"K{n:04}", parcels=(Parcel("1"),)) for n in range(count)]
    refs = [OrderRef(ACCOUNT, store="shop", order_key=o.order_key) for o in orders]
    desk.change(
        Changes(
            created=orders,
            events=[an_event(o) for o in orders],
            deliveries=[a_delivery(endpoint, o) for o in orders],
        ),
        refs=refs,
    )
    desk.change(NOTHING, refs=refs)
    assert desk.snapshots[-1].orders == orders
    counts = desk.run(desk.store.counts(ACCOUNT))
    assert (counts.orders, counts.events) == (count, count)
    assert counts.deliveries[DeliveryState.PENDING] == count


def test_the_decision_sees_the_endpoints_and_stores_of_the_accounts_named(
    desk: Desk, neighbor: Desk
) -> None:
    mine = (desk.endpoint("ep_1"), desk.endpoint("ep_2", state=EndpointState.PAUSED))
    theirs = (neighbor.endpoint("ep_1"),)
    desk.change(NOTHING, refs=[OrderRef(ACCOUNT)])
    assert desk.snapshots[-1].endpoints == {ACCOUNT: mine}
    assert set(desk.snapshots[-1].stores) == {(ACCOUNT, "shop")}
    desk.change(NOTHING, refs=[OrderRef(ACCOUNT), OrderRef(OTHER), OrderRef("acc_unknown")])
    seen = desk.snapshots[-1]
    assert seen.endpoints == {ACCOUNT: mine, OTHER: theirs, "acc_unknown": ()}
    assert set(seen.stores) == {(ACCOUNT, "shop"), (OTHER, "shop")}


def test_an_order_that_was_changed_comes_back_changed(desk: Desk) -> None:
    order = desk.place("K1")
    content = msgspec.structs.replace(order.content, order_number="NEW", gift_from="Ada")
    changed = desk.move(
        order,
        State.SCHEDULED,
        content=content,
        updated_at=at(7),
        state_at=at(6),
        **{k: v for k, v in RICH.items() if k not in ("state", "previous_state")},
    )
    assert order_of(desk, "K1") == changed
    assert desk.run(desk.store.find_orders(ACCOUNT, "NEW")) == [changed]
    assert desk.run(desk.store.find_orders(ACCOUNT, "N-K1")) == []


def test_a_correction_told_again_is_a_duplicate_for_the_order_that_is_read_back(
    desk: Desk,
) -> None:
    order = desk.place("K1", parcels=(Parcel("1"),))
    back = Update(
        "carrier",
        State.IN_TRANSIT,
        occurred_at=at(15),
        parcel="1",
        correction=True,
        trusted=True,
        note="nobody was at home",
    )
    updates = (Update("carrier", State.DELIVERED, occurred_at=at(20), parcel="1"), back)
    for update in (*updates, msgspec.structs.replace(updates[0], occurred_at=at(30))):
        told = move(order, update, now=at(99))
        assert told.event is not None, told.why
        desk.change(
            Changes(changed=[told.order], events=[told.event]),
            refs=[OrderRef(desk.account_id, order_id=order.order_id)],
        )
        order = order_of(desk, "K1")
        assert order == told.order
    again = move(order, back, now=at(99))
    assert (again.verdict, again.order) == (Verdict.DUPLICATE, order)
    assert order.state is State.DELIVERED


def test_parcels_are_added_changed_moved_and_taken_away(desk: Desk) -> None:
    order = desk.place("K1", parcels=(FIRST_PARCEL, Parcel("2"), Parcel("3")))
    for parcels in (
        (FIRST_PARCEL, Parcel("2", state=State.SHIPPED), Parcel("3"), Parcel("4")),
        (Parcel("4"), Parcel("2")),
        (),
        (Parcel("5"),),
    ):
        order = desk.move(order, State.SHIPPED, parcels=parcels)
        assert order_of(desk, "K1") == order


def test_events_are_appended_and_come_back_oldest_first(desk: Desk) -> None:
    order = desk.place("K1")
    rich = moved(order, State.SHIPPED)
    event = an_event(
        rich,
        reason=Reason.SUBSCRIPTION,
        raw="shipped!",
        parcel="1",
        parcel_state=State.SHIPPED,
        skipped=(State.PICKING, State.PACKING),
        correction=True,
        note="by phone",
        occurred_at=at(-5),
    )
    desk.change(Changes(changed=[rich], events=[event]))
    history = desk.run(desk.store.history(ACCOUNT, order.order_id, after=0, limit=10))
    assert history == [an_event(order), event]
    assert desk.run(desk.store.history(ACCOUNT, order.order_id, after=1, limit=10)) == [event]
    assert desk.run(desk.store.history(ACCOUNT, order.order_id, after=0, limit=1)) == history[:1]


def test_an_orphan_waits_for_its_natural_key_and_is_shown_oldest_first(desk: Desk) -> None:
    late, early = kept("upd_1", received_at=at(9)), kept("upd_2", received_at=at(1))
    others = [
        kept("upd_3", store="elsewhere"),
        kept("upd_4", order_key="K2"),
        kept("upd_5", Verdict.STALE),
        kept("upd_6", store=None, order_key=None),
    ]
    desk.change(Changes(quarantined=[late, early, *others]))
    key = OrderRef(ACCOUNT, store="shop", order_key="K1")
    desk.change(NOTHING, refs=[key, OrderRef(ACCOUNT, order_id="ord_k1")])
    assert desk.snapshots[-1].waiting == {(ACCOUNT, "shop", "K1"): [early, late]}


def test_an_orphan_that_was_released_waits_no_more(desk: Desk) -> None:
    orphan = kept("upd_1")
    desk.change(Changes(quarantined=[orphan]))
    key = OrderRef(ACCOUNT, store="shop", order_key="K1")

    def decide(seen: Snapshot) -> Changes:
        (found,) = seen.waiting[ACCOUNT, "shop", "K1"]
        order = an_order("K1")
        released = msgspec.structs.replace(
            found,
            verdict=Verdict.ILLEGAL,
            why="no way",
            order_id=order.order_id,
            released_at=at(2),
        )
        return Changes(created=[order], events=[an_event(order)], released=[released])

    desk.change(decide, refs=[key])
    desk.change(NOTHING, refs=[key, OrderRef(ACCOUNT, store="shop", order_key="K9")])
    assert desk.snapshots[-1].waiting == {(ACCOUNT, "shop", "K9"): []}
    (shown,), _ = desk.run(desk.store.quarantine(ACCOUNT, verdict=None, page=Page()))
    assert (shown.verdict, shown.order_id, shown.released_at) == (
        Verdict.ILLEGAL,
        "ord_k1",
        at(2),
    )
    assert shown.update == orphan.update


def test_an_orphan_that_was_applied_is_in_quarantine_no_more(desk: Desk) -> None:
    orphan = kept("upd_1")
    desk.change(Changes(quarantined=[orphan]))
    applied = msgspec.structs.replace(orphan, verdict=Verdict.APPLIED)
    desk.change(Changes(released=[applied]), now=at(3))
    assert desk.run(desk.store.quarantine(ACCOUNT, verdict=None, page=Page())) == ([], None)
    assert desk.run(desk.store.counts(ACCOUNT)).quarantined == 0
    page = desk.run(desk.store.quarantine(ACCOUNT, verdict=Verdict.APPLIED, page=Page()))
    assert [k.released_at for k in page[0]] == [at(3)]


def test_an_update_is_kept_as_it_came(desk: Desk) -> None:
    update = Update(
        source="carrier",
        state=State.DELIVERED,
        occurred_at=at(-1),
        source_sequence=9,
        raw="DL",
        tracking_number="1Z",
        details=FIRST_PARCEL.details,
        updating=False,
        correction=True,
        trusted=True,
        note="n",
    )
    whole = kept("upd_1", Verdict.ILLEGAL, update=update, order_id="ord_k1", occurred_at=None)
    desk.change(Changes(quarantined=[whole]))
    assert desk.run(desk.store.quarantine(ACCOUNT, verdict=None, page=Page()))[0] == [whole]


def test_a_decision_that_fails_changes_nothing_and_its_error_reaches_the_caller(
    desk: Desk,
) -> None:
    class Mistake(Exception):
        pass

    def decide(_: Snapshot) -> Changes:
        raise Mistake("no")

    with pytest.raises(Mistake, match="no"):
        desk.change(decide)
    assert desk.run(desk.store.counts()).orders == 0
    desk.place("K1")


def test_changes_that_cannot_be_written_are_not_written_by_half(desk: Desk) -> None:
    desk.endpoint()
    taken, new = desk.place("K1"), an_order("K2")
    twice = msgspec.structs.replace(taken, order_id="ord_other")
    with pytest.raises(StoreError):
        desk.change(Changes(created=[new, twice], events=[an_event(new)]))
    with pytest.raises(UnknownRecord):
        order_of(desk, "K2")
    counts = desk.run(desk.store.counts())
    assert (counts.orders, counts.events) == (1, 1)


def test_equal_bodies_of_one_event_are_kept_once(desk: Desk) -> None:
    endpoints = [desk.endpoint(f"ep_{n}") for n in range(4)]
    order = an_order("K1")
    same = Body(b"same")
    bodies = [same, same, Body(b"same"), Body(b"same", content_type="text/plain")]
    desk.change(
        Changes(
            created=[order],
            events=[an_event(order)],
            deliveries=[
                a_delivery(endpoint, order, body=body)
                for endpoint, body in zip(endpoints, bodies, strict=True)
            ],
        )
    )
    assert [c.body for c in sorted(desk.claim(), key=lambda c: c.endpoint.endpoint_id)] == bodies
    found = [
        desk.run(desk.store.delivery(ACCOUNT, e.endpoint_id, order.order_id, 1))[1]
        for e in endpoints
    ]
    assert found == [b"same"] * 4


def test_a_new_lane_that_asks_for_it_is_born_leased(desk: Desk) -> None:
    a, b = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    order = an_order("K1")
    claimed = desk.change(
        Changes(
            created=[order],
            deliveries=[a_delivery(a, order, lease=True), a_delivery(b, order)],
        )
    )
    assert names(claimed) == [("ep_a", order.order_id, 1)]
    (mine,) = claimed
    assert (mine.previous, mine.attempts, mine.tries, mine.replay) == (0, 0, 0, 0)
    assert mine.body == Body(f"{order.order_id} 1".encode())
    assert names(desk.claim(owner="someone")) == [("ep_b", order.order_id, 1)]
    desk.settle(mine)
    assert desk.states(a, order) == [DeliveryState.ACKNOWLEDGED]


def test_only_the_head_of_a_lane_is_born_leased(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = an_order("K1")
    later = moved(order, State.PICKING)
    claimed = desk.change(
        Changes(
            created=[later],
            deliveries=[a_delivery(endpoint, o, lease=True) for o in (order, later)],
        )
    )
    assert names(claimed) == [("ep_a", order.order_id, 1)]
    following = desk.settle(*claimed)
    assert [(c.sequence, c.previous) for c in following] == [(2, 1)]


def test_a_lane_that_has_a_head_already_is_left_as_it_is(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    (head,) = desk.claim(owner="someone", lease_s=60)
    later = moved(order, State.PICKING)
    delivery = a_delivery(endpoint, later, lease=True)
    assert desk.change(Changes(changed=[later], deliveries=[delivery]), now=at(5)) == []
    assert desk.claim(now=at(59)) == ()
    following = desk.settle(head, owner="someone", now=at(6))
    assert [(c.sequence, c.previous) for c in following] == [(2, 1)]


def test_what_was_sent_before_is_named_whatever_came_of_it(desk: Desk) -> None:
    endpoint = desk.endpoint()
    order = desk.place("K1", to=[endpoint])
    order = desk.move(order, State.PICKING)
    order = desk.move(order, State.PACKING, to=[endpoint])
    desk.settle(*desk.settle(*desk.claim()))
    order = desk.move(order, State.PACKED, State.SHIPPED, to=[endpoint])
    found = [desk.delivery(endpoint, order, n).previous for n in (1, 3, 4, 5)]
    assert found == [0, 1, 3, 4]


@pytest.mark.parametrize("given", [{"state": EndpointState.PAUSED}, HOLD])
def test_what_cannot_be_sent_is_queued_without_a_lease(desk: Desk, given: dict[str, Any]) -> None:
    endpoint = desk.endpoint(**given)
    order = an_order("K1")
    claimed = desk.change(
        Changes(created=[order], deliveries=[a_delivery(endpoint, order, lease=True)])
    )
    leased = endpoint.state is EndpointState.ACTIVE
    assert len(claimed) == int(leased)
    assert desk.delivery(endpoint, order).state is DeliveryState.PENDING
    assert desk.claim() == ()


def test_the_owner_of_what_is_born_leased_can_give_it_back(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.place("K1", to=[endpoint], lease=True)
    assert desk.claim() == ()
    desk.run(desk.store.release(owner=ME, now=at(1)))
    assert len(desk.claim(now=at(1))) == 1


def test_odd_texts_are_texts_like_any_other(desk: Desk) -> None:
    keys = ["a'b\"c", "x\x00y", "x", "%_", "ключ", "😀", " ", "a\nb", "NULL"]
    orders = {
        key: desk.place(key, order_id=f"ord_{number}", parcels=(Parcel(key, tracking_number=key),))
        for number, key in enumerate(keys)
    }
    refs = [OrderRef(ACCOUNT, store="shop", order_key=key) for key in keys]
    desk.change(NOTHING, refs=refs)
    assert desk.snapshots[-1].orders == list(orders.values())
    for key, order in orders.items():
        assert desk.run(desk.store.find_orders(ACCOUNT, key)) == [order]
        bare = desk.move(order, State.PICKING, parcels=())
        assert desk.run(desk.store.order(OrderRef(ACCOUNT, order_id=order.order_id))) == bare


@pytest.mark.parametrize("given", [{"source_sequence": 2**63}, {"order_key": "\ud800"}])
def test_what_no_column_can_hold_is_refused_as_an_error_of_the_store(
    desk: Desk, given: dict[str, Any]
) -> None:
    with pytest.raises(StoreError):
        desk.change(Changes(created=[an_order("K1"), an_order("K2", **given)]))
    assert desk.run(desk.store.counts()).orders == 0


def test_times_are_exact_to_the_microsecond(desk: Desk) -> None:
    for number, moment in enumerate((NOW, at(0.000_001), at(-2_000_000_000), at(2_000_000_000))):
        order = desk.place(f"K{number}", state_at=moment, updated_at=moment)
        assert order_of(desk, f"K{number}") == order
