"""Kill -9 while carriers are being asked: no scan is lost, and none is told twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks.hub import Hub

KILLS = 2
ORDERS = 40
STORY = (
    ("PU", "info_received", 50),
    ("IT", "in_transit", 40),
    # Two scans at the same time that could follow each other for ever.
    ("EX", "exception", 30),
    ("IT", "in_transit", 30),
    ("DL", "delivered", 10),
)
"""The carrier's words, what they mean, and how many minutes ago they happened."""


class Acme:
    """A carrier on a real socket that takes its time, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._chance = random.Random(4)
        self._lock = threading.Lock()
        self._began = datetime.now(UTC)

    def answer(self, number: str) -> bytes:
        with self._lock:
            self.asked[number] += 1
            pause_s = self._chance.uniform(0, 0.08)
        time.sleep(pause_s)
        scans = [
            {"code": code, "at": (self._began - timedelta(minutes=ago)).isoformat()}
            for code, _, ago in STORY
        ]
        return json.dumps({"events": scans}).encode()


@contextmanager
def carrier() -> Iterator[tuple[Acme, str]]:
    acme = Acme()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = acme.answer(self.path.rpartition("/")[2])
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield acme, f"http://127.0.0.1:{server.server_address[1]}/track/{{tracking_number}}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def put_source(hub: Hub, folder: Path, *, url: str) -> None:
    """As an operator does it, beside the hub that runs."""
    config = {
        "url": url,
        "scans": "/events",
        "status": "/code",
        "time": "/at",
        "statuses": {code: state for code, state, _ in STORY},
        "per_minute": None,
    }
    path = folder / "acme.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    words = ("carrier", "put", "acme", str(path))
    subprocess.run(
        [sys.executable, "-m", "milepost.cli", *words],
        env=hub._environment,
        check=True,
        capture_output=True,
    )


def ship(hub: Hub, number: int) -> str:
    key, an_hour_ago = f"K{number}", datetime.now(UTC) - timedelta(hours=1)
    hub.call("POST", "/v1/orders", {"store": "main", "order_key": key})
    told = {
        "store": "main",
        "order_key": key,
        "state": "shipped",
        "occurred_at": an_hour_ago.isoformat(),
        "tracking_number": f"N{number}",
    }
    return str(hub.call("POST", "/v1/updates", told)["order_id"])


def states(hub: Hub, order_id: str) -> list[str]:
    events = hub.call("GET", f"/v1/orders/{order_id}/events")["events"]
    return [event["state"] for event in events]


@pytest.mark.processes
@pytest.mark.timeout(120)
def test_kills_while_carriers_are_asked_lose_no_scan_and_tell_none_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    with carrier() as (acme, url):
        hub = Hub(tmp_path, MILEPOST_LEASE_S="1", MILEPOST_TRACKING_POLL_S="0.05")
        try:
            orders = [ship(hub, number) for number in range(ORDERS)]
            put_source(hub, tmp_path, url=url)
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.05, 0.3))
                hub.kill()
                hub.start()
            until = time.monotonic() + 60
            while time.monotonic() < until:
                waiting = [o for o in orders if states(hub, o)[-1] != "delivered"]
                if not waiting:
                    break
                time.sleep(0.2)
            lives = [states(hub, order_id) for order_id in orders]
            quarantined = hub.call("GET", "/v1/quarantine")["updates"]
        finally:
            hub.stop()
    told = ["created", "shipped", *(state for _, state, _ in STORY)]
    assert lives == [told] * ORDERS
    assert quarantined == []
    assert set(acme.asked) == {f"N{number}" for number in range(ORDERS)}
    assert max(acme.asked.values()) <= KILLS + 1
