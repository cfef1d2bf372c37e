"""The states by phase, and what each of them says of an order in one line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from milepost.orders.lifecycle import CARRIER, INTAKE, SIDE, WAREHOUSE_LINE, State

S = State

PHASES: Mapping[str, tuple[State, ...]] = MappingProxyType(
    {
        "Intake": INTAKE,
        "Warehouse": (*WAREHOUSE_LINE, *SIDE),
        "Cancellation": (S.CANCEL_REQUESTED, S.CANCELLED),
        "Carrier": tuple(state for state in State if state in CARRIER),
        "Elsewhere": (S.FULFILLED_ELSEWHERE,),
    }
)
"""Every state once, in the order of a life that goes well, its side states behind."""

EVERY_STATE = tuple(state for states in PHASES.values() for state in states)
"""The states in the order in which they are shown."""

MEANING: Mapping[State, str] = MappingProxyType(
    {
        S.CREATED: "The order is known; nothing was done with it yet.",
        S.VERIFYING: "Its address is being checked.",
        S.VERIFIED: "Its address is good; it waits to be handed to the warehouse.",
        S.SCHEDULED: "It is put off on purpose; the reason says why.",
        S.ADDRESS_ERROR: "Its address was refused and has to be corrected or forced.",
        S.SUBMIT_FAILED: "The warehouse could not take it.",
        S.SUBMITTED: "The warehouse has it and has not begun.",
        S.PICKING: "Its items are being taken from the shelves.",
        S.PACKING: "Its items are being packed.",
        S.PACKED: "It is packed and has no place at the dock yet.",
        S.READY_TO_SHIP: "It waits for the carrier to collect it.",
        S.ON_HOLD: "Somebody stopped it; it can be released.",
        S.BACKORDERED: "Something in it is out of stock.",
        S.CANCEL_REQUESTED: "Its cancellation was asked for and may still be refused or too late.",
        S.CANCELLED: "It was called off before it shipped.",
        S.SHIPPED: "It left the warehouse; no carrier has scanned it yet.",
        S.INFO_RECEIVED: "The carrier knows of the label, not of the parcel.",
        S.IN_TRANSIT: "It is on its way.",
        S.OUT_FOR_DELIVERY: "It is on the vehicle that brings it.",
        S.ATTEMPT_FAILED: "The carrier tried to hand it over and could not.",
        S.AVAILABLE_FOR_PICKUP: "It waits at a pickup point.",
        S.DELAYED: "It is on its way and past the day it was expected.",
        S.EXCEPTION: "Something went wrong on its way.",
        S.DELIVERED: "It was handed over or collected.",
        S.UNDELIVERABLE: "The carrier gave up trying to hand it over.",
        S.RETURNING: "It is on its way back to the sender.",
        S.RETURNED: "It is back with the sender.",
        S.EXPIRED: "Nothing was heard of it for so long that tracking stopped.",
        S.UNTRACKED: "It was shipped in a way that cannot be tracked.",
        S.FULFILLED_ELSEWHERE: "Another warehouse fulfilled it.",
    }
)
"""One line about each state, for documents and for the command line."""


def phase_of(state: State) -> str:
    """The phase that a state belongs to."""
    return next(phase for phase, states in PHASES.items() if state in states)
