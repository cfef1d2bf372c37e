"""Accounts, keys, stores and endpoints are kept as they were given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from milepost.delivery.model import EndpointState, LanePolicy
from milepost.errors import AlreadyExists, UnknownRecord
from milepost.ports import Account, ApiKey, Changes, OrderRef, Store
from tests.store.desk import ACCOUNT, NOW, Desk, Run, an_endpoint, at

NOTHING = Changes()


def test_accounts_come_back_oldest_first(store: Store, run: Run[Any]) -> None:
    later = Account("acc_a", "Later", at(5))
    first = Account("acc_b", "First", NOW)
    run(store.add_account(later))
    run(store.add_account(first))
    assert run(store.accounts()) == [first, later]


def test_an_account_is_added_once(desk: Desk) -> None:
    with pytest.raises(AlreadyExists):
        desk.run(desk.store.add_account(Account(ACCOUNT, "Again", NOW)))
    assert [a.name for a in desk.run(desk.store.accounts())] == ["One"]


def test_the_first_account_is_opened_once(store: Store, run: Run[Any]) -> None:
    first = Account("acc_a", "First", NOW)
    assert run(store.add_first_account(first))
    assert not run(store.add_first_account(Account("acc_b", "Second", NOW)))
    assert run(store.accounts()) == [first]


def test_a_key_is_found_by_its_digest_alone(desk: Desk) -> None:
    key = ApiKey(ACCOUNT, "key_1", "deploy", NOW)
    desk.run(desk.store.add_key(key, digest="d1"))
    assert desk.run(desk.store.find_key(ACCOUNT, digest="d1")) == key
    assert desk.run(desk.store.find_key(ACCOUNT, digest="d2")) is None


def test_a_revoked_key_is_still_found_and_listed(desk: Desk) -> None:
    first, second = ApiKey(ACCOUNT, "key_2", "a", NOW), ApiKey(ACCOUNT, "key_1", "b", at(1))
    desk.run(desk.store.add_key(second, digest="d2"))
    desk.run(desk.store.add_key(first, digest="d1"))
    desk.run(desk.store.revoke_key(ACCOUNT, "key_2", now=at(9)))
    revoked = msgspec.structs.replace(first, revoked_at=at(9))
    assert desk.run(desk.store.keys(ACCOUNT)) == [revoked, second]
    assert desk.run(desk.store.find_key(ACCOUNT, digest="d1")) == revoked


def test_revoking_a_key_twice_keeps_the_first_time(desk: Desk) -> None:
    desk.run(desk.store.add_key(ApiKey(ACCOUNT, "key_1", "a", NOW), digest="d1"))
    desk.run(desk.store.revoke_key(ACCOUNT, "key_1", now=at(1)))
    desk.run(desk.store.revoke_key(ACCOUNT, "key_1", now=at(2)))
    assert [k.revoked_at for k in desk.run(desk.store.keys(ACCOUNT))] == [at(1)]


def test_a_key_that_is_not_there_cannot_be_revoked(desk: Desk) -> None:
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.revoke_key(ACCOUNT, "key_1", now=NOW))


@pytest.mark.parametrize(("key_id", "digest"), [("key_1", "d2"), ("key_2", "d1")])
def test_a_key_and_its_digest_are_kept_once(desk: Desk, key_id: str, digest: str) -> None:
    desk.run(desk.store.add_key(ApiKey(ACCOUNT, "key_1", "a", NOW), digest="d1"))
    with pytest.raises(AlreadyExists):
        desk.run(desk.store.add_key(ApiKey(ACCOUNT, key_id, "b", NOW), digest=digest))


def put_store(desk: Desk, store: str, *, number: int | None = None, name: str = "") -> int:
    found = desk.run(
        desk.store.put_store(desk.account_id, store, name=name or store, number=number, now=NOW)
    )
    assert found in desk.run(desk.store.stores(desk.account_id))
    return int(found.number)


def test_a_store_without_a_number_gets_the_next_free_one(desk: Desk) -> None:
    assert put_store(desk, "b") == 2
    assert put_store(desk, "c", number=7) == 7
    assert put_store(desk, "d") == 8
    assert [s.store for s in desk.run(desk.store.stores(ACCOUNT))] == ["shop", "b", "c", "d"]


def test_a_store_that_is_renamed_keeps_its_number_and_its_age(desk: Desk) -> None:
    assert put_store(desk, "b", number=5) == 5
    renamed = desk.run(desk.store.put_store(ACCOUNT, "b", name="New name", number=None, now=at(99)))
    assert (renamed.number, renamed.name, renamed.created_at) == (5, "New name", NOW)
    assert put_store(desk, "b", number=5) == 5
    assert put_store(desk, "b", number=6) == 6


@pytest.mark.parametrize("name", ["b", "new"])
def test_a_number_belongs_to_one_store(desk: Desk, name: str) -> None:
    put_store(desk, "b", number=5)
    with pytest.raises(AlreadyExists):
        put_store(desk, name, number=1)
    assert put_store(desk, "b") == 5


def test_an_endpoint_comes_back_as_it_was_put(desk: Desk) -> None:
    plain = desk.endpoint("ep_plain")
    rich = desk.endpoint(
        "ep_rich",
        created_at=at(1),
        updated_at=at(2),
        description="Außendienst",
        state=EndpointState.PAUSED,
        state_why="asked to",
        stores=("shop", "b"),
        statuses=(),
        timeout_s=2.5,
        concurrency=3,
        lane_policy=LanePolicy.HOLD,
        options=b'{"form":true}',
        credentials=b'{"user":"u"}',
        secrets=(),
    )
    assert desk.run(desk.store.endpoint(ACCOUNT, "ep_rich")) == rich
    assert desk.run(desk.store.endpoints(ACCOUNT)) == [plain, rich]


def test_putting_an_endpoint_again_replaces_it(desk: Desk) -> None:
    desk.endpoint(secrets=("whsec_old",))
    new = desk.endpoint(secrets=("whsec_new",), url="https://new.example/", updated_at=at(5))
    assert desk.run(desk.store.endpoints(ACCOUNT)) == [new]


def test_an_endpoint_is_paused_and_resumed_with_the_reason(desk: Desk) -> None:
    desk.endpoint()
    for state, why in ((EndpointState.PAUSED, "410 Gone"), (EndpointState.ACTIVE, "")):
        changed = desk.run(
            desk.store.set_endpoint_state(ACCOUNT, "ep_a", state=state, why=why, now=at(3))
        )
        assert (changed.state, changed.state_why, changed.updated_at) == (state, why, at(3))
        assert desk.run(desk.store.endpoint(ACCOUNT, "ep_a")) == changed


def test_an_endpoint_that_is_not_there_is_unknown_to_every_method(desk: Desk) -> None:
    store, state = desk.store, EndpointState.PAUSED
    for call in (
        store.endpoint(ACCOUNT, "ep_a"),
        store.set_endpoint_state(ACCOUNT, "ep_a", state=state, why="", now=NOW),
        store.delete_endpoint(ACCOUNT, "ep_a", now=NOW),
    ):
        with pytest.raises(UnknownRecord):
            desk.run(call)
    assert desk.run(store.endpoints(ACCOUNT)) == []


def test_the_next_intake_sees_what_was_set_up_just_before(desk: Desk) -> None:
    ref = [OrderRef(ACCOUNT)]
    for number in range(3):
        endpoint = desk.endpoint(f"ep_{number}", created_at=at(number))
        put_store(desk, f"s{number}")
        desk.change(NOTHING, refs=ref)
        assert desk.snapshots[-1].endpoints[ACCOUNT][-1] == endpoint
        assert (ACCOUNT, f"s{number}") in desk.snapshots[-1].stores
    desk.run(desk.store.delete_endpoint(ACCOUNT, "ep_0", now=NOW))
    desk.change(NOTHING, refs=ref)
    assert [e.endpoint_id for e in desk.snapshots[-1].endpoints[ACCOUNT]] == ["ep_1", "ep_2"]


def test_the_next_intake_sees_what_another_process_has_set_up(
    desk: Desk, another: Callable[[], Store]
) -> None:
    desk.change(NOTHING)
    assert desk.snapshots[-1].endpoints == {ACCOUNT: ()}
    elsewhere = Desk(another(), desk.run)
    endpoint = elsewhere.endpoint()
    put_store(elsewhere, "from-the-command-line")
    desk.change(NOTHING)
    assert desk.snapshots[-1].endpoints == {ACCOUNT: (endpoint,)}
    assert (ACCOUNT, "from-the-command-line") in desk.snapshots[-1].stores


def test_a_claim_carries_the_endpoint_as_another_process_left_it(
    desk: Desk, another: Callable[[], Store]
) -> None:
    old = desk.endpoint(url="https://old.example/")
    desk.place("K1", to=[old])
    elsewhere = Desk(another(), desk.run)
    new = elsewhere.endpoint(url="https://new.example/")
    assert [c.endpoint for c in desk.claim()] == [new]


def test_what_was_put_is_there_when_the_database_is_opened_again(
    desk: Desk, another: Callable[[], Store]
) -> None:
    endpoint = desk.endpoint()
    desk.run(desk.store.close())
    assert desk.run(another().endpoint(ACCOUNT, "ep_a")) == endpoint
    assert endpoint == an_endpoint()
