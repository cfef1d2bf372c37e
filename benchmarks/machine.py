"""What the figures were measured on, and what a process has used so far."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from benchmarks.postgres import is_alive

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


class Spent(msgspec.Struct, frozen=True):
    """Processor seconds since the processes began."""

    hub: float = 0.0
    database: float = 0.0
    receiver: float = 0.0
    load: float = 0.0

    def since(self, before: Spent, *, events: int) -> dict[str, float]:
        """Microseconds an event since an earlier reading."""
        return {
            f"{name}_us": round((getattr(self, name) - getattr(before, name)) / events * 1e6, 1)
            for name in self.__struct_fields__
        }


def spent(*, hub: Sequence[int], database: Sequence[int], receiver: int) -> Spent:
    """What everyone has used so far, the load being ourselves.

    Without processes of its own the database is the threads of the hub beside the first one, on
    which SQLite works; deciding happens there too.
    """
    whole = [used_s(pid) for pid in hub]
    beside = sum(total - first for total, first in whole)
    apart = sum(_stat_s(Path(f"/proc/{pid}/stat")) for pid in database if is_alive(pid))
    # Those that have ended count with the process that started them.
    ended = _stat_s(Path(f"/proc/{database[0]}/stat"), of_children=True) if database else 0.0
    return Spent(
        hub=sum(total for total, _ in whole) - (0.0 if database else beside),
        database=apart + ended if database else beside,
        receiver=used_s(receiver)[0],
        load=time.process_time(),
    )


def used_s(pid: int) -> tuple[float, float]:
    """Processor seconds of a process so far: of all its threads, and of its first."""
    return _stat_s(Path(f"/proc/{pid}/stat")), _stat_s(Path(f"/proc/{pid}/task/{pid}/stat"))


def _stat_s(path: Path, *, of_children: bool = False) -> float:
    fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
    first = 13 if of_children else 11
    return (int(fields[first]) + int(fields[first + 1])) * _TICK_S


def peak_mib(pid: int) -> float:
    """The most memory that the process has held so far, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def shared_mib(pids: Sequence[int]) -> float:
    """The memory that these processes hold together, shared pages once, in MiB."""
    held = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
                if line.startswith("Pss:"):
                    held += int(line.split()[1])
    return held / 1024
