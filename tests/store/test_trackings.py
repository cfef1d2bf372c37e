"""Carrier sources, and parcels that are watched: begun with the order, claimed, settled, ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from milepost.errors import UnknownRecord
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, Parcel
from milepost.orders.tracking import Ending, Scan, Tracking
from milepost.ports import Lease, Store
from milepost.ports.tracking import CarrierSource, Looked, Watched
from tests.store.desk import ACCOUNT, ME, NOW, OTHER, SOMEONE, Desk, Run, at

S = State


def a_source(name: str = "acme", *, account_id: str = ACCOUNT, **given: Any) -> CarrierSource:
    return CarrierSource(
        **{
            "account_id": account_id,
            "source": name,
            "kind": "http",
            "carriers": ("Acme", "ACME Express"),
            "config": b'{"url":"https://acme.example/"}',
            "secrets": b'{"token":"not for everybody"}',
            "created_at": NOW,
            "updated_at": NOW,
            **given,
        }
    )


def a_parcel(name: str = "P1", state: State | None = S.SHIPPED, **given: Any) -> Parcel:
    told = {"state_at": NOW if state else None, "tracking_number": f"T-{name}", "created_at": NOW}
    return Parcel(name, state=state, **{**told, **given})


def put(desk: Desk, source: CarrierSource | None = None) -> None:
    source = source or a_source(account_id=desk.account_id)
    desk.run(desk.store.put_carrier_source(source))


def ship(desk: Desk, key: str, *parcels: Parcel) -> Order:
    return desk.place(key, state=S.SHIPPED, parcels=parcels or (a_parcel(),))


def tell(desk: Desk, order: Order, *parcels: Parcel, state: State = S.IN_TRANSIT) -> Order:
    """The order with these parcels, one event later."""
    return desk.move(order, state, parcels=parcels)


def watched(desk: Desk, order: Order) -> dict[str, Tracking]:
    found = desk.run(desk.store.trackings(desk.account_id, order.order_id))
    return {tracking.parcel: tracking for tracking in found}


def claim(
    desk: Desk, *, room: int = 100, owner: str = ME, now: Any = NOW, lease_s: float = 60
) -> Sequence[Watched]:
    lease = Lease(owner, now + timedelta(seconds=lease_s))
    found: Sequence[Watched] = desk.run(
        desk.store.claim_trackings({desk.account_id: room}, lease=lease, now=now)
    )
    return found


def settle(desk: Desk, *items: Watched, owner: str = ME, **after: Any) -> int:
    looked = [Looked(i.tracking, msgspec.structs.replace(i.tracking, **after)) for i in items]
    count: int = desk.run(desk.store.settle_trackings(looked, owner=owner))
    return count


# --- sources --------------------------------------------------------------------------------------


def test_a_source_is_kept_as_it_was_given_and_replaced_by_its_name(desk: Desk) -> None:
    first, second = a_source("acme"), a_source("zed", kind="simulator", carriers=())
    put(desk, second)
    put(desk, first)
    assert desk.run(desk.store.carrier_sources(ACCOUNT)) == [first, second]
    later = a_source("acme", config=b"{}", secrets=b"{}", created_at=at(9), updated_at=at(9))
    put(desk, later)
    kept = msgspec.structs.replace(later, created_at=NOW)
    assert desk.run(desk.store.carrier_sources(ACCOUNT)) == [kept, second]


def test_the_sources_of_all_accounts_are_told_together(desk: Desk, neighbor: Desk) -> None:
    put(desk)
    put(neighbor)
    assert [s.account_id for s in desk.run(desk.store.carrier_sources())] == [ACCOUNT, OTHER]
    assert len(desk.run(desk.store.carrier_sources(OTHER))) == 1


def test_a_source_that_is_gone_cannot_be_removed_again(desk: Desk) -> None:
    put(desk)
    desk.run(desk.store.delete_carrier_source(ACCOUNT, "acme"))
    assert desk.run(desk.store.carrier_sources(ACCOUNT)) == []
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.delete_carrier_source(ACCOUNT, "acme"))


# --- beginning ------------------------------------------------------------------------------------


def test_a_parcel_is_watched_from_the_transaction_on_that_ships_it(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1", a_parcel("A"), a_parcel("B", None))
    tracking = Tracking(ACCOUNT, order.order_id, "A", since_at=NOW, due_at=NOW)
    assert watched(desk, order) == {"A": tracking}
    tell(desk, order, a_parcel("A"), a_parcel("B", S.SHIPPED, created_at=at(-60)))
    since = at(-60)
    assert watched(desk, order)["B"] == msgspec.structs.replace(
        tracking, parcel="B", since_at=since, due_at=since
    )


def test_without_a_source_nothing_is_watched(desk: Desk, neighbor: Desk) -> None:
    put(neighbor)
    order = ship(desk, "K1")
    assert watched(desk, order) == {}


def test_a_parcel_that_has_ended_is_not_watched(desk: Desk) -> None:
    put(desk)
    for state in (S.DELIVERED, S.RETURNED, S.EXPIRED):
        assert watched(desk, ship(desk, state, a_parcel("A", state))) == {}


def test_what_shipped_before_there_was_a_source_is_begun_with_in_parts(
    desk: Desk, neighbor: Desk
) -> None:
    orders = [
        ship(desk, key, a_parcel("A"), a_parcel("B", S.DELIVERED), a_parcel("C", None))
        for key in ("K1", "K2", "K3")
    ]
    other = ship(neighbor, "K1")
    put(desk)
    after: tuple[str, str] | None = ("", "")
    parts = 0
    while after is not None:
        after = desk.run(desk.store.begin_trackings(ACCOUNT, after=after, limit=2, now=at(5)))
        parts += 1
    assert parts == 5
    for order in orders:
        assert {n: t.due_at for n, t in watched(desk, order).items()} == {"A": at(5)}
    assert watched(neighbor, other) == {}


def test_beginning_again_changes_nothing(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1")
    settle(desk, *claim(desk), due_at=at(100), asks=3)
    assert desk.run(desk.store.begin_trackings(ACCOUNT, after=("", ""), limit=10, now=NOW)) is None
    assert (watched(desk, order)["P1"].asks, watched(desk, order)["P1"].due_at) == (3, at(100))


def test_a_parcel_that_is_reopened_is_watched_again_and_is_young_again(desk: Desk) -> None:
    put(desk)
    for state in (S.DELIVERED, S.EXPIRED, S.RETURNING, S.UNTRACKED):
        order = ship(desk, state)
        settle(desk, *claim(desk), due_at=None, ended=Ending.EXPIRED)
        order = tell(desk, order, a_parcel(state=state, state_at=at(10)), state=state)
        assert watched(desk, order)["P1"].ended is Ending.EXPIRED
        tell(desk, order, a_parcel(state=S.IN_TRANSIT, state_at=at(99)))
        tracking = watched(desk, order)["P1"]
        assert (tracking.ended, tracking.since_at, tracking.due_at) == (None, at(99), NOW)
        settle(desk, *claim(desk), due_at=at(9_999))


def test_another_number_or_carrier_is_asked_for_at_once(desk: Desk) -> None:
    put(desk)
    for name, told in (("tracking_number", "T-NEW"), ("carrier", "Other")):
        order = ship(desk, name)
        settle(desk, *claim(desk), due_at=at(9_999), failures=4)
        tell(desk, order, a_parcel(state=S.IN_TRANSIT, **{name: told}))
        tracking = watched(desk, order)["P1"]
        assert (tracking.since_at, tracking.due_at, tracking.failures) == (NOW, NOW, 0)
        settle(desk, *claim(desk), due_at=at(9_999))


def test_a_step_on_the_way_changes_nothing_of_the_watch(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1")
    settle(desk, *claim(desk), due_at=at(9_999))
    before = watched(desk, order)
    tell(desk, order, a_parcel(state=S.IN_TRANSIT, carrier_service="Air", state_at=at(50)))
    assert watched(desk, order) == before


def test_a_parcel_that_is_named_anew_is_watched_under_its_new_name_alone(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1", a_parcel("unnamed"))
    tell(desk, order, a_parcel("A", S.IN_TRANSIT))
    assert list(watched(desk, order)) == ["A"]


# --- claiming and settling ------------------------------------------------------------------------


def test_a_claim_brings_the_parcels_that_are_due_with_their_orders(desk: Desk) -> None:
    put(desk)
    first, second = ship(desk, "K1"), ship(desk, "K2", a_parcel(created_at=at(60)))
    (found,) = claim(desk)
    assert found.order is not None
    assert found.order.order_id == first.order_id
    assert found.order.parcels == first.parcels
    assert found.tracking == Tracking(ACCOUNT, first.order_id, "P1", since_at=NOW, due_at=at(60))
    assert sorted(w.tracking.order_id for w in claim(desk, now=at(60), owner=SOMEONE)) == [
        first.order_id,
        second.order_id,
    ]


def test_a_claim_takes_the_longest_due_and_no_more_than_there_is_room(
    desk: Desk, neighbor: Desk
) -> None:
    put(desk)
    put(neighbor)
    for age in (30, 10, 20):
        ship(desk, f"K{age}", a_parcel(created_at=at(-age)))
    ship(neighbor, "K1")
    assert list(claim(desk, room=0)) == []
    found = claim(desk, room=2)
    assert sorted(w.tracking.order_id for w in found) == ["ord_k20", "ord_k30"]
    assert [w.tracking.order_id for w in claim(desk, room=2)] == ["ord_k10"]
    assert len(claim(neighbor)) == 1


def test_what_is_leased_is_not_claimed_again_before_the_lease_ends(desk: Desk) -> None:
    put(desk)
    ship(desk, "K1")
    assert len(claim(desk, lease_s=60)) == 1
    assert len(claim(desk, now=at(59), owner=SOMEONE)) == 0
    assert len(claim(desk, now=at(60), owner=SOMEONE)) == 1


def test_what_came_of_a_parcel_is_kept_and_ends_the_lease(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1")
    (found,) = claim(desk)
    after: dict[str, Any] = {
        "due_at": at(500),
        "asked_at": at(1),
        "asks": 1,
        "failures": 2,
        "returned_at": at(-5),
        "scans": ("0123456789abcdef", "fedcba9876543210"),
        "trouble": "it said “no”",
    }
    assert settle(desk, found, **after) == 1
    assert watched(desk, order)["P1"] == msgspec.structs.replace(found.tracking, **after)
    assert settle(desk, found, due_at=at(7)) == 0
    assert list(claim(desk, now=at(499))) == []
    assert len(claim(desk, now=at(500))) == 1


def test_a_parcel_whose_watch_has_ended_is_never_due(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1")
    settle(desk, *claim(desk), due_at=None, ended=Ending.DELIVERED)
    assert list(claim(desk, now=at(1e9))) == []
    assert watched(desk, order)["P1"].ended is Ending.DELIVERED


def test_who_has_lost_the_lease_changes_nothing(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1")
    (mine,) = claim(desk, lease_s=60)
    (theirs,) = claim(desk, owner=SOMEONE, now=at(60))
    assert settle(desk, mine, due_at=at(1), asks=99) == 0
    assert settle(desk, theirs, owner=SOMEONE, due_at=at(900), asks=1) == 1
    assert watched(desk, order)["P1"].asks == 1


def test_who_has_claimed_the_same_again_cannot_settle_by_the_first_lease(desk: Desk) -> None:
    put(desk)
    ship(desk, "K1")
    (first,) = claim(desk, lease_s=60)
    (second,) = claim(desk, now=at(60))
    assert settle(desk, first, due_at=at(1)) == 0
    assert settle(desk, second, due_at=at(900)) == 1


def test_a_parcel_that_was_begun_anew_meanwhile_is_not_settled(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1")
    (found,) = claim(desk)
    tell(desk, order, a_parcel(state=S.IN_TRANSIT, tracking_number="T-NEW"))
    assert settle(desk, found, due_at=at(9_999)) == 0
    assert watched(desk, order)["P1"].due_at == NOW


def test_many_are_settled_at_once(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1", *(a_parcel(f"P{n}") for n in range(120)))
    found = claim(desk, room=200)
    assert len(found) == 120
    assert settle(desk, *found, due_at=at(77)) == 120
    assert {t.due_at for t in watched(desk, order).values()} == {at(77)}


def test_two_that_claim_at_once_never_get_the_same(
    desk: Desk, another: Callable[[], Store], run: Run[Any]
) -> None:
    put(desk)
    for number in range(40):
        ship(desk, f"K{number}")
    other = Desk(another(), run)
    mine, theirs = claim(desk, room=25), claim(other, room=25, owner=SOMEONE)
    names = [w.tracking.order_id for w in (*mine, *theirs)]
    assert len(names) == len(set(names)) == 40


# --- scans that were pushed -----------------------------------------------------------------------


def test_scans_that_were_pushed_are_remembered_beside_those_that_are(desk: Desk) -> None:
    put(desk)
    order = ship(desk, "K1")
    scans = [Scan(at(n), S.IN_TRANSIT, raw=f"W{n}") for n in range(3)]
    for some in (scans[:1], scans):
        desk.run(desk.store.note_scans(ACCOUNT, order.order_id, "P1", scans=some))
    assert watched(desk, order)["P1"].scans == tuple(scan.key for scan in scans)
    desk.run(desk.store.note_scans(ACCOUNT, order.order_id, "P2", scans=scans))
    assert list(watched(desk, order)) == ["P1"]
