"""Sources: who tells us by webhook, how each has been doing, and what it was last compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from milepost.contracts import INCOMING
from milepost.contracts.read_access import SHAPES
from milepost.dashboard.page import Flash, Gone, Page, Result, Shown, View
from milepost.errors import InvalidInput, UnknownRecord
from milepost.people import Right
from milepost.ports import Page as Place
from milepost.ports.receipts import ReceiptVerdict
from milepost.ports.receiving import ReceiptFilter
from milepost.receiving import MadeSource
from milepost.receiving.views import PATH, source_view

SOURCES = "/sources"
LIST, SHOW, MADE = "sources/list.html", "sources/show.html", "sources/made.html"
RUN = "sources/run.html"
COUNTED = 1_000
"""Of how many of the account's latest messages it is counted what became of them."""

ON_A_PAGE = 25
RUNS_SHOWN = 5
_LONGEST_NAME = 100
_LONGEST_ID = 60


class ShowQuery(msgspec.Struct, frozen=True):
    """Which receipts of a source its page shows."""

    verdict: ReceiptVerdict | None = None
    after: str | None = None


class RunQuery(msgspec.Struct, frozen=True):
    """Which page of what a comparison has found."""

    after: str | None = None


class RunForm(msgspec.Struct, frozen=True):
    """Whether what differs is mended, or only listed."""

    mend: str = ""


def source_in(view: View) -> str:
    """The source's name in the path. Raises UnknownRecord for what can be no name."""
    return _plain(view.path["source"], longest=_LONGEST_NAME)


def _plain(text: str, *, longest: int) -> str:
    if not text or len(text) > longest or not text.isascii() or not text.isprintable():
        raise UnknownRecord
    return text


# the list


async def show_list(view: View) -> Shown:
    """Four reads, however many sources there are."""
    if view.account is None:
        return Shown(LIST, {"sources": [], "account": None})
    receiving = view.hub.receiving
    counts = await receiving.verdict_counts(view.account_id, most=COUNTED)
    context = {
        "account": view.account,
        "sources": [source_view(one) for one in await receiving.statuses(view.account_id)],
        "counts": {name: _by_weight(found) for name, found in counts.items()},
        "counted": COUNTED,
        "titles": {room.name: room.title for room in INCOMING.values()},
    }
    return Shown(LIST, context)


def _by_weight(counts: Mapping[ReceiptVerdict, int]) -> Sequence[tuple[ReceiptVerdict, int]]:
    return sorted(counts.items(), key=lambda pair: -pair[1])


# one


async def show(view: View) -> Shown:
    return await shown_source(view)


async def shown_source(
    view: View, *, errors: Mapping[str, str] | None = None, opened: str = ""
) -> Shown:
    """Six reads: the source, its refusals, its last message, a page of receipts, its runs."""
    name, query = source_in(view), view.read_query(ShowQuery)
    receiving = view.hub.receiving
    source = source_view(await receiving.status(view.account_id, name))
    receipts, after = await receiving.receipts(
        view.account_id,
        wanted=ReceiptFilter(source=name, verdict=query.verdict),
        page=Place(query.after, ON_A_PAGE),
    )
    counts = await receiving.verdict_counts(view.account_id, most=COUNTED)
    runs: Sequence[Any] = ()
    if source.kind in SHAPES:
        runs, _ = await view.hub.comparisons.runs.list(
            view.account_id, source=name, page=Place(None, RUNS_SHOWN)
        )
    context = {
        "source": source,
        "room": INCOMING.get(source.kind),
        "can_be_asked": source.kind in SHAPES,
        "query": query,
        "receipts": receipts,
        "after": after,
        "counts": _by_weight(counts.get(name, {})),
        "counted": COUNTED,
        "verdicts": list(ReceiptVerdict),
        "runs": runs,
        "errors": errors or {},
        "opened": opened,
        "form": view.form,
        "public_url": view.hub.settings.public_url,
    }
    return Shown(SHOW, context, 422 if errors else 200)


async def rotate(view: View) -> Result:
    made = await view.hub.receiving.rotate(view.account_id, source_in(view))
    return shown_once(view, made, is_new=False)


def shown_once(view: View, made: MadeSource, *, is_new: bool) -> Shown:
    """Where a source sends to, which is shown this once."""
    source = made.source
    url = f"{view.origin}{PATH}{made.secret}"
    room = INCOMING[source.kind]
    return Shown(MADE, {"source": source, "url": url, "room": room, "is_new": is_new})


async def delete(view: View) -> Result:
    name = source_in(view)
    await view.hub.receiving.source(view.account_id, name)
    if view.form.get("typed", "").strip() != name:
        return await shown_source(view, errors={"typed": name}, opened="delete")
    await view.hub.receiving.remove(view.account_id, name)
    return Gone(SOURCES, Flash("The source is removed; what it has sent stays."))


# comparing


async def compare(view: View) -> Result:
    name = source_in(view)
    dry_run = view.read_form(RunForm).mend != "yes"
    try:
        run = await view.hub.comparisons.runs.begin(view.account_id, name, dry_run=dry_run)
    except InvalidInput as error:
        return await shown_source(view, errors={"mend": error.expected}, opened="compare")
    return Gone(f"{SOURCES}/{name}/runs/{run.run_id}", Flash("The comparison has begun."))


async def show_run(view: View) -> Shown:
    """Two reads: the run, and a page of what it found. Raises UnknownRecord."""
    name, run_id = source_in(view), _plain(view.path["run"], longest=_LONGEST_ID)
    query = view.read_query(RunQuery)
    runs = view.hub.comparisons.runs
    run = await runs.find(view.account_id, run_id)
    if run.source != name:
        raise UnknownRecord
    found, after = await runs.differences(
        view.account_id, run_id, page=Place(query.after, ON_A_PAGE)
    )
    return Shown(RUN, {"run": run, "found": found, "after": after, "query": query})


async def stop_run(view: View) -> Gone:
    name, run_id = source_in(view), _plain(view.path["run"], longest=_LONGEST_ID)
    run = await view.hub.comparisons.runs.find(view.account_id, run_id)
    if run.source != name:
        raise UnknownRecord
    await view.hub.comparisons.runs.stop_run(view.account_id, run_id)
    flash = Flash("Stopped; what was mended stays so.")
    return Gone(f"{SOURCES}/{name}/runs/{run_id}", flash)


ONE = SOURCES + "/{source}"
PAGES = (
    Page(path=SOURCES, act=show_list, place=SOURCES),
    Page(path=ONE, act=show, place=SOURCES),
    Page(path=ONE + "/rotate", act=rotate, method="POST", right=Right.CHANGE, place=SOURCES),
    Page(path=ONE + "/delete", act=delete, method="POST", right=Right.CHANGE, place=SOURCES),
    Page(path=ONE + "/compare", act=compare, method="POST", right=Right.CHANGE, place=SOURCES),
    Page(path=ONE + "/runs/{run}", act=show_run, place=SOURCES),
    Page(
        path=ONE + "/runs/{run}/stop",
        act=stop_run,
        method="POST",
        right=Right.CHANGE,
        place=SOURCES,
    ),
)
