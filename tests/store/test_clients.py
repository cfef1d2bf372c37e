"""Client applications, their nonces and calls, and fake orders, in every kind of store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.orders.lifecycle import State
from milepost.orders.model import Parcel
from milepost.orders.tracking import Tracking
from milepost.ports import Changes, OrderRef, Store
from milepost.ports.rehearsals import Rehearsal
from milepost.ports.tracking import CarrierSource
from milepost.ports.withings import Admission, ClientApplication
from tests.store.desk import ACCOUNT, NOW, OTHER, Desk, Run, an_event, an_order, at

NONCE = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"


def a_client(
    client_id: str = "client-1", *, account_id: str = ACCOUNT, store: str = "shop", **given: Any
) -> ClientApplication:
    return ClientApplication(
        **{
            "account_id": account_id,
            "client_id": client_id,
            "name": "Shop",
            "billing_id": "4711",
            "secret": "a secret of sixteen",
            "store": store,
            "endpoint_id": None,
            "created_at": NOW,
            "updated_at": NOW,
            **given,
        }
    )


def issue(desk: Desk, nonce: str = NONCE, *, now: datetime = NOW, most_calls: int = 120) -> bool:
    kept: bool = desk.run(
        desk.store.add_nonce(
            ACCOUNT, "client-1", nonce=nonce, expires_at=at(1_800), most_calls=most_calls, now=now
        )
    )
    return kept


def use(
    desk: Desk,
    nonce: str = NONCE,
    *,
    account_id: str = ACCOUNT,
    client_id: str = "client-1",
    now: datetime = NOW,
    most_calls: int = 120,
) -> Admission:
    admission: Admission = desk.run(
        desk.store.use_nonce(account_id, client_id, nonce=nonce, most_calls=most_calls, now=now)
    )
    return admission


def test_a_client_is_found_by_its_id_alone_and_kept_as_it_was_given(
    desk: Desk, another: Callable[[], Store]
) -> None:
    client = a_client(endpoint_id="ep_1")
    desk.run(desk.store.add_client(client))
    for store in (desk.store, another()):
        assert desk.run(store.find_client("client-1")) == client
        assert desk.run(store.client(ACCOUNT, "client-1")) == client
    assert desk.run(desk.store.find_client("client-2")) is None


def test_clients_come_back_oldest_first_and_each_account_has_its_own(
    desk: Desk, neighbor: Desk
) -> None:
    second = a_client("client-1", store="second", created_at=at(1))
    first = a_client("client-2")
    theirs = a_client("client-3", account_id=OTHER)
    for client in (second, first, theirs):
        desk.run(desk.store.add_client(client))
    assert desk.run(desk.store.clients(ACCOUNT)) == [first, second]
    assert desk.run(desk.store.clients(OTHER)) == [theirs]
    for call in (
        desk.store.client(ACCOUNT, "client-3"),
        desk.store.delete_client(OTHER, "client-1"),
    ):
        with pytest.raises(UnknownRecord):
            desk.run(call)


@pytest.mark.parametrize(
    "other",
    [
        a_client("client-1", account_id=OTHER),
        a_client("client-1", store="second"),
        a_client("client-2"),
    ],
)
def test_a_client_id_is_no_two_accounts_and_a_store_no_two_clients(
    desk: Desk, neighbor: Desk, other: ClientApplication
) -> None:
    desk.run(desk.store.add_client(a_client()))
    with pytest.raises(AlreadyExists):
        desk.run(desk.store.add_client(other))
    assert desk.run(desk.store.clients(ACCOUNT)) == [a_client()]
    assert desk.run(desk.store.clients(OTHER)) == []
    assert desk.run(desk.store.find_client("client-2")) is None


def test_a_client_is_changed_and_forgotten_with_its_nonces(desk: Desk) -> None:
    desk.run(desk.store.add_client(a_client()))
    changed = a_client(secret="another of sixteen", billing_id="8", updated_at=at(5))
    desk.run(desk.store.change_client(changed))
    assert desk.run(desk.store.find_client("client-1")) == changed
    assert issue(desk)
    desk.run(desk.store.delete_client(ACCOUNT, "client-1"))
    assert desk.run(desk.store.find_client("client-1")) is None
    assert use(desk) is Admission.NONCE_UNKNOWN
    for call in (desk.store.change_client(changed), desk.store.delete_client(ACCOUNT, "client-1")):
        with pytest.raises(UnknownRecord):
            desk.run(call)
    desk.run(desk.store.add_client(a_client()))


def test_a_nonce_is_used_once_and_by_its_own_client(desk: Desk, neighbor: Desk) -> None:
    assert issue(desk)
    assert use(desk, client_id="client-2") is Admission.NONCE_UNKNOWN
    assert use(desk, account_id=OTHER) is Admission.NONCE_UNKNOWN
    assert use(desk) is Admission.ADMITTED
    assert use(desk) is Admission.NONCE_UNKNOWN


@pytest.mark.parametrize(
    ("later", "admission"),
    [(1_799.9, Admission.ADMITTED), (1_800, Admission.NONCE_UNKNOWN)],
)
def test_a_nonce_can_be_used_for_30_minutes(desk: Desk, later: float, admission: Admission) -> None:
    issue(desk)
    assert use(desk, now=at(later)) is admission


def test_of_many_uses_at_once_over_several_processes_one_is_admitted(
    desk: Desk, another: Callable[[], Store]
) -> None:
    issue(desk)
    stores = [desk.store, another(), another()]

    async def race() -> list[Admission]:
        return await asyncio.gather(
            *(
                stores[n % 3].use_nonce(ACCOUNT, "client-1", nonce=NONCE, most_calls=120, now=NOW)
                for n in range(30)
            )
        )

    found = desk.run(race())
    assert found.count(Admission.ADMITTED) == 1
    assert found.count(Admission.NONCE_UNKNOWN) == 29


def test_calls_are_counted_for_a_minute_and_a_nonce_outlives_too_many(desk: Desk) -> None:
    for n in range(3):
        assert issue(desk, f"{n:040}", now=at(n), most_calls=3)
    assert not issue(desk, now=at(59.9), most_calls=3)
    assert use(desk, "0" * 40, now=at(59.9), most_calls=3) is Admission.TOO_MANY_CALLS
    assert use(desk, "0" * 40, now=at(60), most_calls=3) is Admission.ADMITTED
    assert use(desk, now=at(60), most_calls=3) is Admission.NONCE_UNKNOWN


def test_a_clock_that_was_set_back_locks_nobody_out(desk: Desk) -> None:
    for n in range(3):
        issue(desk, f"{n:040}", now=at(3_600), most_calls=2)
    assert issue(desk, now=NOW, most_calls=2)


def test_old_nonces_are_forgotten_and_good_ones_are_not(desk: Desk) -> None:
    desk.run(desk.store.add_client(a_client()))
    issue(desk)
    assert desk.run(desk.store.drop_old_nonces(now=at(1_799))) == 0
    assert desk.run(desk.store.drop_old_nonces(now=at(1_800))) == 1
    assert desk.run(desk.store.drop_old_nonces(now=at(1_800))) == 0


def test_orders_are_named_by_id_and_by_key_and_come_back_in_the_order_asked(
    desk: Desk, neighbor: Desk
) -> None:
    one, two = desk.place("K1"), desk.place("K2")
    theirs = neighbor.place("K3")
    refs = [
        OrderRef(ACCOUNT, order_id=two.order_id),
        OrderRef(ACCOUNT, store="shop", order_key="K3"),
        OrderRef(ACCOUNT, order_id=theirs.order_id),
        OrderRef(ACCOUNT, store="shop", order_key="K1"),
    ]
    assert desk.run(desk.store.orders_named(refs)) == [two, None, None, one]


# fake orders


def a_fake(desk: Desk, key: str, *, due_at: datetime = NOW) -> Rehearsal:
    order = an_order(key, order_id=f"tst_{key.lower()}")
    rehearsal = Rehearsal(ACCOUNT, order.order_id, 1, 1, due_at)
    desk.change(Changes(created=[order], events=[an_event(order)], rehearsals=[rehearsal]))
    return rehearsal


def claim(desk: Desk, *, now: datetime = NOW, limit: int = 10) -> list[Rehearsal]:
    found = desk.run(desk.store.claim_rehearsals(now=now, until=at(30), limit=limit))
    return sorted(found, key=lambda one: one.order_id)


def test_a_rehearsal_begins_with_its_order_and_is_claimed_when_it_is_due(desk: Desk) -> None:
    assert desk.run(desk.store.next_rehearsal_at()) is None
    assert claim(desk) == []
    first, second = a_fake(desk, "A", due_at=at(1)), a_fake(desk, "B", due_at=at(2))
    assert desk.run(desk.store.next_rehearsal_at()) == at(1)
    assert claim(desk) == []
    put_off = [msgspec.structs.replace(one, due_at=at(30)) for one in (first, second)]
    assert claim(desk, now=at(1)) == put_off[:1]
    assert claim(desk, now=at(2)) == put_off[1:]
    assert claim(desk, now=at(3)) == []


def test_a_rehearsal_that_nobody_went_on_with_is_due_again(desk: Desk) -> None:
    a_fake(desk, "A")
    assert len(claim(desk)) == 1
    assert claim(desk, now=at(29)) == []
    assert len(claim(desk, now=at(30))) == 1


def test_a_step_is_noted_only_after_the_one_before_it(desk: Desk) -> None:
    one = a_fake(desk, "A")
    second = msgspec.structs.replace(one, step=2, due_at=at(5))
    third = msgspec.structs.replace(one, step=3, due_at=at(9))
    desk.run(desk.store.put_rehearsal(third))
    desk.run(desk.store.put_rehearsal(second))
    desk.run(desk.store.end_rehearsal(one))
    assert desk.run(desk.store.next_rehearsal_at()) == at(5)
    desk.run(desk.store.end_rehearsal(second))
    assert desk.run(desk.store.next_rehearsal_at()) is None


def test_two_processes_never_claim_the_same_rehearsal_at_once(
    desk: Desk, another: Callable[[], Store], run: Run[Any]
) -> None:
    for n in range(20):
        a_fake(desk, f"A{n:02}")
    stores = [desk.store, another()]

    async def race() -> list[Rehearsal]:
        claims = [stores[n % 2].claim_rehearsals(now=NOW, until=at(30), limit=3) for n in range(10)]
        return [one for found in await asyncio.gather(*claims) for one in found]

    found = [one.order_id for one in run(race())]
    found += [one.order_id for one in claim(desk, limit=100)]
    assert sorted(found) == [f"tst_a{n:02}" for n in range(20)]


def test_fake_orders_are_not_counted(desk: Desk) -> None:
    desk.place("K1")
    a_fake(desk, "A")
    for account_id in (ACCOUNT, None):
        counts = desk.run(desk.store.counts(account_id))
        assert (counts.orders, counts.events) == (1, 1)


def test_without_a_key_nobody_can_sign_as_a_client_until_it_gets_a_new_secret(desk: Desk) -> None:
    desk.run(desk.store.add_client(a_client()))
    desk.run(desk.store.open_without_secrets(now=NOW))
    left = desk.run(desk.store.find_client("client-1"))
    assert len(left.secret) >= 32
    assert left.secret != a_client().secret
    assert msgspec.structs.replace(left, secret=a_client().secret) == a_client()


def test_no_carrier_is_asked_about_the_parcel_of_a_fake_order(desk: Desk) -> None:
    parcel = Parcel("P1", state=State.SHIPPED, state_at=NOW, created_at=NOW)
    source = CarrierSource(ACCOUNT, "acme", "http", (), b"{}", b"{}", NOW, NOW)

    def ship(key: str, order_id: str) -> Sequence[Tracking]:
        order = desk.place(key, order_id=order_id, state=State.SHIPPED, parcels=(parcel,))
        renumbered = msgspec.structs.replace(parcel, tracking_number="T")
        desk.move(order, State.IN_TRANSIT, parcels=(renumbered,))
        found: Sequence[Tracking] = desk.run(desk.store.trackings(ACCOUNT, order_id))
        return found

    desk.run(desk.store.put_carrier_source(source))
    assert len(ship("real", "ord_1")) == 1
    assert list(ship("fake", "tst_1")) == []
    begun = desk.store.begin_trackings(ACCOUNT, after=("", ""), limit=10, now=NOW)
    assert desk.run(begun) is None
    assert list(desk.run(desk.store.trackings(ACCOUNT, "tst_1"))) == []
