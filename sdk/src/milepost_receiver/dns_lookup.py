"""Asking name servers for TXT records, with dnspython: the one optional dependency of the kit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from milepost_receiver.errors import ConfigurationInvalid, DnsUnavailable, SenderRecordMissing


@dataclass(frozen=True, slots=True)
class TxtAnswer:
    """The texts under a name, each with all of its strings as one, and for how many seconds."""

    texts: tuple[str, ...]
    ttl: float


Lookup = Callable[[str], TxtAnswer]
"""Finds the TXT records of a name; raises SendersUnknown and nothing else."""


def dns_lookup(*, nameservers: Iterable[str] = (), port: int = 53, timeout: float = 5.0) -> Lookup:
    """A lookup by these name servers, or by the system's.

    Raises ConfigurationInvalid when dnspython is not installed, or an address is none.
    """
    try:
        import dns.exception  # noqa: PLC0415 - only who asks for it needs it
        import dns.resolver  # noqa: PLC0415
    except ImportError:
        expected = "dnspython: install milepost-receiver[dns]"
        raise ConfigurationInvalid("lookup", expected=expected) from None
    servers = list(nameservers)
    resolver = dns.resolver.Resolver(configure=False)
    if servers:
        try:
            resolver.nameservers = servers
        except ValueError:
            raise ConfigurationInvalid("nameservers", expected="IP addresses") from None
        resolver.port = port

    def look_up(name: str) -> TxtAnswer:
        try:
            if not resolver.nameservers:
                resolver.read_resolv_conf("/etc/resolv.conf")
            answer = resolver.resolve(name, "TXT", lifetime=timeout, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            raise SenderRecordMissing("no TXT record under this name") from None
        except (dns.resolver.LifetimeTimeout, TimeoutError):
            raise DnsUnavailable(expected=f"an answer within {timeout:g} seconds") from None
        except dns.resolver.NoNameservers:
            raise DnsUnavailable("every name server failed") from None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise DnsUnavailable(type(error).__name__) from None
        texts = (b"".join(record.strings).decode("ascii", "replace") for record in answer)
        ttl = 0.0 if answer.rrset is None else float(answer.rrset.ttl)
        return TxtAnswer(tuple(texts), ttl)

    return look_up
