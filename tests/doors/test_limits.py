"""How much a key and all keys together may ask for, and what is answered beyond it."""

from __future__ import annotations

import asyncio
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.api.bodies import OrderBody, order_input
from milepost.api.limits import MOST_REMEMBERED, Limits
from milepost.api.problems import TYPE_PREFIX
from milepost.auth import Principal
from milepost.errors import RateLimited
from milepost.exchange import Bucket
from milepost.settings import Settings
from tests.doors.desk import Answer, Desk, opened

ORDER = {"store": "berlin", "order_key": "B-1"}
UPDATE = {**ORDER, "state": "shipped", "source": "test"}


def orders(number: int, *, first: int = 0) -> dict[str, Any]:
    return {
        "orders": [{"store": "berlin", "order_key": f"B-{first + i}"} for i in range(number)],
    }


def assert_refused(answer: Answer, *, status: int, name: str) -> int:
    """The seconds to wait for."""
    assert answer.status == status, answer.body
    assert answer.json["type"] == TYPE_PREFIX + name
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"].isdigit()
    wait = int(answer.headers["retry-after"])
    assert wait >= 1
    return wait


def keys_of(desk: Desk) -> list[str]:
    return [order["order_key"] for order in desk.get("/v1/orders?limit=200").json["orders"]]


# the bucket


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = Bucket(rate=2, burst=3, at=0)
    assert [bucket.take(1, at=0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(1, at=0.25) == 0.25
    assert bucket.take(1, at=0.5) == 0
    assert bucket.take(3, at=99) == 0
    assert bucket.take(1, at=99) == 0.5


@given(
    rate=st.integers(1, 50),
    burst=st.integers(1, 50),
    asked=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 50)), max_size=60),
)
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate_allow(
    rate: int, burst: int, asked: list[tuple[float, int]]
) -> None:
    bucket, at, taken = Bucket(rate=rate, burst=burst, at=0), 0.0, 0
    for pause, number in asked:
        at += pause
        wait = bucket.take(number, at=at)
        if not wait:
            taken += number
        elif number <= burst:
            # What was promised is kept: after the wait it is there.
            at += wait + 1e-6
            assert bucket.take(number, at=at) == 0
            taken += number
        assert taken <= burst + rate * at + 1e-3


def test_keys_that_rest_are_forgotten_and_those_under_way_are_not() -> None:
    settings = Settings(key_requests_at_once=1)
    limits = Limits(settings, clock=lambda: 0.0)
    busy = Principal("acc_1", "key_busy")
    limits.enter(busy)
    for i in range(MOST_REMEMBERED + 10):
        limits.enter(Principal("acc_1", f"key_{i}")).leave()
    with pytest.raises(RateLimited):
        limits.enter(busy)
    assert len(limits._known) < MOST_REMEMBERED


# a key's rate


def test_a_key_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    with opened(tmp_path, key_requests_per_s=1, key_requests_burst=3) as desk:
        assert [desk.get("/v1/orders").status for _ in range(4)] == [200, 200, 200, 429]
        wait = assert_refused(desk.post("/v1/orders", ORDER), status=429, name="rate-limited")
        assert wait == 1
        desk.clock.forward(seconds=wait)
        assert desk.get("/v1/orders").json["orders"] == []
        desk.clock.forward(seconds=wait)
        assert desk.post("/v1/orders", ORDER).status == 201


def test_one_key_does_not_use_up_what_another_may_ask(tmp_path: Path) -> None:
    with opened(tmp_path, key_requests_per_s=1, key_requests_burst=2) as desk:
        other = desk.another()
        assert [desk.get("/v1/orders").status for _ in range(3)] == [200, 200, 429]
        assert other.get("/v1/orders").status == 200


def test_watching_the_process_needs_no_allowance(tmp_path: Path) -> None:
    with opened(tmp_path, key_requests_per_s=1, key_requests_burst=1) as desk:
        for _ in range(5):
            for target in ("/livez", "/readyz", "/metrics", "/openapi.json"):
                assert desk.get(target).status == 200


def test_a_request_without_a_valid_key_takes_nothing_from_anybody(tmp_path: Path) -> None:
    with opened(tmp_path, key_requests_per_s=1, key_requests_burst=1) as desk:
        for _ in range(5):
            assert desk.get("/v1/orders", key="mp_nobody").status == 401
        assert desk.get("/v1/orders").status == 200


def test_the_items_of_batches_are_limited_as_a_whole_batch_or_not_at_all(tmp_path: Path) -> None:
    with opened(tmp_path, key_items_per_s=10, key_items_burst=1, max_batch=20) as desk:
        assert desk.post("/v1/orders/batch", orders(20)).status == 200
        late = desk.post("/v1/orders/batch", orders(15, first=100))
        assert assert_refused(late, status=429, name="rate-limited") == 2
        assert sorted(keys_of(desk)) == sorted(f"B-{i}" for i in range(20))
        desk.clock.forward(seconds=1)
        told = {"updates": [UPDATE] * 11}
        assert_refused(desk.post("/v1/updates/batch", told), status=429, name="rate-limited")
        told = {"updates": [UPDATE] * 10}
        assert desk.post("/v1/updates/batch", told).status == 200
        assert_refused(desk.post("/v1/orders", ORDER), status=429, name="rate-limited")
        assert_refused(desk.post("/v1/updates", UPDATE), status=429, name="rate-limited")


