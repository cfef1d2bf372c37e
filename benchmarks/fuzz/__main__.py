"""`python -m benchmarks.fuzz --inputs 1000000 --seed 1`: a million, and what came of them."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from rich.progress import Progress

from benchmarks.fuzz.corpus import corpus
from benchmarks.fuzz.engine import Report, Spoil, Target, run
from benchmarks.fuzz.kit import kit_targets
from benchmarks.fuzz.mutations import fuzz
from benchmarks.fuzz.senders import spoil
from benchmarks.fuzz.sockets import OfSockets
from benchmarks.fuzz.sources import OfSources

WHOLE: dict[str, type[OfSources] | type[OfSockets]] = {"sources": OfSources, "sockets": OfSockets}
"""Targets that are a whole hub, by what they are called."""


def show(report: Report) -> None:
    print(f"{report.inputs:,} inputs of seed {report.seed} in {report.seconds:,.0f} s")
    for name, outcomes in report.outcomes.items():
        told = ", ".join(f"{word} {number:,}" for word, number in outcomes.most_common())
        print(f"  {name}: {told}")
    print(f"slowest: {report.slowest_ms:,.1f} ms of processor time ({report.slowest})")
    print(f"memory: {report.grown_bytes / 1024 / 1024:+.1f} MiB after the first tenth")
    print("\n".join(report.failures) or "nothing was raised, accepted or kept that must not be")


def opened(name: str, folder: Path) -> tuple[list[Target], Spoil]:
    """The targets of this name, and how what they are thrown is made."""
    return ([WHOLE[name](folder)], spoil) if name in WHOLE else (kit_targets(folder), fuzz)


def close(targets: list[Target], report: Report) -> None:
    """Ends those that are a whole hub; what they see then counts as well."""
    for target in targets:
        if isinstance(target, OfSources | OfSockets):
            try:
                target.close()
            # Whatever comes out is what we are looking for.
            except Exception as error:  # noqa: BLE001
                report.failures.append(f"{target.name}, at its end: {error!r}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=("kit", *WHOLE), default="kit")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so many")
    parser.add_argument("--only", type=int, help="throw this one alone, as its number says")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    inputs, first = (given.inputs, 0) if given.only is None else (1, given.only)
    shown = Console(stderr=True)
    with TemporaryDirectory() as folder, Progress(console=shown, disable=given.json) as bar:
        targets, spoiling = opened(given.target, Path(folder))
        task = bar.add_task("fuzz", total=inputs)
        report = run(
            targets,
            corpus=corpus(),
            inputs=inputs,
            seed=given.seed,
            first=first,
            spoil=spoiling,
            seconds=given.seconds,
            progress=lambda done: bar.update(task, completed=done),
        )
        close(targets, report)
    if given.json:
        print(msgspec.json.encode(report).decode())
    else:
        show(report)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
