"""The outcome of a run: one object for programs, one page for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.machine import machine
from benchmarks.torture.check import Findings
from benchmarks.torture.facts import Fault, Run
from benchmarks.torture.faults import KINDS
from benchmarks.torture.stage import TIMEOUT_S

SHOWN_OF_EACH = 10
LISTS = (
    "lost",
    "out_of_order",
    "unverified",
    "renamed",
    "changed",
    "unexplained",
    "pending",
    "refused",
    "miscounted",
    "unowed",
)


def outcome(
    run: Run, findings: Findings, *, settings: Mapping[str, Any], unusual: Mapping[str, int]
) -> dict[str, Any]:
    """Every figure of the run; `ok` only when nothing is wrong."""
    kinds = Counter(fault.kind for fault in run.faults)
    longest: dict[str, float] = {}
    for recovery in findings.recoveries:
        longest[recovery.kind] = max(longest.get(recovery.kind, 0.0), recovery.seconds)
    wrong = findings.wrong()
    slowest = findings.longest_recovery_s
    return {
        "ok": not wrong and not any(unusual.values()),
        "kills": sum(fault.kills for fault in run.faults),
        "kills_by_target": _kills(run.faults),
        "faults": len(run.faults),
        "faults_by_kind": dict(sorted(kinds.items())),
        "accepted": findings.accepted,
        "owed": findings.owed,
        "received": len(run.receipts),
        **{name: len(getattr(findings, name)) for name in LISTS},
        "duplicates": findings.duplicates,
        "duplicates_by_reason": findings.explained,
        "repeats_at_the_door": findings.door_repeats,
        "attempts": len(run.attempts),
        "attempts_by_outcome": dict(Counter(a.outcome for a in run.attempts).most_common()),
        "longest_recovery_s": None if slowest is None else round(slowest, 3),
        "longest_recovery_by_fault_s": {k: round(s, 3) for k, s in sorted(longest.items())},
        **unusual,
        "settings": {**settings, "endpoint_timeout_s": TIMEOUT_S},
        "machine": machine(),
        "wrong": {name: found[:SHOWN_OF_EACH] for name, found in wrong.items()},
    }


def _kills(faults: Sequence[Fault]) -> dict[str, int]:
    """By what was killed; all workers and all receivers are one each."""
    kills: Counter[str] = Counter()
    for fault in faults:
        kills[KINDS[fault.kind].target] += fault.kills
    return {name: count for name, count in kills.most_common() if count}


def page(outcome: Mapping[str, Any]) -> str:
    """The outcome as Markdown, in the order in which one asks."""
    settings = outcome["settings"]
    slowest = outcome["longest_recovery_s"]
    rows = [
        ("kills (SIGKILL)", outcome["kills"]),
        *((f"… {name}", count) for name, count in outcome["kills_by_target"].items()),
        ("faults in all", outcome["faults"]),
        ("accepted orders and updates", outcome["accepted"]),
        ("said again at the door, no event made", outcome["repeats_at_the_door"]),
        ("notifications owed", outcome["owed"]),
        ("notifications received", outcome["received"]),
        ("**lost**", outcome["lost"]),
        ("**out of order within a lane**", outcome["out_of_order"]),
        ("left pending", outcome["pending"]),
        ("not verified by the receiver kit", outcome["unverified"]),
        ("duplicates", outcome["duplicates"]),
        ("… under another id", outcome["renamed"]),
        ("… with another body", outcome["changed"]),
        ("… without an explanation", outcome["unexplained"]),
        ("legal steps that were refused", outcome["refused"]),
        ("numbers or attempts that do not fit", outcome["miscounted"]),
        ("notifications nobody owed", outcome["unowed"]),
        ("processes that died unasked", outcome["died_by_itself"]),
        ("sources without their last answer", outcome["unanswered"]),
        ("tables that contradict each other", outcome["tables_broken"]),
        ("attempts on record", outcome["attempts"]),
        ("longest recovery", "none measured" if slowest is None else f"{slowest:.2f} s"),
    ]
    lines = [
        f"# Torture: {'passed' if outcome['ok'] else 'FAILED'}",
        "",
        _asked(settings),
        "",
        *_table(("what", "figure"), rows),
        *_section("Faults", "faults_by_kind", outcome, "times"),
        *_section("Longest recovery after", "longest_recovery_by_fault_s", outcome, "seconds"),
        *_section("Duplicates, why", "duplicates_by_reason", outcome, "duplicates"),
        *_section("Attempts on record", "attempts_by_outcome", outcome, "attempts"),
        "",
        _measured_on(settings, outcome["machine"]),
    ]
    for name, found in outcome["wrong"].items():
        lines += ["", f"## Wrong: {name}, {outcome[name]} in all", ""]
        lines += [f"- {text}" for text in found]
    return "\n".join(lines) + "\n"


def _asked(settings: Mapping[str, Any]) -> str:
    only = f", only {' and '.join(settings['only'])}" if settings["only"] else ""
    return (
        f"{settings['minutes']:g} minutes of faults{only}, store {settings['store']}, "
        f"{settings['workers']} workers, seed {settings['seed']}, "
        f"{settings['rate']:g} events a second."
    )


def _measured_on(settings: Mapping[str, Any], where: Mapping[str, Any]) -> str:
    durable = ", ".join(f"{k} {v}" for k, v in settings["durability"].items())
    return (
        f"Machine: {where['cores']} cores of {where['processor']}, {where['memory_gib']} GiB, "
        f"{where['system']}, Python {where['python']}. "
        f"Durability: {durable}. Leases of {settings['lease_s']:g} s, endpoints' timeout "
        f"{settings['endpoint_timeout_s']:g} s."
    )


def _section(title: str, name: str, outcome: Mapping[str, Any], unit: str) -> list[str]:
    held: Mapping[str, Any] = outcome[name]
    return ["", f"## {title}", "", *_table(("", unit), list(held.items()))] if held else []


def _table(head: tuple[str, str], rows: list[tuple[str, Any]]) -> list[str]:
    shown = [
        f"| {name} | {f'{value:,}' if type(value) is int else value} |" for name, value in rows
    ]
    return [f"| {head[0]} | {head[1]} |", "|---|---:|", *shown]
