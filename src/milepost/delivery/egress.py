"""The networks that notifications are sent from, and the DNS record that tells receivers of them.

Withings publishes its senders' addresses in a TXT record and updates it at least one week before
any change; what stands in that record is not published. The form of ours follows SPF (RFC 7208).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network

import msgspec

from milepost.errors import InvalidInput

Network = IPv4Network | IPv6Network

NOTICE = timedelta(days=7)
"""How long before a change the record has to tell of it (published by Withings)."""

TAG = "v=milepost1"
"""How the record begins (ours), so that it is told from other texts under the same name."""

STRING_BYTES = 255
"""The longest string in a TXT record (RFC 1035); a record may have several."""

SAFE_BYTES = 1_232
"""What fits into one DNS answer over UDP wherever it goes; more needs TCP."""


class Action(StrEnum):
    """What a change does to the list of networks."""

    ADD = "add"
    REMOVE = "remove"


class EgressChange(msgspec.Struct, frozen=True, gc=False):
    """A network that is sent from, or no longer, from a moment on."""

    change_id: str
    network: str
    action: Action
    effective_at: datetime
    planned_at: datetime
    forced: bool = False
    cancelled_at: datetime | None = None


def network_of(text: str) -> Network:
    """The network that this names, an address being one of itself. Raises InvalidInput."""
    try:
        return ip_network(text.strip())
    except ValueError:
        expected = "a network such as 192.0.2.0/24 or 2001:db8::/48, or an address"
        raise InvalidInput(field="network", expected=expected) from None


def beginning_of(day: date) -> datetime:
    """When a day begins, which is when its changes take effect: midnight in UTC."""
    return datetime.combine(day, time(), tzinfo=UTC)


def earliest_day(now: datetime) -> date:
    """The first day that is far enough away for a change to be announced in time."""
    away = now.astimezone(UTC) + NOTICE
    return away.date() if away == beginning_of(away.date()) else away.date() + timedelta(days=1)


def in_use(changes: Iterable[EgressChange], *, at: datetime) -> tuple[Network, ...]:
    """The networks that are sent from at this time."""
    found: dict[str, None] = {}
    for change in sorted(_standing(changes), key=lambda c: (c.effective_at, c.planned_at)):
        if change.effective_at > at:
            break
        if change.action is Action.ADD:
            found[change.network] = None
        else:
            found.pop(change.network, None)
    return _sorted(found)


def to_announce(changes: Sequence[EgressChange], *, at: datetime) -> tuple[Network, ...]:
    """What the record holds at this time: what is sent from, and what will be.

    A network that is going to be used stands in it from when it was planned, one that is not used
    any longer until then: receivers that follow the record refuse nothing that is sent.
    """
    coming = (
        c.network for c in _standing(changes) if c.action is Action.ADD and c.effective_at > at
    )
    return _sorted((*map(str, in_use(changes, at=at)), *coming))


def to_come(changes: Iterable[EgressChange], *, at: datetime) -> tuple[EgressChange, ...]:
    """The changes that are planned and not in effect yet, the next one first."""
    coming = (c for c in _standing(changes) if c.effective_at > at)
    return tuple(sorted(coming, key=lambda c: (c.effective_at, c.planned_at)))


def check_change(change: EgressChange, changes: Sequence[EgressChange], *, now: datetime) -> None:
    """Raises InvalidInput for a change that changes nothing, or comes sooner than announced."""
    if not change.forced and change.effective_at < now + NOTICE:
        expected = (
            f"{earliest_day(now)} or later, so that the record tells of it {NOTICE.days} days "
            "before; --force does without"
        )
        raise InvalidInput(field="on", expected=expected)
    used = {str(n) for n in in_use(changes, at=change.effective_at)}
    planned = {
        c.network for c in to_come(changes, at=change.effective_at) if c.action is change.action
    }
    if change.action is Action.ADD and change.network in used | planned:
        raise InvalidInput(field="network", expected="one that is not on the list already")
    if change.action is Action.REMOVE and change.network not in used - planned:
        raise InvalidInput(field="network", expected="one that is in use on that day")


def record_text(networks: Iterable[Network]) -> str:
    """The text of the record, all of its strings as one."""
    return " ".join((TAG, *(f"ip{n.version}:{_shown(n)}" for n in networks)))


def strings_of(text: str) -> tuple[str, ...]:
    """The text as the strings of one record; they are read as one, without anything between."""
    strings, line = [], ""
    for word in text.split(" "):
        longer = f"{line}{word} "
        if len(longer.encode()) > STRING_BYTES:
            strings.append(line)
            longer = f"{word} "
        line = longer
    return (*strings, line.rstrip())


def zone_line(name: str, strings: Iterable[str]) -> str:
    """The record as a line of a zone file; none of its words needs an escape."""
    quoted = " ".join(f'"{text}"' for text in strings)
    return f"{name} 3600 IN TXT {quoted}"


def _standing(changes: Iterable[EgressChange]) -> Iterable[EgressChange]:
    return (c for c in changes if c.cancelled_at is None)


def _sorted(networks: Iterable[str]) -> tuple[Network, ...]:
    known = {ip_network(text) for text in networks}
    return tuple(sorted(known, key=lambda n: (n.version, int(n.network_address), n.prefixlen)))


def _shown(network: Network) -> str:
    alone = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if alone else str(network)
