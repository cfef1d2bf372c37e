"""A name server on the loopback interface, over UDP and TCP, that answers as a test says."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[str, tuple[str, ...]]
"""Names, each with its TXT records as they stand in a zone file: quoted strings."""

UDP_BYTES = 512


@dataclass
class NameServer:
    """Answers from its zone; `fails` makes every answer one with this code, `silent` none."""

    zone: Zone
    ttl: int = 300
    fails: dns.rcode.Rcode | None = None
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    over_tcp: int = 0
    port: int = 0

    def answer(self, wire: bytes, *, most: int | None) -> bytes | None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text().rstrip(".")
        self.asked.append(name)
        if self.silent:
            return None
        response = dns.message.make_response(query)
        if self.fails is not None:
            response.set_rcode(self.fails)
        elif name not in self.zone:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif self.zone[name]:
            texts = self.zone[name]
            response.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "TXT", *texts))
        whole = response.to_wire()
        if most is None or len(whole) <= most:
            return whole
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire()


@contextmanager
def name_server(zone: Zone, **given: object) -> Iterator[NameServer]:
    """A server for these names, while the test runs."""
    server = NameServer(zone, **given)  # type: ignore[arg-type]
    udp, tcp = _bound()
    with udp, tcp:
        server.port = udp.getsockname()[1]
        threads = [_running(_serve_udp, server, udp), _running(_serve_tcp, server, tcp)]
        try:
            yield server
        finally:
            for one in (udp, tcp):
                # Closing alone would not wake the thread that waits.
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    one.close()
            for thread in threads:
                thread.join(5)
                assert not thread.is_alive()


def _bound() -> tuple[socket.socket, socket.socket]:
    """Two sockets on the same port, which nobody else uses for either of the two."""
    for _ in range(100):
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            udp.bind(("127.0.0.1", 0))
            tcp.bind(("127.0.0.1", udp.getsockname()[1]))
            tcp.listen()
        except OSError:
            udp.close()
            tcp.close()
        else:
            return udp, tcp
    raise AssertionError("no port is free for both")


def _running(
    serve: Callable[[NameServer, socket.socket], None], server: NameServer, listening: socket.socket
) -> threading.Thread:
    thread = threading.Thread(target=serve, args=(server, listening), daemon=True)
    thread.start()
    return thread


def _serve_udp(server: NameServer, listening: socket.socket) -> None:
    while True:
        try:
            wire, client = listening.recvfrom(4_096)
        except OSError:
            return
        if not wire:
            return
        answer = server.answer(wire, most=UDP_BYTES)
        if answer is not None:
            listening.sendto(answer, client)


def _serve_tcp(server: NameServer, listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            (length,) = struct.unpack("!H", connection.recv(2))
            server.over_tcp += 1
            answer = server.answer(connection.recv(length), most=None)
            if answer is not None:
                connection.sendall(struct.pack("!H", len(answer)) + answer)
