"""The hosts in a database URL, each as a URL of its own.

Every host is tried by itself and for its own time: one that does not answer, or is starting up,
takes nothing from the others.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from milepost.errors import SettingInvalid
from milepost.settings import POSTGRES_SCHEMES

EXPECTED = (
    "MILEPOST_DATABASE_URL: expected postgresql://user:password@host:5432/database, with several "
    "hosts separated by commas; in a password @ : / # ? and % are written as %40 %3A %2F %23 %3F "
    "and %25"
)
"""What is said of any URL that cannot be read: the URL itself may hold a password."""


class Host(NamedTuple):
    """One host, by the name that may be shown (without user and password) and its own URL."""

    name: str
    url: str


def hosts_of(url: str) -> list[Host]:
    """The hosts of a URL, in their order. Raises SettingInvalid, which shows nothing of it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SettingInvalid(EXPECTED) from None
    if parts.scheme not in POSTGRES_SCHEMES or parts.fragment or parts.path in ("", "/"):
        raise SettingInvalid(EXPECTED)
    user, at, places = parts.netloc.rpartition("@")
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    # Which host takes writes is for us to find out.
    asked.pop("target_session_attrs", None)
    beside = asked.pop("host", "")
    ports = asked.pop("port", "").split(",")
    named = places.split(",") if places else []
    if beside:
        hosts = beside.split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        if len(ports) != len(hosts):
            raise SettingInvalid("MILEPOST_DATABASE_URL: expected as many ports as hosts")
        found = [
            Host(host, _with(parts._replace(netloc=user + at), asked | _place(host, port)))
            for host, port in zip(hosts, ports, strict=True)
        ]
    else:
        found = [
            Host(place or "local", _with(parts._replace(netloc=user + at + place), asked))
            for place in named or [""]
        ]
    if not all(_readable(host.url) for host in found):
        raise SettingInvalid(EXPECTED)
    return found


def _readable(url: str) -> bool:
    """Whether each part of a URL with one host means something."""
    try:
        parts = urlsplit(url)
        asked = dict(parse_qsl(parts.query))
        ports = (parts.port, int(asked["port"]) if "port" in asked else None)
    except ValueError:
        return False
    return all(port is None or 0 < port < 65_536 for port in ports)


def _place(host: str, port: str) -> dict[str, str]:
    return {"host": host, "port": port} if port else {"host": host}


def _with(parts: SplitResult, asked: dict[str, str]) -> str:
    query = f"?{urlencode(asked)}" if asked else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"
