"""Serving HTTP from the command line: one bound socket, until a signal or the end of input."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
import uvloop
from uvicorn.config import LifespanType

from milepost.cli.exits import Unreachable
from milepost.cli.headers import LimitedHttp
from milepost.logs import logger

T = TypeVar("T")

KEEP_ALIVE_S = 75
"""How long an idle connection stays open: longer than most clients keep theirs, so that it is they
who close it and no request is sent into a connection that is just being closed."""

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it on the fast event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to this address; port 0 takes a free one. Raises Unreachable."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Unreachable(f"{host} is not an address of this machine: {error.strerror}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.set_inheritable(False)
        # Whoever is told of the address may connect at once; the queue holds it until we accept.
        bound.listen(2_048)
    except OSError as error:
        bound.close()
        raise Unreachable(f"{host}:{port} cannot be listened on: {error.strerror}") from None
    return bound


def url_of(bound: socket.socket) -> str:
    """The address of a bound socket as a URL; one that listens everywhere is named as here."""
    host, port = bound.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def stop_event(*, at_end_of_input: bool) -> asyncio.Event:
    """Is set by SIGINT or SIGTERM and, if asked, when standard input ends.

    A second signal ends the process at once, which loses nothing that was accepted.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        for number in STOPPING_SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in STOPPING_SIGNALS:
        loop.add_signal_handler(number, asked)
    if at_end_of_input:
        threading.Thread(target=_wait_for_end, args=(loop, stop), daemon=True).start()
    return stop


def _wait_for_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not the buffered stream: its lock would be held by this thread while Python shuts down.
    try:
        while os.read(sys.stdin.fileno(), 4_096):
            pass
    except (OSError, ValueError):
        pass
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)


class _Server(uvicorn.Server):
    """A server that leaves signals to us, because there is something to close after it."""

    on_started: Callable[[], None]

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.on_started()


class _Forward(logging.Handler):
    """Hands what the server logs to our own log, so that there is one form of it."""

    def emit(self, record: logging.LogRecord) -> None:
        logger("http").error(record.getMessage(), exc_info=record.exc_info)


def _take_over_logs() -> None:
    theirs = logging.getLogger("uvicorn.error")
    # Below an error there are only requests that are no HTTP, which anybody can send at will.
    theirs.setLevel(logging.ERROR)
    theirs.handlers[:] = [_Forward()]
    theirs.propagate = False


async def serve_until(
    stop: asyncio.Event,
    app: Any,
    *,
    bound: socket.socket,
    lifespan: LifespanType,
    graceful_s: float,
    on_started: Callable[[], None],
) -> None:
    """Answers requests until `stop` is set, then finishes those that were begun."""
    _take_over_logs()
    config = uvicorn.Config(
        app,
        http=LimitedHttp,
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(graceful_s)),
    )
    server = _Server(config)
    server.on_started = on_started
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        stopping.cancel()
        await serving
