"""Which deliveries a resend chooses, a part at a time, from wherever it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from typing import NamedTuple, assert_never

from milepost.delivery.model import ENDPOINT_TEST, Delivery, DeliveryState
from milepost.errors import InvalidInput
from milepost.ports.resends import (
    LAST_SEQUENCE,
    Advance,
    Between,
    Choice,
    Considered,
    Failed,
    Latest,
    OfOrder,
    OrderChange,
    Place,
    Resend,
    ResendStore,
)

LOOKED_AT = 5
"""For each delivery of a part, how many others, or orders, are looked at: most may not be meant."""

ORDERS_AT_ONCE = 50
CLOCKS_DIFFER_BY = timedelta(minutes=5)
"""How much younger than a resend orders must be to say that those after them are too: ids are in
the order in which they were made only as far as the processes' clocks agree."""


class Part(NamedTuple):
    """What was chosen of what was looked at, and where the next part begins.

    `pending` were chosen but are on their way already.
    """

    chosen: Sequence[Delivery]
    pending: int
    examined: int
    place: Place
    ends: bool


def check_choice(choice: Choice) -> None:
    """Raises InvalidInput for a span that ends before it begins."""
    match choice:
        case Between(since, until):
            if until < since:
                raise InvalidInput(field="until", expected="a time that is not before `since`")
        case OfOrder(_, first, last):
            if not 1 <= first <= LAST_SEQUENCE:
                raise InvalidInput(field="first", expected="a sequence, from 1 on")
            if not first <= last <= LAST_SEQUENCE:
                raise InvalidInput(field="last", expected="a sequence that is not before `first`")
        case Failed() | Latest():
            return
        case _:
            assert_never(choice)


async def next_part(store: ResendStore, resend: Resend, *, most: int) -> Part:
    """The next part of a resend, of at most so many deliveries, as what is on record is now."""
    pick = _Pick(resend, most=most)
    match resend.choice:
        case Failed():
            return await _of_failed(store, resend, pick)
        case OfOrder() as choice:
            return await _of_one_order(store, resend, choice, pick)
        case Between() | Latest() as choice:
            return await _of_changed_orders(store, resend, choice, pick)
        case _:
            assert_never(resend.choice)


async def glance(store: ResendStore, resend: Resend, *, most: int) -> Part:
    """What a resend that has not begun would choose of so many deliveries, or orders, at most.

    It chooses as `next_part` does and reads at most twice, by time instead of through all orders.
    The chosen come oldest first; the part `ends` when there are no more to look at.
    """
    names = (resend.account_id, resend.endpoint_id)
    pick = _Pick(resend, most=most)
    match resend.choice:
        case OfOrder() as choice:
            return await _of_one_order(store, resend, choice, pick)
        case Failed():
            given_up = await store.failed_last(*names, limit=most + 1)
            pick.take(_whole(given_up[:most]))
            seen = len(given_up)
        case Between(since, until):
            queued = await store.queued_between(*names, since=since, until=until, limit=most + 1)
            among = [one for one in queued[:most] if one.order and _may_hold(resend, one.order)]
            pick.take(_whole(among))
            seen = len(queued)
        case Latest(since):
            orders = await store.orders_changed_since(names[0], since=since, limit=most + 1)
            wanted = [order.order_id for order in orders[:most] if _may_hold(resend, order)]
            pick.take(await store.told_of(*names, wanted, newest=True))
            seen = len(orders)
        case _:
            assert_never(resend.choice)
    chosen = sorted(pick.chosen, key=lambda d: (d.created_at, d.order_id, d.sequence))
    return Part(chosen, pick.pending, min(seen, most), resend.place, ends=seen <= most)


def _whole(considered: Sequence[Considered]) -> list[Delivery]:
    return [one.delivery for one in considered if one.has_body]


def advance_of(resend: Resend, part: Part) -> Advance:
    """The part as the store queues it."""
    return Advance(
        chosen=[(delivery.order_id, delivery.sequence) for delivery in part.chosen],
        newest=isinstance(resend.choice, Latest),
        examined=part.examined,
        place=part.place,
        ends=part.ends,
    )


