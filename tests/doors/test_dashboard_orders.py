"""Orders on their pages: found by any id, shown with all that was told of them, and changed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from milepost.delivery.model import Reply, Request
from milepost.ports.people import Role
from tests.doors.desk import Desk
from tests.doors.pages import Seen, Visitor, a_person

LIFE = ["order", "endpoints", "told", "history", "kept_of_order"]
PAGE = ["find_session", "accounts", *LIFE, "receipts", "deliveries", "trackings"]


def lived(desk: Desk, *states: str, key: str = "B-1") -> str:
    """An order that has been through these states."""
    order_id = desk.order(key)
    for state in states:
        assert desk.update(key, state=state).status == 200
    return order_id


def deliveries_of(desk: Desk, order_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get(f"/v1/orders/{order_id}/deliveries").json["deliveries"]
    return found


def settled(desk: Desk, order_id: str, done: Callable[[dict[str, Any]], bool]) -> None:
    """Lets time go by until every notification of the order is so."""
    for _ in range(1_000):
        desk.run(asyncio.sleep(0.01))
        if all(done(one) for one in deliveries_of(desk, order_id)):
            return
        desk.clock.forward(seconds=2)
    raise AssertionError("it did not come to that")


def tell(visitor: Visitor, order_id: str, **fields: str) -> Seen:
    visitor.get(f"/orders/{order_id}")
    return visitor.post(f"/orders/{order_id}/tell", **fields)


def forms_of(seen: Seen) -> list[str]:
    """Where the forms of the page's own go."""
    return re.findall(
        r'<form[^>]+action="(/(?:orders|deliveries|updates|attention)/[^"]+)"', seen.html
    )


# the list


def test_an_empty_list_says_what_to_do_next(desk: Desk) -> None:
    seen = a_person(desk).get("/orders")
    assert "No orders yet" in seen.text
    assert 'href="/sandbox"' in seen.html


def test_the_list_is_filtered_and_goes_on_page_by_page(desk: Desk) -> None:
    for number in range(51):
        desk.order(f"B-{number}")
    desk.update("B-3", state="on_hold")
    person = a_person(desk)
    seen = person.get("/orders")
    assert seen.calls == ["find_session", "accounts", "stores", "orders"]
    assert "B-50" in seen.text
    assert "B-0 " not in seen.text
    older = re.search(r'rel="next" href="([^"]+)"', seen.html)
    assert older is not None
    assert "B-0 " in person.get(older[1]).text
    held = person.get("/orders?state=on_hold").text
    assert "B-3 berlin" in held
    assert "B-4 berlin" not in held
    assert person.get("/orders?state=nowhere").status == 422


# finding


def test_every_id_of_an_order_leads_to_its_page(desk: Desk) -> None:
    desk.endpoint()
    order_id = desk.order("B-1", order_number="1001")
    desk.update("B-1", state="shipped", carrier="UPS", tracking_number="1Z999")
    desk.update("B-1", state="created")
    kept = desk.get("/v1/quarantine").json["updates"][0]["update_id"]
    person = a_person(desk)
    public = "D" + order_id.removeprefix("ord_").upper()
    for text in (order_id, "B-1", "1001", "%231001", "1Z999", public, kept, "  B-1 "):
        seen = person.get(f"/orders?find={text.replace(' ', '+')}")
        assert (seen.status, seen.location) == (303, f"/orders/{order_id}"), text
    name = deliveries_of(desk, order_id)[0]["delivery_id"]
    assert person.get(f"/orders?find={name}").location == f"/deliveries/{name}"


def test_a_message_of_a_source_leads_to_its_order(desk: Desk) -> None:
    order_id = desk.order("B-1")
    person = a_person(desk)
    for receipt in desk.get("/v1/receipts").json["receipts"]:
        assert person.get(f"/orders?find={receipt['receipt_id']}").location.endswith(order_id)
    assert person.get("/orders?find=rcp_01k8x5v0q2m4n6p8r0s2t4v6w8").status == 200


