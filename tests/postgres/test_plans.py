"""Every statement of a request finds its rows through the right index, whatever is known of them.

Whatever is known: the tables may be new, or have been empty when they were last looked at, or hold
very many rows. A statement is planned once for a connection, so that it must not matter when.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import asyncpg
import pytest

from milepost.delivery.model import DeliveryState
from milepost.orders.events import Verdict
from milepost.store.postgres.commands import GUARDS, STATEMENTS, single
from milepost.store.postgres.pool import SETTINGS
from tests.postgres.server import new_database

MANY = 200_000

READ_WHOLE = {
    "accounts": {"accounts"},
    "busy_endpoints": {"endpoints"},
    "backlog": {"endpoints", "lanes"},
    "renew_leases": {"endpoints"},
    "release_leases": {"endpoints"},
}
"""Statements that are meant to walk through a small table, and which."""

COUNTS = {"count_rows", "count_by_state"}
UNUSED = {
    # These are written for every database, and here in another way.
    "abandon_endpoint",
    "count_deliveries",
    "delivery",
    "drop_lanes",
    "every_endpoint",
    "every_store",
    "let_go_of_held_lanes",
}
LISTS = {
    "orders_page",
    "orders_page_in_parts",
    "quarantine_page",
    "deliveries_page_of_order",
    "deliveries_page_in_parts",
}
BY_ID = sorted(set(STATEMENTS) - COUNTS - UNUSED - LISTS - GUARDS - {"every_store"})

FILL = """
INSERT INTO accounts SELECT 'acc_' || a, 'A', 0 FROM generate_series(1, 3) AS a;
INSERT INTO setups SELECT 'acc_' || a, 1 FROM generate_series(1, 3) AS a;
INSERT INTO endpoints
SELECT 'acc_' || a, 'ep_' || e, 'standard', 'u', 's', 0, 0, '', 'active', '', NULL, NULL, 15, 32,
    'go_on', '', '', '[]'
FROM generate_series(1, 3) AS a, generate_series(1, 5) AS e;
INSERT INTO orders
SELECT 'acc_' || n % 3 + 1, 'ord_' || lpad(n::text, 9, '0'), 'shop' || n % 4, 'K' || n, 'N' || n,
    (ARRAY['created', 'shipped', 'delivered'])[n % 3 + 1], n, 1, n, n, NULL, NULL, NULL, 0, NULL
FROM generate_series(1, $many) AS n;
INSERT INTO order_contents SELECT account_id, order_id, '{}' FROM orders;
INSERT INTO order_events
SELECT account_id, order_id, 1, 'order.created', 'created', NULL, 'api', n, n, NULL, NULL, NULL,
    NULL, NULL, 0, NULL
FROM (SELECT *, state_at AS n FROM orders) AS orders;
INSERT INTO parcels
SELECT account_id, order_id, '1', 0, NULL, NULL, NULL, NULL, NULL, 'T' || order_key, NULL, NULL,
    NULL
FROM orders;
INSERT INTO quarantine
SELECT account_id, 'upd_' || order_id, CASE WHEN state_at % 5 = 0 THEN 'orphan' ELSE 'stale' END,
    '', '', 'shop', order_key, NULL, NULL, state_at, '{}', NULL
FROM orders;
INSERT INTO deliveries
SELECT account_id, order_id, 'ep_' || state_at % 5 + 1, 1, 0, 'created',
    CASE WHEN state_at % 50 = 0 THEN 'abandoned' WHEN state_at % 50 = 1 THEN 'pending'
        ELSE 'acknowledged' END,
    state_at, 1, 1, 0, NULL, state_at, NULL, 0
FROM orders;
INSERT INTO bodies SELECT account_id, order_id, 1, 0, 'text/plain', 'x' FROM orders;
INSERT INTO lanes
SELECT account_id, 'ep_' || state_at % 5 + 1, order_id, 2, 2, state_at,
    CASE WHEN state_at % 100 = 0 THEN 'me' END, CASE WHEN state_at % 100 = 0 THEN state_at END, 0,
    'created', 1, 0, state_at
