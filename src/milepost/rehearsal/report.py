"""What came of a rehearsal: each request, each order, and the figures; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from milepost.delivery.model import Outcome
from milepost.rehearsal.chaos import Kind

SLOWEST = 5


class Asked(msgspec.Struct, frozen=True):
    """One sending: what it was, and what the receiver answered.

    `at` is the rehearsal's own clock. `answered` is None where nothing was sent (`lost`) or no
    status came back; `pretended` is the status that was acted on instead.
    """

    number: int
    at: datetime
    order_key: str
    sequence: int
    status: str
    delivery_id: str
    attempt: int
    kind: Kind
    lost: bool
    reordered: bool
    delayed: bool
    pretended: int | None
    answered: int | None
    outcome: Outcome | None
    ms: float | None
    detail: str = ""

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver said that it has it, whatever was acted on."""
        return self.outcome is Outcome.ACKNOWLEDGED


class OrderTold(msgspec.Struct, frozen=True):
    """How one order went: its words in the order that they were first acknowledged in.

    `missing` are the words that the receiver was sent and never acknowledged, `lost` those that
    were never sent.
    """

    order_key: str
    words: tuple[str, ...]
    requests: int
    missing: tuple[str, ...]
    lost: tuple[str, ...]
    duplicates_refused: int

    @property
    def good(self) -> bool:
        """Whether the receiver took all that it was sent, repeats too."""
        return not self.missing and not self.duplicates_refused


class Totals(msgspec.Struct, frozen=True):
    """The figures; times of answers in milliseconds, None where nothing was answered."""

    notifications: int
    requests: int
    acknowledged: int
    refused: int
    timeouts: int
    unreachable: int
    retries: int
    duplicates: int
    reordered: int
    delayed: int
    dropped: int
    lost: int
    pretended: int
    median_ms: float | None
    p95_ms: float | None
    slowest_ms: float | None


class Report(msgspec.Struct, frozen=True):
    """Everything, in the shape that `--json` prints; `good` decides how the command ends."""

    scenario: str
    contract: str
    seed: int
    start: datetime
    good: bool
    totals: Totals
    orders: tuple[OrderTold, ...]
    slowest: tuple[Asked, ...]
    requests: tuple[Asked, ...]


_UNREACHABLE = frozenset(
    (
        Outcome.DNS,
        Outcome.CONNECTION_REFUSED,
        Outcome.TLS,
        Outcome.BLOCKED,
        Outcome.TRUNCATED,
        Outcome.PROTOCOL,
        Outcome.RESET,
    )
)


def report(
    asked: Sequence[Asked], *, scenario: str, contract: str, seed: int, start: datetime
) -> Report:
    """The report of what was asked, in the order it was."""
    told = _orders(asked)
    answered = [one for one in asked if one.ms is not None]
    slowest = sorted(answered, key=lambda one: (-(one.ms or 0.0), one.number))[:SLOWEST]
    return Report(
        scenario=scenario,
        contract=contract,
        seed=seed,
        start=start,
        good=all(order.good for order in told),
        totals=_totals(asked),
        orders=told,
        slowest=tuple(slowest),
        requests=tuple(asked),
    )


def at_share(values: Sequence[float], share: float) -> float | None:
    """The value that so great a share of them does not exceed; None of none."""
    ranked = sorted(values)
    return ranked[min(int(len(ranked) * share), len(ranked) - 1)] if ranked else None


def _totals(asked: Sequence[Asked]) -> Totals:
    sent = [one for one in asked if not one.lost]
    times = [one.ms for one in sent if one.ms is not None]
    lost = {one.delivery_id for one in asked} - {one.delivery_id for one in sent}
    return Totals(
        notifications=len({one.delivery_id for one in asked}),
        requests=len(sent),
        acknowledged=sum(one.acknowledged for one in sent),
        refused=sum(not one.acknowledged and one.answered is not None for one in sent),
        timeouts=sum(one.outcome is Outcome.TIMEOUT for one in sent),
        unreachable=sum(one.outcome in _UNREACHABLE for one in sent),
        retries=sum(one.kind is Kind.RETRY for one in sent),
        duplicates=sum(one.kind is Kind.DUPLICATE for one in sent),
        reordered=sum(one.reordered for one in sent),
        delayed=sum(one.delayed for one in sent),
        dropped=sum(one.lost and one.delivery_id not in lost for one in asked),
        lost=len(lost),
        pretended=sum(one.pretended is not None for one in sent),
        median_ms=at_share(times, 0.5),
        p95_ms=at_share(times, 0.95),
        slowest_ms=max(times, default=None),
    )


def _orders(asked: Sequence[Asked]) -> tuple[OrderTold, ...]:
    by_key: dict[str, list[Asked]] = {}
    for one in asked:
        by_key.setdefault(one.order_key, []).append(one)
    return tuple(_order(key, mine) for key, mine in by_key.items())


def _order(order_key: str, asked: Sequence[Asked]) -> OrderTold:
    sent = [one for one in asked if not one.lost]
    took = {one.delivery_id: one.status for one in sent if one.acknowledged}
    tried = {one.delivery_id: one.status for one in sent}
    known: set[str] = set()
    refused = 0
    for one in sent:
        refused += one.delivery_id in known and not one.acknowledged
        if one.acknowledged:
            known.add(one.delivery_id)
    return OrderTold(
        order_key=order_key,
        words=tuple(took.values()),
        requests=len(sent),
        missing=tuple(word for name, word in tried.items() if name not in took),
        lost=tuple(one.status for one in asked if one.lost and one.delivery_id not in tried),
        duplicates_refused=refused,
    )
