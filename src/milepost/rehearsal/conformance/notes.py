"""Notifications to check a receiver with: any state of an order that never was; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, product
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from milepost.contracts import ROOMS, Contract, Notice, read_as
from milepost.delivery.model import Body, Claimed, Endpoint
from milepost.orders.events import EventType, OrderEvent
from milepost.orders.lifecycle import CARRIER, REASONS, Reason, State
from milepost.orders.model import (
    REAL_ORDER,
    Address,
    Line,
    Order,
    OrderContent,
    Parcel,
)
from milepost.rehearsal.chance import ulid
from milepost.rehearsal.lives import ACCOUNT_ID, STORE_NAME, store_of

S = State
UNKNOWN_WORD = "teleported"
STRANGE_FIELD = "milepost_conformance"
_STATUS_PATHS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "standard": ("data", "order", "state"),
        "shipmonk": ("processing_status",),
        "withings": ("parcel_status",),
    }
)
SIBLINGS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "shipment": {"order_key": "TEST-1", "parent_order_key": None, "packages": []},
        "return": {"rma": "TEST-1", "return_reason": None, "status": "in_progress"},
        "receiving": {"asn": "TEST-1", "status": "arrived"},
    }
)
"""ShipMonk's other events, as little of each as it is told by."""

MANY_PARCELS, MANY_LINES = 300, 500


@dataclass(frozen=True, slots=True)
class Note:
    """A notification, the order's key, its state, and the contract's word for it."""

    claimed: Claimed
    order_key: str
    state: State
    word: str

    @property
    def words(self) -> frozenset[str]:
        """How a receiver may call the state that this leaves the order in."""
        return frozenset((self.word.casefold(), self.state.value))


class Notes:
    """Makes notifications, each of an order of its own unless another one's is given."""

    def __init__(self, endpoint: Endpoint, *, seed: int, now: Callable[[], datetime]) -> None:
        self.endpoint = endpoint
        self.room: Contract = ROOMS[endpoint.contract]
        self._seed = seed
        self._now = now
        self._numbers = count(1)

    def fresh(
        self,
        state: State = S.IN_TRANSIT,
        *,
        before: State | None = S.SHIPPED,
        reason: Reason | None = None,
        of: Note | None = None,
        sequence: int = 1,
        previous: int = 0,
        big: bool = False,
    ) -> Note:
        """A notification of an order that came into this state from the one before."""
        key = f"TEST-{self._seed}-{next(self._numbers)}" if of is None else of.order_key
        order = self._order(key, state, before=before, reason=reason, sequence=sequence, big=big)
        body = self._body(order, before=before)
        claimed = Claimed(
            endpoint=self.endpoint,
            order_id=order.order_id,
            sequence=sequence,
            previous=previous,
            attempts=0,
            tries=0,
            replay=0,
            body=body,
        )
        return Note(claimed, key, state, self.room.status(order))

    def every_status(self) -> Iterator[Note]:
        """One notification for each word that the contract notifies with."""
        missing = set(self.room.sends)
        for state, before in product(S, (S.READY_TO_SHIP, S.IN_TRANSIT)):
            for reason in (None, *sorted(REASONS.get(state, ()))):
                note = self.fresh(state, before=before, reason=reason)
                if note.word in missing:
                    missing.remove(note.word)
                    yield note

    def changed(self, note: Note, change: Callable[[dict[str, Any]], None]) -> Note:
        """The same notification with its body changed, which is then signed as it is."""
        body = rewritten(note.claimed.body, change)
        claimed = msgspec.structs.replace(note.claimed, body=body)
        return Note(claimed, note.order_key, note.state, note.word)

    def of_unknown_status(self) -> Note:
        """A notification with a status that nobody has ever published."""
        *path, name = _STATUS_PATHS[self.room.name]

        def change(body: dict[str, Any]) -> None:
            for part in path:
                body = body[part]
            body[name] = UNKNOWN_WORD

        return self.changed(self.fresh(), change)

    def of_strange_fields(self) -> Note:
        """A notification with a field that no page describes."""

        def change(body: dict[str, Any]) -> None:
            body[STRANGE_FIELD] = {"nested": [1, {"deeper": None}]}

        return self.changed(self.fresh(), change)

    def of_another_event(self, kind: str) -> Note:
        """A sibling event of ShipMonk."""

        def change(body: dict[str, Any]) -> None:
            body.clear()
            body.update(SIBLINGS[kind])

        return self.changed(self.fresh(), change)

    def of_no_json(self) -> Note:
        """A notification that breaks off, and is signed as it is."""
        note = self.fresh()
        body = note.claimed.body
        broken = msgspec.structs.replace(body, content=b'{"broken":')
        claimed = msgspec.structs.replace(note.claimed, body=broken)
        return Note(claimed, note.order_key, note.state, note.word)

    def _order(
        self,
        key: str,
        state: State,
        *,
        before: State | None,
        reason: Reason | None,
        sequence: int,
        big: bool,
    ) -> Order:
        now = self._now()
        made = now - timedelta(days=2)
        at_carrier = state in CARRIER
        parcels = (
            Parcel(
                parcel=str(number),
                state=state if at_carrier else None,
                state_at=now if at_carrier else None,
                carrier="Test Carrier",
                carrier_service="Ground",
                tracking_number=f"TEST{key.replace('-', '')}{number}",
                tracking_url=f"https://example.com/track/{key}/{number}",
                created_at=now,
            )
            for number in range(1, MANY_PARCELS + 1 if big else 2)
        )
        return Order(
            account_id=ACCOUNT_ID,
            order_id=REAL_ORDER + ulid(self._seed, key, at=made),
            store=STORE_NAME,
            order_key=key,
            state=state,
            state_at=now,
            sequence=sequence,
            created_at=made,
            updated_at=now,
            content=_content(key, at=made, lines=MANY_LINES if big else 2),
            reason=reason,
            previous_state=before,
            shipped_at=now if at_carrier else None,
            parcels=tuple(parcels),
        )

    def _body(self, order: Order, *, before: State | None) -> Body:
        event = OrderEvent(
            account_id=order.account_id,
            order_id=order.order_id,
            sequence=order.sequence,
            type=EventType.STATE_CHANGED,
            state=order.state,
            previous_state=before,
            reason=order.reason,
            source="conformance",
            occurred_at=order.state_at,
            received_at=order.state_at,
        )
        others = {name: room.words(order) for name, room in ROOMS.items() if name != self.room.name}
        notice = Notice(order, event, store_of(order.created_at), others)
        return self.room.body(notice, read_as(self.room.options, self.endpoint.options))


def _content(key: str, *, at: datetime, lines: int) -> OrderContent:
    return OrderContent(
        order_number=f"#{key}",
        ordered_at=at,
        currency="EUR",
        customer_email="ada@example.com",
        ship_to=Address(
            name="Ada Example", street1="1 Sample Street", city="Utrecht", country_code="NL"
        ),
        lines=tuple(
            Line(f"TEST-{number}", 1, line_key=str(number), name="Test", price=Decimal("1.50"))
            for number in range(1, lines + 1)
        ),
    )


def rewritten(body: Body, change: Callable[[dict[str, Any]], None]) -> Body:
    """The body, a JSON object or a form, after this change; a form's new values become texts."""
    if body.content_type == "application/json":
        fields: dict[str, Any] = msgspec.json.decode(body.content)
        change(fields)
        return msgspec.structs.replace(body, content=msgspec.json.encode(fields))
    fields = dict(parse_qsl(body.content.decode()))
    change(fields)
    return msgspec.structs.replace(body, content=urlencode(fields).encode())
