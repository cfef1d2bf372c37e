"""Every statement of a request finds its rows through an index."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import product

import pytest

from milepost.delivery.model import DeliveryState
from milepost.orders.events import Verdict
from milepost.orders.lifecycle import State
from milepost.ports import DeliveryFilter, OrderFilter, Page
from milepost.store.migrate import migrate_sqlite
from milepost.store.sqlite import reading
from milepost.store.sqlite.session import STATEMENTS, Session
from tests.store.desk import ACCOUNT

LISTINGS: dict[str, tuple[tuple[str, ...], str]] = {
    "listed": ((), "PRIMARY KEY (account_id=?)"),
    "listed_by_key": (("order_keys",), "orders_by_key (account_id=? AND order_key=?)"),
    "listed_by_number": (("order_numbers",), "orders_by_number (account_id=? AND order_number=?)"),
    "listed_by_shipping": (
        ("shipped_from", "shipped_to"),
        "orders_by_shipping (account_id=? AND shipped_at>? AND shipped_at<?)",
    ),
    "listed_by_store": (("store",), "orders_by_store (account_id=? AND store=?)"),
    "listed_by_type": (("order_type",), "orders_by_type (account_id=? AND order_type=?)"),
    "listed_by_update": (
        ("updated_from", "updated_to"),
        "orders_by_update (account_id=? AND updated_at>? AND updated_at<?)",
    ),
    "listed_in_state": (("state",), "orders_by_state (account_id=? AND state=?)"),
}
"""Statements of a merchant's listing, what is asked for, and through which index by what."""

IN_ORDER = ("listed_by_store", "listed_by_type", "listed_in_state")

LISTS = ("orders_page", "deliveries_page", "quarantine_page", "receipts_page", *LISTINGS)
READ_WHOLE = {
    "accounts": "accounts",
    "add_first_account": "accounts",
    "every_store": "stores",
    "every_endpoint": "endpoints",
    "running_resends": "resends",
    "every_source": "sources",
    "accounts_with_due_receipts": "accounts",
    "due_reconciliations": "reconciliations",
    "number_of_orders": "found",
    "pending_of_account": "pending",
    "endpoints_with_work": "endpoints",
    "sealed_clients": "client_applications",
    "removals": "removals",
    "claim_rehearsals": "due",
    "backlog_of_accounts": "accounts",
    "every_carrier_source": "carrier_sources",
    "count_conditions": "endpoints",
    "paused_endpoints": "endpoints",
    "untold": "endpoint_health",
    "count_silences": "silences",
    "egress_changes": "egress_changes",
    "cancel_egress_change": "egress_changes",
    "backlog_of_endpoints": "endpoints",
    "clocks_ahead": "accounts",
    "registry_version": "registry",
}
"""Statements that are meant to walk through a small table, and which."""

COUNTS = ("count_rows", "count_deliveries", "backlog_of_accounts", "backlog_of_endpoints")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate_sqlite(connection)
        yield connection


def plan(connection: sqlite3.Connection, text: str) -> list[str]:
    """The steps that SQLite would take, without those over rows that came with the statement."""
    named = dict.fromkeys(re.findall(r":(\w+)", text))
    values = named or [None] * text.count("?")
    rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
    given = set(re.findall(r"(\w+) \([\w, \n]+\) AS \(\s*VALUES", text))
    return [
        row[3]
        for row in rows
        if "CONSTANT ROW" not in row[3] and row[3] not in {f"SCAN {name}" for name in given}
    ]


def scans(steps: list[str]) -> list[str]:
    return [step for step in steps if step.startswith("SCAN") and "(subquery" not in step]


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - set(LISTS) - set(COUNTS)))
def test_a_statement_reads_no_table_from_end_to_end(
    connection: sqlite3.Connection, name: str
) -> None:
    statement = STATEMENTS[name]
    for text in (statement.text, statement.given(statement.options - {"among_others"})):
        repeated = re.sub(r"VALUES (\(\?[?, ]*\))", r"VALUES \1, \1, \1", text)
        found = scans(plan(connection, repeated))
        wanted = READ_WHOLE.get(name)
        assert [step.split()[1] for step in found] == ([wanted] if wanted else []), found


