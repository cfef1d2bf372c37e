"""Telling from the sequence numbers whether notifications of an order are missing."""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum
from threading import Lock

from milepost_receiver.errors import ConfigurationInvalid
from milepost_receiver.notification import Notification

CAPACITY = 100_000


class Arrival(StrEnum):
    """How a notification stands to what was known of its order before it.

    `gap`: it is newer, and at least one between is missing. `unnumbered`: its sender gives no
    sequence, as the providers themselves do not.
    """

    IN_ORDER = "in_order"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    GAP = "gap"
    UNNUMBERED = "unnumbered"


def compare(last_sequence: int | None, notification: Notification) -> Arrival:
    """How it stands to the last sequence known of its order; None or 0 when none is."""
    last = last_sequence or 0
    if notification.sequence is None or notification.previous is None:
        return Arrival.UNNUMBERED
    if notification.sequence == last:
        return Arrival.DUPLICATE
    if notification.sequence < last:
        return Arrival.OUT_OF_ORDER
    # Older than the last known is fine too: another endpoint, or a read of the order, was ahead.
    return Arrival.IN_ORDER if notification.previous <= last else Arrival.GAP


class Gaps:
    """The last sequence of each order, for one endpoint, in memory.

    After `capacity` orders the one not heard of for longest is forgotten; its next notification
    then looks like a gap, as all do after a restart. Where that matters, keep the last sequence
    beside your order and use `compare`.
    """

    __slots__ = ("_capacity", "_last", "_lock")

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        if not capacity > 0:
            raise ConfigurationInvalid("capacity", expected="a positive number")
        self._capacity = capacity
        self._last: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._last)

    def last_sequence(self, order_id: str) -> int | None:
        """The highest sequence that was checked of this order."""
        return self._last.get(order_id)

    def check(self, notification: Notification) -> Arrival:
        """How the notification stands to those checked before it, which it then is one of."""
        order_id, sequence = notification.order_id, notification.sequence
        if order_id is None or sequence is None:
            return Arrival.UNNUMBERED
        with self._lock:
            last = self._last.get(order_id)
            self._last[order_id] = max(sequence, last or 0)
            self._last.move_to_end(order_id)
            if len(self._last) > self._capacity:
                self._last.popitem(last=False)
        return compare(last, notification)
