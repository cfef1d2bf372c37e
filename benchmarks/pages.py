"""What every page takes with very many orders: `python -m benchmarks.pages`.

A PostgreSQL that loses nothing is filled with orders, their events, deliveries, attempts and
bodies, of one account; then a real `milepost serve` is asked for each page over and over, as a
browser that is logged in asks. Pages that stream are measured to their first event.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import http.client
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.hub import Hub, environment_of
from benchmarks.machine import machine
from benchmarks.measure import database
from benchmarks.pages_filled import FILLED, fill
from milepost.dashboard import all_pages
from milepost.ports.people import Role
from milepost.settings import read_settings
from milepost.wiring import build

MOST_MS = 100.0
"""What the median of a page may take."""

TIMES = 30
PASSWORD = "only a benchmark's"
ENDPOINTS = 5
SOURCE: Mapping[str, Any] = {
    "source": "warehouse",
    "kind": "standard",
    "store": "main",
    "credentials": {"secrets": ["whsec_" + base64.b64encode(bytes(32)).decode()]},
}
_READS = re.compile(r"^milepost_store_read_seconds_count(?:{[^}]*})? (\S+)$", re.MULTILINE)


async def log_in(url: str) -> str:
    """The session's token of a new operator."""
    hub = build(read_settings(environment_of(url)))
    await hub.open(dispatch=False)
    try:
        person = await hub.people.add("bench", role=Role.OPERATOR, password=PASSWORD)
        opened = await hub.people.open(person, address="127.0.0.1", agent="benchmark")
        return opened.token
    finally:
        await hub.close()


async def names(url: str, hub: Hub, endpoints: Sequence[str]) -> Mapping[str, str]:
    """Of each thing that a path can name one that is there, from the middle of what is filled."""
    connection = await asyncpg.connect(url)
    try:
        order = await connection.fetchval("SELECT max(order_id) FROM orders WHERE state='shipped'")
        given_up = await connection.fetchrow(
            "SELECT order_id, sequence, endpoint_id FROM deliveries"
            " WHERE state = 'abandoned' ORDER BY created_at DESC LIMIT 1"
        )
        update = await connection.fetchval("SELECT max(update_id) FROM quarantine")
        receipt = await connection.fetchval("SELECT max(receipt_id) FROM receipts")
        run_id = await connection.fetchval("SELECT max(run_id) FROM reconciliation_differences")
    finally:
        await connection.close()
    delivery = f"{given_up[0]}-{given_up[1]}-{given_up[2]}"
    return {
        "order_id": order,
        "order": order,
        "name": delivery,
        "delivery": delivery,
        "update_id": update,
        "receipt_id": receipt,
        "receipt": receipt,
        "endpoint": endpoints[0],
        "endpoint_id": endpoints[0],
        "failing": given_up[2],
        "source": "warehouse",
        "run": run_id,
        "contract": "withings",
        "shape": "OrderBody",
        "operation": "putOrder",
        "account": hub.account_id,
    }


QUERIES: Mapping[str, Sequence[str]] = {
    "/": ("?period=hour", "?period=week"),
    "/orders": (
        "?find=nothing-is-called-that",
        "?state=delivered",
        "?state=on_hold",
        "?store=main",
        "?store=main&state=cancelled",
    ),
    "/attention": ("?kind=update_illegal", "?kind=delivery_abandoned", "?kind=order_silent"),
    "/endpoints/{endpoint}": ("?period=week",),
    "/endpoints/{endpoint}/replay": tuple(
        f"?what={what}&since={since}"
        for what in ("between", "latest")
        for since in ("1h", "1d", "30d")
    ),
    "/endpoints/{failing}/replay": tuple(f"?what=failed&since={since}" for since in ("1h", "30d")),
}
"""Besides the plain page: what of it is asked for in other words."""


ONLY_WITH_A_FORM = ("/attention/resend",)
"""Pages that show what a form of another page has chosen."""


