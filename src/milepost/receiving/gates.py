"""Whose path a request came to, and what reads it: looked up rarely, made once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import msgspec

from milepost.contracts import INCOMING
from milepost.contracts.contract import read_under
from milepost.contracts.incoming import Headers, Incoming, Message, Read
from milepost.errors import InvalidInput, SourceRefused
from milepost.lookups import Lookups
from milepost.ports.receiving import ReceivingStore, Source

LONGEST_SECRET = 100

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def digest_of(secret: str) -> str:
    """What is kept of the secret of a path."""
    return hashlib.sha256(secret.encode()).hexdigest()


def networks_of(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Raises InvalidInput for what is no network."""
    found: list[Network] = []
    for place, text in enumerate(texts):
        try:
            found.append(ip_network(text))
        except ValueError:
            expected = "an IP address, or a network such as 192.0.2.0/24"
            raise InvalidInput(field=f"networks[{place}]", expected=expected) from None
    return tuple(found)


def room_of(kind: str) -> Incoming:
    """Raises InvalidInput for a kind that there is not."""
    room = INCOMING.get(kind)
    if room is None:
        raise InvalidInput(field="kind", expected=f"one of {', '.join(INCOMING)}")
    return room


def reads(source: Source, *, clock: Callable[[], float]) -> Read:
    """What proves and reads a source's messages. Raises InvalidInput for what it is set up with."""
    room = room_of(source.kind)
    options = read_under("options", shape=room.options, raw=source.options)
    credentials = read_under("credentials", shape=room.credentials, raw=source.credentials)
    return room.reader(credentials, options, clock)


@dataclass(frozen=True, slots=True)
class Gate:
    """A source that messages can be taken from, with what proves and reads them."""

    source: Source
    read: Read
    networks: tuple[Network, ...]

    def admits(self, address: Address | None) -> bool:
        """Whether a request from this address may be one of the source's."""
        if not self.networks:
            return True
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return address is not None and any(address in network for network in self.networks)


class Gates:
    """The gates by their paths' secrets, whose texts are not kept.

    `clock` counts seconds and never goes back; `epoch_s` is the time in seconds since the epoch.
    """

    def __init__(
        self,
        store: ReceivingStore,
        *,
        clock: Callable[[], float],
        epoch_s: Callable[[], float],
    ) -> None:
        self._store = store
        self._epoch_s = epoch_s
        self._lookups: Lookups[Gate] = Lookups(named="paths", clock=clock)

    async def gate(self, secret: str) -> Gate | None:
        """The gate at this path, None where there is none.

        Raises StoreError, and RateLimited while too many ask for paths that there are not: one
        that was found before is found then too.
        """
        if not 0 < len(secret) <= LONGEST_SECRET or not secret.isascii():
            return None
        digest = digest_of(secret)
        return self._lookups.remembered(digest) or await self._lookups.find(
            digest, partial(self._look_up, digest=digest)
        )

    async def _look_up(self, before: Gate | None, *, digest: str) -> Gate | None:
        source = await self._store.source_of_path(digest)
        if source is None:
            return None
        return before if before is not None and before.source == source else self._made(source)

    def _made(self, source: Source) -> Gate:
        try:
            read = reads(source, clock=self._epoch_s)
        except InvalidInput as error:
            read = _refusing(error)
        return Gate(source, read, networks_of(source.networks))

    def forget(self) -> None:
        """Has every path looked up anew."""
        self._lookups.forget()


def _refusing(error: InvalidInput) -> Read:
    """What is left of a source whose secrets were lost: it lets nothing in."""

    def read(_headers: Headers, _body: bytes) -> Message:
        raise SourceRefused(f"The source is not set up: {error}")

    return read


def shown_credentials(credentials: bytes) -> dict[str, int]:
    """How many secrets a source has, by what they are called; never the secrets."""
    found = msgspec.json.decode(credentials) if credentials else {}
    return {
        name: len(value) if isinstance(value, list) else 1
        for name, value in found.items()
        if value not in (None, [], "")
    }
