"""Reconciling, with a provider that is a hub of its own behind a real socket."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from milepost.attention import Kind as Attended
from milepost.contracts.comparison import Kind, Theirs
from milepost.errors import InvalidInput, ReconciliationRuns, UnknownRecord
from milepost.intake import OrderInput, UpdateInput
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import OrderContent
from milepost.ports import Page
from milepost.ports.reconciling import (
    Asked,
    ChangedSince,
    Everything,
    Listed,
    OneOrder,
    RunState,
    Unanswered,
)
from milepost.reconciling import Reconciling
from milepost.reconciling.runs import REMOVED, STOPPED
from tests.flows.beside import NAME, QUIET, Beside, another, ours_alone, side_by_side
from tests.flows.house import ACCOUNT
from tests.net.receiver import unused_port

S = State
KINDS = ("withings", "shipmonk")
TO_SHIPPED = (S.VERIFIED, S.SUBMITTED, S.PACKED, S.SHIPPED)

Case = Callable[[Beside], Coroutine[Any, Any, None]]


def play(case: Case, folder: Path, kind: str = "withings", **given: Any) -> None:
    async def whole() -> None:
        async with side_by_side(folder, kind, **given) as beside:
            await case(beside)

    asyncio.run(whole())


def play_alone(case: Case, folder: Path, **given: Any) -> None:
    """The same where the test itself says what the provider answers."""

    async def whole() -> None:
        async with ours_alone(folder, **given) as beside:
            await case(beside)

    asyncio.run(whole())


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_notification_is_made_good(tmp_path: Path, kind: str) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", *TO_SHIPPED)
        await at.lost("K1", S.IN_TRANSIT)
        run = await at.compare()
        assert (run.state, run.asked, run.differences, run.applied) == (RunState.DONE, 1, 1, 1)
        (found,) = await at.found(run)
        assert (found.kind, found.verdict) == (Kind.STATE, Verdict.APPLIED), found
        order = await at.order("K1")
        assert order.state is S.IN_TRANSIT
        (*_, last) = await at.ours.hub.store.history(
            order.account_id, order.order_id, after=0, limit=100
        )
        assert last.source == f"reconciled:{NAME}"
        again = await at.compare()
        assert (again.asked, again.differences) == (1, 0)

    play(case, tmp_path, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_tracking_number_is_made_good(tmp_path: Path, kind: str) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", *TO_SHIPPED)
        await at.lost("K1", carrier="UPS", tracking_number="1Z-1")
        run = await at.compare()
        (found,) = await at.found(run)
        assert (found.kind, found.parcel, found.verdict) == (
            Kind.TRACKING,
            "1Z-1",
            Verdict.APPLIED,
        )
        (parcel,) = (await at.order("K1")).parcels
        assert (parcel.carrier, parcel.tracking_number, parcel.state) == ("UPS", "1Z-1", S.SHIPPED)
        assert (await at.compare()).differences == 0

    play(case, tmp_path, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_ours_knows_and_theirs_does_not_is_no_difference(tmp_path: Path, kind: str) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", *TO_SHIPPED)
        await at.ours.update("K1", S.SHIPPED, carrier="UPS", tracking_number="1Z-1")
        run = await at.compare()
        assert (run.asked, run.differences) == (1, 0)
        (parcel,) = (await at.order("K1")).parcels
        assert parcel.tracking_number == "1Z-1"

    play(case, tmp_path, kind)


def test_a_finer_state_that_shows_the_same_word_is_no_difference(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", S.VERIFIED, S.SUBMITTED)
        await at.ours.update("K1", S.PICKING)
        assert (await at.compare()).differences == 0
        assert (await at.order("K1")).state is S.PICKING

    play(case, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_several_orders_one_of_which_they_do_not_know(tmp_path: Path, kind: str) -> None:
    async def case(at: Beside) -> None:
        for key in ("K1", "K2"):
            await at.both(key, S.VERIFIED)
        await at.ours.order("K3")
        run = await at.compare()
        (found,) = await at.found(run)
        assert (found.order_key, found.kind, found.verdict) == ("K3", Kind.UNKNOWN_THERE, None)
        assert (run.asked, run.differences, run.applied, run.unapplied) == (3, 1, 0, 1)

    play(case, tmp_path, kind)


def test_an_order_that_they_list_and_we_do_not_have_is_found(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", S.VERIFIED)
        await at.provider.order("K2")
        run = await at.compare()
        (found,) = await at.found(run)
        assert (found.order_id, found.store, found.order_key) == (None, "main", "K2")
        assert (found.kind, found.theirs) == (
            Kind.UNKNOWN_HERE,
            "queued_to_submit / unfulfilled",
        )
        assert run.differences == 1
        # Only what has changed there since the last time is looked through again.
        assert (await at.compare()).differences == 0

    play(case, tmp_path, "shipmonk")


def test_the_list_is_read_page_by_page(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        for number in range(120):
            await at.provider.order(f"K{number}")
        run = await at.compare()
        assert (run.examined, run.asked, run.differences) == (0, 0, 120)
        assert len(await at.found(run)) == 120

    play(case, tmp_path, "shipmonk")


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_that_leads_back_is_refused_unless_the_source_is_trusted(
    tmp_path: Path, kind: str
) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", *TO_SHIPPED, S.IN_TRANSIT)
        at.forward(timedelta(seconds=1))
        await at.ours.update("K1", S.RETURNING)
        run = await at.compare()
        (found,) = await at.found(run)
        assert found.verdict in (Verdict.ILLEGAL, Verdict.STALE), found
        assert (run.differences, run.applied) == (1, 0)
        assert (await at.order("K1")).state is S.RETURNING
        at.set_up(trusted=True)
        run = await at.compare()
        (found,) = await at.found(run)
        assert found.verdict is Verdict.APPLIED, found
        order = await at.order("K1")
        assert order.state is S.IN_TRANSIT
        (*_, last) = await at.ours.hub.store.history(
            order.account_id, order.order_id, after=0, limit=100
        )
        assert last.correction
        assert (last.note or "").startswith("the provider shows")

    play(case, tmp_path, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dry_run_lists_and_applies_nothing(tmp_path: Path, kind: str) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", *TO_SHIPPED)
        await at.lost("K1", S.IN_TRANSIT)
        run = await at.compare(dry_run=True)
        (found,) = await at.found(run)
        assert (run.differences, run.applied, found.verdict) == (1, 0, None)
        assert found.pending is False
        assert (await at.order("K1")).state is S.SHIPPED

    play(case, tmp_path, kind)


def test_which_orders_are_compared(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", *TO_SHIPPED, S.DELIVERED)
        await at.both("K2", S.VERIFIED)
        assert (await at.compare()).asked == 1
        assert (await at.compare(choice=Everything())).asked == 2
        at.forward(timedelta(seconds=1))
        since = at.ours.clock()
        await at.both_hear("K2", S.SUBMITTED)
        run = await at.compare(choice=ChangedSince(since))
        assert (run.examined, run.asked, run.total) == (2, 1, 2)
        one = OneOrder((await at.order("K1")).order_id)
        run = await at.compare(choice=one)
        assert (run.examined, run.asked, run.total) == (1, 1, 1)
        # Nothing that was just heard of is asked for again.
        await at.both_hear("K2", S.PICKING)
        begun = await at.reconciling.begin(ACCOUNT, NAME)
        assert (await at.reconciling.run(begun)).asked == 0

    play(case, tmp_path)


def test_orders_of_other_stores_are_left_alone(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", S.VERIFIED)
        await at.ours.hub.operations.put_store(ACCOUNT, "second", name="Second")
        at.set_up(store="second")
        assert (await at.compare(choice=Everything())).asked == 0
        with pytest.raises(InvalidInput, match="an order of the source's stores"):
            await at.compare(choice=OneOrder((await at.order("K1")).order_id))

    play(case, tmp_path)


def test_a_store_of_theirs_may_have_another_name_here(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", S.VERIFIED)
        await at.lost("K1", S.SUBMITTED)
        at.set_up(store="", stores={"1": "main"})
        run = await at.compare()
        assert (run.asked, run.applied) == (1, 1)
        at.set_up(store="", stores={"2": "main"})
        run = await at.compare(choice=Everything())
        assert (run.state, run.why) == (RunState.FAILED, "HTTP 400")

    play(case, tmp_path, "shipmonk")


# what goes wrong


@dataclass
class Script:
    """A provider that says what a test has written."""

    says: Callable[[Sequence[Asked]], Sequence[Theirs] | Unanswered]
    at_once: int = 3
    lists: bool = False
    asked: list[list[str]] = field(default_factory=list)

    async def named(self, asked: Sequence[Asked]) -> Sequence[Theirs] | Unanswered:
        self.asked.append([one.order_key for one in asked])
        return self.says(asked)

    async def listed(self, *, since: datetime, until: datetime, page: int) -> Listed | Unanswered:
        return Listed((), more=False)


def all_in(status: str, parcel_status: str | None = None) -> Script:
    """Knows every order, and each is in this status."""
    words = {"status": status, "parcel_status": parcel_status}
    return Script(lambda asked: [Theirs(one.order_key, words) for one in asked])


def scripted(at: Beside, script: Script, *, owner: str = "another") -> Reconciling:
    return another(at, provider_of=lambda _access: script, owner=owner)


def test_a_word_without_a_meaning_is_shown_and_not_guessed(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", S.VERIFIED)
        at.reconciling = scripted(at, all_in("LOST IN SPACE"))
        run = await at.compare()
        (found,) = await at.found(run)
        assert (found.kind, found.ours, found.theirs) == (
            Kind.UNMAPPED,
            "VERIFIED",
            "LOST IN SPACE",
        )
        assert run.unapplied == 1

    play_alone(case, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_that_are_refused_end_a_run_at_once(tmp_path: Path, kind: str) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", S.VERIFIED)
        secret = "a-secret-that-is-wrong"
        at.set_up(access={"api_key" if kind == "shipmonk" else "client_secret": secret})
        run = await at.compare()
        assert run.state is RunState.FAILED
        assert "401" in run.why
        assert secret not in repr(run)
        assert at.waits == []
        (matter,), _ = await at.ours.hub.attention.matters(
            ACCOUNT, kinds=(Attended.RECONCILIATION,), page=Page()
        )
        assert (matter.source, matter.attention_id) == (NAME, f"reconciliation:{run.run_id}")
        assert "401" in matter.why
        await at.ours.hub.attention.dismiss(ACCOUNT, [matter.attention_id])
        assert await at.ours.hub.attention.matters(
            ACCOUNT, kinds=(Attended.RECONCILIATION,), page=Page()
        ) == ([], None)

    play(case, tmp_path, kind)


def test_too_many_calls_are_waited_for_and_count_as_no_failure(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        for key in ("K1", "K2"):
            await at.both(key, S.VERIFIED)
        run = await at.compare()
        assert (run.state, run.asked) == (RunState.DONE, 2)
        run = await at.compare(choice=Everything())
        at.waits.clear()
        begun = await at.reconciling.begin(ACCOUNT, NAME, choice=Everything(), dry_run=True)
        run = await at.reconciling.run(begun)
        assert (run.state, run.asked, run.failures) == (RunState.DONE, 2, 0)
        assert sum(at.waits) >= 60

    play(case, tmp_path, client_calls_per_minute=2)


def test_a_provider_that_is_down_is_asked_later_each_time_and_then_given_up(
    tmp_path: Path,
) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", S.VERIFIED)
        at.set_up(access={"base_url": f"http://127.0.0.1:{unused_port()}"})
        run = await at.compare()
        assert (run.state, run.asked) == (RunState.FAILED, 0)
        assert run.why.startswith("connection_refused")
        assert 60 <= sum(at.waits) <= 66  # 2 + 4 + 8 + 16 + 32 seconds

    play(case, tmp_path)


def test_a_provider_that_comes_back_is_asked_on(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        for number in range(7):
            await at.both(f"K{number}", S.VERIFIED)
        answers = iter((False, True, False, False, True, True))

        def says(asked: Sequence[Asked]) -> Sequence[Theirs] | Unanswered:
            if not next(answers):
                return Unanswered("HTTP 503")
            return [Theirs(one.order_key, {"status": "VERIFIED"}) for one in asked]

        at.reconciling = scripted(at, Script(says))
        run = await at.compare()
        assert (run.state, run.asked, run.examined, run.why) == (RunState.DONE, 7, 7, "")

    play_alone(case, tmp_path)


def test_a_source_that_goes_away_ends_its_run(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", S.VERIFIED)
        begun = await at.reconciling.begin(ACCOUNT, NAME)
        at.set_up(source="another")
        run = await at.reconciling.run(begun)
        assert (run.state, run.why) == (RunState.FAILED, REMOVED)
        with pytest.raises(UnknownRecord):
            await at.reconciling.begin(ACCOUNT, NAME)
        at.set_up(source=NAME, read_access=b"{}")
        with pytest.raises(InvalidInput, match="read_access"):
            await at.reconciling.begin(ACCOUNT, NAME)

    play_alone(case, tmp_path)


# one run, many processes


class Killed(BaseException):
    """The end of a process, which cleans up nothing."""


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path, database: str) -> None:
    async def case(at: Beside) -> None:
        keys = [f"K{number}" for number in range(8)]
        for key in keys:
            await at.both(key, *TO_SHIPPED)
        at.forward(QUIET)
        first = all_in("SHIPPED", "in_transit")
        dying = scripted(at, first, owner="dying")
        calls = 0
        updates = dying._updates

        async def dies_after(account_id: str, inputs: Sequence[UpdateInput]) -> Any:
            nonlocal calls
            calls += 1
            told = await updates(account_id, inputs)
            if calls == 2:
                raise Killed
            return told

        dying._updates = dies_after
        begun = await dying.begin(ACCOUNT, NAME)
        with pytest.raises(Killed):
            await dying.run(begun)
        standing = await dying.find(ACCOUNT, begun.run_id)
        assert (standing.asked, standing.differences, standing.applied) == (3, 3, 3)
        assert [one.pending for one in await at.found(standing)].count(True) == 3

        second = all_in("SHIPPED", "in_transit")
        heir = scripted(at, second, owner="heir")
        # While the lease lasts nobody else goes on with it.
        assert await heir._take(standing) is None
        run = await heir.run(begun)
        assert (run.state, run.asked) == (RunState.DONE, 8)
        assert (run.differences, run.applied) == (8, 8)
        found = await at.found(run)
        assert {one.verdict for one in found} == {Verdict.APPLIED}
        assert not any(one.pending for one in found)
        assert sorted(one.order_key for one in found) == keys
        # What was through is not asked for again; what may have been done is looked at. Nobody
        # is told anything twice.
        assert second.asked == [keys[3:6], keys[6:]]
        for key in keys:
            order = await at.order(key)
            assert (order.state, order.sequence) == (S.IN_TRANSIT, 6)

    play_alone(case, tmp_path, database=database)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_two_processes_share_no_part_of_a_run(tmp_path: Path, database: str) -> None:
    async def case(at: Beside) -> None:
        for number in range(9):
            await at.both(f"K{number}", *TO_SHIPPED)
        at.forward(QUIET)
        scripts = [all_in("SHIPPED", "in_transit") for _ in range(2)]
        both = [scripted(at, script, owner=f"p{n}") for n, script in enumerate(scripts)]
        begun = await asyncio.gather(*(one.begin(ACCOUNT, NAME) for one in both))
        assert begun[0].run_id == begun[1].run_id
        runs = await asyncio.gather(*(one.run(begun[0]) for one in both))
        assert [run.state for run in runs] == [RunState.DONE] * 2
        asked = [key for script in scripts for part in script.asked for key in part]
        assert sorted(asked) == sorted(f"K{number}" for number in range(9))
        assert (runs[0].differences, runs[0].applied) == (9, 9)

    play_alone(case, tmp_path, database=database)


def test_another_choice_is_not_begun_while_one_runs(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        begun = await at.reconciling.begin(ACCOUNT, NAME)
        assert (await at.reconciling.begin(ACCOUNT, NAME)).run_id == begun.run_id
        with pytest.raises(ReconciliationRuns, match=begun.run_id):
            await at.reconciling.begin(ACCOUNT, NAME, choice=Everything())
        with pytest.raises(ReconciliationRuns, match=begun.run_id):
            await at.reconciling.begin(ACCOUNT, NAME, dry_run=True)
        ended = await at.reconciling.stop_run(ACCOUNT, begun.run_id)
        assert (ended.state, ended.why) == (RunState.STOPPED, STOPPED)
        again = await at.reconciling.run(ended)
        assert again.state is RunState.STOPPED

    play_alone(case, tmp_path)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_open_orders_are_compared_when_it_is_time_and_once_over_all_processes(
    tmp_path: Path, database: str
) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", S.VERIFIED)
        processes = [scripted(at, all_in("VERIFIED"), owner=f"p{n}") for n in range(3)]

        async def begun() -> int:
            return sum(await asyncio.gather(*(one.begin_due() for one in processes)))

        at.forward(timedelta(hours=3))
        assert await begun() == 1
        assert await begun() == 0
        (run,), _ = await processes[0].list(ACCOUNT, page=Page())
        assert (await processes[0].run(run)).state is RunState.DONE
        at.forward(timedelta(hours=21))
        assert await begun() == 0
        at.forward(timedelta(hours=6))
        assert await begun() == 1
        runs, _ = await processes[0].list(ACCOUNT, page=Page())
        await processes[0].run(runs[0])
        at.set_up(access={"every_h": 0})
        at.forward(timedelta(days=30))
        assert await begun() == 0

    play_alone(case, tmp_path, database=database)


def test_what_was_begun_is_gone_on_with_by_whoever_dispatches(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        await at.both("K1", *TO_SHIPPED)
        await at.lost("K1", S.IN_TRANSIT)
        at.forward(QUIET)
        at.set_up(access={"every_h": 0})
        begun = await at.reconciling.begin(ACCOUNT, NAME)
        at.reconciling.start()
        run = begun
        for _ in range(2_000):
            run = await at.reconciling.find(ACCOUNT, begun.run_id)
            if run.state is not RunState.RUNNING:
                break
            await asyncio.sleep(0.01)
        assert (run.state, run.applied) == (RunState.DONE, 1)

    play(case, tmp_path)


def test_thousands_of_orders_are_never_in_hand_at_once(tmp_path: Path) -> None:
    async def case(at: Beside) -> None:
        told = [OrderInput("main", f"K{n:05}", OrderContent()) for n in range(1_200)]
        for start in range(0, len(told), 500):
            await at.ours.hub.intake.orders(ACCOUNT, told[start : start + 500])
        script = all_in("VERIFIED")
        script.at_once = 50
        at.reconciling = scripted(at, script)
        steps: list[int] = []
        at.forward(QUIET)
        begun = await at.reconciling.begin(ACCOUNT, NAME, dry_run=True)
        tracemalloc.start()
        run = await at.reconciling.run(begun, progress=lambda run: steps.append(run.examined))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (run.examined, run.asked, run.differences) == (1_200, 1_200, 1_200)
        assert max(map(len, script.asked)) == 50
        assert steps == sorted(steps)
        assert len(set(steps)) >= 24
        assert peak < 16 * 1024 * 1024

    play_alone(case, tmp_path)
