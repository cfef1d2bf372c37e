"""A whole upkeep over orders of every age: what is over goes, all of it, and nothing else does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import pytest

from milepost.delivery.model import Endpoint
from milepost.delivery.outcome import Abandon
from milepost.delivery.rotation import rotated
from milepost.errors import UpkeepBusy
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import ENDS, State
from milepost.ports import Changes, Lease, OrderFilter, Page
from milepost.secrecy import Secrecy
from milepost.upkeep import LEASE, Report, Retention, Upkeep, first_id
from tests.store.desk import ACCOUNT, ME, NOW, SOMEONE, Desk, kept

DAY = timedelta(days=1)
KEPT = Retention(ended=90 * DAY, never_ended=400 * DAY)
NEW_SECRET = "whsec_" + "bmV3" * 11


class Killed(BaseException):
    """The process is gone."""


class Life(NamedTuple):
    """An order as it comes about: in which state, changed and last told of so many days ago."""

    state: State
    changed: int
    told: int | None = None
    pending: bool = False


def is_over(life: Life) -> bool:
    """The rule once more, said as plainly as can be."""
    quiet_for = life.changed if life.told is None else min(life.changed, life.told)
    return not life.pending and quiet_for >= (90 if life.state in ENDS else 400)


def ago(days: float) -> datetime:
    return NOW - days * DAY


def live(desk: Desk, endpoint: Endpoint, number: int, life: Life) -> str:
    """An order that has come to this; its id is as old as it is."""
    made_at = ago(life.changed)
    order_id = first_id("ord_", made_at)[:-6] + f"{number:06d}"
    wanted = [endpoint] if life.told is not None or life.pending else []
    desk.place(
        f"K{number}",
        to=wanted,
        order_id=order_id,
        state=life.state,
        state_at=made_at,
        created_at=made_at,
        updated_at=made_at,
        now=made_at,
    )
    if life.told is not None:
        claimed = desk.claim(now=ago(life.told))
        desk.settle(*claimed, now=ago(life.told))
    return order_id


def lives(*, seed: int, count: int) -> list[Life]:
    chance = random.Random(seed)
    ages = (1, 89, 90, 91, 200, 399, 400, 500)
    found = []
    for _ in range(count):
        changed = chance.choice(ages)
        told = chance.choice([None, changed, *(age for age in ages if age <= changed)])
        pending = told is None and chance.random() < 0.3
        state = chance.choice(sorted(chance.choice((ENDS, State))))
        found.append(Life(State(state), changed, told, pending))
    # What is pending would be claimed when another one's notification is sent.
    return sorted(found, key=lambda life: life.pending)


def an_upkeep(desk: Desk, *, owner: str = ME, now: datetime = NOW, **given: Any) -> Upkeep:
    async def rest(_seconds: float) -> None:
        return None

    def clock() -> datetime:
        return now

    secrecy = Secrecy(desk.store, now=clock, token=bytes)
    return Upkeep(
        desk.store,
        **{
            "secrecy": secrecy,
            "retention": KEPT,
            "every": DAY,
            "owner": owner,
            "now": clock,
            "rest": rest,
            **given,
        },
    )


def orders_left(desk: Desk) -> set[str]:
    found, _ = desk.run(desk.store.orders(ACCOUNT, wanted=OrderFilter(), page=Page(limit=1_000)))
    return {order.order_id for order in found}


def check_rows(desk: Desk, kept_lives: Sequence[Life]) -> None:
    """Of the orders that are left everything is there, and of those that went nothing."""
    counts = desk.run(desk.store.counts(ACCOUNT))
    assert counts.orders == counts.events == len(kept_lives)
    assert counts.attempts == sum(life.told is not None for life in kept_lives)
    assert sum(counts.deliveries.values()) == sum(
        life.told is not None or life.pending for life in kept_lives
    )


def test_exactly_the_orders_whose_time_is_over_go_and_leave_nothing(desk: Desk) -> None:
    endpoint = desk.endpoint()
    told = lives(seed=1, count=60)
    names = {live(desk, endpoint, n, life): life for n, life in enumerate(told)}
    over = {name for name, life in names.items() if is_over(life)}
    assert 10 < len(over) < 50
    upkeep = an_upkeep(desk)
    would = desk.run(upkeep.would_do())
    assert would.orders == len(over)
    assert orders_left(desk) == set(names)
    report = desk.run(upkeep.run())
    assert report.orders == len(over)
    assert orders_left(desk) == set(names) - over
    check_rows(desk, [life for name, life in names.items() if name not in over])
    assert desk.run(upkeep.run()).orders == 0


@pytest.mark.parametrize("parts", [0, 2, 7])
def test_what_was_killed_in_the_middle_is_finished_by_the_next(
    desk: Desk, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milepost.upkeep.ORDERS_DROPPED_AT_ONCE", 3)
    monkeypatch.setattr("milepost.upkeep.ROWS_AT_ONCE", 5)
    endpoint = desk.endpoint()
    told = lives(seed=2, count=20)
    names = {live(desk, endpoint, n, life): life for n, life in enumerate(told)}
    left = {name for name, life in names.items() if not is_over(life)}
    done = 0

    async def rest(_seconds: float) -> None:
        nonlocal done
        if done == parts:
            raise Killed
        done += 1

    with pytest.raises(Killed):
        desk.run(an_upkeep(desk, rest=rest).run())
    # Whatever has gone by now had to go, and nobody else begins while the lease runs.
    assert left <= orders_left(desk)
    with pytest.raises(UpkeepBusy):
        desk.run(an_upkeep(desk, owner=SOMEONE).run())
    desk.run(an_upkeep(desk, owner=SOMEONE, now=NOW + LEASE).run())
    assert orders_left(desk) == left
    check_rows(desk, [names[name] for name in left])


def test_an_upkeep_that_was_too_slow_leaves_it_to_the_one_that_took_over(desk: Desk) -> None:
    endpoint = desk.endpoint()
    live(desk, endpoint, 1, Life(State.DELIVERED, 100))

    async def rest(_seconds: float) -> None:
        lease = Lease(SOMEONE, NOW + 3 * LEASE)
        await desk.store.take_upkeep(lease=lease, now=NOW + LEASE, not_since=None)

    upkeep = an_upkeep(desk, rest=rest)
    with pytest.raises(UpkeepBusy):
        desk.run(upkeep.run())


def test_for_ever_is_for_ever(desk: Desk) -> None:
    endpoint = desk.endpoint()
    live(desk, endpoint, 1, Life(State.DELIVERED, 5_000))
    forever = Retention(ended=None, never_ended=None)
    assert desk.run(an_upkeep(desk, retention=forever).run()).orders == 0
    ended_only = Retention(ended=90 * DAY, never_ended=None)
    live(desk, endpoint, 2, Life(State.ON_HOLD, 5_000))
    assert desk.run(an_upkeep(desk, retention=ended_only).run()).orders == 1


def test_updates_and_expired_secrets_go_with_the_upkeep(desk: Desk) -> None:
    endpoint = desk.endpoint(secrets=("whsec_old",))
    desk.run(
        desk.store.change_endpoint(
            ACCOUNT,
            endpoint.endpoint_id,
            change=lambda known: rotated(known, NEW_SECRET, overlap=DAY, now=ago(1)),
        )
    )
    for days in (10, 90, 100):
        name = first_id("upd_", ago(days))
        desk.change(Changes(quarantined=[kept(name, Verdict.STALE, received_at=ago(days))]))
    upkeep = an_upkeep(desk)
    would = desk.run(upkeep.would_do())
    assert (would.updates, would.expired) == (2, 1)
    report = desk.run(upkeep.run())
    assert (report.updates, report.expired) == (2, 1)
    left = desk.run(desk.store.endpoint(ACCOUNT, endpoint.endpoint_id))
    assert (left.secrets, left.retiring) == ((NEW_SECRET,), ())


def test_a_notification_that_was_given_up_does_not_keep_an_order_for_ever(desk: Desk) -> None:
    endpoint = desk.endpoint()
    live(desk, endpoint, 1, Life(State.DELIVERED, 100, pending=True))
    assert desk.run(an_upkeep(desk).run()).orders == 0
    desk.settle(*desk.claim(), step=Abandon())
    assert desk.run(an_upkeep(desk, now=NOW + 89 * DAY).run()).orders == 0
    assert desk.run(an_upkeep(desk, now=NOW + 90 * DAY).run()).orders == 1


def test_its_report_is_on_record(desk: Desk) -> None:
    endpoint = desk.endpoint()
    live(desk, endpoint, 1, Life(State.DELIVERED, 100))
    report = desk.run(an_upkeep(desk).run())
    record = desk.run(desk.store.upkeep())
    assert msgspec.json.decode(record.report, type=Report) == report
    assert (record.begun_at, record.ended_at, record.owner) == (NOW, NOW, None)
