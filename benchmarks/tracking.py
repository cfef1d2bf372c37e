"""What it costs to keep many parcels on their schedules: `python -m benchmarks.tracking`.

A real hub's tracker on an SQLite file with so many parcels that are on their way, their questions
spread evenly as they are after a while. Processor time is that of the whole process: asking, what
is new for intake, and the database's own threads. The carrier is another process that answers HTTP
with JSON, or the simulator within the hub.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httptools
import msgspec
import uvloop

from benchmarks.machine import machine
from milepost.carrier_sources import SourceInput
from milepost.orders.events import EventType, OrderEvent
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, OrderContent, Parcel
from milepost.orders.tracking import Tracking, pace_at
from milepost.ports import Account, Changes, Lease, OrderRef, Snapshot
from milepost.ports.tracking import Looked
from milepost.settings import Settings
from milepost.wiring import Hub, build

ACCOUNT = "acc_bench"
AT_ONCE = 1_000
AGES: dict[str, tuple[float, float]] = {"young": (0.0, 2.9), "mixed": (0.0, 30.0)}
"""From how many days to how many the parcels are old: all of them in the fastest part of the
schedule, or evenly spread over a month."""

CONFIG = {
    "statuses": {"PU": "info_received", "IT": "in_transit", "OD": "out_for_delivery"},
    "scans": "/shipments/*/events",
    "status": "/code",
    "time": "/at",
    "scan_id": "/id",
    "at_once": 64,
    "per_minute": None,
}


# --- the carrier ----------------------------------------------------------------------------------


class _Carrier(asyncio.Protocol):
    """Answers every question with the same story of eight scans."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(self._answer)  # type: ignore[attr-defined]


def _carrier(control: Connection, began: datetime) -> None:
    scans = [
        {
            "id": number,
            "code": "PU" if number == 0 else "IT",
            "at": (began - timedelta(days=40) + timedelta(hours=number)).isoformat(),
            "place": "Sorting center",
        }
        for number in range(8)
    ]
    body = msgspec.json.encode({"shipments": [{"events": scans}]})
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    answer = head.encode() + body

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Carrier(answer), "127.0.0.1", 0)
        control.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, control.recv)

    uvloop.run(serve())


# --- the parcels ----------------------------------------------------------------------------------


async def fill(hub: Hub, *, parcels: int, ages: tuple[float, float], now: datetime) -> float:
    """Makes the parcels, each due within its pace from now; how many are due in a second."""
    rate = 0.0
    for start in range(0, parcels, AT_ONCE):
        orders, looked = [], []
        for number in range(start, min(start + AT_ONCE, parcels)):
            share = number / parcels
            age = timedelta(days=ages[0] + (ages[1] - ages[0]) * share)
            order = _order(number, made_at=now - age, now=now)
            orders.append(order)
            pace = pace_at(age)
            rate += 1 / pace.total_seconds()
            # A fraction that does not go along with the age.
            due_at = now + pace * (number * 0.618_033_988_749_895 % 1)
            looked.append((order.order_id, now - age, due_at))
        await _put(hub, orders, now=now)
        await _spread(hub, looked, now=now)
    return rate


def _order(number: int, *, made_at: datetime, now: datetime) -> Order:
    parcel = Parcel(
        "1",
        state=State.IN_TRANSIT,
        # The story that the carrier tells has happened before: there is nothing new in it.
        state_at=now - timedelta(minutes=1),
        carrier="Acme",
        tracking_number=f"1Z{number:010}",
        created_at=made_at,
    )
    return Order(
        account_id=ACCOUNT,
        order_id=f"ord_{number:026}",
        store="main",
        order_key=f"K{number}",
        state=State.IN_TRANSIT,
        state_at=now,
        sequence=1,
        created_at=made_at,
        updated_at=now,
        content=OrderContent(order_number=f"N{number}"),
        previous_state=State.SHIPPED,
        shipped_at=made_at,
        parcels=(parcel,),
    )


async def _put(hub: Hub, orders: list[Order], *, now: datetime) -> None:
    events = [
        OrderEvent(
            account_id=ACCOUNT,
            order_id=order.order_id,
            sequence=1,
            type=EventType.CREATED,
            state=order.state,
            previous_state=None,
            source="bench",
            occurred_at=now,
            received_at=now,
        )
        for order in orders
    ]

    def decide(_: Snapshot) -> Changes:
        return Changes(created=orders, events=events)

    refs = [OrderRef(ACCOUNT, store="main", order_key=o.order_key) for o in orders]
    await hub.store.change_orders(refs, decide=decide, lease=Lease("bench", now), now=now)


