"""What `milepost doctor` looks at in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from milepost.cli.checks import Check, Level
from milepost.store.postgres.migrate import CLOCKS_APART_S
from milepost.store.postgres.pool import OLDEST_POSTGRES
from milepost.store.postgres.store import CONNECTIONS, READERS
from milepost.store.postgres.survey import LATEST, Place

CONNECTIONS_OF_A_PROCESS = CONNECTIONS + READERS + 1
"""What intake and dispatch use, what reading uses, and the one that listens."""

_START = "milepost serve, or work, makes the tables."


def taking_writes(places: Sequence[Place]) -> Place | None:
    """The host that is written to, if one is."""
    return next((place for place in places if place.writable), None)


def check_reachable(places: Sequence[Place]) -> Check:
    """Whether one of the hosts takes writes, is new enough, and has tables of ours."""
    place = taking_writes(places)
    if place is None:
        found = "; ".join(f"{p.name}: {p.error or 'it only reads'}" for p in places)
        advice = "Start it, or correct MILEPOST_DATABASE_URL."
        return Check("database", Level.FAIL, f"no host takes writes ({found})", advice)
    what = f"PostgreSQL {place.version} at {place.name}"
    if int(place.version.split(".")[0].split("beta")[0]) < OLDEST_POSTGRES[0]:
        return Check("database", Level.FAIL, what, f"Version {OLDEST_POSTGRES[0]} is needed.")
    if place.settings["server_encoding"] != "UTF8":
        advice = "Make a database with ENCODING 'UTF8'."
        return Check("database", Level.FAIL, f"{what} is not in UTF8", advice)
    if place.schema > LATEST:
        found = f"{what} has tables of version {place.schema}; this program knows {LATEST}"
        return Check("database", Level.FAIL, found, "Run the version that wrote it, or a newer.")
    if place.schema == 0:
        return Check("database", Level.WARN, f"{what} has no tables yet", _START)
    return Check("database", Level.OK, f"{what} takes writes; its tables are at {place.schema}")


def check_postgres(places: Sequence[Place]) -> Iterator[Check]:
    """Everything else, of a database that takes writes."""
    place = taking_writes(places)
    if place is None:
        return
    yield _durability(place)
    yield from _standbys(places, place)
    yield _connections(place)
    yield _clocks(place)


def _durability(place: Place) -> Check:
    off = [name for name in ("fsync", "full_page_writes") if place.settings[name] == "off"]
    if off:
        found = f"{' and '.join(off)} off: a power cut loses what was accepted, or all of it"
        advice = f"Turn on {' and '.join(off)} in postgresql.conf."
        return Check("durability", Level.FAIL, found, advice)
    commit = place.settings["synchronous_commit"]
    shown = "on (set by us; the server says off)" if commit == "off" else commit
    return Check("durability", Level.OK, f"fsync on, synchronous_commit {shown}")


def _standbys(places: Sequence[Place], writable: Place) -> Iterator[Check]:
    """With several hosts one may take over; it must have what was accepted."""
    if len(places) < 2:
        return
    names = writable.settings["synchronous_standby_names"]
    waits = writable.settings["synchronous_commit"] not in ("local", "off")
    away = [f"{p.name}: {p.error}" for p in places if p.error]
    if not (names and waits):
        advice = "Set synchronous_standby_names, and synchronous_commit to on or remote_apply."
        found = "commits wait for no standby: one that takes over may lack what came last"
        yield Check("standby", Level.WARN, found, advice)
    elif away:
        yield Check("standby", Level.WARN, "; ".join(away), "Nobody can take over until it is up.")
    else:
        yield Check("standby", Level.OK, f"commits wait for a standby ({names})")


def _connections(place: Place) -> Check:
    free = place.most_connections - place.connections
    found = (
        f"{free} of {place.most_connections} connections are free; "
        f"a process uses up to {CONNECTIONS_OF_A_PROCESS}"
    )
    if free < CONNECTIONS_OF_A_PROCESS:
        return Check("connections", Level.WARN, found, "Raise max_connections.")
    return Check("connections", Level.OK, found)


def _clocks(place: Place) -> Check:
    apart = abs(place.ahead_s)
    way = "ahead of" if place.ahead_s > 0 else "behind"
    if apart > CLOCKS_APART_S:
        found = f"the database's is {apart:.1f} s {way} ours"
        advice = "Set both by NTP: whose lane it is depends on the time."
        return Check("clocks", Level.WARN, found, advice)
    return Check("clocks", Level.OK, "the database's and ours agree")
