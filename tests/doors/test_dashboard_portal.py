"""A merchant's portal: one account's pages, no other account by any id, and no operator's page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

import pytest

from milepost.dashboard import all_pages
from milepost.dashboard.page import Page
from milepost.people import Right
from milepost.ports.people import Role
from tests.doors.desk import Desk
from tests.doors.pages import Visitor, a_person

SHARED = ("/reference", "/attention/do", "/portal", "/you")
"""Where what stands in the path is no id of an account's."""

SPAN = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-24T00:00:00Z"}
FIELDS = {**SPAN, "what": "failed", "overlap_s": "0", "state": "verified", "to": "verified"}
SNAPSHOT = ("/v1/orders", "/v1/endpoints", "/v1/deliveries", "/v1/sources", "/v1/receipts")


@pytest.fixture
def other(desk: Desk) -> tuple[Desk, Mapping[str, str]]:
    """Another account of the hub with one of everything, and the ids of it all."""
    there = desk.another()
    there.run(there.hub.operations.put_store(there.account_id, "berlin", name="Berlin"))
    endpoint = there.endpoint()["endpoint"]["endpoint_id"]
    order = there.order("THEIRS")
    orphan = there.update("NOBODY", state="verified", source="warehouse")
    access = {"client_id": "me", "client_secret": "secret words"}
    told = {"source": "theirs", "kind": "withings", "store": "berlin", "read_access": access}
    path = there.post("/v1/sources", told).json["path"]
    message = {"customer_id": "4711", "customer_ref": "THEIRS", "status": "FLYING"}
    receipt = there.post(path, message, key="").json["receipt_id"]
    run = there.run(there.hub.comparisons.runs.begin(there.account_id, "theirs", dry_run=True))
    resend = {"since": SPAN["since"], "endpoint_id": endpoint}
    begun = there.post("/v1/resends/failed", resend).json["resends"][0]["resend_id"]
    delivery = there.get("/v1/deliveries").json["deliveries"][0]["delivery_id"]
    (kept,) = there.get("/v1/quarantine").json["updates"]
    assert orphan.status == 202
    return there, {
        "endpoint": endpoint,
        "order_id": order,
        "name": delivery,
        "update_id": kept["update_id"],
        "source": "theirs",
        "run": run.run_id,
        "receipt": receipt,
        "resend": begun,
        "session": "ses_1",
        "link": "lnk_1",
        "text": "x",
    }


def is_shared(page: Page) -> bool:
    return page.public or "{" not in page.path or page.path.startswith(SHARED)


def filled(page: Page, ids: Mapping[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: ids.get(found[1], "x"), page.path)


def sent(visitor: Visitor, page: Page, target: str) -> int:
    if page.method == "GET":
        return visitor.get(target).status
    seen = visitor.post(target, **FIELDS)
    # What found nothing to do may send on to a page, which is not there either.
    return visitor.follow(seen).status if seen.status == 303 else seen.status


@pytest.mark.parametrize("role", [Role.MERCHANT, Role.READER])
def test_no_page_shows_or_changes_what_is_of_another_account(
    desk: Desk, other: tuple[Desk, Mapping[str, str]], role: Role
) -> None:
    there, ids = other
    desk.endpoint()
    before = [there.get(path).json for path in SNAPSHOT]
    visitor = a_person(desk, role, sees=desk.account_id)
    visitor.get("/you")
    refused = {}
    for page in all_pages():
        if is_shared(page):
            continue
        expected = 404 if page.right is Right.SEE or role is Role.MERCHANT else 403
        expected = 403 if page.right is Right.RUN else expected
        found = sent(visitor, page, filled(page, ids))
        if found != expected:
            refused[f"{page.method} {page.path}"] = found
    assert not refused
    assert [there.get(path).json for path in SNAPSHOT] == before


def test_lists_hold_nothing_of_another_account(
    desk: Desk, other: tuple[Desk, Mapping[str, str]]
) -> None:
    _, ids = other
    visitor = a_person(desk, Role.MERCHANT)
    own = {"session", "link", "text"}
    for page in all_pages():
        if page.method == "GET" and page.right is not Right.RUN and "{" not in page.path:
            if page.path.endswith("/events"):
                continue
            for query in ("", f"?account={other[0].account_id}"):
                html = visitor.get(page.path + query).html.replace(other[0].account_id, "")
                for name, text in ids.items():
                    assert name in own or text not in html, (page.path, name)


def test_an_account_of_another_cannot_be_chosen(
    desk: Desk, other: tuple[Desk, Mapping[str, str]]
) -> None:
    there, ids = other
    visitor = a_person(desk, Role.MERCHANT)
    visitor.get("/you")
    visitor.post("/account", account=there.account_id)
    visitor.cookies["milepost_account"] = there.account_id
    assert visitor.get(f"/endpoints/{ids['endpoint']}").status == 404


def test_a_reader_changes_nothing_and_a_merchant_runs_nothing(desk: Desk) -> None:
    name = desk.endpoint()["endpoint"]["endpoint_id"]
    reader = a_person(desk, Role.READER, sees=desk.account_id)
    reader.get("/you")
    merchant = a_person(desk, Role.MERCHANT)
    merchant.get("/you")
    for page in all_pages():
        if page.public or page.right is Right.SEE:
            continue
        target = filled(page, {"endpoint": name})
        assert sent(reader, page, target) == 403, page.path
        if page.right is Right.RUN:
            assert sent(merchant, page, target) == 403, page.path
    assert desk.get(f"/v1/endpoints/{name}").json["state"] == "active"


def test_a_guest_by_a_link_sees_the_account_until_the_link_expires(desk: Desk) -> None:
    name = desk.endpoint(description="our shop")["endpoint"]["endpoint_id"]
    made = desk.run(
        desk.hub.portal.make(
            desk.account_id, role=Role.MERCHANT, lasting=timedelta(days=1), made_by="ada"
        )
    )
    guest = Visitor(desk)
    guest.follow(guest.get(f"/portal/{made.text}"))
    page = guest.get(f"/endpoints/{name}")
    assert "our shop" in page.text
    assert "/people" not in page.html
    assert guest.get("/links").status == 403
    guest.get(f"/endpoints/{name}")
    assert guest.post(f"/endpoints/{name}/pause", why="at night").status == 303
    desk.clock.forward(days=1, seconds=1)
    assert guest.get(f"/endpoints/{name}").location.startswith("/log-in")
    assert guest.post(f"/endpoints/{name}/resume").location == "/log-in"
    late = Visitor(desk).get(f"/portal/{made.text}")
    assert late.status == 403
    leads = set(re.findall(r'(?:href|action)="(/[^"]*)"', late.html))
    assert all(to in {"/", "/log-in", "/theme"} or to.startswith("/static/") for to in leads), leads
    assert desk.account_id not in late.html
