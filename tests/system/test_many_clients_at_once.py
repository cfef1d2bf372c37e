"""Fifty clients tell of the same orders at once: the history stays legal, and nobody gets a 5xx."""

from __future__ import annotations

import http.client
import json
import random
import threading
from pathlib import Path

import pytest

from benchmarks.hub import Hub
from milepost.orders.lifecycle import EDGES, EdgeClass, State

CLIENTS = 50
POSTS = 30
ORDERS = 5


def _client(hub: Hub, number: int, statuses: list[int]) -> None:
    chance = random.Random(number)
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=60)
    headers = {"authorization": f"Bearer {hub.key}", "content-type": "application/json"}
    states = [s.value for s in State]
    for _ in range(POSTS):
        body = {
            "store": "main",
            "order_key": f"shared-{chance.randrange(ORDERS)}",
            "state": chance.choice(states),
            "source": f"client-{number}",
        }
        connection.request("POST", "/v1/updates", json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()


@pytest.mark.processes
def test_fifty_clients_leave_a_legal_history_and_see_no_5xx(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    try:
        orders = [
            hub.call("POST", "/v1/orders", {"store": "main", "order_key": f"shared-{i}"})
            for i in range(ORDERS)
        ]
        statuses: list[int] = []
        clients = [
            threading.Thread(target=_client, args=(hub, n, statuses)) for n in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join(90)
        assert len(statuses) == CLIENTS * POSTS
        assert set(statuses) <= {200, 409}
        assert 200 in statuses
        for order in orders:
            _check_history(hub, order["order_id"])
    finally:
        hub.stop()


def _check_history(hub: Hub, order_id: str) -> None:
    events = hub.call("GET", f"/v1/orders/{order_id}/events?limit=200")["events"]
    assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
    state = State.CREATED
    for event in events[1:]:
        assert event["previous_state"] == state
        after = State(event["state"])
        if after is not state:
            assert EDGES[state, after].edge_class is EdgeClass.NORMAL
        state = after
    now = hub.call("GET", f"/v1/orders/{order_id}")
    assert now["state"] == state
    assert now["sequence"] == len(events)
