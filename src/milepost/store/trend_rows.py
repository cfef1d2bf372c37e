"""Counts over time as rows and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from milepost.ports.trends import WITHIN, Pending, Trend, Waiting
from milepost.store.rows import Row, micros, moment, moment_or_none

_WITHIN_COLUMNS = (
    "within_tenth",
    "within_second",
    "within_ten_seconds",
    "within_minute",
    "within_ten_minutes",
    "within_hour",
    "later",
)
assert len(_WITHIN_COLUMNS) == len(WITHIN) + 1  # noqa: S101 - a column for each bound


def trend_values(trend: Trend) -> dict[str, Any]:
    return {
        "account_id": trend.account_id,
        "endpoint_id": trend.endpoint_id,
        "began_at": micros(trend.began_at),
        "accepted": trend.accepted,
        "attempts": trend.attempts,
        "failed": trend.failed,
        "acknowledged": trend.acknowledged,
        "abandoned": trend.abandoned,
        **dict(zip(_WITHIN_COLUMNS, trend.within, strict=True)),
    }


def trend_of(row: Row, *, account_id: str, endpoint_id: str, began_at: datetime) -> Trend:
    """The counts of a row after its first column."""
    accepted, attempts, failed, acknowledged, abandoned, *within = row[1:]
    return Trend(
        account_id,
        endpoint_id,
        began_at,
        accepted,
        attempts,
        failed,
        acknowledged,
        abandoned,
        tuple(within),
    )


def began_at_of(row: Row) -> datetime:
    return moment(row[0])


def pending_of(row: Row | None) -> Pending:
    return Pending(0, None) if row is None else Pending(row[0], moment_or_none(row[1]))


def waiting_of(row: Row) -> Waiting:
    """What waits, of a row after its first column."""
    return Waiting(row[1], moment_or_none(row[2]))
