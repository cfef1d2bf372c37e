"""Lists page by page, finding orders by any of their names, and counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from milepost.delivery.model import DeliveryState, Outcome
from milepost.delivery.outcome import Abandon
from milepost.errors import InvalidInput, UnknownRecord
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import OrderContent, Parcel
from milepost.ports import Changes, Counts, DeliveryFilter, OrderFilter, OrderRef, Page
from tests.store.desk import ACCOUNT, Desk, an_order, at, kept

PENDING, ACKNOWLEDGED, ABANDONED = (
    DeliveryState.PENDING,
    DeliveryState.ACKNOWLEDGED,
    DeliveryState.ABANDONED,
)
Listing = Callable[[Page], Any]


def pages(desk: Desk, listing: Listing, *, limit: int) -> list[list[Any]]:
    """Every page of a list, as a reader would turn them."""
    found, after = [], None
    for _ in range(100):
        shown, after = desk.run(listing(Page(after=after, limit=limit)))
        found.append(list(shown))
        if after is None:
            return found
    raise AssertionError("the list does not end")


def whole(desk: Desk, listing: Listing, *, limit: int = 2) -> list[Any]:
    return [item for page in pages(desk, listing, limit=limit) for item in page]


# single orders


@pytest.mark.parametrize(
    "ref",
    [
        OrderRef(ACCOUNT, order_id="ord_k2"),
        OrderRef(ACCOUNT, store="shop", order_key="K2"),
        OrderRef(ACCOUNT, store="other", order_key="K1"),
        OrderRef(ACCOUNT),
    ],
)
def test_an_order_that_is_not_there_is_unknown(desk: Desk, ref: OrderRef) -> None:
    desk.place("K1")
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.order(ref))


@pytest.mark.parametrize("text", ["ord_k1", "K1", "N-1", "TRACK-1"])
def test_an_order_is_found_by_each_of_its_names(desk: Desk, text: str) -> None:
    content = OrderContent(order_number="N-1")
    order = desk.place("K1", content=content, parcels=(Parcel("1", tracking_number="TRACK-1"),))
    desk.place("K2")
    assert desk.run(desk.store.find_orders(ACCOUNT, text)) == [order]
    assert desk.run(desk.store.find_orders(ACCOUNT, text + "0")) == []
    assert desk.run(desk.store.find_orders(ACCOUNT, text[:-1])) == []


def test_orders_that_share_a_name_are_found_together_and_once_each(desk: Desk) -> None:
    content = OrderContent(order_number="SAME")
    parcels = (Parcel("1", tracking_number="SAME"), Parcel("2", tracking_number="SAME"))
    first = desk.place("SAME", order_id="ord_1", content=content, parcels=parcels)
    second = desk.place("SAME", order_id="ord_2", store="other")
    third = desk.place("K3", order_id="ord_3", content=content)
    assert desk.run(desk.store.find_orders(ACCOUNT, "SAME")) == [third, second, first]


def test_at_most_fifty_orders_are_found(desk: Desk) -> None:
    content = OrderContent(order_number="SAME")
    desk.change(Changes(created=[an_order(f"K{n}", content=content) for n in range(60)]))
    assert len(desk.run(desk.store.find_orders(ACCOUNT, "SAME"))) == 50


# lists


def orders(desk: Desk, **wanted: Any) -> Listing:
    return lambda page: desk.store.orders(ACCOUNT, wanted=OrderFilter(**wanted), page=page)


def deliveries(desk: Desk, **wanted: Any) -> Listing:
    return lambda page: desk.store.deliveries(ACCOUNT, wanted=DeliveryFilter(**wanted), page=page)


def quarantine(desk: Desk, verdict: Verdict | None = None) -> Listing:
    return lambda page: desk.store.quarantine(ACCOUNT, verdict=verdict, page=page)


def test_orders_come_newest_first_and_filtered(desk: Desk) -> None:
    states = [State.CREATED, State.SHIPPED, State.CREATED, State.SHIPPED, State.CREATED]
    placed = [
        desk.place(f"K{n}", state=state, store="ab"[n % 2], parcels=(Parcel("1"), Parcel("0")))
        for n, state in enumerate(states)
    ]
    placed.reverse()
    for wanted in (
        {},
        {"state": State.CREATED},
        {"store": "b"},
        {"state": State.SHIPPED, "store": "b"},
        {"state": State.SHIPPED, "store": "a"},
        {"state": State.PICKING},
    ):
        match = [o for o in placed if all(getattr(o, k) == v for k, v in wanted.items())]
        for limit in (1, 2, 5, 100):
            assert whole(desk, orders(desk, **wanted), limit=limit) == match


def test_a_full_last_page_has_no_cursor(desk: Desk) -> None:
    for n in range(4):
        desk.place(f"K{n}")
    assert [len(page) for page in pages(desk, orders(desk), limit=2)] == [2, 2]
    assert [len(page) for page in pages(desk, orders(desk), limit=3)] == [3, 1]
    assert pages(desk, orders(desk, store="none"), limit=3) == [[]]


def test_an_order_that_comes_between_two_pages_moves_nothing(desk: Desk) -> None:
    for n in range(4):
        desk.place(f"K{n}")
    first, after = desk.run(orders(desk)(Page(limit=2)))
    desk.place("K9")
    second, _ = desk.run(orders(desk)(Page(after=after, limit=2)))
    assert [o.order_key for o in (*first, *second)] == ["K3", "K2", "K1", "K0"]


def test_deliveries_come_newest_first_and_filtered(desk: Desk) -> None:
    a, b = desk.endpoint("ep_a"), desk.endpoint("ep_b")
    made: list[tuple[float, str, int, str]] = []
    for n in range(6):
        order = desk.place(f"K{n}", to=[a, b], now=at(n // 2))
        made += [(n // 2, order.order_id, 1, e) for e in ("ep_a", "ep_b")]
        if n < 3:
            desk.move(order, State.PICKING, to=[b], now=at(n // 2))
            made.append((n // 2, order.order_id, 2, "ep_b"))
    claimed = sorted(desk.claim(now=at(9)), key=lambda c: (c.order_id, c.endpoint.endpoint_id))
    state = {(c.order_id, c.sequence, c.endpoint.endpoint_id): PENDING for c in claimed}
    for n, c in enumerate(claimed[:8]):
        name = (c.order_id, c.sequence, c.endpoint.endpoint_id)
        state[name] = ABANDONED if n % 2 else ACKNOWLEDGED
        desk.settle(c, step=Abandon() if n % 2 else None, outcome=Outcome.TIMEOUT)
    made.sort(reverse=True)
    for wanted in _filters():
        match = [
            name[1:]
            for name in made
            if wanted.get("endpoint_id", name[3]) == name[3]
            and wanted.get("order_id", name[1]) == name[1]
            and wanted.get("state", state.get(name[1:], PENDING)) == state.get(name[1:], PENDING)
        ]
        for limit in (1, 3, 100):
            found = whole(desk, deliveries(desk, **wanted), limit=limit)
            assert [(d.order_id, d.sequence, d.endpoint_id) for d in found] == match, wanted


def _filters() -> Sequence[dict[str, Any]]:
    return [
        {k: v for k, v in (("endpoint_id", e), ("order_id", o), ("state", s)) if v is not None}
        for e in (None, "ep_a", "ep_b", "ep_c")
        for o in (None, "ord_k0", "ord_k5")
        for s in (None, *DeliveryState)
    ]


def test_quarantined_updates_come_newest_first_and_by_verdict(desk: Desk) -> None:
    verdicts = [Verdict.ORPHAN, Verdict.STALE, Verdict.ILLEGAL, Verdict.STALE, Verdict.ORPHAN]
    updates = [
        kept(f"upd_{9 - n}", verdict, received_at=at(n // 2)) for n, verdict in enumerate(verdicts)
    ]
    desk.change(Changes(quarantined=updates))
    updates.sort(key=lambda k: (k.received_at, k.update_id), reverse=True)
    for limit in (1, 2, 9):
        assert whole(desk, quarantine(desk), limit=limit) == updates
        for verdict in Verdict:
            match = [k for k in updates if k.verdict is verdict]
            assert whole(desk, quarantine(desk, verdict), limit=limit) == match


@pytest.mark.parametrize(
    "cursor", ["", "x", "????", "bnVsbA", "é", "W10", "WzEsMl0", "a" * 9_999, "WyJ1cGQiXQ="]
)
@pytest.mark.parametrize("listing", [orders, deliveries, quarantine])
def test_a_cursor_that_no_list_gave_is_refused(
    desk: Desk, listing: Callable[[Desk], Listing], cursor: str
) -> None:
    if listing is orders and cursor.startswith("WyJ1"):
        assert desk.run(listing(desk)(Page(after=cursor))) == ([], None)
        return
    with pytest.raises(InvalidInput) as refused:
        desk.run(listing(desk)(Page(after=cursor)))
    assert refused.value.field == "after"


def test_a_cursor_of_another_list_is_refused(desk: Desk) -> None:
    a = desk.endpoint("ep_a")
    for n in range(2):
        desk.place(f"K{n}", to=[a])
    cursors = [desk.run(listing(desk)(Page(limit=1)))[1] for listing in (orders, deliveries)]
    for listing, cursor in zip((deliveries, orders), cursors, strict=True):
        with pytest.raises(InvalidInput):
            desk.run(listing(desk)(Page(after=cursor)))


def test_a_delivery_that_is_not_there_is_unknown(desk: Desk) -> None:
    endpoint = desk.endpoint()
    desk.place("K1", to=[endpoint])
    for endpoint_id, order_id, sequence in (
        ("ep_b", "ord_k1", 1),
        ("ep_a", "ord_k2", 1),
        ("ep_a", "ord_k1", 2),
    ):
        with pytest.raises(UnknownRecord):
            desk.run(desk.store.delivery(ACCOUNT, endpoint_id, order_id, sequence))
        assert desk.run(desk.store.attempts(ACCOUNT, endpoint_id, order_id, sequence)) == []


def test_everything_is_counted_by_account_and_in_all(desk: Desk, neighbor: Desk) -> None:
    for one in (desk, neighbor):
        endpoint = one.endpoint()
        order = one.place("K1", to=[endpoint])
        one.move(order, State.PICKING, to=[endpoint])
        one.place("K2", to=[endpoint])
    mine = [c for c in desk.claim() if c.endpoint.account_id == ACCOUNT]
    desk.settle(mine[0])
    desk.settle(mine[1], step=Abandon(), outcome=Outcome.DNS)
    desk.change(Changes(quarantined=[kept("upd_1")]))
    counts = desk.run(desk.store.counts(ACCOUNT))
    assert (counts.orders, counts.events, counts.quarantined, counts.attempts) == (2, 3, 1, 2)
    assert counts.deliveries == dict.fromkeys(DeliveryState, 0) | {
        PENDING: 1,
        ACKNOWLEDGED: 1,
        ABANDONED: 1,
    }
    everything = desk.run(desk.store.counts())
    assert (everything.orders, everything.events, everything.attempts) == (4, 6, 2)
    assert everything.deliveries[PENDING] == 4
    nothing = dict.fromkeys(DeliveryState, 0)
    assert desk.run(desk.store.counts("acc_none")) == Counts(0, 0, 0, 0, nothing)
