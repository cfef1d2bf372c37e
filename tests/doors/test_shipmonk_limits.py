"""ShipMonk's order interface under abuse: limits with a date, and answers of one form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from milepost.emulators.shipmonk.windows import TooManyRequests, Window, retry_after
from tests.doors.desk import Desk

START = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)


def test_a_window_lets_so_many_in_and_says_when_it_opens_again() -> None:
    now = START
    window = Window(3, span=timedelta(minutes=30), now=lambda: now)
    for _ in range(3):
        window.enter("acc_one")
    with pytest.raises(TooManyRequests) as caught:
        window.enter("acc_one")
    window.enter("acc_two")
    again = parsedate_to_datetime(retry_after(caught.value.again_at).decode())
    assert START + timedelta(minutes=30) <= again <= START + timedelta(minutes=30, seconds=1)
    now = again
    window.enter("acc_one")


def test_lists_have_a_limit_of_their_own_with_a_date(desk: Desk) -> None:
    headers = {"api-key": desk.key}
    for _ in range(1_000):
        assert desk.get("/v1/integrations/orders-list?pageSize=1", headers=headers).status == 200
    answer = desk.get("/v1/integrations/orders-list?pageSize=1", headers=headers)
    assert answer.status == 429
    assert answer.json["status"] == 429
    assert parsedate_to_datetime(answer.headers["retry-after"]).tzinfo is not None
    assert desk.get("/v1/integrations/warehouses", headers=headers).status == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"store_id": 1e999}', 400),
        (b"[" * 100_000, 400),
        (b'{"order_key": "\xff"}', 400),
        (b'{"order_key": "a\\u0000"}', 400),
        (b" " * 300_000, 413),
    ],
)
def test_hostile_bodies_are_refused_in_the_published_form(
    desk: Desk, raw: bytes, status: int
) -> None:
    for path in ("order", "submit-order", "sandbox/complete-order"):
        answer = desk.post(f"/v1/integrations/{path}", raw=raw, headers={"api-key": desk.key})
        assert answer.status == status, path
        assert answer.json["status"] == status
        assert answer.json["data"]["message"]


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=99999999999999999999",
        "pageSize=0",
        "pageSize=101",
        "sortOrder=UP",
        "orderStatus=shipped",
        "orderType=gift",
        "updatedAtStart=yesterday",
        "orderKeys[]=",
        "page=1&page=2",
        "unknown=1",
        "orderKeys[]=%00",
        "orderKeys[]=%FF",
    ],
)
def test_hostile_queries_are_refused(desk: Desk, query: str) -> None:
    answer = desk.get(f"/v1/integrations/orders-list?{query}", headers={"api-key": desk.key})
    assert answer.status == 400, answer
    assert answer.json["data"]["message"]


def test_what_belongs_to_another_account_is_not_there(desk: Desk) -> None:
    other = desk.another()
    other.send("PUT", "/v1/stores/theirs", {})
    other.post("/v1/orders", {"store": "theirs", "order_key": "hidden"})
    headers = {"api-key": desk.key}
    assert desk.get("/v1/integrations/orders?orderKey=hidden", headers=headers).status == 404
    listed = desk.get("/v1/integrations/orders-list", headers=headers)
    assert listed.json["data"]["orders"] == []
    assert desk.get("/v1/integrations/orders-list").status == 401
