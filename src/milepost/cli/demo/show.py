"""How the demonstration looks: a line for each notification, a timeline, and a summary."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from milepost.cli.demo.check import Findings
from milepost.cli.landing import Landing, line_of
from milepost.cli.output import cell, plain


class Screen:
    """Collects what lands, prints a line for each, and keeps a bar on a terminal while waiting."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._landings: list[Landing] = []
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def landed(self, landing: Landing) -> None:
        """Takes a notification; may be called on any thread."""
        with self._lock:
            self._landings.append(landing)
            self._console.print(line_of(landing), soft_wrap=True)
            if self._progress is not None and landing.accepted:
                self._progress.advance(self._task)

    def landings(self) -> list[Landing]:
        """All that has landed so far, in the order it did."""
        with self._lock:
            return list(self._landings)

    def say(self, text: str, *, style: str = "bold") -> None:
        """Prints a heading or a remark."""
        with self._lock:
            self._console.print(Text(plain(text), style=style), soft_wrap=True)

    @contextmanager
    def waiting_for(self, count: int) -> Iterator[None]:
        """Shows on a terminal how many of so many notifications were accepted."""
        if not self._console.is_terminal:
            yield
            return
        columns = (TextColumn("accepted"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            with self._lock:
                done = sum(landing.accepted for landing in self._landings)
                self._task = progress.add_task("", total=count, completed=done)
                self._progress = progress
            try:
                yield
            finally:
                with self._lock:
                    self._progress = None

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Prints a table; a column whose name ends in `>` is aligned to the right."""
        shown = Table(
            title=title,
            title_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        for name in columns:
            right = name.endswith(">")
            shown.add_column(name.removesuffix(">"), justify="right" if right else "left")
        for row in rows:
            shown.add_row(*(cell(value) for value in row))
        self._console.print(shown)


def timeline(
    events: Sequence[Mapping[str, Any]],
    *,
    deliveries: Sequence[Mapping[str, Any]],
    contracts: Mapping[str, str],
) -> tuple[list[str], list[list[object]]]:
    """The columns and rows of an order's timeline: what happened, and what each contract was told.

    Narrow enough for a terminal of 80 columns; times are in this machine's zone.
    `contracts` are the contracts by endpoint id.
    """
    told: dict[tuple[str, int], Mapping[str, Any]] = {
        (contracts[d["endpoint_id"]], d["sequence"]): d for d in deliveries
    }
    names = [name for name in contracts.values() if any(key[0] == name for key in told)]
    rows: list[list[object]] = []
    for event in events:
        happened = datetime.fromisoformat(event["occurred_at"]).astimezone()
        row: list[object] = [event["sequence"], f"{happened:%b %d %H:%M}"]
        row += [event["state"], event["source"]]
        rows.append(row + [_told(told.get((name, event["sequence"]))) for name in names])
    return ["#>", "happened", "state", "source", *names], rows


def _told(delivery: Mapping[str, Any] | None) -> object:
    if delivery is None:
        return None
    attempts = delivery["attempts"]
    tries = f" (attempt {attempts})" if attempts != 1 else ""
    return f"{delivery['status']}{tries}"


def summary(
    findings: Findings, deliveries: Sequence[Mapping[str, Any]], *, contracts: Mapping[str, str]
) -> list[list[object]]:
    """One row for each contract: queued, delivered, attempts."""
    rows: list[list[object]] = []
    for endpoint_id, contract in contracts.items():
        own = [d for d in deliveries if d["endpoint_id"] == endpoint_id]
        attempts = sum(d["attempts"] for d in own)
        rows.append([contract, len(own), findings.delivered[contract], attempts])
    return rows
