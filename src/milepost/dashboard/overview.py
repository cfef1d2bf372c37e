"""The first page: orders by state, what was delivered, how fast, and how well; live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from milepost.dashboard.charts import bars
from milepost.dashboard.page import Events, Page, Shown, View
from milepost.orders.lifecycle import State
from milepost.ports.trends import WITHIN, Trend
from milepost.trends import MOST_PENDING, StateCounts, step_of

TEMPLATE = "overview/show.html"
LIVE_EVERY_S = 2.0
LIVE_PARTS = ("tiles", "charts", "states")

WITHIN_NAMES = ("0.1 s", "1 s", "10 s", "1 min", "10 min", "1 h")
LATER = "longer"


class Period(msgspec.Struct, frozen=True):
    """How far a chart looks back, in bars of `bar`; every `label_every`th has its time below."""

    name: str
    span: timedelta
    bar: timedelta
    label_every: int
    pattern: str


PERIODS: Mapping[str, Period] = MappingProxyType(
    {
        "hour": Period("Hour", timedelta(hours=1), timedelta(minutes=5), 3, "%H:%M"),
        "day": Period("Day", timedelta(days=1), timedelta(hours=1), 6, "%H:%M"),
        "week": Period("Week", timedelta(days=7), timedelta(hours=6), 4, "%a %d"),
    }
)
DEFAULT = "day"


class Bar(msgspec.Struct, frozen=True):
    """What was counted between two moments."""

    began_at: datetime
    accepted: int
    acknowledged: int
    failed: int
    abandoned: int
    within: tuple[int, ...]


async def show(view: View) -> Shown:
    if view.account is None:
        return Shown(TEMPLATE, {"account": None})
    return Shown(TEMPLATE, await _context(view))


async def live(view: View) -> Events:
    return Events(_stream(view))


async def _stream(view: View) -> AsyncIterator[tuple[str, str]]:
    """Each part again whenever it has changed."""
    sent: dict[str, str] = {}
    while True:
        await view.hub.trends.flush()
        context = await _context(view)
        for part in LIVE_PARTS:
            text = view.render(TEMPLATE, context, part=part)
            if sent.get(part) != text:
                sent[part] = text
                yield part, text
        await asyncio.sleep(LIVE_EVERY_S)


async def _context(view: View) -> dict[str, Any]:
    """Four reads: the counts over time, what is pending, the states (counted aside), the key."""
    trends, now = view.hub.trends, view.hub.now()
    chosen = view.query.get("period", DEFAULT)
    name = chosen if chosen in PERIODS else DEFAULT
    period = PERIODS[name]
    drawn = bars_of(
        await trends.steps(view.account_id, since=now - period.span), period=period, now=now
    )
    states = trends.states(view.account_id)
    acknowledged = sum(bar.acknowledged for bar in drawn)
    failed = sum(bar.failed for bar in drawn)
    return {
        "account": view.account,
        "period": name,
        "periods": PERIODS,
        "pending": await trends.pending(view.account_id),
        "most_pending": MOST_PENDING,
        "accepted": sum(bar.accepted for bar in drawn),
        "acknowledged": acknowledged,
        "failed": failed,
        "abandoned": sum(bar.abandoned for bar in drawn),
        "success": success_of(acknowledged, failed),
        "usual": shelf_of(drawn, share=0.5),
        "slowest": shelf_of(drawn, share=0.95),
        "bars": drawn,
        "labels": labels_of(drawn, period=period, view=view),
        "throughput": throughput_of(drawn, period=period, view=view),
        "latency": latency_of(drawn, period=period, view=view),
        "within_names": (*WITHIN_NAMES, LATER),
        "states": states,
        "rows": state_rows(states),
        "is_empty": states.counted_at is not None and not states.total and not acknowledged,
    }


def bars_of(steps: Sequence[Trend], *, period: Period, now: datetime) -> Sequence[Bar]:
    """The steps in bars of the period; the last one holds what is counted now."""
    count = period.span // period.bar
    bar_us = period.bar // timedelta(microseconds=1)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    last = (step_of(now) - epoch) // period.bar
    found: dict[int, list[Trend]] = {}
    for step in steps:
        found.setdefault((step.began_at - epoch) // period.bar, []).append(step)
    return [
        _bar(epoch + timedelta(microseconds=number * bar_us), found.get(number, ()))
        for number in range(last - count + 1, last + 1)
    ]


def _bar(began_at: datetime, steps: Sequence[Trend]) -> Bar:
    within = [0] * (len(WITHIN) + 1)
    for step in steps:
        within = [a + b for a, b in zip(within, step.within, strict=True)]
    return Bar(
        began_at,
        sum(step.accepted for step in steps),
        sum(step.acknowledged for step in steps),
        sum(step.failed for step in steps),
        sum(step.abandoned for step in steps),
        tuple(within),
    )


def success_of(acknowledged: int, failed: int) -> float | None:
    """The share of attempts that were acknowledged, in percent; None when there were none."""
    attempts = acknowledged + failed
    return None if not attempts else 100 * acknowledged / attempts


def shelf_of(drawn: Sequence[Bar], *, share: float) -> str | None:
    """The bound that this share of the acknowledged keeps; None when there are none."""
    counts = [sum(column) for column in zip(*(bar.within for bar in drawn), strict=True)]
    wanted, reached = sum(counts) * share, 0
    if not wanted:
        return None
    for name, count in zip((*WITHIN_NAMES, LATER), counts, strict=True):
        reached += count
        if reached >= wanted:
            return name
    return LATER


def state_rows(states: StateCounts) -> Sequence[tuple[State, int, float]]:
    """Each state that holds an order, in the order of life, with its share of the largest."""
    most = max(states.counts.values(), default=0)
    return [
        (state, count, round(100 * count / most, 1))
        for state in State
        if (count := states.counts.get(state, 0))
    ]


def labels_of(drawn: Sequence[Bar], *, period: Period, view: View) -> Sequence[str]:
    """What stands below the bars, in the zone of whoever looks."""
    zone = view.zone or UTC
    return [bar.began_at.astimezone(zone).strftime(period.pattern) for bar in drawn]


def throughput_of(drawn: Sequence[Bar], *, period: Period, view: View) -> str:
    """What was acknowledged and what failed, as a drawing."""
    acknowledged = [bar.acknowledged for bar in drawn]
    failed = [bar.failed for bar in drawn]
    said = f"{sum(acknowledged):,} notifications acknowledged and {sum(failed):,} attempts failed"
    return bars(
        labels_of(drawn, period=period, view=view),
        [("acknowledged", acknowledged), ("failed", failed)],
        label=said,
        every=period.label_every,
    )


def latency_of(drawn: Sequence[Bar], *, period: Period, view: View) -> str:
    """How long what was acknowledged took, as a drawing."""
    names = (*WITHIN_NAMES, LATER)
    series = [(name, [bar.within[i] for bar in drawn]) for i, name in enumerate(names)]
    told = ", ".join(
        f"{count:,} {'took' if name == LATER else 'within'} {name}"
        for name, values in series
        if (count := sum(values))
    )
    return bars(
        labels_of(drawn, period=period, view=view),
        series,
        label=f"From taking in to acknowledgement: {told or 'nothing yet'}",
        every=period.label_every,
    )


PAGES = (
    Page(path="/", act=show, place="/"),
    Page(path="/overview/events", act=live, place="/"),
)
