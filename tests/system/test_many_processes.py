"""One PostgreSQL database and several processes, which are frozen, killed and cut off from it."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from milepost_receiver import Receiver
from tests.postgres.server import Server, execute
from tests.system.processes import SIGNING_SECRET, Process, town, until
from tests.system.receivers import RealReceiver, Receipt

pytestmark = pytest.mark.processes

LIFE = ("submitted", "picking", "packed", "shipped", "in_transit", "delivered")
LEASE_S = 1.0
DATABASE = "hub"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(settings={"wal_level": "replica", "hot_standby": "on"})
    yield server
    server.remove()


@pytest.fixture
def url(server: Server) -> str:
    """An empty database on a server that the test may stop."""
    drop = f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"
    asyncio.run(execute(server.url("postgres"), drop, f"CREATE DATABASE {DATABASE}"))
    return server.url(DATABASE)


@pytest.fixture
def receiver() -> Iterator[RealReceiver]:
    with RealReceiver(Receiver.standard(secrets=[SIGNING_SECRET])) as receiver:
        yield receiver


def add_endpoint(hub: Process, receiver: RealReceiver, **given: object) -> None:
    wanted = {
        "contract": "standard",
        "url": receiver.url,
        "secret": SIGNING_SECRET,
        "schedule": "rehearsal",
        **given,
    }
    assert hub.ask("POST", "/v1/endpoints", wanted, key=hub.ready["api_key"]).status == 201


def place(hub: Process, key: str, *, api_key: str) -> None:
    order = {"store": "main", "order_key": key}
    assert hub.ask("POST", "/v1/orders", order, key=api_key).status == 201


class Traffic(threading.Thread):
    """Orders that live their lives, one round of updates after the other."""

    def __init__(self, hub: Process, *, orders: int) -> None:
        super().__init__(daemon=True)
        self._hub = hub
        self._orders = [f"order-{number}" for number in range(orders)]
        self.refused: list[object] = []

    def run(self) -> None:
        key = self._hub.ready["api_key"]
        for order in self._orders:
            place(self._hub, order, api_key=key)
        for state in LIFE:
            updates = [
                {"store": "main", "order_key": order, "state": state, "source": "wms"}
                for order in self._orders
            ]
            reply = self._hub.ask("POST", "/v1/updates/batch", {"updates": updates}, key=key)
            self.refused += [] if reply.status == 200 else [reply]
            time.sleep(0.1)


def slowly(_n: int) -> int:
    time.sleep(0.012)
    return 204


def is_ready(process: Process) -> bool:
    return process.ask("GET", "/readyz").status == 200


def has_lost(worker: Process) -> bool:
    """Whether it woke up with heads that others had taken over meanwhile."""
    return "leases_lost" in worker.log()


def check_lanes(receipts: list[Receipt], *, orders: int) -> None:
    """Every lane is whole and in order; what came twice came under its one name."""
    lanes: dict[str, list[Receipt]] = defaultdict(list)
    names: dict[tuple[str, int], set[str]] = defaultdict(set)
    for receipt in receipts:
        lanes[receipt.order_id].append(receipt)
        names[receipt.order_id, receipt.sequence].add(receipt.delivery_id)
    assert len(lanes) == orders
    for order_id, lane in lanes.items():
        assert {r.sequence for r in lane} == set(range(1, len(LIFE) + 2)), order_id
        assert all(a.sequence <= b.sequence for a, b in pairwise(lane)), order_id
    assert all(len(ids) == 1 for ids in names.values())


def test_a_worker_that_was_frozen_past_its_lease_reorders_nothing(
    url: str, tmp_path: Path, receiver: RealReceiver
) -> None:
    orders = 40
    settings = {"MILEPOST_LEASE_S": str(LEASE_S)}
    with town(tmp_path, url, **settings) as here:
        hub = here.start("serve", "--port", "0", "--no-dispatch")
        workers = [here.start("work"), here.start("work")]
        # One at a time, and each takes a while, so that heads wait in the workers' memory.
        receiver.answers = slowly
        add_endpoint(hub, receiver, concurrency=1, timeout_s=1)
        traffic = Traffic(hub, orders=orders)
        traffic.start()
        for frozen in workers * 4:
            time.sleep(0.15)
            frozen.send(signal.SIGSTOP)
            time.sleep(LEASE_S + 0.5)
            frozen.send(signal.SIGCONT)
            if any(has_lost(worker) for worker in workers):
                break
        traffic.join(60)
        assert not traffic.refused
        whole = orders * (len(LIFE) + 1)
        until(lambda: len({(r.order_id, r.sequence) for r in receiver.accepted()}) == whole)
        assert [worker.stop() for worker in workers] == [0, 0]
        assert hub.stop() == 0
    assert not receiver.unverified
    check_lanes(receiver.accepted(), orders=orders)
    assert any(has_lost(worker) for worker in workers)


def test_processes_outlive_a_restart_of_the_database(
    url: str, server: Server, tmp_path: Path, receiver: RealReceiver
) -> None:
    with town(tmp_path, url) as here:
        hub = here.start("serve", "--port", "0")
        worker = here.start("work", "--port", "0")
        key = hub.ready["api_key"]
        add_endpoint(hub, receiver)
        place(hub, "before", api_key=key)
        until(lambda: len(receiver.accepted()) == 1)
        server.stop("immediate")
        try:
            order = {"store": "main", "order_key": "after"}
            refusal = hub.ask("POST", "/v1/orders", order, key=key)
            assert (refusal.status, refusal.body["type"]) == (
                503,
                "urn:milepost:problem:store-error",
            )
            assert refusal.headers["retry-after"] == "1"
            assert refusal.headers["content-type"] == "application/problem+json"
            for process in (hub, worker):
                assert process.ask("GET", "/livez").status == 200
                ready = process.ask("GET", "/readyz")
                assert (ready.status, ready.body["title"]) == (503, "The database cannot be used.")
        finally:
            server.start()
        until(lambda: hub.ask("POST", "/v1/orders", order, key=key).status in (200, 201))
        until(lambda: len({r.order_id for r in receiver.accepted()}) == 2)
        for process in (hub, worker):
            until(partial(is_ready, process))
            assert process.stop() == 0
            assert "cannot_connect" in process.log()


def test_what_was_accepted_is_there_after_a_standby_has_taken_over(
    url: str, server: Server, tmp_path: Path, receiver: RealReceiver
) -> None:
    standby = Server(copy_of=server)
    try:
        server.reload(synchronous_standby_names="*")
        both = f"postgresql://postgres@/{DATABASE}?host={server.sockets},{standby.sockets}"
        with town(tmp_path, both) as here:
            hub = here.start("serve", "--port", "0")
            here.start("work")
            key = hub.ready["api_key"]
            add_endpoint(hub, receiver)
            accepted = []
            for number in range(40):
                if number == 20:
                    server.kill()
                    standby.promote()
                order = {"store": "main", "order_key": f"order-{number}"}

                def told(order: dict[str, str] = order) -> bool:
                    reply = hub.ask("POST", "/v1/orders", order, key=key)
                    if reply.status in (200, 201):
                        accepted.append(reply.body["order_id"])
                    return reply.status in (200, 201)

                until(told)
            until(lambda: {r.order_id for r in receiver.accepted()} >= set(accepted))
            assert len(set(accepted)) == 40
            shown = hub.ask("GET", f"/v1/orders/{accepted[0]}", key=key)
            assert shown.status == 200
    finally:
        standby.remove()
        server.start()
        server.reload(synchronous_standby_names="")


def test_a_program_older_than_the_database_says_so_and_ends(url: str, tmp_path: Path) -> None:
    with town(tmp_path, url) as here:
        assert here.refused("account", "add", "one").returncode == 0
        asyncio.run(execute(url, "UPDATE schema_version SET number = 99"))
        done = here.refused("work")
        assert done.returncode == 5
        assert "written by a newer version of Milepost. It is at 99" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_database_that_cannot_be_reached_or_named_is_one_line_without_its_password(
    tmp_path: Path,
) -> None:
    for url, code in (
        ("postgresql://milepost:hidden-word@127.0.0.1:1/milepost", 5),
        ("postgresql://milepost@127.0.0.1/milepost?password=hidden-word&sslmode=perhaps", 2),
    ):
        with town(tmp_path, url) as here:
            done = here.refused("work")
        assert (done.returncode, done.stdout) == (code, "")
        assert "hidden-word" not in done.stderr
        assert "Traceback" not in done.stderr
