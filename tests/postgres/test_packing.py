"""Values on their way into the database: packed columns, escaped texts, hosts and statements."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import SettingInvalid
from milepost.settings import Settings
from milepost.store import postgres
from milepost.store.postgres.address import hosts_of
from milepost.store.postgres.commands import STATEMENTS, batch, compound, single
from milepost.store.postgres.packing import (
    escaped,
    packed_numbers,
    packed_texts,
    packs_of,
    plain,
)
from tests.postgres.server import new_database
from tests.postgres.test_plans import UNUSED

PACKAGE = Path(postgres.__file__).parent
ODD = st.text(st.sampled_from('\x00\x1a\x1e\x1f\x01ab,{}"\\0123 é😀'))
NUMBER = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(scope="module")
def ask() -> Iterator[Any]:
    """What the database makes of a value."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(new_database()))
        yield lambda query, *values: runner.run(connection.fetchval(query, *values))
        runner.run(connection.close())


@given(column=st.lists(st.none() | ODD))
def test_a_column_of_texts_arrives_as_it_was(ask: Any, column: list[str | None]) -> None:
    found = ask("SELECT texts($1)", packed_texts(column))
    assert list(plain(found or ())) == column


@given(text=ODD)
def test_a_text_is_kept_without_what_cannot_be_and_comes_back(ask: Any, text: str) -> None:
    kept = ask("SELECT $1::text", escaped(text))
    assert not set(kept) & {"\x00", "\x1e", "\x1f"}
    assert plain((1, kept, None, b"\x1a0")) == (1, text, None, b"\x1a0")


def test_ordinary_texts_are_kept_as_they_are(ask: Any) -> None:
    for text in ("", "K1", "a'b\"c\\", "ключ\n\t😀", "NULL", "{a,b}"):
        assert escaped(text) == text == ask("SELECT (texts($1))[1]", packed_texts([text]))


@given(column=st.lists(st.none() | NUMBER))
def test_a_column_of_numbers_arrives_as_it_was(ask: Any, column: list[int | None]) -> None:
    assert ask("SELECT $1::text::bigint[]", packed_numbers(column)) == column


@given(column=st.lists(st.floats(allow_nan=False)))
def test_a_column_of_fractions_arrives_as_it_was(ask: Any, column: list[float]) -> None:
    assert ask("SELECT $1::text::double precision[]", packed_numbers(column)) == column


def test_truths_arrive_as_they_were(ask: Any) -> None:
    for column in ([True, False, None], [True, True], [False]):
        assert ask("SELECT $1::text::boolean[]", packed_numbers(column)) == column


# statements


def test_every_statement_has_a_caller_and_every_caller_a_statement() -> None:
    rooms = (PACKAGE, PACKAGE.parent)
    code = "\n".join(f.read_text(encoding="utf-8") for room in rooms for f in room.glob("*.py"))
    assert set(re.findall(r"\.(?:rows|row|write|batch)\(\s*\"(\w+)\"", code)) <= set(STATEMENTS)
    # Some are chosen from tables of names.
    assert set(STATEMENTS) - set(re.findall(r"\"(\w+)\"", code)) == UNUSED


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_every_parameter_has_one_name_or_one_number(name: str) -> None:
    text = STATEMENTS[name].given(STATEMENTS[name].options)
    numbered = "$1" in text
    assert not (numbered and single(name, STATEMENTS[name].options).names)
    if numbered:
        assert batch(name).packs == packs_of(text)


def test_statements_put_together_take_their_columns_one_after_the_other() -> None:
    names = ("stand_still", "insert_contents", "delete_parcels")
    text = compound(names)
    assert text.index("delete_parcels AS") < text.index("insert_contents AS")
    assert text.endswith("FROM refuse_stale_setup(texts($1), $2::text::bigint[])")
    numbers = {int(n) for n in re.findall(r"\$(\d+)", text)}
    assert numbers == set(range(1, 2 + 3 + 3 + 1))
    assert "unnest(texts($3)), unnest(texts($4)), unnest($5::bytea[])" in text


def test_a_statement_whose_columns_are_not_its_first_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="first parameters"):
        packs_of("SELECT texts($2) WHERE $1")


# addresses


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://me@db/hub", [("db", "postgresql://me@db/hub")]),
        (
            "postgres://me:se%40cret@a:5433,b,[::1]:5434/hub?sslmode=require",
            [
                ("a:5433", "postgres://me:se%40cret@a:5433/hub?sslmode=require"),
                ("b", "postgres://me:se%40cret@b/hub?sslmode=require"),
                ("[::1]:5434", "postgres://me:se%40cret@[::1]:5434/hub?sslmode=require"),
            ],
        ),
        (
            "postgresql:///hub?host=/run/a,/run/b&port=5433",
            [
                ("/run/a", "postgresql:///hub?host=%2Frun%2Fa&port=5433"),
                ("/run/b", "postgresql:///hub?host=%2Frun%2Fb&port=5433"),
            ],
        ),
        (
            "postgresql://me@/hub?host=a,b&port=1,2&target_session_attrs=any",
            [
                ("a", "postgresql://me@/hub?host=a&port=1"),
                ("b", "postgresql://me@/hub?host=b&port=2"),
            ],
        ),
        ("postgresql:///hub", [("local", "postgresql:///hub")]),
    ],
)
def test_every_host_of_a_url_has_a_url_of_its_own(url: str, hosts: list[tuple[str, str]]) -> None:
    assert hosts_of(url) == hosts


@pytest.mark.parametrize(
    "url",
    [
        "mysql://db/hub",
        "hub",
        "postgresql://me:secret@db",
        "postgresql://me:secret@db/",
        "postgresql://me:secret@db:port/hub",
        "postgresql://me:secret@db:99999/hub",
        "postgresql://me:secret@a,b:0/hub",
        "postgresql://me:secret@[::1/hub",
        "postgresql://me:sec#secret@db/hub",
        "postgresql://me:sec/secret@db/hub",
        "postgresql://me:secret@/hub?host=a,b&port=1,2,3",
        "postgresql://me:secret@/hub?host=a&port=secret",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingInvalid) as refusal:
        hosts_of(url)
    assert "MILEPOST_DATABASE_URL" in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db:5432/hub", "postgresql://db:5432/hub"),
        ("postgresql://me:sec@secret@a,b/hub?sslmode=require", "postgresql://a,b/hub"),
        (
            "postgresql:///hub?password=secret&host=/run/a,/run/b&port=5433&user=me",
            "postgresql:///hub?host=/run/a,/run/b&port=5433",
        ),
        ("sqlite:///a?b.db", "sqlite:///a?b.db"),
    ],
)
def test_a_url_is_shown_without_who_may_in(url: str, shown: str) -> None:
    assert Settings(database_url=url).shown_database_url == shown
