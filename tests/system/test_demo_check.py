"""The demonstration's own judgment: a good run passes, and every fault that is put in is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from milepost.cli.demo.check import Findings, examine, expected_words
from milepost.cli.demo.play import Player, content_of
from milepost.cli.demo.scenarios import ALL, FAILURES, IN_TROUBLE, SHIPMONK, SHOWN, WITHINGS
from milepost.cli.demo.show import summary, timeline
from milepost.cli.demo.stage import CONTRACTS, new_secrets
from milepost.cli.landing import Landing
from milepost.contracts import ROOMS
from milepost.orders.lifecycle import State, way_to

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass
class Run:
    """A run as the hub and the receivers would report it, for faults to be put in."""

    orders: dict[str, str] = field(default_factory=dict)
    endpoints: dict[str, str] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    landings: list[Landing] = field(default_factory=list)

    def findings(self) -> Findings:
        return examine(
            ALL,
            orders=self.orders,
            endpoints=self.endpoints,
            deliveries=self.deliveries,
            landings=self.landings,
            failures=FAILURES,
        )

    def lane(self, contract: str, key: str) -> list[int]:
        """Where the landings of one order at one contract's receiver are."""
        return [
            i
            for i, x in enumerate(self.landings)
            if (x.contract, x.order_id) == (contract, self.orders[key])
        ]

    def change(self, index: int, **facts: Any) -> None:
        self.landings[index] = msgspec.structs.replace(self.landings[index], **facts)


def good_run() -> Run:
    """A run in which everything is as it must be."""
    run = Run(
        orders={s.key: f"ord_{n}" for n, s in enumerate(ALL)},
        endpoints={contract: f"ep_{contract}" for contract in CONTRACTS},
    )
    for scenario in ALL:
        for contract in CONTRACTS:
            previous = 0
            for place, word in enumerate(expected_words(scenario, contract=contract)):
                order_id = run.orders[scenario.key]
                sequence = previous + 1 + (place == 2)
                name = f"{order_id}-{sequence}-{run.endpoints[contract]}"
                fails = (
                    FAILURES if (contract, scenario, place) == ("shipmonk", IN_TROUBLE, 0) else 0
                )
                run.deliveries.append(
                    {
                        "delivery_id": name,
                        "endpoint_id": run.endpoints[contract],
                        "order_id": order_id,
                        "sequence": sequence,
                        "status": word,
                        "state": "acknowledged",
                        "attempts": 1 + fails,
                    }
                )
                for attempt in range(1, fails + 2):
                    accepted = attempt == fails + 1
                    run.landings.append(
                        Landing(
                            NOW,
                            contract,
                            204 if accepted else 500,
                            verified=True,
                            status=word,
                            order=scenario.key,
                            replaces=None if contract == "shipmonk" else scenario.replaces,
                            order_id=order_id,
                            delivery_id=name,
                            sequence=sequence,
                            previous=previous,
                            attempt=attempt,
                            arrival="in_order" if accepted else None,
                        )
                    )
                previous = sequence
    return run


def test_a_good_run_passes_with_its_numbers() -> None:
    findings = good_run().findings()
    assert findings.good
    assert findings.problems == []
    updates = sum(step.verdict == "applied" for s in ALL for step in s.steps)
    assert findings.delivered["standard"] == len(ALL) + updates
    assert findings.attempts == sum(findings.delivered.values()) + FAILURES
    assert (findings.unverified, findings.out_of_order, findings.lost) == (0, 0, 0)


Fault = Callable[[Run], None]


def never_arrived(run: Run) -> None:
    del run.landings[run.lane("withings", "WI-1001")[-1]]


def never_queued(run: Run) -> None:
    gone = run.landings.pop(run.lane("withings", "WI-1001")[-1])
    run.deliveries = [d for d in run.deliveries if d["delivery_id"] != gone.delivery_id]


def still_pending(run: Run) -> None:
    run.deliveries[-1]["state"] = "pending"


def given_up(run: Run) -> None:
    run.deliveries[5]["state"] = "abandoned"


def not_verified(run: Run) -> None:
    run.change(
        run.lane("standard", "SM-2004")[0], verified=False, answered=401, problem="bad signature"
    )


def stranger_knocked(run: Run) -> None:
    run.landings.append(Landing(NOW, "shipmonk", 401, verified=False, problem="no signature"))


def swapped(run: Run) -> None:
    first, second = run.lane("shipmonk", "SM-2002")[3:5]
    run.landings[first], run.landings[second] = run.landings[second], run.landings[first]


def gap(run: Run) -> None:
    run.change(run.lane("standard", "WI-1004")[1], arrival="gap")


def twice(run: Run) -> None:
    index = run.lane("withings", "WI-1002")[0]
    again = msgspec.structs.replace(
        run.landings[index], duplicate=True, arrival="duplicate", attempt=2
    )
    run.landings.insert(index + 1, again)


def other_word(run: Run) -> None:
    run.change(run.lane("shipmonk", "SM-2003")[1], status="on_hold")


def unknown_attempt(run: Run) -> None:
    run.deliveries[0]["attempts"] += 1


def one_failure_less(run: Run) -> None:
    index = run.lane("shipmonk", IN_TROUBLE.key)[0]
    del run.landings[index]
    name = run.landings[index].delivery_id
    next(d for d in run.deliveries if d["delivery_id"] == name)["attempts"] -= 1


def overtaken(run: Run) -> None:
    lane = run.lane("shipmonk", IN_TROUBLE.key)
    later = run.landings.pop(lane[FAILURES + 1])
    run.landings.insert(lane[1], later)


