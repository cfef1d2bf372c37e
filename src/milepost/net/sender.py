"""Sends requests on libcurl's multi interface inside the running event loop, on no thread of ours.

libcurl says which sockets it wants watched. It takes a socket off the list at the end of each
exchange, puts it back at the next, and closes it in between without a word. So the sockets are
watched by an epoll instance of our own, of which the loop sees one descriptor that lives as long
as the sender: the kernel forgets a closed socket by itself, and a socket between two exchanges can
stay registered, which saves half of the calls.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from contextlib import suppress
from time import monotonic
from typing import Any

import certifi
import pycurl

from milepost.delivery.model import Failure, Reply, Request
from milepost.errors import SettingInvalid, UrlRefused
from milepost.net.connect import open_socket
from milepost.net.guard import Guard, check_url, host_of
from milepost.net.transfer import Done, Host, Limits, Transfer, Unsendable

_EVENTS_AT_ONCE = 64  # about two milliseconds of work before the loop gets its turn
_URLS_REMEMBERED = 4096
_HANDLES_KEPT = 1024

_EPOLL_OF = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
# Errors and hang-ups count as both: whichever way libcurl then tries, it finds out.
_ACTION_OF = tuple(
    (pycurl.CSELECT_IN if bits & ~select.EPOLLOUT else 0)
    | (pycurl.CSELECT_OUT if bits & ~select.EPOLLIN else 0)
    for bits in range(32)
)


class Sender:
    """Sends requests, many at a time, and answers each one exactly once, with a Reply, always.

    Nothing is sent to an address that `guard` refuses. Certificates are checked against `ca_file`
    (a PEM bundle; None means certifi's). Connections stay open for the next request to the same
    scheme, host and port, at most `connections` of them. Of a reply's body `keep_bytes` are kept,
    and past `stop_bytes` it is cut off. A name that did not resolve lately is looked up for one
    request at a time, so that a host with a broken name server cannot use up libcurl's look-ups.

    Belongs to the event loop of its first request. Raises SettingInvalid for a bad `ca_file`.
    """

    def __init__(
        self,
        *,
        guard: Guard,
        ca_file: str | None = None,
        connect_timeout_s: float = 10.0,
        connections: int = 1024,
        dns_cache_s: int = 60,
        keep_bytes: int = 64 * 1024,
        stop_bytes: int = 1024 * 1024,
    ) -> None:
        self._guard = guard
        self._limits = Limits(
            ca_file=certifi.where() if ca_file is None else _readable(ca_file),
            connect_timeout_s=connect_timeout_s,
            dns_cache_s=dns_cache_s,
            keep_bytes=keep_bytes,
            stop_bytes=stop_bytes,
        )
        self._connections = connections
        self._targets: dict[str, Host | str] = {}
        self._hosts: dict[str, Host] = {}
        self._flying: dict[Any, Transfer] = {}
        self._idle: list[Transfer] = []
        self._added: list[tuple[Transfer, float, float]] = []
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._epoll = select.epoll()
        self._watched: set[int] = set()
        self._alarm: asyncio.Handle | None = None
        self._alarm_at = 0.0
        self._running = 0
        self._collecting = False
        self._closed = False
        self._multi = self._new_multi()

    @property
    def in_flight(self) -> int:
        """How many requests have no reply yet."""
        return len(self._flying) + self._waiting

    def post(self, request: Request, done: Done) -> None:
        """Sends the request and calls `done` once with the reply: later, never from within.

        Must be called on the event loop. A request that cannot be sent gets a reply that says so.
        """
        if self._closed:
            _answer_soon(done, failure=Failure.RESET, why="the sender is closed")
            return
        if self._loop is None:
            self._bind()
        target = self._targets.get(request.url)
        if target is None:
            target = self._vet(request.url)
        if isinstance(target, str):
            _answer_soon(done, failure=Failure.BLOCKED, why=target)
        else:
            self._enter(request, done, host=target, began=monotonic())

    async def send(self, request: Request) -> Reply:
        """The reply to the request; cancelling breaks the exchange off."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def settle(reply: Reply) -> None:
            if not answer.done():
                answer.set_result(reply)

        self.post(request, settle)
        try:
            return await answer
        finally:
            if answer.cancelled():
                self._withdraw(settle)

    async def close(self) -> None:
        """Breaks off what is in flight, each with a RESET reply, and closes every connection.

        Waits for name look-ups that are under way, as libcurl does, but not on the loop.
        """
        if self._closed:
            return
        self._closed = True
        answers = self._break_off("the sender was closed")
        for transfer in self._idle:
            transfer.close()
        self._idle.clear()
        if self._alarm is not None:
            self._alarm.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        for done, reply in answers:
            self._tell(done, reply)
        await asyncio.get_running_loop().run_in_executor(None, self._multi.close)

    # from a request to a transfer in flight

    def _bind(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._on_ready)

    def _vet(self, url: str) -> Host | str:
        """The host of a URL that may be sent to, or why it may not; asked once per URL."""
        if len(self._targets) >= _URLS_REMEMBERED:
            self._targets.clear()
            self._hosts = {
                name: host for name, host in self._hosts.items() if host.scout or host.waiting
            }
        target: Host | str
        try:
            check_url(url, guard=self._guard)
        except UrlRefused as refusal:
            target = f"the URL was refused: expected {refusal.expected}"
        else:
            target = self._hosts.setdefault(host_of(url), Host())
        self._targets[url] = target
        return target

    def _enter(
        self, request: Request, done: Done, *, host: Host, began: float, waited_ms: float = 0.0
    ) -> None:
        """Launches the request, or lets it wait until the host's name is known to resolve."""
        if not host.known and host.scout is not None:
            self._waiting += 1
            host.waiting.append((request, done, began))
            return
        transfer = self._idle.pop() if self._idle else self._new_transfer()
        try:
            transfer.load(request, done=done, host=host, began=began, waited_ms=waited_ms)
            self._multi.add_handle(transfer.curl)
        except Unsendable as refusal:
            self._idle.append(transfer)
            _answer_soon(done, failure=Failure.BLOCKED, why=str(refusal))
        except pycurl.error as error:
            self._idle.append(transfer)
            _answer_soon(done, failure=Failure.PROTOCOL, why=f"libcurl: {error}")
        else:
            self._flying[transfer.curl] = transfer
            self._added.append((transfer, began, request.timeout_s))
            if not host.known:
                host.scout = transfer
            self._wake_in(0)

    def _release(self, host: Host) -> None:
        waiting, host.waiting = host.waiting, []
        self._waiting -= len(waiting)
        now = monotonic()
        for request, done, began in waiting:
            waited_ms = (now - began) * 1000
            self._enter(request, done, host=host, began=began, waited_ms=waited_ms)

    def _new_transfer(self) -> Transfer:
        return Transfer(self._limits, open_socket=self._open_socket)

    def _new_multi(self) -> Any:
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_MAXCONNECTS, self._connections)
        return multi

    # what libcurl asks for; called from within it, so nothing here may call it back or raise

    def _open_socket(self, transfer: Transfer, address: Any) -> Any:
        """The name resolved, so who waited for that goes on; and the guard has its word."""
        host = transfer.host
        host.known = True
        if host.waiting and self._loop is not None:
            self._loop.call_soon(self._release, host)
        opened = open_socket(address, guard=self._guard)
        if isinstance(opened, tuple):
            transfer.trouble = opened
            return pycurl.SOCKET_BAD
        transfer.opened = True
        return opened

    def _on_socket(self, what: int, fd: int, _multi: Any, _assigned: Any) -> None:
        if self._closed:
            return
        bits = _EPOLL_OF.get(what)
        if bits is None:
            self._watched.discard(fd)
            return
        self._watched.add(fd)
        try:
            self._epoll.modify(fd, bits)
        except OSError:
            # A new socket. One that could not be watched at all would end by its timeout.
            with suppress(OSError):
                self._epoll.register(fd, bits)

    # what the loop tells us, and what libcurl makes of it

    def _on_ready(self) -> None:
        if self._closed:
            return
        for fd, bits in self._epoll.poll(0, _EVENTS_AT_ONCE):
            if fd in self._watched:
                self._act(fd, _ACTION_OF[bits & 31])
            else:
                # The peer closed an idle connection: libcurl sees that before it uses it again.
                # Or libcurl itself closed it a moment ago, and it is gone from here already.
                with suppress(OSError):
                    self._epoll.unregister(fd)
        self._collect()

    def _on_time(self) -> None:
        """Lets libcurl begin what was added and end what is overdue."""
        self._alarm = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()

    def _act(self, fd: int, action: int) -> None:
        if self._added:
            self._drop_overdue()
        try:
            _, self._running = self._multi.socket_action(fd, action)
        except pycurl.error as error:
            self._start_over(f"libcurl: {error}")

    def _drop_overdue(self) -> None:
        """Takes back what was to be begun and has no time left, as if it had been.

        A process that was stopped must not put on the wire what was meant for long ago; libcurl
        sees to that for everything that it has begun.
        """
        added, self._added = self._added, []
        now = monotonic()
        for transfer, began, timeout_s in added:
            mine = transfer.began == began and self._flying.get(transfer.curl) is transfer
            if mine and now >= began + timeout_s:
                reply = _unsent(Failure.TIMEOUT, "it could not be begun in time", began)
                self._end(transfer, reply, resolved=transfer.host.known)

    def _collect(self) -> None:
        """Answers what has ended, begins what the answers led to, and sets the alarm anew."""
        self._collecting = True
        try:
            self._answer()
            delay_ms = self._multi.timeout()
            if delay_ms == 0:
                self._act(pycurl.SOCKET_TIMEOUT, 0)
                self._answer()
                delay_ms = self._multi.timeout()
        finally:
            self._collecting = False
        self._wake_in(delay_ms)

    def _answer(self) -> None:
        if self._running >= len(self._flying):
            return
        _, finished, failed = self._multi.info_read()
        for curl in finished:
            self._land(curl, pycurl.E_OK, message="")
        for curl, code, message in failed:
            self._land(curl, code, message=message)

    def _wake_in(self, delay_ms: int) -> None:
        """Sees to it that libcurl is called in time; waking it early does no harm."""
        if delay_ms < 0 or self._collecting or self._loop is None or self._closed:
            return
        at = self._loop.time() + delay_ms / 1000
        if self._alarm is not None:
            if self._alarm_at <= at:
                return
            self._alarm.cancel()
        self._alarm_at = at
        if delay_ms == 0:
            self._alarm = self._loop.call_soon(self._on_time)
        else:
            self._alarm = self._loop.call_at(at, self._on_time)

    def _land(self, curl: Any, code: int, *, message: str) -> None:
        transfer = self._flying[curl]
        resolved = code == pycurl.E_OK or not transfer.unresolved(code)
        self._end(transfer, transfer.reply(code, message=message), resolved=resolved)

    def _end(self, transfer: Transfer, reply: Reply, *, resolved: bool) -> None:
        """Takes the exchange off libcurl's hands, and answers it and whoever waited for it."""
        del self._flying[transfer.curl]
        self._multi.remove_handle(transfer.curl)
        host, done = transfer.host, transfer.done
        host.known = resolved
        if host.scout is transfer:
            host.scout = None
            if not host.known:
                self._share(reply, host=host)
            elif host.waiting:
                self._release(host)
        self._put_away(transfer)
        self._tell(done, reply)

    def _share(self, reply: Reply, *, host: Host) -> None:
        """Gives those who waited for a look-up what came of it, without asking again."""
        waiting, host.waiting = host.waiting, []
        self._waiting -= len(waiting)
        for _, done, began in waiting:
            _answer_soon(done, failure=reply.failure or Failure.DNS, why=reply.detail, began=began)

    def _put_away(self, transfer: Transfer) -> None:
        transfer.unload()
        if len(self._idle) < _HANDLES_KEPT:
            self._idle.append(transfer)
        else:
            transfer.close()

    def _tell(self, done: Done, reply: Reply) -> None:
        try:
            done(reply)
        except Exception as error:  # noqa: BLE001 -- the other replies must still get through
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a reply was not taken", "exception": error}
            )

    # breaking off

    def _withdraw(self, done: Done) -> None:
        """Forgets the request that `done` was waiting for, if it has no reply yet."""
        for transfer in self._flying.values():
            if transfer.done is done:
                del self._flying[transfer.curl]
                self._multi.remove_handle(transfer.curl)
                host = transfer.host
                if host.scout is transfer:
                    host.scout = None
                    self._release(host)
                self._put_away(transfer)
                return
        for host in self._hosts.values():
            kept = [entry for entry in host.waiting if entry[1] is not done]
            self._waiting -= len(host.waiting) - len(kept)
            host.waiting = kept

    def _break_off(self, why: str) -> list[tuple[Done, Reply]]:
        """Ends everything in flight; what is returned is still to be told."""
        answers: list[tuple[Done, Reply]] = []
        for transfer in self._flying.values():
            with suppress(pycurl.error):
                self._multi.remove_handle(transfer.curl)
            reply = transfer.reply(pycurl.E_ABORTED_BY_CALLBACK, message=why)
            answers.append((transfer.done, reply))
            transfer.close()
        for host in self._hosts.values():
            host.scout = None
            answers += [
                (done, _unsent(Failure.RESET, why, began)) for _, done, began in host.waiting
            ]
            host.waiting = []
        self._flying.clear()
        self._waiting = 0
        return answers

    def _start_over(self, why: str) -> None:
        """Gives up a multi handle that libcurl itself calls broken, and goes on with a new one."""
        answers = self._break_off(why)
        self._multi.close()
        self._watched.clear()
        self._running = 0
        self._multi = self._new_multi()
        for done, reply in answers:
            self._tell(done, reply)


def _readable(ca_file: str) -> str:
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SettingInvalid(f"No certificates can be read from {ca_file}: {error}") from None
    return ca_file


def _unsent(failure: Failure, why: str, began: float | None) -> Reply:
    waited_ms = 0.0 if began is None else (monotonic() - began) * 1000
    return Reply(0, failure=failure, detail=why, duration_ms=waited_ms)


def _answer_soon(done: Done, *, failure: Failure, why: str, began: float | None = None) -> None:
    asyncio.get_running_loop().call_soon(done, _unsent(failure, why, began))
