"""The checker: a pure function over what a run left behind.

It believes no process: what was accepted is the traffic's journal, what was received are the
receivers' journals, and both are held against each other and against the attempts on record.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from benchmarks.torture.behaviors import ACKNOWLEDGING, BEHAVIORS
from benchmarks.torture.facts import Accepted, Attempt, Delivery, Fault, Receipt, Run
from benchmarks.torture.faults import DATABASE
from benchmarks.torture.owed import owed, states

AFTER_A_FAULT_NS = 500_000_000
"""How long after the end of a fault a request from before it may still arrive, or be read."""

AFTER_THE_DATABASE_NS = 5_000_000_000
"""How long after the database answers again what was received may still not be recorded: the hub
pauses between two tries to connect."""

LOOKED_AT = 5_000
"""How many accepted events after a fault are looked at to find the first that was delivered."""

Lane = tuple[str, str]
Name = tuple[str, str, int]


class Recovery(msgspec.Struct, frozen=True):
    """How long after a fault the next notification was accepted and delivered."""

    kind: str
    target: str
    seconds: float


class Findings(msgspec.Struct):
    """What the checker found; every list has to be empty, each entry says what is wrong."""

    lost: list[str] = []
    out_of_order: list[str] = []
    unverified: list[str] = []
    renamed: list[str] = []
    changed: list[str] = []
    unexplained: list[str] = []
    pending: list[str] = []
    refused: list[str] = []
    miscounted: list[str] = []
    unowed: list[str] = []
    duplicates: int = 0
    explained: dict[str, int] = {}
    owed: int = 0
    accepted: int = 0
    door_repeats: int = 0
    recoveries: list[Recovery] = []

    def wrong(self) -> dict[str, list[str]]:
        """The lists that are not empty, by name."""
        lists = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: found for name, found in lists.items() if name in _LISTS and found}

    @property
    def longest_recovery_s(self) -> float | None:
        return max((recovery.seconds for recovery in self.recoveries), default=None)


_LISTS = frozenset(
    ("lost", "out_of_order", "unverified", "renamed", "changed", "unexplained", "pending",
     "refused", "miscounted", "unowed")
)  # fmt: skip


def check(run: Run) -> Findings:
    """Everything that is wrong with the run, and its counts."""
    findings = Findings()
    lanes: dict[Lane, list[Receipt]] = defaultdict(list)
    for receipt in run.receipts:
        lanes[receipt.endpoint_id, receipt.order_id].append(receipt)
    findings.unverified = [f"{u.receiver}{u.path}: {u.why}" for u in run.unverified]
    findings.refused = [f"{r.order_key} {r.step}: {r.why}" for r in run.refused]
    histories = _histories(run.accepted, findings)
    _check_history_on_record(run, histories, findings)
    _check_owed(run, lanes, histories, findings)
    for lane in lanes.values():
        _check_order(lane, findings)
    _check_duplicates(run, lanes, findings)
    _check_record(run, lanes, findings)
    findings.recoveries = list(_recoveries(run))
    return findings


class _History(msgspec.Struct):
    account: str
    steps: dict[int, str] = {}

    def line(self) -> list[str]:
        """The steps from the first on, as far as they are known without a hole."""
        known: list[str] = []
        while (step := self.steps.get(len(known) + 1)) is not None:
            known.append(step)
        return known


def _histories(accepted: Iterable[Accepted], findings: Findings) -> dict[str, _History]:
    """What each order was told, by the number that its event was answered with."""
    histories: dict[str, _History] = {}
    for fact in accepted:
        findings.door_repeats += fact.verdict in ("duplicate", "unchanged")
        if fact.sequence != fact.expected:
            findings.miscounted.append(
                f"{fact.order_id} {fact.step}: answered as event {fact.sequence}, "
                f"it is number {fact.expected}"
            )
        history = histories.setdefault(fact.order_id, _History(fact.account))
        history.steps[fact.expected] = fact.step
    for order_id, history in histories.items():
        findings.accepted += len(history.steps)
        if len(history.line()) != len(history.steps):
            findings.miscounted.append(f"{order_id}: the journal of what was accepted has a hole")
    return histories


def _check_history_on_record(
    run: Run, histories: Mapping[str, _History], findings: Findings
) -> None:
    """Each accepted event is in the order's history, once, with the state that it brought."""
    on_record = {(e.order_id, e.sequence): e.state for e in run.events}
    for order_id, history in histories.items():
        for sequence, state in enumerate(states(history.line()), start=1):
            held = on_record.get((order_id, sequence))
            if held is None:
                findings.lost.append(f"{order_id} event {sequence}: accepted, not on record")
            elif held != state:
                findings.miscounted.append(
                    f"{order_id} event {sequence}: {state} was accepted, {held} is on record"
                )


