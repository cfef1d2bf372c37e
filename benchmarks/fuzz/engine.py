"""Throws spoiled messages at targets: what they may do, how long it may take, and the memory."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from benchmarks.fuzz.corpus import Message
from benchmarks.fuzz.mutations import Fuzzed, fuzz

Spoil = Callable[[Sequence[Message], Random], Fuzzed]
"""Makes one spoiled message of real ones, by chance alone."""

SLOWEST_S = 1.0
"""Processor time that one message may take at one target."""

MOST_GROWTH = 48 * 1024 * 1024
"""Bytes by which the process may grow after its first tenth."""

MOST_FAILURES = 20
SAMPLED_EVERY = 1_000


class Forged(AssertionError):
    """Something was accepted that nobody has signed."""


class Target(Protocol):
    """Something that receives; it is given each n-th message (`every`)."""

    name: str
    every: int

    def throw(self, fuzzed: Fuzzed) -> str:
        """What came of it, in a word; raises Forged, and what must not be raised goes through."""
        ...


@dataclass(slots=True)
class Report:
    """What came of it all; `failures` must be empty."""

    seed: int
    inputs: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    slowest: str = ""
    grown_bytes: int = 0
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures


def input_of(corpus: Sequence[Message], *, seed: int, number: int, spoil: Spoil = fuzz) -> Fuzzed:
    """The n-th message of a seed, the same each time."""
    return spoil(corpus, Random(f"{seed}:{number}"))


def run(
    targets: Sequence[Target],
    *,
    corpus: Sequence[Message],
    inputs: int,
    seed: int,
    first: int = 0,
    spoil: Spoil = fuzz,
    seconds: float = math.inf,
    progress: Callable[[int], object] = lambda _done: None,
) -> Report:
    """Throws so many messages; stops after too many failures, or after so many seconds."""
    report = Report(seed, outcomes={target.name: Counter() for target in targets})
    began, base = time.monotonic(), 0
    for number in range(first, first + inputs):
        fuzzed = input_of(corpus, seed=seed, number=number, spoil=spoil)
        for target in targets:
            if number % target.every == 0:
                _throw(target, fuzzed, number=number, report=report)
        report.inputs += 1
        if report.inputs == max(inputs // 10, 1):
            base = memory()
        if report.inputs % SAMPLED_EVERY == 0:
            progress(report.inputs)
        if len(report.failures) >= MOST_FAILURES or time.monotonic() - began > seconds:
            break
    report.seconds = time.monotonic() - began
    report.grown_bytes = memory() - base
    if report.grown_bytes > MOST_GROWTH:
        report.failures.append(f"grown by {report.grown_bytes:,} bytes")
    progress(report.inputs)
    return report


def _throw(target: Target, fuzzed: Fuzzed, *, number: int, report: Report) -> None:
    began = time.thread_time()
    try:
        outcome = target.throw(fuzzed)
    # Whatever comes out is what we are looking for.
    except Exception as error:  # noqa: BLE001
        outcome = f"!{type(error).__name__}"
        report.failures.append(f"{number} {target.name}: {error!r} after {fuzzed.changes}")
    took = time.thread_time() - began
    report.outcomes[target.name][outcome] += 1
    if took * 1_000 > report.slowest_ms:
        report.slowest_ms = round(took * 1_000, 3)
        report.slowest = f"{number} {target.name} {fuzzed.changes}"
    if took > SLOWEST_S:
        report.failures.append(f"{number} {target.name}: {took:.1f} s after {fuzzed.changes}")


def memory() -> int:
    """Bytes of memory that this process occupies."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4_096
