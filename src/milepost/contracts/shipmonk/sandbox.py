"""The sandbox's warehouse: what happens to an order that is completed there, step by step.

Published: the order has to be submitted; a shipment is told of after 20 minutes, about a minute
lies between the pick-up and the way, and a package holds everything or one line each. The other
scenarios and their times are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

import msgspec

from milepost.contracts.shipmonk.inputs import PackType
from milepost.orders.events import Update
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, PackedItem, ParcelDetails

S = State
SOURCE = "sandbox"
CARRIER, CARRIER_SERVICE = "Sandbox Carrier", "Ground"
_MINUTE = timedelta(minutes=1)


class SandboxStep(msgspec.Struct, frozen=True, gc=False):
    """A state that comes so long after the one before."""

    state: State
    after: timedelta


_PICKED = (
    SandboxStep(S.PICKING, _MINUTE),
    SandboxStep(S.PACKING, 5 * _MINUTE),
    SandboxStep(S.PACKED, 5 * _MINUTE),
    SandboxStep(S.READY_TO_SHIP, 8 * _MINUTE),
    SandboxStep(S.SHIPPED, _MINUTE),
)
"""20 minutes until the shipment, of which the last lies between pick-up and hand-over."""

_ON_ITS_WAY = (*_PICKED, SandboxStep(S.IN_TRANSIT, _MINUTE))

COMPLETE, SPLIT = "complete", "split"
"""Split takes an order apart and completes both; every other scenario is a row below."""

SCENARIOS: Mapping[str, tuple[SandboxStep, ...]] = MappingProxyType(
    {
        COMPLETE: (*_ON_ITS_WAY, SandboxStep(S.DELIVERED, 5 * _MINUTE)),
        "backorder": (
            SandboxStep(S.BACKORDERED, _MINUTE),
            SandboxStep(S.SUBMITTED, 5 * _MINUTE),
            *_ON_ITS_WAY,
            SandboxStep(S.DELIVERED, 5 * _MINUTE),
        ),
        "hold": (
            SandboxStep(S.ON_HOLD, _MINUTE),
            SandboxStep(S.SUBMITTED, 5 * _MINUTE),
            *_ON_ITS_WAY,
            SandboxStep(S.DELIVERED, 5 * _MINUTE),
        ),
        "undeliverable": (*_ON_ITS_WAY, SandboxStep(S.UNDELIVERABLE, 5 * _MINUTE)),
        "untrackable": (*_PICKED, SandboxStep(S.UNTRACKED, _MINUTE)),
        "cancelled": (SandboxStep(S.CANCELLED, _MINUTE),),
        "cancellation_requested": (
            SandboxStep(S.PICKING, _MINUTE),
            SandboxStep(S.CANCEL_REQUESTED, _MINUTE),
            SandboxStep(S.CANCELLED, _MINUTE),
        ),
        "cancellation_refused": (
            SandboxStep(S.PICKING, _MINUTE),
            SandboxStep(S.CANCEL_REQUESTED, _MINUTE),
            SandboxStep(S.PACKING, _MINUTE),
            SandboxStep(S.PACKED, 5 * _MINUTE),
            SandboxStep(S.READY_TO_SHIP, 8 * _MINUTE),
            SandboxStep(S.SHIPPED, _MINUTE),
            SandboxStep(S.IN_TRANSIT, _MINUTE),
            SandboxStep(S.DELIVERED, 5 * _MINUTE),
        ),
    }
)
"""What each scenario plays after the order was submitted."""

_BY_PARCEL = frozenset((S.SHIPPED, S.IN_TRANSIT, S.DELIVERED, S.UNDELIVERABLE, S.UNTRACKED))


def step_updates(
    order: Order, *, scenario: str, pack_type: PackType, step: int
) -> Sequence[Update] | None:
    """What the step tells of an order; None when the order has left the scenario.

    It has when somebody else moved it. A step that was taken already is told again, and says
    nothing new then.
    """
    steps = SCENARIOS[scenario]
    came_from = S.SUBMITTED if step == 0 else steps[step - 1].state
    state = steps[step].state
    if order.state not in (came_from, state):
        return None
    if state is S.READY_TO_SHIP:
        return (*_packed(order, pack_type), _told(state))
    if state in _BY_PARCEL:
        return [_told(state, parcel=name) for name, _ in _packages(order, pack_type)]
    return (_told(state),)


def _told(state: State, *, parcel: str | None = None) -> Update:
    return Update(source=SOURCE, state=state, parcel=parcel, trusted=True)


def _packages(order: Order, pack_type: PackType) -> Sequence[tuple[str, tuple[PackedItem, ...]]]:
    """The packages by name and what is in them."""
    items = tuple(
        [
            PackedItem(sku=line.sku, quantity=line.quantity, line_key=line.line_key)
            for line in order.content.lines
        ]
    )
    if pack_type is PackType.SINGLEPACK or len(items) < 2:
        return (("1", items),)
    return [(str(number), (item,)) for number, item in enumerate(items, start=1)]


def _packed(order: Order, pack_type: PackType) -> Sequence[Update]:
    """The packages with their tracking numbers, before anybody fetches them."""
    tail = order.order_id.rpartition("_")[2].upper()
    return [
        Update(
            source=SOURCE,
            parcel=name,
            carrier=CARRIER,
            carrier_service=CARRIER_SERVICE,
            tracking_number=f"SBX{tail}{name}",
            details=ParcelDetails(number=int(name), items=items),
            trusted=True,
        )
        for name, items in _packages(order, pack_type)
    ]