def _check_owed(
    run: Run,
    lanes: Mapping[Lane, Sequence[Receipt]],
    histories: Mapping[str, _History],
    findings: Findings,
) -> None:
    """Whatever is owed was acknowledged by its receiver; nothing else was sent."""
    by_account = defaultdict(list)
    for endpoint in run.endpoints:
        by_account[endpoint.account].append(endpoint)
    paths = {e.endpoint_id: (e.receiver, e.path) for e in run.endpoints}
    for receipt in run.receipts:
        if paths.get(receipt.endpoint_id) != (receipt.receiver, receipt.path):
            findings.unowed.append(f"{receipt.delivery_id} came to {receipt.receiver}")
    for order_id, history in histories.items():
        line = history.line()
        for endpoint in by_account[history.account]:
            lane = lanes.get((endpoint.endpoint_id, order_id), ())
            due = owed(endpoint.contract, line)
            findings.owed += len(due)
            _check_lane(f"{order_id} to {endpoint.endpoint_id}", lane, due, len(line), findings)


def _check_lane(
    name: str, lane: Sequence[Receipt], due: Sequence[int], known: int, findings: Findings
) -> None:
    received = {receipt.sequence for receipt in lane}
    acknowledged = {receipt.sequence for receipt in lane if receipt.answer in ACKNOWLEDGING}
    for sequence in due:
        if sequence not in acknowledged:
            how = "came, was never acknowledged" if sequence in received else "never came"
            findings.lost.append(f"{name} notification {sequence}: {how}")
    # What lies beyond the known history was taken in without an answer, so nobody can say.
    findings.unowed += [
        f"{name} notification {sequence}: nobody owed it"
        for sequence in sorted(received - set(due))
        if sequence <= known
    ]
    before = dict(zip(due, (0, *due), strict=False))
    findings.miscounted += [
        f"{receipt.delivery_id}: it says that {receipt.previous} came before it, "
        f"that was {before[receipt.sequence]}"
        for receipt in lane
        if receipt.sequence in before and receipt.previous != before[receipt.sequence]
    ]


def _check_order(lane: Sequence[Receipt], findings: Findings) -> None:
    """First receipts rise, and once a later one was acknowledged no earlier one comes."""
    seen: set[int] = set()
    highest = acknowledged = 0
    for receipt in lane:
        if receipt.replay:
            continue
        sequence = receipt.sequence
        if sequence not in seen and sequence < highest:
            findings.out_of_order.append(
                f"{receipt.delivery_id} came first after {highest} had come"
            )
        elif sequence < acknowledged:
            findings.out_of_order.append(
                f"{receipt.delivery_id} came again after {acknowledged} was acknowledged"
            )
        seen.add(sequence)
        highest = max(highest, sequence)
        if receipt.answer in ACKNOWLEDGING:
            acknowledged = max(acknowledged, sequence)


def _check_duplicates(
    run: Run, lanes: Mapping[Lane, Sequence[Receipt]], findings: Findings
) -> None:
    """A duplicate has the same id and the same bytes, and there is a reason for it."""
    attempts = {(a.endpoint_id, a.order_id, a.sequence, a.attempt): a for a in run.attempts}
    reasons: Counter[str] = Counter()
    for lane in lanes.values():
        last: dict[tuple[int, int], Receipt] = {}
        for receipt in lane:
            first = last.get((receipt.sequence, receipt.replay))
            last[receipt.sequence, receipt.replay] = receipt
            if first is None:
                continue
            findings.duplicates += 1
            if receipt.delivery_id != first.delivery_id:
                findings.renamed.append(f"{first.delivery_id} came again as {receipt.delivery_id}")
            if receipt.digest != first.digest:
                findings.changed.append(f"{receipt.delivery_id} came again with another body")
            reason = _reason(first, receipt, attempts=attempts, faults=run.faults)
            if reason is None:
                findings.unexplained.append(
                    f"{receipt.delivery_id}: attempt {first.attempt} was acknowledged "
                    f"({first.answer}), attempt {receipt.attempt} came "
                    f"{(receipt.at - first.at) / 1e9:.3f} s later"
                )
            else:
                reasons[reason] += 1
    findings.explained = dict(reasons.most_common())


