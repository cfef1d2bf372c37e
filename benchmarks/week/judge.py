"""Compares what the merchant believes with what really happened."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.week.lives import Life
from benchmarks.week.stage import Stage
from milepost.contracts import ROOMS
from milepost.contracts.tables import example
from milepost.orders.lifecycle import State

SHOWN_WRONG = 20


def expected_word(life: Life) -> str:
    """What the contract of an order shows when everything was heard."""
    words = ROOMS[life.contract].words(example(State(life.end)))
    if life.contract == "standard":
        return life.end
    return (
        next(word for word in reversed(list(words.values())) if word)
        if (life.contract == "withings")
        else str(words["processing_status"])
    )


def believed(books: Path) -> dict[tuple[str, str], tuple[str, str | None]]:
    """The word and the tracking number of each order in the merchant's own database."""
    with closing(sqlite3.connect(books)) as database:
        rows = database.execute("SELECT contract, order_key, word, tracking_number FROM orders")
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def arrivals(books: Path) -> dict[str, int]:
    """How the notifications stood to what the merchant knew, counted."""
    with closing(sqlite3.connect(books)) as database:
        return dict(database.execute("SELECT name, number FROM counts ORDER BY name"))


def wrong(lives: Sequence[Life], *, books: Path) -> list[str]:
    """Every order of which the merchant does not know the truth, in a sentence."""
    found = believed(books)
    told = []
    for life in lives:
        word, number = found.get((life.contract, life.order_key), ("nothing", None))
        if word != (wanted := expected_word(life)):
            told.append(f"{life.contract} {life.order_key}: {word}, and it is {wanted}")
        elif (tracked := life.happenings[-1].facts.get("tracking_number")) not in (None, number):
            told.append(f"{life.contract} {life.order_key}: tracked as {number}, not {tracked}")
    return told


def received(stage: Stage) -> dict[str, dict[str, int]]:
    """What the merchant's hub made of each message, by source and verdict."""
    counts: dict[str, Counter[str]] = {}
    path: str | None = "/v1/receipts?limit=200"
    while path:
        page = stage.call("merchant", "GET", path)
        for receipt in page["receipts"]:
            counts.setdefault(receipt["source"], Counter())[receipt["verdict"]] += 1
        after = page.get("next")
        path = after and f"/v1/receipts?limit=200&after={after}"
    stage.note_arrivals()
    for (name, verdict), number in stage.arrivals.items():
        counts.setdefault(name, Counter())[verdict] = number
    return {name: dict(sorted(of_source.items())) for name, of_source in sorted(counts.items())}


def is_quiet(stage: Stage) -> bool:
    """Whether neither hub has anything left to deliver."""
    path = "/v1/deliveries?state=pending&limit=1"
    return not any(stage.call(hub, "GET", path)["deliveries"] for hub in stage.hubs)


def in_words(report: Mapping[str, Any]) -> str:
    """The report as a page of text."""
    killed = ", ".join(report["killed"]) or "nothing"
    what = f"{report['orders']} orders, {report['events']} events of a week"
    lines = [
        f"{what} in {report['seconds']} s; killed: {killed}",
        "",
        f"{'link':32} {'passed':>8} harmed",
    ]
    for name, counts in report["links"].items():
        harmed = ", ".join(f"{v} {k}" for k, v in counts.items() if k != "passed")
        lines.append(f"{name:32} {counts.get('passed', 0):>8} {harmed or 'nothing'}")
    for title, counts in (
        ("the provider's hub decided", report["provider"]),
        *((f"the merchant's hub, of {n}", c) for n, c in report["merchant_hub"].items()),
        ("the merchant", report["merchant"]),
    ):
        lines.append(f"{title + ':':40} " + ", ".join(f"{v} {k}" for k, v in counts.items()))
    told = report["wrong"]
    lines += ["", f"{report['orders'] - len(told)} of {report['orders']} orders are known right"]
    lines += told[:SHOWN_WRONG]
    return "\n".join(lines)
