"""Sender addresses from a DNS record, read from a real name server on the loopback interface."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.delivery.egress import record_text, strings_of
from milepost_receiver import (
    ConfigurationInvalid,
    DnsUnavailable,
    ReceiverError,
    SenderRecord,
    SenderRecordMalformed,
    SenderRecordMissing,
    SenderRefused,
    Senders,
    SendersUnknown,
    TxtAnswer,
    dns_lookup,
)
from milepost_receiver.senders import KEEP_SECONDS, REFRESH_SECONDS, RETRY_SECONDS, networks_in
from tests.sdk.nameserver import NameServer, Zone, name_server

NAME = "_milepost.example.com"
RECORD = '"v=milepost1 ip4:192.0.2.0/24 ip4:198.51.100.7 ip6:2001:db8::/48"'
START = 1_800_000_000.0


@dataclass
class Clock:
    """Seconds since the epoch, which pass only when told to."""

    at: float = START

    def __call__(self) -> float:
        return self.at


@contextmanager
def asking(zone: Zone, **given: Any) -> Iterator[tuple[Senders, NameServer, Clock]]:
    clock = Clock()
    with name_server(zone) as server:
        lookup = dns_lookup(nameservers=["127.0.0.1"], port=server.port, timeout=0.5)
        yield Senders(NAME, lookup=lookup, now=clock, **given), server, clock


# --- fetching -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("192.0.2.1", True),
        ("192.0.2.255", True),
        ("192.0.3.0", False),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
        ("2001:db8:0:ffff::1", True),
        ("2001:db8:1::1", False),
        ("::ffff:192.0.2.9", True),
        ("::ffff:10.0.0.1", False),
        (" 192.0.2.1 ", True),
        ("fe80::1%eth0", False),
        ("", False),
        ("localhost", False),
        ("192.0.2.1:443", False),
        ("192.0.2.0/24", False),
    ],
)
def test_an_address_is_allowed_exactly_when_the_record_names_a_network_of_it(
    address: str, allowed: bool
) -> None:
    with asking({NAME: (RECORD,)}) as (senders, _, _):
        assert senders.allows(address) is allowed
        if allowed:
            senders.check(address)
        else:
            with pytest.raises(SenderRefused) as refused:
                senders.check(address)
            assert refused.value.http_status == 403


def test_a_record_of_several_strings_is_one_text_and_a_long_one_comes_over_tcp() -> None:
    networks = [ip_network(f"10.{n}.0.0/24") for n in range(60)]
    strings = strings_of(record_text(networks))
    assert len(strings) > 3
    assert all(len(text) <= 255 for text in strings)
    with asking({NAME: (" ".join(f'"{text}"' for text in strings),)}) as (senders, server, _):
        assert senders.record().networks == tuple(networks)
        assert server.over_tcp == 1


def test_other_texts_under_the_name_are_left_alone() -> None:
    zone: Zone = {NAME: ('"site-verification=abc"', RECORD, '"10.0.0.0/8"')}
    with asking(zone) as (senders, _, _):
        assert senders.allows("192.0.2.1")
        assert not senders.allows("10.0.0.1")


# --- caching and refreshing -----------------------------------------------------------------------


def test_the_record_is_asked_for_once_and_again_when_it_is_due() -> None:
    with asking({NAME: (RECORD,)}) as (senders, server, clock):
        server.ttl = 86_400
        assert senders.allows("192.0.2.1")
        clock.at += REFRESH_SECONDS - 1
        assert senders.allows("192.0.2.1")
        assert len(server.asked) == 1
        server.zone[NAME] = ('"v=milepost1 ip4:203.0.113.0/24"',)
        clock.at += 1
        assert not senders.allows("192.0.2.1")
        assert senders.allows("203.0.113.1")
        assert len(server.asked) == 2


@pytest.mark.parametrize(("ttl", "due"), [(300, 300), (5, 60), (0, 60), (86_400, 3_600)])
def test_the_record_is_due_by_its_own_time_to_live_within_bounds(ttl: int, due: int) -> None:
    with asking({NAME: (RECORD,)}) as (senders, server, clock):
        server.ttl = ttl
        senders.record()
        clock.at += due - 0.5
        senders.record()
        assert len(server.asked) == 1
        clock.at += 0.5
        senders.record()
        assert len(server.asked) == 2


def test_a_refresh_says_what_has_changed() -> None:
    with asking({NAME: (RECORD,)}) as (senders, server, _):
        first = senders.refresh()
        assert [str(n) for n in first.added] == [
            "192.0.2.0/24", "198.51.100.7/32", "2001:db8::/48",
        ]  # fmt: skip
        assert first.removed == ()
        server.zone[NAME] = ('"v=milepost1 ip4:192.0.2.0/24 ip4:203.0.113.0/24"',)
        second = senders.refresh()
        assert [str(n) for n in second.added] == ["203.0.113.0/24"]
        assert [str(n) for n in second.removed] == ["198.51.100.7/32", "2001:db8::/48"]
        assert senders.refresh() != second
        assert second.record.networks == senders.record().networks


def test_a_record_can_be_kept_over_a_restart() -> None:
    kept = SenderRecord((ip_network("192.0.2.0/24"),), START - 10)
    with asking({}, last=kept) as (senders, server, _):
        assert senders.allows("192.0.2.1")
        assert server.asked == []


def test_threads_that_ask_at_once_share_one_question() -> None:
    with asking({NAME: (RECORD,)}) as (senders, server, _):
        answers: list[bool] = []
        threads = [
            threading.Thread(target=lambda: answers.append(senders.allows("192.0.2.1")))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert answers == [True] * 8
        assert len(server.asked) == 1


# --- when DNS fails -------------------------------------------------------------------------------


def breaks(server: NameServer, how: str) -> None:
    match how:
        case "silent":
            server.silent = True
        case "servfail":
            server.fails = dns.rcode.SERVFAIL
        case "refused":
            server.fails = dns.rcode.REFUSED
        case "gone":
            server.zone.pop(NAME)
        case "empty":
            server.zone[NAME] = ()
        case "other":
            server.zone[NAME] = ('"nothing to see"',)
        case "malformed":
            server.zone[NAME] = ('"v=milepost1 ip4:192.0.2.0/24 ip4:999.1.1.1"',)
        case _:
            raise AssertionError(how)


FAILURES: tuple[tuple[str, type[SendersUnknown]], ...] = (
    ("silent", DnsUnavailable),
    ("servfail", DnsUnavailable),
    ("refused", DnsUnavailable),
    ("gone", SenderRecordMissing),
    ("empty", SenderRecordMissing),
    ("other", SenderRecordMissing),
    ("malformed", SenderRecordMalformed),
)


@pytest.mark.parametrize(("how", "kind"), FAILURES)
def test_without_any_record_the_answer_says_why_and_is_not_asked_for_again_at_once(
    how: str, kind: type[SendersUnknown]
) -> None:
    with asking({NAME: (RECORD,)}) as (senders, server, clock):
        breaks(server, how)
        with pytest.raises(SendersUnknown) as told:
            senders.allows("192.0.2.1")
        assert type(told.value) is kind
        assert told.value.http_status == 503
        asked = len(server.asked)
        with pytest.raises(kind):
            senders.allows("192.0.2.1")
        assert len(server.asked) == asked
        assert senders.trouble is not None
        clock.at += RETRY_SECONDS
        server.silent, server.fails = False, None
        server.zone[NAME] = (RECORD,)
        assert senders.allows("192.0.2.1")
        assert len(server.asked) == asked + 1
        assert senders.trouble is None


@pytest.mark.parametrize(("how", "kind"), FAILURES)
def test_what_was_read_less_than_a_week_ago_is_gone_by_while_dns_fails(
    how: str, kind: type[SendersUnknown]
) -> None:
    with asking({NAME: (RECORD,)}) as (senders, server, clock):
        senders.record()
        breaks(server, how)
        clock.at += REFRESH_SECONDS
        assert senders.allows("192.0.2.1")
        assert not senders.allows("192.0.3.1")
        assert type(senders.trouble) is kind
        asked = len(server.asked)
        assert senders.allows("192.0.2.1")
        assert len(server.asked) == asked
        clock.at = START + KEEP_SECONDS
        assert senders.allows("192.0.2.1")
        clock.at = START + KEEP_SECONDS + 1
        with pytest.raises(kind):
            senders.allows("192.0.2.1")


def test_a_refresh_that_fails_keeps_what_is_known() -> None:
    with asking({NAME: (RECORD,)}) as (senders, server, _):
        known = senders.record()
        server.fails = dns.rcode.SERVFAIL
        with pytest.raises(DnsUnavailable):
            senders.refresh()
        assert senders.record() == known


def test_a_server_that_is_not_there_is_unavailable() -> None:
    lookup = dns_lookup(nameservers=["127.0.0.1"], port=9, timeout=0.3)
    with pytest.raises(DnsUnavailable):
        lookup(NAME)


def test_a_clock_that_is_set_back_asks_anew() -> None:
    with asking({NAME: (RECORD,)}) as (senders, server, clock):
        senders.record()
        clock.at -= 100
        assert senders.allows("192.0.2.1")
        assert len(server.asked) == 2


def test_without_dnspython_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "dns":
            raise ImportError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigurationInvalid, match=r"milepost-receiver\[dns\]"):
        Senders(NAME)
    Senders(NAME, lookup=lambda _: TxtAnswer((), 0))


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "."},
        {"refresh_seconds": 0},
        {"keep_seconds": 10},
        {"nameservers": ["ns.example"], "lookup": None},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    told = {"name": NAME, "lookup": lambda _: TxtAnswer((), 0), **given}
    with pytest.raises(ConfigurationInvalid):
        Senders(told.pop("name"), **told)


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "networks"),
    [
        (["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/48 -all"], ["192.0.2.0/24", "2001:db8::/48"]),
        (["192.0.2.0/24, 198.51.100.0/25;203.0.113.9"],
         ["192.0.2.0/24", "198.51.100.0/25", "203.0.113.9/32"]),
        (["ip4:192.0.2.0/24", "ip4:198.51.100.0/24"], ["192.0.2.0/24", "198.51.100.0/24"]),
        (["IP4:192.0.2.0/24 ip4:192.0.2.0/24"], ["192.0.2.0/24"]),
    ],
)  # fmt: skip
def test_networks_are_found_in_other_forms_of_records_too(
    texts: list[str], networks: list[str]
) -> None:
    assert [str(n) for n in networks_in(texts)] == networks


@pytest.mark.parametrize(
    "texts",
    [
        ["v=milepost1 ip4:192.0.2.0/24", "v=milepost1 ip4:192.0.2.0/24"],
        ["v=milepost1 ip4:192.0.2.0/24 10.0.0.0/8x"],
        ["v=milepost1 ip4:192.0.2.1/24"],
        ["v=milepost1 ip6:192.0.2.0/24"],
        ["v=milepost1 ip4:0.0.0.0/0"],
        ["v=spf1 ip4:192.0.2.0/24 include:_spf.example.com -all"],
        ["v=milepost1 " + " ".join(f"ip4:10.{n >> 8}.{n & 255}.0/24" for n in range(1_001))],
    ],
)
def test_a_record_that_cannot_be_relied_on_is_malformed(texts: list[str]) -> None:
    with pytest.raises(SenderRecordMalformed):
        networks_in(texts)


def test_a_record_without_networks_allows_nothing_and_is_missing() -> None:
    with pytest.raises(SenderRecordMissing):
        networks_in(["v=milepost1"])
    with pytest.raises(SenderRecordMissing):
        networks_in([])


@given(st.lists(st.text(max_size=60), max_size=4))
def test_no_text_makes_it_raise_anything_but_its_own_errors(texts: list[str]) -> None:
    senders = Senders(NAME, lookup=lambda _: TxtAnswer(tuple(texts), 1))
    try:
        senders.allows("192.0.2.1")
    except ReceiverError:
        return


networks = st.lists(
    st.ip_addresses().flatmap(
        lambda a: st.integers(1, a.max_prefixlen).map(lambda p: ip_network((a, p), strict=False))
    ),
    min_size=1,
    max_size=60,
    unique=True,
)


@given(networks)
def test_what_the_hub_prints_is_what_the_kit_reads(given_networks: list[Any]) -> None:
    strings = strings_of(record_text(given_networks))
    assert all(len(text.encode()) <= 255 for text in strings)
    assert networks_in(["".join(strings)]) == tuple(given_networks)


def test_the_default_lookup_uses_the_servers_of_the_system() -> None:
    """Without a resolver's configuration that is a failure like any other."""
    lookup: Callable[[str], TxtAnswer] = dns_lookup(timeout=0.2)
    with pytest.raises(SendersUnknown):
        lookup("name.invalid")
