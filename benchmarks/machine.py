"""What the figures were measured on, and what a process has used so far."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, str | int | float]:
    """The machine and the versions that a figure depends on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "bits": sys.maxsize.bit_length() + 1,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def used_s(pid: int) -> tuple[float, float]:
    """Processor seconds of a process so far: of all its threads, and of all but its first."""
    total = first = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        seconds = _stat_s(task / "stat")
        total += seconds
        if task.name == str(pid):
            first = seconds
    return total, total - first


def _stat_s(path: Path) -> float:
    fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def peak_mib(pid: int) -> float:
    """The most memory that the process has held so far, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