def not_told_as_a_replacement(run: Run) -> None:
    run.change(run.lane("withings", "WI-1005")[0], replaces=None)


def at_the_wrong_door(run: Run) -> None:
    stray = {**run.deliveries[0], "delivery_id": "x", "endpoint_id": run.endpoints["withings"]}
    run.deliveries.append(stray)
    run.landings.append(
        msgspec.structs.replace(run.landings[0], contract="withings", delivery_id="x")
    )


def an_order_that_nobody_made(run: Run) -> None:
    run.landings.append(msgspec.structs.replace(run.landings[0], order_id="ord_nobody"))


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (never_arrived, "lost"),
        (never_queued, "lost"),
        (still_pending, "lost"),
        (given_up, "lost"),
        (not_verified, "unverified"),
        (stranger_knocked, "unverified"),
        (swapped, "out_of_order"),
        (gap, "out_of_order"),
        (twice, "out_of_order"),
        (overtaken, "out_of_order"),
        (other_word, ""),
        (unknown_attempt, ""),
        (one_failure_less, ""),
        (not_told_as_a_replacement, ""),
        (at_the_wrong_door, ""),
        (an_order_that_nobody_made, ""),
    ],
)
def test_a_fault_that_is_put_in_is_found(fault: Fault, counted: str) -> None:
    run = good_run()
    fault(run)
    findings = run.findings()
    assert not findings.good
    if counted:
        assert getattr(findings, counted) > 0


@pytest.mark.parametrize("scenario", ALL, ids=lambda s: s.key)
def test_each_step_is_decided_by_the_lifecycle_as_the_scenario_says(scenario: Any) -> None:
    state, at = State.CREATED, 0.0
    for step in scenario.steps:
        target = State(step.state)
        if step.hours < at:
            assert step.verdict == "stale"
        elif target is state:
            assert step.verdict == "duplicate"
        elif way_to(state, target) is None:
            assert step.verdict == "illegal"
        else:
            assert step.verdict == "applied"
            state, at = target, step.hours


def test_the_words_are_published_ones() -> None:
    for scenario in WITHINGS:
        assert set(scenario.words()) <= ROOMS["withings"].sends
    for scenario in (IN_TROUBLE, *SHIPMONK):
        assert set(scenario.words()) <= ROOMS["shipmonk"].sends


def test_every_life_that_must_be_played_is_played() -> None:
    told = [scenario.words() for scenario in ALL]
    for ending in (
        ("SHIPPED", "info_received", "in_transit", "delivered"),
        ("TRASHED",),
        ("FAILED",),
        ("BACKHOLD",),
        ("failed_attempt", "return"),
        ("backorder", "submitted"),
        ("on_hold", "submitted"),
        ("cancellation_requested", "cancelled"),
        ("undeliverable",),
        ("shipped_untrackable",),
        ("en_route", "delivered"),
    ):
        assert any(_holds(words, ending) for words in told), ending
    assert any(scenario.replaces for scenario in ALL)
    assert len({scenario.key for scenario in ALL}) == len(ALL)
    assert SHOWN in {scenario.key for scenario in ALL}


def _holds(words: tuple[str, ...], run: tuple[str, ...]) -> bool:
    return any(words[i : i + len(run)] == run for i in range(len(words)))


def test_a_replacement_is_made_with_the_key_of_its_original() -> None:
    (replacement,) = [s for s in ALL if s.replaces]
    assert content_of(replacement, ordered_at=NOW)["replacement_for"] == replacement.replaces


def test_a_verdict_that_the_scenario_does_not_expect_is_a_surprise() -> None:
    class Agreeable:
        def post(self, path: str, _body: object) -> dict[str, Any]:
            return {"order_id": "ord_1"} if path == "/v1/orders" else {"verdict": "applied"}

    player = Player(Agreeable(), now=NOW)  # type: ignore[arg-type]
    player.play(ALL)
    odd = [step for s in ALL for step in s.steps if step.verdict != "applied"]
    assert len(player.played.surprises) == len(odd) > 2


def test_the_timeline_shows_what_each_contract_was_told() -> None:
    happened = (NOW + timedelta(hours=1)).isoformat()
    events = [
        {"sequence": n, "occurred_at": happened, "state": state, "source": "shop"}
        for n, state in ((1, "created"), (2, "verified"))
    ]
    deliveries = [
        {"endpoint_id": "ep_s", "sequence": 1, "status": "created", "attempts": 3},
        {"endpoint_id": "ep_s", "sequence": 2, "status": "verified", "attempts": 1},
        {"endpoint_id": "ep_w", "sequence": 2, "status": "VERIFIED", "attempts": 1},
    ]
    contracts = {"ep_w": "withings", "ep_s": "standard", "ep_m": "shipmonk"}
    columns, rows = timeline(events, deliveries=deliveries, contracts=contracts)
    assert columns[-2:] == ["withings", "standard"]
    assert [row[-2:] for row in rows] == [[None, "created (attempt 3)"], ["VERIFIED", "verified"]]


def test_the_summary_counts_for_each_contract() -> None:
    run = good_run()
    contracts = {endpoint_id: contract for contract, endpoint_id in run.endpoints.items()}
    for contract, queued, delivered, attempts in summary(
        run.findings(), run.deliveries, contracts=contracts
    ):
        assert queued == delivered
        assert attempts == queued + (FAILURES if contract == "shipmonk" else 0)  # type: ignore[operator]


def test_secrets_are_new_each_time_and_not_shown() -> None:
    first, second = new_secrets(), new_secrets()
    assert first.password != second.password
    assert first.password not in repr(first)
    assert first.signing["standard"] not in repr(first)