FROM orders;
INSERT INTO attempts
SELECT account_id, order_id, endpoint_id, 1, 1, 0, 0, 1, 'acknowledged', 204, '', ''
FROM deliveries;
"""

KNOWN = {
    "new tables": "SELECT 1",
    "tables that were empty": "VACUUM ANALYZE",
    "many rows": FILL.replace("$many", str(MANY)) + "ANALYZE",
}


@pytest.fixture(scope="module", params=KNOWN)
def planner(request: pytest.FixtureRequest) -> Iterator[Planner]:
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(new_database(), server_settings=SETTINGS))
        runner.run(connection.execute(KNOWN[request.param]))
        if request.param == "tables that were empty":
            # The files have grown since then, without anything in them that is known.
            runner.run(connection.execute(FILL.replace("$many", "500")))
        yield Planner(connection, runner)
        runner.run(connection.close())


class Planner:
    """Tells how a statement is run, without what is known of its values."""

    def __init__(self, connection: Any, runner: asyncio.Runner) -> None:
        self._connection = connection
        self._run = runner.run
        self._prepared = 0

    def steps(self, name: str, given: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
        """Every scan in the plan."""
        text = single(name, given).text
        self._prepared += 1
        prepared = f"s{self._prepared}"
        self._run(self._connection.execute(f"PREPARE {prepared} AS {text}"))
        parameters = max((int(n) for n in re.findall(r"\$(\d+)", text)), default=0)
        values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
        found = self._run(
            self._connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {prepared}{values}")
        )
        return list(_scans(json.loads(found)[0]["Plan"]))


def _scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        yield plan
    for inner in plan.get("Plans", ()):
        yield from _scans(inner)


def named(step: dict[str, Any]) -> str:
    return str(step.get("Index Name", step["Node Type"]))


def condition(step: dict[str, Any]) -> str:
    return str(step.get("Index Cond", ""))


def walks(step: dict[str, Any]) -> bool:
    """Whether a step reads a table, or all of an account in it, from end to end."""
    found = condition(step)
    return not found or bool(
        re.fullmatch(r"\(*account_id\)?(::text)? = [^()]*\)?(::text)?\)*", found)
    )


@pytest.mark.parametrize("name", BY_ID)
def test_a_statement_reads_no_table_and_no_account_from_end_to_end(
    planner: Planner, name: str
) -> None:
    small = {"accounts", "setups", "stores", "endpoints", "api_keys"}
    nothing: frozenset[str] = frozenset()
    for given in (nothing, STATEMENTS[name].options):
        found = [step for step in planner.steps(name, given) if walks(step)]
        large = {step["Relation Name"] for step in found} - small
        # Whether any update of the account waits for its order.
        allowed = {"quarantine"} if name.startswith("orders_by") else READ_WHOLE.get(name, set())
        assert large <= allowed, found
        assert {step["Relation Name"] for step in found if not condition(step)} <= READ_WHOLE.get(
            name, set()
        ), found


WHOLE_KEYS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "orders_by_key": [("orders_by_key", ("account_id", "order_key", "store"))],
    "orders_by_id": [("orders_pkey", ("account_id", "order_id"))],
    "parcels_of": [("parcels_pkey", ("account_id", "order_id"))],
    "waiting_for": [("quarantine_waiting", ("account_id", "store", "order_key"))],
    "update_orders": [("orders_pkey", ("account_id", "order_id"))],
    "lanes_before": [
        ("deliveries_pkey", ("account_id", "order_id", "endpoint_id")),
        ("lanes_pkey", ("account_id", "endpoint_id", "order_id")),
    ],
    "claim_lanes": [
        ("lanes_due", ("account_id", "endpoint_id", "due_at")),
        ("lanes_leased", ("account_id", "endpoint_id", "leased_until")),
        ("lanes_pkey", ("account_id", "endpoint_id", "order_id")),
    ],
    "busy_endpoints": [
        ("lanes_due", ("account_id", "endpoint_id", "due_at")),
        ("lanes_leased", ("account_id", "endpoint_id", "leased_until")),
    ],
    "heads": [
        ("lanes_pkey", ("account_id", "endpoint_id", "order_id")),
        ("deliveries_pkey", ("account_id", "order_id", "endpoint_id", "sequence")),
        ("bodies_pkey", ("account_id", "order_id", "sequence", "variant")),
    ],
    "settle_last": [
        ("lanes_pkey", ("account_id", "endpoint_id", "order_id")),
        ("deliveries_pkey", ("account_id", "order_id", "endpoint_id", "sequence")),
    ],
    "settle_lanes": [
        ("lanes_pkey", ("account_id", "endpoint_id", "order_id")),
        ("deliveries_pkey", ("account_id", "order_id", "endpoint_id", "sequence")),
    ],
    "renew_leases": [("lanes_leased", ("account_id", "endpoint_id", "leased_until"))],
    "release_leases": [("lanes_leased", ("account_id", "endpoint_id", "leased_until"))],
    "let_go": [("lanes_due", ("account_id", "endpoint_id", "due_at"))],
    "one_delivery": [
        ("deliveries_pkey", ("account_id", "order_id", "endpoint_id", "sequence")),
        ("lanes_pkey", ("account_id", "endpoint_id", "order_id")),
    ],
    "backlog": [("deliveries_by_endpoint", ("account_id", "endpoint_id", "state"))],
}


@pytest.mark.parametrize("name", sorted(WHOLE_KEYS))
def test_the_statements_of_the_main_path_use_all_of_their_keys(planner: Planner, name: str) -> None:
    steps = planner.steps(name)
    for index, columns in WHOLE_KEYS[name]:
        using = [condition(step) for step in steps if named(step) == index]
        assert any(all(column in found for column in columns) for found in using), steps


def test_a_due_lane_is_found_without_sorting_those_that_wait(planner: Planner) -> None:
    plan = planner.steps("claim_lanes")
    due = next(step for step in plan if named(step) == "lanes_due")
    assert due["Scan Direction"] == "Forward"
    assert "leased_until IS NULL" in due["Filter"]


# lists: an index gives their rows in their order, as far as is shown


@pytest.mark.parametrize("after", [(), ("after_order",)])
def test_a_page_of_all_orders_is_read_in_order_from_an_index(
    planner: Planner, after: tuple[str, ...]
) -> None:
    orders, contents = planner.steps("orders_page", frozenset(after))
    assert (named(orders), orders["Scan Direction"]) == ("orders_pkey", "Backward")
    assert ("order_id" in condition(orders)) == bool(after)
    assert "order_id" in condition(contents)


@pytest.mark.parametrize("after", [(), ("after_order",)])
@pytest.mark.parametrize("store", [(), ("store",)])
def test_a_page_of_some_orders_is_read_in_order_from_an_index(
    planner: Planner, store: tuple[str, ...], after: tuple[str, ...]
) -> None:
    steps = planner.steps("orders_page_in_parts", frozenset((*store, *after)))
    part = [s for s in steps if "state = " in condition(s)]
    assert [(named(s), s["Scan Direction"]) for s in part] == [("orders_by_store", "Backward")]
    assert ("order_id <" in condition(part[0])) == bool(after)
    rest = [s for s in steps if s not in part]
    assert {named(s) for s in rest} == {"orders_by_store", "orders_pkey", "order_contents_pkey"}


@pytest.mark.parametrize("after", [(), ("after_endpoint", "after_created")])
@pytest.mark.parametrize("endpoint", [(), ("endpoint_id",)])
def test_a_page_of_deliveries_is_read_in_order_from_indexes(
    planner: Planner, endpoint: tuple[str, ...], after: tuple[str, ...]
) -> None:
    steps = planner.steps("deliveries_page_in_parts", frozenset((*endpoint, *after)))
    (part,) = [s for s in steps if "state = " in condition(s)]
    assert (named(part), part["Scan Direction"]) == ("deliveries_by_endpoint", "Backward")
    assert ("created_at" in condition(part)) == bool(after)
    (due,) = [s for s in steps if named(s) == "lanes_due"]
    assert due["Scan Direction"] == "Backward"
    assert ("due_at <=" in condition(due)) == bool(after)
    assert not [s for s in steps if not condition(s)]


@pytest.mark.parametrize("endpoint", [(), ("endpoint_id",)])
def test_the_deliveries_of_an_order_are_found_by_the_order(
    planner: Planner, endpoint: tuple[str, ...]
) -> None:
    steps = planner.steps("deliveries_page_of_order", frozenset(endpoint))
    large = {named(s): condition(s) for s in steps if s["Relation Name"] != "endpoints"}
    assert set(large) == {"deliveries_pkey", "lanes_pkey"}
    assert all("order_id" in found for found in large.values())


@pytest.mark.parametrize(
    ("words", "index"),
    [
        (("every_verdict",), "quarantine_by_time"),
        (("verdict",), "quarantine_by_verdict"),
    ],
)
@pytest.mark.parametrize("after", [(), ("after_update",)])
def test_a_page_of_quarantine_is_read_in_order_from_an_index(
    planner: Planner, words: tuple[str, ...], index: str, after: tuple[str, ...]
) -> None:
    (step,) = planner.steps("quarantine_page", frozenset((*words, *after)))
    assert (named(step), step["Scan Direction"]) == (index, "Backward")


# what is asked of the database for real


def test_a_page_of_a_list_touches_few_of_many_rows(planner: Planner) -> None:
    pages: list[tuple[str, dict[str, Any]]] = [
        ("orders_page_in_parts", {"states": ["shipped"], "limit": 51}),
        ("orders_page", {"limit": 51}),
        ("deliveries_page_in_parts", {"states": list(DeliveryState), "limit": 51}),
        ("deliveries_page_in_parts", {"states": ["abandoned"], "limit": 51, "endpoint_id": "ep_2"}),
        ("quarantine_page", {"verdict": Verdict.ORPHAN.value, "limit": 51}),
    ]
    for name, values in pages:
        asked = {"account_id": "acc_1", **values}
        command = single(name, frozenset(asked))
        given = [asked.get(word) for word in command.names]
        statement = planner._run(planner._connection.prepare(command.text))
        plan = planner._run(statement.explain(*given, analyze=True))[0]
        touched = sum(
            step["Actual Rows"] * step["Actual Loops"] + step.get("Rows Removed by Filter", 0)
            for step in _scans(plan["Plan"])
        )
        assert touched < 5_000, (name, touched)


def test_claiming_touches_no_more_lanes_than_it_takes(planner: Planner) -> None:
    statement = planner._run(planner._connection.prepare(single("claim_lanes").text))
    separator = "\x1f"
    given = [
        separator.join(["acc_1", "acc_2"]), separator.join(["ep_1", "ep_2"]), "{20,20}",
        MANY, 30, "me", MANY,
    ]  # fmt: skip
    plan = planner._run(statement.explain(*given, analyze=True))[0]
    touched = sum(
        step["Actual Rows"] * step["Actual Loops"]
        for step in _scans(plan["Plan"])
        if named(step) == "lanes_due"
    )
    assert touched <= 40


def test_every_combination_of_a_list_can_be_run(planner: Planner) -> None:
    for store, after in product(((), ("store",)), ((), ("after_order",))):
        assert planner.steps("orders_page_in_parts", frozenset((*store, *after)))
