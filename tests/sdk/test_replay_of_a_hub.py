"""A real hub, a receiver that was away, and the example that reads what was missed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

import pytest

from milepost_receiver import Inbox, Receiver, Worked
from milepost_receiver.wsgi import webhook
from tests.sdk.killed import Silent
from tests.sdk.processes import ROOT, Running, free_port
from tests.sdk.senders import SECRET
from tests.system.processes import Process, town, until

pytestmark = pytest.mark.processes

STATES = ("verified", "submitted", "packed")


@contextmanager
def receiving(inbox: Inbox[Any], port: int) -> Iterator[None]:
    """A merchant's receiver that is there."""
    server = make_server("127.0.0.1", port, webhook(inbox), handler_class=Silent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Merchant:
    """What a merchant does at the hub."""

    def __init__(self, hub: Process, port: int) -> None:
        self.hub = hub
        self.key: str = hub.ready["api_key"]
        made = self.post(
            "/v1/endpoints",
            {
                "contract": "standard",
                "url": f"http://127.0.0.1:{port}/",
                "secret": SECRET,
                "schedule": "rehearsal",
            },
        )
        self.endpoint_id: str = made["endpoint"]["endpoint_id"]

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.hub.ask("POST", path, body, key=self.key)
        assert answer.status in {200, 201}, answer
        told: dict[str, Any] = answer.body
        return told

    def tell(self, order_key: str, *states: str) -> None:
        named = {"store": "main", "order_key": order_key}
        self.post("/v1/orders", named)
        for state in states:
            self.post("/v1/updates", {**named, "state": state})

    def pending(self) -> list[Any]:
        asked = self.hub.ask("GET", "/v1/deliveries?state=pending", key=self.key)
        found: list[Any] = asked.body["deliveries"]
        return found


def test_after_an_outage_exactly_what_is_missing_is_read_once(tmp_path: Path) -> None:
    receiver = Receiver.standard(secrets=[SECRET])

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "shop.db", timeout=30)

    inbox = Inbox(receiver, connect=connect).create()
    port = free_port()
    with town(tmp_path, f"sqlite:///{tmp_path}/milepost.db") as started:
        merchant = Merchant(started.start("serve", "--port", "0"), port)
        with receiving(inbox, port):
            for order_key in ("A", "B"):
                merchant.tell(order_key, *STATES)
            until(lambda: not merchant.pending())
        assert inbox.waiting() == 8
        for order_key in ("A", "B"):
            merchant.tell(order_key, "shipped")
        merchant.tell("C", *STATES)

        def read() -> str:
            process = Running(
                [str(ROOT / "examples/read_what_was_missed.py")],
                folder=tmp_path,
                MILEPOST=merchant.hub.ready["url"],
                KEY=merchant.key,
                ENDPOINT=merchant.endpoint_id,
                HUB_SECRET=SECRET,
            )
            assert process.popen.wait(60) == 0, process.said()
            return process.said().splitlines()[-1]

        assert read() == "Filled(looked_at=14, added=6, erased=0, unreadable=())"
        assert "added=0" in read()
        assert inbox.waiting() == 14
        # The hub goes on trying, and what it brings is there already.
        with receiving(inbox, port):
            until(lambda: not merchant.pending())
    assert inbox.waiting() == 14
    told: dict[str, list[tuple[int, str]]] = {}

    def apply(entry: Any) -> None:
        order = entry.notification.order
        told.setdefault(order.order_key, []).append((entry.notification.sequence, order.state))

    assert inbox.work(apply) == Worked(done=14)
    states = ["created", *STATES, "shipped"]
    assert told == {
        "A": list(enumerate(states, start=1)),
        "B": list(enumerate(states, start=1)),
        "C": list(enumerate(states[:4], start=1)),
    }
