"""The hosts in a database URL, each as a URL of its own.

Every host is tried by itself and for its own time: one that does not answer, or is starting up,
takes nothing from the others.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from milepost.errors import SettingInvalid

SCHEMES = ("postgresql", "postgres")


class Host(NamedTuple):
    """One host, by the name that may be shown (without user and password) and its own URL."""

    name: str
    url: str


def hosts_of(url: str) -> list[Host]:
    """The hosts of a URL, in their order. Raises SettingInvalid."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise SettingInvalid("the database URL: expected postgresql://user@host/database")
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
            raise SettingInvalid("the database URL: expected as many ports as hosts")
        found = [
            Host(host, _with(parts._replace(netloc=user + at), asked | _place(host, port)))
            for host, port in zip(hosts, ports, strict=True)
        ]
    else:
        found = [
            Host(place or "local", _with(parts._replace(netloc=user + at + place), asked))
            for place in named or [""]
        ]
    return found


def _place(host: str, port: str) -> dict[str, str]:
    return {"host": host, "port": port} if port else {"host": host}


def _with(parts: SplitResult, asked: dict[str, str]) -> str:
    query = f"?{urlencode(asked)}" if asked else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"
