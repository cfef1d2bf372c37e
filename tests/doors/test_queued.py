"""A receiver that was away reads what was queued for its endpoint."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from milepost.contracts import ROOMS
from tests.doors.desk import START, Desk


def items(desk: Desk, query: str = "", *, endpoint_id: str) -> list[dict[str, Any]]:
    answer = desk.get(f"/v1/endpoints/{endpoint_id}/deliveries{query}")
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json["deliveries"]
    return found


@pytest.mark.parametrize("contract", sorted(ROOMS))
def test_what_is_read_is_what_was_sent(sending: Desk, contract: str) -> None:
    options = {"customer_id": "1", "profile": "form"} if contract == "withings" else {}
    endpoint_id = sending.endpoint(contract, options=options)["endpoint"]["endpoint_id"]
    sending.order()
    sending.update(state="submitted")
    sending.update(state="shipped", carrier="UPS", tracking_number="1Z")
    sending.quiet()
    sent = {
        headers["webhook-id"]: (headers["content-type"], request.body)
        for request in sending.outside.requests
        for headers in [{name.lower(): value for name, value in request.headers}]
    }
    found = items(sending, endpoint_id=endpoint_id)
    assert len(found) == len(sent) > 0
    assert [d["sequence"] for d in found] == sorted(d["sequence"] for d in found)
    for one in found:
        raw = one["body"].encode()
        if one["body_encoding"] == "base64":
            raw = base64.b64decode(one["body"])
        assert (one["content_type"], raw) == sent[one["delivery_id"]]


def test_a_page_goes_on_and_says_where_to_begin_another_time(desk: Desk) -> None:
    endpoint_id = desk.endpoint()["endpoint"]["endpoint_id"]
    for n in range(3):
        desk.order(f"B-{n}")
        desk.clock.forward(seconds=40)
    path = f"/v1/endpoints/{endpoint_id}/deliveries"
    first = desk.get(f"{path}?limit=2").json
    assert len(first["deliveries"]) == 2
    rest = desk.get(f"{path}?after={first['next']}").json
    assert (len(rest["deliveries"]), rest["next"]) == (1, None)
    # The last one is less than a minute old.
    assert rest["keep"] is None
    again = desk.get(f"{path}?after={first['keep']}").json
    assert again["deliveries"] == rest["deliveries"]
    desk.clock.forward(seconds=60)
    kept = desk.get(f"{path}?after={first['keep']}").json["keep"]
    assert desk.get(f"{path}?after={kept}").json == {"deliveries": [], "next": None, "keep": None}


def test_a_time_says_where_to_begin(desk: Desk) -> None:
    endpoint_id = desk.endpoint()["endpoint"]["endpoint_id"]
    desk.order("B-1")
    desk.clock.forward(seconds=10)
    later = desk.order("B-2")
    since = (START + timedelta(seconds=10)).isoformat().replace("+00:00", "Z")
    found = items(desk, f"?since={since}", endpoint_id=endpoint_id)
    assert [d["order_id"] for d in found] == [later]


def test_what_was_erased_has_no_bytes(sending: Desk) -> None:
    endpoint_id = sending.endpoint()["endpoint"]["endpoint_id"]
    order_id = sending.order()
    sending.quiet()
    assert sending.post(f"/v1/orders/{order_id}/erase", {}).status == 200
    (one,) = items(sending, endpoint_id=endpoint_id)
    assert (one["body"], one["body_encoding"], one["content_type"]) == (None, None, None)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "after=x",
        "since=yesterday",
        "since=0001-01-01T00:00:00%2B05:00",
        "a=b",
    ],
)
def test_a_bad_parameter_is_refused(desk: Desk, query: str) -> None:
    endpoint_id = desk.endpoint()["endpoint"]["endpoint_id"]
    assert desk.get(f"/v1/endpoints/{endpoint_id}/deliveries?{query}").status == 422
