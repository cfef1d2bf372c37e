"""`python -m benchmarks.fuzz --inputs 1000000 --seed 1`: a million, and what came of them."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import Progress

from benchmarks.fuzz.corpus import corpus
from benchmarks.fuzz.engine import Report, run
from benchmarks.fuzz.kit import kit_targets


def show(report: Report) -> None:
    print(f"{report.inputs:,} inputs of seed {report.seed} in {report.seconds:,.0f} s")
    for name, outcomes in report.outcomes.items():
        told = ", ".join(f"{word} {number:,}" for word, number in outcomes.most_common())
        print(f"  {name}: {told}")
    print(f"slowest: {report.slowest_ms:,.1f} ms of processor time ({report.slowest})")
    print(f"memory: {report.grown_bytes / 1024 / 1024:+.1f} MiB after the first tenth")
    print("\n".join(report.failures) or "nothing was raised, accepted or kept that must not be")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="throw this one alone, as its number says")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    inputs, first = (given.inputs, 0) if given.only is None else (1, given.only)
    shown = Console(stderr=True)
    with TemporaryDirectory() as folder, Progress(console=shown, disable=given.json) as bar:
        task = bar.add_task("fuzz", total=inputs)
        report = run(
            kit_targets(Path(folder)),
            corpus=corpus(),
            inputs=inputs,
            seed=given.seed,
            first=first,
            progress=lambda done: bar.update(task, completed=done),
        )
    if given.json:
        print(json.dumps(asdict(report)))
    else:
        show(report)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
