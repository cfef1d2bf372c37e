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
from milepost.store.listing import DRIVERS
from milepost.store.postgres.commands import GUARDS, STATEMENTS, single
from milepost.store.postgres.pool import SETTINGS
from tests.postgres.filling import fill, fill_fast
from tests.postgres.server import new_database

MANY = 1_000_000
"""Rows of every table that a claim or a list walks through."""

READ_WHOLE = {
    "accounts": {"accounts"},
    "add_first_account": {"accounts"},
    "busy_endpoints": {"endpoints"},
    "backlog": {"endpoints", "lanes"},
    "renew_leases": {"endpoints"},
    "release_leases": {"endpoints"},
    "every_carrier_source": {"carrier_sources"},
    "every_source": {"sources"},
    "accounts_with_due_receipts": {"accounts"},
    "receipts_page": {"receipts"},
    "verdict_counts": {"receipts"},
    "count_conditions": {"endpoints", "endpoint_health"},
    "paused_endpoints": {"endpoints"},
    "untold": {"endpoint_health"},
    "sealed_clients": {"client_applications"},
    "claim_rehearsals": {"rehearsals"},
    "next_rehearsal_at": {"rehearsals"},
    "count_silences": {"silences"},
    "egress_changes": {"egress_changes"},
    "removals": {"removals"},
    "running_resends": {"resends"},
    "due_reconciliations": {"reconciliations"},
    # Counted once when somebody asks for a comparison, and up to a limit.
    "number_of_orders": {"orders"},
    "cancel_egress_change": {"egress_changes"},
    "any_operator": {"people"},
    "people": {"people"},
    "forget_old_first_tokens": {"first_tokens"},
    "forget_first_tokens": {"first_tokens"},
    "forget_sessions": {"sessions"},
    "end_sessions_by_link": {"sessions"},
    "end_sessions": {"sessions"},
    "end_session": {"sessions"},
    "sessions": {"sessions"},
    "find_session": {"people", "portal_links"},
    # Counted no further than asked.
    "pending_of_account": {"lanes"},
    "links": {"portal_links"},
    # The clock of a sandbox moves, and waits for, whatever waits of its account.
    "lock_account_lanes": {"lanes"},
    "move_lanes": {"lanes"},
    "move_rehearsals": {"rehearsals"},
    "waiting_lanes": {"lanes"},
    "waiting_rehearsals": {"rehearsals"},
    "waiting_silences": {"orders"},
    "waiting_trackings": {"trackings"},
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
    "queued_page",
    "resends_page",
    "undelivered",
    "listed",
    "listed_in_states",
    *(name for name, _ in DRIVERS),
}
BY_ID = sorted(set(STATEMENTS) - COUNTS - UNUSED - LISTS - GUARDS - {"every_store"})

KNOWN = ("new tables", "tables that were empty", "many rows")


async def prepared(url: str, known: str) -> Any:
    """A connection to an empty database, of which so much is known then."""
    connection = await asyncpg.connect(url)
    if known == "tables that were empty":
        # The files grow after the look, without anything in them that is known.
        await connection.execute("VACUUM ANALYZE")
        await fill(connection, many=500)
    elif known == "many rows":
        await fill_fast(connection, many=MANY)
    await connection.close()
    return await asyncpg.connect(url, server_settings=SETTINGS)


