"""The lifecycle as data: 30 states and every legal edge between them, with its class and reason.

The code, the database constraint, the documentation, the diagram and the tests all read this
table. Nothing else in Milepost decides whether an order may go from one state to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class State(StrEnum):
    """Where an order, or a parcel of it, is in its life."""

    CREATED = "created"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    SCHEDULED = "scheduled"
    ADDRESS_ERROR = "address_error"
    SUBMIT_FAILED = "submit_failed"
    SUBMITTED = "submitted"
    PICKING = "picking"
    PACKING = "packing"
    PACKED = "packed"
    READY_TO_SHIP = "ready_to_ship"
    ON_HOLD = "on_hold"
    BACKORDERED = "backordered"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    SHIPPED = "shipped"
    INFO_RECEIVED = "info_received"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAILED = "attempt_failed"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELAYED = "delayed"
    EXCEPTION = "exception"
    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"
    RETURNING = "returning"
    RETURNED = "returned"
    EXPIRED = "expired"
    UNTRACKED = "untracked"
    FULFILLED_ELSEWHERE = "fulfilled_elsewhere"


class Reason(StrEnum):
    """Why an order is in its state; only some states take one, see REASONS."""

    FUTURE_DATE = "future_date"
    SUBSCRIPTION = "subscription"
    PACKAGE_FORWARDING = "package_forwarding"
    MERCHANT_FACILITY = "merchant_facility"


class EdgeClass(StrEnum):
    """How an edge may be taken: by any update, or only as a correction."""

    NORMAL = "normal"
    CORRECTION = "correction"


class Edge(msgspec.Struct, frozen=True):
    """One legal step of the lifecycle."""

    origin: State
    target: State
    edge_class: EdgeClass
    why: str


S = State

MAIN_LINE: tuple[State, ...] = (
    S.CREATED,
    S.VERIFYING,
    S.VERIFIED,
    S.SCHEDULED,
    S.SUBMITTED,
    S.PICKING,
    S.PACKING,
    S.PACKED,
    S.READY_TO_SHIP,
    S.SHIPPED,
    S.INFO_RECEIVED,
    S.IN_TRANSIT,
    S.OUT_FOR_DELIVERY,
    S.DELIVERED,
)
INTAKE = (S.CREATED, S.VERIFYING, S.VERIFIED, S.SCHEDULED, S.ADDRESS_ERROR, S.SUBMIT_FAILED)
WAREHOUSE_LINE = (S.SUBMITTED, S.PICKING, S.PACKING, S.PACKED, S.READY_TO_SHIP)
SIDE = (S.ON_HOLD, S.BACKORDERED)
BEFORE_SHIPPING = (*INTAKE, *WAREHOUSE_LINE, *SIDE)
MOVING = (
    S.IN_TRANSIT,
    S.OUT_FOR_DELIVERY,
    S.ATTEMPT_FAILED,
    S.AVAILABLE_FOR_PICKUP,
    S.DELAYED,
    S.EXCEPTION,
)
LATE = (
    S.SHIPPED,
    S.INFO_RECEIVED,
    S.UNDELIVERABLE,
    S.RETURNING,
    S.DELIVERED,
    S.UNTRACKED,
    *MOVING,
)
CARRIER = frozenset((*LATE, S.RETURNED, S.EXPIRED))
HARD_ENDS = frozenset((S.CANCELLED, S.RETURNED, S.FULFILLED_ELSEWHERE))
SOFT_ENDS = frozenset((S.DELIVERED, S.EXPIRED, S.UNTRACKED))
ENDS = HARD_ENDS | SOFT_ENDS
NEEDS_ATTENTION = frozenset((S.ATTEMPT_FAILED, S.EXCEPTION, S.UNDELIVERABLE, S.RETURNING))

REASONS: Mapping[State, frozenset[Reason]] = MappingProxyType({S.SCHEDULED: frozenset(Reason)})

RANK: Mapping[State, int] = MappingProxyType({state: i for i, state in enumerate(MAIN_LINE)})

# From the least advanced parcel to the most: an order is where its least advanced parcel is. The
# ends stand last, so that one parcel's end never hides that another one is still on its way.
PARCEL_ORDER: tuple[State, ...] = (
    S.SHIPPED,
    S.INFO_RECEIVED,
    S.IN_TRANSIT,
    S.DELAYED,
    S.EXCEPTION,
    S.ATTEMPT_FAILED,
    S.AVAILABLE_FOR_PICKUP,
    S.OUT_FOR_DELIVERY,
    S.UNDELIVERABLE,
    S.RETURNING,
    S.UNTRACKED,
    S.EXPIRED,
    S.RETURNED,
    S.DELIVERED,
)
PARCEL_RANK: Mapping[State, int] = MappingProxyType({s: i for i, s in enumerate(PARCEL_ORDER)})

_Rule = tuple[Iterable[State], Iterable[State], str]

_NORMAL_RULES: tuple[_Rule, ...] = (
    *(
        ((origin,), MAIN_LINE[i + 1 :], "main line: a step, or a skip where steps were merged")
        for i, origin in enumerate(MAIN_LINE)
    ),
    ((S.CREATED, S.VERIFYING), (S.ADDRESS_ERROR,), "the address was refused"),
    (
        (S.ADDRESS_ERROR,),
        (S.VERIFYING, S.VERIFIED, S.SCHEDULED, S.SUBMITTED),
        "the address was corrected or forced",
    ),
    (
        (S.CREATED, S.VERIFYING, S.VERIFIED, S.SCHEDULED, S.SUBMITTED),
        (S.SUBMIT_FAILED,),
        "the warehouse could not take the order",
    ),
    (
        (S.SUBMIT_FAILED,),
        (S.VERIFIED, S.SCHEDULED, S.ADDRESS_ERROR, *WAREHOUSE_LINE),
        "the hand-over was repaired, or its cause was the address",
    ),
    (BEFORE_SHIPPING, SIDE, "held, or out of stock"),
    (
        SIDE,
        (S.VERIFIED, S.SCHEDULED, S.SUBMIT_FAILED, *WAREHOUSE_LINE),
        "released, or in stock again",
    ),
    ((S.VERIFIED, S.SUBMITTED), (S.SCHEDULED,), "put off to a later date"),
    (
        BEFORE_SHIPPING,
        (S.CANCEL_REQUESTED, S.CANCELLED, S.FULFILLED_ELSEWHERE),
        "left before shipping",
    ),
    ((S.CANCEL_REQUESTED,), (S.CANCELLED,), "the cancellation was granted"),
    (
        (S.CANCEL_REQUESTED,),
        tuple(s for s in BEFORE_SHIPPING if s not in (S.CREATED, S.VERIFYING)),
        "the cancellation was refused",
    ),
    ((S.CANCEL_REQUESTED,), LATE, "the cancellation came too late"),
    (
        (*WAREHOUSE_LINE, S.VERIFIED, S.SCHEDULED, *SIDE),
        tuple(s for s in LATE if s not in (S.UNDELIVERABLE, S.RETURNING)),
        "a carrier's scan came ahead of the warehouse's word",
    ),
    (
        (S.SHIPPED, S.INFO_RECEIVED),
        (*MOVING, S.DELIVERED, S.UNDELIVERABLE, S.RETURNING, S.EXPIRED, S.UNTRACKED),
        "the carrier has it",
    ),
    (
        MOVING,
        (*MOVING, S.DELIVERED, S.UNDELIVERABLE, S.RETURNING, S.EXPIRED),
        "on its way, in any order",
    ),
    (
        (S.UNDELIVERABLE,),
        (S.RETURNING, S.RETURNED, S.EXPIRED, S.DELIVERED, *MOVING),
        "tried again, or sent back",
    ),
    ((S.RETURNING,), (S.RETURNED, S.EXPIRED), "the return ended"),
    ((S.UNTRACKED,), (S.DELIVERED, S.RETURNING, S.IN_TRANSIT), "a late scan reopened it"),
    (
        (S.EXPIRED,),
        (S.DELIVERED, S.RETURNING, S.RETURNED, *MOVING),
        "a late scan reopened it",
    ),
)

_CORRECTION_RULES: tuple[_Rule, ...] = (
    (
        (S.DELIVERED,),
        (S.RETURNING, S.UNDELIVERABLE, *MOVING),
        "it was not delivered after all",
    ),
    ((S.CANCELLED,), LATE, "it had been shipped before the cancellation"),
    ((S.RETURNING,), (S.DELIVERED, *MOVING), "it was not on its way back"),
    (
        (S.SHIPPED, S.INFO_RECEIVED),
        (S.PACKED, S.READY_TO_SHIP, S.ON_HOLD, S.CANCELLED),
        "it had not left the warehouse",
    ),
    (
        (S.PACKED, S.READY_TO_SHIP),
        (S.SUBMITTED, S.PICKING, S.PACKING),
        "the warehouse opened it again",
    ),
    ((S.PICKING, S.PACKING), (S.SUBMITTED,), "the warehouse starts over"),
    ((S.PACKING,), (S.PICKING,), "an item has to be picked again"),
    ((S.SUBMITTED,), (S.VERIFIED,), "the warehouse never took it"),
)


def _lay_out() -> dict[tuple[State, State], Edge]:
    edges: dict[tuple[State, State], Edge] = {}
    for edge_class, rules in (
        (EdgeClass.NORMAL, _NORMAL_RULES),
        (EdgeClass.CORRECTION, _CORRECTION_RULES),
    ):
        for origins, targets, why in rules:
            for origin in origins:
                for target in targets:
                    if origin is not target:
                        edge = Edge(origin, target, edge_class, why)
                        edges.setdefault((origin, target), edge)
    return edges


EDGES: Mapping[tuple[State, State], Edge] = MappingProxyType(_lay_out())


def allowed_next(state: State, *, correction: bool = False) -> tuple[State, ...]:
    """The states that an update may name next, in the order of `State`; corrections on request."""
    return tuple(target for target in State if way_to(state, target, correction=correction))


def passed_over(origin: State, target: State) -> tuple[State, ...]:
    """The main-line states between two main-line states: the steps that a skip merged."""
    start, end = RANK.get(origin), RANK.get(target)
    if start is None or end is None:
        return ()
    return MAIN_LINE[start + 1 : end]


def way_to(origin: State, target: State, *, correction: bool = False) -> Edge | None:
    """The edge from one state to another that this update may take, or None when it may not."""
    edge = EDGES.get((origin, target))
    if edge is None or (edge.edge_class is EdgeClass.CORRECTION and not correction):
        return None
    return edge
