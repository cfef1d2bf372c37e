"""Changes of the networks that are sent from as rows and back, the same for every database."""

from __future__ import annotations

from typing import Any

from milepost.delivery.egress import Action, EgressChange
from milepost.store.rows import Row, micros, moment, moment_or_none


def egress_values(change: EgressChange) -> dict[str, Any]:
    """The columns of a change that is new."""
    return {
        "change_id": change.change_id,
        "network": change.network,
        "action": change.action.value,
        "effective_at": micros(change.effective_at),
        "planned_at": micros(change.planned_at),
        "forced": int(change.forced),
    }


def egress_of(row: Row) -> EgressChange:
    return EgressChange(
        change_id=row[0],
        network=row[1],
        action=Action(row[2]),
        effective_at=moment(row[3]),
        planned_at=moment(row[4]),
        forced=bool(row[5]),
        cancelled_at=moment_or_none(row[6]),
    )
