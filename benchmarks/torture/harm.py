"""What each kind of fault does: a function under the name that it has in the table of faults."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from benchmarks.torture.child import Child
from benchmarks.torture.cluster import Cluster
from benchmarks.torture.facts import Fault, now
from benchmarks.torture.faults import DATABASE, KINDS, Planned
from benchmarks.torture.stage import Stage

Act = Callable[[Stage, Planned], tuple[int, int]]
"""Does it to the end; returns when nothing stood in the way any more (ns), and how many kills."""

FULL_BYTES: Mapping[str, int] = MappingProxyType(
    {"disk full": 512 * 1024, "disk full, log too": 2 * 1024}
)
"""No file of a hub whose disk is full may be written beyond this size: the write-ahead log and the
database soon are. Each start has a log of its own, so that the larger size spares it."""

WANTS_ALL_RUNNING = frozenset((*FULL_BYTES, *(n for n, k in KINDS.items() if k.target == DATABASE)))
"""A process that finds no database when it starts ends with an error, as it should."""


def hurt(stage: Stage, planned: Planned) -> Fault:
    """Does what was planned, to its end, and notes it."""
    if planned.kind in WANTS_ALL_RUNNING:
        stage.wait_until_ready()
    began = now()
    ended, kills = ACTS[planned.kind](stage, planned)
    fault = Fault(planned.kind, planned.target, began, ended, kills, now())
    stage.journal.note(fault)
    return fault


# the hub and the workers


def _kill_sender(stage: Stage, planned: Planned) -> tuple[int, int]:
    child = stage.senders[planned.target]
    ended = now()
    for wait_s in planned.waits_s:
        child.kill()
        ended = now()
        child.start()
        time.sleep(wait_s)
    return ended, len(planned.waits_s)


def _freeze_sender(stage: Stage, planned: Planned) -> tuple[int, int]:
    return _freeze(stage.senders[planned.target], for_s=planned.waits_s[0]), 0


def _fill_disk(stage: Stage, planned: Planned) -> tuple[int, int]:
    with suppress(ProcessLookupError):
        pid = stage.hub.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL_BYTES[planned.kind], before[1]))
        time.sleep(planned.waits_s[0])
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    return now(), 0


def _freeze(child: Child, *, for_s: float) -> int:
    child.send(signal.SIGSTOP)
    time.sleep(for_s)
    child.send(signal.SIGCONT)
    return now()


# the database


def _cluster(stage: Stage) -> Cluster:
    assert stage.cluster is not None
    return stage.cluster


def _kill_database(stage: Stage, planned: Planned) -> tuple[int, int]:
    return _cluster(stage).restart(after_s=planned.waits_s[0]), 1


def _kill_connection(stage: Stage, _planned: Planned) -> tuple[int, int]:
    return _cluster(stage).kill_backend()


def _freeze_database(stage: Stage, planned: Planned) -> tuple[int, int]:
    cluster = _cluster(stage)
    cluster.freeze(cluster.primary, for_s=planned.waits_s[0])
    return now(), 0


def _kill_standby(stage: Stage, planned: Planned) -> tuple[int, int]:
    return _cluster(stage).restart_standby(after_s=planned.waits_s[0]), 1


def _freeze_standby(stage: Stage, planned: Planned) -> tuple[int, int]:
    cluster = _cluster(stage)
    cluster.settle()
    cluster.freeze(cluster.standby, for_s=planned.waits_s[0])
    return now(), 0


def _fail_over(stage: Stage, _planned: Planned) -> tuple[int, int]:
    return _cluster(stage).fail_over(), 1


def _kill_everything(stage: Stage, planned: Planned) -> tuple[int, int]:
    """As when the power fails: all at once, and all is started again."""
    senders = stage.senders.values()
    for child in senders:
        child.send(signal.SIGKILL)
    ended = _cluster(stage).restart(after_s=planned.waits_s[0])
    for child in senders:
        child.kill()
        child.start()
    return ended, len(senders) + 1


# receivers


def _kill_receiver(stage: Stage, planned: Planned) -> tuple[int, int]:
    stage.receivers[planned.target].kill()
    time.sleep(planned.waits_s[0])
    stage.start_receiver(planned.target)
    stage.wait_for_port(planned.target)
    return now(), 1


def _freeze_receiver(stage: Stage, planned: Planned) -> tuple[int, int]:
    return _freeze(stage.receivers[planned.target], for_s=planned.waits_s[0]), 0


ACTS: Mapping[str, Act] = MappingProxyType(
    {
        "hub killed": _kill_sender,
        "hub killed in quick succession": _kill_sender,
        "hub killed while it starts": _kill_sender,
        "hub frozen past its lease": _freeze_sender,
        "disk full": _fill_disk,
        "disk full, log too": _fill_disk,
        "worker killed": _kill_sender,
        "worker frozen past its lease": _freeze_sender,
        "database killed": _kill_database,
        "database connection killed": _kill_connection,
        "database frozen": _freeze_database,
        "standby killed": _kill_standby,
        "standby frozen": _freeze_standby,
        "standby takes over": _fail_over,
        "everything killed": _kill_everything,
        "receiver killed": _kill_receiver,
        "receiver frozen": _freeze_receiver,
    }
)
