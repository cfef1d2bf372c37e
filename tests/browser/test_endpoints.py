"""Endpoints and sources in a browser: what a newcomer can do with the page alone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look
from tests.browser.eyes import PHONE, check_accessible
from tests.browser.house import House

pytestmark = pytest.mark.processes

ON_ONE = pytest.mark.parametrize("house", ["sqlite"], indirect=True)
"""For what is of the style sheet alone: the pages themselves are walked on both databases."""

PATIENCE_MS = 30_000
FAILED_FOR_LONG = (
    "UPDATE endpoint_health SET failing_since = failing_since - 3600000000"
    " WHERE endpoint_id = '{endpoint}'"
)
AT_THE_LAST_TRY = (
    "UPDATE deliveries SET tries = 20"
    " WHERE endpoint_id = '{endpoint}' AND state = 'pending' AND tries > 0"
)


def grow_old(house: House, endpoint_id: str, text: str) -> None:
    """As if an hour had gone by, or nearly all of the tries."""
    house.rewrite(text.format(endpoint=endpoint_id))


def endpoint(house: House, path: str, **given: object) -> str:
    told = {"contract": "standard", "url": house.receiver_url + path, **given}
    name: str = house.tell("POST", "/v1/endpoints", told)["endpoint"]["endpoint_id"]
    return name


def order(house: House, key: str) -> None:
    told = {"store": "main", "order_key": key, "ship_to": {"country_code": "DE"}}
    house.tell("POST", "/v1/orders", told)


@pytest.fixture
def ailing(house: House) -> Iterator[str]:
    """An endpoint that has failed for an hour, with three notifications given up."""
    name = endpoint(house, "/down/shop", description="Ailing shop", schedule="rehearsal")
    for number in range(3):
        order(house, f"{name}-{number}")
    yield name
    house.tell("DELETE", f"/v1/endpoints/{name}")


def given_up(page: Page, house: House, name: str) -> None:
    """Waits until the endpoint is failing and the three of them are given up."""
    # It is judged by the attempts that come after: the last of them must not be the last try yet.
    for _ in range(60):
        grow_old(house, name, FAILED_FOR_LONG)
        told = house.tell("GET", f"/v1/endpoints/{name}")
        if told["health"]["condition"] == "failing":
            break
        time.sleep(0.25)
    label = page.get_by_text("Given up", exact=True)
    tile = page.locator(".tile").filter(has=label).locator(".value")
    for _ in range(30):
        grow_old(house, name, AT_THE_LAST_TRY)
        try:
            expect(tile).to_have_text("3", timeout=1_500)
        except AssertionError:
            continue
        return
    expect(tile).to_have_text("3")


def test_a_newcomer_sees_what_fails_and_why_pauses_mends_and_replays(
    house: House, ailing: str, look: Look
) -> None:
    eyes = look(house)
    page = eyes.open(f"/endpoints/{ailing}")
    given_up(page, house, ailing)
    page.goto(f"{house.url}/endpoints")
    row = page.get_by_role("row").filter(has_text="Ailing shop")
    expect(row.get_by_text("Failing")).to_be_visible(timeout=PATIENCE_MS)
    expect(row).to_contain_text("Server error")
    row.get_by_role("link", name="Ailing shop").click()
    # why
    trouble = page.locator("[data-part=trouble]")
    expect(trouble).to_contain_text("Nothing was acknowledged since")
    expect(trouble).to_contain_text("The receiver was reached and failed by itself.")
    expect(trouble).to_contain_text("HTTP 500")
    check_accessible(page)
    # pause it
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Reason").fill("the shop moves house")
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.locator("#flash")).to_contain_text("Paused")
    expect(trouble).to_contain_text("The shop moves house")
    # fix the URL
    page.get_by_role("link", name="Edit").first.click()
    page.get_by_label("URL", exact=True).fill(f"{house.receiver_url}/mended/{ailing}")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#flash")).to_contain_text("Saved")
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("dialog").get_by_role("button").last.click()
    expect(page.locator("#flash")).to_contain_text("Resumed")
    # replay what was missed
    page.get_by_role("link", name="Replay…").click()
    page.get_by_role("button", name="Count it").click()
    expect(page.get_by_role("heading", name=re.compile("would be sent again"))).to_have_text(
        "3 notifications would be sent again"
    )
    check_accessible(page)
    page.get_by_role("button", name="Send them again").click()
    expect(page.locator("#flash")).to_have_text("The replay has begun.")
    expect(page.get_by_role("table", name="Replays")).to_contain_text("Done", timeout=PATIENCE_MS)
    notifications = page.get_by_role("table", name="Notifications")
    expect(notifications.get_by_text("Acknowledged").first).to_be_visible(timeout=PATIENCE_MS)
    expect(notifications.get_by_text("Given up")).to_have_count(0, timeout=PATIENCE_MS)
    assert house.receiver.seen.count(f"/mended/{ailing}") == 3
    expect(trouble).not_to_contain_text("failed")


def test_an_endpoint_is_made_with_the_keyboard_and_its_test_answers_on_the_page(
    house: House, look: Look
) -> None:
    eyes = look(house)
    eyes.expected.add("422")
    page = eyes.open("/endpoints/new?contract=withings")
    page.get_by_label("Dropshipment notify URI").focus()
    page.keyboard.type(f"{house.receiver_url}/up/keyboard")
    page.keyboard.press("Tab")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Customer ID")).to_be_focused()
    page.keyboard.type("7")
    page.get_by_text("Limits").focus()
    page.locator("details.further summary").press("Enter")
    page.get_by_label("Requests at once").fill("many")
    page.keyboard.press("Enter")
    wrong = page.get_by_label("Requests at once")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field.wrong .error")).to_contain_text("Expected")
    expect(page.get_by_label("Customer ID")).to_have_value("7")
    check_accessible(page)
    wrong.fill("4")
    page.keyboard.press("Enter")
    secret = page.locator("#made-secret")
    expect(secret).to_have_value(re.compile("^whsec_"))
    kept = secret.input_value()
    check_accessible(page)
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("heading", name="The test was acknowledged")).to_be_visible(
        timeout=PATIENCE_MS
    )
    expect(page.locator("[data-part=test]")).to_contain_text("HTTP 204")
    assert kept not in page.content()
    name = page.url.partition("?")[0].rpartition("/")[2]
    page.get_by_role("button", name="Remove the endpoint").click()
    page.get_by_label("The endpoint's id").fill("something")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("dialog").locator(".error")).to_have_text(f"Expected {name}.")
    page.get_by_label("The endpoint's id").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator("#flash")).to_contain_text("The endpoint is removed")


def test_a_page_that_was_not_told_of_the_end_of_an_endpoint_finds_out(
    house: House, look: Look
) -> None:
    name = endpoint(house, "/up/gone", description="Soon gone")
    eyes = look(house)
    eyes.expected |= {"404"}
    page = eyes.open(f"/endpoints/{name}")
    page.route("**/events*", lambda route: route.fulfill(status=404))
    with page.expect_response("**/events*"):
        page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Soon gone")
    house.tell("DELETE", f"/v1/endpoints/{name}")
    expect(page).to_have_title("Nothing here · Milepost", timeout=PATIENCE_MS)


def test_of_two_tabs_that_edit_one_endpoint_the_second_is_told(house: House, look: Look) -> None:
    name = endpoint(house, "/up/tabs", description="Two tabs")
    eyes = look(house)
    eyes.expected |= {"409", "404"}
    one, other = eyes.open(f"/endpoints/{name}/edit"), eyes.open(f"/endpoints/{name}/edit")
    one.get_by_label("What it is for").fill("First")
    one.get_by_role("button", name="Save").click()
    expect(one.get_by_role("heading", level=1)).to_have_text("First")
    other.get_by_label("What it is for").fill("Second")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("alert")).to_contain_text("Somebody has saved this endpoint")
    expect(other.get_by_label("What it is for")).to_have_value("Second")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Second")
    house.tell("DELETE", f"/v1/endpoints/{name}")
    # Of both: a tab that is closed while it goes elsewhere can keep the browser waiting.
    for tab in (one, other):
        expect(tab).to_have_title("Nothing here · Milepost", timeout=PATIENCE_MS)


def test_each_page_fits_a_phone_and_is_accessible(house: House, look: Look) -> None:
    page = look(house, viewport=PHONE).open("/endpoints")
    down, up = house.endpoints["down"], house.endpoints["up"]
    receipt = house.tell("GET", "/v1/receipts")["receipts"][0]["receipt_id"]
    for path in (
        f"/endpoints/{down}",
        "/endpoints/new?contract=shipmonk",
        f"/endpoints/{up}/replay?what=between&since=1d",
        "/sources",
        "/sources/fulfillment",
        "/sources/_new?kind=shipmonk",
        f"/receipts/{receipt}",
    ):
        page.goto(house.url + path)
        assert overflow(page) <= 0, path
        check_accessible(page)


@ON_ONE
def test_the_dark_page_of_an_endpoint_is_accessible_too(house: House, look: Look) -> None:
    page = look(house, color_scheme="dark").open("/endpoints")
    check_accessible(page)
    page.goto(f"{house.url}/endpoints/{house.endpoints['down']}")
    check_accessible(page)


def overflow(page: Page) -> int:
    wide: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wide


def test_a_source_is_added_and_what_it_sends_comes_by_itself(house: House, look: Look) -> None:
    page = look(house).open("/sources")
    page.get_by_role("link", name="Add a source").click()
    page.get_by_role("link", name="Withings order updates").click()
    page.get_by_label("Name").fill("by-hand")
    page.get_by_role("button", name="Add the source").click()
    url = page.get_by_label("URL of the source").input_value()
    assert url.startswith(f"{house.url}/in/")
    page.get_by_role("link", name="To the source").click()
    told = {"customer_id": "7", "customer_ref": "1005", "status": "TRASHED"}
    house.tell("POST", url.removeprefix(house.url), told)
    messages = page.get_by_role("table", name="Messages")
    expect(messages).to_contain_text("Duplicate", timeout=PATIENCE_MS)
    messages.get_by_role("link", name="TRASHED").click()
    expect(page.locator("pre").first).to_contain_text('"customer_ref":"1005"'.replace(":", ": "))
    house.tell("DELETE", "/v1/sources/by-hand")
