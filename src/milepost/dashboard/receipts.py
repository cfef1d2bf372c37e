"""A receipt: one message that a source has sent, as it came, and what was decided of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from milepost.dashboard.page import Flash, Gone, Page, Shown, View
from milepost.dashboard.sources import SOURCES
from milepost.errors import UnknownRecord
from milepost.people import Right
from milepost.ports.receipts import OPEN
from milepost.receiving.views import ReceiptDetail, receipt_detail

RECEIPTS = "/receipts"
SHOW = "sources/receipt.html"
_LONGEST_ID = 60


async def show(view: View) -> Shown:
    """One read. Raises UnknownRecord."""
    found = await view.hub.receiving.receipt(view.account_id, _name(view))
    detail = receipt_detail(found)
    context = {
        "receipt": detail.receipt,
        "detail": detail,
        "pretty": _pretty(detail),
        "is_open": found.verdict in OPEN and bool(found.message),
        "waits": found.waits_for_number,
    }
    return Shown(SHOW, context)


def _pretty(detail: ReceiptDetail) -> str | None:
    """The body as people read it; None where it is no JSON."""
    if detail.encoding != "utf-8" or not detail.body:
        return None
    try:
        told: Any = msgspec.json.decode(detail.body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return json.dumps(told, indent=2, ensure_ascii=False)


async def retry(view: View) -> Gone:
    found = await view.hub.receiving.retry(view.account_id, _name(view))
    flash = Flash(f"Decided again: it is {found.verdict.value} now.")
    return Gone(f"{RECEIPTS}/{found.receipt_id}", flash)


def _name(view: View) -> str:
    name = view.path["receipt"]
    if len(name) > _LONGEST_ID or not name.isascii() or not name.isprintable():
        raise UnknownRecord
    return name


PAGES = (
    Page(path=RECEIPTS + "/{receipt}", act=show, place=SOURCES),
    Page(
        path=RECEIPTS + "/{receipt}/retry",
        act=retry,
        method="POST",
        right=Right.CHANGE,
        place=SOURCES,
    ),
)