def wanted_pages(known: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The paths of every page for somebody who is logged in, and those that cannot be named."""
    paths, left = [], []
    for page in all_pages():
        if page.method != "GET" or page.public or page.path in ONLY_WITH_A_FORM:
            continue
        unknown = set(re.findall(r"{(\w+)}", page.path)) - set(known)
        if unknown:
            left.append(page.path)
            continue
        asked = [path for path in QUERIES if path.replace("{failing}", "{endpoint}") == page.path]
        paths.append(page.path.format(**known))
        paths += [each.format(**known) + query for each in asked for query in QUERIES[each]]
    return paths, left


class Browser:
    """One connection that is kept, with the cookie of a session."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._cookie = f"milepost_session={token}"
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)

    def ask(self, path: str) -> tuple[float, int, int]:
        """Milliseconds until the page is there, or its first event; its status and its bytes."""
        began = time.perf_counter()
        headers = {"cookie": self._cookie, "accept": "text/html"}
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        size = 0
        if answer.headers.get_content_type() == "text/event-stream":
            while (line := answer.readline()) and not line.startswith(b"event:"):
                size += len(line)
            took = time.perf_counter() - began
            self._connection.close()
            self._connection = self._connect()
        else:
            size = len(answer.read())
            took = time.perf_counter() - began
        return took * 1_000, answer.status, size

    def reads(self) -> float:
        """How often the hub has read of its store so far."""
        with closing(self._connect()) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        return sum(float(found) for found in _READS.findall(text))


def measure(browser: Browser, paths: Sequence[str], *, times: int) -> list[dict[str, Any]]:
    """The figures of each page; the first request of each warms it up and does not count."""
    rows = []
    for path in paths:
        browser.ask(path)
        reads = browser.reads()
        asked = [browser.ask(path) for _ in range(times)]
        reads = browser.reads() - reads
        took = sorted(ms for ms, _, _ in asked)
        rows.append(
            {
                "page": path,
                "status": asked[-1][1],
                "kb": round(asked[-1][2] / 1_024, 1),
                "median_ms": round(statistics.median(took), 1),
                "p95_ms": round(took[min(int(times * 0.95), times - 1)], 1),
                "reads": round(reads / times, 1),
            }
        )
    return rows


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Fills, serves and measures; prints on standard error how far it is."""
    with ExitStack() as stack:
        base = stack.enter_context(database("postgres"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="milepost-bench-")))
        hub = Hub(folder, database_url=base.url)
        stack.callback(hub.stop)
        endpoints = [
            str(hub.call("POST", "/v1/endpoints", told)["endpoint"]["endpoint_id"])
            for told in _endpoints()
        ]
        hub.call("POST", "/v1/sources", SOURCE)
        hub.stop()
        began = time.monotonic()
        now = datetime.now(UTC)
        asyncio.run(
            fill(
                base.url,
                account_id=hub.account_id,
                endpoints=endpoints,
                many=given.orders,
                deliveries=given.deliveries,
                first=now - timedelta(days=60),
                last=now,
            )
        )
        filled_s = round(time.monotonic() - began)
        print(f"filled {given.orders:,} orders in {filled_s} s", file=sys.stderr)
        token = asyncio.run(log_in(base.url))
        hub.start()
        known = asyncio.run(names(base.url, hub, endpoints))
        paths, left = wanted_pages(known)
        if given.only:
            paths = [path for path in paths if any(part in path for part in given.only)]
        rows = measure(Browser(hub.port, token), paths, times=given.times)
        if any(row["status"] >= 500 for row in rows):
            print(hub.log()[-4_000:], file=sys.stderr)
        return {
            "pages": rows,
            "unnamed": left,
            "orders": given.orders,
            "deliveries": given.orders * given.deliveries,
            "tables": sorted(FILLED),
            "filled_s": filled_s,
            "durability": base.durability,
            "machine": machine(),
        }


def _endpoints() -> list[dict[str, Any]]:
    contracts = ["standard", "withings", "shipmonk", "standard", "standard"]
    options = {"withings": {"customer_id": "4711"}}
    return [
        {
            "contract": contract,
            "url": f"http://127.0.0.1:9/{number}",
            "description": f"receiver {number}",
            "options": options.get(contract, {}),
        }
        for number, contract in enumerate(contracts[:ENDPOINTS], 1)
    ]


def main() -> None:
    """Measures as it is asked to; ends with 1 where a page fails or takes too long."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.pages")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--deliveries", type=int, default=5, help="of each order, at most 5")
    parser.add_argument("--times", type=int, default=TIMES, help="each page is asked for")
    parser.add_argument("--only", nargs="*", help="pages with one of these in their path alone")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args()
    found = run(given)
    rows = found["pages"]
    if given.json:
        print(json.dumps(found))
    else:
        for row in rows:
            print(
                f"{row['page'][:70]:70} {row['status']} {row['median_ms']:8} ms,"
                f" p95 {row['p95_ms']:8} ms, {row['reads']:4} reads, {row['kb']:7} KB"
            )
    slow = [row["page"] for row in rows if row["median_ms"] > MOST_MS or row["status"] != 200]
    for path in slow:
        print(f"over {MOST_MS:.0f} ms, or refused: {path}", file=sys.stderr)
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
