"""Attention with a real browser: seen, understood, and done without leaving the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Look
from tests.browser.eyes import PHONE, check_accessible
from tests.browser.house import House

pytestmark = pytest.mark.processes


def impossible(house: House, key: str, *states: str, told: str) -> None:
    """An order whose last update no order can take."""
    named = {"store": "main", "order_key": key}
    house.tell("POST", "/v1/orders", named)
    updates = [{**named, "state": state, "source": "walker"} for state in (*states, told)]
    house.tell("POST", "/v1/updates/batch", {"updates": updates})


def test_an_impossible_update_is_applied_as_a_correction_in_place(house: House, look: Look) -> None:
    impossible(house, "A-1", "shipped", "delivered", told="in_transit")
    page = look(house).open("/attention")
    check_accessible(page)
    row = page.get_by_role("listitem").filter(has_text="order A-1")
    expect(row).to_contain_text("told by walker")
    row.get_by_role("button", name="Apply as a correction").click()
    box = page.get_by_role("dialog")
    check_accessible(page)
    box.get_by_label("Reason").fill("The parcel came back to the depot")
    box.get_by_role("button", name="Apply it").click()
    expect(page.locator("#flash")).to_have_text("Order A-1 is in transit now.")
    expect(page).to_have_url(house.url + "/attention")
    expect(row).to_have_count(0)


def test_a_paused_endpoint_is_resumed_without_leaving_the_page(house: House, look: Look) -> None:
    told = {"contract": "standard", "url": house.receiver_url + "/up/a", "description": "Parked"}
    endpoint = house.tell("POST", "/v1/endpoints", told)["endpoint"]["endpoint_id"]
    house.tell("POST", f"/v1/endpoints/{endpoint}/pause")
    page = look(house).open("/attention")
    row = page.get_by_role("listitem").filter(has_text="Parked")
    row.get_by_role("button", name="Resume").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.locator("#flash")).to_have_text("Resumed. What was parked goes out now, in order.")
    expect(row).to_have_count(0)
    house.tell("DELETE", f"/v1/endpoints/{endpoint}")


def test_what_is_put_aside_is_gone_in_the_other_tab_too(house: House, look: Look) -> None:
    impossible(house, "A-2", "cancelled", told="packed")
    eyes = look(house)
    one, two = eyes.open("/attention"), eyes.open("/attention")
    rows = [page.get_by_role("listitem").filter(has_text="order A-2") for page in (one, two)]
    expect(rows[1]).to_have_count(1)
    one.bring_to_front()
    rows[0].get_by_role("button", name="Put aside").click()
    expect(one.locator("#flash")).to_have_text("Put aside, until its reason begins anew.")
    expect(rows[0]).to_have_count(0)
    two.bring_to_front()
    expect(rows[1]).to_have_count(0)


def test_it_is_a_pleasure_when_there_is_nothing_and_fits_a_phone(house: House, look: Look) -> None:
    quiet = house.cli("account", "add", "quiet people")["account_id"]
    eyes = look(house, viewport=PHONE, color_scheme="dark")
    crowded = eyes.open("/attention")
    assert crowded.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check_accessible(crowded)
    eyes.context.add_cookies([{"name": "milepost_account", "value": quiet, "url": house.url}])
    page = eyes.open("/attention")
    expect(page.get_by_role("heading", level=2)).to_have_text("Nothing needs you")
    check_accessible(page)
    expect(page.get_by_role("link", name=re.compile("^Attention$"))).to_be_visible()
