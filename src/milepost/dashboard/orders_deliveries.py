"""One notification: its exact bytes, and each attempt with what was sent and what came back."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from milepost import __version__
from milepost.dashboard.orders import ORDERS
from milepost.dashboard.page import Flash, Gone, Page, Shown, View
from milepost.errors import UnknownRecord
from milepost.insights import DeliveryDetail
from milepost.orders.model import REAL_ORDER
from milepost.people import Right

DELIVERIES = "/deliveries"
TEMPLATE = "orders/delivery.html"
USER_AGENT = f"Milepost/{__version__}"

_LONGEST_NAME = 200


async def show(view: View) -> Shown:
    """Five reads at most: the delivery, its attempts, its endpoint, what was erased, the order."""
    name = _name_of(view)
    insights = view.hub.insights
    delivery, attempts, called = await insights.sent(view.account_id, name, user_agent=USER_AGENT)
    order = None
    if delivery.order_id.startswith(REAL_ORDER):
        order = await insights.order(view.account_id, delivery.order_id)
    context = {
        "delivery": delivery,
        "attempts": list(reversed(attempts)),
        "called": called,
        "order": order,
        "pretty": _pretty(delivery),
        "size": _size(delivery),
        "traced": view.hub.traces is not None,
    }
    return Shown(TEMPLATE, context)


def _pretty(delivery: DeliveryDetail) -> str | None:
    """The body as people read it; None where it is no JSON."""
    if delivery.body_encoding != "utf-8" or not delivery.body:
        return None
    try:
        told: Any = msgspec.json.decode(delivery.body)
    except msgspec.DecodeError:
        return None
    return json.dumps(told, indent=2, ensure_ascii=False)


def _size(delivery: DeliveryDetail) -> int:
    if delivery.erased is not None:
        return delivery.erased.size
    if delivery.body_encoding == "utf-8":
        return len(delivery.body.encode())
    return len(delivery.body) * 3 // 4 - delivery.body.count("=")


def _name_of(view: View) -> str:
    name = view.path["name"]
    if len(name) > _LONGEST_NAME or not name.isascii() or not name.isprintable():
        raise UnknownRecord
    return name


async def resend(view: View) -> Gone:
    again = await view.hub.operations.resend(view.account_id, _name_of(view))
    flash = Flash("It is sent again, at its place in the order.")
    if view.form.get("back") == "order" and again.order_id.startswith(REAL_ORDER):
        return Gone(f"{ORDERS}/{again.order_id}", flash)
    return Gone(f"{DELIVERIES}/{again.delivery_id}", flash)


PAGES = (
    Page(path=DELIVERIES + "/{name}", act=show, place=ORDERS),
    Page(
        path=DELIVERIES + "/{name}/resend",
        act=resend,
        method="POST",
        right=Right.CHANGE,
        place=ORDERS,
    ),
)
