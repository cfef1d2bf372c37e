"""Nothing that is asked for walks through an account that has grown: no statement, no trigger.

SQLite keeps no statistics here, so its plans are the same for a file of any size.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import combinations, product
from typing import Any

import msgspec
import pytest

from milepost.orders.lifecycle import State
from milepost.orders.silence import SilenceKind
from milepost.ports import Page
from milepost.ports.merchants import OrderListing
from milepost.ports.receipts import ReceiptVerdict
from milepost.ports.receiving import ReceiptFilter
from milepost.ports.silence import SilenceFilter
from milepost.store.migrate import migrate_sqlite
from milepost.store.sqlite import merchants, receiving, silence
from milepost.store.sqlite.session import STATEMENTS
from tests.store.desk import ACCOUNT
from tests.store.test_sqlite_plans import LISTS, Watching, plan, scans

STAY_SMALL = {
    "accounts",
    "api_keys",
    "carrier_sources",
    "client_applications",
    "egress_changes",
    "endpoint_health",
    "endpoints",
    "first_tokens",
    "people",
    "portal_links",
    "registry",
    "sessions",
    "silence_thresholds",
    "silence_watches",
    "source_refusals",
    "sources",
    "stores",
    "upkeep",
    "warehouses",
}
"""Tables with as many rows as people have made by hand. Any other grows, a new one too."""

A_PAGE = "newest first, in the order of the key, up to a limit"
FEW_RUNS = "of each source so many are kept, and older ones removed"
SANDBOX = "what waits in a sandbox whose clock is moved, or of which that is asked"
WALKS: dict[str, dict[str, str]] = {
    "claim_rehearsals": {"rehearsals": "the plays of sandboxes that are going on"},
    "next_rehearsal_at": {"rehearsals": "the plays of sandboxes that are going on"},
    "clear_old_differences": {"reconciliations": FEW_RUNS},
    "clear_old_reconciliations": {"reconciliations": FEW_RUNS},
    "count_deliveries": {"deliveries": "an operator counts by hand"},
    "count_rows": dict.fromkeys(
        ("attempts", "order_events", "orders", "quarantine"), "an operator counts by hand"
    ),
    "count_silences": {"silences": "by the index of those that go on, and no others"},
    "due_reconciliations": {"reconciliations": "by the index of those that run, and no others"},
    "failed_reconciliations": {"reconciliations": FEW_RUNS},
    "last_reconciliation": {"reconciliations": FEW_RUNS},
    "move_lanes": {"lanes": SANDBOX},
    "move_rehearsals": {"rehearsals": SANDBOX},
    "reconciliations_page": {"reconciliations": A_PAGE},
    "removals": {"removals": "what an upkeep is about to remove, up to a limit"},
    "resends_page": {"resends": A_PAGE},
    "running_resends": {"resends": "by the index of those that run, and no others"},
    "state_counts": {"orders": "counted beside what is asked, and rests longer than it takes"},
    "verdict_counts": {"receipts": "of so many of the newest, and no more"},
    "waiting_lanes": {"lanes": SANDBOX},
    "waiting_rehearsals": {"rehearsals": SANDBOX},
    "waiting_silences": {"orders": SANDBOX},
    "waiting_trackings": {"trackings": SANDBOX},
}
"""Statements that do walk through a table or through an account in it, and why they may."""

_STEP = re.compile(
    r"(?:SEARCH|SCAN) (\w+)(?: USING (?:COVERING )?(?:INDEX \w+|PRIMARY KEY))?(?: \((.*)\))?"
)


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate_sqlite(connection)
        yield connection


def _tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {row[0] for row in rows}


def _walked(steps: list[str], text: str, *, tables: set[str]) -> dict[str, str]:
    """The growing tables that a plan walks through, or through an account in them; the steps."""
    named = {alias: table for table, alias in re.findall(r"(\w+) AS (\w+)", text)}
    found: dict[str, str] = {}
    for step in steps:
        if (parts := _STEP.match(step)) is None:
            continue
        table, by = named.get(parts[1], parts[1]), parts[2] or ""
        if "order_id < 'tst_'" in text:
            # All but the orders of tests, which is to say all.
            by = by.removesuffix(" AND order_id<?")
        if table in tables - STAY_SMALL and by in {"", "account_id=?"}:
            found[table] = step
    return found


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - set(LISTS)))
def test_a_statement_walks_through_no_account_that_has_grown(
    connection: sqlite3.Connection, name: str
) -> None:
    statement, tables = STATEMENTS[name], _tables(connection)
    options = statement.options - {"among_others"}
    found: dict[str, str] = {}
    for given in {frozenset(), options, *(frozenset({word}) for word in options)}:
        text = re.sub(r"VALUES (\(\?[?, ]*\))", r"VALUES \1, \1, \1", statement.given(given))
        found |= _walked(plan(connection, text), text, tables=tables)
    assert set(found) == set(WALKS.get(name, ())), found


def test_every_statement_that_may_walk_is_there() -> None:
    assert set(WALKS) <= set(STATEMENTS) - set(LISTS)


def _programs(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Each trigger's condition and each statement of its body, with parameters for its rows."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    for name, written in rows.fetchall():
        text = re.sub(r"--.*", "", written)
        text = re.sub(r"\b(NEW|OLD)\.(\w+)", r":\1_\2", text)
        parts = re.fullmatch(r".*? ON \w+\s+(?:WHEN\b(.*?)\s)?BEGIN\b(.*)\bEND", text, re.DOTALL)
        assert parts is not None, name
        if parts[1] is not None:
            yield name, f"SELECT 1 WHERE {parts[1]}"
        for statement in parts[2].strip().removesuffix(";").split(";"):
            # To refuse a change reads nothing, and can be said in a trigger alone.
            if not re.match(r"\s*SELECT RAISE\b", statement):
                yield name, statement.strip()


def test_no_trigger_walks_through_a_table_or_an_account(connection: sqlite3.Connection) -> None:
    seen: dict[str, int] = {}
    for name, text in _programs(connection):
        steps = plan(connection, text)
        seen[name] = seen.get(name, 0) + len(steps)
        assert not _walked(steps, text, tables=_tables(connection)), (name, text)
        # It has one row.
        assert set(scans(steps)) <= {"SCAN registry"}
    # They were taken apart as they should be: these do look things up.
    looking_up = {"parcels_are_awaited", "parcels_are_awaited_again", "parcels_are_tracked"}
    assert all(seen[name] for name in looking_up)


A_TRIGGER_THAT_WALKS = """
CREATE TRIGGER it_walks AFTER INSERT ON parcels
WHEN NEW.state IS NOT NULL AND EXISTS (
    SELECT 1 FROM deliveries WHERE account_id = NEW.account_id AND status = NEW.state
)
BEGIN
    -- It does; by more than one.
    UPDATE receipts
    SET due_at = CASE WHEN due_at IS NULL THEN received_at END
    WHERE account_id = NEW.account_id
        AND tracking_number = NEW.tracking_number AND verdict = 'orphan';
    DELETE FROM attempts WHERE detail = NEW.state;
