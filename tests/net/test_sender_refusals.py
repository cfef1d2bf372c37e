"""What the sender never sends, and where it never goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost.delivery.model import Failure
from milepost.net import sender as sender_module
from milepost.net.guard import Guard
from milepost.net.sender import Sender
from tests.net.receiver import (
    Play,
    Receiver,
    request_to,
    says,
    send_all,
)


@pytest.mark.parametrize(
    "headers",
    [
        (("x-a", "one\r\nx-b: two"),),
        (("x-a", "one\nx-b: two"),),
        (("x-a", "one\rx-b: two"),),
        (("x-a", "nul\x00"),),
        (("x-a", "tab\there"),),
        (("x-a", "delete\x7f"),),
        (("x-a", "schön"),),
        (("x-a", "line\u2028separator"),),
        (("x-a\r\nx-b", "one"),),
        (("x-a: y", "one"),),
        (("x a", "one"),),
        (("x-ä", "one"),),
        (("", "one"),),
        (("x-fine", "one"), ("x-a", "two\r\n")),
        (("Host", "elsewhere.example"),),
        (("content-length", "5"),),
        (("Transfer-Encoding", "chunked"),),
        (("connection", "close"),),
        (("Expect", "100-continue"),),
        (("upgrade", "h2c"),),
    ],
)
def test_headers_that_would_break_the_message_are_refused_before_anything_is_sent(
    play: Play, headers: tuple[tuple[str, str], ...]
) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            reply = await sender.send(request_to(receiver.url(), headers=headers))
            assert (reply.status, reply.failure) == (0, Failure.BLOCKED)
            assert "header" in reply.detail
            assert "one" not in reply.detail
            assert receiver.connections == 0
            assert (await sender.send(request_to(receiver.url()))).status == 200

    play(case)


@pytest.mark.parametrize(
    "path",
    ["/\r\nx-b: two", "/\nx", "/\x00", "/ HTTP/1.1", "/ü", "/#fragment", "@127.0.0.1/", "/" * 3000],
)
def test_urls_that_would_break_the_message_are_refused_before_anything_is_sent(
    play: Play, path: str
) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            reply = await sender.send(request_to(f"http://127.0.0.1:{receiver.port}{path}"))
            assert (reply.status, reply.failure) == (0, Failure.BLOCKED)
            assert receiver.connections == 0

    play(case)


@pytest.mark.parametrize("timeout_s", [float("inf"), float("nan"), 1e30])
def test_a_timeout_that_is_none_is_refused(play: Play, timeout_s: float) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            reply = await sender.send(request_to(receiver.url(), timeout_s=timeout_s))
            assert (reply.status, reply.failure) == (0, Failure.BLOCKED)
            assert receiver.connections == 0
            assert (await sender.send(request_to(receiver.url()))).status == 200

    play(case)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_by_default_nothing_reaches_this_machine(play: Play, host: str) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            reply = await sender.send(request_to(receiver.url(host=host)))
            assert (reply.status, reply.failure) == (0, Failure.BLOCKED)
            assert "loopback" in reply.detail
            assert receiver.connections == 0

    play(case, guard=Guard())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_address_that_is_connected_to_decides_whatever_the_url_said(
    play: Play, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "check_url", lambda _url, guard: None)

    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            requests = [request_to(receiver.url(host=host)) for _ in range(3)]
            for reply in await send_all(requests, sender=sender):
                assert (reply.status, reply.failure) == (0, Failure.BLOCKED)
                assert reply.detail.startswith("the guard refused the address: ")
                assert "loopback" in reply.detail
            assert receiver.connections == 0

    play(case, guard=Guard())


def test_proxies_in_the_environment_are_ignored(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver, Receiver() as proxy:
            for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            for name in ("no_proxy", "NO_PROXY"):
                monkeypatch.delenv(name, raising=False)
            assert (await sender.send(request_to(receiver.url()))).status == 200
            assert (receiver.connections, proxy.connections) == (1, 0)

    play(case)


def test_credentials_in_a_netrc_file_are_ignored(
    play: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))

    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            await sender.send(request_to(receiver.url()))
            assert b"authorization" not in receiver.heads[0].lower()

    play(case)


def test_cookies_are_not_kept(play: Play) -> None:
    async def case(sender: Sender) -> None:
        text = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
        async with Receiver(says(text)) as receiver:
            for _ in range(2):
                await sender.send(request_to(receiver.url()))
            assert b"cookie" not in b"".join(receiver.heads).lower()

    play(case)
