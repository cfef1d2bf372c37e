"""Many requests, shared look-ups, cancelling, closing, and a library that gives up."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pycurl
import pytest

from milepost.delivery.model import Failure, Reply
from milepost.net.sender import Sender
from tests.net.receiver import (
    LOCAL,
    OK,
    Play,
    Receiver,
    hangs,
    request_to,
    send_all,
    until,
)


def descriptors() -> Counter[str]:
    """What the process holds open, by kind."""
    kinds: Counter[str] = Counter()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            kinds[str(entry.readlink()).partition(":[")[0]] += 1
        except FileNotFoundError:
            continue
    return kinds


def test_a_name_is_looked_up_for_one_request_and_its_failure_is_shared(play: Play) -> None:
    async def case(sender: Sender) -> None:
        replies: list[Reply] = []
        for number in range(30):
            sender.post(request_to(f"http://nobody.invalid/{number}"), replies.append)
        assert (len(sender._flying), sender.in_flight) == (1, 30)
        await until(lambda: len(replies) >= 30)
        assert {(reply.status, reply.failure) for reply in replies} == {(0, Failure.DNS)}
        assert all(reply.detail for reply in replies)

    play(case)


def test_those_who_waited_for_a_look_up_go_out_together_when_it_succeeds(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            url = receiver.url(host="localhost")
            tasks = [asyncio.create_task(sender.send(request_to(url))) for _ in range(30)]
            await asyncio.sleep(0)
            assert (len(sender._flying), sender.in_flight) == (1, 30)
            replies = await asyncio.gather(*tasks)
            assert {reply.status for reply in replies} == {200}
            assert receiver.connections > 1

    play(case)


def test_when_the_one_that_looks_up_is_cancelled_the_next_takes_its_place(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            url = receiver.url(host="localhost")
            tasks = [asyncio.create_task(sender.send(request_to(url))) for _ in range(4)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            tasks[2].cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [getattr(reply, "status", "cancelled") for reply in ended] == [
                "cancelled",
                200,
                "cancelled",
                200,
            ]
            assert len(receiver.heads) == 2

    play(case)


def test_cancelling_breaks_the_exchange_off(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver(hangs) as receiver:
            task = asyncio.create_task(sender.send(request_to(receiver.url())))
            await until(lambda: receiver.heads)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert sender.in_flight == 0
            receiver.answer = OK
            assert (await sender.send(request_to(receiver.url()))).status == 200
            assert receiver.connections == 2

    play(case)


def test_the_callback_comes_once_and_never_from_within(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            replies: list[Reply] = []
            sent = [
                request_to(receiver.url()),
                request_to("http://10.0.0.1.example.invalid/"),
                request_to("ftp://127.0.0.1/"),
                request_to(receiver.url(), headers=(("x", "\n"),)),
            ]
            for request in sent:
                sender.post(request, replies.append)
                assert replies == []
            await until(lambda: len(replies) >= 4)
            await asyncio.sleep(0.05)
            assert Counter(reply.failure for reply in replies) == {
                None: 1,
                Failure.DNS: 1,
                Failure.BLOCKED: 2,
            }

    play(case)


def test_a_callback_may_post_the_next_request(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            left = 100
            ended = asyncio.Event()

            def done(reply: Reply) -> None:
                nonlocal left
                assert reply.status == 200
                left -= 1
                if left:
                    sender.post(request_to(receiver.url()), done)
                else:
                    ended.set()

            sender.post(request_to(receiver.url()), done)
            await asyncio.wait_for(ended.wait(), 10)
            assert (receiver.connections, len(receiver.heads)) == (1, 100)

    play(case)


def test_a_callback_that_raises_harms_no_other(play: Play) -> None:
    async def case(sender: Sender) -> None:
        raised: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: raised.append(context["message"]))

        def stumble(reply: Reply) -> None:
            raise RuntimeError(str(reply.status))

        async with Receiver() as receiver:
            for _ in range(3):
                sender.post(request_to(receiver.url()), stumble)
                assert (await sender.send(request_to(receiver.url()))).status == 200
            await until(lambda: not sender.in_flight)
        assert raised == ["a reply was not taken"] * 3

    play(case)


def test_closing_answers_what_is_in_flight_and_leaves_nothing_open(play: Play) -> None:
    async def close_in_flight() -> None:
        sender = Sender(guard=LOCAL)
        replies: list[Reply] = []
        async with Receiver() as receiver, Receiver(hangs) as hanging:
            await send_all([request_to(receiver.url()) for _ in range(10)], sender=sender)
            for _ in range(10):
                sender.post(request_to(hanging.url()), replies.append)
            await until(lambda: len(hanging.heads) == 10)
            for _ in range(3):
                sender.post(request_to("http://nobody.invalid/"), replies.append)
            sender.post(request_to(receiver.url()), replies.append)
            assert sender.in_flight == 14
            await sender.close()
            assert sender.in_flight == 0
            assert [(reply.failure, reply.detail) for reply in replies] == [
                (Failure.RESET, "the sender was closed")
            ] * 14

            await sender.close()
            late = await sender.send(request_to(receiver.url()))
            assert (late.failure, late.detail) == (Failure.RESET, "the sender is closed")

    async def case(_unused: Sender) -> None:
        await close_in_flight()  # what the loop opens once and keeps, it has open from here on
        await asyncio.sleep(0.05)
        before = descriptors()
        await close_in_flight()
        await asyncio.sleep(0.05)
        assert descriptors() == before

    play(case)


def test_a_sender_that_was_never_used_can_be_closed(play: Play) -> None:
    async def case(_unused: Sender) -> None:
        before = descriptors()
        await Sender(guard=LOCAL).close()
        assert descriptors() - before == {}

    play(case)


def test_an_error_of_the_multi_handle_ends_what_is_in_flight_and_no_more(play: Play) -> None:
    class Broken:
        """A multi handle whose next step fails, as libcurl's does when it is out of memory."""

        def __init__(self, multi: Any) -> None:
            self.multi = multi

        def __getattr__(self, name: str) -> Any:
            return getattr(self.multi, name)

        def socket_action(self, _fd: int, _action: int) -> Any:
            raise pycurl.error(3, "out of memory")

    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            assert (await sender.send(request_to(receiver.url()))).status == 200
            sender._multi = Broken(sender._multi)
            replies = await send_all([request_to(receiver.url())] * 3, sender=sender)
            assert {reply.failure for reply in replies} == {Failure.RESET}
            assert {"out of memory" in reply.detail for reply in replies} == {True}
            assert (await sender.send(request_to(receiver.url()))).status == 200

    play(case)


