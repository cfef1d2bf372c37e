"""What a settled batch of attempts adds to the process's figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from milepost.delivery.model import Outcome
from milepost.delivery.outcome import Abandon
from milepost.metrics import Metrics
from milepost.ports import Settlement


def count_attempts(settlements: Sequence[Settlement], *, metrics: Metrics) -> None:
    """Counts a batch of attempts; how long receipt took counts once, and not for replays."""
    took_s: defaultdict[str, list[float]] = defaultdict(list)
    receipts_s: defaultdict[str, list[float]] = defaultdict(list)
    outcomes: Counter[tuple[str, Outcome]] = Counter()
    for settlement in settlements:
        claimed, attempt = settlement.claimed, settlement.attempt
        contract = claimed.endpoint.contract
        seconds = attempt.duration_ms / 1_000
        took_s[contract].append(seconds)
        outcomes[contract, attempt.outcome] += 1
        if attempt.outcome is Outcome.ACKNOWLEDGED:
            if claimed.received_at is not None and not claimed.replay:
                waited = attempt.started_at - claimed.received_at
                receipts_s[contract].append(waited.total_seconds() + seconds)
        elif isinstance(settlement.step, Abandon):
            metrics.abandoned.add(contract)
    for (contract, outcome), number in outcomes.items():
        metrics.attempts.add(contract, outcome.value, number=number)
        if outcome is Outcome.ACKNOWLEDGED:
            metrics.acknowledged.add(contract, number=number)
    for contract, values in took_s.items():
        metrics.attempt_s.see(values, contract)
    for contract, values in receipts_s.items():
        metrics.receipt_s.see(values, contract)
