"""What was not delivered, what each endpoint knows of an order, and sending many again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from milepost.delivery.model import Reply
from tests.doors.desk import START, Desk
from tests.doors.test_records import pages

SINCE = "2026-11-01T00:00:00Z"


def give_up(desk: Desk, *keys: str) -> list[str]:
    """Orders whose notifications were all given up; afterwards receivers take everything."""
    desk.outside.answer = lambda _request: Reply(500)
    names = [desk.order(key) for key in keys]
    for _ in range(1_000):
        desk.run(asyncio.sleep(0.03))
        desk.clock.forward(days=2)
        if not desk.get("/v1/deliveries?state=pending").json["deliveries"]:
            break
    else:
        raise AssertionError("something is still pending")
    desk.outside.requests.clear()
    desk.outside.answer = lambda _request: Reply(204)
    return names


def done(desk: Desk, resend_id: str) -> dict[str, Any]:
    """A resend when it has ended."""
    for _ in range(300):
        found: dict[str, Any] = desk.get(f"/v1/resends/{resend_id}").json
        if found["state"] != "running":
            return found
        desk.run(asyncio.sleep(0.01))
    raise AssertionError("it still runs")


def truth(desk: Desk, order_id: str) -> dict[str, dict[str, Any]]:
    """What each endpoint knows, by its id."""
    answer = desk.get(f"/v1/orders/{order_id}/truth")
    assert answer.status == 200
    return {one["endpoint_id"]: one for one in answer.json["endpoints"]}


def test_what_was_not_delivered_is_listed_oldest_first_page_by_page(sending: Desk) -> None:
    first = sending.endpoint(schedule="rehearsal")["endpoint"]["endpoint_id"]
    names = give_up(sending, "B-1", "B-2")
    other = sending.endpoint()["endpoint"]["endpoint_id"]
    sending.post(f"/v1/endpoints/{other}/pause")
    sending.clock.forward(seconds=1)
    later = sending.order("B-3")
    sending.run(asyncio.sleep(0.1))
    target = "/v1/deliveries/undelivered"
    found = [d for page in pages(sending, target, "deliveries", limit=2) for d in page]
    assert [(d["order_id"], d["endpoint_id"], d["state"]) for d in found] == [
        (names[0], first, "abandoned"),
        (names[1], first, "abandoned"),
        (later, other, "pending"),
    ]
    narrowed = sending.get(f"{target}?endpoint={other}").json["deliveries"]
    assert [d["order_id"] for d in narrowed] == [later]


@pytest.mark.parametrize("query", ["limit=0", "after=x", "state=pending", "endpoint=a&endpoint=b"])
def test_a_bad_parameter_of_what_was_not_delivered_is_refused(desk: Desk, query: str) -> None:
    assert desk.get(f"/v1/deliveries/undelivered?{query}").status == 422


def test_the_truth_of_an_order_stands_beside_what_each_endpoint_acknowledged(
    sending: Desk,
) -> None:
    told = sending.endpoint()["endpoint"]["endpoint_id"]
    picky = sending.endpoint("withings", statuses=["delivered"], options={"customer_id": "1"})
    picky_id = picky["endpoint"]["endpoint_id"]
    order_id = sending.order()
    sending.update(state="shipped")
    sending.quiet()
    sending.clock.forward(seconds=5)
    late = sending.endpoint("shipmonk")["endpoint"]["endpoint_id"]
    answer = sending.get(f"/v1/orders/{order_id}/truth").json
    assert (answer["state"], answer["sequence"], answer["order_key"]) == ("shipped", 2, "B-1")
    by_endpoint = truth(sending, order_id)
    assert by_endpoint.keys() == {told, picky_id, late}
    assert {name: one["standing"] for name, one in by_endpoint.items()} == {
        told: "up_to_date",
        picky_id: "not_told",
        late: "not_told",
    }
    assert by_endpoint[told]["acknowledged"] == {
        "sequence": 2,
        "status": "shipped",
        "at": START.isoformat().replace("+00:00", "Z"),
    }
    assert by_endpoint[told]["shows"] == "shipped"
    assert by_endpoint[picky_id]["shows"] == "SHIPPED"
    assert not by_endpoint[picky_id]["subscribed"]
    assert by_endpoint[late]["subscribed"]


def test_an_endpoint_that_got_an_older_one_after_the_newest_is_behind(sending: Desk) -> None:
    endpoint_id = sending.endpoint()["endpoint"]["endpoint_id"]
    order_id = sending.order()
    sending.update(state="shipped")
    sending.quiet()
    sending.clock.forward(seconds=5)
    sending.post(f"/v1/deliveries/{order_id}-1-{endpoint_id}/resend")
    sending.quiet()
    (one,) = truth(sending, order_id).values()
    assert (one["standing"], one["acknowledged"]["sequence"]) == ("behind", 1)
    sending.clock.forward(seconds=5)
    told = {"endpoint_id": endpoint_id, "since": SINCE}
    begun = sending.post("/v1/resends/latest", told)
    assert begun.status == 202
    (resend,) = begun.json["resends"]
    assert done(sending, resend["resend_id"])["queued"] == 1
    sending.quiet()
    (one,) = truth(sending, order_id).values()
    assert (one["standing"], one["acknowledged"]["sequence"]) == ("up_to_date", 2)
    assert dict(sending.outside.requests[-1].headers)["webhook-id"].endswith(
        "-2-" + endpoint_id + "-r1"
    )


def test_what_was_given_up_or_waits_leaves_its_endpoint_behind_or_on_its_way(
    sending: Desk,
) -> None:
    endpoint_id = sending.endpoint()["endpoint"]["endpoint_id"]
    (order_id,) = give_up(sending, "B-1")
    (one,) = truth(sending, order_id).values()
    assert (one["standing"], one["abandoned"], one["acknowledged"]) == ("behind", 1, None)
    sending.post(f"/v1/endpoints/{endpoint_id}/pause")
    sending.update(state="shipped")
    (one,) = truth(sending, order_id).values()
    assert (one["standing"], one["state"], one["pending"]) == ("on_its_way", "paused", 1)
    assert one["waits_since"] == one["newest"]["created_at"]


def test_a_dry_run_counts_and_names_what_would_be_sent_and_sends_nothing(sending: Desk) -> None:
    endpoint_id = sending.endpoint()["endpoint"]["endpoint_id"]
    names = give_up(sending, "B-1", "B-2")
    answer = sending.post("/v1/resends/failed", {"since": SINCE, "dry_run": True})
    assert answer.status == 200
    (forecast,) = answer.json["forecasts"]
    assert (answer.json["dry_run"], answer.json["would_send"]) == (True, 2)
    assert (forecast["total"], forecast["pending"], forecast["more"]) == (2, 0, False)
    assert forecast["statuses"] == {"created": 2}
    assert [d["delivery_id"] for d in forecast["first"]] == [f"{n}-1-{endpoint_id}" for n in names]
    sending.run(asyncio.sleep(0.1))
    assert sending.outside.requests == []
    assert sending.get("/v1/resends").json == {"resends": [], "next": None}


def test_what_failed_is_sent_again_as_replays(sending: Desk) -> None:
    endpoint_id = sending.endpoint()["endpoint"]["endpoint_id"]
    names = give_up(sending, "B-1", "B-2")
    (resend,) = sending.post("/v1/resends/failed", {"since": SINCE}).json["resends"]
    assert resend["choice"] == {"what": "failed", "since": SINCE}
    after = done(sending, resend["resend_id"])
    assert (after["state"], after["queued"], after["endpoint_id"]) == ("done", 2, endpoint_id)
    sending.quiet()
    sent = [dict(r.headers)["webhook-id"] for r in sending.outside.requests]
    assert sorted(sent) == [f"{n}-1-{endpoint_id}-r1" for n in names]
    assert [r["resend_id"] for r in sending.get("/v1/resends").json["resends"]] == [
        resend["resend_id"]
    ]
    assert sending.post("/v1/resends/failed", {"since": SINCE}).json["resends"] == []


def test_a_span_of_time_and_a_range_of_an_order_are_sent_again(sending: Desk) -> None:
    endpoint_id = sending.endpoint()["endpoint"]["endpoint_id"]
    order_id = sending.order("B-1")
    for state in ("verified", "submitted", "packed"):
        sending.clock.forward(hours=1)
        sending.update("B-1", state=state)
    sending.quiet()
    sending.outside.requests.clear()
    sending.clock.forward(hours=1)
    span = {
        "endpoint_id": endpoint_id,
        "since": "2026-11-23T09:00:00Z",
        "until": "2026-11-23T10:30:00+00:00",
    }
    wanted = {"between": (span, [2, 3]), "order": ({"order_id": order_id, "first": 4}, [4])}
    for path, (told, sequences) in wanted.items():
        assert sending.post(f"/v1/resends/{path}", {**told, "dry_run": True}).json[
            "would_send"
        ] == len(sequences)
        (resend,) = sending.post(f"/v1/resends/{path}", told).json["resends"]
        assert done(sending, resend["resend_id"])["queued"] == len(sequences)
        sending.quiet()
        sent = [dict(r.headers)["milepost-sequence"] for r in sending.outside.requests]
        assert sent == [str(n) for n in sequences]
        sending.outside.requests.clear()


def test_a_resend_is_stopped_and_cannot_be_begun_too_often(desk: Desk) -> None:
    endpoint_id = desk.endpoint()["endpoint"]["endpoint_id"]
    begun = []
    for hour in range(4):
        told = {"endpoint_id": endpoint_id, "since": f"2026-11-20T0{hour}:00:00Z"}
        begun += desk.post("/v1/resends/failed", told).json["resends"]
    told = {"endpoint_id": endpoint_id, "since": SINCE}
    refused = desk.post("/v1/resends/failed", told)
    assert (refused.status, refused.json["type"]) == (
        409,
        "urn:milepost:problem:too-many-resends",
    )
    (same,) = desk.post(
        "/v1/resends/failed", {"endpoint_id": endpoint_id, "since": "2026-11-20T02:00:00+01:00"}
    ).json["resends"]
    assert same == begun[1]
    stopped = desk.post(f"/v1/resends/{begun[0]['resend_id']}/stop").json
    assert (stopped["state"], stopped["why"]) == ("stopped", "stopped by the operator")
    assert desk.post("/v1/resends/failed", told).status == 202


@pytest.mark.parametrize(
    ("path", "told", "status", "field"),
    [
        ("failed", {}, 422, "since"),
        ("failed", {"since": "2026-11-20T09:00:00"}, 422, "since"),
        ("failed", {"since": "yesterday"}, 422, "since"),
        ("failed", {"since": "0001-01-01T00:00:00+23:59"}, 422, "since"),
        ("failed", {"since": SINCE, "until": SINCE}, 422, "until"),
        ("latest", {"since": SINCE}, 422, "endpoint_id"),
        (
            "between",
            {"endpoint_id": "ENDPOINT", "since": SINCE, "until": "2026-10-01T00:00:00Z"},
            422,
            "until",
        ),
        ("order", {"order_id": "ORDER", "first": 0}, 422, "first"),
        ("order", {"order_id": "ORDER", "first": 5, "last": 4}, 422, "last"),
        ("order", {"order_id": "ORDER", "last": 2**31}, 422, "last"),
        ("order", {"order_id": "ord_none"}, 404, None),
        ("failed", {"since": SINCE, "endpoint_id": "ep_none"}, 404, None),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_cannot_be_chosen_is_refused_in_a_dry_run_too(
    desk: Desk, path: str, told: dict[str, Any], status: int, field: str | None, dry_run: bool
) -> None:
    known = {"ENDPOINT": desk.endpoint()["endpoint"]["endpoint_id"], "ORDER": desk.order()}
    named = {key: known.get(str(value), value) for key, value in told.items()}
    answer = desk.post(f"/v1/resends/{path}", {**named, "dry_run": dry_run})
    assert answer.status == status, answer.body
    assert answer.json.get("field") == field


def test_nobody_reads_or_resends_what_is_another_accounts(desk: Desk) -> None:
    endpoint_id = desk.endpoint()["endpoint"]["endpoint_id"]
    order_id = desk.order()
    told = {"endpoint_id": endpoint_id, "since": SINCE}
    (resend,) = desk.post("/v1/resends/latest", told).json["resends"]
    stranger = desk.another()
    assert stranger.get("/v1/deliveries/undelivered").json["deliveries"] == []
    assert stranger.get(f"/v1/orders/{order_id}/truth").status == 404
    assert stranger.get("/v1/resends").json["resends"] == []
    assert stranger.get(f"/v1/resends/{resend['resend_id']}").status == 404
    assert stranger.post(f"/v1/resends/{resend['resend_id']}/stop").status == 404
    assert stranger.post("/v1/resends/latest", told).status == 404
    assert stranger.post("/v1/resends/order", {"order_id": order_id}).status == 404
