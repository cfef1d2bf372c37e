"""Attention: grouped and counted, each thing with what can be done, and done in place."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from milepost.attention import Kind
from milepost.dashboard.attention import ABOUT
from milepost.dashboard.orders_changes import allowed_text
from milepost.delivery.model import Reply
from milepost.orders.lifecycle import State
from milepost.ports.people import Role
from tests.doors.desk import Desk
from tests.doors.pages import Seen, Visitor, a_person


def matters(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get("/v1/attention").json["matters"]
    return found


def do(visitor: Visitor, what: str, **fields: str) -> Seen:
    visitor.get("/attention")
    done = visitor.post(f"/attention/do/{what}", **fields)
    return visitor.follow(done) if done.status == 303 else done


def troubled(desk: Desk) -> str:
    """A paused endpoint, an impossible update, one without an order, and one that is late."""
    paused = str(desk.endpoint(description="ERP")["endpoint"]["endpoint_id"])
    desk.post(f"/v1/endpoints/{paused}/pause")
    desk.order("B-1")
    desk.update("B-1", state="cancelled")
    desk.update("B-1", state="packed")
    desk.update("B-1", state="created", occurred_at="2026-01-01T00:00:00Z")
    desk.update("B-9", state="packed")
    desk.clock.forward(hours=2)
    return paused


def given_up(desk: Desk) -> str:
    """An endpoint that has given a notification up."""
    endpoint = desk.endpoint(schedule="rehearsal", description="ERP")["endpoint"]["endpoint_id"]
    desk.outside.answer = lambda _request: Reply(500)
    desk.order("B-1")
    for _ in range(1_000):
        desk.run(asyncio.sleep(0.01))
        if desk.get("/v1/deliveries?state=abandoned").json["deliveries"]:
            return str(endpoint)
        desk.clock.forward(seconds=2)
    raise AssertionError("nothing was given up")


def test_nothing_needs_a_person_and_that_is_a_pleasure(desk: Desk) -> None:
    desk.endpoint()
    desk.order()
    seen = a_person(desk).get("/attention")
    assert seen.status == 200
    assert "Nothing needs you" in seen.text


def test_each_kind_has_its_words() -> None:
    assert set(ABOUT) == set(Kind)


def test_what_needs_a_person_is_grouped_with_the_most_urgent_first(desk: Desk) -> None:
    troubled(desk)
    seen = a_person(desk).get("/attention")
    titles = ["Paused endpoints", "Impossible updates", "Updates without an order", "Late updates"]
    places = [seen.text.index(f"{title} 1") for title in titles]
    assert places == sorted(places)
    assert "There is no way from cancelled to packed" in seen.text
    assert "It happened at Jan 1, 2026, 00:00:00 UTC, before" in seen.text


def test_the_page_reads_a_number_of_times_that_its_length_does_not_change(desk: Desk) -> None:
    troubled(desk)
    person = a_person(desk)
    few = [name for name in person.get("/attention").calls if name != "see_session"]
    for number in range(30):
        desk.order(f"C-{number}")
        desk.update(f"C-{number}", state="cancelled")
        desk.update(f"C-{number}", state="packed")
    many = person.get("/attention")
    assert many.calls == few
    assert len(few) <= 22
    assert "See all 31" in many.text
    assert many.html.count('<li class="matter"') == 6 + 3


def test_one_kind_goes_on_page_by_page(desk: Desk) -> None:
    desk.order("B-1")
    desk.update("B-1", state="cancelled")
    for _ in range(51):
        desk.clock.forward(seconds=1)
        desk.update("B-1", state="packed")
    person = a_person(desk)
    first = person.get("/attention?kind=update_illegal")
    assert first.html.count('<li class="matter"') == 50
    (after,) = [part.split('"')[0] for part in first.html.split('rel="next" href="')[1:]]
    rest = person.get(after.replace("&amp;", "&"))
    assert rest.html.count('<li class="matter"') == 1
    assert person.get("/attention?kind=nothing").status == 422


def test_a_reader_sees_it_all_without_a_button(desk: Desk) -> None:
    paused = troubled(desk)
    reader = a_person(desk, Role.READER, sees=desk.account_id)
    seen = reader.get("/attention")
    assert "Impossible updates" in seen.text
    assert "/attention/do/" not in seen.html
    assert "data-opens" not in seen.html
    assert reader.post("/attention/do/resume", endpoint=paused).status == 403
    assert reader.get("/attention/resend?endpoint=ep_1").status == 403


def test_another_account_has_nothing_of_this_ones(desk: Desk) -> None:
    paused = troubled(desk)
    merchant = a_person(desk, Role.MERCHANT, sees=desk.another().account_id)
    assert "Nothing needs you" in merchant.get("/attention").text
    assert do(merchant, "resume", endpoint=paused).status == 404
    assert desk.get(f"/v1/endpoints/{paused}").json["state"] == "paused"


def test_a_paused_endpoint_is_resumed_in_place(desk: Desk) -> None:
    paused = troubled(desk)
    seen = do(a_person(desk), "resume", endpoint=paused)
    assert "Resumed." in seen.text
    assert "Paused endpoints" not in seen.text


def test_an_order_that_is_waited_for_is_created_in_place(desk: Desk) -> None:
    troubled(desk)
    seen = do(a_person(desk), "create", store="berlin", order_key="B-9")
    assert "it is packed" in seen.text
    assert "Updates without an order" not in seen.text


def test_what_is_put_aside_is_gone_and_of_a_kind_what_was_seen(desk: Desk) -> None:
    troubled(desk)
    person = a_person(desk)
    item = next(m["attention_id"] for m in matters(desk) if m["kind"] == "update_stale")
    assert "Late updates" not in do(person, "dismiss", item=item).text
    seen_until = next(m["since"] for m in matters(desk) if m["kind"] == "update_illegal")
    desk.clock.forward(seconds=5)
    desk.update("B-1", state="picking")
    left = do(person, "dismiss-kind", kind="update_illegal", until=seen_until).text
    assert "Impossible updates 1" in left
    assert "There is no way from cancelled to picking" in left


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("nothing", {}),
        ("dismiss", {"item": "x"}),
        ("dismiss-kind", {}),
        ("dismiss-kind", {"kind": "x"}),
    ],
)
def test_what_cannot_be_done_is_refused(desk: Desk, what: str, fields: dict[str, str]) -> None:
    assert do(a_person(desk), what, **fields).status == 422


def test_an_impossible_update_is_applied_as_a_correction_in_place(desk: Desk) -> None:
    desk.order("B-1")
    desk.update("B-1", state="shipped")
    desk.update("B-1", state="delivered")
    desk.update("B-1", state="in_transit")
    (matter,) = matters(desk)
    person = a_person(desk)
    assert f'action="/updates/{matter["update_id"]}/apply"' in person.get("/attention").html
    done = person.post(
        f"/updates/{matter['update_id']}/apply", note="It came back", back="attention"
    )
    assert done.location == "/attention"
    assert "Order B-1 is in transit now." in person.follow(done).text


def test_a_silent_order_can_be_held_from_the_list(desk: Desk) -> None:
    order_id = desk.order("B-1")
    desk.update("B-1", state="picking")
    desk.clock.forward(days=2)
    desk.run(desk.hub.silences.look())
    person = a_person(desk)
    assert "Silent orders 1" in person.get("/attention").text
    done = person.post(
        f"/orders/{order_id}/tell", state="on_hold", note="Nobody answers", back="attention"
    )
    assert "Order B-1 is on hold now." in person.follow(done).text


def test_what_was_given_up_is_counted_before_it_is_sent_again(sending: Desk) -> None:
    endpoint = given_up(sending)
    person = a_person(sending)
    listed = person.get("/attention")
    assert "Notifications given up 1" in listed.text
    assert f"/attention/resend?endpoint={endpoint}" in listed.html
    seen = person.get(f"/attention/resend?endpoint={endpoint}&span=week")
    assert "1 notification was given up" in seen.text
    since = seen.html.split('name="since" value="')[1].split('"')[0]
    sending.outside.answer = lambda _request: Reply(204)
    done = person.post("/attention/resend", endpoint=endpoint, span="week", since=since)
    assert "is sent again" in person.follow(done).text
    sending.quiet()
    (delivery,) = sending.get("/v1/deliveries").json["deliveries"]
    assert (delivery["state"], delivery["replay"]) == ("acknowledged", 1)
    assert person.get("/attention/resend?endpoint=ep_0000000000").status == 404
    assert person.get(f"/attention/resend?endpoint={endpoint}&span=ever").status == 422
    local = person.post(
        "/attention/resend", endpoint=endpoint, span="day", since="2026-11-23T08:00"
    )
    assert local.status == 422


def test_one_that_was_given_up_is_sent_again_in_place(sending: Desk) -> None:
    given_up(sending)
    (matter,) = [m for m in matters(sending) if m["kind"] == "delivery_abandoned"]
    sending.outside.answer = lambda _request: Reply(204)
    seen = do(a_person(sending), "resend", delivery=matter["delivery_id"])
    assert "It is sent again" in seen.text
    assert "Notifications given up" not in seen.text


def test_the_navigation_counts_what_is_urgent_without_a_read_of_its_own(desk: Desk) -> None:
    troubled(desk)
    person = a_person(desk)
    before = person.get("/orders")
    assert before.calls[-3:] == ["accounts", "stores", "orders"]
    assert "need a person" not in before.text
    part = person.get("/attention/count", **{"milepost-part": "badge"})
    assert part.text == "3 need a person"
    assert person.get("/attention/count").calls == ["find_session", "accounts"]
    assert "Attention 3 need a person" in person.get("/orders").text
    desk.clock.forward(seconds=11)
    assert len(person.get("/attention/count").calls) > 5


def test_an_end_for_good_allows_nothing() -> None:
    assert allowed_text(State.RETURNED) == "nothing: returned is an end for good"
    assert "; or, as a correction, " in allowed_text(State.SHIPPED)


def test_reasons_are_shown_with_times_and_words_as_elsewhere(desk: Desk) -> None:
    person = a_person(desk)
    desk.order("B-1")
    desk.update("B-1", state="cancel_requested")
    desk.update("B-1", state="created", occurred_at=(desk.clock.at - timedelta(1)).isoformat())
    text = person.get("/attention").text
    assert "cancel_requested" not in text
    assert "+00:00" not in text
