"""Reconciliations as rows and back, the same for every database."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from milepost.contracts.comparison import Kind
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import REAL_ORDER
from milepost.ports import Lease
from milepost.ports.reconciling import (
    Choice,
    Found,
    Part,
    Place,
    Reconciliation,
    RunState,
    Standing,
)
from milepost.store.rows import Row, micros, micros_or_none, moment, moment_or_none

NO_REAL_ORDER = REAL_ORDER[:-1] + chr(ord(REAL_ORDER[-1]) + 1)
"""What every real order's id comes before."""

TAKEN_UP = "it shows the provider's words since the run was taken up again"

_json = msgspec.json.Encoder()
_read_choice = msgspec.json.Decoder(Choice)
_read_place = msgspec.json.Decoder(Place)


class AfterRun(NamedTuple):
    """The sort key of a list of runs."""

    after_run: str


class AfterDifference(NamedTuple):
    """The sort key of a list of differences."""

    after_subject: str
    after_item: str


def run_values(run: Reconciliation) -> dict[str, Any]:
    """The columns of a run by their names."""
    return {
        "account_id": run.account_id,
        "run_id": run.run_id,
        "source": run.source,
        "choice": _json.encode(run.choice).decode(),
        "dry_run": int(run.dry_run),
        "asked_at": micros(run.asked_at),
        "due_at": micros(run.due_at),
        "total": run.total,
        "listed_since": micros_or_none(run.listed_since),
        "state": run.state.value,
        "place": place_text(run.place),
        "examined": run.examined,
        "asked": run.asked,
        "differences": run.differences,
        "applied": run.applied,
        "failures": run.failures,
        "finished_at": micros_or_none(run.finished_at),
        "why": run.why,
    }


def run_of(row: Row) -> Reconciliation:
    return Reconciliation(
        account_id=row[0],
        run_id=row[1],
        source=row[2],
        choice=_read_choice.decode(row[3]),
        dry_run=bool(row[4]),
        asked_at=moment(row[5]),
        due_at=moment(row[6]),
        total=row[7],
        listed_since=moment_or_none(row[8]),
        state=RunState(row[9]),
        place=_read_place.decode(row[10]),
        examined=row[11],
        asked=row[12],
        differences=row[13],
        applied=row[14],
        failures=row[15],
        finished_at=moment_or_none(row[16]),
        why=row[17],
    )


def place_text(place: Place) -> str:
    return _json.encode(place).decode()


def kept_values(run: Reconciliation, lease: Lease) -> dict[str, Any]:
    """What the statement takes that checks whose a run is."""
    return {
        "account_id": run.account_id,
        "run_id": run.run_id,
        "owner": lease.owner,
        "until": micros(lease.until),
        "known_place": place_text(run.place),
    }


def part_values(run: Reconciliation, part: Part, *, settled: int, now: datetime) -> dict[str, Any]:
    """What the statement takes that notes a part; `settled` were pending of an earlier try."""
    return {
        "account_id": run.account_id,
        "run_id": run.run_id,
        "place": place_text(part.place),
        "examined": part.examined,
        "asked": part.asked,
        "differences": len(part.found) + settled,
        "applied": sum(one.verdict in _MENDED for one in part.found) + settled,
        "state": (RunState.DONE if part.ends else RunState.RUNNING).value,
        "finished_at": micros(now) if part.ends else None,
        "now": micros(now),
    }


_MENDED = frozenset((Verdict.APPLIED, Verdict.DUPLICATE))


def found_values(run: Reconciliation, found: Found) -> dict[str, Any]:
    """The columns of a difference by their names."""
    return {
        "account_id": run.account_id,
        "run_id": run.run_id,
        "subject": found.order_id or f"{found.store}/{found.order_key}",
        "item": f"{found.kind.value}:{found.parcel}",
        "order_id": found.order_id,
        "store": found.store,
        "order_key": found.order_key,
        "kind": found.kind.value,
        "parcel": found.parcel,
        "ours": found.ours,
        "theirs": found.theirs,
        "verdict": None if found.verdict is None else found.verdict.value,
        "why": found.why,
        "pending": int(found.pending),
    }


def found_of(row: Row) -> Found:
    return Found(
        order_id=row[2],
        store=row[3],
        order_key=row[4],
        kind=Kind(row[5]),
        parcel=row[6],
        ours=row[7],
        theirs=row[8],
        verdict=None if row[9] is None else Verdict(row[9]),
        why=row[10],
        pending=bool(row[11]),
    )


def standing_of(row: Row) -> Standing:
    return Standing(row[0], row[1], State(row[2]), moment(row[3]), moment(max(row[3], row[4])))
