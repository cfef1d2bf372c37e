"""Clocks of accounts: one transaction moves a clock and what waits for it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from milepost.delivery.health import Health, Pulse
from milepost.delivery.model import Claimed, Endpoint, EndpointState, Outcome
from milepost.delivery.outcome import Retry
from milepost.errors import UnknownRecord
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.ports import Account, Changes, Judged, Lease, OrderRef, Snapshot, Store
from milepost.ports.clocks import Clock, Waits
from milepost.ports.rehearsals import Rehearsal
from milepost.store.postgres.session import Session as PostgresSession
from milepost.store.sqlite.session import Session as SqliteSession
from tests.store.desk import ME, NOW, Desk, Run, an_order, at
from tests.store.test_trackings import a_parcel, a_source, claim, put, settle, ship, watched

SANDBOX = "acc_sandbox"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def sandbox(store: Store, run: Run[Any]) -> Desk:
    """A sandbox account with one store."""
    run(store.add_account(Account(SANDBOX, "Rehearsal", NOW, sandbox=True)))
    run(store.put_store(SANDBOX, "shop", name="shop", number=None, now=NOW))
    return Desk(store, run, SANDBOX)


def clock(desk: Desk) -> Clock:
    found: Clock = desk.run(desk.store.clock(desk.account_id))
    return found


def waits(desk: Desk, now: Any = NOW) -> Waits:
    found: Waits = desk.run(desk.store.waits(clock(desk), now=now))
    return msgspec.structs.replace(found, quiet={})


def forward(desk: Desk, by: timedelta, now: Any = NOW) -> bool:
    moved: bool = desk.run(desk.store.move_clock(clock(desk), by=by, now=now))
    return moved


def failed(desk: Desk, key: str, *, again_s: float) -> tuple[Endpoint, Order]:
    """An endpoint and an order whose first notification is due again after so long."""
    endpoint = desk.endpoint(f"ep_{key.lower()}")
    order = desk.place(key, to=[endpoint])
    heads = [one for one in desk.claim() if one.endpoint.account_id == desk.account_id]
    desk.settle(*heads, step=Retry(at(again_s)), outcome=Outcome.TIMEOUT)
    return endpoint, order


def rehearse(desk: Desk, key: str, *, due_s: float) -> Rehearsal:
    order = an_order(key, account_id=desk.account_id)
    rehearsal = Rehearsal(desk.account_id, order.order_id, 1, 1, at(due_s))
    desk.change(Changes(created=[order], rehearsals=[rehearsal]))
    return rehearsal


def ahead(desk: Desk) -> timedelta | None:
    """How far ahead the next intake of the account sees its clock."""
    desk.change(Changes(), refs=[OrderRef(desk.account_id)])
    return desk.snapshots[-1].ahead.get(desk.account_id)


def test_an_account_is_a_sandbox_when_it_was_made_as_one(desk: Desk, sandbox: Desk) -> None:
    assert clock(sandbox) == Clock(SANDBOX, True, timedelta())
    assert not clock(desk).sandbox
    assert {a.account_id: a.sandbox for a in desk.run(desk.store.accounts())} == {
        desk.account_id: False,
        SANDBOX: True,
    }
    with pytest.raises(UnknownRecord):
        desk.run(desk.store.clock("acc_nobody"))


def test_the_clock_of_an_account_that_is_no_sandbox_cannot_be_moved(desk: Desk) -> None:
    assert not forward(desk, HOUR)
    assert clock(desk).ahead == timedelta()
    assert ahead(desk) is None


def test_an_intake_sees_how_far_the_clock_is_ahead_in_its_own_transaction(
    sandbox: Desk, desk: Desk
) -> None:
    assert ahead(sandbox) is None
    assert forward(sandbox, HOUR)
    assert ahead(sandbox) == HOUR
    assert forward(sandbox, DAY)
    assert ahead(sandbox) == HOUR + DAY
    assert ahead(desk) is None


def test_another_process_sees_the_clock_moved_with_its_next_intake(
    sandbox: Desk, another: Callable[[], Store], run: Run[Any]
) -> None:
    theirs = Desk(another(), run, SANDBOX)
    assert ahead(theirs) is None
    forward(sandbox, HOUR)
    assert ahead(theirs) == HOUR


def test_a_clock_is_moved_only_from_where_it_was_seen(sandbox: Desk) -> None:
    seen = clock(sandbox)
    assert forward(sandbox, HOUR)
    assert not sandbox.run(sandbox.store.move_clock(seen, by=DAY, now=NOW))
    assert clock(sandbox).ahead == HOUR


def test_a_retry_comes_due_earlier_by_as_much(sandbox: Desk) -> None:
    endpoint, order = failed(sandbox, "K1", again_s=3_600)
    assert waits(sandbox) == Waits(0, at(3_600))
    forward(sandbox, timedelta(minutes=59))
    assert waits(sandbox) == Waits(0, at(60))
    assert sandbox.delivery(endpoint, order).due_at == at(60)
    assert not sandbox.claim(now=at(59))
    (again,) = sandbox.claim(now=at(60))
    assert again.attempts == 1


def test_what_is_due_already_stays_where_it_is(sandbox: Desk) -> None:
    endpoint = sandbox.endpoint()
    order = sandbox.place("K1", to=[endpoint])
    forward(sandbox, DAY)
    assert sandbox.delivery(endpoint, order).due_at == NOW
    assert waits(sandbox) == Waits(1, None)


def test_a_lease_stays_as_long_as_it_was(sandbox: Desk) -> None:
    endpoint = sandbox.endpoint()
    sandbox.place("K1", to=[endpoint])
    (held,) = sandbox.claim(lease_s=60)
    forward(sandbox, DAY)
    assert not sandbox.claim(owner="someone", now=at(59))
    assert waits(sandbox).under_way == 1
    sandbox.settle(held)
    assert waits(sandbox) == Waits()


def test_a_lane_that_is_on_its_way_goes_on_to_what_was_moved_beneath_it(sandbox: Desk) -> None:
    endpoint, order = failed(sandbox, "K1", again_s=3_600)
    sandbox.move(order, State.SUBMITTED, to=[endpoint])
    forward(sandbox, HOUR)
    (head,) = sandbox.claim()
    forward(sandbox, HOUR)
    (following,) = sandbox.settle(head)
    assert (head.sequence, following.sequence) == (1, 2)


def test_a_step_of_a_fake_order_comes_due_earlier_unless_it_is_being_taken(sandbox: Desk) -> None:
    rehearse(sandbox, "K1", due_s=600)
    taken = rehearse(sandbox, "K2", due_s=0)
    store, run = sandbox.store, sandbox.run
    (claimed,) = run(store.claim_rehearsals(now=NOW, until=at(30), limit=9))
    assert claimed.order_id == taken.order_id
    assert waits(sandbox) == Waits(1, at(600))
    forward(sandbox, timedelta(seconds=590))
    assert waits(sandbox) == Waits(1, at(10))
    assert not run(store.claim_rehearsals(now=at(9), until=at(30), limit=9))
    run(store.put_rehearsal(Rehearsal(SANDBOX, taken.order_id, 1, 2, at(40))))
    assert waits(sandbox) == Waits(0, at(10))


def test_a_parcel_is_watched_by_the_time_of_its_account(sandbox: Desk) -> None:
    put(sandbox)
    forward(sandbox, DAY)
    there = NOW + DAY
    order = ship(sandbox, "K1", a_parcel(state_at=there, created_at=there))
    assert waits(sandbox) == Waits(1, None)
    (one,) = claim(sandbox, lease_s=60)
    assert one.ahead == DAY
    assert one.tracking.since_at == there
    assert one.tracking.due_at == there + timedelta(seconds=60)
    assert not claim(sandbox, now=at(59))
    assert settle(sandbox, one, due_at=there + HOUR, asked_at=there) == 1
    assert waits(sandbox) == Waits(0, NOW + HOUR)
    assert not claim(sandbox)
    forward(sandbox, HOUR)
    assert waits(sandbox) == Waits(1, None)
    (again,) = claim(sandbox)
    assert again.ahead == DAY + HOUR
    assert watched(sandbox, order)["P1"].since_at == there


def test_a_parcel_that_nobody_can_be_asked_for_holds_nothing_up(sandbox: Desk) -> None:
    put(sandbox)
    ship(sandbox, "K1")
    assert waits(sandbox).under_way == 1
    sandbox.run(sandbox.store.delete_carrier_source(SANDBOX, a_source().source))
    assert waits(sandbox) == Waits()


def test_what_an_endpoint_s_rules_count_from_moves_with_the_clock(sandbox: Desk) -> None:
    endpoint = sandbox.endpoint()
    health = Health(failures=3, failing_since=NOW, last_success_at=at(-5), last_failure_at=at(9))
    store, run = sandbox.store, sandbox.run
    told = Judged(health)
    run(store.beat([_pulse(endpoint)], judge=lambda *_: told, now=NOW))
    forward(sandbox, HOUR)
    after = run(store.health(SANDBOX))[endpoint.endpoint_id]
    assert after.failing_since == NOW - HOUR
    assert after.last_success_at == at(-5)
    assert after.last_failure_at == at(9)


def _pulse(endpoint: Endpoint) -> Pulse:
    return Pulse(endpoint.account_id, endpoint.endpoint_id, failures=3, first_failure_at=NOW)


def test_nothing_of_another_account_moves(sandbox: Desk, desk: Desk) -> None:
    endpoint, order = failed(desk, "K1", again_s=3_600)
    failed(sandbox, "K1", again_s=3_600)
    rehearse(desk, "K2", due_s=600)
    rehearse(sandbox, "K2", due_s=600)
    put(desk)
    parcel = ship(desk, "K3")
    before = waits(desk)
    forward(sandbox, DAY)
    assert waits(desk) == before
    assert desk.delivery(endpoint, order).due_at == at(3_600)
    assert watched(desk, parcel)["P1"].due_at == NOW
    found: list[Claimed] = list(desk.claim())
    assert {one.endpoint.account_id for one in found} == {SANDBOX}
    (step,) = desk.run(desk.store.claim_rehearsals(now=NOW, until=at(30), limit=9))
    assert step.account_id == SANDBOX


def test_the_lanes_of_an_endpoint_that_rests_are_not_waited_for(sandbox: Desk) -> None:
    endpoint, _ = failed(sandbox, "K1", again_s=3_600)
    sandbox.run(
        sandbox.store.set_endpoint_state(
            SANDBOX, endpoint.endpoint_id, state=EndpointState.PAUSED, why="rests", now=NOW
        )
    )
    assert waits(sandbox) == Waits()


def test_an_intake_of_an_account_whose_clock_is_ours_is_told_nothing_of_clocks(desk: Desk) -> None:
    snapshots: list[Snapshot] = []

    def decide(snapshot: Snapshot) -> Changes:
        snapshots.append(snapshot)
        return Changes()

    lease = Lease(ME, at(60))
    desk.run(
        desk.store.change_orders([OrderRef(desk.account_id)], decide=decide, lease=lease, now=NOW)
    )
    assert snapshots[0].ahead == {}


def test_the_first_order_of_each_state_says_since_when_it_is_quiet(sandbox: Desk) -> None:
    sandbox.place("K1")
    sandbox.place("K2", state_at=at(-60))
    sandbox.place("K3", state=State.PICKING, state_at=at(5))
    found = sandbox.run(sandbox.store.waits(clock(sandbox), now=NOW))
    assert found.quiet == {State.CREATED: at(-60), State.PICKING: at(5)}


def test_intakes_ask_nothing_of_clocks_while_none_was_moved(
    desk: Desk, sandbox: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def count(session: Any, statement: str, /, **values: Any) -> Any:
            asked.append(statement)
            return original(session, statement, **values)

        return count

    for kind in (SqliteSession, PostgresSession):
        for method in ("row", "rows"):
            monkeypatch.setattr(kind, method, counting(getattr(kind, method)))
    endpoint = desk.endpoint()
    for n in range(2):
        desk.place(f"A{n}", to=[endpoint])
    asked.clear()
    for n in range(5):
        order = desk.place(f"B{n}", to=[endpoint])
        desk.move(order, State.SUBMITTED, to=[endpoint])
    assert not [name for name in asked if "clock" in name]
    forward(sandbox, HOUR)
    desk.place("C1", to=[endpoint])
    # Whoever is ahead is looked up again once, and nothing else is.
    assert len([name for name in asked if "clocks_ahead" in name]) <= 1
