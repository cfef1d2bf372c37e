"""Endpoints: the list with how each is doing, and one with why, its numbers, and what it got."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from milepost.contracts import ROOMS
from milepost.dashboard.endpoint_words import BACKLOGS, LANES, OPERATIONS, OUTCOMES, URLS
from milepost.dashboard.overview import (
    DEFAULT,
    LATER,
    PERIODS,
    WITHIN_NAMES,
    Bar,
    bars_of,
    latency_of,
    shelf_of,
    success_of,
    throughput_of,
)
from milepost.dashboard.page import Events, Page, Result, Shown, View
from milepost.delivery.health import Condition
from milepost.delivery.model import DeliveryState
from milepost.errors import UnknownRecord
from milepost.insights import DeliveryDetail, EndpointView
from milepost.ports import DeliveryFilter
from milepost.ports import Page as Place
from milepost.ports.resends import Resend
from milepost.ports.trends import Trend, Waiting
from milepost.trends import MOST_PENDING

ENDPOINTS = "/endpoints"
LIST, SHOW = "endpoints/list.html", "endpoints/show.html"
DAY = timedelta(days=1)
LIVE_EVERY_S = 2.0
TEST_EVERY_S = 0.3
LIST_PARTS = ("conditions", "rows")
SHOW_PARTS = ("acts", "trouble", "test", "tiles", "charts", "replays", "deliveries")
ON_A_PAGE = 20
RESENDS_SHOWN = 3
LOOKED_AT = 20
"""Resends, and deliveries in trouble, that are looked at for those to show."""


_NAME = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)


class Row(msgspec.Struct, frozen=True):
    """An endpoint in the list, with its last 24 hours."""

    view: EndpointView
    trend: Trend | None
    waiting: Waiting
    success: float | None
    slowest: str | None


class ListQuery(msgspec.Struct, frozen=True):
    """Which endpoints the list shows."""

    condition: Condition | None = None
    contract: str | None = None


class ShowQuery(msgspec.Struct, frozen=True):
    """Which deliveries and numbers an endpoint's page shows, and the test that was just sent."""

    state: DeliveryState | None = None
    after: str | None = None
    period: str = DEFAULT
    test: str | None = None


def name_in(view: View) -> str:
    """The endpoint's id in the path. Raises UnknownRecord for what can be no id."""
    name = view.path["endpoint"]
    if not _NAME.fullmatch(name):
        raise UnknownRecord
    return name


# the list


async def show_list(view: View) -> Result:
    if view.account is None:
        return Shown(LIST, {"rows": [], "total": 0, "query": ListQuery(), "account": None})
    return Shown(LIST, await _list(view, view.read_query(ListQuery)))


async def live_list(view: View) -> Events:
    query = view.read_query(ListQuery)
    return Events(_stream(view, LIST, LIST_PARTS, lambda: _list(view, query)))


async def _list(view: View, query: ListQuery) -> dict[str, Any]:
    """Four reads, however many endpoints there are."""
    hub, account_id = view.hub, view.account_id
    found = await hub.insights.endpoints(account_id)
    trends = await hub.trends.by_endpoint(account_id, since=hub.now() - DAY)
    waiting = await hub.trends.waiting(account_id)
    shown = [one for one in found if query.contract in (None, one.contract)]
    counts = {
        condition: sum(one.health.condition is condition for one in shown)
        for condition in Condition
    }
    return {
        "account": view.account,
        "query": query,
        "total": len(found),
        "of_contract": len(shown),
        "counts": counts,
        "contracts": sorted({one.contract for one in found}),
        "rows": [
            row_of(one, trends.get(one.endpoint_id), waiting.get(one.endpoint_id, Waiting()))
            for one in sorted(shown, key=_urgency)
            if query.condition in (None, one.health.condition)
        ],
        "titles": _titles(),
        "most": MOST_PENDING,
        "outcomes": OUTCOMES,
    }


def _urgency(endpoint: EndpointView) -> tuple[int, str]:
    """What fails comes first, then what is paused; each by its name."""
    places = {Condition.FAILING: 0, Condition.PAUSED: 1, Condition.HEALTHY: 2}
    return places[endpoint.health.condition], endpoint.description or endpoint.url


def row_of(endpoint: EndpointView, trend: Trend | None, waiting: Waiting) -> Row:
    """An endpoint with its numbers, which are None where nothing was sent."""
    if trend is None:
        return Row(endpoint, None, waiting, None, None)
    bar = Bar(trend.began_at, 0, trend.acknowledged, trend.failed, trend.abandoned, trend.within)
    success = success_of(trend.acknowledged, trend.failed)
    return Row(endpoint, trend, waiting, success, shelf_of([bar], share=0.95))


def _titles() -> Mapping[str, str]:
    return {room.name: room.title for room in ROOMS.values()}


# one


async def show(view: View) -> Shown:
    return await shown_endpoint(view)


async def shown_endpoint(
    view: View, *, errors: Mapping[str, str] | None = None, opened: str = ""
) -> Shown:
    """The page of an endpoint; with errors the dialog that they belong to is open."""
    context = await _endpoint(view, view.read_query(ShowQuery))
    told = {"errors": errors or {}, "opened": opened, "form": view.form}
    return Shown(SHOW, {**context, **told}, 422 if errors else 200)


