"""Two hubs without a network between them: what one sends in a contract, the other takes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from milepost.contracts import INCOMING, ROOMS, Contract, Notice
from milepost.contracts.incoming import Message, Read
from milepost.delivery.signature import sign
from milepost.orders.events import Move, OrderEvent, Update, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, OrderContent, Store
from milepost.orders.move import move

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
BORN = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
STORE = Store("acc_1", "shop", 1, "Shop", BORN)
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "withings": {"customer_id": "42"},
    "shipmonk": {},
    "standard": {},
}
WORDS: Mapping[str, tuple[str, ...]] = {
    "withings": ("status", "parcel_status"),
    "shipmonk": ("processing_status", "order_status"),
    "standard": ("state", "reason"),
}
Words = tuple[str | None, ...]


def born(order_id: str = "ord_1") -> Order:
    """An order that has just been made."""
    return Order(
        account_id="acc_1",
        order_id=order_id,
        store="shop",
        order_key="K-1",
        state=State.CREATED,
        state_at=BORN,
        sequence=1,
        created_at=BORN,
        updated_at=BORN,
        content=OrderContent(),
    )


def reader(name: str, *, now: datetime = BORN, **credentials: Any) -> Read:
    """A reader of this room, with the secret of the tests unless others are given."""
    room = INCOMING[name]
    given = msgspec.convert(credentials or {"secrets": [SECRET]}, room.credentials)
    return room.reader(given, room.options(), now.timestamp)


def headers(body: bytes, *, order_id: str, sequence: int, now: datetime = BORN) -> dict[str, str]:
    """What a Milepost sends beside the body."""
    name = f"{order_id}-{sequence}-ep_1"
    stamp = int(now.timestamp())
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign((SECRET,), delivery_id=name, timestamp=stamp, body=body),
        "milepost-order": order_id,
        "milepost-sequence": str(sequence),
    }


@dataclass
class Hub:
    """A hub with one order, which tells what changes of it in one contract."""

    contract: Contract
    order: Order = field(default_factory=born)
    told: list[tuple[bytes, int]] = field(default_factory=list)
    refused: list[Move] = field(default_factory=list)

    def hear(self, update: Update, *, now: datetime) -> Move:
        before = self.order
        moved = move(before, update, now=now)
        self.order = moved.order
        if moved.event is None:
            if moved.verdict is not Verdict.DUPLICATE:
                self.refused.append(moved)
        elif self.contract.shown(before) != self.contract.shown(moved.order):
            self._tell(moved.event)
        return moved

    def take(self, message: Message, *, now: datetime, trusted: bool = True) -> list[Move]:
        return [
            self.hear(msgspec.structs.replace(update, source="hub", trusted=trusted), now=now)
            for update in message.updates
        ]

    def _tell(self, event: OrderEvent) -> None:
        if self.contract.status(self.order) not in self.contract.sends:
            return
        options = msgspec.convert(OPTIONS[self.contract.name], self.contract.options)
        body = self.contract.body(Notice(self.order, event, STORE), options)
        self.told.append((body.content, event.sequence))

    @property
    def words(self) -> list[Words]:
        """The words that were sent, once each as long as they stay the same."""
        said = [words_of(self.contract.name, body) for body, _ in self.told]
        return [words for words, last in zip(said, [None, *said], strict=False) if words != last]


def words_of(name: str, body: bytes) -> Words:
    told = msgspec.json.decode(body)
    told = told["data"]["order"] if name == "standard" else told
    return tuple(told.get(field) for field in WORDS[name])


def relay(name: str, updates: Iterable[Update], *, clock: Iterable[datetime]) -> tuple[Hub, Hub]:
    """What a first hub hears, told to a second: both as they then stand."""
    first, second = Hub(ROOMS[name]), Hub(ROOMS[name], born("ord_2"))
    read = reader(name)
    for update, now in zip(updates, clock, strict=False):
        sent = len(first.told)
        first.hear(update, now=now)
        for body, sequence in first.told[sent:]:
            message = read(headers(body, order_id="ord_1", sequence=sequence), body)
            second.take(message, now=now)
    return first, second
