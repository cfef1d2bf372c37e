"""Two accounts with records of the same names: no method reaches across."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from milepost.delivery.model import DeliveryState, EndpointState, NewDelivery
from milepost.errors import UnknownRecord
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import OrderContent, Parcel
from milepost.ports import (
    ApiKey,
    Changes,
    DeliveryFilter,
    OrderFilter,
    OrderRef,
    Page,
)
from tests.store.desk import ACCOUNT, NOW, OTHER, Desk, at, kept

PAGE = Page(limit=1_000)
STRANGER = "acc_stranger"


@pytest.fixture
def both(desk: Desk, neighbor: Desk) -> tuple[Desk, Desk]:
    """Two accounts that hold the same: keys, an endpoint, an order, deliveries, quarantine."""
    for one in (desk, neighbor):
        key = ApiKey(one.account_id, "key_1", one.account_id, NOW)
        one.run(one.store.add_key(key, digest=f"digest of {one.account_id}"))
        endpoint = one.endpoint(url=f"https://{one.account_id}.example/")
        order = one.place(
            "K1",
            to=[endpoint],
            content=OrderContent(order_number="N1", customer_notes=one.account_id),
            parcels=(Parcel("1", tracking_number="T1", carrier=one.account_id),),
        )
        one.move(order, State.PICKING, to=[endpoint])
        waiting = kept("upd_1", account_id=one.account_id, order_key="K9", source=one.account_id)
        one.change(Changes(quarantined=[waiting]))
    return desk, neighbor


def seen_of(one: Desk, account_id: str) -> dict[str, Any]:
    """Everything that can be read under an account's id."""
    store, run = one.store, one.run
    snapshots: list[Any] = []

    def look(snapshot: Any) -> Changes:
        snapshots.append(snapshot)
        return Changes()

    keys = [OrderRef(account_id, store="shop", order_key=key) for key in ("K1", "K9")]
    one.change(look, refs=[*keys, OrderRef(account_id, order_id="ord_k1")])
    return {
        "keys": run(store.keys(account_id)),
        "key": run(store.find_key(account_id, digest=f"digest of {account_id}")),
        "stores": run(store.stores(account_id)),
        "endpoints": run(store.endpoints(account_id)),
        "found": [run(store.find_orders(account_id, t)) for t in ("ord_k1", "K1", "N1", "T1")],
        "orders": run(store.orders(account_id, wanted=OrderFilter(), page=PAGE)),
        "history": run(store.history(account_id, "ord_k1", after=0, limit=99)),
        "quarantine": run(store.quarantine(account_id, verdict=None, page=PAGE)),
        "orphans": run(store.quarantine(account_id, verdict=Verdict.ORPHAN, page=PAGE)),
        "deliveries": run(store.deliveries(account_id, wanted=DeliveryFilter(), page=PAGE)),
        "attempts": run(store.attempts(account_id, "ep_a", "ord_k1", 1)),
        "counts": run(store.counts(account_id)),
        "snapshot": msgspec.structs.asdict(snapshots[0]),
    }


def test_what_an_account_reads_is_its_own(both: tuple[Desk, Desk]) -> None:
    for one, other in (both, both[::-1]):
        text = repr(seen_of(one, one.account_id))
        assert one.account_id in text
        assert other.account_id not in text


def test_a_stranger_sees_nothing_of_either(both: tuple[Desk, Desk]) -> None:
    text = repr(seen_of(both[0], STRANGER))
    assert ACCOUNT not in text
    assert OTHER not in text


def test_a_digest_opens_only_its_own_account(both: tuple[Desk, Desk]) -> None:
    store, run = both[0].store, both[0].run
    assert run(store.find_key(OTHER, digest=f"digest of {ACCOUNT}")) is None


def test_nothing_of_another_account_can_be_named(both: tuple[Desk, Desk]) -> None:
    store, run = both[0].store, both[0].run
    for call in (
        store.order(OrderRef(STRANGER, order_id="ord_k1")),
        store.order(OrderRef(STRANGER, store="shop", order_key="K1")),
        store.endpoint(STRANGER, "ep_a"),
        store.delivery(STRANGER, "ep_a", "ord_k1", 1),
        store.resend(STRANGER, "ep_a", "ord_k1", 1, now=NOW),
        store.revoke_key(STRANGER, "key_1", now=NOW),
        store.set_endpoint_state(STRANGER, "ep_a", state=EndpointState.PAUSED, why="", now=NOW),
        store.delete_endpoint(STRANGER, "ep_a", now=NOW),
    ):
        with pytest.raises(UnknownRecord):
            run(call)


def test_whatever_one_account_does_the_other_keeps_what_it_had(both: tuple[Desk, Desk]) -> None:
    one, other = both
    run, store = one.run, one.store
    before = seen_of(other, other.account_id)
    mine = [c for c in one.claim() if c.endpoint.account_id == one.account_id]
    one.settle(*one.settle(*mine))
    order = run(store.order(OrderRef(one.account_id, order_id="ord_k1")))
    (endpoint,) = run(store.endpoints(one.account_id))
    one.resend(endpoint, order)
    one.move(order, State.SHIPPED, to=[endpoint], parcels=())
    one.place("K2", to=[endpoint], order_id="ord_k2")
    released = kept("upd_1", Verdict.APPLIED, account_id=one.account_id, order_key="K9")
    one.change(Changes(released=[released]))
    test = NewDelivery(endpoint, "tst_1", 1, "test", one.claim()[0].body)
    run(store.add_delivery(test, now=NOW))
    run(store.revoke_key(one.account_id, "key_1", now=NOW))
    run(store.put_store(one.account_id, "shop", name="Mine", number=77, now=NOW))
    run(store.put_store(one.account_id, "new", name="New", number=None, now=NOW))
    one.endpoint(url="https://new.example/", updated_at=at(1))
    run(
        store.set_endpoint_state(
            one.account_id, "ep_a", state=EndpointState.PAUSED, why="", now=NOW
        )
    )
    run(store.delete_endpoint(one.account_id, "ep_a", now=NOW))
    assert seen_of(other, other.account_id) == before


def test_lanes_of_the_same_name_are_apart(both: tuple[Desk, Desk]) -> None:
    one, other = both
    claimed = {c.endpoint.account_id: c for c in one.claim()}
    assert {c.endpoint.url for c in claimed.values()} == {
        f"https://{account_id}.example/" for account_id in (ACCOUNT, OTHER)
    }
    one.settle(claimed[ACCOUNT])
    (endpoint,) = one.run(one.store.endpoints(ACCOUNT))
    order = one.run(one.store.order(OrderRef(ACCOUNT, order_id="ord_k1")))
    assert one.states(endpoint, order) == [DeliveryState.ACKNOWLEDGED, DeliveryState.PENDING]
    assert other.states(endpoint, order) == [DeliveryState.PENDING, DeliveryState.PENDING]
    assert other.attempts(endpoint, order) == []
    assert one.run(one.store.delete_endpoint(ACCOUNT, "ep_a", now=NOW)) == 1
    following = other.settle(claimed[OTHER])
    assert [c.endpoint.account_id for c in following] == [OTHER]
