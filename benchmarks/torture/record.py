"""What the database holds after a run, written beside the journals, so that both stay together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.invariants import broken
from benchmarks.torture.facts import Attempt, Delivery, Event, Fact, Journal

AT_ONCE = 1_000

EVENTS = "SELECT order_id, sequence, state FROM order_events"
DELIVERIES = """
    SELECT endpoint_id, order_id, sequence, previous, state, attempts, replay FROM deliveries
"""
HEADS = """
    SELECT endpoint_id, order_id, sequence, previous, 'pending', 0, 0 FROM lanes
    WHERE status IS NOT NULL
"""
"""On PostgreSQL a delivery that was never tried is in its lane and not yet among the others."""

ATTEMPTS = "SELECT endpoint_id, order_id, sequence, attempt, outcome, status FROM attempts"

WHOLE = "whole"
"""What is said of tables in which nothing contradicts anything else."""

SHOWN = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "data_checksums")


def keep_record(folder: Path, *, database_url: str | None) -> dict[str, str]:
    """Copies the record of a hub that has stopped; returns how durable the database is.

    Without a URL it is the SQLite file in the folder.
    """
    if database_url is not None:
        return asyncio.run(_keep_postgres(folder, database_url))
    with closing(sqlite3.connect(f"file:{folder / 'torture.db'}?mode=ro", uri=True)) as database:
        _write(
            folder,
            _facts(
                database.execute(EVENTS), database.execute(DELIVERIES), database.execute(ATTEMPTS)
            ),
        )
        (version,) = database.execute("SELECT sqlite_version()").fetchone()
        (mode,) = database.execute("PRAGMA journal_mode").fetchone()
        (whole,) = database.execute("PRAGMA integrity_check").fetchone()
    # synchronous belongs to a connection, so it cannot be read here; the store sets it to FULL.
    return {
        "SQLite": version,
        "journal_mode": mode.upper(),
        "synchronous": "FULL",
        "tables": WHOLE if whole == "ok" else whole,
    }


async def _keep_postgres(folder: Path, url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        deliveries = [*await connection.fetch(DELIVERIES), *await connection.fetch(HEADS)]
        events, attempts = await connection.fetch(EVENTS), await connection.fetch(ATTEMPTS)
        _write(folder, _facts(events, deliveries, attempts))
        found = {name: await connection.fetchval(f"SHOW {name}") for name in SHOWN}
        wrong = await broken(url)
        standbys = await connection.fetchval("SHOW synchronous_standby_names")
    finally:
        await connection.close()
    return {
        "PostgreSQL": found.pop("server_version").split()[0],
        **found,
        "synchronous standbys": "1" if standbys else "0",
        "tables": "; ".join(wrong) or WHOLE,
    }


def _facts(
    events: Iterable[Any], deliveries: Iterable[Any], attempts: Iterable[Any]
) -> Iterator[Fact]:
    for row in events:
        yield Event(*row)
    for row in deliveries:
        yield Delivery(*row)
    for row in attempts:
        yield Attempt(*row)


def _write(folder: Path, facts: Iterable[Fact]) -> None:
    journal = Journal(folder / "record.jsonl")
    held: list[Fact] = []
    for fact in facts:
        held.append(fact)
        if len(held) == AT_ONCE:
            journal.note(*held)
            held.clear()
    journal.note(*held)
    journal.close()