class _Pick:
    """Goes through deliveries in their order until a part is full."""

    def __init__(self, resend: Resend, *, most: int) -> None:
        self._resend = resend
        self._most = most
        self.looks_at = most * LOOKED_AT
        self.chosen: list[Delivery] = []
        self.pending = 0
        self.looked_at = 0
        self.last: Delivery | None = None

    @property
    def full(self) -> bool:
        return len(self.chosen) >= self._most

    def take(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if self.full:
                return
            self.last = delivery
            self.looked_at += 1
            if _is_meant(self._resend.choice, delivery):
                if delivery.state is DeliveryState.PENDING:
                    self.pending += 1
                elif _was_settled(self._resend, delivery):
                    self.chosen.append(delivery)


def _is_meant(choice: Choice, delivery: Delivery) -> bool:
    # What was superseded had a later one to replace it: only Latest may come upon it.
    sent = delivery.state is not DeliveryState.SUPERSEDED
    match choice:
        case Failed(since):
            settled_at = delivery.settled_at
            is_test = delivery.order_id.startswith(ENDPOINT_TEST)
            return settled_at is not None and settled_at >= since and not is_test
        case Between(since, until):
            return sent and since <= delivery.created_at <= until
        case OfOrder(_, first, last):
            return sent and first <= delivery.sequence <= last
        case Latest():
            return True
        case _:
            assert_never(choice)


def _may_hold(resend: Resend, order: OrderChange) -> bool:
    """Whether a span can have anything of an order: what is queued of it is a change of it."""
    match resend.choice:
        case Between(since) | Latest(since):
            return order.updated_at >= since and order.created_at <= resend.asked_at
        case Failed() | OfOrder():
            return True
        case _:
            assert_never(resend.choice)


def _was_settled(resend: Resend, delivery: Delivery) -> bool:
    """Whether it was settled before the resend was asked for: what came later is no news."""
    return delivery.settled_at is not None and delivery.settled_at <= resend.asked_at


async def _of_failed(store: ResendStore, resend: Resend, pick: _Pick) -> Part:
    found = await store.failed(
        resend.account_id, resend.endpoint_id, after=resend.place, limit=pick.looks_at
    )
    pick.take(found)
    last = pick.last
    place = resend.place if last is None else Place(last.order_id, last.sequence, last.created_at)
    ends = pick.looked_at == len(found) < pick.looks_at
    return Part(pick.chosen, pick.pending, pick.looked_at, place, ends)


async def _of_one_order(store: ResendStore, resend: Resend, choice: OfOrder, pick: _Pick) -> Part:
    found = await store.told_of(
        resend.account_id, resend.endpoint_id, [choice.order_id], newest=False
    )
    left = [d for d in found if d.sequence > resend.place.sequence]
    pick.take(left)
    place = resend.place if pick.last is None else Place(choice.order_id, pick.last.sequence)
    return Part(pick.chosen, pick.pending, pick.looked_at, place, pick.looked_at == len(left))


async def _of_changed_orders(
    store: ResendStore, resend: Resend, choice: Between | Latest, pick: _Pick
) -> Part:
    """Walks through all orders by their ids; most are passed by without a look at deliveries."""
    begun = resend.place
    orders = await store.changed_orders(
        resend.account_id, after=begun.order_id, limit=pick.looks_at
    )
    wanted = [order.order_id for order in orders if _may_hold(resend, order)]
    # An order that filled the last part may have more.
    names = list(chain([begun.order_id] if begun.sequence else [], wanted))
    newest = isinstance(choice, Latest)
    for start in range(0, len(names), ORDERS_AT_ONCE):
        found = await store.told_of(
            resend.account_id,
            resend.endpoint_id,
            names[start : start + ORDERS_AT_ONCE],
            newest=newest,
        )
        pick.take([d for d in found if _is_after(d, begun)])
        if pick.full and pick.last is not None:
            place = Place(pick.last.order_id, 0 if newest else pick.last.sequence)
            examined = sum(order.order_id <= place.order_id for order in orders)
            return Part(pick.chosen, pick.pending, examined, place, ends=False)
    place = Place(orders[-1].order_id if orders else begun.order_id)
    ends = len(orders) < pick.looks_at or not any(
        order.created_at <= resend.asked_at + CLOCKS_DIFFER_BY for order in orders
    )
    return Part(pick.chosen, pick.pending, len(orders), place, ends)


def _is_after(delivery: Delivery, place: Place) -> bool:
    return (delivery.order_id, delivery.sequence) > (place.order_id, place.sequence)