class Watching(Session):
    """Notes the plan of everything that is read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.steps: list[str] = []
        connection.set_trace_callback(self._note)
        self._noting = False

    def _note(self, text: str) -> None:
        if not self._noting and text.lstrip().startswith(("SELECT", "WITH")):
            self._noting = True
            # The text comes with its values in it.
            rows = self.connection.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()
            self.steps += [row[3] for row in rows]
            self._noting = False


CURSORS = {
    "orders": "WyJvcmRfMSJd",
    "quarantine": "WzEsInVwZF8xIl0",
    "deliveries": "WzEsIm9yZF8xIiwxLCJlcF9hIl0",
}


@pytest.mark.parametrize("after", [None, CURSORS["orders"]])
@pytest.mark.parametrize(
    ("state", "store", "index"),
    [
        (None, None, "PRIMARY KEY (account_id=?"),
        (State.SHIPPED, None, "orders_by_state (account_id=? AND state=?"),
        (None, "shop", "orders_by_store (account_id=? AND store=?"),
        (State.SHIPPED, "shop", "orders_by_state (account_id=? AND state=?"),
    ],
)
def test_a_page_of_orders_is_read_in_order_from_an_index(
    connection: sqlite3.Connection,
    state: State | None,
    store: str | None,
    index: str,
    after: str | None,
) -> None:
    session = Watching(connection)
    reading.orders(session, ACCOUNT, wanted=OrderFilter(store, state), page=Page(after))
    assert index in session.steps[0]
    assert ("order_id<?" in session.steps[0]) == (after is not None)
    assert not [s for s in session.steps if "SCAN" in s or "TEMP" in s]


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
@pytest.mark.parametrize("name", sorted(LISTINGS))
def test_a_merchants_listing_is_read_through_the_index_of_what_it_asks_for(
    connection: sqlite3.Connection, name: str, order: str
) -> None:
    words, index = LISTINGS[name]
    steps = plan(connection, STATEMENTS[name].given(frozenset((*words, order))))
    assert any(index in step for step in steps), steps
    given = {"SCAN json_each VIRTUAL TABLE INDEX 1:", "SCAN ranged", "SCAN numbered"}
    assert set(scans(steps)) <= given
    # A range is sorted by what it shows, after it has been read in its own order.
    sorts = [step for step in steps if "TEMP B-TREE FOR ORDER BY" in step]
    assert len(sorts) == (name not in {"listed", *IN_ORDER}), steps


@pytest.mark.parametrize("after", [None, CURSORS["deliveries"]])
@pytest.mark.parametrize(
    ("endpoint_id", "order_id", "state"),
    list(product((None, "ep_a"), (None, "ord_1"), (None, *DeliveryState))),
)
def test_a_page_of_deliveries_is_read_from_an_index(
    connection: sqlite3.Connection,
    endpoint_id: str | None,
    order_id: str | None,
    state: DeliveryState | None,
    after: str | None,
) -> None:
    session = Watching(connection)
    wanted = DeliveryFilter(endpoint_id, order_id, state)
    reading.deliveries(session, ACCOUNT, wanted=wanted, page=Page(after))
    if order_id is not None:
        # One order's deliveries are few, and are sorted.
        assert "PRIMARY KEY (account_id=? AND order_id=?" in session.steps[0]
        return
    still_open = state is not None and state is not DeliveryState.ACKNOWLEDGED
    index = "open" if still_open else "by_time" if endpoint_id is None else "by_endpoint"
    assert f"INDEX deliveries_{index} (account_id=?" in session.steps[0]
    assert not [s for s in session.steps if "SCAN" in s or "TEMP" in s]


@pytest.mark.parametrize("after", [None, CURSORS["quarantine"]])
@pytest.mark.parametrize("verdict", [None, *Verdict])
def test_a_page_of_quarantine_is_read_in_order_from_an_index(
    connection: sqlite3.Connection, verdict: Verdict | None, after: str | None
) -> None:
    session = Watching(connection)
    reading.quarantine(session, ACCOUNT, verdict=verdict, page=Page(after))
    index = "by_time" if verdict is None else "by_verdict"
    assert f"INDEX quarantine_{index} (account_id=?" in session.steps[0]
    assert not [s for s in session.steps if "SCAN" in s or "TEMP" in s]


@pytest.mark.parametrize("after", [(), ("after_endpoint",)])
@pytest.mark.parametrize("endpoint", [(), ("endpoint_id",)])
def test_a_page_of_what_was_not_delivered_is_read_in_order_from_an_index(
    connection: sqlite3.Connection, endpoint: tuple[str, ...], after: tuple[str, ...]
) -> None:
    text = STATEMENTS["undelivered"].given(frozenset((*endpoint, *after)))
    steps = plan(connection, text)
    bound = " AND (created_at," if after else ")"
    found = [s for s in steps if f"deliveries_open (account_id=? AND state=?{bound}" in s]
    assert len(found) == 3, steps


def test_a_page_of_what_was_queued_is_read_in_order_from_an_index(
    connection: sqlite3.Connection,
) -> None:
    steps = plan(connection, STATEMENTS["queued_page"].text)
    bound = "(account_id=? AND endpoint_id=? AND (created_at,order_id,sequence)>(?,?,?))"
    assert f"deliveries_by_endpoint {bound}" in steps[0]
    assert not [s for s in steps if "SCAN" in s or "TEMP" in s]


def test_a_resend_looks_for_what_it_chooses_in_the_order_of_an_index(
    connection: sqlite3.Connection,
) -> None:
    for name, index in {
        "failed_page": "deliveries_open (account_id=? AND state=?"
        " AND (created_at,order_id,sequence)>",
        "changed_orders": "orders USING PRIMARY KEY (account_id=? AND order_id>?)",
        "resends_page": "resends USING PRIMARY KEY (account_id=?",
        "failed_last": "deliveries_open (account_id=? AND state=?)",
        "queued_between": "deliveries_by_endpoint"
        " (account_id=? AND endpoint_id=? AND created_at>? AND created_at<?)",
        "orders_changed_since": "orders_by_update (account_id=? AND updated_at>?)",
    }.items():
        steps = plan(connection, STATEMENTS[name].text)
        assert index in steps[0]
        assert not [s for s in steps if "SCAN" in s or "TEMP" in s]


def test_the_statements_of_the_main_path_use_all_of_their_keys(
    connection: sqlite3.Connection,
) -> None:
    whole_keys = {
        "orders_by_id": "orders USING PRIMARY KEY (account_id=? AND order_id=?)",
        "orders_by_key": "INDEX orders_by_key (account_id=? AND order_key=? AND store=?)",
        "waiting_for": "quarantine_waiting (account_id=? AND store=? AND order_key=?)",
        "due_lanes": "lanes_due (account_id=? AND endpoint_id=? AND leased_until=? AND due_at<?)",
        "lanes_with_old_leases": "lanes_due (account_id=? AND endpoint_id=? AND leased_until<?)",
        "renew_leases": "lanes_due (account_id=? AND endpoint_id=? AND leased_until>?)",
        "delete_lanes": "lanes USING PRIMARY KEY (account_id=? AND endpoint_id=? AND order_id=?)",
        "due_trackings": "trackings_due (account_id=? AND due_at<?)",
        "lease_trackings": "PRIMARY KEY (account_id=? AND order_id=? AND parcel=?)",
        "settle_trackings": "PRIMARY KEY (account_id=? AND order_id=? AND parcel=?)",
        "set_lanes": "lanes USING PRIMARY KEY (account_id=? AND endpoint_id=? AND order_id=?)",
    }
    for name, key in whole_keys.items():
        assert any(key in step for step in plan(connection, STATEMENTS[name].text)), name


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("quiet_orders", "orders_quiet (account_id=? AND state=? AND <expr><?)"),
        ("moved_orders", "orders_moved_on (account_id=? AND silent_at>?)"),
    ],
)
def test_silence_is_looked_for_where_nothing_else_is_and_nothing_is_sorted(
    connection: sqlite3.Connection, name: str, index: str
) -> None:
    (step,) = plan(connection, STATEMENTS[name].text)
    assert step.endswith(index)
