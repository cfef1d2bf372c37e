"""The two limits of the same run: sending alone, and storing alone, with the same orders."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import uvloop

from benchmarks.orders import order_json
from benchmarks.receiver import Receiver
from milepost.contracts import ROOMS
from milepost.contracts.fanout import fan_out
from milepost.delivery.model import Attempt, Endpoint, Outcome, Reply, Request
from milepost.delivery.outcome import Acknowledge
from milepost.delivery.signature import new_secret, sign
from milepost.net.guard import Guard
from milepost.net.sender import Sender
from milepost.orders.events import EventType, OrderEvent
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, OrderContent
from milepost.orders.model import Store as StoreRecord
from milepost.ports import Account, Changes, Lease, OrderRef, Settlement, Snapshot
from milepost.store.sqlite import SqliteStore
from milepost.wiring import Ulids

_AT_ONCE = 64
_BATCH = 100
_SECRET = new_secret(bytes(32))


class _Order(OrderContent, frozen=True):
    store: str = ""
    order_key: str = ""


def send_alone(*, seconds: float) -> float:
    """Signed POSTs a second of a body of the usual size, on kept connections, nothing stored."""
    receiver = Receiver()
    try:
        return uvloop.run(_send_alone(receiver.url, seconds=seconds))
    finally:
        receiver.stop()


async def _send_alone(url: str, *, seconds: float) -> float:
    sender = Sender(guard=Guard(allow_networks=(), allow_private=True), connections=_AT_ONCE)
    body = order_json(1)
    loop = asyncio.get_running_loop()
    finished = loop.create_future()
    began = time.monotonic()
    until = began + seconds
    done = waiting = 0

    def post() -> None:
        nonlocal waiting
        waiting += 1
        stamp = int(time.time())
        name = f"ord_{done:026d}-1-ep_limit"
        headers = (
            ("content-type", "application/json"),
            ("webhook-id", name),
            ("webhook-timestamp", str(stamp)),
            ("webhook-signature", sign((_SECRET,), delivery_id=name, timestamp=stamp, body=body)),
        )
        sender.post(Request(url, headers, body, 10.0), replied)

    def replied(reply: Reply) -> None:
        nonlocal done, waiting
        waiting -= 1
        if reply.status != 204:
            raise RuntimeError(f"the receiver answered {reply.status} {reply.detail}")
        done += 1
        if time.monotonic() < until:
            post()
        elif not waiting:
            finished.set_result(None)

    for _ in range(_AT_ONCE):
        post()
    await finished
    rate = done / (time.monotonic() - began)
    await sender.close()
    return rate


def store_alone(folder: Path, *, seconds: float) -> float:
    """Events a second accepted and settled in batches of 100, nothing decoded, decided or sent."""
    return uvloop.run(_store_alone(folder, seconds=seconds))


async def _store_alone(folder: Path, *, seconds: float) -> float:
    store = SqliteStore(str(folder / "limit.db"))
    await store.open()
    now = datetime.now(UTC)
    await store.add_account(Account("acc_limit", "limit", now))
    record = await store.put_store("acc_limit", "main", name="main", number=None, now=now)
    endpoint = Endpoint(
        account_id="acc_limit",
        endpoint_id="ep_limit",
        contract="shipmonk",
        url="http://127.0.0.1:1/",
        schedule="rehearsal",
        created_at=now,
        updated_at=now,
        secrets=(_SECRET,),
    )
    await store.put_endpoint(endpoint)
    await store.take_dispatch()
    lease = Lease("limit", now + timedelta(hours=1))
    batches = _prepared(record, endpoint, now=now, count=int(seconds * 150))
    began = time.monotonic()
    done = 0
    for refs, changes in batches:
        claimed = await store.change_orders(refs, decide=_gives(changes), lease=lease, now=now)
        attempt = Attempt(1, 0, now, 1.0, Outcome.ACKNOWLEDGED, 204)
        settled = [Settlement(c, attempt, Acknowledge()) for c in claimed]
        await store.settle(settled, lease=lease, now=now)
        done += len(claimed)
        if time.monotonic() - began > seconds:
            break
    rate = done / (time.monotonic() - began)
    await store.close()
    return rate


def _gives(changes: Changes) -> Callable[[Snapshot], Changes]:
    return lambda _snapshot: changes


def _prepared(
    record: StoreRecord, endpoint: Endpoint, *, now: datetime, count: int
) -> list[tuple[Sequence[OrderRef], Changes]]:
    ulid = Ulids()
    made: list[tuple[Sequence[OrderRef], Changes]] = []
    for batch in range(count):
        orders = [_order(batch * _BATCH + i, ulid(), now=now) for i in range(_BATCH)]
        events = [_event(order, now=now) for order in orders]
        deliveries = [
            delivery
            for order, event in zip(orders, events, strict=True)
            for delivery in fan_out(
                event,
                before=None,
                after=order,
                store=record,
                endpoints=(endpoint,),
                rooms=ROOMS,
                lease=lambda _endpoint: True,
            )
        ]
        refs = [OrderRef("acc_limit", store="main", order_key=o.order_key) for o in orders]
        made.append((refs, Changes(created=orders, events=events, deliveries=deliveries)))
    return made


def _order(number: int, ulid: str, *, now: datetime) -> Order:
    told = msgspec.json.decode(order_json(number), type=_Order)
    content = OrderContent(**{name: getattr(told, name) for name in OrderContent.__struct_fields__})
    return Order(
        account_id="acc_limit",
        order_id=f"ord_{ulid}",
        store="main",
        order_key=told.order_key,
        state=State.CREATED,
        state_at=now,
        sequence=1,
        created_at=now,
        updated_at=now,
        content=content,
    )


def _event(order: Order, *, now: datetime) -> OrderEvent:
    return OrderEvent(
        account_id=order.account_id,
        order_id=order.order_id,
        sequence=1,
        type=EventType.CREATED,
        state=order.state,
        previous_state=None,
        source="bench",
        occurred_at=now,
        received_at=now,
    )
