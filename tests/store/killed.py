"""A process that writes until it is killed; each line it prints is a batch that was answered."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from milepost.ports import Account, Changes, Lease, OrderRef
from milepost.store.sqlite import SqliteStore
from tests.store.desk import ACCOUNT, NOW, a_delivery, an_endpoint, an_event, an_order

BATCH = 20
LEASE = Lease("writer", NOW + timedelta(seconds=60))


async def write(store: SqliteStore, *, writer: int) -> None:
    endpoint = an_endpoint()
    for number in range(1_000_000):
        name = f"{writer}-{number}"
        orders = [an_order(f"{name}-{n}") for n in range(BATCH)]
        changes = Changes(
            created=orders,
            events=[an_event(o) for o in orders],
            deliveries=[a_delivery(endpoint, o, lease=True) for o in orders],
        )
        await store.change_orders(
            [OrderRef(ACCOUNT, store="shop", order_key=o.order_key) for o in orders],
            decide=lambda _, changes=changes: changes,  # type: ignore[misc]
            lease=LEASE,
            now=NOW,
        )
        print(name, flush=True)


async def main(path: str) -> None:
    store = SqliteStore(Path(path))
    await store.open()
    await store.add_account(Account(ACCOUNT, "One", NOW))
    await store.put_endpoint(an_endpoint())
    await store.take_dispatch()
    await asyncio.gather(*(write(store, writer=n) for n in range(4)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
