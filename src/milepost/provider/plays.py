"""What can happen to an order by itself: each sequence by its number, as the store keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import product

from milepost.contracts.shipmonk import sandbox
from milepost.contracts.shipmonk.inputs import PackType
from milepost.contracts.withings import testmode
from milepost.orders.events import Update
from milepost.orders.lifecycle import State
from milepost.orders.model import Order

SUBMIT = 100
"""The number of the sequence that submits an order when its time has come."""

_SANDBOX = 101
SANDBOX_NUMBERS: Mapping[tuple[str, PackType], int] = {
    named: number
    for number, named in enumerate(product(sandbox.SCENARIOS, PackType), start=_SANDBOX)
}
"""The number of each scenario of the sandbox. New scenarios come last: numbers are kept."""

FIRST_PAUSES: Mapping[int, timedelta] = {
    number: sandbox.SCENARIOS[scenario][0].after
    for (scenario, _), number in SANDBOX_NUMBERS.items()
}
"""How long it is until each begins, at the published speed."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """A sequence: what a step tells of an order, and how long it is from a step to the next.

    `updates` is None once the order has left the sequence; `pause` is None after the last step.
    """

    updates: Callable[[Order, int], Sequence[Update] | None]
    pause: Callable[[int], timedelta | None]


def sequences(*, test_step: timedelta, sandbox_speed: float) -> Mapping[int, Sequenced]:
    """All of them, with test mode's time between steps and the sandbox's times divided."""
    found = {
        mode: Sequenced(partial(_test_updates, mode), partial(_test_pause, mode, test_step))
        for mode in testmode.SEQUENCES
    }
    found[SUBMIT] = Sequenced(_submit_updates, lambda _step: None)
    for (scenario, pack_type), number in SANDBOX_NUMBERS.items():
        found[number] = Sequenced(
            partial(_sandbox_updates, scenario, pack_type),
            partial(_sandbox_pause, scenario, sandbox_speed),
        )
    return found


def _test_updates(mode: int, order: Order, step: int) -> Sequence[Update] | None:
    told = testmode.step_update(order, mode=mode, step=step)
    return None if told is None else (told,)


def _test_pause(mode: int, between: timedelta, step: int) -> timedelta | None:
    return between if step + 1 < len(testmode.SEQUENCES[mode]) else None


def _submit_updates(order: Order, _step: int) -> Sequence[Update] | None:
    if order.state is not State.SCHEDULED:
        return None
    return (Update(source="schedule", state=State.SUBMITTED, trusted=True),)


def _sandbox_updates(
    scenario: str, pack_type: PackType, order: Order, step: int
) -> Sequence[Update] | None:
    return sandbox.step_updates(order, scenario=scenario, pack_type=pack_type, step=step)


def _sandbox_pause(scenario: str, speed: float, step: int) -> timedelta | None:
    steps = sandbox.SCENARIOS[scenario]
    return steps[step + 1].after / speed if step + 1 < len(steps) else None
