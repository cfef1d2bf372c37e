"""A hub on each kind of database, one browser for each module, and a picture of what failed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.eyes import Eyes, browser_opened, eyes_opened
from tests.browser.house import House, furnish, house_opened

expect.set_options(timeout=20_000)

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A furnished hub with its operator; tests that change much make an account of their own."""
    with house_opened(request.param, tmp_path_factory.mktemp("house")) as opened:
        furnish(opened)
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def new_house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A hub that nobody has opened yet."""
    with house_opened(request.param, tmp_path_factory.mktemp("new"), begun=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module: while it is open no other test of this process could run a loop."""
    with browser_opened() as browser:
        yield browser


Look = Callable[..., Eyes]


@pytest.fixture
def look(
    request: pytest.FixtureRequest,
    chromium: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Look]:
    """Makes people at browsers: of a house, known to it or not; more goes to the browser."""
    made: list[Eyes] = []
    with ExitStack() as stack:

        def begin(house: House, *, known: bool = True, **context: Any) -> Eyes:
            eyes = stack.enter_context(eyes_opened(chromium, house, known=known, **context))
            made.append(eyes)
            return eyes

        yield begin
        if request.node.stash.get(_FAILED, False):
            folder = tmp_path_factory.mktemp("failed")
            for number, page in enumerate(page for eyes in made for page in eyes.context.pages):
                page.screenshot(
                    path=folder / f"{request.node.name[:60]}-{number}.png".replace("/", "_")
                )
            print(f"pictures of what failed: {folder}")
            for eyes in made:
                eyes.problems.clear()
