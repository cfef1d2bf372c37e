"""How an exchange fails: each way has a name, and none takes longer than it may."""

from __future__ import annotations

import asyncio

import pytest

from milepost.delivery.model import Failure
from milepost.net.sender import Sender
from tests.net.receiver import (
    Play,
    Receiver,
    Writer,
    hangs,
    request_to,
    says,
    says_and_hangs_up,
    says_and_resets,
    says_forever,
    send_all,
    unused_port,
)


@pytest.mark.parametrize(
    ("text", "status", "failure", "body"),
    [
        (b"", 0, Failure.RESET, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", 200, Failure.TRUNCATED, b"abc"),
        (b"HTTP/1.1 200 OK\r\ncontent-len", 200, Failure.TRUNCATED, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n", 200, Failure.TRUNCATED, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", 200, Failure.PROTOCOL, b""),
        (b"HTTP/1.1 2", 0, Failure.RESET, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 0, Failure.RESET, b""),
        (b"hello\r\n\r\n", 0, Failure.PROTOCOL, b""),
        (b"SSH-2.0-OpenSSH_9\r\n", 0, Failure.PROTOCOL, b""),
        (b"\x15\x03\x01\x00\x02\x02\x16", 0, Failure.PROTOCOL, b""),
        (bytes(range(256)) * 40, 0, Failure.PROTOCOL, b""),
        (b"HTTP/1.1 000 No\r\n\r\n", 0, Failure.PROTOCOL, b""),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc",
            200,
            Failure.PROTOCOL,
            b"",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
            200,
            Failure.TRUNCATED,
            b"abc",
        ),
    ],
)
def test_a_broken_reply_has_a_named_failure(
    play: Play, text: bytes, status: int, failure: Failure, body: bytes
) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver(says_and_hangs_up(text)) as receiver:
            reply = await sender.send(request_to(receiver.url()))
        assert (reply.status, reply.failure, reply.body) == (status, failure, body)
        assert reply.detail

    play(case)


@pytest.mark.parametrize(
    ("text", "status"),
    [(b"", 0), (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", 200)],
)
def test_a_connection_reset_is_told_from_a_broken_reply(
    play: Play, text: bytes, status: int
) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver(says_and_resets(text)) as receiver:
            reply = await sender.send(request_to(receiver.url()))
            assert (reply.status, reply.failure) == (status, Failure.RESET)
            assert len(receiver.heads) == 1

    play(case)


def test_a_refused_connection_has_a_named_failure(play: Play) -> None:
    async def case(sender: Sender) -> None:
        reply = await sender.send(request_to(f"http://127.0.0.1:{unused_port()}/hook?key=secret"))
        assert (reply.status, reply.failure) == (0, Failure.REFUSED)
        assert "secret" not in reply.detail

    play(case)


def test_a_name_that_does_not_resolve_has_a_named_failure(play: Play) -> None:
    async def case(sender: Sender) -> None:
        reply = await sender.send(request_to("http://nobody.invalid/hook"))
        assert (reply.status, reply.failure) == (0, Failure.DNS)

    play(case)


def test_a_receiver_that_does_not_answer_runs_into_the_timeout_of_its_request(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver(hangs) as receiver:
            requests = [
                request_to(receiver.url(), timeout_s=0.6),
                request_to(receiver.url(), timeout_s=0.2),
                request_to(receiver.url(), timeout_s=0.0),
            ]
            late, early, at_once = await send_all(requests, sender=sender)
        for reply in (late, early, at_once):
            assert (reply.status, reply.failure) == (0, Failure.TIMEOUT)
        assert at_once.duration_ms < early.duration_ms < late.duration_ms
        assert early.duration_ms > 190
        assert 590 < late.duration_ms < 5_000

    play(case)


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nx-slow: ", 200),
        (b"", 0),
    ],
)
def test_a_reply_that_drips_does_not_outlive_the_timeout(
    play: Play, first: bytes, status: int
) -> None:
    async def case(sender: Sender) -> None:
        drop = b"H" if not first else b"x"
        async with Receiver(says_forever(drop, first=first, pause_s=0.6)) as receiver:
            reply = await sender.send(request_to(receiver.url(), timeout_s=0.4))
        assert (reply.status, reply.failure) == (status, Failure.TIMEOUT)
        assert 390 < reply.duration_ms < 5_000

    play(case)


def test_a_reply_body_is_kept_up_to_the_cap_and_read_up_to_the_limit(play: Play) -> None:
    async def case(sender: Sender) -> None:
        text = b"HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n" + b"x" * 1024 * 1024
        async with Receiver(says(text)) as receiver:
            for _ in range(2):
                reply = await sender.send(request_to(receiver.url()))
                assert (reply.status, reply.failure) == (200, None)
                assert reply.body == b"x" * 64 * 1024
            assert receiver.connections == 1

    play(case)


@pytest.mark.parametrize("framing", [b"content-length: 99999999", b"connection: close"])
def test_a_reply_past_the_limit_is_cut_off_and_keeps_its_status(play: Play, framing: bytes) -> None:
    async def case(sender: Sender) -> None:
        head = b"HTTP/1.1 202 Accepted\r\n" + framing + b"\r\n\r\n"
        async with Receiver(says_forever(b"x" * 65536, first=head)) as receiver:
            reply = await sender.send(request_to(receiver.url()))
        assert (reply.status, reply.failure) == (202, Failure.OVERSIZED)
        assert len(reply.body) == 64 * 1024
        assert "1048576" in reply.detail

    play(case)


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        (b"x-many: y\r\n" * 100, Failure.OVERSIZED),
        (b"y" * 65536, Failure.OVERSIZED),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, Failure.PROTOCOL),
    ],
)
def test_endless_headers_are_cut_off(play: Play, line: bytes, failure: Failure) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver(says_forever(line, first=b"HTTP/1.1 200 OK\r\nx: ")) as receiver:
            receiver.answer = says_forever(line, first=_beginning(line))
            reply = await sender.send(request_to(receiver.url(), timeout_s=20))
        assert reply.failure is failure
        assert reply.detail

    def _beginning(line: bytes) -> bytes:
        return b"" if line.startswith(b"HTTP/") else b"HTTP/1.1 200 OK\r\nx-first: "

    play(case)


