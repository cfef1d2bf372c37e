"""The doctor at a PostgreSQL database: what it finds, and that it changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from milepost.cli.checks import Level
from milepost.cli.postgres_checks import check_postgres, check_reachable
from milepost.settings import Settings
from milepost.store.postgres import survey
from milepost.store.postgres.survey import LATEST, Place
from tests.doors.command_line import CommandLine, Said, command_line
from tests.keys import KEY
from tests.postgres.server import execute, new_database

SOUND = Place(
    "db",
    version="16.4",
    writable=True,
    schema=LATEST,
    settings={
        "fsync": "on",
        "full_page_writes": "on",
        "server_encoding": "UTF8",
        "synchronous_commit": "on",
        "synchronous_standby_names": "",
    },
    connections=3,
    most_connections=97,
)
STANDBY = Place("spare", version="16.4", schema=LATEST, settings=SOUND.settings)


def but(place: Place = SOUND, **settings: str) -> Place:
    """The place with other settings of its server."""
    return changed(place, settings={**place.settings, **settings})


def changed(place: Place, **given: Any) -> Place:
    return Place(**({name: getattr(place, name) for name in place.__struct_fields__} | given))


def levels(*places: Place) -> dict[str, Level]:
    found = [check_reachable(places), *check_postgres(places)]
    return {check.name: check.level for check in found if check.level is not Level.OK}


def test_a_sound_database_has_nothing_to_say_against_it() -> None:
    assert levels(SOUND) == {}
    safe = but(synchronous_standby_names="FIRST 1 (spare)")
    assert levels(STANDBY, safe) == {}


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([Place("db", error="refused")], {"database": Level.FAIL}),
        ([STANDBY], {"database": Level.FAIL}),
        ([changed(SOUND, version="14.9")], {"database": Level.FAIL}),
        ([changed(SOUND, schema=LATEST + 1)], {"database": Level.FAIL}),
        ([changed(SOUND, schema=0)], {"database": Level.WARN}),
        ([but(server_encoding="SQL_ASCII")], {"database": Level.FAIL}),
        ([but(fsync="off")], {"durability": Level.FAIL}),
        ([but(full_page_writes="off")], {"durability": Level.FAIL}),
        # We wait for the disk whatever the server would do by itself.
        ([but(synchronous_commit="off")], {}),
        ([SOUND, STANDBY], {"standby": Level.WARN}),
        (
            [but(synchronous_standby_names="*", synchronous_commit="local"), STANDBY],
            {"standby": Level.WARN},
        ),
        (
            [but(synchronous_standby_names="*"), Place("spare", error="refused")],
            {"standby": Level.WARN},
        ),
        ([changed(SOUND, connections=90)], {"connections": Level.WARN}),
        ([changed(SOUND, ahead_s=3.0)], {"clocks": Level.WARN}),
        ([changed(SOUND, ahead_s=-3.0)], {"clocks": Level.WARN}),
    ],
)
def test_what_is_wrong_is_told_by_its_name(places: list[Place], expected: dict[str, Level]) -> None:
    assert levels(*places) == expected


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    with command_line(tmp_path) as made:
        made.environment["MILEPOST_SECRET_KEY"] = KEY
        yield made


def checked(said: Said) -> dict[str, str]:
    return {check["name"]: check["level"] for check in said.json["checks"]}


def test_looking_at_an_empty_database_makes_no_tables(cli: CommandLine) -> None:
    url = new_database(empty=True)
    cli.environment["MILEPOST_DATABASE_URL"] = url
    said = cli("doctor", "--json")
    # The server of the tests forgets everything in a power cut, and the doctor sees that.
    assert (said.code, checked(said)["durability"]) == (1, "fail")
    assert checked(said)["database"] == "warn"
    (place,) = asyncio.run(survey.survey(url))
    assert (place.schema, place.writable) == (0, True)

    async def tables() -> int:
        connection = await asyncpg.connect(url)
        try:
            return int(
                await connection.fetchval(
                    "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
                )
            )
        finally:
            await connection.close()

    assert asyncio.run(tables()) == 0


def test_a_database_that_serves_is_looked_at_like_any_other(cli: CommandLine, url: str) -> None:
    cli.environment["MILEPOST_DATABASE_URL"] = url
    cli.ok("account", "add", "acme")
    found = checked(cli("doctor", "--json"))
    assert {name: level for name, level in found.items() if level != "ok"} == {"durability": "fail"}
    assert {"database", "connections", "clocks", "endpoints", "clock"} <= set(found)
    asyncio.run(execute(url, "CREATE TABLE notes (note text)"))
    try:
        said = cli("doctor", "--json")
        assert checked(said)["database"] == "fail"
        assert "notes" in said.out
    finally:
        asyncio.run(execute(url, "DROP TABLE notes"))


def test_a_server_that_is_not_there_fails_without_telling_the_password(cli: CommandLine) -> None:
    cli.environment["MILEPOST_DATABASE_URL"] = "postgresql://me:hidden-word@127.0.0.1:1/hub"
    said = cli("doctor", "--json")
    assert (said.code, checked(said)["database"]) == (1, "fail")
    assert "hidden-word" not in said.out + said.err
    assert Settings(database_url=cli.environment["MILEPOST_DATABASE_URL"]).is_postgres
