"""From where a request came: the client's own address, also behind proxies that are trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from milepost.receiving.gates import Address, Network

FORWARDED = b"x-forwarded-for"
MOST_HOPS = 20


def proxies_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of proxies whose word is taken."""
    return tuple(ip_network(text) for text in texts)


def client_of(
    peer: Sequence[Any] | None,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    proxies: Sequence[Network],
) -> Address | None:
    """The address of whoever asks, None where it cannot be told.

    Only a trusted proxy is asked whom it forwards for: X-Forwarded-For is read from the right, and
    the first that is no trusted proxy is the client. What stands further left anybody can write.
    """
    address = _address(str(peer[0])) if peer else None
    if address is None or not _is_in(address, proxies):
        return address
    told = b",".join(value for name, value in headers if name == FORWARDED)
    hops = told.decode("latin-1").split(",") if told else []
    for hop in reversed(hops[-MOST_HOPS:]):
        address = _address(hop.strip())
        if address is None or not _is_in(address, proxies):
            return address
    return address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> Address | None:
    """An address as a proxy writes it: with a port, or in brackets, too."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
