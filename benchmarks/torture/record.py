"""What the database holds after a run, written beside the journals, so that both stay together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.torture.facts import Attempt, Delivery, Event, Fact, Journal

AT_ONCE = 1_000


def keep_record(folder: Path) -> dict[str, str]:
    """Copies the record of a hub that has stopped; returns how durable the database is."""
    journal = Journal(folder / "record.jsonl")
    with closing(sqlite3.connect(f"file:{folder / 'torture.db'}?mode=ro", uri=True)) as database:
        held: list[Fact] = []
        for fact in _facts(database):
            held.append(fact)
            if len(held) == AT_ONCE:
                journal.note(*held)
                held.clear()
        journal.note(*held)
        (mode,) = database.execute("PRAGMA journal_mode").fetchone()
        (whole,) = database.execute("PRAGMA integrity_check").fetchone()
    journal.close()
    # synchronous belongs to a connection, so it cannot be read here; the store sets it to FULL.
    return {"journal_mode": mode.upper(), "synchronous": "FULL", "integrity_check": whole}


def _facts(database: sqlite3.Connection) -> Iterator[Fact]:
    for row in database.execute("SELECT order_id, sequence, state FROM order_events"):
        yield Event(*row)
    for row in database.execute(
        "SELECT endpoint_id, order_id, sequence, previous, state, attempts, replay FROM deliveries"
    ):
        yield Delivery(*row)
    for row in database.execute(
        "SELECT endpoint_id, order_id, sequence, attempt, outcome, status FROM attempts"
    ):
        yield Attempt(*row)
