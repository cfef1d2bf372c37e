"""A scenario lived through: its orders, and every step of each as the hub would decide it; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from milepost.errors import IllegalMove
from milepost.orders.events import EventType, OrderEvent, Update, Verdict
from milepost.orders.lifecycle import State, allowed_next
from milepost.orders.model import REAL_ORDER, Address, Line, Order, OrderContent, Store
from milepost.orders.move import move
from milepost.rehearsal.chance import ulid
from milepost.rehearsal.scenarios import SHOP, Role, Scenario

ACCOUNT_ID = "acc_rehearsal"
STORE_NAME = "rehearsal"
STORE_NUMBER = 17
APART = timedelta(minutes=1)
"""How long it is from the beginning of one order to that of the next."""


class Happening(msgspec.Struct, frozen=True, gc=False):
    """One step of an order: what was told of it, the order before and after it, and the event.

    `update` is None where the order itself was told, which `after.content` then is.
    """

    at: datetime
    before: Order | None
    after: Order
    event: OrderEvent
    update: Update | None = None


class Life(msgspec.Struct, frozen=True, gc=False):
    """Everything that happens to one order, from the beginning."""

    happenings: tuple[Happening, ...]

    @property
    def order(self) -> Order:
        """The order as it is in the end."""
        return self.happenings[-1].after


def store_of(start: datetime) -> Store:
    """The shop that all the orders of a rehearsal are from."""
    return Store(ACCOUNT_ID, STORE_NAME, STORE_NUMBER, "Rehearsal", start)


def order_key(seed: int, scenario: Scenario, number: int) -> str:
    """The key of the n-th order of a scenario: the seed, the scenario's name, and the number."""
    return f"SIM-{seed}-{scenario.name}-{number}"


def lives(scenario: Scenario, *, orders: int, seed: int, start: datetime) -> list[Life]:
    """So many lives of the scenario, each a minute after the one before.

    Raises IllegalMove where the scenario tells what the lifecycle does not allow.
    """
    return [
        _live(scenario, role, number=number, seed=seed, begins=start + number * APART)
        for number in range(orders)
        for role in scenario.roles
    ]


def _live(scenario: Scenario, role: Role, *, number: int, seed: int, begins: datetime) -> Life:
    first_key = order_key(seed, scenario, number + 1)
    key = first_key + role.suffix
    at = begins + role.begins
    content = _content(key, at=at)
    if role.ordered is not None:
        content = role.ordered(content, first_key)
    order = Order(
        account_id=ACCOUNT_ID,
        order_id=REAL_ORDER + ulid(seed, key, at=at),
        store=STORE_NAME,
        order_key=key,
        state=State.CREATED,
        state_at=at,
        sequence=1,
        created_at=at,
        updated_at=at,
        content=content,
    )
    steps = [Happening(at, None, order, _told_by_shop(order, EventType.CREATED, at=at))]
    for beat in role.beats:
        at += beat.after
        before = steps[-1].after
        if beat.revises is not None:
            steps.append(_revised(before, beat.revises(before.content, first_key), at=at))
        if beat.tells is not None:
            steps += _moved(before, beat.tells(before), at=at)
    return Life(tuple(steps))


def _revised(before: Order, content: OrderContent, *, at: datetime) -> Happening:
    after = msgspec.structs.replace(
        before, content=content, sequence=before.sequence + 1, updated_at=at
    )
    return Happening(at, before, after, _told_by_shop(after, EventType.UPDATED, at=at))


def _moved(before: Order, updates: Sequence[Update], *, at: datetime) -> Iterator[Happening]:
    for told in updates:
        update = msgspec.structs.replace(told, occurred_at=at)
        moved = move(before, update, now=at)
        if moved.verdict is Verdict.DUPLICATE:
            continue
        if moved.event is None:
            allowed = allowed_next(before.state)
            raise IllegalMove(moved.why, state=before.state, allowed=allowed)
        yield Happening(at, before, moved.order, moved.event, update)
        before = moved.order


def _told_by_shop(order: Order, event_type: EventType, *, at: datetime) -> OrderEvent:
    return OrderEvent(
        account_id=order.account_id,
        order_id=order.order_id,
        sequence=order.sequence,
        type=event_type,
        state=order.state,
        previous_state=None if event_type is EventType.CREATED else order.state,
        reason=order.reason,
        source=SHOP,
        occurred_at=at,
        received_at=at,
    )


def _content(key: str, *, at: datetime) -> OrderContent:
    """What is ordered in every rehearsal: two lines, and nobody's address."""
    return OrderContent(
        order_number=f"#{key}",
        ordered_at=at,
        currency="EUR",
        customer_email="ada@example.com",
        ship_to=Address(
            name="Ada Example",
            street1="1 Sample Street",
            city="Utrecht",
            zip="3511 AA",
            country_code="NL",
        ),
        lines=(
            Line("SCALE-1", 1, line_key="1", name="Scale", price=Decimal("99.95")),
            Line("BAND-2", 2, line_key="2", name="Band", price=Decimal("14.50")),
        ),
        shipping_paid=Decimal("4.95"),
        tax_paid=Decimal("18.20"),
        requested_shipping_service="standard",
    )
