"""The addresses that notifications come from, as their sender publishes them in a DNS TXT record.

Milepost writes one record that begins with `v=milepost1` and names networks as `ip4:` and `ip6:`,
a form of its own. What stands in a provider's record is not published as far as we know: networks
are found in other texts too, whether written like that or plainly.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from threading import Lock

from milepost_receiver.dns_lookup import Lookup, dns_lookup
from milepost_receiver.errors import (
    ConfigurationInvalid,
    SenderRecordMalformed,
    SenderRecordMissing,
    SenderRefused,
    SendersUnknown,
)

Network = IPv4Network | IPv6Network

REFRESH_SECONDS = 3_600.0
SHORTEST_REFRESH_SECONDS = 60.0
RETRY_SECONDS = 60.0
KEEP_SECONDS = 7 * 86_400.0
"""How old a record may become that cannot be read anew.

A sender announces a change at least a week before it: what was read less than a week ago names all
addresses that are used now.
"""

MOST_NETWORKS = 1_000

TAG = "v=milepost1"
_WORD = re.compile(r"[\s,;]+")
_NETWORK = re.compile(r"(?:ip[46]:)?([0-9a-fA-F:.]+(?:/[0-9]{1,3})?)")
_ELSEWHERE = ("include:", "redirect=", "a:", "mx:", "exists:")


@dataclass(frozen=True, slots=True)
class SenderRecord:
    """What was read: the networks, when (seconds since the epoch), and for how long it holds."""

    networks: tuple[Network, ...]
    fetched_at: float
    ttl: float = REFRESH_SECONDS


@dataclass(frozen=True, slots=True)
class SenderChange:
    """What a fresh record has and the one before it had not, and the other way round."""

    record: SenderRecord
    added: tuple[Network, ...]
    removed: tuple[Network, ...]


class Senders:
    """The networks that a sender publishes under a name: fetched, cached and refreshed.

    May be used from any thread. A record that cannot be read anew is used on while it is not
    older than `keep_seconds`; after that nothing is allowed that is not known, and SendersUnknown
    says why. Asking the name servers takes up to `timeout` seconds.
    """

    __slots__ = ("_keep", "_lock", "_lookup", "_name", "_now", "_record", "_refresh", "_tried_at",
                 "_trouble")  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        lookup: Lookup | None = None,
        nameservers: Iterable[str] = (),
        timeout: float = 5.0,
        refresh_seconds: float = REFRESH_SECONDS,
        keep_seconds: float = KEEP_SECONDS,
        last: SenderRecord | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`last` is a record that was kept somewhere over a restart.

        Raises ConfigurationInvalid, also when there is neither a `lookup` nor dnspython.
        """
        if not name.strip("."):
            raise ConfigurationInvalid("name", expected="the name of a DNS record")
        if not (refresh_seconds > 0 and keep_seconds >= refresh_seconds):
            raise ConfigurationInvalid("keep_seconds", expected="at least refresh_seconds")
        self._name = name
        self._lookup = lookup or dns_lookup(nameservers=nameservers, timeout=timeout)
        self._refresh = refresh_seconds
        self._keep = keep_seconds
        self._now = now
        self._lock = Lock()
        self._record = last
        self._tried_at: float | None = None
        self._trouble: SendersUnknown | None = None

    @property
    def trouble(self) -> SendersUnknown | None:
        """Why the record could not be read the last time, None when it could: worth an alarm."""
        return self._trouble

    def check(self, address: str) -> None:
        """Returns for an address that may send. Raises SenderRefused, and SendersUnknown."""
        if not self.allows(address):
            raise SenderRefused

    def allows(self, address: str) -> bool:
        """Whether this address is one that the sender publishes.

        An IPv6 address that stands for an IPv4 address is taken for that; what is no address is
        not allowed. Raises SendersUnknown.
        """
        record = self.record()
        try:
            asked: IPv4Address | IPv6Address = ip_address(address.strip().partition("%")[0])
        except ValueError:
            return False
        if isinstance(asked, IPv6Address) and asked.ipv4_mapped is not None:
            asked = asked.ipv4_mapped
        return any(asked in network for network in record.networks)

    def record(self) -> SenderRecord:
        """The record to go by, read anew when it is due. Raises SendersUnknown."""
        known = self._record
        at = self._now()
        if known is not None and 0 <= at - known.fetched_at < self._due_after(known):
            return known
        # While one thread asks, the others go by what is known; without anything they wait.
        if not self._lock.acquire(blocking=not self._usable(known, at)):
            return self._known_or_raise(at)
        try:
            if self._may_try(self._now()):
                self._read()
        finally:
            self._lock.release()
        return self._known_or_raise(self._now())

    def refresh(self) -> SenderChange:
        """Reads the record now, and says what has changed.

        Raises SendersUnknown, and what was known stays.
        """
        with self._lock:
            before = self._record
            self._read()
            if self._trouble is not None:
                raise _again(self._trouble)
            record = self._record
        assert record is not None  # noqa: S101 - it was read without trouble
        known = () if before is None else before.networks
        return SenderChange(
            record,
            added=tuple(n for n in record.networks if n not in known),
            removed=tuple(n for n in known if n not in record.networks),
        )

    def _due_after(self, record: SenderRecord) -> float:
        return min(self._refresh, max(record.ttl, SHORTEST_REFRESH_SECONDS))

    def _usable(self, record: SenderRecord | None, at: float) -> bool:
        return record is not None and abs(at - record.fetched_at) <= self._keep

    def _may_try(self, at: float) -> bool:
        """Whether it is due, and was not tried in vain a moment ago."""
        known = self._record
        if known is not None and 0 <= at - known.fetched_at < self._due_after(known):
            return False
        if self._trouble is None or self._tried_at is None:
            return True
        return not 0 <= at - self._tried_at < RETRY_SECONDS

    def _known_or_raise(self, at: float) -> SenderRecord:
        known = self._record
        if known is not None and self._usable(known, at):
            return known
        raise _again(self._trouble or SenderRecordMissing())

    def _read(self) -> None:
        self._tried_at = self._now()
        try:
            answer = self._lookup(self._name)
            networks = networks_in(answer.texts)
        except SendersUnknown as error:
            self._trouble = error
        else:
            self._record = SenderRecord(networks, self._tried_at, answer.ttl)
            self._trouble = None


