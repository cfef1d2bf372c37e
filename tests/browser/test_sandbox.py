"""The sandbox and the reference in a browser: played, watched, copied, filtered."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Look
from tests.browser.eyes import PHONE, check_accessible
from tests.browser.house import House

pytestmark = pytest.mark.processes

WITHIN_MS = 60_000


def test_a_scenario_is_chosen_and_watched_until_its_report(house: House, look: Look) -> None:
    page = look(house).open("/sandbox")
    stage = page.locator("details.stage")
    if stage.get_attribute("open") is None:
        stage.locator("summary").click()
    page.get_by_label("Scenario").select_option("untrackable")
    page.get_by_label("To", exact=True).select_option(house.endpoints["up"])
    page.get_by_label("Speed").select_option("max")
    page.get_by_role("checkbox", name=re.compile("^duplicate")).check()
    page.get_by_role("button", name="Play").click()
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text("SIM-")
    asked.get_by_role("button", name="Play").click()
    report = page.get_by_role("heading", name="The receiver took everything that it was sent")
    expect(report).to_be_visible(timeout=WITHIN_MS)
    expect(page.locator(".played-steps .told").first).to_be_visible()
    check_accessible(page)
    page.get_by_role("link", name="Request 1", exact=True).click()
    exact = page.get_by_label("Request 1", exact=True).last
    expect(exact).to_have_value(re.compile(r"webhook-signature: v1,.+\n[\s\S]*\"type\":"))
    expect(page.get_by_role("link", name="follow the latest")).to_be_visible()


def test_the_sandbox_and_the_reference_fit_a_phone(house: House, look: Look) -> None:
    eyes = look(house, viewport=PHONE)
    page = eyes.tab()
    for path in ("/sandbox", "/reference", "/reference/putOrder", "/reference/mapping"):
        eyes.open(path, page)
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, path


def test_the_reference_is_filtered_while_one_types_and_read_page_by_page(
    house: House, look: Look
) -> None:
    eyes = look(house)
    page = eyes.open("/reference")
    row = page.locator(".operations a", has_text="/v1/stores/{store}")
    expect(row.first).to_be_visible()
    page.get_by_label("Filter the operations").fill("post orders batch")
    expect(row.first).to_be_hidden()
    page.locator(".operations a", has_text="/v1/orders/batch").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("/v1/orders/batch")
    check_accessible(page)
    for path in ("/reference/lifecycle", "/reference/mapping", "/reference/types/OrderBody"):
        check_accessible(eyes.open(path, page))
    drawn = page.request.get(f"{house.url}/reference/lifecycle.svg")
    assert drawn.ok