async def live(view: View) -> Events:
    query = view.read_query(ShowQuery)
    await view.hub.store.endpoint(view.account_id, name_in(view))
    parts = SHOW_PARTS if query.after is None else SHOW_PARTS[:-1]
    return Events(_stream(view, SHOW, parts, lambda: _endpoint(view, query)))


async def _endpoint(view: View, query: ShowQuery) -> dict[str, Any]:
    """Seven reads, two more where there is trouble, and three where a test was sent."""
    hub, account_id, name = view.hub, view.account_id, name_in(view)
    endpoint = await hub.insights.endpoint(account_id, name)
    waiting = (await hub.trends.waiting(account_id)).get(name, Waiting())
    deliveries, after = await hub.insights.deliveries(
        account_id,
        wanted=DeliveryFilter(endpoint_id=name, state=query.state),
        page=Place(query.after, ON_A_PAGE),
    )
    room = ROOMS[endpoint.contract]
    return {
        "endpoint": endpoint,
        "room": room,
        "query": query,
        "waiting": waiting,
        "most": MOST_PENDING,
        "outcomes": OUTCOMES,
        "trouble": await _trouble(view, endpoint),
        "tested": await _tested(view, query, endpoint),
        "resends": await _resends(view, name),
        "deliveries": deliveries,
        "after": after,
        "states": list(DeliveryState),
        "schedule": room.schedule(endpoint.schedule),
        "url_name": URLS[endpoint.contract][0],
        "lanes": LANES,
        "backlogs": BACKLOGS,
        "operations": OPERATIONS,
        **await _numbers(view, query, name),
    }


async def _trouble(view: View, endpoint: EndpointView) -> DeliveryDetail | None:
    """A delivery that shows what goes wrong, with its attempts; the one tried last."""
    health = endpoint.health
    if health.condition is Condition.HEALTHY and not health.failures:
        return None
    found, _ = await view.hub.insights.undelivered(
        view.account_id, endpoint_id=endpoint.endpoint_id, page=Place(None, LOOKED_AT)
    )
    tried = [one for one in found if one.attempts]
    if not tried:
        return None
    latest = max(tried, key=lambda one: one.due_at or one.settled_at or one.created_at)
    return await view.hub.insights.delivery(view.account_id, latest.delivery_id)


async def _tested(view: View, query: ShowQuery, endpoint: EndpointView) -> DeliveryDetail | None:
    """The test that was sent, as it stands. Raises UnknownRecord for one of another endpoint."""
    if query.test is None:
        return None
    found = await view.hub.insights.delivery(view.account_id, query.test[:200])
    if found.endpoint_id != endpoint.endpoint_id:
        raise UnknownRecord
    return found


async def _resends(view: View, endpoint_id: str) -> Sequence[Resend]:
    found, _ = await view.hub.resends.list(view.account_id, page=Place(None, LOOKED_AT))
    return [one for one in found if one.endpoint_id == endpoint_id][:RESENDS_SHOWN]


async def _numbers(view: View, query: ShowQuery, endpoint_id: str) -> dict[str, Any]:
    now = view.hub.now()
    name = query.period if query.period in PERIODS else DEFAULT
    period = PERIODS[name]
    steps = await view.hub.trends.steps(
        view.account_id, since=now - period.span, endpoint_id=endpoint_id
    )
    drawn = bars_of(steps, period=period, now=now)
    acknowledged = sum(bar.acknowledged for bar in drawn)
    failed = sum(bar.failed for bar in drawn)
    return {
        "period": name,
        "periods": PERIODS,
        "bars": drawn,
        "acknowledged": acknowledged,
        "failed": failed,
        "abandoned": sum(bar.abandoned for bar in drawn),
        "success": success_of(acknowledged, failed),
        "usual": shelf_of(drawn, share=0.5),
        "slowest": shelf_of(drawn, share=0.95),
        "throughput": throughput_of(drawn, period=period, view=view),
        "latency": latency_of(drawn, period=period, view=view),
        "within_names": (*WITHIN_NAMES, LATER),
    }


# live


async def _stream(
    view: View, template: str, parts: Sequence[str], read: Any
) -> AsyncIterator[tuple[str, str]]:
    """Each part again whenever it has changed, until what it is about is gone."""
    sent: dict[str, str] = {}
    while True:
        await view.hub.trends.flush()
        try:
            context = {"errors": {}, "opened": "", "form": {}, **await read()}
        except UnknownRecord:
            yield "over", ""
            return
        for part in parts:
            text = view.render(template, context, part=part)
            if sent.get(part) != text:
                sent[part] = text
                yield part, text
        tested = context.get("tested")
        waits = tested is not None and not tested.attempts_made
        await asyncio.sleep(TEST_EVERY_S if waits else LIVE_EVERY_S)


PAGES = (
    Page(path=ENDPOINTS, act=show_list, place=ENDPOINTS),
    Page(path=ENDPOINTS + "/events", act=live_list, place=ENDPOINTS),
    Page(path=ENDPOINTS + "/{endpoint}", act=show, place=ENDPOINTS),
    Page(path=ENDPOINTS + "/{endpoint}/events", act=live, place=ENDPOINTS),
)