def _again(error: SendersUnknown) -> SendersUnknown:
    """The same error to be raised once more, without the traces of the times before."""
    return type(error)(error.at, expected=error.expected)


def networks_in(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks that the texts under a name publish, each once.

    Where one of them begins with Milepost's tag it alone counts. Raises SenderRecordMissing when
    no text names a network, and SenderRecordMalformed.
    """
    every = [text.strip() for text in texts]
    tagged = [text for text in every if text.split(" ", 1)[0] == TAG]
    if len(tagged) > 1:
        raise SenderRecordMalformed(expected="one record of this kind")
    found = dict.fromkeys(
        network for text in tagged or every for network in _named_in(text, strict=bool(tagged))
    )
    if not found:
        raise SenderRecordMissing(expected="networks as ip4: and ip6:")
    if len(found) > MOST_NETWORKS:
        raise SenderRecordMalformed(expected=f"at most {MOST_NETWORKS} networks")
    return tuple(found)


def _named_in(text: str, *, strict: bool) -> Iterable[Network]:
    words = [word for word in _WORD.split(text) if word]
    networks = [_network(word) for word in words]
    if strict and None in networks[1:]:
        raise SenderRecordMalformed(expected="nothing but ip4: and ip6: with networks")
    named = [network for network in networks if network is not None]
    if any(network.prefixlen == 0 for network in named):
        raise SenderRecordMalformed(expected="networks that are not the whole world")
    if named and any(word.casefold().startswith(_ELSEWHERE) for word in words):
        raise SenderRecordMalformed(expected="networks, and nothing that stands elsewhere")
    return named


def _network(word: str) -> Network | None:
    match = _NETWORK.fullmatch(word)
    if match is None or not re.search(r"[.:]", match[1]):
        return None
    try:
        network = ip_network(match[1])
    except ValueError:
        return None
    said = word[:4].casefold()
    return None if said in ("ip4:", "ip6:") and said != f"ip{network.version}:" else network
