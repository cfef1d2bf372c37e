"""What asks for a person, as it is shown: of each kind why, since when, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from milepost.delivery.health import Condition, Health, condition
from milepost.delivery.model import Delivery, Endpoint
from milepost.orders.lifecycle import State, allowed_next
from milepost.orders.silence import Silence, SilenceKind
from milepost.ports import Quarantined
from milepost.ports.receipts import Receipt
from milepost.ports.receiving import Refusals
from milepost.ports.reconciling import Reconciliation


class Kind(StrEnum):
    """Why something is in the list; the list has them in this order."""

    PAUSED = "endpoint_paused"
    FAILING = "endpoint_failing"
    ABANDONED = "delivery_abandoned"
    ILLEGAL = "update_illegal"
    ORPHAN = "update_without_order"
    UNMAPPED = "receipt_unmapped"
    REFUSED = "source_refused"
    SILENT = "order_silent"
    RECONCILIATION = "reconciliation_failed"
    STALE = "update_stale"


class Action(msgspec.Struct, frozen=True, gc=False):
    """Something that can be done: over HTTP, and on the command line."""

    does: str
    method: str
    path: str
    command: str


class Matter(msgspec.Struct, frozen=True, gc=False):
    """One thing that asks for a person; it is gone from the list when its reason is.

    `since` is when the reason began.
    """

    attention_id: str
    kind: Kind
    since: datetime
    why: str
    endpoint_id: str | None = None
    delivery_id: str | None = None
    order_id: str | None = None
    update_id: str | None = None
    source: str | None = None
    receipt_id: str | None = None
    store: str | None = None
    order_key: str | None = None
    state: State | None = None
    status: str | None = None
    actions: list[Action] = []


class Group(msgspec.Struct, frozen=True, gc=False):
    """The first matters of a kind; `after` is where the next page of them begins, if there is."""

    kind: Kind
    matters: Sequence[Matter]
    after: str | None


def of_endpoint(endpoint: Endpoint, *, health: Health, kind: Kind) -> list[Matter]:
    """The endpoint's own matter of this kind, if it has one."""
    name = endpoint.endpoint_id
    match condition(endpoint.state, health=health), kind:
        case Condition.PAUSED, Kind.PAUSED:
            since, why = endpoint.state_at or endpoint.created_at, endpoint.state_why
            prefix, actions = "paused", [_resume(name), _show(name)]
        case Condition.FAILING, Kind.FAILING:
            since = health.failing_since or endpoint.created_at
            why = f"{health.failures} attempts in a row have failed"
            if health.last_outcome is not None:
                why += f", the last one with {health.last_outcome}"
            prefix, actions = "failing", [_test(name), _attempts(name), _pause(name)]
        case _:
            return []
    began = int(since.timestamp() * 1_000_000)
    return [Matter(f"{prefix}:{name}:{began}", kind, since, why, endpoint_id=name, actions=actions)]


def of_delivery(delivery: Delivery) -> Matter:
    name = delivery.delivery_id
    why = f"given up after {delivery.attempts} attempts"
    if delivery.outcome is not None:
        why += f", the last one with {delivery.outcome}"
    return Matter(
        f"delivery:{name}",
        Kind.ABANDONED,
        delivery.settled_at or delivery.created_at,
        why,
        endpoint_id=delivery.endpoint_id,
        delivery_id=name,
        order_id=delivery.order_id,
        status=delivery.status,
        actions=[
            Action(
                "Send it again, at its place in the order.",
                "POST",
                f"/v1/deliveries/{name}/resend",
                f"milepost delivery resend {name}",
            ),
            Action(
                "See its attempts and what came back.",
                "GET",
                f"/v1/deliveries/{name}",
                f"milepost delivery show {name}",
            ),
        ],
    )


def of_update(kept: Quarantined, *, kind: Kind, patience: timedelta) -> Matter:
    actions = [
        Action(
            "See what it said.",
            "GET",
            f"/v1/quarantine?verdict={kept.verdict}",
            f"milepost quarantine list --verdict {kept.verdict}",
        )
    ]
    if kind is not Kind.ORPHAN:
        actions.append(
            Action(
                "If it is right, tell it as a correction, with a note that says why.",
                "POST",
                "/v1/updates",
                f"milepost update {kept.order_id} STATE --correction --note WHY",
            )
        )
    else:
        actions.append(
            Action(
                "Tell the order that it speaks of: the update applies itself then.",
                "POST",
                "/v1/orders",
                f"milepost order add {kept.order_key} --store {kept.store}",
            )
        )
    return Matter(
        f"update:{kept.update_id}",
        kind,
        kept.received_at + patience,
        kept.why,
        order_id=kept.order_id,
        update_id=kept.update_id,
        source=kept.source,
        receipt_id=kept.receipt_id,
        store=kept.store,
        order_key=kept.order_key,
        state=kept.update.state,
        actions=actions,
    )


