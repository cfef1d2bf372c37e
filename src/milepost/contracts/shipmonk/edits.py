"""What a merchant's input does to an order: what may still change, and which state follows.

Published: items cannot change while they are picked, nothing can once the order is packed, and past
pick_in_progress the only recall is a return. `fulfilled` does nothing to an order that ShipMonk
fulfilled. Ours: a cancellation while items are picked is a request that the warehouse answers, and
what has ended stays ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

import msgspec

from milepost.contracts.shipmonk.inputs import OrderStatusInput
from milepost.errors import IllegalMove, MilepostError
from milepost.orders.lifecycle import Reason, State, allowed_next
from milepost.orders.model import Order, OrderContent

S = State
UNFULFILLED, FULFILLED = OrderStatusInput.UNFULFILLED, OrderStatusInput.FULFILLED
CANCELLED, ON_HOLD = OrderStatusInput.CANCELLED, OrderStatusInput.ON_HOLD


class Stage(StrEnum):
    """How far an order is, as far as an input is concerned."""

    NEW = "new"
    OPEN = "open"
    HELD = "held"
    PICKING = "picking"
    PACKING = "packing"
    PACKED = "packed"
    REQUESTED = "cancellation requested"
    SHIPPED = "shipped"
    ENDED = "ended"


STAGES: Mapping[State, Stage] = MappingProxyType(
    {
        S.CREATED: Stage.OPEN,
        S.VERIFYING: Stage.OPEN,
        S.VERIFIED: Stage.OPEN,
        S.SCHEDULED: Stage.OPEN,
        S.ADDRESS_ERROR: Stage.OPEN,
        S.SUBMIT_FAILED: Stage.OPEN,
        S.BACKORDERED: Stage.OPEN,
        S.SUBMITTED: Stage.OPEN,
        S.ON_HOLD: Stage.HELD,
        S.PICKING: Stage.PICKING,
        S.PACKING: Stage.PACKING,
        S.PACKED: Stage.PACKED,
        S.READY_TO_SHIP: Stage.PACKED,
        S.CANCEL_REQUESTED: Stage.REQUESTED,
        S.CANCELLED: Stage.ENDED,
        S.FULFILLED_ELSEWHERE: Stage.ENDED,
    }
)
"""The stage of each state; every state that is not here has shipped."""


class Effect(StrEnum):
    """What an order status that comes in makes of an order."""

    NOTHING = "nothing"
    RELEASE = "release"
    HOLD = "hold"
    CANCEL = "cancel"
    REQUEST = "request"
    ELSEWHERE = "elsewhere"
    REFUSED = "refused"


EFFECTS: Mapping[OrderStatusInput, Mapping[Stage, Effect]] = MappingProxyType(
    {
        UNFULFILLED: {
            Stage.NEW: Effect.RELEASE,
            Stage.OPEN: Effect.NOTHING,
            Stage.HELD: Effect.RELEASE,
            Stage.PICKING: Effect.NOTHING,
            Stage.PACKING: Effect.NOTHING,
            Stage.PACKED: Effect.NOTHING,
            Stage.REQUESTED: Effect.NOTHING,
            Stage.SHIPPED: Effect.NOTHING,
            Stage.ENDED: Effect.REFUSED,
        },
        ON_HOLD: {
            Stage.NEW: Effect.HOLD,
            Stage.OPEN: Effect.HOLD,
            Stage.HELD: Effect.NOTHING,
            Stage.PICKING: Effect.HOLD,
            Stage.PACKING: Effect.HOLD,
            Stage.PACKED: Effect.REFUSED,
            Stage.REQUESTED: Effect.REFUSED,
            Stage.SHIPPED: Effect.REFUSED,
            Stage.ENDED: Effect.REFUSED,
        },
        CANCELLED: {
            Stage.NEW: Effect.CANCEL,
            Stage.OPEN: Effect.CANCEL,
            Stage.HELD: Effect.CANCEL,
            Stage.PICKING: Effect.REQUEST,
            Stage.PACKING: Effect.REFUSED,
            Stage.PACKED: Effect.REFUSED,
            Stage.REQUESTED: Effect.NOTHING,
            Stage.SHIPPED: Effect.REFUSED,
            Stage.ENDED: Effect.NOTHING,
        },
        FULFILLED: {
            Stage.NEW: Effect.ELSEWHERE,
            Stage.OPEN: Effect.ELSEWHERE,
            Stage.HELD: Effect.ELSEWHERE,
            Stage.PICKING: Effect.ELSEWHERE,
            Stage.PACKING: Effect.ELSEWHERE,
            Stage.PACKED: Effect.ELSEWHERE,
            Stage.REQUESTED: Effect.REFUSED,
            Stage.SHIPPED: Effect.NOTHING,
            Stage.ENDED: Effect.NOTHING,
        },
    }
)
"""What each order status does at each stage."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """A state that follows at once, and its reason if it has one."""

    state: State
    reason: Reason | None = None


_STEPS: Mapping[Effect, State] = MappingProxyType(
    {
        Effect.HOLD: S.ON_HOLD,
        Effect.CANCEL: S.CANCELLED,
        Effect.REQUEST: S.CANCEL_REQUESTED,
        Effect.ELSEWHERE: S.FULFILLED_ELSEWHERE,
    }
)


def stage(order: Order | None) -> Stage:
    """How far this order is; None is one that is new."""
    return Stage.NEW if order is None else STAGES.get(order.state, Stage.SHIPPED)


def refusal(
    known: Order | None, *, content: OrderContent, status: OrderStatusInput
) -> MilepostError | None:
    """Why this input may not be taken as the order stands; None when it may."""
    if known is None:
        return None
    here = stage(known)
    if EFFECTS[status][here] is Effect.REFUSED:
        return _too_late(known, f"order_status {status.value} is too late")
    if here in (Stage.PACKED, Stage.SHIPPED, Stage.ENDED) and content != known.content:
        return _too_late(known, "nothing can be changed any more")
    if here in (Stage.PICKING, Stage.PACKING) and content.lines != known.content.lines:
        return _too_late(known, "items cannot be changed while they are picked")
    return None


def step(
    order: Order,
    *,
    before: Stage,
    status: OrderStatusInput,
    submit_at: datetime | None,
    now: datetime,
    address_is_bad: bool,
) -> Step | None:
    """The state that follows at once, given the stage before; None when it stays.

    An order is released to the warehouse unless it is to wait (`submit_at` in the future) or its
    address cannot be right. A new time to submit, or a mended address, counts for one that waits.
    """
    effect = EFFECTS[status][before]
    if effect in _STEPS:
        return Step(_STEPS[effect])
    waits = order.state in (S.CREATED, S.VERIFIED, S.SCHEDULED, S.ADDRESS_ERROR)
    if effect is not Effect.RELEASE and not (waits and status is UNFULFILLED):
        return None
    if address_is_bad:
        return Step(S.ADDRESS_ERROR) if S.ADDRESS_ERROR in allowed_next(order.state) else None
    if submit_at is not None and submit_at > now:
        return Step(S.SCHEDULED, Reason.FUTURE_DATE)
    return Step(S.SUBMITTED)


def _too_late(order: Order, why: str) -> IllegalMove:
    return IllegalMove(
        f"{why}: the order is {order.state.value}",
        state=order.state,
        allowed=tuple(allowed_next(order.state)),
    )
