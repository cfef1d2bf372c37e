"""Databases of a merchant: an SQLite file, and one of PostgreSQL, as drivers give them."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from tests.postgres.server import new_database

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Shop:
    """A merchant's database, and what its own table is called."""

    connect: Callable[[], Any]
    mark: str
    """How its driver takes a parameter by its place."""

    def run(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """One statement, committed; the rows that it gave."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(text.replace("?", self.mark), values)
            found = cursor.fetchall() if cursor.description else []
            connection.commit()
        finally:
            connection.close()
        return [tuple(row) for row in found]


@cache
def _server_url() -> str:
    return new_database(empty=True)


def sqlite_shop(folder: Path) -> Shop:
    return Shop(lambda: sqlite3.connect(folder / "shop.db", timeout=30), "?")


def postgres_shop(_folder: Path) -> Shop:
    """A schema of its own in a database that the tests of a process share."""
    schema = f"shop_{next(_numbers)}"
    url = _server_url()
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return Shop(lambda: psycopg.connect(url, options=f"-c search_path={schema}"), "%s")


SHOPS: dict[str, Callable[[Path], Shop]] = {"sqlite": sqlite_shop, "postgres": postgres_shop}
