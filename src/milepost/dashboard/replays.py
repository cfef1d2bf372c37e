"""Sending an endpoint again what it missed: chosen, counted before it begins, and watched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from milepost.dashboard.endpoints import ENDPOINTS, name_in
from milepost.dashboard.page import Flash, Gone, Page, Result, Shown, View
from milepost.errors import InvalidInput, UnknownRecord
from milepost.insights import EndpointView
from milepost.people import Right
from milepost.ports.resends import Between, Choice, Failed, Latest
from milepost.resends import GLANCE, Forecast

FORM = "endpoints/replay.html"
REPLAY = ENDPOINTS + "/{endpoint}/replay"
What = Literal["failed", "between", "latest"]

SPANS: Mapping[str, tuple[str, timedelta]] = MappingProxyType(
    {
        "1h": ("The last hour", timedelta(hours=1)),
        "1d": ("The last 24 hours", timedelta(days=1)),
        "3d": ("The last 3 days", timedelta(days=3)),
        "7d": ("The last 7 days", timedelta(days=7)),
        "30d": ("The last 30 days", timedelta(days=30)),
    }
)
_NAME = re.compile(r"rsd_[a-z0-9]{1,40}", re.ASCII)
TROUBLE, OWN = "trouble", "own"
USUAL = "1d"


class ReplayForm(msgspec.Struct, frozen=True):
    """What is to be sent again, as it was counted."""

    what: What
    since: datetime
    until: datetime


async def show(view: View) -> Shown:
    return await _shown(view, errors={})


async def _shown(view: View, *, errors: dict[str, str]) -> Shown:
    name = name_in(view)
    endpoint = await view.hub.insights.endpoint(view.account_id, name)
    trouble_at = _trouble_at(endpoint)
    form = {"what": "failed", "since": TROUBLE if trouble_at else USUAL, **view.query}
    forecast: Forecast | None = None
    span: tuple[datetime, datetime] | None = None
    if "what" in view.query and not errors:
        try:
            span = _span(view, trouble_at)
            choice = choice_of(view.query["what"], *span)
            forecast = await view.hub.resends.glance(
                view.account_id, choice, endpoint_id=name, most=GLANCE
            )
        except InvalidInput as error:
            errors = {error.field: error.expected}
    context: dict[str, Any] = {
        "endpoint": endpoint,
        "form": form,
        "errors": errors,
        "spans": _spans(trouble_at, view),
        "zone": view.zone.key if view.zone else "UTC",
        "forecast": forecast,
        "span": span,
        "first": forecast.first if forecast else (),
        "most": GLANCE,
    }
    return Shown(FORM, context, 422 if errors else 200)


async def begin(view: View) -> Result:
    name = name_in(view)
    told = view.read_form(ReplayForm)
    choice = choice_of(told.what, _in_utc("since", told.since), _in_utc("until", told.until))
    await view.hub.resends.begin(view.account_id, choice, endpoint_id=name)
    return Gone(f"{ENDPOINTS}/{name}#replays", Flash("The replay has begun."))


async def stop(view: View) -> Gone:
    name, resend_id = name_in(view), view.path["resend"]
    if not _NAME.fullmatch(resend_id):
        raise UnknownRecord
    found = await view.hub.resends.find(view.account_id, resend_id)
    if found.endpoint_id != name:
        raise UnknownRecord
    await view.hub.resends.stop(view.account_id, resend_id)
    return Gone(f"{ENDPOINTS}/{name}#replays", Flash("Stopped; what it has queued is sent."))


def choice_of(what: str, since: datetime, until: datetime) -> Choice:
    """What is chosen. Raises InvalidInput for what cannot be."""
    choices: Mapping[str, Choice] = {
        "failed": Failed(since),
        "between": Between(since, until),
        "latest": Latest(since),
    }
    if what not in choices:
        raise InvalidInput(field="what", expected=f"one of {', '.join(choices)}")
    return choices[what]


def _trouble_at(endpoint: EndpointView) -> datetime | None:
    """Since when something may have been missed, as far as that is known."""
    health = endpoint.health
    known = [at for at in (health.failing_since, health.since) if at is not None]
    return min(known, default=None)


def _spans(trouble_at: datetime | None, view: View) -> list[tuple[str, str]]:
    found = [(name, title) for name, (title, _) in SPANS.items()]
    if trouble_at is not None:
        local = trouble_at.astimezone(view.zone or UTC)
        found.insert(
            0, (TROUBLE, f"Since the trouble began, {local:%b} {local.day}, {local:%H:%M}")
        )
    return [*found, (OWN, "Between times of my own")]


def _span(view: View, trouble_at: datetime | None) -> tuple[datetime, datetime]:
    now = view.hub.now()
    since = view.query.get("since", USUAL)
    if since == OWN:
        begun = _moment(view, "from")
        ended = _moment(view, "to") if view.query.get("to") else now
        if ended < begun:
            raise InvalidInput(field="to", expected="a time after the first one")
        return begun, ended
    if since == TROUBLE and trouble_at is not None:
        return trouble_at, now
    if since not in SPANS:
        raise InvalidInput(field="since", expected=f"one of {', '.join(SPANS)}")
    return now - SPANS[since][1], now


def _moment(view: View, field: str) -> datetime:
    """A time as it was typed, in the zone of whoever typed it."""
    try:
        typed = datetime.fromisoformat(view.query.get(field, ""))
        return typed.replace(tzinfo=typed.tzinfo or view.zone or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(field=field, expected="a date and a time") from None


def _in_utc(field: str, at: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput(field=field, expected="a time with its offset")
    return at.astimezone(UTC)


PAGES = (
    Page(path=REPLAY, act=show, right=Right.CHANGE, place=ENDPOINTS),
    Page(path=REPLAY, act=begin, method="POST", right=Right.CHANGE, place=ENDPOINTS),
    Page(
        path=ENDPOINTS + "/{endpoint}/replays/{resend}/stop",
        act=stop,
        method="POST",
        right=Right.CHANGE,
        place=ENDPOINTS,
    ),
)
