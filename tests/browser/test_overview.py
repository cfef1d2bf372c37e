"""The overview in a browser: it moves while it is looked at, and comes back with the hub."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Look
from tests.browser.eyes import PHONE, check_accessible
from tests.browser.house import House

pytestmark = pytest.mark.processes

MOVED = "() => window.shifted"
WATCH = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shifted += entry.value;
  }).observe({ type: "layout-shift", buffered: false });
}"""


def order(house: House, key: str) -> None:
    told = {"store": "main", "order_key": key, "ship_to": {"country_code": "DE"}}
    house.tell("POST", "/v1/orders", told)


def test_the_overview_counts_on_by_itself_and_nothing_jumps(house: House, look: Look) -> None:
    page = look(house).open("/")
    tile = page.locator(".tile", has_text="Taken in").locator(".value")
    expect(page.get_by_role("table", name="Orders by state")).to_be_visible()
    before = int(tile.inner_text().replace(",", ""))
    page.evaluate(WATCH)
    order(house, f"live-{before}")
    expect(tile).not_to_have_text(f"{before:,}")
    assert page.evaluate(MOVED) < 0.01
    check_accessible(page)


def test_the_overview_fits_a_phone_and_has_its_numbers_in_a_table(house: House, look: Look) -> None:
    page = look(house, viewport=PHONE).open("/?period=week")
    page.get_by_text("The same as numbers").click()
    expect(page.get_by_role("table", name="Over time")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    check_accessible(page)


def test_a_hub_that_restarts_is_waited_for(new_house: House, look: Look) -> None:
    new_house.begin()
    eyes = look(new_house, known=True)
    eyes.expected |= {"ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "Failed to load"}
    page = eyes.open("/")
    sign = page.locator("[data-connection]")
    expect(sign).to_be_hidden()
    new_house.process.kill()
    new_house.process.wait()
    expect(sign).to_have_text(re.compile("Reconnecting"))
    new_house.restart()
    expect(sign).to_be_hidden(timeout=20_000)


def test_what_is_focused_stays_so_when_its_part_is_new(new_house: House, look: Look) -> None:
    new_house.begin()
    eyes = look(new_house)
    page = eyes.open("/")
    tile = page.locator("a.tile", has_text="Pending")
    tile.focus()
    page.evaluate("document.activeElement.dataset.old = 'yes'")
    new_house.tell("PUT", "/v1/stores/main", {})
    order(new_house, "focus-1")
    expect(page.locator("[data-old]")).to_have_count(0)
    expect(tile).to_be_focused()
