"""Orders with a real browser: found by any id, looked through, told of, and sent again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Look
from tests.browser.eyes import PHONE, check_accessible
from tests.browser.house import House

pytestmark = pytest.mark.processes


def new_order(house: House, key: str, *states: str) -> str:
    """An order of this test alone that has been through these states."""
    made = house.tell("POST", "/v1/orders", {"store": "main", "order_key": key})
    for state in states:
        house.tell("POST", "/v1/updates", {"store": "main", "order_key": key, "state": state})
    return str(made["order_id"])


def test_an_order_is_found_by_its_tracking_number_and_its_failure_is_understood(
    house: House, look: Look
) -> None:
    page = look(house).open("/")
    page.keyboard.press("/")
    page.keyboard.type("1Z999AA11008")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Order 1008")
    expect(
        page.get_by_role("img", name=re.compile("The way of the order: created, then"))
    ).to_have_count(1)
    check_accessible(page)
    first = page.get_by_role("row", name=re.compile("created down 1"))
    first.get_by_role("link", name="created").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("“created” to down")
    attempt = page.locator(".attempt").last
    expect(attempt).to_contain_text("Server error")
    expect(attempt).to_contain_text("500")
    attempt.get_by_text("The request and its headers").click()
    expect(attempt.get_by_role("row", name=re.compile("webhook-signature v1,"))).to_be_visible()
    check_accessible(page)
    page.get_by_role("link", name="Order 1008").click()
    expect(page).to_have_title("Order 1008 · Milepost")


def test_what_is_told_is_there_at_once_and_an_illegal_step_is_explained(
    house: House, look: Look
) -> None:
    order_id = new_order(house, "W-1", "shipped", "delivered")
    eyes = look(house)
    eyes.expected.add("422")
    page = eyes.open(f"/orders/{order_id}")
    page.get_by_role("button", name="Tell what happened").click()
    box = page.get_by_role("dialog")
    check_accessible(page)
    box.get_by_label("It is now").select_option("correction:in_transit")
    box.get_by_role("button", name="Tell it").click()
    expect(box.locator(".error")).to_have_text("Expected why, for whoever reads it later.")
    check_accessible(page)
    box.get_by_label("Reason").fill("The neighbor never got it")
    box.get_by_role("button", name="Tell it").click()
    expect(page.locator("#flash")).to_have_text("Order W-1 is in transit now.")
    expect(page.locator(".timeline li").first).to_contain_text("The neighbor never got it")
    expect(page.locator(".timeline li").first).to_contain_text("correction")


def test_an_order_is_held_with_the_keyboard_alone(house: House, look: Look) -> None:
    order_id = new_order(house, "W-2", "verified")
    page = look(house).open(f"/orders/{order_id}")
    page.get_by_role("button", name="Hold").focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("dialog")
    expect(box).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    page.keyboard.press("Enter")
    expect(box.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("Waits for a call")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#flash")).to_have_text("Order W-2 is on hold now.")


def test_the_page_goes_on_while_one_looks_and_keeps_what_is_being_typed(
    house: House, look: Look
) -> None:
    order_id = new_order(house, "W-3", "verified")
    eyes = look(house)
    one, two = eyes.open(f"/orders/{order_id}"), eyes.open(f"/orders/{order_id}")
    two.bring_to_front()
    two.get_by_text("What was ordered").click()
    two.get_by_role("button", name="Tell what happened").click()
    two.get_by_role("dialog").get_by_label("Reason").fill("half a sen")
    height = two.locator(".life").bounding_box()
    one.bring_to_front()
    one.get_by_role("button", name="Hold").click()
    one.get_by_role("dialog").get_by_label("Reason").fill("Asked by the shop")
    one.get_by_role("button", name="Hold it").click()
    expect(one.locator(".standing")).to_contain_text("On hold")
    two.bring_to_front()
    expect(two.locator(".standing")).to_contain_text("On hold")
    expect(two.locator(".timeline li").first).to_contain_text("Asked by the shop")
    expect(two.get_by_role("dialog").get_by_label("Reason")).to_have_value("half a sen")
    expect(two.locator("details.fold.card")).to_have_attribute("open", "")
    assert two.locator(".life").bounding_box() == height


def test_a_notification_is_sent_again_after_a_question(house: House, look: Look) -> None:
    new_order(house, "W-4")
    page = look(house).open("/orders?find=W-4")
    row = page.get_by_role("row", name=re.compile("created up 1 Acknowledged"))
    expect(row).to_be_visible()
    row.get_by_role("button", name=re.compile("again")).click()
    page.get_by_role("dialog").get_by_role("button", name="Send again").click()
    expect(page.locator("#flash")).to_have_text("It is sent again, at its place in the order.")
    expect(
        page.get_by_role("row", name=re.compile("created replay 1 up 1 Acknowledged"))
    ).to_be_visible()


def test_the_list_is_filtered_and_fits_a_phone(house: House, look: Look) -> None:
    page = look(house, viewport=PHONE).open("/orders")
    check_accessible(page)
    page.get_by_label("State").select_option("delayed")
    expect(page).to_have_url(re.compile("state=delayed"))
    expect(page.get_by_role("link", name="1002")).to_be_visible()
    expect(page.get_by_role("link", name="1001")).to_have_count(0)
    page.get_by_role("link", name="1002").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order 1002")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check_accessible(page)


def test_another_accounts_order_is_not_there(house: House, look: Look) -> None:
    other = house.cli("account", "add", "somebody else")["account_id"]
    order_id = new_order(house, "W-5")
    eyes = look(house)
    eyes.expected.add("404")
    eyes.context.add_cookies([{"name": "milepost_account", "value": other, "url": house.url}])
    page = eyes.open(f"/orders/{order_id}")
    expect(page.get_by_role("heading")).to_have_text("Nothing here")
    page.goto(house.url + "/orders?find=W-5")
    expect(page.get_by_role("heading", level=2)).to_have_text("Nothing is called that")
    check_accessible(page)
