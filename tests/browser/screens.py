"""`make screenshots`: pictures of the pages in light and dark, and at the width of a phone.

Whoever builds a page adds it to SCREENS.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser.eyes import DESKTOP, PHONE, WITHIN_MS, browser_opened
from tests.browser.house import House, furnish, house_opened, play

FOLDER = Path(__file__).parents[2] / "docs/screens"

SCREENS: Mapping[str, str] = MappingProxyType(
    {
        "overview": "/",
        "attention": "/attention",
        "orders": "/orders",
        "order": "/orders/{order}",
        "delivery": "/deliveries/{delivery}",
        "endpoints": "/endpoints",
        "endpoint": "/endpoints/{down}",
        "endpoint-new": "/endpoints/new?contract=shipmonk",
        "endpoint-edit": "/endpoints/{down}/edit",
        "replay": "/endpoints/{up}/replay?what=between&since=1d",
        "sources": "/sources",
        "source": "/sources/fulfillment",
        "source-new": "/sources/_new?kind=shipmonk",
        "sandbox": "/sandbox",
        "reference": "/reference",
        "operation": "/reference/putOrder",
        "lifecycle": "/reference/lifecycle",
        "mapping": "/reference/mapping",
        "people": "/people",
        "links": "/links",
    }
)
"""What each picture is called, and the path of its page; `{order}` is the id of order 1001 and
`{down}` that of the endpoint that fails."""

KINDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "light": {"viewport": DESKTOP, "color_scheme": "light"},
        "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
        "phone": {"viewport": PHONE, "color_scheme": "light", "device_scale_factor": 2},
    }
)


def path_of(house: House, template: str) -> str:
    """The path of a page of this house."""
    names = {"down": house.endpoints["down"], "up": house.endpoints["up"]}
    if "{order}" in template:
        orders = house.tell("GET", "/v1/orders?limit=100")["orders"]
        names["order"] = next(o["order_id"] for o in orders if o["order_key"] == "1001")
    if "{delivery}" in template:
        listed = house.tell("GET", f"/v1/deliveries?endpoint={house.endpoints['down']}&limit=50")
        tried = (d["delivery_id"] for d in listed["deliveries"] if d["attempts"])
        names["delivery"] = next(tried)
    return template.format(**names)


def shoot(browser: Browser, house: House, *, folder: Path, wanted: Sequence[str]) -> list[Path]:
    """Makes a picture of each wanted page in each kind."""
    made = []
    if "sandbox" in wanted:
        play(house)
    for kind, given in KINDS.items():
        context = browser.new_context(timezone_id="Europe/Berlin", locale="en-US", **given)
        session = {"name": "milepost_session", "value": house.session, "url": house.url}
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.goto(house.url + "/log-in")
        made.append(_picture(page, folder / f"log-in-{kind}.png"))
        context.add_cookies([session])  # type: ignore[list-item]
        for name in wanted:
            page.goto(house.url + path_of(house, SCREENS[name]))
            page.wait_for_selector("html[data-ready]")
            made.append(_picture(page, folder / f"{name}-{kind}.png"))
        context.close()
    return made


def _picture(page: Page, path: Path) -> Path:
    page.screenshot(path=path, animations="disabled", caret="hide")
    return path


def main(wanted: Sequence[str]) -> None:
    """Makes the pictures of these pages, or of all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        house_opened("sqlite", Path(folder)) as house,
        browser_opened() as browser,
    ):
        furnish(house)
        for path in shoot(browser, house, folder=FOLDER, wanted=wanted or list(SCREENS)):
            print(path.relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
