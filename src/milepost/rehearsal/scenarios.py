"""What can be played: each scenario as the orders that it has and what happens to each, in turn.

The sequences of the two providers' own sandboxes are played as their rooms hold them; what they
miss stands here. A scenario is told in every contract: a contract only has its own words for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import MappingProxyType

import msgspec

from milepost.contracts.shipmonk import sandbox
from milepost.contracts.shipmonk.extensions import MainOrder, OrderExtensions, OrderPart, OrderParts
from milepost.contracts.shipmonk.inputs import PackType
from milepost.contracts.shipmonk.payloads import NAME as SHIPMONK
from milepost.contracts.withings import testmode
from milepost.errors import InvalidInput
from milepost.orders.events import Update
from milepost.orders.lifecycle import Reason, State
from milepost.orders.model import Order, OrderContent, PackedItem, ParcelDetails

S = State
_MINUTE = timedelta(minutes=1)
STEP = 5 * _MINUTE
"""How long it is from one step to the next where nobody says otherwise."""

Tells = Callable[[Order], Sequence[Update]]
Revises = Callable[[OrderContent, str], OrderContent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What happens so long after the beat before: updates, or other content for the order.

    `revises` gets the content and the order key of the scenario's first order.
    """

    after: timedelta = STEP
    tells: Tells | None = None
    revises: Revises | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One of the orders of a scenario: how its key ends, when it begins, and its beats.

    `ordered` makes its content of the usual one and the order key of the first order.
    """

    beats: tuple[Beat, ...]
    suffix: str = ""
    begins: timedelta = timedelta(0)
    ordered: Revises | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named sequence, in a sentence, and whose it is."""

    name: str
    title: str
    origin: str
    roles: tuple[Role, ...]


def find(name: str) -> Scenario:
    """The scenario of this name. Raises InvalidInput naming those that there are."""
    found = SCENARIOS.get(name)
    if found is None:
        raise InvalidInput(field="SCENARIO", expected=f"one of {', '.join(SCENARIOS)}")
    return found


# --- steps of our own ----------------------------------------------------------------------------

WAREHOUSE, CARRIER_SAYS, SHOP = "warehouse", "carrier", "shop"
_FIRST_PARCEL, _SECOND_PARCEL = "1", "2"


def _number(order: Order, parcel: str) -> str:
    return f"SIM{order.order_id.rpartition('_')[2].upper()}{parcel}"


def _told(
    state: State | None,
    *,
    after: timedelta = STEP,
    source: str = WAREHOUSE,
    parcel: str | None = None,
    reason: Reason | None = None,
    why: str | None = None,
) -> Beat:
    """A beat of one update; with `why` it is a correction."""
    update = Update(
        source=source,
        state=state,
        parcel=parcel,
        reason=reason,
        correction=why is not None,
        note=why,
        trusted=True,
    )
    return Beat(after=after, tells=lambda _order: (update,))


def _packed(*parcels: str) -> Beat:
    """The parcels with their tracking numbers, each with a line of the order where it has more."""

    def tells(order: Order) -> Sequence[Update]:
        lines = order.content.lines
        return [
            Update(
                source=WAREHOUSE,
                parcel=name,
                carrier="Rehearsal Carrier",
                carrier_service="Ground",
                tracking_number=_number(order, name),
                details=ParcelDetails(
                    number=place + 1,
                    items=tuple(
                        PackedItem(sku=line.sku, quantity=line.quantity, line_key=line.line_key)
                        for line in (lines if len(parcels) == 1 else lines[place : place + 1])
                    ),
                ),
                trusted=True,
            )
            for place, name in enumerate(parcels)
        ]

    return Beat(tells=tells)


def _by_carrier(*states: State, parcel: str | None = None) -> tuple[Beat, ...]:
    return tuple(_told(state, source=CARRIER_SAYS, parcel=parcel) for state in states)


def _through_the_warehouse(*parcels: str) -> tuple[Beat, ...]:
    return (
        _told(S.VERIFIED, after=_MINUTE),
        _told(S.SUBMITTED),
        _told(S.PICKING),
        _told(S.PACKING),
        _told(S.PACKED),
        _packed(*parcels),
        _told(S.READY_TO_SHIP),
    )


