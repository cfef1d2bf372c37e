"""Orders: the list, the box that finds one by any id, and the page of one with its whole life."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from milepost.contracts.withings.answers import order_ids_of
from milepost.dashboard.orders_drawing import drawing
from milepost.dashboard.orders_timeline import timeline
from milepost.dashboard.page import Events, Gone, Page, Result, Shown, View
from milepost.dashboard.wording import plainly
from milepost.delivery.model import DeliveryState, read_delivery_id
from milepost.errors import UnknownRecord
from milepost.insights import OrderLife
from milepost.orders.graph import explain
from milepost.orders.lifecycle import REASONS, WAREHOUSE_LINE, State
from milepost.ports import DeliveryFilter, OrderFilter
from milepost.ports import Page as Place
from milepost.ports.core import RECEIPT, UPDATE
from milepost.ports.receiving import ReceiptFilter

ORDERS, UPDATES = "/orders", "/updates"
LIST, SHOW = "orders/list.html", "orders/show.html"
ON_A_PAGE, DELIVERIES_ON_A_PAGE, EVENTS_ON_A_PAGE, MOST_RECEIPTS = 50, 10, 50, 50
LIVE_EVERY_S = 2.0
LIVE_PARTS = ("stand", "doing", "way", "timeline", "parcels", "truth", "deliveries")
LONGEST_SOUGHT = 200

_ID = re.compile(r"[a-z]{3}_[a-z0-9_-]{1,60}", re.ASCII)
_PUBLIC_ID = re.compile(r"[A-Z][0-9A-Z]{26}", re.ASCII)


class ListQuery(msgspec.Struct, frozen=True):
    """Which orders the list shows."""

    state: State | None = None
    store: str | None = None
    after: str | None = None
    find: str | None = None


class OrderQuery(msgspec.Struct, frozen=True):
    """Which page of an order's deliveries and events."""

    after: str | None = None
    until: int | None = None


# the list


async def show_list(view: View) -> Result:
    if view.account is None:
        return Shown(LIST, {"orders": [], "next": None, "query": ListQuery(), "stores": []})
    query = view.read_query(ListQuery)
    if query.find:
        return await _find(view, query.find[:LONGEST_SOUGHT].removeprefix("#").strip())
    insights = view.hub.insights
    stores = await insights.stores(view.account_id)
    found, following = await insights.orders(
        view.account_id,
        wanted=OrderFilter(query.store, query.state),
        page=Place(query.after, ON_A_PAGE),
    )
    context = {"orders": found, "next": following, "query": query, "stores": stores}
    return Shown(LIST, {**context, "found": None, "states": list(State)})


# finding


async def _find(view: View, text: str) -> Result:
    """The page of what this names, if that is one thing; else what was found."""
    if await _is_delivery(view, text):
        return Gone(f"/deliveries/{text}")
    order_id = await _order_named(view, text)
    if order_id is not None:
        return Gone(f"{ORDERS}/{order_id}")
    found = await view.hub.insights.find_orders(view.account_id, text)
    if len(found) == 1:
        return Gone(f"{ORDERS}/{found[0].order_id}")
    return Shown(LIST, {"orders": found, "found": text, "next": None, "query": ListQuery()})


async def _is_delivery(view: View, text: str) -> bool:
    if read_delivery_id(text) is None:
        return False
    with suppress(UnknownRecord):
        await view.hub.insights.delivery(view.account_id, text)
        return True
    return False


async def _order_named(view: View, text: str) -> str | None:
    """The order that a message, an update or a provider's own id leads to."""
    with suppress(UnknownRecord):
        if text.startswith(RECEIPT):
            return (await view.hub.receiving.receipt(view.account_id, text)).order_id
        if text.startswith(UPDATE):
            return (await view.hub.insights.kept(view.account_id, text)).order_id
    if _PUBLIC_ID.fullmatch(text):
        for order_id in order_ids_of(text):
            if await view.hub.insights.find_orders(view.account_id, order_id):
                return order_id
    return None


# one order


async def show(view: View) -> Shown:
    return await shown_order(view)


