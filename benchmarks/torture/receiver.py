"""A receiver with a character, in a process of its own: verify, keep, and then behave.

It is started with a plan (JSON) as its argument and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import socket
import struct
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httptools
import msgspec

from benchmarks.torture.behaviors import (
    BEHAVIORS,
    BYTES,
    CALM_BEHAVIOR,
    CUT_OFF,
    SLOWEST_S,
    Answer,
    choose,
)
from benchmarks.torture.facts import Journal, Receipt, Unverified, now
from milepost_receiver import Receiver, ReceiverError

Headers = list[tuple[bytes, bytes]]
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
USERNAME = "torture"
CALM = signal.SIGUSR1
"""Makes a receiver behave from then on."""


class PathPlan(msgspec.Struct, frozen=True):
    """What is spoken at one path, and the secret that signs there."""

    contract: str
    secret: str


class ReceiverPlan(msgspec.Struct, frozen=True):
    """One receiver: its name is that of its behavior."""

    name: str
    port: int
    journal: str
    seed: str
    paths: dict[str, PathPlan]


def make_receiver(plan: PathPlan) -> Receiver[Any]:
    """The kit's receiver for this path, with every proof that its contract has."""
    if plan.contract == "shipmonk":
        return Receiver.shipmonk(
            basic=[(USERNAME, plan.secret)],
            signature_secrets=[plan.secret],
            secrets=[plan.secret],
        )
    if plan.contract == "withings":
        return Receiver.withings(secrets=[plan.secret])
    return Receiver.standard(secrets=[plan.secret])


class Desk:
    """Keeps what arrives and decides what is answered."""

    def __init__(self, plan: ReceiverPlan) -> None:
        self._name = plan.name
        self._receivers = {path: make_receiver(one) for path, one in plan.paths.items()}
        self._journal = Journal(Path(plan.journal))
        self.behavior = BEHAVIORS[plan.name]
        self.chance = random.Random(plan.seed)

    def calm_down(self) -> None:
        self.behavior = BEHAVIORS[CALM_BEHAVIOR]

    def take(self, path: str, headers: Headers, body: bytes) -> Answer:
        """What is going to be answered; it is in the journal before that."""
        at = now()
        try:
            notification = self._receivers[path].read(headers, body)
            answer = choose(self.behavior, self.chance)
            self._journal.note(self._receipt(at, path, notification, answer))
        except (ReceiverError, KeyError, ValueError) as error:
            self._journal.note(Unverified(at, self._name, path, repr(error)))
            return Answer.ERROR
        return answer

    def _receipt(self, at: int, path: str, notification: Any, answer: Answer) -> Receipt:
        facts = (notification.order_id, notification.sequence, notification.previous)
        if notification.delivery_id is None or None in facts or notification.attempt is None:
            raise ValueError("a notification without the names of its delivery")
        return Receipt(
            at=at,
            receiver=self._name,
            path=path,
            delivery_id=notification.delivery_id,
            endpoint_id=notification.delivery_id.split("-")[2],
            order_id=notification.order_id,
            sequence=notification.sequence,
            previous=notification.previous,
            attempt=notification.attempt,
            replay=notification.replay or 0,
            answer=answer.value,
            digest=hashlib.sha256(notification.received).hexdigest()[:16],
        )


class Conversation(asyncio.Protocol):
    """One connection of the sender."""

    def __init__(self, desk: Desk, opened: set[asyncio.Transport]) -> None:
        self._desk = desk
        self._opened = opened
        self._parser = httptools.HttpRequestParser(self)
        self._path = ""
        self._headers: Headers = []
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._opened.add(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._opened.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        self._path += url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path, headers, body = self._path, self._headers, self._body
        self._path, self._headers, self._body = "", [], b""
        answer = self._desk.take(path, headers, body)
        wait_s = self._desk.chance.uniform(0.05, SLOWEST_S) if answer is Answer.SLOW else 0.0
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._answer, answer)
        else:
            self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        if self._transport.is_closing() or answer is Answer.HANG:
            return
        if answer is Answer.RESET:
            reset(self._transport)
            return
        self._transport.write(BYTES[answer])
        if answer in CUT_OFF:
            self._transport.close()


def reset(transport: asyncio.Transport) -> None:
    """Breaks the connection off with an RST, as a crashed machine or a firewall does."""
    held: socket.socket = transport.get_extra_info("socket")
    held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()


async def serve(plan: ReceiverPlan) -> None:
    loop = asyncio.get_running_loop()
    desk = Desk(plan)
    loop.add_signal_handler(CALM, desk.calm_down)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), partial(_at_input, ended.set))
    opened: set[asyncio.Transport] = set()

    def listen() -> Any:
        return loop.create_server(lambda: Conversation(desk, opened), "127.0.0.1", plan.port)

    server = await listen()
    behavior = desk.behavior
    while not await _within(ended, behavior.up_s or None):
        if desk.behavior is not behavior:
            await ended.wait()
            return
        server.close()
        for transport in list(opened):
            reset(transport)
        if await _within(ended, behavior.down_s):
            return
        server = await listen()


async def _within(ended: asyncio.Event, seconds: float | None) -> bool:
    try:
        await asyncio.wait_for(ended.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _at_input(end: Callable[[], None]) -> None:
    if not os.read(sys.stdin.fileno(), 1_024):
        end()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(msgspec.json.decode(sys.argv[1], type=ReceiverPlan)))