_SHIPPED = (*_through_the_warehouse(_FIRST_PARCEL), _told(S.SHIPPED))
_IN_TRANSIT = (*_SHIPPED, *_by_carrier(S.INFO_RECEIVED, S.IN_TRANSIT))

_OURS = "Milepost"
_OWN: tuple[tuple[str, str, tuple[Beat, ...]], ...] = (
    (
        "door_to_door",
        "every step of the main line, with the last mile",
        (
            _told(S.VERIFYING, after=_MINUTE),
            *_IN_TRANSIT,
            *_by_carrier(S.OUT_FOR_DELIVERY, S.DELIVERED),
        ),
    ),
    (
        "two_parcels",
        "two parcels, one of which arrives later: delivered when both are",
        (
            *_through_the_warehouse(_FIRST_PARCEL, _SECOND_PARCEL),
            _told(S.SHIPPED, parcel=_FIRST_PARCEL),
            _told(S.SHIPPED, parcel=_SECOND_PARCEL),
            *_by_carrier(S.IN_TRANSIT, parcel=_FIRST_PARCEL),
            *_by_carrier(S.IN_TRANSIT, parcel=_SECOND_PARCEL),
            *_by_carrier(S.DELIVERED, parcel=_FIRST_PARCEL),
            *_by_carrier(S.ATTEMPT_FAILED, S.DELIVERED, parcel=_SECOND_PARCEL),
        ),
    ),
    (
        "return",
        "nobody opens, and it goes back to the warehouse",
        (
            *_IN_TRANSIT,
            *_by_carrier(S.ATTEMPT_FAILED, S.AVAILABLE_FOR_PICKUP, S.RETURNING, S.RETURNED),
        ),
    ),
    (
        "lost_and_found",
        "delayed, lost for weeks and given up; then it is scanned and delivered",
        (
            *_IN_TRANSIT,
            *_by_carrier(S.DELAYED, S.EXCEPTION),
            _told(S.EXPIRED, after=timedelta(days=45), source=CARRIER_SAYS),
            *_by_carrier(S.IN_TRANSIT, S.DELIVERED),
        ),
    ),
    (
        "correction",
        "said to be delivered, which is taken back, and delivered after all",
        (
            *_IN_TRANSIT,
            *_by_carrier(S.DELIVERED),
            _told(S.IN_TRANSIT, source=WAREHOUSE, why="the carrier scanned another parcel"),
            *_by_carrier(S.DELIVERED),
        ),
    ),
    (
        "address_error",
        "the address is refused, corrected, and the order goes on",
        (
            _told(S.VERIFYING, after=_MINUTE),
            _told(S.ADDRESS_ERROR),
            *_SHIPPED,
            *_by_carrier(S.IN_TRANSIT, S.DELIVERED),
        ),
    ),
    (
        "scheduled",
        "it waits for the date of a subscription before it is submitted",
        (
            _told(S.VERIFIED, after=_MINUTE),
            _told(S.SCHEDULED, reason=Reason.SUBSCRIPTION),
            _told(S.SUBMITTED),
            *_SHIPPED[2:],
            *_by_carrier(S.IN_TRANSIT, S.DELIVERED),
        ),
    ),
)


# --- two orders ----------------------------------------------------------------------------------


def _replacing(content: OrderContent, first_key: str) -> OrderContent:
    return msgspec.structs.replace(content, replacement_for=first_key)


def _divided(content: OrderContent, first_key: str, *, kept: slice, key: str) -> OrderContent:
    """The content with these lines only, and the parts of the order in ShipMonk's words."""
    parts = OrderParts(MainOrder(first_key, (OrderPart(f"{first_key}-2"),)))
    said = msgspec.json.encode(OrderExtensions(order_parts=parts))
    return msgspec.structs.replace(
        content,
        lines=content.lines[kept],
        order_number=key,
        extensions={**content.extensions, SHIPMONK: msgspec.Raw(said)},
    )


