"""Test mode: fake orders that live a published life by themselves, with real notifications.

The numbers and what each ends in are published; which steps lead there is inferred from the
published statuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from milepost.contracts.withings.extensions import NAME
from milepost.orders.events import Update
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, ParcelDetails

S = State
SOURCE = "test mode"


class FakeStep(msgspec.Struct, frozen=True):
    """One step of a fake order's life: the word that is notified, and the state it is."""

    word: str
    state: State


_WAREHOUSE = (FakeStep("VERIFIED", S.VERIFIED), FakeStep("PROCESSING", S.SUBMITTED))

SEQUENCES: Mapping[int, tuple[FakeStep, ...]] = MappingProxyType(
    {
        1: (
            *_WAREHOUSE,
            FakeStep("OPEN", S.READY_TO_SHIP),
            FakeStep("SHIPPED", S.SHIPPED),
            FakeStep("pending", S.SHIPPED),
            FakeStep("info_received", S.INFO_RECEIVED),
            FakeStep("in_transit", S.IN_TRANSIT),
            FakeStep("delivered", S.DELIVERED),
        ),
        2: (*_WAREHOUSE, FakeStep("TRASHED", S.CANCELLED)),
        3: (*_WAREHOUSE, FakeStep("FAILED", S.SUBMIT_FAILED)),
        4: (*_WAREHOUSE, FakeStep("BACKHOLD", S.ON_HOLD)),
    }
)
"""What each test mode plays; the first step is taken when the order is created."""

_AWAITS_SCAN = ParcelDetails(extensions={NAME: msgspec.Raw(b'{"awaits_scan":true}')})


def step_update(order: Order, *, mode: int, step: int) -> Update | None:
    """What the step tells of a fake order; None when the order has left the sequence.

    It has when somebody else moved it, as a client does that deletes it. A step that was taken
    already is told again, and says nothing new then.
    """
    steps = SEQUENCES[mode]
    if order.state not in (steps[step - 1].state, steps[step].state):
        return None
    taken = steps[step]
    told = Update(source=SOURCE, state=taken.state, raw=taken.word, trusted=True)
    if taken.word == "SHIPPED":
        return msgspec.structs.replace(
            told,
            carrier="Test carrier",
            carrier_service="Test service",
            tracking_number=f"TEST{order.order_id.rpartition('_')[2].upper()}",
        )
    if taken.word == "pending":
        return msgspec.structs.replace(told, details=_AWAITS_SCAN)
    return told
