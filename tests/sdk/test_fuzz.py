"""Thousands of spoiled notifications at every receiver and helper; a million: benchmarks.fuzz."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz.corpus import corpus, proven
from benchmarks.fuzz.engine import Forged, input_of, run
from benchmarks.fuzz.kit import RECEIVERS, OfReceiver, check_proofs, kit_targets
from benchmarks.fuzz.mutations import BODIES, HEADERS, Fuzzed
from milepost_receiver import BodyMalformed

INPUTS, SEED = 5_000, 7


def test_spoiled_notifications_raise_the_kits_own_errors_and_forge_nothing(tmp_path: Path) -> None:
    report = run(kit_targets(tmp_path), corpus=corpus(), inputs=INPUTS, seed=SEED)
    assert report.failures == []
    assert report.inputs == INPUTS
    # It got past the proofs, and into the parsers.
    for name, _, _ in RECEIVERS:
        assert report.outcomes[name]["accepted"] > INPUTS / 200, name
        assert report.outcomes[name]["BodyMalformed"] > INPUTS / 200, name
    assert all(report.outcomes[f"helper {name}"] for name in ("wsgi", "flask", "django", "fastapi"))


def test_every_kind_of_spoiling_is_thrown() -> None:
    made = corpus()
    thrown = {change for n in range(500) for change in input_of(made, seed=SEED, number=n).changes}
    assert thrown >= {change.__name__ for change in (*BODIES, *HEADERS)} | {"proven"}


def test_the_same_seed_throws_the_same() -> None:
    assert input_of(corpus(), seed=3, number=99) == input_of(corpus(), seed=3, number=99)
    assert input_of(corpus(), seed=3, number=99) != input_of(corpus(), seed=4, number=99)


def test_the_corpus_itself_is_accepted() -> None:
    for name, proofs, receiver in RECEIVERS:
        contract, _, rest = name.partition(" ")
        for message in corpus():
            if message.name.partition(" ")[0] == contract and rest != "operational":
                fuzzed = Fuzzed(message, message.headers, message.body, ())
                assert OfReceiver(name, proofs, receiver).throw(fuzzed) == "accepted", message.name


def test_what_is_forged_is_seen() -> None:
    message = next(m for m in corpus() if m.name == "standard")
    other = proven(message, message.body + b" ")
    forged = Fuzzed(message, other.headers, other.body, ())
    with pytest.raises(Forged):
        check_proofs(forged, ["webhook"])
    check_proofs(Fuzzed(other, other.headers, other.body, ()), ["webhook"])
    renamed = [(n, "x" if n == "webhook-id" else v) for n, v in other.headers]
    with pytest.raises(Forged):
        check_proofs(Fuzzed(other, tuple(renamed), other.body, ()), ["webhook"])


class Failing:
    """A target that raises what it must not."""

    name, every = "failing", 1

    def throw(self, fuzzed: Fuzzed) -> str:
        raise BodyMalformed


def test_what_must_not_be_raised_is_reported_with_its_number() -> None:
    report = run([Failing()], corpus=corpus(), inputs=100, seed=1)
    assert not report.passed
    assert report.failures[0].startswith("0 failing: BodyMalformed")
    # Enough is enough.
    assert report.inputs == len(report.failures) == 20