def test_several_of_one_name_are_listed_and_none_says_what_was_looked_for(desk: Desk) -> None:
    for key in ("B-1", "B-2"):
        desk.order(key, order_number="same")
    person = a_person(desk)
    seen = person.get("/orders?find=same")
    assert seen.status == 200
    assert "2 orders have this name" in seen.text
    none = person.get("/orders?find=<b>x")
    assert "“<b>x”" in none.text
    assert "<b>x" not in none.html
    assert "tracking number" in none.text
    assert "webhook-id" in none.text
    assert person.get("/orders?find=a%00b").status == 422


# the page


def test_an_orders_page_reads_a_bounded_number_of_times(desk: Desk) -> None:
    for _ in range(3):
        desk.endpoint()
    order_id = lived(desk, "verified", "picking", "packed", "shipped")
    person = a_person(desk)
    seen = person.get(f"/orders/{order_id}")
    assert seen.calls == PAGE
    assert len(deliveries_of(desk, order_id)) == 15
    assert seen.html.count('<tr><th scope="row"><a href="/deliveries/') == 10
    older = re.search(r'rel="next" href="([^"]+)"', seen.html)
    assert older is not None
    again = person.get(older[1])
    assert again.calls == PAGE
    assert again.html.count('<tr><th scope="row"><a href="/deliveries/') == 5


def test_what_happened_and_what_did_not_stand_in_one_line_of_time(desk: Desk) -> None:
    order_id = desk.order("B-1")
    desk.clock.forward(hours=1)
    desk.update(
        "B-1",
        state="picking",
        source="wms",
        raw="PICK_STARTED",
        occurred_at="2026-11-23T08:30:00Z",
    )
    desk.clock.forward(hours=1)
    desk.update("B-1", state="verified", source="shop", occurred_at="2026-11-23T08:10:00Z")
    seen = a_person(desk).get(f"/orders/{order_id}")
    late, picked, made = (seen.text.index(t) for t in ("not applied: stale", "wms said", "Created"))
    assert late < picked
    assert made
    assert "Nov 23, 2026, 08:30:00 UTC" in seen.text
    assert "came in Nov 23, 2026, 09:00:00 UTC" in seen.text
    assert "passed over verifying, verified, scheduled, submitted" in seen.text
    assert "PICK_STARTED" in seen.text
    assert "The way of the order: created, then picking (passing over verifying" in seen.html


def test_long_lives_are_shown_a_piece_at_a_time(desk: Desk) -> None:
    order_id = lived(desk, "submitted")
    for _ in range(30):
        desk.update("B-1", state="on_hold")
        desk.update("B-1", state="picking")
    person = a_person(desk)
    seen = person.get(f"/orders/{order_id}")
    assert seen.calls == PAGE
    assert seen.html.count('<li class="event') == 50
    earlier = re.search(rf'href="(/orders/{order_id}\?until=\d+)"', seen.html)
    assert earlier is not None
    rest = person.get(earlier[1])
    assert rest.html.count('<li class="event') == 12
    assert "To the latest" in rest.text


def test_the_truth_is_beside_what_each_endpoint_acknowledged(sending: Desk) -> None:
    sending.endpoint(description="ERP")
    sending.endpoint("withings", description="Shop", options={"customer_id": "m"})
    order_id = lived(sending, "picking")
    sending.quiet()
    text = a_person(sending).get(f"/orders/{order_id}").text
    knows = text[text.index("What each endpoint knows") :]
    assert "ERP Up to date It is picking It acknowledged picking" in knows
    assert "Shop Up to date It is PROCESSING It acknowledged PROCESSING" in knows


def test_parcels_are_shown_with_a_link_that_is_no_script(desk: Desk) -> None:
    order_id = desk.order("B-1")
    desk.update(
        "B-1",
        state="shipped",
        carrier="UPS",
        tracking_number="1Z1",
        tracking_url="https://ups.example/1Z1",
    )
    seen = a_person(desk).get(f"/orders/{order_id}")
    assert 'href="https://ups.example/1Z1" rel="noopener noreferrer"' in seen.html
    assert "UPS Shipped 1Z1" in seen.text


