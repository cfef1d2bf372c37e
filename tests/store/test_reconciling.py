"""Reconciliations on record: one of a source at a time, leased, noted part by part, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from milepost.contracts.comparison import Kind
from milepost.errors import UnknownRecord
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.ports import Lease, Page
from milepost.ports.reconciling import (
    Everything,
    Found,
    Open,
    Part,
    Place,
    Reconciliation,
    RunState,
)
from tests.store.desk import ACCOUNT, ME, NOW, OTHER, SOMEONE, Desk, at

LEASE = Lease(ME, at(60))


def a_run(name: str = "rec_1", **given: Any) -> Reconciliation:
    return Reconciliation(
        **{
            "account_id": ACCOUNT,
            "run_id": name,
            "source": "theirs",
            "choice": Open(at(-3_600)),
            "dry_run": False,
            "asked_at": NOW,
            "due_at": NOW,
            "total": 7,
            "listed_since": at(-60),
            **given,
        }
    )


def found(key: str, **given: Any) -> Found:
    return Found(
        **{
            "order_id": f"ord_{key}",
            "store": "shop",
            "order_key": key,
            "kind": Kind.STATE,
            "parcel": "",
            "ours": "VERIFIED",
            "theirs": "OPEN",
            **given,
        }
    )


def a_part(*told: Found, after: str = "ord_1", ends: bool = False) -> Part:
    return Part(told, examined=5, asked=3, place=Place(after), ends=ends)


def add(desk: Desk, run: Reconciliation, **given: Any) -> Reconciliation | None:
    kept: Reconciliation | None = desk.run(
        desk.store.add_reconciliation(run, **{"keep": 20, **given})
    )
    return kept


def take(desk: Desk, name: str = "rec_1", *, owner: str = ME, s: float = 0) -> Any:
    lease = Lease(owner, at(s + 60))
    return desk.run(desk.store.take_reconciliation(ACCOUNT, name, lease=lease, now=at(s)))


def advance(desk: Desk, run: Reconciliation, part: Part, *, most: int = 100) -> Any:
    return desk.run(desk.store.advance_reconciliation(run, part, most=most, lease=LEASE, now=at(5)))


def differences(desk: Desk, *, limit: int = 100) -> Sequence[Found]:
    all_of_them: list[Found] = []
    after: str | None = None
    while True:
        page, after = desk.run(desk.store.differences(ACCOUNT, "rec_1", page=Page(after, limit)))
        all_of_them += page
        if after is None:
            return all_of_them


def test_a_run_comes_back_as_it_was_kept(desk: Desk) -> None:
    run = a_run(why="because", failures=2)
    assert add(desk, run) == run
    assert desk.run(desk.store.find_reconciliation(ACCOUNT, "rec_1")) == run


def test_a_source_has_one_run_at_a_time(desk: Desk) -> None:
    first = a_run()
    add(desk, first)
    assert add(desk, a_run("rec_2", choice=Everything())) == first
    elsewhere = a_run("rec_3", source="others")
    assert add(desk, elsewhere) == elsewhere
    ended = desk.run(
        desk.store.end_reconciliation(
            ACCOUNT, "rec_1", state=RunState.FAILED, why="gone", now=at(9)
        )
    )
    assert (ended.state, ended.why, ended.finished_at) == (RunState.FAILED, "gone", at(9))
    assert add(desk, a_run("rec_4"), not_since=at(-1)) is None
    assert add(desk, a_run("rec_4"), not_since=NOW) is not None


def test_a_run_is_one_process_s_until_its_lease_is_over(desk: Desk) -> None:
    add(desk, a_run())
    assert take(desk) is not None
    assert take(desk, owner=SOMEONE, s=59) is None
    assert desk.run(desk.store.due_reconciliations(now=at(59), limit=9)) == []
    assert len(desk.run(desk.store.due_reconciliations(now=at(61), limit=9))) == 1
    late = a_part(found("K1"))
    assert take(desk, owner=SOMEONE, s=61) is not None
    assert advance(desk, a_run(), late) is None
    assert desk.run(desk.store.note_differences(a_run(), late.found, lease=LEASE)) is False
    assert differences(desk) == []


def test_a_part_is_noted_once_with_all_that_it_found(desk: Desk) -> None:
    add(desk, a_run())
    run = take(desk)
    told = (found("K2", verdict=Verdict.APPLIED), found("K1", verdict=Verdict.ILLEGAL, why="no"))
    after = advance(desk, run, a_part(*told))
    assert (after.place, after.examined, after.asked) == (Place("ord_1"), 5, 3)
    assert (after.differences, after.applied, after.unapplied) == (2, 1, 1)
    # The same part once more is somebody's who does not know of this one.
    assert advance(desk, run, a_part(*told)) is None
    ended = advance(desk, after, a_part(found("K3", order_id=None), after="ord_2", ends=True))
    assert (ended.state, ended.differences, ended.finished_at) == (RunState.DONE, 3, at(5))
    assert take(desk) is None
    assert [one.order_key for one in differences(desk, limit=1)] == ["K1", "K2", "K3"]
    assert differences(desk)[0] == told[1]


def test_what_was_about_to_be_applied_is_settled_by_the_next_part(desk: Desk) -> None:
    add(desk, a_run())
    run = take(desk)
    pending = [found(key, pending=True) for key in ("K1", "K2")]
    assert desk.run(desk.store.note_differences(run, pending, lease=LEASE))
    assert desk.run(desk.store.pending_orders(ACCOUNT, "rec_1")) == ["ord_K1", "ord_K2"]
    after = advance(desk, run, a_part(found("K2", verdict=Verdict.STALE)))
    assert (after.differences, after.applied) == (2, 1)
    first, second = differences(desk)
    assert (first.verdict, first.pending) == (Verdict.APPLIED, False)
    assert second.verdict is Verdict.STALE
    assert desk.run(desk.store.pending_orders(ACCOUNT, "rec_1")) == []


def test_more_differences_than_are_kept_are_counted(desk: Desk) -> None:
    add(desk, a_run())
    after = advance(desk, take(desk), a_part(*(found(f"K{n}") for n in range(5))), most=3)
    assert after.differences == 5
    assert len(differences(desk)) == 3
    assert advance(desk, after, a_part(found("K9"), after="x"), most=3).differences == 6
    assert len(differences(desk)) == 3


def test_a_run_that_is_put_off_goes_on_when_it_is_due(desk: Desk) -> None:
    add(desk, a_run())
    run = take(desk)
    desk.run(
        desk.store.put_off_reconciliation(run, owner=ME, until=at(30), failures=2, why="HTTP 503")
    )
    assert desk.run(desk.store.due_reconciliations(now=at(29), limit=9)) == []
    (due,) = desk.run(desk.store.due_reconciliations(now=at(30), limit=9))
    assert (due.failures, due.why) == (2, "HTTP 503")
    assert advance(desk, take(desk, s=30), a_part()).failures == 0


def test_only_the_last_runs_of_a_source_are_kept(desk: Desk) -> None:
    for number in range(1, 6):
        add(desk, a_run(f"rec_{number}"), keep=2)
        advance(desk, take(desk, f"rec_{number}"), a_part(found("K1"), ends=True))
    add(desk, a_run("rec_6"), keep=2)
    runs, after = desk.run(desk.store.reconciliations(ACCOUNT, source="theirs", page=Page()))
    assert ([run.run_id for run in runs], after) == (["rec_6", "rec_5", "rec_4"], None)
    assert differences(desk) == []
    last = desk.run(desk.store.last_reconciliation(ACCOUNT, "theirs"))
    assert last.run_id == "rec_6"


def test_the_last_run_is_one_of_open_orders_and_no_dry_one(desk: Desk) -> None:
    kinds: list[dict[str, Any]] = [{}, {"dry_run": True}, {"choice": Everything()}]
    for number, given in enumerate(kinds):
        run = a_run(f"rec_{number}", finished_at=NOW, state=RunState.DONE, **given)
        add(desk, run)
    assert desk.run(desk.store.last_reconciliation(ACCOUNT, "theirs")).run_id == "rec_0"
    assert desk.run(desk.store.last_reconciliation(ACCOUNT, "nobody")) is None


def test_a_source_whose_last_run_failed_is_told_until_one_succeeds(desk: Desk) -> None:
    def ended(name: str, source: str, state: RunState) -> None:
        add(desk, a_run(name, source=source, state=state, finished_at=NOW))

    def failed() -> list[str]:
        runs = desk.run(desk.store.failed_reconciliations(ACCOUNT))
        return [run.run_id for run in runs]

    ended("rec_1", "b", RunState.FAILED)
    ended("rec_2", "a", RunState.FAILED)
    ended("rec_3", "c", RunState.DONE)
    assert failed() == ["rec_2", "rec_1"]
    ended("rec_4", "a", RunState.DONE)
    add(desk, a_run("rec_5", source="b"))
    assert failed() == ["rec_1"]
    assert desk.run(desk.store.failed_reconciliations(OTHER)) == []


def test_runs_are_listed_newest_first_page_by_page(desk: Desk) -> None:
    for number in range(3):
        add(desk, a_run(f"rec_{number}", source=f"s{number}"))
    first, after = desk.run(desk.store.reconciliations(ACCOUNT, source=None, page=Page(limit=2)))
    rest, end = desk.run(
        desk.store.reconciliations(ACCOUNT, source=None, page=Page(after, limit=2))
    )
    assert [run.run_id for run in (*first, *rest)] == ["rec_2", "rec_1", "rec_0"]
    assert end is None


def test_another_account_s_runs_are_not_there(desk: Desk, neighbor: Desk) -> None:
    add(desk, a_run())
    advance(desk, take(desk), a_part(found("K1")))
    for missing in (
        desk.store.find_reconciliation(OTHER, "rec_1"),
        desk.store.end_reconciliation(OTHER, "rec_1", state=RunState.STOPPED, why="", now=NOW),
    ):
        with pytest.raises(UnknownRecord):
            desk.run(missing)
    assert desk.run(desk.store.differences(OTHER, "rec_1", page=Page())) == ([], None)
    own = msgspec.structs.replace(a_run(), account_id=OTHER)
    assert add(neighbor, own) == own


def test_what_differed_goes_with_its_order(desk: Desk) -> None:
    add(desk, a_run())
    gone, left = desk.place("K1"), desk.place("K2")
    told = [
        found(order.order_key, order_id=order.order_id, parcel="1Z-hidden")
        for order in (gone, left)
    ]
    advance(desk, take(desk), a_part(*told))

    def is_due(_standing: object) -> bool:
        return True

    desk.run(desk.store.drop_orders(ACCOUNT, [gone.order_id], is_due=is_due, now=at(9)))
    desk.run(desk.store.sweep(name=None, limit=100))
    assert [one.order_key for one in differences(desk)] == ["K2"]


def test_real_orders_are_looked_through_by_their_ids(desk: Desk) -> None:
    for key in ("K1", "K2", "K3"):
        desk.place(key)
    desk.place("T1", order_id="tst_1")
    page = desk.run(desk.store.order_standings(ACCOUNT, after="ord_k1", limit=9))
    assert [one.order_id for one in page] == ["ord_k2", "ord_k3"]
    assert page[0].state is State.CREATED
    assert page[0].heard_at >= page[0].updated_at
    count = desk.store.number_of_orders
    assert desk.run(count(ACCOUNT, ("shop", "none"), most=100)) == 4
    assert desk.run(count(ACCOUNT, ("shop", "none"), most=2)) == 2
