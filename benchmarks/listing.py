"""What a page of a merchant's listing takes: `python -m benchmarks.listing`.

One account with very many orders in five stores, of which one is small; most orders are delivered
and of the usual type. Each listing is read through the store's own method, by which the orders come
back whole, over and over; nothing else runs in the process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta

from benchmarks.machine import machine
from benchmarks.measure import database
from benchmarks.postgres import execute
from benchmarks.storing import at_store
from milepost.orders.lifecycle import State
from milepost.orders.model import OrderContent
from milepost.ports import Account, Store
from milepost.ports.merchants import MOST_FILTERED, OrderListing
from milepost.store.rows import content_bytes

ACCOUNT = "acc_bench"
PAGE = 100
BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""When the first order was placed; each of the others came, and changed, a second later."""

ROWS = {
    "orders": {
        "account_id": f"'{ACCOUNT}'",
        "order_id": "'ord_' || (1000000000 + n)",
        "store": "CASE WHEN n % 1000 = 0 THEN 'small' ELSE 'shop' || (n % 4) END",
        "order_key": "'K' || (1000000000 + n)",
        "order_number": "CASE WHEN n % 2 = 0 THEN 'N' || (1000000000 + n) END",
        "state": "CASE WHEN n % 10000 = 3 THEN 'on_hold' WHEN n % 20 = 0 THEN 'picking'"
        " WHEN n % 20 = 1 THEN 'cancelled' ELSE 'delivered' END",
        "state_at": "$time",
        "sequence": "1",
        "created_at": "$time",
        "updated_at": "$time",
        "updating": "0",
        "shipped_at": "CASE WHEN n % 20 > 1 THEN $time END",
        "order_type": "CASE WHEN n % 10000 = 5 THEN 'work_order' WHEN n % 10 = 7 THEN 'retail' END",
    },
    "order_contents": {
        "account_id": f"'{ACCOUNT}'",
        "order_id": "'ord_' || (1000000000 + n)",
        "content": "$content",
    },
}
COUNTING = {
    "sqlite": "WITH RECURSIVE counted (n) AS"
    " (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {many})",
    "postgres": "WITH counted (n) AS (SELECT generate_series(1, {many}::bigint))",
}


def listings(many: int) -> Mapping[str, tuple[OrderListing, int]]:
    """By what they are called: what is asked for, and how many orders come before the page."""
    middle = BEGAN_AT + timedelta(seconds=many // 2)
    day = middle + timedelta(days=1)
    keys = tuple(f"K{1_000_000_000 + n}" for n in range(1, many, many // PAGE))
    numbers = tuple(f"N{1_000_000_000 + n}" for n in range(2, many, many // PAGE))
    held, usual = (State.ON_HOLD,), "direct_to_consumer"
    first = {
        "all orders": OrderListing(),
        "a large store": OrderListing(store="shop1"),
        "a small store": OrderListing(store="small"),
        "a frequent state": OrderListing(states=(State.DELIVERED,)),
        "a rare state": OrderListing(states=held),
        "every state": OrderListing(states=tuple(State)),
        "a store's state": OrderListing(store="shop1", states=(State.CANCELLED,)),
        "100 order keys": OrderListing(order_keys=keys),
        "100 order numbers": OrderListing(order_numbers=numbers),
        "a frequent type": OrderListing(order_type="retail"),
        "a rare type": OrderListing(order_type="work_order"),
        "the usual type": OrderListing(order_type=usual),
        "updated on a day": OrderListing(updated_from=middle, updated_to=day),
        "updated since the beginning": OrderListing(updated_from=BEGAN_AT),
        "shipped on a day": OrderListing(shipped_from=middle, shipped_to=day),
        "shipped since the beginning": OrderListing(shipped_from=BEGAN_AT),
        "a rare state, updated since the beginning": OrderListing(
            states=held, updated_from=BEGAN_AT
        ),
        "a rare state of a frequent type": OrderListing(states=held, order_type="retail"),
        "a rare state of the usual type": OrderListing(states=held, order_type=usual),
    }
    last = MOST_FILTERED - PAGE
    return {
        **{name: (wanted, 0) for name, wanted in first.items()},
        "all orders, the last page of 10,000": (OrderListing(), last),
        "a large store, the last page": (first["a large store"], last),
        "a frequent state, the last page": (first["a frequent state"], last),
        "updated on a day, the last page": (first["updated on a day"], last),
    }


def fill(url: str, kind: str, *, many: int) -> None:
    """So many orders and their contents, as they would be after a while."""
    said = content_bytes(OrderContent(order_number="N1")).hex()
    content = f"x'{said}'" if kind == "sqlite" else f"'\\x{said}'::bytea"
    began = int(BEGAN_AT.timestamp() * 1_000_000)
    commands = []
    for table, columns in ROWS.items():
        values = ", ".join(columns.values()).replace("$content", content)
        commands.append(
            f"INSERT INTO {table} ({', '.join(columns)}) {COUNTING[kind].format(many=many)}"
            f" SELECT {values.replace('$time', f'({began} + n * 1000000)')} FROM counted"
        )
    if kind == "sqlite":
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for command in commands:
                connection.execute(command)
    else:
        asyncio.run(execute(url, *commands, "VACUUM ANALYZE"))


async def measure(store: Store, *, many: int, times: int) -> dict[str, dict[str, float]]:
    """Milliseconds that each listing takes in either order: the median, and the most."""
    found: dict[str, dict[str, float]] = {}
    for name, (wanted, skip) in listings(many).items():
        took: dict[bool, list[float]] = {True: [], False: []}
        shown = 0
        for newest_first, spent in took.items():
            for _ in range(times + 1):
                began = time.perf_counter()
                orders = await store.listed_orders(
                    ACCOUNT, wanted=wanted, skip=skip, limit=PAGE, newest_first=newest_first
                )
                spent.append((time.perf_counter() - began) * 1_000)
                shown = len(orders)
            # The first one read it from the disk.
            del spent[0]
        medians = [statistics.median(spent) for spent in took.values()]
        found[name] = {
            "median_ms": round(max(medians), 1),
            "max_ms": round(max(map(max, took.values())), 1),
            "orders": shown,
        }
    return found


def run(kind: str, *, many: int, times: int) -> dict[str, dict[str, float]]:
    """The figures of a new database with so many orders."""

    async def begin(store: Store) -> None:
        await store.add_account(Account(ACCOUNT, "Bench", BEGAN_AT))
        for name in ("small", *(f"shop{n}" for n in range(4))):
            await store.put_store(ACCOUNT, name, name=name, number=None, now=BEGAN_AT)

    with database(kind) as base:
        at_store(base.url, begin)
        fill(base.url, kind, many=many)
        return at_store(base.url, lambda store: measure(store, many=many, times=times))


def main() -> None:
    """Measures as it is asked to, and prints what it found."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.listing")
    parser.add_argument("--store", choices=tuple(COUNTING), default="sqlite")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=11, help="each page is read")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args()
    found = run(given.store, many=given.orders, times=given.times)
    if given.json:
        print(json.dumps({"listings": found, "store": given.store, "machine": machine()}))
        return
    for name, row in found.items():
        print(f"{name:45} {row['median_ms']:9} ms, at most {row['max_ms']} ms", file=sys.stdout)


if __name__ == "__main__":
    main()
