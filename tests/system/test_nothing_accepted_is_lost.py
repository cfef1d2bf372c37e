"""Kill -9 in the middle of traffic: nothing accepted is lost, no lane is out of order."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.hub import Hub
from milepost_receiver import Receiver
from tests.system.receivers import RealReceiver, Receipt

KILLS = 20
ORDERS = 12
LIFE = (
    "verified",
    "submitted",
    "picking",
    "packing",
    "packed",
    "ready_to_ship",
    "shipped",
    "info_received",
    "in_transit",
    "out_for_delivery",
    "delivered",
)
SECRET = "whsec_" + "bWlsZXBvc3QtdGVzdC1zZWNyZXQtMzItYnl0ZXMtbG9uZw=="


class Traffic(threading.Thread):
    """Orders that live their lives over and over; it remembers what the hub accepted."""

    def __init__(self, hub: Hub, *, name: str) -> None:
        super().__init__(daemon=True)
        self._hub = hub
        self._name = name
        self.done = threading.Event()
        self.accepted: dict[str, int] = {}
        self.refused: list[str] = []

    def run(self) -> None:
        life = 0
        while not self.done.is_set():
            life += 1
            keys = [f"{self._name}-{life}-{i}" for i in range(ORDERS)]
            for key in keys:
                self._post("/v1/orders", {"store": "main", "order_key": key})
            for state in LIFE:
                for key in keys:
                    self._post(
                        "/v1/updates",
                        {"store": "main", "order_key": key, "state": state, "source": "wms"},
                    )
                    if self.done.is_set():
                        return

    def _post(self, path: str, body: dict[str, str]) -> None:
        """Posts until the hub has answered, as a source does that wants its word to be kept."""
        while not self.done.is_set():
            try:
                answer = self._hub.call("POST", path, body)
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
                continue
            except RuntimeError as refusal:
                self.refused.append(str(refusal))
                return
            self._remember(answer)
            return

    def _remember(self, answer: dict[str, object]) -> None:
        order = answer.get("order", answer)
        assert isinstance(order, dict)
        order_id, sequence = order["order_id"], order["sequence"]
        self.accepted[order_id] = max(self.accepted.get(order_id, 0), sequence)


def _lanes(receipts: list[Receipt]) -> dict[str, list[Receipt]]:
    lanes: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        lanes[receipt.order_id].append(receipt)
    return lanes


@pytest.mark.processes
@pytest.mark.timeout(240)
def test_twenty_kills_lose_nothing_and_reorder_nothing(tmp_path: Path) -> None:
    chance = random.Random(20)
    with RealReceiver(Receiver.standard(secrets=[SECRET])) as receiver:
        hub = Hub(tmp_path)
        hub.call(
            "POST",
            "/v1/endpoints",
            {
                "contract": "standard",
                "url": receiver.url,
                "secret": SECRET,
                "schedule": "rehearsal",
            },
        )
        traffic = [Traffic(hub, name=f"t{i}") for i in range(3)]
        for one in traffic:
            one.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.8))
            hub.kill()
            hub.start()
        time.sleep(0.5)
        for one in traffic:
            one.done.set()
            one.join(30)
        accepted = {k: v for one in traffic for k, v in one.accepted.items()}
        refused = [text for one in traffic for text in one.refused]
        _wait_until_nothing_is_pending(hub)
        hub.stop()
        receipts = receiver.accepted()

    assert not refused
    assert not receiver.unverified
    assert len(accepted) > ORDERS
    lanes = _lanes(receipts)
    for order_id, last in accepted.items():
        got = {r.sequence for r in lanes[order_id]}
        assert got >= set(range(1, last + 1)), f"{order_id}: lost {set(range(1, last + 1)) - got}"
    for lane in lanes.values():
        assert all(a.sequence <= b.sequence for a, b in pairwise(lane)), "a lane was out of order"
    names: dict[tuple[str, int], set[str]] = defaultdict(set)
    for receipt in receipts:
        names[receipt.order_id, receipt.sequence].add(receipt.delivery_id)
    assert all(len(ids) == 1 for ids in names.values()), "a duplicate came under another id"


def _wait_until_nothing_is_pending(hub: Hub) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if not hub.call("GET", "/v1/deliveries?state=pending&limit=1")["deliveries"]:
            return
        time.sleep(0.1)
    pytest.fail("deliveries are still pending a minute after the traffic ended")