def of_receipt(receipt: Receipt) -> Matter:
    name = receipt.receipt_id
    return Matter(
        f"receipt:{name}",
        Kind.UNMAPPED,
        receipt.received_at,
        receipt.why,
        order_id=receipt.order_id,
        source=receipt.source,
        receipt_id=name,
        store=receipt.store,
        order_key=receipt.order_key,
        actions=[
            Action(
                "See it as it came.",
                "GET",
                f"/v1/receipts/{name}",
                f"milepost receipt show {name}",
            ),
            Action(
                "Decide on what it says again, after its source was set up otherwise.",
                "POST",
                f"/v1/receipts/{name}/retry",
                f"milepost receipt retry {name}",
            ),
        ],
    )


def of_refusals(source: str, refusals: Refusals, last: datetime | None) -> list[Matter]:
    """A source of which nothing was let in since something was refused, if it is one."""
    at = refusals.refused_at
    if at is None or (last is not None and last >= at):
        return []
    began = 0 if last is None else int(last.timestamp() * 1_000_000)
    return [
        Matter(
            f"source:{source}:{began}",
            Kind.REFUSED,
            at,
            f"what it sends is refused, the last time because: {refusals.why}",
            source=source,
            actions=[
                Action(
                    "See how it is set up and what was refused.",
                    "GET",
                    f"/v1/sources/{source}",
                    f"milepost source show {source}",
                ),
                Action(
                    "If its provider has other secrets now, tell them.",
                    "PATCH",
                    f"/v1/sources/{source}",
                    f"milepost source set {source} --credential NAME=@FILE --overlap",
                ),
            ],
        )
    ]


def of_silence(silence: Silence) -> Matter:
    """What is shown of an order of which nothing was heard for too long."""
    order_id = silence.order_id
    allowed = allowed_next(silence.state)
    actions = [_watched(order_id)] if silence.kind is SilenceKind.CARRIER else []
    actions.append(
        Action(
            "Ask whoever has it, and tell where it is: whatever is heard of it ends this.",
            "POST",
            "/v1/updates",
            f"milepost update {order_id} STATE",
        )
    )
    actions.append(
        Action(
            "Compare it with what its source has, where that can be read.",
            "POST",
            "/v1/sources/SOURCE/reconcile",
            f"milepost reconcile SOURCE --order {order_id}",
        )
    )
    actions += [
        Action(does, "POST", "/v1/updates", f"milepost update {order_id} {state} --note WHY")
        for state, does in _STOPPED_BY
        if state in allowed
    ]
    heard = "nothing was heard of it" if silence.kind is SilenceKind.CARRIER else "it has stayed"
    return Matter(
        f"silence:{silence.number}",
        Kind.SILENT,
        silence.raised_at,
        f"{heard} in {silence.state} since {silence.since_at:%Y-%m-%d %H:%M} UTC, "
        f"for more than {shown_span(silence.after)}",
        order_id=order_id,
        store=silence.store,
        order_key=silence.order_key,
        state=silence.state,
        actions=actions,
    )


_STOPPED_BY = (
    (State.ON_HOLD, "Hold it, with the reason."),
    (State.CANCEL_REQUESTED, "Ask for its cancellation, with the reason."),
)


def shown_span(span: timedelta) -> str:
    """A length of time in its largest whole unit: 5 days, 4 hours, 90 minutes."""
    for unit, name in _UNITS:
        if span >= unit and not span % unit:
            count = span // unit
            return f"{count} {name}{'s' * (count != 1)}"
    return f"{span.total_seconds():g} seconds"


_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def _watched(order_id: str) -> Action:
    return Action(
        "See how its parcels are watched, and what the carrier answers.",
        "GET",
        f"/v1/orders/{order_id}/trackings",
        f"milepost carrier watched {order_id}",
    )


def of_reconciliation(run: Reconciliation) -> Matter:
    return Matter(
        f"reconciliation:{run.run_id}",
        Kind.RECONCILIATION,
        run.finished_at or run.asked_at,
        f"{run.source} could not be compared with its provider: {run.why}",
        source=run.source,
        actions=[
            Action(
                "Compare again, once what stood in the way is mended.",
                "POST",
                f"/v1/sources/{run.source}/reconcile",
                f"milepost reconcile {run.source}",
            ),
            Action(
                "See how far it came.",
                "GET",
                f"/v1/reconciliations/{run.run_id}",
                f"milepost reconcile show {run.run_id}",
            ),
        ],
    )


def _resume(name: str) -> Action:
    return Action(
        "Resume it: what is parked is sent, in order.",
        "POST",
        f"/v1/endpoints/{name}/resume",
        f"milepost endpoint resume {name}",
    )


def _show(name: str) -> Action:
    return Action(
        "See how it is set up and how it has been doing.",
        "GET",
        f"/v1/endpoints/{name}",
        f"milepost endpoint show {name}",
    )


def _test(name: str) -> Action:
    return Action(
        "Send a test notification.",
        "POST",
        f"/v1/endpoints/{name}/test",
        f"milepost endpoint test {name}",
    )


def _attempts(name: str) -> Action:
    return Action(
        "See what is pending there, and its attempts.",
        "GET",
        f"/v1/deliveries?endpoint={name}&state=pending",
        f"milepost delivery list --endpoint {name} --state pending",
    )


def _pause(name: str) -> Action:
    return Action(
        "Pause it: what comes is parked and nothing is given up.",
        "POST",
        f"/v1/endpoints/{name}/pause",
        f"milepost endpoint pause {name}",
    )
