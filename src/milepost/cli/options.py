"""The options that commands share, and how their help shows examples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from milepost.errors import InvalidInput
from milepost.settings import Settings, read_settings

OWN_VARIABLES = (
    "MILEPOST_ACCOUNT",
    "MILEPOST_CLIENT_SECRET",
    "MILEPOST_LISTEN_SECRET",
    "MILEPOST_LISTEN_BASIC",
    "MILEPOST_LISTEN_SIGNATURE_SECRET",
    "MILEPOST_REHEARSAL_SECRET",
    "MILEPOST_REHEARSAL_BASIC",
    "MILEPOST_REHEARSAL_SIGNATURE_SECRET",
    "MILEPOST_REHEARSAL_KEY",
)
"""Variables that stand for options of single commands and are no settings."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, times in UTC.")]
Database = Annotated[
    str | None,
    typer.Option(
        help="The database: sqlite:///path, the path of an SQLite file, or "
        "postgresql://user@host/database. Default: MILEPOST_DATABASE_URL, else milepost.db here.",
        show_default=False,
    ),
]
AccountName = Annotated[
    str | None,
    typer.Option(
        "--account",
        envvar="MILEPOST_ACCOUNT",
        help="The account's id or name; not needed when there is only one.",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="How many to show at most.")]
After = Annotated[
    str | None,
    typer.Option(help="Go on after this cursor, which the page before gave.", show_default=False),
]

PrivateNetworks = Annotated[
    bool | None,
    typer.Option(
        "--allow-private-networks/--no-private-networks",
        help="Whether endpoints may be at addresses that are not public.",
        show_default=False,
    ),
]
Networks = Annotated[
    list[str] | None,
    typer.Option(help="A network that is allowed besides, such as 10.1.0.0/16."),
]
LogLevel = Annotated[
    str | None, typer.Option(help="debug, info, warning or error.", show_default=False)
]
LogFormat = Annotated[str | None, typer.Option(help="text or json.", show_default=False)]
UntilEof = Annotated[bool, typer.Option("--until-eof", help="Stop when standard input ends.")]

OrderName = Annotated[
    str, typer.Argument(metavar="ORDER", help="Its id, key, number or tracking number.")
]
StoreName = Annotated[
    str | None,
    typer.Option("--store", help="The order's store; needed where there are several."),
]


def examples(*lines: str) -> str:
    """The closing part of a command's help: command lines that can be pasted."""
    return "\n".join(("Examples:", *(f"  milepost {line}" for line in lines)))


def settings_given(environment: Mapping[str, str], **given: Any) -> Settings:
    """The settings of the environment and the command line. Raises SettingInvalid.

    A database may be named by its path alone.
    """
    database = given.pop("database", None)
    if database is not None and "://" not in database:
        database = f"sqlite:///{database}"
    known = {name: text for name, text in environment.items() if name not in OWN_VARIABLES}
    return read_settings(known, database_url=database, **given)


def moment(text: str | None, *, option: str) -> datetime | None:
    """The time in an option: ISO 8601; without an offset it is in this machine's zone.

    Raises InvalidInput.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        expected = "a time such as 2026-01-31T12:00:00Z or 2026-01-31T13:00+01:00"
        raise InvalidInput(field=option, expected=expected) from None