def test_a_redirect_is_reported_and_not_followed(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as elsewhere:
            for status in (301, 302, 303, 307, 308):
                text = (
                    f"HTTP/1.1 {status} Moved\r\nlocation: {elsewhere.url()}\r\n"
                    "content-length: 0\r\n\r\n"
                )
                async with Receiver(says(text.encode())) as receiver:
                    reply = await sender.send(request_to(receiver.url()))
                assert (reply.status, reply.failure) == (status, None)
                assert reply.header("location") == elsewhere.url()
            assert elsewhere.connections == 0

    play(case)


def test_headers_count_from_the_last_section_only(play: Play) -> None:
    async def case(sender: Sender) -> None:
        text = (
            b"HTTP/1.1 103 Early Hints\r\nlocation: /early\r\nretry-after: 1\r\n\r\n"
            b"HTTP/1.1 200 OK\r\ncontent-type: a\r\ntransfer-encoding: chunked\r\n\r\n"
            b"2\r\nok\r\n0\r\nlocation: /trailer\r\nRetry-After: 2\r\n\r\n"
        )
        async with Receiver(says(text)) as receiver:
            reply = await sender.send(request_to(receiver.url()))
        assert (reply.status, reply.body) == (200, b"ok")
        assert reply.headers == (("content-type", "a"),)

    play(case)


def test_a_reply_before_the_whole_request_was_sent_still_counts(play: Play) -> None:
    async def case(sender: Sender) -> None:
        ended = asyncio.Event()
        async with Receiver() as receiver:

            async def answer_early(reader: asyncio.StreamReader, writer: Writer) -> None:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
                while await reader.read(65536):
                    continue  # until the sender sees that there is no point in going on
                writer.close()
                ended.set()

            server = await asyncio.start_server(answer_early, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            url = f"http://127.0.0.1:{port}/"
            reply = await sender.send(request_to(url, body=b"x" * 20_000_000))
            assert (reply.status, reply.body) == (413, b"big")
            await ended.wait()
            server.close()
            assert (await sender.send(request_to(receiver.url()))).status == 200

    play(case)