async def shown_order(
    view: View, *, errors: Mapping[str, str] | None = None, dialog: str = ""
) -> Shown:
    """The order's page; with `errors` of a form, that form again, as it was sent."""
    context = await _context(view)
    form = {
        "state": "",
        "note": "",
        "reason": "",
        "tracking_number": "",
        "carrier": "",
        "parcel": "",
        **view.form,
    }
    asked = {"errors": errors or {}, "open_dialog": dialog, "form": form}
    return Shown(SHOW, {**context, **asked}, 422 if errors else 200)


async def _context(view: View) -> dict[str, Any]:
    """Eight reads: five of its life, its messages, a page of its deliveries, and its parcels."""
    order_id = order_id_of(view)
    query = OrderQuery() if view.page.method == "POST" else view.read_query(OrderQuery)
    hub = view.hub
    life = await hub.insights.life(
        view.account_id, order_id, until=query.until, limit=EVENTS_ON_A_PAGE
    )
    receipts, _ = await hub.receiving.receipts(
        view.account_id, wanted=ReceiptFilter(order_id=order_id), page=Place(limit=MOST_RECEIPTS)
    )
    deliveries, following = await hub.insights.deliveries(
        view.account_id,
        wanted=DeliveryFilter(order_id=order_id),
        page=Place(query.after, DELIVERIES_ON_A_PAGE),
    )
    trackings = await hub.tracking.sources.trackings(view.account_id, order_id)
    return {
        "order": life.order,
        "life": life,
        "drawn": drawing(life.events),
        "entries": timeline(life, receipts),
        "deliveries": deliveries,
        "next": following,
        "query": query,
        "trackings": {tracking.parcel: tracking for tracking in trackings},
        "failed": sum(one.abandoned for one in life.truth.endpoints),
        "plainly": partial(plainly, view),
        "errors": {},
        "open_dialog": "",
        "form": {},
        **choices(life),
    }


_CANCELS = (
    (State.CANCEL_REQUESTED, "Ask whoever has it to cancel it"),
    (State.CANCELLED, "It is cancelled: say so at once"),
)


def choices(life: OrderLife) -> dict[str, Any]:
    """What can be told of the order now; nothing of one that was erased."""
    order = life.order
    known = explain(order.state, order.state)
    if order.erased_at is not None:
        return {"allowed": (), "corrections": (), "cancels": (), "can_hold": False, "reasons": {}}
    cancels = [(state, said) for state, said in _CANCELS if state in known.allowed]
    if order.state not in (*WAREHOUSE_LINE, State.ON_HOLD, State.BACKORDERED):
        # Nobody has to be asked for what no warehouse has yet.
        cancels.reverse()
    return {
        "allowed": known.allowed,
        "corrections": known.corrections,
        "cancels": cancels,
        "can_hold": State.ON_HOLD in known.allowed,
        "reasons": {r: r for r in sorted(REASONS.get(State.SCHEDULED, ()))},
    }


def order_id_of(view: View) -> str:
    """The id in the path. Raises UnknownRecord for what no id can be."""
    order_id = view.path["order_id"]
    if not is_id(order_id):
        raise UnknownRecord
    return order_id


def is_id(text: str) -> bool:
    """Whether this has the shape of an id of ours; nothing else is looked for in the database."""
    return _ID.fullmatch(text) is not None


async def live(view: View) -> Events:
    # Refused before anything is sent, as a page is.
    await _context(view)
    return Events(_stream(view))


async def _stream(view: View) -> AsyncIterator[tuple[str, str]]:
    """Each part again whenever it has changed."""
    sent: dict[str, str] = {}
    while True:
        context = await _context(view)
        for part in LIVE_PARTS:
            text = view.render(SHOW, context, part=part)
            if sent.get(part) != text:
                sent[part] = text
                yield part, text
        await asyncio.sleep(LIVE_EVERY_S)


async def failed_deliveries(view: View, order_id: str, *, most: int) -> list[str]:
    """The ids of what was given up of an order, oldest first."""
    found, _ = await view.hub.insights.deliveries(
        view.account_id,
        wanted=DeliveryFilter(order_id=order_id, state=DeliveryState.ABANDONED),
        page=Place(limit=most),
    )
    return [one.delivery_id for one in reversed(found)]


PAGES = (
    Page(path=ORDERS, act=show_list, place=ORDERS),
    Page(path=ORDERS + "/{order_id}", act=show, place=ORDERS),
    Page(path=ORDERS + "/{order_id}/events", act=live, place=ORDERS),
)
