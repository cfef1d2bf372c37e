"""Getting in and out with a real browser: mouse, keyboard, two tabs, and what is refused."""

from __future__ import annotations

import re
import signal
import threading
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look
from tests.browser.eyes import PHONE, check_accessible
from tests.browser.house import OPERATOR, PASSWORD, House

PRESSED_TWICE = """() => {
  const names = (button) => button.textContent.trim() === "Send a test";
  const button = [...document.querySelectorAll("button")].find(names);
  button.click();
  button.click();
  return document.querySelectorAll("form[aria-busy=true]").length;
}"""

pytestmark = pytest.mark.processes

ON_ONE = pytest.mark.parametrize("house", ["sqlite"], indirect=True)
"""For what is of the style sheet alone: the pages themselves are walked on both databases."""


def test_the_first_run_makes_the_operator_and_its_token_is_void_then(
    new_house: House, look: Look
) -> None:
    eyes = look(new_house, known=False)
    page = eyes.open("/")
    expect(page).to_have_title("First run · Milepost")
    page.goto(new_house.ready["welcome_url"])
    check_accessible(page)
    eyes.expected.add("422")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Password").fill("aaaaaaaaaaaaaaaa")
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator(".error")).to_have_text("Expected at least four different characters.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator("#flash")).to_have_text("Welcome, ada. The hub is yours.")
    check_accessible(page)
    stranger = look(new_house, known=False)
    late = stranger.tab()
    late.goto(new_house.ready["welcome_url"])
    expect(late).to_have_title("Log in · Milepost")


def test_a_wrong_password_says_no_more_than_that_and_many_are_slowed(
    house: House, look: Look
) -> None:
    eyes = look(house, known=False)
    eyes.expected |= {"422", "429"}
    page = eyes.open("/log-in?next=/orders")
    said = []
    for _ in range(6):
        with page.expect_navigation():
            _log_in(page, "nobody", "not the password")
        said.append(page.get_by_role("alert").inner_text())
    assert set(said[:-1]) == {"This name and this password do not go together."}
    assert "too many attempts" in said[-1]
    check_accessible(page)
    _log_in(page, OPERATOR, PASSWORD)
    expect(page).to_have_url(house.url + "/orders")


def _log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_the_keyboard_alone_is_enough_to_get_in_and_around(house: House, look: Look) -> None:
    page = look(house, known=False).open("/log-in")
    page.keyboard.type(OPERATOR)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(house.url + "/")
    page.wait_for_selector("html[data-ready]")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_log_out_in_one_tab_is_log_out_in_the_other(house: House, look: Look) -> None:
    eyes = look(house, known=False)
    one = eyes.open("/log-in")
    _log_in(one, OPERATOR, PASSWORD)
    one.wait_for_url(house.url + "/")
    other = eyes.open("/links")
    one.locator(".who summary").click()
    one.get_by_role("button", name="Log out").click()
    expect(one.locator("#flash")).to_have_text("You are logged out.")
    other.get_by_role("button", name="Make a link").click()
    expect(other.locator("#flash")).to_have_text("You are logged out; nothing was changed.")


def test_a_link_opens_one_account_and_a_changed_one_is_refused(house: House, look: Look) -> None:
    eyes = look(house)
    page = eyes.open("/links")
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("#made-link").input_value()
    check_accessible(page)
    guest = look(house, known=False, viewport=PHONE)
    guest.expected.add("403")
    seen = guest.tab()
    seen.goto(link)
    expect(seen).to_have_url(house.url + "/")
    seen.goto(link[:-4] + "AAAA")
    expect(seen.get_by_role("heading")).to_have_text("This link has expired")
    eyes.open("/links", page)
    page.get_by_role("button", name=re.compile("Revoke")).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.locator("#flash")).to_have_text(re.compile("revoked"))
    seen.goto(house.url + "/orders")
    expect(seen).to_have_title("Log in · Milepost")


def test_a_form_whose_token_is_wrong_is_refused(house: House, look: Look) -> None:
    eyes = look(house)
    eyes.expected.add("409")
    page = eyes.open("/links")
    page.locator("form.line [name=csrf]").evaluate("input => { input.value = 'x'; }")
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_role("heading")).to_have_text("This page is out of date")


@ON_ONE
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_follow_the_system_until_somebody_chooses(
    house: House, look: Look, scheme: str
) -> None:
    page = look(house, color_scheme=scheme).open("/people")
    ground = "rgb(16, 20, 21)" if scheme == "dark" else "rgb(246, 247, 247)"
    expect(page.locator("body")).to_have_css("background-color", ground)
    check_accessible(page)
    page.locator(".who summary").click()
    other = "Light" if scheme == "dark" else "Dark"
    page.get_by_role("button", name=other).click()
    expect(page.locator("body")).not_to_have_css("background-color", ground)
    page.reload()
    expect(page.locator("body")).not_to_have_css("background-color", ground)
    check_accessible(page)


def test_everything_works_without_a_script(house: House, look: Look) -> None:
    eyes = look(house, java_script_enabled=False)
    eyes.expected.add("404")
    page = eyes.tab()
    page.goto(house.url + "/people")
    page.get_by_label("Name", exact=True).fill("eve of no script")
    page.get_by_label("Role").select_option("read-only")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#flash")).to_have_text("eve of no script can log in now.")
    page.goto(house.url + "/nowhere")
    expect(page.get_by_role("heading")).to_have_text("Nothing here")


def test_times_are_in_the_viewers_zone_with_utc_on_hover(house: House, look: Look) -> None:
    page = look(house, timezone_id="Asia/Tokyo").open("/people")
    shown = page.locator("tbody time").first
    first = shown.inner_text()
    assert (shown.get_attribute("title") or "").endswith(" UTC")
    assert "UTC" not in first
    page.reload()
    assert shown.inner_text() == first


def test_an_expired_link_says_so_and_leads_nowhere(house: House, look: Look) -> None:
    made = house.cli("portal", "link", "--account", "main", "--expires", "1h")
    house.rewrite("UPDATE portal_links SET until_at = 1 WHERE made_by = ''")
    guest = look(house, known=False)
    guest.expected.add("403")
    page = guest.tab()
    page.goto(house.url + urlsplit(made["url"]).path)
    expect(page.get_by_role("heading")).to_have_text("This link has expired")
    check_accessible(page)
    page.goto(house.url + "/orders")
    expect(page).to_have_title("Log in · Milepost")


def test_a_slow_hub_is_waited_for_and_nothing_is_done_twice(house: House, look: Look) -> None:
    eyes = look(house)
    page = eyes.open(f"/endpoints/{house.endpoints['up']}")
    before = sent_to(house, "/up")
    house.process.send_signal(signal.SIGSTOP)
    awake = threading.Timer(1.5, house.process.send_signal, (signal.SIGCONT,))
    awake.start()
    try:
        busy = page.evaluate(PRESSED_TWICE)
    finally:
        awake.join()
    assert busy == 1
    expect(page.locator("form[aria-busy=true]")).to_have_count(0)
    until = time.monotonic() + 30
    while sent_to(house, "/up") == before:
        assert time.monotonic() < until
        page.wait_for_timeout(20)
    page.wait_for_timeout(300)
    assert sent_to(house, "/up") == before + 1


def sent_to(house: House, path: str) -> int:
    """How many notifications the receiver has seen there."""
    return len([seen for seen in house.receiver.seen if seen.startswith(path)])
