"""Named SQL files: what they may hold, and that each statement has a caller."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from milepost.errors import InvalidInput
from milepost.store import sqlite, statements
from milepost.store.cursors import read_cursor, write_cursor
from milepost.store.sqlite.session import SIZES, STATEMENTS
from milepost.store.statements import Statement, load

PACKAGE = Path(sqlite.__file__).parent


def test_every_statement_has_a_caller_and_every_caller_a_statement() -> None:
    rooms = (PACKAGE, PACKAGE.parent)
    code = "\n".join(f.read_text(encoding="utf-8") for room in rooms for f in room.glob("*.py"))
    assert set(re.findall(r"\.(?:rows|row|write|batch)\(\s*\"(\w+)\"", code)) <= set(STATEMENTS)
    # Some are chosen from tables of names.
    assert set(STATEMENTS) <= set(re.findall(r"\"(\w+)\"", code))


def test_a_statement_has_its_optional_lines_only_when_they_are_asked_for() -> None:
    statement = Statement("s", ["SELECT 1", "  WHERE a -- if a", "  AND b -- if b"])
    assert statement.text == "SELECT 1"
    assert statement.given(frozenset("a")) == "SELECT 1\n  WHERE a"
    assert statement.given(frozenset("abz")) == "SELECT 1\n  WHERE a\n  AND b"
    assert statement.options == {"a", "b"}


def test_a_statement_for_batches_repeats_its_row() -> None:
    statement = Statement("s", ["INSERT INTO t", "VALUES (?, ?)", "ON CONFLICT DO NOTHING"])
    assert statement.width == 2
    assert "VALUES (?1, ?4), (?2, ?5), (?3, ?6)\nON" in statement.of_rows(3, (False, False))


def test_what_is_alike_in_all_rows_is_one_parameter() -> None:
    statement = Statement("s", ["VALUES (?, ?, ?)"])
    assert statement.of_rows(2, (False, True, False)) == "VALUES (?2, ?1, ?4), (?3, ?1, ?5)"
    assert statement.of_rows(2, (True, True, True)) == "VALUES (?1, ?2, ?3), (?1, ?2, ?3)"


def test_a_statement_without_rows_is_not_for_batches() -> None:
    with pytest.raises(ValueError, match="takes no rows"):
        _ = Statement("s", ["SELECT 1"]).width


def test_batches_of_every_size_can_be_put_together() -> None:
    assert SIZES[-1] == 1
    assert list(SIZES) == sorted(SIZES, reverse=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT 1;\n", "without a name"),
        ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n", "there twice"),
    ],
)
def test_a_file_that_could_be_misread_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    (tmp_path / "some.sql").write_text(text, encoding="utf-8")
    monkeypatch.setattr(statements, "SQL_FOLDER", tmp_path)
    with pytest.raises(ValueError, match=why):
        load("some")


def test_parts_stand_where_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "-- About it.\n-- part: columns\na,\nb\n-- name: s\n-- why\nSELECT {columns}\nFROM t;\n"
    (tmp_path / "some.sql").write_text(text, encoding="utf-8")
    monkeypatch.setattr(statements, "SQL_FOLDER", tmp_path)
    assert load("some")["s"].text == "SELECT a,\nb\nFROM t"


def test_a_cursor_holds_what_was_put_in() -> None:
    for key in ((-1, "ü\x00"), (2**63 - 1, "")):
        assert read_cursor(write_cursor(key), shape=tuple[int, str]) == key
    assert read_cursor(None, shape=tuple[int, str]) is None


def test_a_cursor_with_a_number_too_large_for_a_column_is_refused() -> None:
    from milepost.store.sqlite.reading import _AfterQuarantined

    with pytest.raises(InvalidInput):
        read_cursor(write_cursor((2**63, "a")), shape=_AfterQuarantined)
