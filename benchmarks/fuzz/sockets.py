"""The same requests and worse ones over real sockets, to a real `milepost serve`."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from benchmarks.fuzz.engine import Forged
from benchmarks.fuzz.mutations import Fuzzed
from benchmarks.fuzz.senders import SECRET, SECRETS, Asked, by_webhook, text_of

QUIET_S = 0.15
"""How long an answer that does not end the connection is waited for, after the last byte."""

ANSWER_WITHIN_S = 10.0
ASKED_EVERY = 10
MOST_GROWTH = 48 * 1024 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_PORT_RESET = struct.pack("ii", 1, 0)
_SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: hub\r\n\r\n"
_JSON = b"Content-Type: application/json\r\n"

Pieces = Iterator[bytes]
Shape = Callable[[bytes, Asked, Random], Pieces]
"""Pieces of a request as they are written, after a path and its message."""


def _head(path: bytes, *lines: bytes, method: bytes = b"POST", version: bytes = b"1.1") -> bytes:
    start = b"%s %s HTTP/%s\r\nHost: hub\r\n" % (method, path, version)
    return start + _JSON + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def as_asked(path: bytes, asked: Asked, chance: Random) -> Pieces:
    """The spoiled request with its own headers, whatever is in them, and a length of its body."""
    lines = [
        text_of(name).encode("latin-1", "replace") + b": " + _value(value)
        for name, value in asked.headers[:300]
        if text_of(name).lower() != "content-length" or chance.random() < 0.1
    ]
    lines.append(b"Content-Length: %d" % len(asked.body))
    yield b"POST %s HTTP/1.1\r\nHost: hub\r\n%s\r\n\r\n" % (path, b"\r\n".join(lines))
    yield asked.body


def two_lengths(path: bytes, asked: Asked, chance: Random) -> Pieces:
    lengths = chance.sample([b"0", b"5", b"+5", b"-1", b"5, 6", b"0x5", b"9" * 30, b"", b"5 5"], 2)
    yield _head(path, *(b"Content-Length: " + length for length in lengths)) + asked.body[:5]
    yield _SMUGGLED


def length_and_chunks(path: bytes, _asked: Asked, chance: Random) -> Pieces:
    both = [b"Content-Length: %d" % chance.choice((3, 4, 6, 60)), b"Transfer-Encoding: chunked"]
    chance.shuffle(both)
    yield _head(path, *both) + b"0\r\n\r\n" + _SMUGGLED


def hidden_chunks(path: bytes, _asked: Asked, chance: Random) -> Pieces:
    ways = (
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding:\x0bchunked",
        b" Transfer-Encoding: chunked",
        b"X: x\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        b"transfer-encoding: chunked\r\ntransfer-encoding: cow",
        b"Transfer-Encoding\r\n : chunked",
    )
    yield _head(path, chance.choice(ways), b"Content-Length: 5") + b"0\r\n\r\n" + _SMUGGLED


def odd_chunks(path: bytes, asked: Asked, chance: Random) -> Pieces:
    sizes = (b"-1", b"0x5", b"fffffffffffffffff", b"5;" + b"x" * 5_000, b"", b"g", b"5 ", b"5\n")
    yield _head(path, b"Transfer-Encoding: chunked")
    yield chance.choice(sizes) + b"\r\n" + asked.body[:5] + b"\r\n0\r\n\r\n"


def whole_chunks(path: bytes, asked: Asked, chance: Random) -> Pieces:
    ends = chance.choice((b"0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n", b""))
    yield _head(path, b"Transfer-Encoding: chunked")
    yield b"%x\r\n%s\r\n" % (len(asked.body), asked.body) + ends


def cut_short(path: bytes, asked: Asked, chance: Random) -> Pieces:
    """A body that is less than was promised, then nothing more."""
    missing = chance.choice((1, 5, 100_000))
    yield _head(path, b"Content-Length: %d" % (len(asked.body) + missing)) + asked.body


def one_after_another(path: bytes, asked: Asked, chance: Random) -> Pieces:
    """Pipelined: all in one write, sometimes with something wrong at the end."""
    one = _head(path, b"Content-Length: %d" % len(asked.body)) + asked.body
    yield one * chance.randrange(2, 30) + chance.choice((b"", b"\0\0", b"GET", one[:40]))


def slowly(path: bytes, asked: Asked, chance: Random) -> Pieces:
    request = _head(path, b"Content-Length: %d" % len(asked.body)) + asked.body
    end = chance.randrange(1, len(request) + 1)
    step = max(1, end // 6)
    for place in range(0, end, step):
        yield request[place : place + step]
        time.sleep(0.002)


def no_http(path: bytes, _asked: Asked, chance: Random) -> Pieces:
    yield chance.choice(
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(200),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + chance.randbytes(30),
            b"POST %s\r\n\r\n" % path,
            b"POST %s HTTP/9.9\r\n\r\n" % path,
            b"\r\n\r\n\r\nPOST",
            b"GET " + b"a" * 70_000,
            chance.randbytes(chance.randrange(1, 400)),
            _head(path, b"X: " + b"x" * 70_000),
            _head(path, *(b"X-%d: 1" % n for n in range(9_000))),
            _head(path, b"no colon at all"),
            _head(path, b": no name"),
            _head(path, b"X: \0\xff", b"Content-Length: 0"),
            _head(path, b"X: folded", b" again", b"Content-Length: 0"),
            _head(path, b"Expect: 100-continue", b"Content-Length: 5"),
            _head(path, b"Expect: teapot", b"Content-Length: 0"),
            _head(path, b"Upgrade: websocket", b"Connection: upgrade", b"Content-Length: 0"),
            _head(path, b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings"),
            _head(b"http://other.example" + path, b"Content-Length: 0"),
            _head(path + b"%ff%00%2e%zz", b"Content-Length: 0"),
            _head(path, b"Content-Length: 0", method=b"CONNECT"),
            _head(path, b"Content-Length: 0", method=b"BREW"),
            _head(path, b"Content-Length: 0", version=b"1.0"),
            _head(b"*", b"Content-Length: 0", method=b"OPTIONS"),
        )
    )


SHAPES: tuple[Shape, ...] = (
    as_asked,
    as_asked,
    two_lengths,
    length_and_chunks,
    hidden_chunks,
    odd_chunks,
    whole_chunks,
    cut_short,
    one_after_another,
    slowly,
    no_http,
)

SMUGGLING = (two_lengths, length_and_chunks, hidden_chunks)
"""Those after which a second request is hidden, to a path that there is not."""


class OfSockets:
    """A `milepost serve` with a source that asks for signatures, and requests that prove nothing.

    Whatever comes, the process lives, keeps nothing, and takes the next good message; a 5xx is
    never among the answers.
    """

    name = "sockets"
    every = 1

    def __init__(self, folder: Path) -> None:
        self._database = folder / "serve.db"
        self._log = (folder / "serve.log").open("w+", encoding="utf-8")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "milepost.cli", "serve", "--port", "0", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**kept, "MILEPOST_DATABASE_URL": f"sqlite:///{self._database}"},
        )
        assert self._process.stdout is not None
        ready = json.loads(self._process.stdout.readline())
        self._url, self._key = ready["url"], ready["api_key"]
        place = urlsplit(self._url)
        self._place = (place.hostname or "", place.port or 0)
        told = {
            "source": "w",
            "kind": "withings",
            "store": ready["store"],
            "credentials": {"secrets": [SECRET]},
        }
        self._path: str = self._ask("/v1/sources", told)["path"]
        self._hidden = (*SECRETS, self._key, self._path.removeprefix("/in/"))
        self._thrown = 0
        self._good = 0
        self._began_bytes = 0

    def close(self) -> None:
        """Looks once more, then ends the process."""
        try:
            self._look()
            lines = Path(self._log.name).read_text(encoding="utf-8").splitlines()
            for number, line in enumerate(lines):
                if "Traceback" in line or any(secret in line for secret in self._hidden):
                    told = "\n".join(lines[max(0, number - 2) : number + 40])
                    raise AssertionError(f"the log has what it must not: {told}")
        finally:
            self._process.terminate()
            try:
                self._process.wait(60)
            finally:
                self._process.kill()
                assert self._process.stdout is not None
                self._process.stdout.close()
                self._log.close()

    def throw(self, fuzzed: Fuzzed) -> str:
        assert isinstance(fuzzed, Asked)
        chance = Random(fuzzed.dice)
        shape = chance.choice(SHAPES)
        answer = self._send(shape(self._path.encode(), fuzzed, chance), chance)
        if any(secret.encode() in answer for secret in self._hidden):
            raise AssertionError("a secret was told")
        statuses = {int(found) for found in _STATUS.findall(answer)}
        if any(status >= 500 for status in statuses):
            raise AssertionError(f"{shape.__name__}: {sorted(statuses)}")
        # What is signed was signed too long ago, and what hides a second request is no request.
        if 200 in statuses or (404 in statuses and shape in SMUGGLING):
            raise Forged(f"{shape.__name__}: {sorted(statuses)}")
        self._thrown += 1
        if self._thrown % ASKED_EVERY == 0:
            self._look()
        return f"{shape.__name__} {'+'.join(map(str, sorted(statuses))) or 'closed'}"

    def _send(self, pieces: Pieces, chance: Random) -> bytes:
        """What was answered until it was quiet, or over."""
        resets = chance.random() < 0.1
        with socket.create_connection(self._place, ANSWER_WITHIN_S) as there:
            answer = b""
            try:
                for piece in pieces:
                    there.sendall(piece)
                if resets:
                    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _PORT_RESET)
                    return answer
                if chance.random() < 0.7:
                    there.shutdown(socket.SHUT_WR)
                there.settimeout(QUIET_S)
                while part := there.recv(65_536):
                    answer += part
            except OSError:
                # The server may hang up on us at any time.
                pass
            return answer

    def _look(self) -> None:
        """It lives, it answers, it has kept nothing that nobody signed, and it does not grow."""
        if self._process.poll() is not None:
            raise AssertionError(f"it ended with {self._process.returncode}")
        told = {"customer_id": "1", "customer_ref": f"K-{self._good}", "status": "SHIPPED"}
        signed = by_webhook(json.dumps(told).encode(), f"good-{self._good}", int(time.time()))
        headers = {"webhook-id": f"good-{self._good}", **dict(signed)}
        if self._ask(self._path, told, **headers)["verdict"] != "orphan":
            raise AssertionError("a good message was not taken")
        self._good += 1
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            (kept,) = connection.execute("SELECT count(*) FROM receipts").fetchone()
        if kept != self._good:
            raise Forged(f"{kept} receipts of {self._good} good messages")
        status = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii")
        occupied = int(status.split()[1]) * 4_096
        if self._thrown <= 100:
            self._began_bytes = occupied
        elif occupied - self._began_bytes > MOST_GROWTH:
            raise AssertionError(f"serve has grown by {occupied - self._began_bytes:,} bytes")

    def _ask(self, path: str, told: object, **headers: str) -> Any:
        given = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        body = json.dumps(told).encode()
        request = Request(f"{self._url}{path}", data=body, headers=given | headers)
        with urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
            return json.loads(answer.read())


def _value(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace")
