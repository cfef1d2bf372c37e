"""The test clock on a real hub: days of an account in seconds, through the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.system.processes import Process, Town, town, until
from tests.withings.client import Client, an_order
from tests.withings.receiver import NotifyUri

pytestmark = pytest.mark.processes

LIFE = ["VERIFIED", "PROCESSING", "OPEN", "SHIPPED"]
PARCEL = ["pending", "info_received", "in_transit", "delivered"]


@dataclass
class Stage:
    """A hub that runs, a sandbox account of it, and the receiver of a client application."""

    town: Town
    hub: Process
    key: str
    receiver: NotifyUri
    client: Client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.hub.ask(method, path, body, key=self.key)
        assert reply.status < 300, reply
        return reply.body

    def advance(self, *words: str) -> Any:
        said = self.town.refused("clock", "advance", *words, "--account", "rehearsal", "--json")
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    def order(self, order_id: str) -> Any:
        return self.ask("GET", f"/v1/orders/{order_id}")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("clock")
    given = {"MILEPOST_POLL_S": "0.02", "MILEPOST_TRACKING_POLL_S": "0.05"}
    with town(folder, f"sqlite:///{folder / 'hub.db'}", **given) as there, NotifyUri() as receiver:
        account = _said(there, "account", "add", "rehearsal", "--sandbox")
        assert account["sandbox"]
        key = _said(there, "account", "key", "add")["key"]
        hub = there.start("serve", "--port", "0")
        client = {"name": "shop", "billing_id": "4711", "notify_uri": receiver.url}
        made = hub.ask("POST", "/v1/clients", client, key=key).body
        hub.ask("PUT", "/v1/stores/main", {}, key=key)
        speaks = Client(hub.ready["url"], made["client"]["client_id"], made["secret"])
        yield Stage(there, hub, key, receiver, speaks)


def _said(there: Town, *words: str) -> Any:
    said = there.refused(*words, "--json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_a_test_mode_order_lives_its_life_in_moments(stage: Stage) -> None:
    before = stage.ask("GET", "/v1/clock")
    assert before["sandbox"]
    answer = stage.client.create_order(an_order("testing"), customerid="4711", testmode="1")
    assert answer.status == 0, answer
    view = stage.advance("10m")
    assert view["under_way"] == 0
    # All that came of it was delivered before the command ended.
    assert stage.receiver.words("testing") == [*LIFE, *PARCEL]
    assert view["ahead_s"] >= before["ahead_s"] + 590


def test_a_parcel_that_is_lost_expires_after_45_days(stage: Stage) -> None:
    _said(stage.town, "carrier", "put", "sim", "--kind", "simulator", "--account", "rehearsal")
    stage.ask("POST", "/v1/orders", {"store": "main", "order_key": "K1"})
    told = {"state": "shipped", "tracking_number": "SIM-silent-1", "carrier": "Acme"}
    shipped = stage.ask("POST", "/v1/updates", {"store": "main", "order_key": "K1", **told})
    stage.advance("44d", "--jump")
    until(lambda: stage.ask("GET", "/v1/clock")["under_way"] == 0)
    assert stage.order(shipped["order_id"])["state"] == "shipped"
    stage.advance("2d")
    order = stage.order(shipped["order_id"])
    assert order["state"] == "expired"
    events = stage.ask("GET", f"/v1/orders/{shipped['order_id']}/events")["events"]
    times = {e["state"]: datetime.fromisoformat(e["occurred_at"]) for e in events}
    age = times["expired"] - times["shipped"]
    assert timedelta(days=45) <= age < timedelta(days=45, minutes=1)


def test_a_command_that_is_killed_on_the_way_can_be_begun_again(stage: Stage) -> None:
    answer = stage.client.create_order(an_order("killed"), customerid="4711", testmode="1")
    assert answer.status == 0, answer
    now = datetime.fromisoformat(stage.ask("GET", "/v1/clock")["now"])
    goal = (now + timedelta(minutes=10)).isoformat()
    words = (sys.executable, "-m", "milepost.cli", "clock", "advance", "--to", goal)
    walking = subprocess.Popen(
        (*words, "--account", "rehearsal"),
        env=stage.town.settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: len(stage.receiver.words("killed")) >= 3)
    walking.send_signal(signal.SIGKILL)
    walking.wait(30)
    at = datetime.fromisoformat(stage.ask("GET", "/v1/clock")["now"])
    if at < datetime.fromisoformat(goal):
        stage.advance("--to", goal)
    assert stage.receiver.words("killed") == [*LIFE, *PARCEL]