@pytest.mark.parametrize("name", ["ord_01k8x5v0q2m4n6p8r0s2t4v6w8", "x", "ord_%00", "ORD_1"])
def test_an_order_that_is_not_there_has_no_page(desk: Desk, name: str) -> None:
    seen = a_person(desk).get(f"/orders/{name}")
    assert seen.status == 404
    assert "Nothing here" in seen.text


def test_another_accounts_records_are_not_there(desk: Desk) -> None:
    desk.endpoint()
    order_id = lived(desk, "cancelled")
    desk.update("B-1", state="picking")
    name = deliveries_of(desk, order_id)[0]["delivery_id"]
    kept = desk.get("/v1/quarantine").json["updates"][0]["update_id"]
    merchant = a_person(desk, Role.MERCHANT, sees=desk.another().account_id)
    nowhere = merchant.get("/orders/ord_01k8x5v0q2m4n6p8r0s2t4v6w8").text
    for path in (f"/orders/{order_id}", f"/deliveries/{name}", f"/updates/{kept}"):
        seen = merchant.get(path)
        assert (seen.status, seen.text) == (404, nowhere), path
    for path in (
        f"/orders/{order_id}/tell",
        f"/orders/{order_id}/resend",
        f"/deliveries/{name}/resend",
        f"/updates/{kept}/apply",
    ):
        merchant.get("/orders")
        done = merchant.post(path, state="on_hold", note="x")
        assert done.status == 404 or done.location.startswith("/orders/"), path
    for text in (order_id, "B-1", name, kept):
        assert "Nothing is called that" in merchant.get(f"/orders?find={text}").text
    assert desk.get(f"/v1/orders/{order_id}").json["state"] == "cancelled"


def test_an_erased_order_is_shown_without_what_could_be_done(desk: Desk) -> None:
    desk.endpoint()
    order_id = desk.order("B-1", ship_to={"name": "Ada Example"})
    name = deliveries_of(desk, order_id)[0]["delivery_id"]
    assert desk.post(f"/v1/orders/{order_id}/erase", {"abandon_pending": True}).status == 200
    person = a_person(desk)
    seen = person.get(f"/orders/{order_id}")
    assert seen.status == 200
    assert "personal data of this order was erased" in seen.text
    assert "Ada Example" not in seen.text
    assert forms_of(seen) == []
    assert "These bytes were erased" in person.get(f"/deliveries/{name}").text
    refused = person.post(f"/orders/{order_id}/tell", state="on_hold", note="x")
    assert refused.status == 409


# telling


def test_what_is_told_goes_through_the_same_flow_as_every_update(desk: Desk) -> None:
    order_id = lived(desk, "verified")
    person = a_person(desk)
    done = tell(person, order_id, state="on_hold", note="The customer called")
    seen = person.follow(done)
    assert "Order B-1 is on hold now." in seen.text
    assert "“The customer called”" in seen.text
    (*_, event) = desk.get(f"/v1/orders/{order_id}/events").json["events"]
    assert (event["source"], event["note"]) == ("operator", "The customer called")


def test_an_illegal_step_is_a_form_error_that_says_what_is_allowed(desk: Desk) -> None:
    order_id = lived(desk, "shipped", "delivered")
    person = a_person(desk)
    seen = tell(person, order_id, state="picking", note="typed <this>")
    assert seen.status == 422
    assert "Expected a correction, as delivered is an end:" in seen.text
    assert "undeliverable" in seen.text
    assert 'data-open-now="tell"' in seen.html
    assert "typed &lt;this&gt;" in seen.html
    assert desk.get("/v1/quarantine").json["updates"] == []