async def _spread(hub: Hub, wanted: list[tuple[str, datetime, datetime]], *, now: datetime) -> None:
    """Claims the parcels, which are due since they were made, and settles them at their times."""
    until = now + timedelta(hours=1)
    times = {order_id: due_at for order_id, _, due_at in wanted}
    claimed = await hub.store.claim_trackings(
        {ACCOUNT: len(wanted)}, lease=Lease("bench", until), now=now
    )
    looked = [Looked(w.tracking, _due(w.tracking, times)) for w in claimed]
    assert await hub.store.settle_trackings(looked, owner="bench") == len(wanted)


def _due(tracking: Tracking, times: dict[str, datetime]) -> Tracking:
    return msgspec.structs.replace(tracking, due_at=times[tracking.order_id], asks=1)


# --- measuring ------------------------------------------------------------------------------------


async def measure(folder: Path, given: argparse.Namespace, *, port: int) -> dict[str, Any]:
    settings = Settings(
        database_url=f"sqlite:///{folder / 'tracking.db'}",
        allow_private_networks=True,
        log_level="error",
    )
    hub = build(settings)
    await hub.open(dispatch=False)
    try:
        now = datetime.now(UTC)
        await hub.store.add_account(Account(ACCOUNT, "bench", now))
        await hub.store.put_store(ACCOUNT, "main", name="Main", number=None, now=now)
        await hub.tracking.sources.put(ACCOUNT, "acme", _source(port))
        _say(f"{given.parcels} parcels are being made …")
        rate = await fill(hub, parcels=given.parcels, ages=AGES[given.ages], now=now)
        steady = await _steadily(hub, seconds=given.seconds)
        return {
            "parcels": given.parcels,
            "ages": given.ages,
            "carrier": "http" if port else "simulator",
            "due_per_s": round(rate, 2),
            **steady,
            "overdue": await _overdue(hub),
        }
    finally:
        await hub.close()


def _source(port: int) -> SourceInput:
    if not port:
        return SourceInput("simulator")
    config = {**CONFIG, "url": f"http://127.0.0.1:{port}/track/{{tracking_number}}"}
    return SourceInput("http", config=msgspec.Raw(msgspec.json.encode(config)))


async def _steadily(hub: Hub, *, seconds: float) -> dict[str, float]:
    """Lets the tracker run by the clock for so long; the first seconds do not count."""
    hub.tracking.tracker.start()
    await asyncio.sleep(3)
    asks, cpu, wall = _asked(hub), time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    asked = _asked(hub) - asks
    used, took = time.process_time() - cpu, time.perf_counter() - wall
    await hub.tracking.tracker.stop(within_s=5)
    return {
        "seconds": round(took, 1),
        "asked_per_s": round(asked / took, 2),
        "cpu_us_per_question": round(used / max(asked, 1) * 1e6, 1),
        "cores": round(used / took, 4),
    }


async def _overdue(hub: Hub) -> int:
    """How many parcels should have been asked for more than two seconds ago and were not."""
    now = datetime.now(UTC) - timedelta(seconds=2)
    lease = Lease("bench", now + timedelta(hours=1))
    return len(await hub.store.claim_trackings({ACCOUNT: 1_000_000}, lease=lease, now=now))


def _asked(hub: Hub) -> int:
    return sum(number for _, number in hub.metrics.carrier_asks.counts())


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def main() -> None:
    """Measures as it is asked to, and prints what it found."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.tracking")
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--ages", choices=AGES, default="young")
    parser.add_argument("--carrier", choices=("http", "simulator"), default="http")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_carrier, args=(there, datetime.now(UTC)), daemon=True
    )
    port = 0
    if given.carrier == "http":
        process.start()
        port = here.recv()
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = uvloop.run(measure(Path(folder), given, port=port))
    finally:
        if port:
            here.send("stop")
            process.join(5)
    if given.json:
        print(json.dumps({**found, "machine": machine()}))
    else:
        for name, value in found.items():
            print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
