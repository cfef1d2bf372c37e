"""The pages: what a person sees of the hub, rendered here and made livelier by one small script.

How to add a page (docs/pages.md has it at length):

1. In a module of this room write `async def show(view: View) -> Result` and put
   `Page(path="/things/{thing}", act=show, place="/things")` into its PAGES; name it in ROOMS below.
   `place` is the entry of the navigation (places.py) that is marked as open.
2. `view` has `hub`, `account_id`, `person`, `may(Right.CHANGE)`, `path`, `query`, `form`,
   `read_query(Struct)` and `read_form(Struct)` (both raise InvalidInput), `now` and `zone`. Ask
   the flows of `view.hub`; an error that leaves becomes a page (refusals.py).
3. Return `Shown("things/show.html", context)`. The template begins with `{% extends "page.html" %}`
   and `{% from "parts.html" import … with context %}`: heading, data_table, pages, chip, when, ago,
   empty, facts, field, choice, button, action, dialog, figure. No inline style or script: the
   policy forbids both. SVG of ours goes through `rendering.marked`.
4. What changes something is `Page(method="POST", right=Right.CHANGE)` that returns
   `Gone("/things", Flash("Done."))`. Its form holds `{{ csrf() }}` (the macro `action` does).
   For a form with errors return `Shown(…, status=422)` with what was typed and
   `errors={error.field: error.expected}`.
5. A block `part_rows` in a template is what a request for the part `rows` gets, so
   `<div data-part="rows" data-every="10">` keeps itself fresh; `data-events="/things/events"`
   listens to a page that returns `Events(stream)`, whose events are named after parts and hold
   `view.render(template, context, part="rows")`. `data-in-place="rows"` on a form sends it without
   leaving the page.
6. tests/doors/pages.py has a desk that logs in and counts the store's calls; tests/browser has a
   real hub and a browser; tests/browser/screens.py names the pages that get screenshots.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from starlette.routing import Route

from milepost.dashboard import (
    attention,
    endpoint_acts,
    endpoint_forms,
    endpoints,
    entry,
    orders,
    orders_changes,
    orders_deliveries,
    orders_updates,
    overview,
    people,
    receipts,
    reference,
    replays,
    sandbox,
    source_forms,
    sources,
)
from milepost.dashboard.assets import PREFIX, Files
from milepost.dashboard.door import Door
from milepost.dashboard.page import Page, Result, View
from milepost.dashboard.places import empty_rooms
from milepost.dashboard.refusals import NoSuchPage
from milepost.exchange import Receive, Scope, Send
from milepost.wiring import Hub

ROOMS: Sequence[Sequence[Page]] = (
    entry.PAGES,
    overview.PAGES,
    people.PAGES,
    reference.PAGES,
    sandbox.PAGES,
    orders.PAGES,
    orders_changes.PAGES,
    orders_deliveries.PAGES,
    orders_updates.PAGES,
    attention.PAGES,
    endpoint_forms.PAGES,
    endpoints.PAGES,
    endpoint_acts.PAGES,
    replays.PAGES,
    source_forms.PAGES,
    sources.PAGES,
    receipts.PAGES,
)
"""The pages of every module; rooms that nobody has furnished have an empty one."""

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def all_pages() -> list[Page]:
    """Every page that there is."""
    pages = [page for room in ROOMS for page in room]
    return [*pages, *empty_rooms({page.path for page in pages})]


def routes(hub: Hub, *, stopping: asyncio.Event | None = None) -> list[Route]:
    """The routes of the pages over a hub; what streams ends when `stopping` is set."""
    stopping = stopping or asyncio.Event()
    by_path: dict[str, list[Page]] = {}
    for page in all_pages():
        by_path.setdefault(page.path, []).append(page)
    doors = [
        Route(path, Door(pages, hub=hub, stopping=stopping), include_in_schema=False)
        for path, pages in by_path.items()
    ]
    return [*doors, Route(f"{PREFIX}{{file:path}}", Files(), include_in_schema=False)]


def elsewhere(hub: Hub) -> Asgi:
    """What answers a browser at an address where there is nothing."""
    return Door([Page(path="", act=_nowhere)], hub=hub, stopping=asyncio.Event())


async def _nowhere(_view: View) -> Result:
    raise NoSuchPage
