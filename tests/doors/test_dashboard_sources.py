"""The pages of sources and receipts: set up in a provider's words, each message as it came."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from milepost.ports.people import Role
from tests.doors.desk import Desk
from tests.doors.pages import Seen, Visitor, a_person

SHIPPED = {"customer_id": "4711", "customer_ref": "B-1", "status": "SHIPPED"}
PATH = re.compile(r'value="http://hub\.example(/in/[A-Za-z0-9_-]{43})"')


def added(visitor: Visitor, name: str = "w", *, kind: str = "withings", **fields: str) -> Seen:
    visitor.get(f"/sources/_new?kind={kind}")
    told = {"source": name, "kind": kind, "store": "berlin", **fields}
    return visitor.post("/sources/_new", **told)


def path_in(seen: Seen) -> str:
    found = PATH.search(seen.html)
    assert found is not None, seen.text
    return found[1]


def sent(desk: Desk, path: str, told: Any = SHIPPED) -> dict[str, Any]:
    answer = desk.post(path, told, key="")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


def test_where_nobody_tells_the_page_leads_to_adding_a_source(desk: Desk) -> None:
    seen = a_person(desk).get("/sources")
    assert "Nobody tells by webhook yet" in seen.text
    assert 'href="/sources/_new"' in seen.html


def test_a_source_is_added_its_url_shown_once_and_what_it_sends_is_seen(desk: Desk) -> None:
    visitor = a_person(desk)
    path = path_in(added(visitor))
    order_id = desk.order()
    assert sent(desk, path)["verdict"] == "applied"
    listed = visitor.get("/sources")
    assert "w Withings order updates berlin" in listed.text
    assert "Applied 1" in listed.text
    page = visitor.get("/sources/w")
    assert "SHIPPED" in page.text
    assert f'href="/orders/{order_id}"' in page.html
    assert path not in page.html + listed.html
    assert "None like this" in visitor.get("/sources/w?verdict=orphan").text


def test_the_pages_of_sources_ask_the_store_a_bounded_number_of_times(desk: Desk) -> None:
    visitor = a_person(desk)
    for number in range(6):
        sent(desk, path_in(added(visitor, f"w{number}")))
    known = ["find_session", "accounts"]
    assert visitor.get("/sources").calls == [
        *known,
        "verdict_counts",
        "refusals",
        "last_received_each",
        "sources",
    ]
    assert visitor.get("/sources/w1").calls == [
        *known,
        "sources",
        "refusals",
        "last_received",
        "receipts",
        "verdict_counts",
        "reconciliations",
    ]


def test_a_receipt_shows_the_body_as_it_came_and_each_words_verdict(desk: Desk) -> None:
    visitor = a_person(desk)
    path = path_in(added(visitor))
    told = {**SHIPPED, "note": "<b>bold</b>"}
    receipt = sent(desk, path, told)
    assert receipt["verdict"] == "orphan"
    page = visitor.get(f"/receipts/{receipt['receipt_id']}")
    assert "<b>bold</b>" in page.text
    assert "<b>bold" not in page.html
    assert "Decide again" in page.text
    assert page.calls == ["find_session", "accounts", "receipt"]


def test_a_message_that_was_not_understood_is_decided_again(desk: Desk) -> None:
    visitor = a_person(desk)
    path = path_in(added(visitor))
    receipt = sent(desk, path, {**SHIPPED, "status": "FLYING"})
    assert receipt["verdict"] == "unmapped"
    visitor.get(f"/receipts/{receipt['receipt_id']}")
    again = visitor.follow(visitor.post(f"/receipts/{receipt['receipt_id']}/retry"))
    assert "Decided again: it is" in again.text


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("withings", {"source": "no spaces"}, "source"),
        ("withings", {"store": "nowhere"}, "store"),
        ("withings", {"stores": "12 berlin"}, "stores"),
        ("withings", {"stores": "12 = nowhere"}, "stores"),
        ("withings", {"networks": "10.0.0.0/99"}, "networks"),
        ("withings", {"precedence": "high"}, "precedence"),
        ("withings", {"credentials.secrets": "short"}, "credentials.secrets"),
        ("withings", {"read_access.client_id": "me"}, "read_access.client_secret"),
        ("shipmonk", {"credentials.username": "hub"}, "credentials.password"),
        ("standard", {}, "credentials.secrets"),
        ("easypost", {}, "credentials.secrets"),
    ],
)
def test_what_does_not_fit_a_source_is_said_at_its_field(
    desk: Desk, kind: str, given: dict[str, str], field: str
) -> None:
    seen = added(a_person(desk), **{"name": "w", "kind": kind, **given})
    assert seen.status == 422, seen.text
    before = seen.html[: seen.html.index('class="error"')]
    assert f'name="{field}"' in before[before.rindex('<p class="field wrong"') :]
    assert desk.get("/v1/sources").json["sources"] == []


def test_a_change_keeps_the_secrets_that_were_not_typed_again(desk: Desk) -> None:
    visitor = a_person(desk)
    added(visitor, kind="easypost", **{"credentials.secrets": "first secret"})
    page = visitor.get("/sources/w/edit")
    assert "first secret" not in page.html
    told = {"store": "berlin", "networks": "192.0.2.0/24", "precedence": "5"}
    assert visitor.post("/sources/w/edit", **told).location == "/sources/w"
    kept = desk.get("/v1/sources/w").json
    assert (kept["credentials"], kept["precedence"]) == ({"secrets": 1}, 5)
    new = {**told, "credentials.secrets": "second secret", "overlap": "yes"}
    visitor.post("/sources/w/edit", **new)
    assert desk.get("/v1/sources/w").json["credentials"] == {"secrets": 2}


def test_a_new_url_ends_the_one_before_and_removing_asks_for_the_name(desk: Desk) -> None:
    visitor = a_person(desk)
    before = path_in(added(visitor))
    after = path_in(visitor.post("/sources/w/rotate"))
    assert desk.post(before, SHIPPED, key="").status == 404
    receipt = sent(desk, after)
    assert visitor.post("/sources/w/delete", typed="x").status == 422
    assert visitor.post("/sources/w/delete", typed="w").location == "/sources"
    assert visitor.get("/sources/w").status == 404
    assert visitor.get(f"/receipts/{receipt['receipt_id']}").status == 200


def test_refused_requests_are_said_with_the_reason(desk: Desk) -> None:
    visitor = a_person(desk)
    path = path_in(added(visitor, kind="easypost", **{"credentials.secrets": "a secret"}))
    assert desk.post(path, {"description": "tracker.updated"}, key="").status == 401
    desk.run(desk.hub.receiving.note_refused())
    assert "1 request was refused" in visitor.get("/sources/w").text


def test_a_comparison_is_begun_and_shown(desk: Desk) -> None:
    visitor = a_person(desk)
    added(visitor)
    assert "Compare orders…" not in visitor.get("/sources/w").text
    assert visitor.post("/sources/w/compare").status == 422
    access = {"read_access.client_id": "me", "read_access.client_secret": "hidden words"}
    added(visitor, "asked", **access)
    page = visitor.get("/sources/asked")
    assert "Compare orders…" in page.text
    assert "hidden words" not in page.html + visitor.get("/sources/asked/edit").html
    begun = visitor.post("/sources/asked/compare")
    run = visitor.follow(begun)
    assert "Comparison of asked" in run.text
    assert "only listed" in run.text
    assert visitor.get(begun.location.replace("asked", "w", 1)).status == 404
    stopped = visitor.follow(visitor.post(f"{begun.location}/stop"))
    assert "Stopped" in stopped.text


def test_a_reader_is_offered_nothing_that_changes(desk: Desk) -> None:
    added(a_person(desk))
    page = a_person(desk, Role.READER, sees=desk.account_id).get("/sources/w")
    assert page.status == 200
    assert "/sources/w/edit" not in page.html
    assert 'action="/sources' not in page.html
    assert json.dumps(page.text).count("Remove the source") == 0
