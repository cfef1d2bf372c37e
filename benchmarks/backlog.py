"""Fills a database with deliveries that wait, as many as are wanted, by the store's own doing."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta

from benchmarks.orders import BACKLOG
from benchmarks.storing import BATCH, Orders, at_store, gives, store_of
from milepost.ports import Lease, Store
from milepost.settings import Settings

PROCESSES = 2
AT_ONCE = 3


def fill(database_url: str, account_id: str, endpoints: Sequence[str], *, count: int) -> None:
    """Adds orders until about so many deliveries wait for these endpoints; nobody may serve."""
    processes = PROCESSES if Settings(database_url=database_url).is_postgres else 1
    share = -(-count // processes)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        begun = [
            pool.submit(add_orders, database_url, account_id, list(endpoints), share)
            for _ in range(processes)
        ]
        for each in begun:
            each.result()


def add_orders(database_url: str, account_id: str, endpoints: Sequence[str], count: int) -> None:
    """What each of its processes does."""

    async def doing(store: Store) -> None:
        now = datetime.now(UTC)
        record = store_of(await store.stores(account_id), BACKLOG)
        told = [await store.endpoint(account_id, name) for name in endpoints]
        orders = Orders(record, told, now=now, lease=False)
        left = -(-count // len(endpoints))
        lease = Lease("backlog", now + timedelta(hours=1))

        async def keep_adding() -> None:
            nonlocal left
            while left > 0:
                most = min(left, BATCH)
                left -= most
                refs, changes = orders.batch(most)
                await store.change_orders(refs, decide=gives(changes), lease=lease, now=now)

        await asyncio.gather(*(keep_adding() for _ in range(AT_ONCE)))

    at_store(database_url, doing)
