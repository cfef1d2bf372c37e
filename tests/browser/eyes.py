"""Debian's Chromium, and what it must not see: errors, refused content, inaccessible pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.house import House

NAMES = ("chromium", "chromium-browser", "google-chrome")
SERIOUS = {"serious", "critical"}
WITHIN_MS = 15_000
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


def chromium_path() -> str:
    """Where the browser is; `make test` installs it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found is not None, "There is no Chromium: `apt-get install chromium`, or `make test`."
    return found


@contextmanager
def browser_opened() -> Iterator[Browser]:
    """A browser without a screen. While it is open this thread can run no loop of its own."""
    flags = ["--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=flags)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Eyes:
    """One person at one browser; tabs share its cookies."""

    house: House
    context: BrowserContext
    problems: list[str] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)
    """Pieces of what the console may say in this test, such as "404"."""

    def tab(self) -> Page:
        """A new tab, whose console is watched."""
        page = self.context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        return page

    def open(self, path: str, page: Page | None = None) -> Page:
        """The page at this path, in a new tab unless one is given, when its script has begun."""
        page = page or self.tab()
        page.goto(self.house.url + path)
        page.wait_for_selector("html[data-ready]")
        return page

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(piece in text for piece in self.expected):
            self.problems.append(f"{kind}: {text}")


@contextmanager
def eyes_opened(browser: Browser, house: House, *, known: bool, **context: Any) -> Iterator[Eyes]:
    """A person, logged in as the operator if `known`; fails at the end when the console spoke."""
    given = {"viewport": DESKTOP, "timezone_id": "Europe/Berlin", "locale": "en-US", **context}
    made = browser.new_context(**given)
    if known:
        made.add_cookies([{"name": "milepost_session", "value": house.session, "url": house.url}])
    eyes = Eyes(house, made)
    try:
        yield eyes
        assert not eyes.problems, eyes.problems
    finally:
        made.close()


def check_accessible(page: Page) -> None:
    """Fails when axe finds something serious or critical."""
    # What is still fading in has less contrast than it will have.
    page.evaluate(
        "Promise.race([Promise.allSettled(document.getAnimations().map((one) => one.finished)),"
        " new Promise((done) => setTimeout(done, 1000))]).then(() => 0)"
    )
    found = Axe().run(page).response["violations"]
    serious = [
        f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes']]}"
        for one in found
        if one["impact"] in SERIOUS
    ]
    assert not serious, serious