def _reason(
    first: Receipt,
    again: Receipt,
    *,
    attempts: Mapping[tuple[str, str, int, int], Attempt],
    faults: Sequence[Fault],
) -> str | None:
    """Why it came again: what the sender recorded, a fault in between, or what was answered."""
    recorded = attempts.get((first.endpoint_id, first.order_id, first.sequence, first.attempt))
    if again.attempt > first.attempt and recorded and recorded.outcome != "acknowledged":
        return f"tried again after {recorded.outcome}"
    for fault in faults:
        if fault.began_at > again.at:
            break
        after = AFTER_THE_DATABASE_NS if fault.target == DATABASE else AFTER_A_FAULT_NS
        touches = fault.target == first.receiver or fault.target not in BEHAVIORS
        if touches and max(fault.ended_at, fault.done_at) >= first.at - after:
            return fault.kind
    if first.answer not in ACKNOWLEDGING:
        return f"no whole answer ({first.answer}), sent again at once"
    return None


def _check_record(run: Run, lanes: Mapping[Lane, Sequence[Receipt]], findings: Findings) -> None:
    """Attempts on record are numbered without holes and cover what receivers saw."""
    recorded: dict[Name, list[Attempt]] = defaultdict(list)
    for attempt in run.attempts:
        recorded[attempt.endpoint_id, attempt.order_id, attempt.sequence].append(attempt)
    seen: dict[Name, set[int]] = defaultdict(set)
    whole: set[tuple[Name, int]] = set()
    for lane in lanes.values():
        for receipt in lane:
            name = (receipt.endpoint_id, receipt.order_id, receipt.sequence)
            seen[name].add(receipt.attempt)
            if receipt.answer in ACKNOWLEDGING:
                whole.add((name, receipt.attempt))
    for delivery in run.deliveries:
        name = (delivery.endpoint_id, delivery.order_id, delivery.sequence)
        _check_delivery(delivery, recorded.get(name, []), seen.pop(name, set()), findings)
        for attempt in recorded.get(name, []):
            if attempt.outcome == "acknowledged" and (name, attempt.attempt) not in whole:
                findings.miscounted.append(
                    f"{name}: attempt {attempt.attempt} is acknowledged on record, "
                    "its receiver did not acknowledge it"
                )
    findings.miscounted += [f"{name}: it came and is not on record" for name in seen]


def _check_delivery(
    delivery: Delivery, recorded: Sequence[Attempt], seen: set[int], findings: Findings
) -> None:
    name = f"{delivery.order_id}-{delivery.sequence}-{delivery.endpoint_id}"
    if delivery.state == "pending":
        findings.pending.append(f"{name}: pending after {delivery.attempts} attempts")
        return
    if delivery.state != "acknowledged":
        findings.lost.append(f"{name}: {delivery.state} after {delivery.attempts} attempts")
    numbers = sorted(attempt.attempt for attempt in recorded)
    if numbers != list(range(1, delivery.attempts + 1)):
        findings.miscounted.append(f"{name}: {delivery.attempts} attempts, on record {numbers}")
    if unknown := seen - set(numbers):
        findings.miscounted.append(f"{name}: attempts {sorted(unknown)} came, not on record")
    if delivery.state == "acknowledged" and not any(a.outcome == "acknowledged" for a in recorded):
        findings.miscounted.append(f"{name}: acknowledged by no attempt on record")


def _recoveries(run: Run) -> Iterable[Recovery]:
    """For each fault, unless another one came before it was over."""
    acknowledged: dict[tuple[str, int], int] = {}
    at_receiver: dict[str, list[int]] = defaultdict(list)
    for receipt in run.receipts:
        if receipt.answer in ACKNOWLEDGING:
            acknowledged.setdefault((receipt.order_id, receipt.sequence), receipt.at)
            at_receiver[receipt.receiver].append(receipt.at)
    told = sorted(run.accepted, key=lambda fact: fact.sent_at)
    begins = [fact.sent_at for fact in told]
    for position, fault in enumerate(run.faults):
        if fault.target not in BEHAVIORS:
            start = bisect_left(begins, fault.ended_at)
            recovered = min(
                (
                    max(fact.at, acknowledged[fact.order_id, fact.sequence])
                    for fact in told[start : start + LOOKED_AT]
                    if (fact.order_id, fact.sequence) in acknowledged
                ),
                default=None,
            )
        else:
            times = at_receiver[fault.target]
            place = bisect_left(times, fault.ended_at)
            recovered = times[place] if place < len(times) else None
        following = next(
            (
                later.began_at
                for later in run.faults[position + 1 :]
                if later.target == fault.target or later.target not in BEHAVIORS
            ),
            None,
        )
        if recovered is None or (following is not None and following < recovered):
            continue
        yield Recovery(fault.kind, fault.target, (recovered - fault.ended_at) / 1e9)
