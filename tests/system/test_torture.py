"""The torture: its checker finds every fault that is put in, and a short seeded run is clean."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from benchmarks.torture.__main__ import STORES, WORKERS
from benchmarks.torture.check import Findings, check
from benchmarks.torture.facts import (
    HUB,
    Accepted,
    Attempt,
    Delivery,
    Endpoint,
    Event,
    Fault,
    Journal,
    Receipt,
    Refused,
    Run,
    Unverified,
    read_run,
)
from benchmarks.torture.faults import DATABASE, KINDS, schedule
from benchmarks.torture.harm import ACTS
from benchmarks.torture.owed import LIVES, owed
from milepost.contracts import ROOMS
from milepost.orders.lifecycle import EDGES, EdgeClass, State
from tests.system.test_demo import alive, assert_gone, children_of

SECOND = 1_000_000_000
ORDER = "ord_1"
STEPS = ("created", "verified", "shipped")
ROOT = Path(__file__).resolve().parents[2]
replace = msgspec.structs.replace


# --- a run in which all went well, and what can be done to it -------------------------------------


def accepted(sequence: int) -> Accepted:
    at = sequence * SECOND
    return Accepted(
        at=at,
        sent_at=at - 1_000,
        account="one",
        order_id=ORDER,
        order_key="1",
        step=STEPS[sequence - 1],
        expected=sequence,
        sequence=sequence,
        verdict="applied",
        tries=1,
        batch=1,
    )


def receipt(
    sequence: int, *, at_s: float | None = None, attempt: int = 1, answer: str = "ok"
) -> Receipt:
    return Receipt(
        at=int((sequence + 0.1 if at_s is None else at_s) * SECOND),
        receiver="steady",
        path="/one/standard",
        delivery_id=f"{ORDER}-{sequence}-ep_1",
        endpoint_id="ep_1",
        order_id=ORDER,
        sequence=sequence,
        previous=sequence - 1,
        attempt=attempt,
        replay=0,
        answer=answer,
        digest=f"body {sequence}",
    )


def good_run() -> Run:
    """Three events to one endpoint; the second is sent twice, because it was answered 500."""
    return Run(
        accepted=[accepted(n) for n in (1, 2, 3)],
        receipts=[
            receipt(1),
            receipt(2, answer="error"),
            receipt(2, at_s=2.5, attempt=2),
            receipt(3),
        ],
        endpoints=[Endpoint("ep_1", "one", "standard", "steady", "/one/standard")],
        faults=[Fault("hub killed", HUB, int(0.4 * SECOND), int(0.5 * SECOND), 1)],
        events=[Event(ORDER, n, STEPS[n - 1]) for n in (1, 2, 3)],
        deliveries=[
            Delivery("ep_1", ORDER, n, n - 1, "acknowledged", 2 if n == 2 else 1, 0)
            for n in (1, 2, 3)
        ],
        attempts=[
            Attempt("ep_1", ORDER, 1, 1, "acknowledged", 204),
            Attempt("ep_1", ORDER, 2, 1, "server_error", 500),
            Attempt("ep_1", ORDER, 2, 2, "acknowledged", 204),
            Attempt("ep_1", ORDER, 3, 1, "acknowledged", 204),
        ],
    )


def with_receipts(run: Run, *more: Receipt) -> Run:
    """As if these had been received too."""
    return replace(run, receipts=sorted([*run.receipts, *more], key=lambda r: r.at))


def test_a_good_run_has_nothing_wrong_and_is_counted() -> None:
    findings = check(good_run())
    assert findings.wrong() == {}
    assert (findings.accepted, findings.owed, findings.duplicates) == (3, 3, 1)
    assert findings.explained == {"tried again after server_error": 1}
    # From the end of the kill to the receipt of the first event that was told after it.
    assert findings.longest_recovery_s == pytest.approx(0.6)


def _never_came(run: Run) -> Run:
    return replace(run, receipts=[r for r in run.receipts if r.sequence != 3])


def _never_acknowledged(run: Run) -> Run:
    hung = [replace(r, answer="hang") if r.sequence == 3 else r for r in run.receipts]
    return replace(run, receipts=hung)


def _event_gone(run: Run) -> Run:
    return replace(run, events=run.events[:-1])


def _last_delivery_is(run: Run, state: str) -> Run:
    last = replace(run.deliveries[-1], state=state)
    return replace(run, deliveries=[*run.deliveries[:-1], last])


def _abandoned(run: Run) -> Run:
    return _last_delivery_is(run, "abandoned")


def _first_receipts_swapped(run: Run) -> Run:
    late = replace(run.receipts[0], at=4 * SECOND)
    return replace(run, receipts=[*run.receipts[1:], late])


def _earlier_again_after_later(run: Run) -> Run:
    return with_receipts(run, receipt(1, at_s=3.5))


def _unverified(run: Run) -> Run:
    return replace(run, unverified=[Unverified(1, "steady", "/one/standard", "SignatureInvalid")])


def _another_id(run: Run) -> Run:
    renamed = replace(run.receipts[2], delivery_id=f"{ORDER}-2-ep_2")
    return replace(run, receipts=[*run.receipts[:2], renamed, run.receipts[3]])


def _another_body(run: Run) -> Run:
    changed = replace(run.receipts[2], digest="another body")
    return replace(run, receipts=[*run.receipts[:2], changed, run.receipts[3]])


def _acknowledged_and_sent_again(run: Run) -> Run:
    return with_receipts(run, receipt(3, at_s=3.2))


def _pending(run: Run) -> Run:
    return _last_delivery_is(run, "pending")


def _refused(run: Run) -> Run:
    return replace(run, refused=[Refused(1, "one", "1", "shipped", "409")])


def _counted_twice(run: Run) -> Run:
    told = replace(run.accepted[2], sequence=4)
    return replace(run, accepted=[*run.accepted[:2], told])


def _journal_with_a_hole(run: Run) -> Run:
    return replace(run, accepted=[run.accepted[0], run.accepted[2]])


def _other_state(run: Run) -> Run:
    return replace(run, events=[*run.events[:-1], Event(ORDER, 3, "packed")])


def _attempt_missing(run: Run) -> Run:
    return replace(run, attempts=[a for a in run.attempts if (a.sequence, a.attempt) != (2, 1)])


def _attempt_unseen(run: Run) -> Run:
    return with_receipts(run, receipt(2, at_s=2.2, attempt=3, answer="error"))


def _acknowledged_on_record_only(run: Run) -> Run:
    wrong = [replace(a, outcome="acknowledged") for a in run.attempts]
    return replace(run, attempts=wrong)


def _wrong_previous(run: Run) -> Run:
    return replace(run, receipts=[*run.receipts[:3], replace(run.receipts[3], previous=1)])


def _not_on_record(run: Run) -> Run:
    return replace(run, deliveries=run.deliveries[:-1])


def _to_the_wrong_receiver(run: Run) -> Run:
    elsewhere = replace(run.receipts[3], path="/two/standard")
    return replace(run, receipts=[*run.receipts[:3], elsewhere])


def _not_owed(run: Run) -> Run:
    """Withings is never told that an order was created."""
    endpoint = replace(run.endpoints[0], contract="withings")
    return replace(run, endpoints=[endpoint])


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (_never_came, "lost"),
        (_never_acknowledged, "lost"),
        (_event_gone, "lost"),
        (_abandoned, "lost"),
        (_first_receipts_swapped, "out_of_order"),
        (_earlier_again_after_later, "out_of_order"),
        (_unverified, "unverified"),
        (_another_id, "renamed"),
        (_another_body, "changed"),
        (_acknowledged_and_sent_again, "unexplained"),
        (_pending, "pending"),
        (_refused, "refused"),
        (_counted_twice, "miscounted"),
        (_journal_with_a_hole, "miscounted"),
        (_other_state, "miscounted"),
        (_attempt_missing, "miscounted"),
        (_attempt_unseen, "miscounted"),
        (_acknowledged_on_record_only, "miscounted"),
        (_wrong_previous, "miscounted"),
        (_not_on_record, "miscounted"),
        (_to_the_wrong_receiver, "unowed"),
        (_not_owed, "unowed"),
    ],
)
def test_the_checker_finds_what_is_put_in(harm: Callable[[Run], Run], found: str) -> None:
    assert found in check(harm(good_run())).wrong()


def test_a_replay_by_an_operator_may_come_after_later_ones() -> None:
    again = replace(receipt(1, at_s=3.5, attempt=2), replay=1, delivery_id=f"{ORDER}-1-ep_1-r1")
    run = good_run()
    run = replace(
        with_receipts(run, again),
        deliveries=[replace(run.deliveries[0], attempts=2, replay=1), *run.deliveries[1:]],
        attempts=[*run.attempts, Attempt("ep_1", ORDER, 1, 2, "acknowledged", 204)],
    )
    assert check(run).wrong() == {}


def _again_after(fault: Fault) -> Findings:
    run = with_receipts(good_run(), receipt(3, at_s=4))
    return check(replace(run, faults=[fault]))


@pytest.mark.parametrize("target", [HUB, "steady"])
def test_a_duplicate_is_explained_by_a_fault_between_its_receipts(target: str) -> None:
    fault = Fault("something killed", target, int(3.2 * SECOND), int(3.3 * SECOND), 1)
    findings = _again_after(fault)
    assert findings.unexplained == []
    assert findings.explained["something killed"] == 1


def test_a_fault_elsewhere_or_later_explains_no_duplicate() -> None:
    for fault in (
        Fault("receiver killed", "slow", int(3.2 * SECOND), int(3.3 * SECOND), 1),
        Fault("hub killed", HUB, 5 * SECOND, 6 * SECOND, 1),
        Fault("hub killed", HUB, SECOND, 2 * SECOND, 1),
    ):
        assert _again_after(fault).unexplained != []


def test_a_recovery_that_another_fault_cut_short_counts_for_that_one() -> None:
    faults = [
        Fault("hub killed", HUB, int(0.4 * SECOND), int(0.5 * SECOND), 1),
        Fault("hub killed", HUB, int(1.05 * SECOND), int(1.06 * SECOND), 1),
    ]
    (recovery,) = check(replace(good_run(), faults=faults)).recoveries
    # To the receipt of the second event that was acknowledged, which is its second one.
    assert recovery.seconds == pytest.approx(1.44)


# --- what the run is made of ----------------------------------------------------------------------


@pytest.mark.parametrize("life", LIVES)
def test_every_step_of_a_life_is_legal(life: tuple[str, ...]) -> None:
    states = [State(step) for step in life if step != "renumbered"]
    for before, after in pairwise(states):
        assert EDGES[before, after].edge_class is EdgeClass.NORMAL


def test_what_is_owed_is_what_the_contracts_publish() -> None:
    line = LIVES[0]
    assert owed("standard", line) == list(range(1, 14))
    assert owed("withings", line) == [2, 3, 7, 9, 10, 11, 13]
    assert owed("shipmonk", line) == [1, 3, 4, 6, 7, 8, 9, 11, 13]
    assert set(ROOMS) == {"standard", "withings", "shipmonk"}


@pytest.mark.parametrize("store", STORES)
def test_a_schedule_is_the_seeds_and_holds_every_kind_that_has_a_weight(store: str) -> None:
    workers = [f"worker-{number}" for number in range(WORKERS[store])]
    made = [
        schedule(seed, seconds=600, store=store, receivers=["a", "b"], workers=workers, lease_s=3)
        for seed in (7, 7, 8)
    ]
    assert made[0] == made[1] != made[2]
    assert {planned.kind for planned in made[0]} == {
        name for name, kind in KINDS.items() if kind.weight and store in kind.stores
    }
    assert {planned.target for planned in made[0]} <= {HUB, DATABASE, "a", "b", *workers}


@pytest.mark.parametrize("store", STORES)
def test_ten_minutes_hold_more_than_fifty_kills(store: str) -> None:
    for seed in range(20):
        planned = schedule(
            seed, seconds=600, store=store, receivers=["a"], workers=["w"] * WORKERS[store],
            lease_s=3,
        )  # fmt: skip
        kills = [len(p.waits_s) for p in planned if "killed" in p.kind or "takes over" in p.kind]
        assert sum(kills) > 65


def test_every_kind_of_fault_is_done_by_something() -> None:
    assert set(ACTS) == set(KINDS)


def test_a_torn_line_costs_no_other_one(tmp_path: Path) -> None:
    path = tmp_path / "receiver.jsonl"
    journal = Journal(path)
    journal.note(receipt(1), receipt(2))
    journal.close()
    path.write_bytes(path.read_bytes()[:-20])
    journal = Journal(path)
    journal.note(receipt(3))
    journal.close()
    assert [r.sequence for r in read_run(tmp_path).receipts] == [1, 3]


# --- the real thing -------------------------------------------------------------------------------


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.torture", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )


SHORT = {
    "sqlite": ("hub killed", "hub frozen past its lease", "disk full"),
    "postgres": ("hub killed", "worker killed", "database killed", "standby takes over"),
}
"""A few seconds of faults, in which this seed has each of these."""


@pytest.mark.processes
@pytest.mark.timeout(240)
@pytest.mark.parametrize("store", SHORT)
def test_a_short_run_loses_nothing_and_reorders_nothing(store: str, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    kinds = [word for kind in SHORT[store] for word in ("--only", kind)]
    words = ("--store", store, "--minutes", "0.1", "--lease", "1", "--gap", "0.7", "1.0",
             "--seed", "6", "--rate", "60", *kinds)  # fmt: skip
    with start(tmp_path, *words, "--json", "--report", str(report)) as run:
        printed, told = run.communicate()
    assert run.returncode == 0, told
    found = json.loads(printed.splitlines()[-1])
    assert found["ok"]
    assert (found["lost"], found["out_of_order"], found["pending"]) == (0, 0, 0)
    assert set(found["faults_by_kind"]) == set(SHORT[store])
    assert found["kills"] >= 1
    assert found["accepted"] > 50
    assert found["duplicates"] == sum(found["duplicates_by_reason"].values()) > 0
    assert found["longest_recovery_s"] > 0
    assert "Torture: passed" in report.read_text(encoding="utf-8")
    assert list(tmp_path.glob("milepost-torture-*")) == []


@pytest.mark.processes
def test_an_interrupted_run_leaves_no_process_behind(tmp_path: Path) -> None:
    with start(tmp_path, "--minutes", "5") as run:
        until = time.monotonic() + 60
        # The hub, the eight receivers and the traffic.
        while len(children := children_of(run.pid)) < 10:
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
    assert run.returncode == 130
    assert_gone(children)
    assert not any(alive(pid) for pid in children)