@pytest.fixture(scope="module", params=KNOWN)
def planner(request: pytest.FixtureRequest) -> Iterator[Planner]:
    with asyncio.Runner() as runner:
        connection = runner.run(prepared(new_database(), request.param))
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
        return list(_scans(self.plan(name, given)))

    def plan(self, name: str, given: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The whole of it."""
        text = single(name, given).text
        self._prepared += 1
        prepared = f"s{self._prepared}"
        self._run(self._connection.execute(f"PREPARE {prepared} AS {text}"))
        parameters = max((int(n) for n in re.findall(r"\$(\d+)", text)), default=0)
        values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
        found = self._run(
            self._connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {prepared}{values}")
        )
        plan: dict[str, Any] = json.loads(found)[0]["Plan"]
        return plan


def _scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        yield plan
    for inner in plan.get("Plans", ()):
        yield from _scans(inner)


def _sorts_before_a_limit(plan: dict[str, Any]) -> bool:
    """Whether rows of a table are sorted before the innermost limit has chosen among them."""
    inner = plan.get("Plans", ())
    if "Sort" in plan["Node Type"]:
        return not any(_limits(step) for step in inner)
    return any(map(_sorts_before_a_limit, inner))


def _limits(plan: dict[str, Any]) -> bool:
    return plan["Node Type"] == "Limit" or any(map(_limits, plan.get("Plans", ())))


def named(step: dict[str, Any]) -> str:
    return str(step.get("Index Name", step["Node Type"]))


def condition(step: dict[str, Any]) -> str:
    return str(step.get("Index Cond") or step.get("TID Cond", ""))


def walks(step: dict[str, Any]) -> bool:
    """Whether a step reads a table, or all of an account in it, from end to end."""
    found = condition(step)
    return not found or bool(
        re.fullmatch(r"\(*account_id\)?(::text)? = (\(\$\d+\)|[^()]*)\)?(::text)?\)*", found)
    )


@pytest.mark.parametrize("name", BY_ID)
def test_a_statement_reads_no_table_and_no_account_from_end_to_end(
    planner: Planner, name: str
) -> None:
    small = {
        "accounts",
        "api_keys",
        "carrier_sources",
        "client_applications",
        "endpoint_health",
        "endpoints",
        "reconciliations",
        "setups",
        "silence_thresholds",
        "silence_watches",
        "source_refusals",
        "sources",
        "stores",
        "upkeep",
        "warehouses",
    }
    for given in {frozenset[str](), STATEMENTS[name].options}:
        found = [step for step in planner.steps(name, given) if walks(step)]
        large = {step["Relation Name"] for step in found} - small
        # Whether any update of the account waits for its order.
        allowed = {"quarantine"} if name.startswith("orders_by") else READ_WHOLE.get(name, set())
        assert large <= allowed, [(s["Relation Name"], named(s), condition(s)) for s in found]
        assert {step["Relation Name"] for step in found if not condition(step)} <= READ_WHOLE.get(
            name, set()
        ), found


WHOLE_KEYS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "orders_by_key": [("orders_by_key", ("account_id", "order_key", "store"))],
    "orders_by_id": [("orders_pkey", ("account_id", "order_id"))],
    "parcels_of": [("parcels_pkey", ("account_id", "order_id"))],
    "waiting_for": [("quarantine_waiting", ("account_id", "store", "order_key"))],
    "update_orders": [("orders_pkey", ("account_id", "order_id"))],
    "any_quiet_order": [("orders_quiet", ("account_id", "state", "GREATEST"))],
    "quiet_orders": [("orders_quiet", ("account_id", "state", "GREATEST"))],
    "any_moved_order": [("orders_moved_on", ("account_id", "silent_at"))],
    "moved_orders": [("orders_moved_on", ("account_id", "silent_at"))],
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
    "confirm_lanes": [
        ("lanes_pkey", ("account_id", "endpoint_id", "order_id")),
        ("deliveries_pkey", ("account_id", "order_id", "endpoint_id", "sequence")),
    ],
    "renew_leases": [("lanes_leased", ("account_id", "endpoint_id", "leased_until"))],
    "release_leases": [("lanes_leased", ("account_id", "endpoint_id", "leased_until"))],
    "claim_trackings": [
        ("trackings_due", ("account_id", "due_at")),
        ("trackings_pkey", ("account_id", "order_id", "parcel")),
    ],
    "settle_trackings": [("trackings_pkey", ("account_id", "order_id", "parcel"))],
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


LISTINGS: list[tuple[str, tuple[str, ...], str, str]] = [
    ("listed", (), "orders_pkey", "account_id"),
    ("listed", ("usual_type",), "orders_pkey", "account_id"),
    ("listed_by_key", ("order_keys",), "orders_by_key", "order_key = "),
    ("listed_by_number", ("order_numbers",), "orders_by_number", "order_number = "),
    ("listed_by_number", ("order_numbers",), "orders_by_key", "order_key = "),
    ("listed_by_type", ("order_type",), "orders_by_type", "order_type = "),
    ("listed_by_shipping", ("shipped_from",), "orders_by_shipping", "shipped_at >= "),
    ("listed_by_shipping", ("shipped_to", "states"), "orders_by_shipping", "shipped_at <= "),
    ("listed_by_update", ("updated_from", "store"), "orders_by_update", "updated_at >= "),
    ("listed_by_update", ("updated_to",), "orders_by_update", "updated_at <= "),
    ("listed_in_states", (), "orders_by_store", "state = "),
    ("listed_in_states", ("store", "usual_type"), "orders_by_store", "state = "),
]
"""Statements of a merchant's listing, what is asked for, and through which index by what."""

IN_ORDER = {"listed", "listed_by_type", "listed_by_shipping", "listed_by_update"}
"""Those that stop reading when a page, or what a listing reaches, is full."""


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
@pytest.mark.parametrize(("name", "words", "index", "by"), LISTINGS)
def test_a_merchants_listing_is_read_through_the_index_of_what_it_asks_for(
    planner: Planner, name: str, words: tuple[str, ...], index: str, by: str, order: str
) -> None:
    plan = planner.plan(name, frozenset((*words, order)))
    steps = list(_scans(plan))
    (found,) = [s for s in steps if named(s) == index and by in condition(s)]
    assert {named(s) for s in steps} <= {"orders_by_number", "orders_by_key", index}
    assert not [s for s in steps if walks(s) and name not in {"listed", "listed_in_states"}]
    if name in IN_ORDER:
        wanted = "Forward" if order == "oldest_first" else "Backward"
        assert found["Scan Direction"] == wanted
        assert not _sorts_before_a_limit(plan), plan


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


@pytest.mark.parametrize("after", [(), ("after_endpoint", "after_created")])
@pytest.mark.parametrize("endpoint", [(), ("endpoint_id",)])
def test_a_page_of_what_was_not_delivered_is_read_in_order_from_indexes(
    planner: Planner, endpoint: tuple[str, ...], after: tuple[str, ...]
) -> None:
    steps = planner.steps("undelivered", frozenset((*endpoint, *after)))
    (part,) = [s for s in steps if "state = " in condition(s)]
    assert (named(part), part["Scan Direction"]) == ("deliveries_by_endpoint", "Forward")
    assert ("created_at" in condition(part)) == bool(after)
    (due,) = [s for s in steps if named(s) == "lanes_due"]
    assert due["Scan Direction"] == "Forward"
    assert ("due_at >=" in condition(due)) == bool(after)
    assert not [s for s in steps if not condition(s)]


def test_a_page_of_what_was_queued_is_read_in_order_from_indexes(planner: Planner) -> None:
    steps = planner.steps("queued_page")
    (part,) = [s for s in steps if "state = " in condition(s)]
    assert (named(part), part["Scan Direction"]) == ("deliveries_by_endpoint", "Forward")
    assert "created_at" in condition(part)
    (due,) = [s for s in steps if named(s) == "lanes_due"]
    assert due["Scan Direction"] == "Forward"
    assert "due_at >=" in condition(due)
    assert [s for s in steps if named(s) == "bodies_pkey"]


def test_a_resend_looks_for_what_it_chooses_in_the_order_of_an_index(planner: Planner) -> None:
    failed, bodies = planner.steps("failed_page")
    assert named(bodies) == "bodies_pkey"
    assert (named(failed), failed["Scan Direction"]) == ("deliveries_by_endpoint", "Forward")
    assert "created_at" in condition(failed)
    (orders,) = planner.steps("changed_orders")
    assert (named(orders), orders["Scan Direction"]) == ("orders_pkey", "Forward")
    (resends,) = planner.steps("resends_page", frozenset(("after_resend",)))
    assert (named(resends), resends["Scan Direction"]) == ("resends_pkey", "Backward")


def test_a_glance_at_a_resend_stops_in_the_order_of_an_index(planner: Planner) -> None:
    failed, bodies = planner.steps("failed_last")
    assert (named(failed), failed["Scan Direction"]) == ("deliveries_by_endpoint", "Backward")
    assert named(bodies) == "bodies_pkey"
    (orders,) = planner.steps("orders_changed_since")
    assert (named(orders), orders["Scan Direction"]) == ("orders_by_update", "Forward")
    assert "updated_at >=" in condition(orders)
    steps = {named(step): step for step in planner.steps("queued_between")}
    wanted = {"deliveries_by_endpoint", "lanes_due", "lanes_leased", "bodies_pkey", "orders_pkey"}
    assert set(steps) == wanted
    for index, column in (("deliveries_by_endpoint", "created_at"), ("lanes_due", "due_at")):
        assert steps[index]["Scan Direction"] == "Forward"
        assert f"{column} >=" in condition(steps[index])
        assert f"{column} <=" in condition(steps[index])
    for name in ("failed_last", "orders_changed_since"):
        assert not _sorts_before_a_limit(planner.plan(name, frozenset())), name


@pytest.mark.parametrize("words", [(), ("kind",), ("kind", "state")])
def test_silences_that_go_on_are_found_among_any_number_that_have_ended(
    planner: Planner, words: tuple[str, ...]
) -> None:
    silences, orders = planner.steps("open_silences_page", frozenset(words))
    assert (named(silences), silences["Scan Direction"]) == ("silences_open", "Backward")
    assert "number <" in condition(silences)
    assert "order_id = silences.order_id" in condition(orders)


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

QUEUED = {"limit": 51, "endpoint_id": "ep_2", "after_order": "", "after_sequence": 0}
LISTED = {"newest_first": True, "limit": 51, "skip": 0, "most": 1_000, "reach": 51}


def test_a_page_of_a_list_touches_few_of_many_rows(planner: Planner) -> None:
    pages: list[tuple[str, dict[str, Any]]] = [
        ("orders_page_in_parts", {"states": ["shipped"], "limit": 51}),
        ("orders_page", {"limit": 51}),
        ("deliveries_page_in_parts", {"states": list(DeliveryState), "limit": 51}),
        ("deliveries_page_in_parts", {"states": ["abandoned"], "limit": 51, "endpoint_id": "ep_2"}),
        ("quarantine_page", {"verdict": Verdict.ORPHAN.value, "limit": 51}),
        ("abandoned_page", {"limit": 51}),
        ("unresolved_page", {"verdict": Verdict.ORPHAN.value, "until": MANY, "limit": 51}),
        ("unmapped_page", {"limit": 51}),
        ("kept_of_order", {"order_id": "ord_1", "limit": 51}),
        ("kept_update", {"update_id": "upd_1"}),
        ("undelivered", {"limit": 51}),
        ("undelivered", {"limit": 51, "endpoint_id": "ep_2"}),
        ("queued_page", {**QUEUED, "after_created": 0}),
        ("queued_page", {**QUEUED, "after_created": MANY // 2}),
        ("listed", LISTED),
        ("listed_by_key", {**LISTED, "order_keys": [f"K{n:09}" for n in range(90)]}),
        ("listed_by_number", {**LISTED, "order_numbers": [f"N{n:09}" for n in range(90)]}),
        ("listed_by_type", {**LISTED, "order_type": "retail"}),
        ("listed_by_update", {**LISTED, "updated_from": 1}),
        ("listed_by_shipping", {**LISTED, "shipped_to": MANY}),
        ("listed_in_states", {**LISTED, "states": ["shipped", "delivered"]}),
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
