"""The guard's rule, address by address, and the URLs that are refused when they are given."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, strategies

from milepost.errors import UrlRefused
from milepost.net.guard import Guard, check_url, host_of

PUBLIC = Guard()
PRIVATE = Guard(allow_private=True)


def _words(text: str) -> list[str]:
    return text.split()


REFUSED = _words("""
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1
    127.8.8.8 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1
    192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
    224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
    ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 64:ff9b:1::8.8.8.8
    100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:db8::1
    2002:7f00:1:: 2002:808:808:: 3fff::1 3fff:fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254
    fd12:3456::1 fe80::1 febf::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1
""")
PERMITTED = _words("""
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1
    169.253.255.255 172.15.255.255 172.32.0.1 191.255.255.255 192.0.1.1 192.88.98.1 192.167.255.255
    192.169.0.1 198.17.255.255 198.20.0.1 203.0.112.1 223.255.255.255
    2001:200::1 2001:4860:4860::8888 2400::1 2606:4700::1111 2a00::1 3ffe::1 3fff:1000::1
    ::ffff:8.8.8.8 64:ff9b::8.8.8.8
""")


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_globally_routable_unicast_is_refused(address: str) -> None:
    assert not PUBLIC.permits(ip_address(address))
    assert str(PUBLIC.refusal(ip_address(address))).startswith(f"{ip_address(address)} is ")


@pytest.mark.parametrize("address", PERMITTED)
def test_globally_routable_unicast_is_permitted(address: str) -> None:
    assert PUBLIC.permits(ip_address(address))
    assert PUBLIC.refusal(ip_address(address)) is None


@given(strategies.ip_addresses())
def test_nothing_is_permitted_that_the_standard_library_calls_special(
    address: IPv4Address | IPv6Address,
) -> None:
    if PUBLIC.permits(address):
        plain = getattr(address, "ipv4_mapped", None) or address
        assert plain.is_global or plain in ip_network("64:ff9b::/96")
        special = (plain.is_private, plain.is_multicast, plain.is_loopback, plain.is_link_local)
        assert not any(special)
        assert not plain.is_unspecified
        assert isinstance(plain, IPv6Address) or not plain.is_reserved


@given(strategies.ip_addresses(v=4))
def test_an_ipv6_address_that_stands_for_an_ipv4_address_is_judged_as_that(
    address: IPv4Address,
) -> None:
    for guard in (PUBLIC, PRIVATE):
        for prefix in (0xFFFF << 32, 0x64FF9B << 96):
            assert guard.permits(IPv6Address(prefix | int(address))) == guard.permits(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "172.20.0.1", "192.168.1.1", "::1", "fd12::1"]
)
def test_private_networks_can_be_allowed(address: str) -> None:
    assert PRIVATE.permits(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "192.0.0.192",
        "224.0.0.1",
        "::",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
        "ff02::1",
    ],
)
def test_allowing_private_networks_opens_no_metadata_service_and_nothing_else(address: str) -> None:
    assert not PRIVATE.permits(ip_address(address))


def test_a_named_network_is_allowed_and_its_neighbors_are_not() -> None:
    guard = Guard(allow_networks=(ip_network("10.1.0.0/16"), ip_network("fd12::/16")))
    assert guard.permits(ip_address("10.1.2.3"))
    assert guard.permits(ip_address("::ffff:10.1.2.3"))
    assert guard.permits(ip_address("fd12::1"))
    assert not guard.permits(ip_address("10.2.0.1"))
    assert not guard.permits(ip_address("fd13::1"))
    assert not guard.permits(ip_address("127.0.0.1"))


def test_a_refusal_names_the_address_and_the_reason() -> None:
    refusal = PUBLIC.refusal(ip_address("169.254.169.254"))
    assert refusal == ("169.254.169.254 is a link-local address, where clouds keep their metadata")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com/",
        "HTTPS://EXAMPLE.COM/Path",
        "https://example.com:8443/hook?token=a%20b&x=1",
        "https://a-b.c_d.example/x//y/../z;p",
        "https://xn--bcher-kva.example/",
        "https://example.com./hook",
        "https://8.8.8.8/hook",
        "https://[2606:4700::1111]:8443/hook",
        "https://3com.example/",
        "https://example.com/" + "x" * (2048 - 20),
    ],
)
def test_a_url_that_can_be_used_passes(url: str) -> None:
    check_url(url, guard=PUBLIC)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "1 to 2048 characters"),
        ("https://example.com/" + "x" * 2029, "1 to 2048 characters"),
        ("example.com/hook", "http:// or https://"),
        ("//example.com/hook", "http:// or https://"),
        ("http:/example.com", "http:// or https://"),
        ("http:example.com", "http:// or https://"),
        ("ftp://example.com/", "http:// or https://"),
        ("file:///etc/passwd", "http:// or https://"),
        ("gopher://example.com/", "http:// or https://"),
        ("javascript:alert(1)", "http:// or https://"),
        ("https://", "a host name"),
        ("https:///path", "a host name"),
        ("https://:443/", "a host name"),
        ("https://.example.com/", "a host name"),
        ("https://a..b/", "a host name"),
        ("https://-a.example/", "a host name"),
        ("https://" + "a" * 64 + ".example/", "a host name"),
        ("https://" + "a." * 130 + "example/", "a host name"),
        ("https://ex%61mple.com/", "a host name"),
        ("https://a,b/", "a host name"),
        ("https://user@example.com/", "no user name"),
        ("https://user:pass@example.com/", "no user name"),
        ("https://@example.com/", "no user name"),
        ("https://example.com:80@127.0.0.1/", "no user name"),
        ("https://example.com:0/", "a port"),
        ("https://example.com:65536/", "a port"),
        ("https://example.com:-1/", "a port"),
        ("https://example.com:/", "a port"),
        ("https://example.com:http/", "a port"),
        ("https://example.com/#part", "no fragment"),
        ("https://example.com/#", "no fragment"),
        ("https://example.com/a b", "printable ASCII"),
        ("https://example.com/\r\nHost: x", "printable ASCII"),
        ("https://example.com/\x00", "printable ASCII"),
        ("https://example.com\\@127.0.0.1/", "printable ASCII"),
        ("https://bücher.example/", "printable ASCII"),
        ("https://example.com/ü", "printable ASCII"),
        ("\thttps://example.com/", "printable ASCII"),
        ("https://[::1/", "a host, in brackets"),
        ("https://[zz]/", "a host, in brackets"),
        ("https://[8.8.8.8]/", "a host, in brackets"),
        ("https://127.0.0.1/", "is a loopback address"),
        ("https://127.0.0.1./", "is a loopback address"),
        ("https://[::1]/", "is a loopback address"),
        ("https://[::ffff:7f00:1]/", "is a loopback address"),
        ("https://localhost/", "is a loopback address"),
        ("https://LOCALHOST./", "is a loopback address"),
        ("https://a.localhost/", "is a loopback address"),
        ("https://169.254.169.254/latest", "is a link-local address"),
        ("https://2130706433/", "an address in its usual form"),
        ("https://0x7f000001/", "an address in its usual form"),
        ("https://127.1/", "an address in its usual form"),
        ("https://0177.0.0.1/", "an address in its usual form"),
        ("https://127.0.0.0x1/", "an address in its usual form"),
        ("https://a.b.1/", "an address in its usual form"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_what_was_expected(
    url: str, expected: str
) -> None:
    with pytest.raises(UrlRefused) as refusal:
        check_url(url, guard=PUBLIC)
    assert refusal.value.field == "url"
    assert expected in refusal.value.expected


def test_an_address_with_a_zone_is_refused_whatever_is_allowed() -> None:
    everything = Guard(allow_networks=(ip_network("::/0"),))
    with pytest.raises(UrlRefused):
        check_url("https://[fe80::1%25eth0]/", guard=everything)


def test_local_receivers_are_usable_once_private_networks_are_allowed() -> None:
    for url in ("http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/"):
        check_url(url, guard=PRIVATE)
    check_url("http://localhost/", guard=Guard(allow_networks=(ip_network("::1/128"),)))


@given(strategies.text(max_size=60))
def test_any_text_either_passes_or_is_refused(text: str) -> None:
    for url in (text, f"https://{text}/", f"https://[{text}]/", f"https://example.com{text}"):
        try:
            check_url(url, guard=PUBLIC)
        except UrlRefused:
            continue
        assert url.isascii()
        assert url.isprintable()


def test_the_host_of_a_url_is_the_same_however_it_is_written() -> None:
    assert host_of("https://Example.COM.:8443/x") == host_of("http://example.com") == "example.com"
