"""What functions of the database read is found by the right index, whatever is known of it.

They are called by triggers and by statements, whose own plans say nothing of them.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import asyncpg
import pytest

from milepost.store.postgres.pool import SETTINGS
from tests.postgres.filling import fill
from tests.postgres.server import new_database
from tests.postgres.test_plans import _scans, condition, named, walks

KNOWN = ("new tables", "tables that were empty", "many rows")
MANY = 50_000

LOOKED_UP: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "begin_tracking": [("carrier_sources_pkey", ("account_id",))],
    "forget_tracking": [("trackings_pkey", ("account_id", "order_id", "parcel"))],
    "refuse_missed_keys": [
        ("quarantine_waiting", ("account_id", "store", "order_key")),
        ("orders_by_key", ("account_id", "order_key", "store")),
    ],
    "refuse_stale_setup": [("setups_pkey", ("account_id",))],
    "tell_who_awaits": [("receipts_by_number", ("account_id", "tracking_number"))],
}
"""Functions that read tables, and by which columns of which index; there are no others."""

MAY_WALK = {
    "begin_tracking": {"carrier_sources"},
    "refuse_missed_keys": {"quarantine"},
    "refuse_stale_setup": {"setups"},
}
"""Whether there is any of an account; a table of few rows of each."""

_STATEMENT = re.compile(r"^\s*(PERFORM FROM|UPDATE|DELETE FROM)\b(.*?);", re.DOTALL | re.MULTILINE)


async def _prepared(url: str, known: str) -> Any:
    connection = await asyncpg.connect(url)
    if known != "new tables":
        if known == "many rows":
            await fill(connection, many=MANY)
        await connection.execute("VACUUM ANALYZE")
        if known == "tables that were empty":
            await fill(connection, many=500)
    await connection.close()
    return await asyncpg.connect(url, server_settings=SETTINGS)


async def _statements(connection: Any) -> dict[str, list[str]]:
    """What each function reads and changes, with parameters for its arguments and its row."""
    functions = await connection.fetch(
        """
        SELECT proname, prosrc, coalesce(proargnames, '{}') AS names,
            ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) AS t) AS types
        FROM pg_proc
        JOIN pg_language ON pg_language.oid = prolang
        WHERE pronamespace = 'public'::regnamespace AND lanname = 'plpgsql'
        """
    )
    found: dict[str, list[str]] = {}
    for name, source, names, types in functions:
        words = dict(zip(names, types, strict=True))
        for verb, rest in _STATEMENT.findall(source):
            text = f"{verb}{rest}".replace("PERFORM", "SELECT", 1)
            found.setdefault(name, []).append(_with_parameters(text, words))
    return found


def _with_parameters(text: str, types: dict[str, str]) -> str:
    numbers: dict[str, int] = {}

    def parameter(word: str, kind: str) -> str:
        return f"${numbers.setdefault(word, len(numbers) + 1)}::{kind}"

    # Every column of theirs that is looked at is text.
    text = re.sub(r"\b(?:NEW|OLD)\.\w+", lambda m: parameter(m[0], "text"), text)
    for word, kind in types.items():
        if re.search(named_alone := rf"(?<![.\w]){word}\b(?!\.)", text):
            text = re.sub(named_alone, parameter(word, kind), text)
    return text


async def _steps(url: str, known: str) -> dict[str, list[dict[str, Any]]]:
    connection = await _prepared(url, known)
    try:
        found: dict[str, list[dict[str, Any]]] = {}
        for name, texts in (await _statements(connection)).items():
            for number, text in enumerate(texts):
                await connection.execute(f"PREPARE {name}{number} AS {text}")
                parameters = max((int(n) for n in re.findall(r"\$(\d+)", text)), default=0)
                values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
                plan = await connection.fetchval(
                    f"EXPLAIN (FORMAT JSON) EXECUTE {name}{number}{values}"
                )
                found.setdefault(name, []).extend(_scans(json.loads(plan)[0]["Plan"]))
        return found
    finally:
        await connection.close()


@pytest.fixture(scope="module", params=KNOWN)
def steps(request: pytest.FixtureRequest) -> dict[str, list[dict[str, Any]]]:
    return asyncio.run(_steps(new_database(), request.param))


def test_every_function_that_reads_is_named_here(steps: dict[str, list[dict[str, Any]]]) -> None:
    assert set(steps) == set(LOOKED_UP)


@pytest.mark.parametrize("name", sorted(LOOKED_UP))
def test_a_function_finds_what_it_reads_by_whole_keys(
    steps: dict[str, list[dict[str, Any]]], name: str
) -> None:
    for index, columns in LOOKED_UP[name]:
        using = [condition(step) for step in steps[name] if named(step) == index]
        assert any(all(column in found for column in columns) for found in using), steps[name]
    walked = {step["Relation Name"] for step in steps[name] if walks(step)}
    assert walked <= MAY_WALK.get(name, set()), steps[name]
    assert all(condition(step) for step in steps[name]), steps[name]