def test_a_key_may_not_have_too_many_requests_under_way(tmp_path: Path) -> None:
    with opened(tmp_path, key_requests_at_once=2, body_within_s=0.3) as desk:

        async def crowd() -> list[int]:
            return await asyncio.gather(*(hanging(desk) for _ in range(3)))

        assert sorted(desk.run(crowd())) == [408, 408, 429]
        assert desk.post("/v1/orders", ORDER).status == 201
        assert desk.get("/v1/orders").status == 200


async def hanging(desk: Desk) -> int:
    """The status of a request whose body never comes."""
    statuses: list[int] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/orders",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"authorization", f"Bearer {desk.key}".encode()),
            (b"content-type", b"application/json"),
        ],
    }
    await desk.app(scope, receive, send)
    return statuses[0]


# back-pressure


def test_a_full_queue_refuses_and_takes_nothing_of_what_it_refused(tmp_path: Path) -> None:
    with opened(tmp_path, max_waiting=10) as desk:

        async def crowd() -> list[object]:
            intake, account = desk.hub.intake, desk.account_id
            inputs = [
                [
                    order_input(
                        OrderBody(store="berlin", order_key=f"{who}-{i}"),
                        rooms=desk.hub.rooms,
                        now=desk.clock(),
                    )
                    for i in range(8)
                ]
                for who in range(3)
            ]
            return list(
                await asyncio.gather(
                    *(intake.orders(account, one) for one in inputs), return_exceptions=True
                )
            )

        results = desk.run(crowd())
        taken = [i for i, one in enumerate(results) if not isinstance(one, Exception)]
        assert len(taken) < 3
        assert sorted(keys_of(desk)) == sorted(f"{who}-{i}" for who in taken for i in range(8))


Usage = namedtuple("Usage", "total used free")


def test_a_disk_that_is_nearly_full_refuses_what_comes_in_and_reading_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10_000]
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(100_000, 0, free[0]))
    with opened(tmp_path, min_free_bytes=5_000) as desk:
        look(desk)
        order_id = desk.order()
        free[0] = 4_999
        look(desk)
        for answer in intake_requests(desk):
            assert assert_refused(answer, status=503, name="disk-full") == 10
        assert keys_of(desk) == ["B-1"]
        assert desk.get(f"/v1/orders/{order_id}").json["sequence"] == 1
        assert desk.get("/readyz").status == 200
        free[0] = 5_000
        look(desk)
        assert [answer.status for answer in intake_requests(desk)] == [200, 201, 200, 200]


def test_too_many_pending_deliveries_refuse_what_comes_in_and_reading_works(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, max_pending=2) as desk:
        endpoint = desk.endpoint()["endpoint"]["endpoint_id"]
        look(desk)
        for key in ("B-1", "A-2", "A-3"):
            desk.order(key)
        look(desk)
        for answer in intake_requests(desk):
            assert_refused(answer, status=503, name="backlog-full")
        assert sorted(keys_of(desk)) == ["A-2", "A-3", "B-1"]
        assert len(desk.get("/v1/deliveries").json["deliveries"]) == 3
        # What makes room is let in: deliveries are sent, or an endpoint is removed.
        assert desk.send("DELETE", f"/v1/endpoints/{endpoint}").status == 200
        look(desk)
        assert [answer.status for answer in intake_requests(desk)] == [200, 201, 200, 200]


def look(desk: Desk) -> None:
    """Has the hub look at how full it is, as it does once a second."""
    desk.hub.pressure._next_at = float("-inf")
    desk.run(desk.hub.pressure.look())


def intake_requests(desk: Desk) -> list[Answer]:
    return [
        desk.post("/v1/orders/batch", orders(3, first=500)),
        desk.post("/v1/orders", {**ORDER, "order_key": "B-9"}),
        desk.post("/v1/updates", UPDATE),
        desk.post("/v1/updates/batch", {"updates": [UPDATE]}),
    ]


def test_however_many_ask_at_once_whether_it_is_ready_the_database_is_asked_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    keys = desk.hub.store.keys

    async def counted(account_id: str) -> Any:
        nonlocal asked
        asked += 1
        return await keys(account_id)

    monkeypatch.setattr(desk.hub.store, "keys", counted)

    async def all_at_once() -> None:
        await asyncio.gather(*(desk.hub.insights.check() for _ in range(20)))

    desk.run(all_at_once())
    assert asked == 1
    desk.run(desk.hub.insights.check())
    assert asked == 2
