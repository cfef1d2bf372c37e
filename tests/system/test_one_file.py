"""One SQLite file and several processes that take in: nothing is lost or reordered among them."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from milepost_receiver import Receiver
from tests.system.processes import SIGNING_SECRET, Process, town, until
from tests.system.receivers import RealReceiver
from tests.system.test_many_processes import LIFE, add_endpoint, check_lanes

pytestmark = pytest.mark.processes

ORDERS = 24
AT_ONCE = 6


def test_processes_that_take_in_on_one_file_share_its_orders_and_one_of_them_is_killed(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with (
        RealReceiver(Receiver.standard(secrets=[SIGNING_SECRET])) as receiver,
        town(tmp_path, url) as here,
    ):
        sender = here.start("serve", "--port", "0")
        key = sender.ready["api_key"]
        add_endpoint(sender, receiver)
        doors = [sender, *(here.start("serve", "--port", "0", "--no-dispatch") for _ in range(2))]
        turn, half = count(), Event()

        def tell(path: str, body: object) -> None:
            """Tells whichever process is next, and the one after it if that does not answer."""
            for _ in range(20):
                door: Process = doors[next(turn) % len(doors)]
                if door.ask("POST", path, body, key=key).status in (200, 201):
                    return
                time.sleep(0.05)
            raise AssertionError(f"nobody took {body}")

        def live(number: int) -> None:
            order = {"store": "main", "order_key": f"order-{number}"}
            tell("/v1/orders", order)
            for state in LIFE:
                tell("/v1/updates", {**order, "state": state, "source": "wms"})
            if number == ORDERS // 2:
                half.set()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            lives = [pool.submit(live, number) for number in range(ORDERS)]
            assert half.wait(60)
            doors[2].send(signal.SIGKILL)
            doors[2] = here.start("serve", "--port", "0", "--no-dispatch")
            for done in lives:
                done.result(60)
        whole = ORDERS * (len(LIFE) + 1)
        until(lambda: len({(r.order_id, r.sequence) for r in receiver.accepted()}) == whole)
        assert [door.stop() for door in doors] == [0, 0, 0]
    assert not receiver.unverified
    check_lanes(receiver.accepted(), orders=ORDERS)