END
"""


def test_a_trigger_that_walks_would_be_found() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate_sqlite(connection)
        connection.execute(A_TRIGGER_THAT_WALKS)
        tables = _tables(connection)
        found = [
            set(_walked(plan(connection, text), text, tables=tables))
            for name, text in _programs(connection)
            if name == "it_walks"
        ]
    assert found == [{"deliveries"}, {"receipts"}, {"attempts"}]


@pytest.mark.parametrize("after", [None, "WyJyY3BfMSJd"])
@pytest.mark.parametrize(
    ("source", "order_id", "verdict"),
    list(product((None, "shop"), (None, "ord_1"), (None, *ReceiptVerdict))),
)
def test_a_page_of_receipts_is_read_in_order_from_an_index(
    connection: sqlite3.Connection,
    source: str | None,
    order_id: str | None,
    verdict: ReceiptVerdict | None,
    after: str | None,
) -> None:
    session = Watching(connection)
    wanted = ReceiptFilter(source, order_id, verdict)
    receiving.receipts(session, ACCOUNT, wanted=wanted, page=Page(after))
    (step,) = session.steps
    by = "PRIMARY KEY (account_id=?"
    if order_id is not None:
        by = "INDEX receipts_by_order (account_id=? AND order_id=?"
    elif verdict not in {None, ReceiptVerdict.APPLIED}:
        by = "INDEX receipts_by_verdict (account_id=? AND verdict=?"
    elif source is not None:
        by = "INDEX receipts_by_source (account_id=? AND source=?"
    assert f"receipts USING {by}" in step
    assert ("receipt_id<?" in step) == (after is not None)


@pytest.mark.parametrize("kind", [None, *SilenceKind])
@pytest.mark.parametrize("state", [None, State.SHIPPED])
def test_silences_that_go_on_are_found_among_any_number_that_have_ended(
    connection: sqlite3.Connection, state: State | None, kind: SilenceKind | None
) -> None:
    session = Watching(connection)
    wanted = SilenceFilter(kind, state, is_open=True)
    silence.silences(session, ACCOUNT, wanted=wanted, page=Page())
    assert "silences USING INDEX silences_open (account_id=? AND number<?)" in session.steps[0]
    assert not [step for step in session.steps if "TEMP" in step]


ASKED: dict[str, Any] = {
    "store": "shop",
    "order_keys": ("K-1",),
    "order_numbers": ("N-1",),
    "states": (State.SHIPPED, State.CREATED),
    "order_type": "wholesale",
    "updated_from": datetime(2026, 11, 23, tzinfo=UTC),
    "shipped_to": datetime(2026, 11, 23, tzinfo=UTC),
}


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    "fields", [*((one,) for one in ASKED), *combinations(ASKED, 2), tuple(ASKED)]
)
def test_a_merchants_listing_that_asks_for_anything_walks_through_no_account(
    connection: sqlite3.Connection, fields: tuple[str, ...], newest_first: bool
) -> None:
    session = Watching(connection)
    wanted = msgspec.structs.replace(OrderListing(), **{name: ASKED[name] for name in fields})
    merchants.listed_orders(
        session, ACCOUNT, wanted=wanted, skip=0, limit=50, newest_first=newest_first
    )
    assert session.steps
    assert not _walked(session.steps, "", tables=_tables(connection))
