"""What a command prints: tables for people, one JSON value for scripts, the rest on stderr.

Standard output holds the answer and nothing else. Text from outside is shown with its control
characters replaced, so that no note or header can steer the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from milepost.cli.exits import FileUnusable

WIDTH_OF_A_PIPE = 200
"""Columns when the output is not a terminal: wide enough that no id is cut for `grep`."""

STYLES = {
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
    "applied": "green",
    "duplicate": "cyan",
    "stale": "yellow",
    "illegal": "red",
    "orphan": "yellow",
    "acknowledged": "green",
    "pending": "yellow",
    "abandoned": "red",
    "superseded": "cyan",
    "active": "green",
    "healthy": "green",
    "failing": "red",
    "paused": "yellow",
    "delivered": "green",
}


def stdout() -> Console:
    """The console of answers, as wide as the terminal or as a pipe deserves."""
    return _console(stderr=False)


def stderr() -> Console:
    """The console of progress, hints and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    # Without a terminal rich would cut every table at 80 columns.
    wide = not stream.isatty() and "COLUMNS" not in os.environ
    width = WIDTH_OF_A_PIPE if wide else None
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def answer(value: Any) -> None:
    """Writes one JSON value on one line of standard output; times are in UTC."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def say(text: str, *, style: str = "") -> None:
    """Writes a sentence of the answer to standard output."""
    stdout().print(Text(plain(text), style=style), soft_wrap=True)


def write_raw(content: bytes) -> None:
    """Writes bytes to standard output as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.flush()


def write_file(path: Path, text: str) -> None:
    """Writes a text to a file. Raises FileUnusable."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from None


def hint(text: str, *, style: str = "dim") -> None:
    """Writes to standard error: what to do next, or what is going on."""
    stderr().print(Text(plain(text), style=style), soft_wrap=True)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = ""
) -> None:
    """Prints rows under a title; when there are none, what to do next instead.

    A column whose name ends in `>` is aligned to the right.
    """
    lines = [[cell(value) for value in row] for row in rows]
    if not lines:
        say(empty)
        return
    shown = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for name in columns:
        shown.add_column(
            name.removesuffix(">"),
            justify="right" if name.endswith(">") else "left",
            overflow="fold",
        )
    for line in lines:
        shown.add_row(*line)
    stdout().print(shown)


def record(title: str, facts: Iterable[tuple[str, object]]) -> None:
    """Prints one record as a column of names and a column of values."""
    shown = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    shown.add_column(style="dim")
    shown.add_column(overflow="fold")
    for name, value in facts:
        shown.add_row(name, cell(value))
    stdout().print(shown)


def cell(value: object) -> Text:
    """A value as a person reads it; what has a color of its own everywhere gets it."""
    match value:
        case Text():
            return value
        case None | "":
            return Text("–", style="dim")
        case bool():
            return Text("yes" if value else "no")
        case datetime():
            return Text(local(value))
        case tuple() | list():
            return Text(plain(", ".join(str(part) for part in value)))
        case _:
            text = plain(str(value))
            return Text(text, style=STYLES.get(text, ""))


def local(moment: datetime) -> str:
    """A time in this machine's zone, with its offset."""
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")


def utc(moment: datetime) -> str:
    """A time in UTC, as it stands in JSON."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plain(text: str) -> str:
    """The text with every control character replaced by a middle dot."""
    return "".join(c if c.isprintable() or c == "\n" else "·" for c in text)
