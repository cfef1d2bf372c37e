"""Certificates are checked, always, against the bundle that the operator gave or certifi's."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost.delivery.model import Failure
from milepost.errors import SettingInvalid
from milepost.net.sender import Sender
from tests.net.certificates import self_signed, server_side
from tests.net.receiver import (
    LOCAL,
    Play,
    Receiver,
    request_to,
    says,
    says_and_resets,
    says_forever,
    send_all,
)


def test_a_certificate_is_accepted_when_its_authority_is_given(play: Play, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)

    async def case(sender: Sender) -> None:
        async with Receiver(tls=server_side(certificate)) as receiver:
            for _ in range(3):
                reply = await sender.send(request_to(receiver.url(), body=b"over TLS"))
                assert (reply.status, reply.body, reply.failure) == (200, b"ok", None)
            assert (receiver.connections, receiver.bodies) == (1, [b"over TLS"] * 3)

    play(case, ca_file=str(certificate))


def test_a_self_signed_certificate_is_refused(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))

    async def case(sender: Sender) -> None:
        async with Receiver(tls=server_side(certificate)) as receiver:
            reply = await sender.send(request_to(receiver.url()))
            assert (reply.status, reply.failure) == (0, Failure.TLS)
            assert "certificate" in reply.detail
            assert receiver.heads == []

    play(case)


def test_a_certificate_for_another_address_is_refused(play: Play, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, address="127.0.0.2")

    async def case(sender: Sender) -> None:
        async with Receiver(tls=server_side(certificate)) as receiver:
            reply = await sender.send(request_to(receiver.url()))
            assert (reply.status, reply.failure) == (0, Failure.TLS)
            assert receiver.heads == []

    play(case, ca_file=str(certificate))


def test_an_expired_certificate_is_refused(play: Play, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, days=-1)

    async def case(sender: Sender) -> None:
        async with Receiver(tls=server_side(certificate)) as receiver:
            reply = await sender.send(request_to(receiver.url()))
            assert (reply.status, reply.failure) == (0, Failure.TLS)
            assert "expired" in reply.detail

    play(case, ca_file=str(certificate))


def test_a_receiver_that_speaks_no_tls_is_a_tls_failure(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver(says_forever(b"x" * 1000)) as receiver:
            receiver.greeting = b"220 mail.example ESMTP\r\n"
            url = receiver.url().replace("http:", "https:")
            reply = await sender.send(request_to(url))
        assert (reply.status, reply.failure) == (0, Failure.TLS)

    play(case)


def test_a_tls_connection_that_breaks_in_a_reply_is_a_reset(play: Play, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"

    async def case(sender: Sender) -> None:
        async with Receiver(says_and_resets(begun), tls=server_side(certificate)) as receiver:
            reply = await sender.send(request_to(receiver.url()))
            assert (reply.status, reply.failure, reply.body) == (200, Failure.RESET, b"abc")
            receiver.answer = says(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            assert (await sender.send(request_to(receiver.url()))).status == 200

    play(case, ca_file=str(certificate))


def test_many_tls_connections_at_once_lose_no_event(play: Play, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)

    async def case(sender: Sender) -> None:
        big = b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000
        async with Receiver(says(big), tls=server_side(certificate)) as receiver:
            requests = [request_to(receiver.url(), body=b"y" * 100_000) for _ in range(50)]
            for reply in await send_all(requests, sender=sender):
                assert (reply.status, reply.failure) == (200, None)
                assert reply.body == b"x" * 64 * 1024

    play(case, ca_file=str(certificate))


@pytest.mark.parametrize("text", [None, "", "not a certificate"])
def test_a_bundle_that_cannot_be_read_is_told_at_once(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "bundle.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingInvalid, match=r"bundle\.pem"):
        Sender(guard=LOCAL, ca_file=str(path))
