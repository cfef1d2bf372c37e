"""Which addresses a request may go to: an allow rule, asked with the address really connected to.

The ranges are those of IANA's IPv4 and IPv6 special-purpose address registries (RFC 6890 and its
updates), held here because the standard library's own list differs between patch releases.
"""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from urllib.parse import SplitResult, urlsplit

import msgspec

from milepost.errors import UrlRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

URL_LIMIT = 2048
"""Longest URL in characters."""

_SPECIAL_V4 = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "shared address space of a provider"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address, where clouds keep their metadata"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "reserved for documentation"),
        ("192.88.99.0/24", "a retired 6to4 relay"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("198.51.100.0/24", "reserved for documentation"),
        ("203.0.113.0/24", "reserved for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
# The first that holds decides; what none holds is refused too, unless it is in 2000::/3.
_SPECIAL_V6 = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("64:ff9b:1::/48", "a local translation of an IPv4 address"),
        ("100::/64", "a discard address"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "reserved for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3fff::/20", "reserved for documentation"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")

_PRIVATE = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
)
# Metadata services that answer inside a private range; only a network named for it opens them.
_METADATA = frozenset({IPv6Address("fd00:ec2::254"), IPv6Address("fd20:ce::254")})

_URL_CHARACTERS = re.compile(r"[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """Permits globally routable unicast addresses, and what the operator allows beyond them.

    `allow_private` adds loopback, RFC 1918 and unique local addresses, for receivers on the same
    machine or network; `allow_networks` adds exactly what it names.
    """

    allow_networks: tuple[Network, ...] = ()
    allow_private: bool = False

    def permits(self, address: Address) -> bool:
        """Whether a connection to this address may be opened."""
        return self.refusal(address) is None

    def refusal(self, address: Address) -> str | None:
        """Why the address is refused, in words for an operator; None when it is permitted.

        An IPv6 address that stands for an IPv4 address (mapped, or NAT64) is judged as that.
        """
        target = _unwrapped(address)
        if any(target in network or address in network for network in self.allow_networks):
            return None
        kind = _special(target)
        if kind is None:
            return None
        if self.allow_private and target not in _METADATA and _any_holds(_PRIVATE, target):
            return None
        return f"{address} is {kind}"


def check_url(url: str, *, guard: Guard) -> None:
    """Raises UrlRefused unless a receiver's URL can be used; what a name leads to is not asked.

    Only the address that is connected to decides in the end; this tells the mistakes that can be
    told when an endpoint is created.
    """
    if not 1 <= len(url) <= URL_LIMIT:
        raise _refused(f"1 to {URL_LIMIT} characters")
    if "#" in url:
        raise _refused("no fragment (#)")
    if not _URL_CHARACTERS.fullmatch(url):
        raise _refused("printable ASCII characters only, anything else percent-encoded")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _refused("a host, in brackets if it is an IPv6 address") from None
    if parts.scheme not in ("http", "https") or not url[len(parts.scheme) :].startswith("://"):
        raise _refused("http:// or https://")
    if "@" in parts.netloc:
        raise _refused("no user name or password in the URL")
    _check_port(parts)
    _check_host(parts.hostname or "", literal=parts.netloc.startswith("["), guard=guard)


def host_of(url: str) -> str:
    """The host of a URL that `check_url` let pass, lower case and without a closing full stop."""
    return (urlsplit(url).hostname or "").removesuffix(".")


def _check_port(parts: SplitResult) -> None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":"):
        raise _refused("a port from 1 to 65535")


def _check_host(host: str, *, literal: bool, guard: Guard) -> None:
    name = host.removesuffix(".")
    if literal or _NUMBER.fullmatch(name.rpartition(".")[2]):
        try:
            address = IPv6Address(host) if literal else IPv4Address(name)
        except ValueError:
            raise _refused("an address in its usual form, or a host name") from None
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            raise _refused("an address without a zone")
    elif not name or len(name) > 253 or not _HOST.fullmatch(host):
        raise _refused("a host name in its ASCII form (xn--… for other scripts)")
    elif name == "localhost" or name.endswith(".localhost"):
        if guard.permits(IPv6Address("::1")):
            return
        address = IPv4Address("127.0.0.1")
    else:
        return
    refusal = guard.refusal(address)
    if refusal is not None:
        raise _refused(f"an address that the guard permits; {refusal}")


def _refused(expected: str) -> UrlRefused:
    return UrlRefused(field="url", expected=expected)


def _unwrapped(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _special(address: Address) -> str | None:
    """What kind of address this is, None for a globally routable unicast address."""
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _SPECIAL_V4 if address in network), None)
    for network, kind in _SPECIAL_V6:
        if address in network:
            return kind
    return None if address in _GLOBAL_V6 else "not globally routable"


def _any_holds(networks: tuple[Network, ...], address: Address) -> bool:
    return any(address in network for network in networks)