def test_running_out_of_descriptors_is_a_reply_and_passes(play: Play) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            sender.post(request_to("http://127.0.0.1:1/"), lambda _reply: None)
            await asyncio.sleep(0.05)
            lowest = os.dup(0)
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
            try:
                reply = await sender.send(request_to(receiver.url()))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert (reply.status, reply.failure) == (0, Failure.REFUSED)
            assert "no socket could be opened" in reply.detail
            assert (await sender.send(request_to(receiver.url()))).status == 200

    play(case)


def stop_everything(seconds: float) -> None:
    """As SIGSTOP does, for all that the loop can tell."""
    time.sleep(seconds)


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("turns", [0, 1])
def test_a_process_that_was_stopped_past_a_timeout_sends_nothing_more_of_it(
    play: Play, turns: int, warm: bool
) -> None:
    async def case(sender: Sender) -> None:
        async with Receiver() as receiver:
            if warm and not turns:
                await sender.send(request_to(receiver.url()))
            before = len(receiver.heads)
            task = asyncio.create_task(sender.send(request_to(receiver.url(), timeout_s=0.2)))
            # With another turn of the loop libcurl has begun to connect; without it it has not.
            for _ in range(1 + turns):
                await asyncio.sleep(0)
            stop_everything(0.25)
            reply = await task
            assert (reply.status, reply.failure) == (0, Failure.TIMEOUT)
            await asyncio.sleep(0.05)
            assert len(receiver.heads) == before

    play(case)