def test_a_correction_needs_a_reason_and_is_called_one(desk: Desk) -> None:
    order_id = lived(desk, "shipped", "delivered")
    person = a_person(desk)
    seen = tell(person, order_id, state="correction:in_transit")
    assert seen.status == 422
    assert "Expected why" in seen.text
    again = tell(person, order_id, state="correction:in_transit", note="The neighbor had it not")
    assert "Order B-1 is in transit now." in person.follow(again).text
    (*_, event) = desk.get(f"/v1/orders/{order_id}/events").json["events"]
    assert event["correction"] is True


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"state": "nowhere"}, "Expected a state that can follow verified"),
        ({"state": ""}, "Expected a state that can follow verified"),
        ({"state": "on_hold"}, "Expected why"),
        ({"state": "picking", "note": "x" * 1_001}, "Expected"),
    ],
)
def test_a_form_that_does_not_fit_comes_back(desk: Desk, fields: dict[str, str], says: str) -> None:
    order_id = lived(desk, "verified")
    seen = tell(a_person(desk), order_id, **fields)
    assert seen.status == 422
    assert says in seen.text


def test_a_parcels_facts_can_be_told_without_a_state(desk: Desk) -> None:
    order_id = lived(desk, "shipped")
    person = a_person(desk)
    done = tell(person, order_id, state="", carrier="DHL", tracking_number="JD01")
    assert "DHL" in person.follow(done).text


def test_a_reader_sees_everything_and_can_press_nothing(desk: Desk) -> None:
    desk.endpoint()
    order_id = lived(desk, "verified")
    desk.update("B-1", state="created", occurred_at="2026-01-01T00:00:00Z")
    name = deliveries_of(desk, order_id)[0]["delivery_id"]
    kept = desk.get("/v1/quarantine").json["updates"][0]["update_id"]
    reader = a_person(desk, Role.READER, sees=desk.account_id)
    for path in (f"/orders/{order_id}", f"/deliveries/{name}", f"/updates/{kept}"):
        seen = reader.get(path)
        assert seen.status == 200, path
        assert forms_of(seen) == [], path
        assert "data-opens" not in seen.html, path
    assert reader.post(f"/orders/{order_id}/tell", state="on_hold", note="x").status == 403
    assert reader.post(f"/deliveries/{name}/resend").status == 403


# one notification


def test_a_notification_is_shown_as_it_was_sent_and_answered(sending: Desk) -> None:
    made = sending.endpoint()
    sending.outside.answer = lambda _: Reply(500, body=b"<oops>", duration_ms=12.0)
    order_id = sending.order("B-1")
    settled(sending, order_id, lambda one: one["attempts"] >= 1)
    (request,) = sending.outside.requests[:1]
    (delivery,) = deliveries_of(sending, order_id)
    person = a_person(sending)
    seen = person.get(f"/deliveries/{delivery['delivery_id']}")
    for name, value in request.headers:
        assert name in seen.text
        assert value in seen.text, name
    assert request.body.decode() in seen.text
    assert "&lt;oops&gt;" in seen.html
    assert "Server error 500 in 12 ms" in seen.text
    assert made["endpoint"]["url"] in seen.text


def test_a_notifications_page_reads_a_bounded_number_of_times(desk: Desk) -> None:
    desk.endpoint()
    (delivery,) = deliveries_of(desk, desk.order("B-1"))
    seen = a_person(desk).get(f"/deliveries/{delivery['delivery_id']}")
    assert seen.calls == ["find_session", "accounts", "delivery", "attempts", "endpoint", "order"]
    assert "It was not tried yet." in seen.text


def test_what_is_not_known_any_more_is_said(sending: Desk) -> None:
    endpoint_id = sending.endpoint()["endpoint"]["endpoint_id"]
    order_id = sending.order("B-1")
    sending.quiet()
    (delivery,) = deliveries_of(sending, order_id)
    path = f"/deliveries/{delivery['delivery_id']}"
    person = a_person(sending)
    assert "was changed" not in person.get(path).text
    sending.clock.forward(hours=1)
    assert sending.post(f"/v1/endpoints/{endpoint_id}/rotate", {}).status == 200
    assert "The endpoint was changed" in person.get(path).text
    assert sending.send("DELETE", f"/v1/endpoints/{endpoint_id}").status == 200
    gone = person.get(path)
    assert gone.status == 200
    assert "not known any more: the endpoint was removed" in gone.text


