"""`milepost doctor`: whether this machine, this database and these settings can do the work."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from milepost import __version__
from milepost.cli.checks import Check, Level
from milepost.cli.exits import ExitCode
from milepost.cli.options import Database, Json, settings_given
from milepost.cli.output import answer, table
from milepost.cli.session import sqlite_path
from milepost.delivery.model import Endpoint
from milepost.errors import MilepostError, UrlRefused
from milepost.net.guard import Guard, check_url
from milepost.ports import OrderFilter, Page
from milepost.sealing import KeyFile, source_of
from milepost.settings import Settings
from milepost.wiring import build

GIB = 1024**3
LITTLE_SPACE, TOO_LITTLE_SPACE = 1 * GIB, GIB // 10
"""Bytes free below which there is a warning, and a failure."""

EARLIEST_NOW = datetime(2025, 1, 1, tzinfo=UTC)
CLOCK_SLACK = timedelta(minutes=5)
ANSWER_WITHIN_S = 2.0
NETWORK_FILESYSTEMS = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs", "lustre")


class Known(msgspec.Struct, frozen=True):
    """What was read from a database that opens."""

    endpoints: tuple[Endpoint, ...] = ()
    newest_at: datetime | None = None
    keys: tuple[str, ...] = ()


Look = Callable[[Settings, Known], Iterator[Check]]


def examine(settings: Settings) -> list[Check]:
    """Every check, whatever the others found."""
    opened, known = _open_postgres(settings) if settings.is_postgres else _open(settings)
    return [*opened, *(check for look in _LOOKS for check in look(settings, known))]


def _open(settings: Settings) -> tuple[list[Check], Known]:
    """Opens the database as a command does, which also compares its tables with the migrations."""
    path = sqlite_path(settings)
    if path is not None and not path.exists():
        folder = path.absolute().parent
        if not os.access(folder, os.W_OK):
            advice = "Make the folder, or name another file with --database."
            found = f"{folder} cannot be written to"
            return [Check("database", Level.FAIL, found, advice)], Known()
        advice = "milepost serve makes it."
        return [Check("database", Level.WARN, f"{path} is not there yet", advice)], Known()
    try:
        known = asyncio.run(_read(settings))
    except MilepostError as error:
        advice = "Restore a backup, run the version that wrote it, or name another --database."
        return [Check("database", Level.FAIL, str(error), advice)], Known()
    found = f"{settings.database_url} opens; its tables fit"
    return [Check("database", Level.OK, found)], known


def _open_postgres(settings: Settings) -> tuple[list[Check], Known]:
    """Asks every host first: whoever opens an empty database makes tables in it."""
    from milepost.cli.postgres_checks import check_postgres, check_reachable
    from milepost.store.postgres.survey import survey

    places = asyncio.run(survey(settings.database_url))
    reachable, more = check_reachable(places), list(check_postgres(places))
    if reachable.level is not Level.OK:
        return [reachable, *more], Known()
    try:
        known = asyncio.run(_read(settings))
    except MilepostError as error:
        advice = "Restore a backup, run the version that wrote it, or name another --database."
        return [Check("database", Level.FAIL, str(error), advice), *more], Known()
    return [reachable, *more], known


async def _read(settings: Settings) -> Known:
    hub = build(settings)
    try:
        await hub.open(dispatch=False)
        endpoints: list[Endpoint] = []
        times: list[datetime] = []
        for account in await hub.operations.accounts():
            endpoints += await hub.store.endpoints(account.account_id)
            orders, _ = await hub.store.orders(
                account.account_id, wanted=OrderFilter(), page=Page(limit=1)
            )
            times += [order.updated_at for order in orders]
        return Known(tuple(endpoints), max(times, default=None), hub.vault.ids)
    finally:
        await hub.close()


def _durability(settings: Settings, _known: Known) -> Iterator[Check]:
    path = sqlite_path(settings)
    if path is None or not path.exists():
        return
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        yield Check("durability", Level.FAIL, str(error), "The file is no usable database.")
        return
    filesystem = filesystem_of(path)
    if mode != "wal":
        advice = "Stop every hub and start one: it sets the mode when it opens the file."
        yield Check("durability", Level.FAIL, f"journal_mode is {mode}, not wal", advice)
    elif filesystem.startswith(NETWORK_FILESYSTEMS):
        advice = (
            "Move the file to a local disk: SQLite's locks and syncs do not hold over a network."
        )
        yield Check("durability", Level.FAIL, f"it lies on {filesystem}", advice)
    else:
        yield Check("durability", Level.OK, "journal_mode wal, every commit synced (FULL)")
    mode_bits = path.stat().st_mode
    if mode_bits & (stat.S_IRWXG | stat.S_IRWXO):
        advice = f"chmod 600 {path}: it holds names and addresses."
        found = f"others may open the file ({stat.filemode(mode_bits)})"
        yield Check("file mode", Level.WARN, found, advice)
    else:
        yield Check("file mode", Level.OK, "nobody but its owner may open the file")


def _secrets(settings: Settings, known: Known) -> Iterator[Check]:
    if not known.keys:
        return
    source = source_of(settings)
    found = f"sealed with the key {known.keys[0]} of {source.shown}"
    mode = source.path.stat().st_mode if isinstance(source, KeyFile) else 0
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        found = f"others may open {source.shown} ({stat.filemode(mode)})"
        yield Check("secrets", Level.WARN, found, f"chmod 600 {source.shown}")
    elif len(known.keys) > 1:
        advice = "milepost secrets rekey, and take the others away when it says so."
        yield Check("secrets", Level.WARN, f"{found}; {len(known.keys)} keys are there", advice)
    else:
        yield Check("secrets", Level.OK, found)


def filesystem_of(path: Path) -> str:
    """The type of the file system that a file lies on; empty where that cannot be told."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    here = path.resolve()
    found = ("", "")
    for line in mounts:
        _, place, kind, *_ = line.split(" ")
        if here.is_relative_to(place) and len(place) >= len(found[0]):
            found = (place, kind)
    return found[1]


