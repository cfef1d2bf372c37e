"""What needs a person now, grouped and counted, each thing with what can be done about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec

from milepost.attention import MOST_COUNTED, Group, Kind
from milepost.dashboard.page import Flash, Gone, Page, Result, Shown, View
from milepost.dashboard.wording import plainly
from milepost.errors import InvalidInput
from milepost.intake import OrderInput
from milepost.orders.model import Moment, OrderContent
from milepost.people import Right
from milepost.ports import Page as Place
from milepost.ports.resends import Failed
from milepost.resends import GLANCE

ATTENTION = "/attention"
TEMPLATE, RESEND, BADGE = "attention/list.html", "attention/resend.html", "attention/badge.html"
SHOWN, ON_A_PAGE = 6, 50


class About(msgspec.Struct, frozen=True):
    """How a kind is called, what it means, and how urgent it looks."""

    title: str
    means: str
    look: str


ABOUT: Mapping[Kind, About] = MappingProxyType(
    {
        Kind.PAUSED: About(
            "Paused endpoints", "What is for them waits; nothing is given up.", "bad"
        ),
        Kind.FAILING: About("Failing endpoints", "Attempt after attempt comes to nothing.", "bad"),
        Kind.ABANDONED: About(
            "Notifications given up", "Nobody tries these again unless you do.", "bad"
        ),
        Kind.ILLEGAL: About(
            "Impossible updates", "A source told of a step that no order can take.", "bad"
        ),
        Kind.ORPHAN: About(
            "Updates without an order", "They apply themselves when their order comes.", "warn"
        ),
        Kind.UNMAPPED: About(
            "Words without a meaning", "A source used a word that nobody has mapped.", "warn"
        ),
        Kind.REFUSED: About(
            "Sources that are refused", "What they send is not let in since a while.", "bad"
        ),
        Kind.SILENT: About(
            "Silent orders", "Nothing was heard of them for longer than usual.", "warn"
        ),
        Kind.RECONCILIATION: About(
            "Comparisons that failed", "A provider could not be compared with.", "warn"
        ),
        Kind.STALE: About(
            "Late updates", "Something newer was known already; most need nobody.", "calm"
        ),
    }
)

SPANS: Mapping[str, tuple[str, timedelta]] = MappingProxyType(
    {
        "hour": ("Hour", timedelta(hours=1)),
        "day": ("Day", timedelta(days=1)),
        "week": ("Week", timedelta(days=7)),
        "month": ("Month", timedelta(days=30)),
    }
)


class Query(msgspec.Struct, frozen=True):
    """Which of what needs a person."""

    kind: Kind | None = None
    after: str | None = None


class Chosen(msgspec.Struct, frozen=True):
    """What a button was pressed for; `kind` is that of the page which it stood on."""

    item: str = ""
    kind: Kind | None = None
    endpoint: str = ""
    delivery: str = ""
    receipt: str = ""
    store: str = ""
    order_key: str = ""
    until: Moment | None = None


# the list


async def show(view: View) -> Shown:
    if view.account is None:
        return Shown(TEMPLATE, {"groups": [], "query": Query(), "about": ABOUT, "names": {}})
    return Shown(TEMPLATE, await _context(view))


async def _context(view: View) -> dict[str, Any]:
    """A bounded number of reads, each by an index: about two for each kind."""
    query = view.read_query(Query)
    attention = view.hub.attention
    if query.kind is None:
        groups: Sequence[Group] = await attention.groups(view.account_id, limit=MOST_COUNTED)
        attention.note(view.account_id, groups)
    else:
        found, following = await attention.matters(
            view.account_id, kinds=(query.kind,), page=Place(query.after, ON_A_PAGE)
        )
        groups = [Group(query.kind, found, following)]
    return {
        "groups": [group for group in groups if group.matters],
        "query": query,
        "about": ABOUT,
        "plainly": partial(plainly, view),
        "shown": SHOWN if query.kind is None else ON_A_PAGE,
        "most": MOST_COUNTED,
        "names": await view.hub.insights.endpoint_names(view.account_id),
        "newest": {g.kind: max(m.since for m in g.matters) for g in groups if g.matters},
    }


async def badge(view: View) -> Shown:
    if view.account is not None:
        await view.hub.attention.count(view.account_id)
    return Shown(BADGE)


# what can be done


async def do(view: View) -> Result:
    act = ACTS.get(view.path["what"])
    if act is None:
        raise InvalidInput(field="what", expected=f"one of {', '.join(ACTS)}")
    chosen = view.read_form(Chosen)
    text = await act(view, chosen)
    kind = view.form.get("page", "")
    to = f"{ATTENTION}?kind={kind}" if kind in set(Kind) else ATTENTION
    return Gone(to, Flash(text))


async def _resume(view: View, chosen: Chosen) -> str:
    await view.hub.operations.resume_endpoint(view.account_id, chosen.endpoint)
    return "Resumed. What was parked goes out now, in order."


async def _pause(view: View, chosen: Chosen) -> str:
    await view.hub.operations.pause_endpoint(view.account_id, chosen.endpoint)
    return "Paused. What comes is parked, and nothing is given up."


async def _test(view: View, chosen: Chosen) -> str:
    await view.hub.operations.send_test(view.account_id, chosen.endpoint)
    return "A test notification is on its way."


async def _resend(view: View, chosen: Chosen) -> str:
    await view.hub.operations.resend(view.account_id, chosen.delivery)
    return "It is sent again, at its place in the order."


async def _retry(view: View, chosen: Chosen) -> str:
    receipt = await view.hub.receiving.retry(view.account_id, chosen.receipt)
    return f"Read again: it is {receipt.verdict.value} now."


async def _create(view: View, chosen: Chosen) -> str:
    item = OrderInput(chosen.store, chosen.order_key, OrderContent(), source=view.person.role.value)
    (result,) = await view.hub.intake.orders(view.account_id, (item,))
    if result.order is None:
        raise result.refusal or InvalidInput(field="order_key", expected="an order to be taken")
    state = result.order.state.value.replace("_", " ")
    return f"Order {chosen.order_key} is there, and what waited for it is applied: it is {state}."


async def _dismiss(view: View, chosen: Chosen) -> str:
    await view.hub.attention.dismiss(view.account_id, [chosen.item])
    return "Put aside, until its reason begins anew."


async def _dismiss_kind(view: View, chosen: Chosen) -> str:
    if chosen.kind is None:
        raise InvalidInput(field="kind", expected="a kind of the list")
    await view.hub.attention.dismiss_kinds(view.account_id, [chosen.kind], until=chosen.until)
    return f"{ABOUT[chosen.kind].title}: all that was here is put aside."


ACTS: Mapping[str, Callable[[View, Chosen], Awaitable[str]]] = MappingProxyType(
    {
        "resume": _resume,
        "pause": _pause,
        "test": _test,
        "resend": _resend,
        "retry": _retry,
        "create": _create,
        "dismiss": _dismiss,
        "dismiss-kind": _dismiss_kind,
    }
)


# sending again what an endpoint has missed, with a count first


async def preview(view: View) -> Shown:
    endpoint_id, span, since = _missed(view, view.query)
    forecast = await view.hub.resends.glance(
        view.account_id, Failed(since), endpoint_id=endpoint_id, most=GLANCE
    )
    names = await view.hub.insights.endpoint_names(view.account_id)
    context = {
        "forecast": forecast,
        "name": names.get(endpoint_id, endpoint_id),
        "endpoint_id": endpoint_id,
        "span": span,
        "spans": SPANS,
        "since": since,
        "most": GLANCE,
    }
    return Shown(RESEND, context)


async def begin(view: View) -> Gone:
    endpoint_id, span, _ = _missed(view, view.form)
    since = view.read_form(Since).since
    await view.hub.resends.begin(view.account_id, Failed(since), endpoint_id=endpoint_id)
    said = (
        f"What was given up in the last {SPANS[span][0].lower()} is sent again, behind what is new."
    )
    return Gone(ATTENTION, Flash(said))


class Since(msgspec.Struct, frozen=True):
    """The time that was counted from, so that what was counted is what is sent."""

    since: Moment


def _missed(view: View, given: Mapping[str, str]) -> tuple[str, str, datetime]:
    span = given.get("span", "day")
    if span not in SPANS:
        raise InvalidInput(field="span", expected=f"one of {', '.join(SPANS)}")
    return given.get("endpoint", ""), span, view.now - SPANS[span][1]


PAGES = (
    Page(path=ATTENTION, act=show, place=ATTENTION),
    Page(path=ATTENTION + "/count", act=badge, place=ATTENTION),
    Page(path=ATTENTION + "/resend", act=preview, right=Right.CHANGE, place=ATTENTION),
    Page(
        path=ATTENTION + "/resend",
        act=begin,
        method="POST",
        right=Right.CHANGE,
        place=ATTENTION,
    ),
    Page(
        path=ATTENTION + "/do/{what}",
        act=do,
        method="POST",
        right=Right.CHANGE,
        place=ATTENTION,
    ),
)
