"""What the hub sends, made by its own contract rooms and signed as it signs."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from milepost.contracts import ROOMS, Notice, read_as, sample
from milepost.delivery.model import Claimed, Endpoint
from milepost.delivery.signature import common_headers
from milepost.orders.model import Store
from tests.sdk.senders import ENDPOINT_ID, NOW, OLD_SECRET, SECRET

AT = datetime.fromtimestamp(NOW, UTC)
CREDENTIALS = b'{"username":"hub","password":"pass:word","signature_secret":"shared"}'
OPTIONS = {
    "standard": b"{}",
    "withings": b'{"customer_id":"4711","order_id":true}',
    "withings form": b'{"customer_id":"4711","order_id":true,"profile":"form"}',
    "shipmonk": b"{}",
}

Sent = tuple[tuple[tuple[str, str], ...], bytes]
"""Headers and body."""


def sent(
    contract: str,
    *,
    order_id: str = "tst_01jgw3v0c8c7k5m8r2x4n6p9qa",
    sequence: int = 1,
    replay: int = 0,
    attempts: int = 2,
    at: int = NOW,
    secrets: tuple[str, ...] = (OLD_SECRET, SECRET),
    options: bytes = b"{}",
    credentials: bytes = b"{}",
) -> Sent:
    """The headers and the body of a test notification, signed at `at`."""
    room = ROOMS[contract]
    store = Store(account_id="acc_a", store="main", number=77, name="Main shop", created_at=AT)
    order, event = sample(store, now=AT, order_id=order_id)
    event = msgspec.structs.replace(event, sequence=sequence)
    others = {name: other.words(order) for name, other in ROOMS.items() if name != contract}
    notice = Notice(order=order, event=event, store=store, others=others)
    body = room.body(notice, read_as(room.options, options))
    claimed = Claimed(
        endpoint=Endpoint(
            account_id="acc_a",
            endpoint_id=ENDPOINT_ID,
            contract=contract,
            url="https://receiver.example/",
            schedule=room.schedules[0].name,
            created_at=AT,
            updated_at=AT,
            options=options,
            credentials=credentials,
            secrets=secrets,
        ),
        order_id=order_id,
        sequence=sequence,
        previous=sequence - 1,
        attempts=attempts,
        tries=attempts,
        replay=replay,
        body=body,
    )
    headers = common_headers(claimed, timestamp=at, user_agent="Milepost/0")
    return (*headers, *room.headers(claimed)), body.content