def _disk(settings: Settings, _known: Known) -> Iterator[Check]:
    path = sqlite_path(settings)
    if path is None:
        return
    folder = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    free = shutil.disk_usage(folder).free
    found = f"{free / GIB:.1f} GiB free at {folder}"
    advice = "Make room: without any, nothing more is accepted."
    if free < TOO_LITTLE_SPACE:
        yield Check("disk", Level.FAIL, found, advice)
    elif free < LITTLE_SPACE:
        yield Check("disk", Level.WARN, found, advice)
    else:
        yield Check("disk", Level.OK, found)


def _clock(_settings: Settings, known: Known) -> Iterator[Check]:
    now = datetime.now(UTC)
    advice = "Set the clock (NTP): receivers refuse signatures that are five minutes off."
    if now < EARLIEST_NOW:
        yield Check("clock", Level.FAIL, f"it says {now:%Y-%m-%d}", advice)
    elif known.newest_at is not None and known.newest_at > now + CLOCK_SLACK:
        ahead = known.newest_at - now
        found = f"the newest order was changed {ahead} from now"
        yield Check("clock", Level.FAIL, found, advice)
    else:
        yield Check("clock", Level.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _port(settings: Settings, _known: Known) -> Iterator[Check]:
    where = f"{settings.host}:{settings.port}"
    match _who_answers(settings.host, settings.port):
        case None:
            yield Check("port", Level.OK, f"{where} is free")
        case "hub":
            yield Check("port", Level.OK, f"a hub answers at {where}")
        case other:
            advice = "Stop it, or serve on another --port."
            yield Check("port", Level.FAIL, f"{other} at {where}", advice)


def _who_answers(host: str, port: int) -> str | None:
    """`hub`, or what else holds the port; None when it is free."""
    try:
        socket.create_connection((host, port), timeout=ANSWER_WITHIN_S).close()
    except ConnectionRefusedError:
        return None
    except OSError as error:
        return f"no connection is possible ({error})"
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", "/livez")
        reply = connection.getresponse()
        answered = reply.status == 200 and b'"live"' in reply.read(1_000)
    except (OSError, http.client.HTTPException):
        return "something that does not answer as a hub is"
    else:
        return "hub" if answered else "another program answers"
    finally:
        connection.close()


def _endpoints(settings: Settings, known: Known) -> Iterator[Check]:
    guard = Guard(
        allow_networks=tuple(ip_network(n) for n in settings.allow_networks),
        allow_private=settings.allow_private_networks,
    )
    refused = []
    for endpoint in known.endpoints:
        try:
            check_url(endpoint.url, guard=guard)
        except UrlRefused as error:
            refused.append(f"{endpoint.endpoint_id} ({endpoint.url}): {error.expected}")
    if refused:
        advice = (
            "Under these settings nothing is sent there: set MILEPOST_ALLOW_PRIVATE_NETWORKS or "
            "MILEPOST_ALLOW_NETWORKS, for serve and here, or change the URL."
        )
        yield Check("endpoints", Level.WARN, "; ".join(refused), advice)
    else:
        yield Check("endpoints", Level.OK, f"all {len(known.endpoints)} URLs are permitted")


def _kit(_settings: Settings, _known: Known) -> Iterator[Check]:
    try:
        kit = version_of("milepost-receiver")
    except PackageNotFoundError:
        yield Check("receiver kit", Level.FAIL, "it is not installed", "Install milepost-receiver.")
        return
    if kit.split(".")[:2] != __version__.split(".")[:2]:
        found = f"{kit}, beside Milepost {__version__}"
        yield Check("receiver kit", Level.WARN, found, "Install the same version of both.")
    else:
        yield Check("receiver kit", Level.OK, kit)


_LOOKS: tuple[Look, ...] = (_durability, _secrets, _disk, _clock, _port, _endpoints, _kit)


def doctor(
    database: Database = None,
    host: Annotated[
        str | None, typer.Option(help="The address that serve would listen on.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Its port.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the database, the disk, the clock, the port and the endpoints; say what to do.

    Ends with 1 when anything fails; a warning is none.
    """
    settings = settings_given(os.environ, database=database, host=host, port=port)
    checks = examine(settings)
    failed = any(check.level is Level.FAIL for check in checks)
    if as_json:
        answer({"ok": not failed, "checks": checks})
    else:
        table(
            "Doctor",
            ("", "check", "found", "what to do"),
            [(c.level, c.name, c.found, c.advice or " ") for c in checks],
        )
    if failed:
        raise typer.Exit(ExitCode.REFUSED)
