"""Orders as many different shops send them, all made up, and the notifications of their steps.

What the compression's dictionary is trained on: the same from the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import msgspec

from milepost.contracts import ROOMS, Notice
from milepost.contracts.contract import read_as
from milepost.orders.events import EventType, OrderEvent
from milepost.orders.lifecycle import CARRIER, State
from milepost.orders.model import (
    Address,
    Component,
    Line,
    Order,
    OrderContent,
    Pair,
    Parcel,
    Reference,
    Store,
)

_FIRST = [
    "Ada",
    "Ben",
    "Chloé",
    "Dimitri",
    "Elena",
    "Farid",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Kofi",
    "Lucía",
    "Mei",
    "Noah",
    "Olga",
]
_LAST = [
    "Abe",
    "Brandt",
    "Costa",
    "Diaz",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ito",
    "Jones",
    "Kim",
    "Lopez",
    "Moreau",
]
_STREETS = ["Main", "Oak", "Station", "Market", "Church", "Park", "Mill", "High", "River", "Hill"]
_CITIES = (
    ("Boston", "MA", "02110", "US"), ("Austin", "TX", "73301", "US"), ("Reno", "NV", "89501", "US"),
    ("Toronto", "ON", "M5H 2N2", "CA"), ("Lyon", None, "69002", "FR"), ("Leeds", None, "LS1", "GB"),
    ("München", "BY", "80331", "DE"), ("Utrecht", None, "3511", "NL"), ("Osaka", None, "530", "JP"),
)  # fmt: skip
_THINGS = [
    "shirt",
    "mug",
    "lamp",
    "chair",
    "bottle",
    "poster",
    "notebook",
    "scarf",
    "candle",
    "backpack",
    "tea",
    "soap",
]
_KINDS = [
    "black",
    "white",
    "small",
    "large",
    "organic",
    "classic",
    "wool",
    "blue",
    "travel",
    "gift",
    "XL",
    "set",
    "of",
    "2",
]
_SHIPPING = ("Standard", "Express", "Ground", "2-Day", "Priority Mail", "Economy", "DHL Paket")
_CARRIERS = ("UPS", "FedEx", "USPS", "DHL", "DPD", "GLS", "Canada Post", "Royal Mail")
_CHANNELS = ("shopify", "amazon", "etsy", "web", "pos", "b2b", "ebay")
_MAKES = {
    "standard": b"{}",
    "shipmonk": b"{}",
    "withings": b'{"customer_id": "billing-1"}',
}
_START = datetime(2026, 1, 1, tzinfo=UTC)


def _address(chance: Random) -> Address:
    city, state, code, country = chance.choice(_CITIES)
    name = f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"
    return Address(
        name=name,
        company=chance.choice((None, None, f"{chance.choice(_LAST)} Inc.")),
        street1=f"{chance.randint(1, 999)} {chance.choice(_STREETS)} Street",
        street2=chance.choice((None, f"Apt {chance.randint(1, 60)}")),
        city=city,
        state=state,
        zip=code,
        country_code=country,
        phone=chance.choice((None, f"+1{chance.randint(2_000_000_000, 9_999_999_999)}")),
        email=f"{name.split(maxsplit=1)[0].lower()}{chance.randint(1, 99)}@mail.example",
        residential=chance.choice((None, True, False)),
    )


def _line(chance: Random, number: int) -> Line:
    thing = chance.choice(_THINGS)
    kind = " ".join(chance.sample(_KINDS, chance.randint(1, 3)))
    sku = f"{thing[:3].upper()}{chance.randint(100, 99_999)}"
    return Line(
        sku=sku,
        quantity=chance.randint(1, 4),
        line_key=chance.choice((None, str(number), str(chance.getrandbits(40)))),
        name=f"{thing.title()}, {kind}",
        price=Decimal(chance.randint(199, 29_999)) / 100,
        image_url=chance.choice((None, f"https://cdn.shop.example/p/{sku.lower()}.jpg")),
        components=(Component(sku=f"{sku}-1"),) if chance.random() < 0.3 else (),
    )


def _content(chance: Random, *, number: int) -> OrderContent:
    address = _address(chance)
    return OrderContent(
        order_number=chance.choice((None, f"#{number}", str(number))),
        ordered_at=_START + timedelta(seconds=chance.randint(0, 30_000_000)),
        currency=chance.choice(("USD", "USD", "EUR", "GBP", "CAD", None)),
        customer_email=address.email,
        customer_notes=chance.choice((None, None, "Please ring the bell.", "Leave at the door.")),
        ship_to=address,
        lines=tuple(_line(chance, i) for i in range(chance.randint(1, 8))),
        requested_shipping_service=chance.choice(_SHIPPING),
        shipping_paid=Decimal(chance.randint(0, 2_500)) / 100,
        tax_paid=chance.choice((None, Decimal(chance.randint(0, 4_000)) / 100)),
        references=(Reference("po_number", f"PO-{number}"),) if chance.random() < 0.2 else (),
        attributes=(Pair("channel", chance.choice(_CHANNELS)),) if chance.random() < 0.5 else (),
        custom_data=(Pair("campaign", "spring"),) if chance.random() < 0.2 else (),
        gift_message=chance.choice((None, None, None, "Happy birthday!")),
    )


def _parcel(chance: Random, state: State, *, at: datetime) -> Parcel:
    number = f"1Z{chance.randrange(10**16):016d}"
    return Parcel(
        parcel="1",
        state=state,
        state_at=at,
        carrier=chance.choice(_CARRIERS),
        carrier_service=chance.choice((None, *_SHIPPING)),
        tracking_number=number,
        tracking_url=chance.choice((None, f"https://track.example/{number}")),
        created_at=at,
    )


def _order(chance: Random) -> Order:
    number = chance.randint(1_000, 9_999_999)
    content = _content(chance, number=number)
    state = chance.choice((State.CREATED, *State))
    at = (content.ordered_at or _START) + timedelta(seconds=chance.randint(1, 500_000))
    return Order(
        account_id="acc_1",
        order_id=f"ord_{chance.getrandbits(125):026x}",
        store="main",
        order_key=chance.choice((f"B{number}", str(chance.getrandbits(42)))),
        state=state,
        state_at=at,
        sequence=1 if state is State.CREATED else chance.randint(2, 12),
        created_at=at,
        updated_at=at + timedelta(microseconds=chance.randint(0, 10**9)),
        content=content,
        previous_state=None if state is State.CREATED else chance.choice(tuple(State)),
        shipped_at=at if state in CARRIER else None,
        parcels=(_parcel(chance, state, at=at),) if state in CARRIER else (),
    )


def orders(seed: int) -> Iterator[Order]:
    """Orders without end, in every state."""
    chance = Random(seed)
    while True:
        yield _order(chance)


def notifications(order: Order) -> Iterator[bytes]:
    """What each contract sends of this order."""
    event = OrderEvent(
        account_id=order.account_id,
        order_id=order.order_id,
        sequence=order.sequence,
        type=EventType.CREATED if order.sequence == 1 else EventType.STATE_CHANGED,
        state=order.state,
        previous_state=order.previous_state,
        source="api",
        occurred_at=order.state_at,
        received_at=order.updated_at,
    )
    store = Store(order.account_id, order.store, 1, "Main store", _START)
    for name, options in _MAKES.items():
        room = ROOMS[name]
        others = {n: r.words(order) for n, r in ROOMS.items() if n != name}
        notice = Notice(order, event, store, others if room.shows_others else {})
        yield room.body(notice, read_as(room.options, options)).content


def content_of(order: Order) -> bytes:
    """What is stored of what was ordered."""
    return msgspec.json.encode(order.content)