def _first_part(content: OrderContent, first_key: str) -> OrderContent:
    return _divided(content, first_key, kept=slice(0, 1), key=first_key)


def _second_part(content: OrderContent, first_key: str) -> OrderContent:
    return _divided(content, first_key, kept=slice(1, None), key=f"{first_key}-2")


# --- the providers' own --------------------------------------------------------------------------


def _test_mode(mode: int) -> tuple[Beat, ...]:
    """A test mode's sequence; its first step is taken when the order is created."""
    steps = testmode.SEQUENCES[mode]
    first = Update(source=testmode.SOURCE, state=steps[0].state, raw=steps[0].word, trusted=True)

    def tells(order: Order, *, step: int) -> Sequence[Update]:
        told = testmode.step_update(order, mode=mode, step=step)
        return () if told is None else (told,)

    return (
        Beat(after=timedelta(0), tells=lambda _order: (first,)),
        *(Beat(tells=partial(tells, step=step)) for step in range(1, len(steps))),
    )


def _sandbox(name: str) -> tuple[Beat, ...]:
    """A scenario of the sandbox, after the order was submitted."""

    def tells(order: Order, *, step: int) -> Sequence[Update]:
        told = sandbox.step_updates(order, scenario=name, pack_type=PackType.SINGLEPACK, step=step)
        return () if told is None else told

    return (
        _told(S.SUBMITTED, after=_MINUTE, source=sandbox.SOURCE),
        *(
            Beat(after=one.after, tells=partial(tells, step=step))
            for step, one in enumerate(sandbox.SCENARIOS[name])
        ),
    )


_TEST_MODES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        1: ("shipped", "all the way to the door, as test mode 1 plays it"),
        2: ("trashed", "cancelled, as test mode 2 plays it"),
        3: ("failed", "logistics does not take it, as test mode 3 plays it"),
        4: ("backhold", "held, as test mode 4 plays it"),
    }
)
_SANDBOX_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "backorder": "out of stock at first, then to the door",
        "hold": "held and released, then to the door",
        "undeliverable": "on its way, and cannot be delivered",
        "untrackable": "shipped without tracking",
        "cancelled": "cancelled before anything was picked",
        "cancellation_requested": "cancelled while it is picked, and granted",
        "cancellation_refused": "cancelled while it is picked, and refused",
        "complete": "picked, packed, shipped and delivered",
    }
)


def _all() -> Mapping[str, Scenario]:
    withings = [
        Scenario(
            name=name,
            title=title,
            origin=f"Withings test mode {mode}",
            roles=(Role(beats=_test_mode(mode)),),
        )
        for mode, (name, title) in _TEST_MODES.items()
    ]
    shipmonk = [
        Scenario(
            name=name,
            title=_SANDBOX_TITLES[name],
            origin="ShipMonk sandbox",
            roles=(Role(beats=_sandbox(name)),),
        )
        for name in sandbox.SCENARIOS
    ]
    split = Scenario(
        name=sandbox.SPLIT,
        title="taken apart into two orders, both of which arrive",
        origin="ShipMonk sandbox",
        roles=(
            Role(
                beats=(
                    Beat(after=_MINUTE, revises=_first_part),
                    *_sandbox(sandbox.COMPLETE),
                )
            ),
            Role(
                suffix="-2",
                begins=_MINUTE,
                ordered=_second_part,
                beats=_sandbox(sandbox.COMPLETE),
            ),
        ),
    )
    replacement = Scenario(
        name="replacement",
        title="delivered broken, and made good by a second order that names it",
        origin=_OURS,
        roles=(
            Role(beats=_test_mode(1)),
            Role(
                suffix="-R",
                begins=timedelta(hours=2),
                ordered=_replacing,
                beats=_test_mode(1),
            ),
        ),
    )
    own = [
        Scenario(name=name, title=title, origin=_OURS, roles=(Role(beats=beats),))
        for name, title, beats in _OWN
    ]
    return {one.name: one for one in (*withings, *shipmonk, split, *own, replacement)}


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(_all())
"""Every scenario by its name."""
