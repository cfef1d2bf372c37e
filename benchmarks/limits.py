"""The two limits of the same run: sending alone, and storing alone, with the same orders.

Each is measured with as many processes as the hub has, because that is what it could use.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta

import uvloop

from benchmarks.orders import MAIN, order_json
from benchmarks.receiver import Receiver
from benchmarks.storing import Orders, at_store, gives
from milepost.delivery.model import Attempt, Endpoint, Outcome, Reply, Request
from milepost.delivery.outcome import Acknowledge
from milepost.delivery.signature import new_secret, sign
from milepost.net.guard import Guard
from milepost.net.sender import Sender
from milepost.ports import Account, Lease, Settlement, Store

_AT_ONCE = 64
_WRITERS = 3
"""How many transactions of a process are under way: intake, and two that settle."""

_SECRET = new_secret(bytes(32))


def send_alone(*, seconds: float, processes: int) -> float:
    """Signed POSTs a second of a body of the usual size, on kept connections, nothing stored."""
    receiver = Receiver()
    try:
        return _together(_send_alone, receiver.url(), seconds=seconds, processes=processes)
    finally:
        receiver.stop()


def store_alone(database_url: str, *, seconds: float, processes: int) -> float:
    """Events a second accepted and settled in batches of 100, nothing decoded, decided or sent."""
    return _together(_store_alone, database_url, seconds=seconds, processes=processes)


def _together(
    measured: Callable[[str, float, int], float], url: str, *, seconds: float, processes: int
) -> float:
    """What so many processes reach together at the same time."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        begun = [pool.submit(measured, url, seconds, number) for number in range(processes)]
        return sum(each.result() for each in begun)


def _send_alone(url: str, seconds: float, _number: int) -> float:
    return uvloop.run(_send(url, seconds=seconds))


async def _send(url: str, *, seconds: float) -> float:
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


def _store_alone(database_url: str, seconds: float, number: int) -> float:
    account_id = f"acc_limit{number}"

    async def doing(store: Store) -> float:
        now = datetime.now(UTC)
        await store.add_account(Account(account_id, "limit", now))
        record = await store.put_store(account_id, MAIN, name=MAIN, number=None, now=now)
        endpoint = Endpoint(
            account_id=account_id,
            endpoint_id=f"ep_limit{number}",
            contract="standard",
            url="http://127.0.0.1:1/",
            schedule="rehearsal",
            created_at=now,
            updated_at=now,
            secrets=(_SECRET,),
        )
        await store.put_endpoint(endpoint)
        await store.take_dispatch()
        orders = Orders(record, [endpoint], now=now, lease=True)
        lease = Lease(account_id, now + timedelta(hours=1))
        began = time.monotonic()
        done = 0

        async def keep_writing() -> None:
            nonlocal done
            while time.monotonic() < began + seconds:
                refs, changes = orders.batch()
                claimed = await store.change_orders(
                    refs, decide=gives(changes), lease=lease, now=now
                )
                attempt = Attempt(1, 0, now, 1.0, Outcome.ACKNOWLEDGED, 204)
                settled = [Settlement(c, attempt, Acknowledge()) for c in claimed]
                await store.settle(settled, lease=lease, now=now)
                done += len(claimed)

        await asyncio.gather(*(keep_writing() for _ in range(_WRITERS)))
        return done / (time.monotonic() - began)

    return at_store(database_url, doing)
