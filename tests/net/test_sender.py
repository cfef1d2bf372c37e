"""What the sender sends and what it makes of a reply, against real receivers."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter

from milepost.delivery.model import Failure
from milepost.net.sender import Sender
from tests.net.receiver import (
    OK,
    Play,
    Receiver,
    Writer,
    hangs,
    request_to,
    says,
    says_and_hangs_up,
    send_all,
    until,
    unused_port,
)


def test_the_reply_carries_status_body_and_the_headers_that_matter(play: Play) -> None:
    async def case(sender: Sender) -> None:
        text = (
            b"HTTP/1.1 503 Busy\r\nServer: x\r\nRetry-After:  120 \r\nX-More: y\r\n"
            b"CONTENT-TYPE: text/plain; charset=utf-8\r\nLocation: /later\r\n"
            b"Content-Length: 5\r\n\r\nlater"
        )
        async with Receiver(says(text)) as receiver:
            reply = await sender.send(request_to(receiver.url()))
        assert (reply.status, reply.body, reply.failure, reply.detail) == (503, b"later", None, "")
        assert reply.headers == (
            ("retry-after", "120"),
            ("content-type", "text/plain; charset=utf-8"),
            ("location", "/later"),
        )
        assert 0 < reply.duration_ms < 5_000

    play(case)


def test_headers_go_out_in_the_order_and_case_given_and_none_is_added(play: Play) -> None:
    headers = (
        ("Webhook-ID", "ord_1-1-ep_2"),
        ("content-type", "application/json"),
        ("X-sm-Signature", "ab=,:;\"'"),
        ("x-empty", ""),
        ("x-blank", "  "),
        ("user-agent", "Milepost/0.1"),
        ("Authorization", "Basic dXNlcjpwYXNz"),
    )

    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            url = receiver.url("/a//b/../c?q=%20&r")
            reply = await sender.send(request_to(url, headers=headers, body=b"\x00\xff{}"))
            assert reply.status == 200
            first, *lines = receiver.heads[0].decode().rstrip("\r\n").split("\r\n")
            assert first == "POST /a//b/../c?q=%20&r HTTP/1.1"
            assert lines[0] == f"Host: 127.0.0.1:{receiver.port}"
            sent = [line for line in lines[1:] if line != "Content-Length: 4"]
            assert sent == [f"{name}: {value}".rstrip() for name, value in headers]
            assert receiver.bodies == [b"\x00\xff{}"]

    play(case)


def test_without_headers_only_the_host_and_the_length_are_sent(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            for body in (b"", b"x" * 3_000_000):
                reply = await sender.send(request_to(receiver.url(), headers=(), body=body))
                assert reply.status == 200
            names = [
                sorted(line.partition(b":")[0] for line in head.rstrip().split(b"\r\n")[1:])
                for head in receiver.heads
            ]
            assert names == [[b"Content-Length", b"Host"]] * 2
            assert [len(body) for body in receiver.bodies] == [0, 3_000_000]

    play(case)


def test_one_handle_serves_different_requests_without_mixing_them_up(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with (
            Receiver() as one,
            Receiver(says_and_hangs_up(b"HTTP/1.1 418 No\r\n\r\n")) as two,
        ):
            for number in range(6):
                receiver, status = ((one, 200), (two, 418))[number % 2]
                body, name = b"b" * number, f"x-{number}"
                request = request_to(receiver.url(f"/{number}"), body=body, headers=((name, "1"),))
                reply = await sender.send(request)
                assert (reply.status, reply.failure) == (status, None)
                assert reply.body == (b"ok" if status == 200 else b"")
                assert receiver.bodies[-1] == body
                assert receiver.heads[-1].startswith(f"POST /{number} ".encode())
                assert receiver.heads[-1].count(b"x-") == 1
                assert f"{name}: 1\r\n".encode() in receiver.heads[-1]

    play(case)


def test_a_connection_is_kept_and_used_again(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            for _ in range(50):
                assert (await sender.send(request_to(receiver.url()))).status == 200
            assert (receiver.connections, len(receiver.heads)) == (1, 50)

    play(case)


def test_a_connection_that_the_receiver_closed_meanwhile_is_replaced(play: Play) -> None:
    async def case(sender: Sender) -> None:
        reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        async with Receiver(says_and_hangs_up(reply)) as receiver:
            for _ in range(5):
                assert (await sender.send(request_to(receiver.url()))).status == 200
                await asyncio.sleep(0.02)
            assert (receiver.connections, len(receiver.heads)) == (5, 5)

    play(case)


def test_no_more_connections_are_kept_than_was_asked_for(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            for _ in range(3):
                replies = await send_all([request_to(receiver.url())] * 20, sender=sender)
                assert {reply.status for reply in replies} == {200}
            await until(lambda: receiver.open_connections <= 4)
            assert receiver.open_connections >= 1

    play(case, connections=4)


def test_idle_and_closed_connections_cost_no_processor_time(play: Play) -> None:
    async def case(sender: Sender) -> None:
        reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        async with (
            Receiver() as kept,
            Receiver(says_and_hangs_up(reply)) as closed,
            Receiver(hangs) as hanging,
        ):
            wait = asyncio.create_task(sender.send(request_to(hanging.url(), timeout_s=0.7)))
            urls = [kept.url(), closed.url()] * 20
            await send_all([request_to(url) for url in urls], sender=sender)
            await asyncio.sleep(0.1)
            before = time.process_time()
            await asyncio.sleep(0.4)
            assert time.process_time() - before < 0.1
            assert (await wait).failure is Failure.TIMEOUT

    play(case)


def test_a_thousand_requests_are_in_flight_at_once(play: Play) -> None:
    wanted = 1_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 3 * wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(3 * wanted, hard), hard))
    all_there = asyncio.Event()

    async def case(sender: Sender) -> None:
        all_there.clear()

        async def answer(writer: Writer) -> None:
            if len(receiver.heads) >= wanted:
                all_there.set()
            await all_there.wait()
            await OK(writer)

        async with Receiver(answer) as receiver:
            requests = [
                request_to(receiver.url(f"/{number}"), body=str(number).encode(), timeout_s=60)
                for number in range(wanted)
            ]
            replies = await send_all(requests, sender=sender)
            assert {(reply.status, reply.failure, reply.body) for reply in replies} == {
                (200, None, b"ok")
            }
            assert sorted(int(body) for body in receiver.bodies) == list(range(wanted))

    play(case)


def test_descriptors_that_are_closed_and_used_again_lose_no_event(play: Play) -> None:
    async def case(sender: Sender) -> None:
        closing = says_and_hangs_up(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok")
        async with Receiver(closing) as receiver, Receiver() as keeping:
            nowhere = f"http://127.0.0.1:{unused_port()}/"
            for number in range(15):
                urls = [receiver.url()] * 7 + [keeping.url()] * 3 + [nowhere]
                urls.append(receiver.url(host="localhost"))
                expected: dict[object, int] = {200: 11, Failure.REFUSED: 1}
                if number % 5 == 0:  # a look-up has descriptors of its own
                    urls.append(f"http://no-{number}.invalid/")
                    expected[Failure.DNS] = 1
                replies = await send_all([request_to(url) for url in urls], sender=sender)
                assert Counter(reply.failure or reply.status for reply in replies) == expected

    play(case)