def test_a_password_is_never_shown(sending: Desk) -> None:
    credentials = {"username": "hub", "password": "correct-horse"}
    sending.endpoint("shipmonk", credentials=credentials, description="Store")
    order_id = sending.order("B-1")
    sending.quiet()
    request: Request = sending.outside.requests[0]
    sent = dict(request.headers)["authorization"]
    (delivery,) = deliveries_of(sending, order_id)
    seen = a_person(sending).get(f"/deliveries/{delivery['delivery_id']}")
    assert "authorization" in seen.text
    assert sent.removeprefix("Basic ") not in seen.html
    assert "never shown" in seen.text


def test_one_is_sent_again_and_all_that_failed_of_an_order(sending: Desk) -> None:
    sending.endpoint(schedule="rehearsal")
    sending.outside.answer = lambda _: Reply(500)
    order_id = sending.order("B-1")
    settled(sending, order_id, lambda one: one["state"] == "abandoned")
    person = a_person(sending)
    seen = person.get(f"/orders/{order_id}")
    assert "1 notification was given up." in seen.text
    sending.outside.answer = lambda _: Reply(204)
    done = person.post(f"/orders/{order_id}/resend")
    assert "1 notification is on the way again." in person.follow(done).text
    sending.quiet()
    (delivery,) = deliveries_of(sending, order_id)
    assert (delivery["state"], delivery["replay"]) == ("acknowledged", 1)
    again = person.post(f"/deliveries/{delivery['delivery_id']}/resend")
    assert again.location.endswith("-r2")
    assert "It is sent again" in person.follow(again).text
    nothing = person.post(f"/orders/{order_id}/resend")
    assert "Nothing was given up here." in person.follow(nothing).text


# live


def test_a_part_of_the_page_can_be_asked_for_alone(desk: Desk) -> None:
    order_id = lived(desk, "verified")
    part = a_person(desk).get(f"/orders/{order_id}", **{"milepost-part": "stand"})
    assert part.status == 200
    assert "<html" not in part.html
    assert "Verified" in part.text


def test_the_events_of_an_order_that_is_not_there_are_refused(desk: Desk) -> None:
    assert a_person(desk).get("/orders/ord_01k8x5v0q2m4n6p8r0s2t4v6w8/events").status == 404


# updates that were not applied


def test_a_kept_update_can_be_applied_with_a_reason(desk: Desk) -> None:
    order_id = lived(desk, "shipped", "delivered")
    desk.update("B-1", state="in_transit", source="carrier", raw="Departed")
    kept = desk.get("/v1/quarantine").json["updates"][0]["update_id"]
    person = a_person(desk)
    seen = person.get(f"/updates/{kept}")
    assert seen.calls == ["find_session", "accounts", "kept", "order"]
    assert "Departed" in seen.text
    assert person.post(f"/updates/{kept}/apply").status == 422
    done = person.post(f"/updates/{kept}/apply", note="Scanned at the depot")
    assert "Order B-1 is in transit now." in person.follow(done).text
    (*_, event) = desk.get(f"/v1/orders/{order_id}/events").json["events"]
    assert (event["correction"], event["raw"]) == (True, "Departed")
    assert desk.get("/v1/attention").json["matters"] == []


def test_a_kept_update_that_no_correction_allows_says_what_is(desk: Desk) -> None:
    lived(desk, "cancelled")
    desk.update("B-1", state="packed")
    kept = desk.get("/v1/quarantine").json["updates"][0]["update_id"]
    person = a_person(desk)
    person.get(f"/updates/{kept}")
    seen = person.post(f"/updates/{kept}/apply", note="No")
    assert seen.status == 422
    assert "Expected a state that can follow cancelled: shipped" in seen.text
