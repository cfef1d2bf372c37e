"""Links that misbehave: each forwards HTTP requests to one address, and harms some of them.

What it does no network promises not to do: a request or its answer gets lost, comes late, comes
twice, or twice with hours between; an intermediary answers in place of the receiver.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

WITHIN_S = 20.0
MOST_BYTES = 4 * 1024 * 1024

HARMS: Mapping[str, float] = MappingProxyType(
    {
        "lost": 0.05,
        "answer_lost": 0.05,
        "error": 0.03,
        "error_after": 0.02,
        "delayed": 0.10,
        "doubled": 0.10,
        "echoed": 0.10,
    }
)
"""How often each happens, by its name: `lost` never arrives, `answer_lost` arrives and the sender
never learns of it, `error` is refused on the way, `error_after` is taken and reported as an error,
`delayed` waits, `doubled` arrives twice at once, `echoed` arrives once more much later."""

_BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Link:
    """One port that leads to one address, and the chances it takes with what passes."""

    def __init__(self, name: str, target: str, *, seed: int, strips: bool) -> None:
        """With `strips` every header that only Milepost sends is taken off, as providers do not."""
        self.name = name
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._chance = random.Random(f"{seed} {name}")
        self._strips = strips
        self.calm = False
        self.counts: Counter[str] = Counter()
        self.echoes: set[asyncio.Task[None]] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request from a sender, and what it gets."""
        try:
            request = await asyncio.wait_for(_request(reader), WITHIN_S)
            if request:
                answer = await self._pass(self._stripped(request))
                if answer:
                    writer.write(answer)
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.counts["broken"] += 1
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _stripped(self, request: bytes) -> bytes:
        if not self._strips:
            return request
        head, _, body = request.partition(b"\r\n\r\n")
        kept = [
            line
            for line in head.split(b"\r\n")
            if not line.lower().startswith((b"webhook-", b"milepost-"))
        ]
        return b"\r\n".join(kept) + b"\r\n\r\n" + body

    def _harm(self) -> str:
        self.counts["passed"] += 1
        if self.calm:
            return ""
        drawn = self._chance.random()
        for name, rate in HARMS.items():
            drawn -= rate
            if drawn < 0:
                self.counts[name] += 1
                return name
        return ""

    async def _pass(self, request: bytes) -> bytes:
        harm = self._harm()
        if harm == "lost":
            return b""
        if harm == "error":
            return _BUSY
        if harm == "delayed":
            await asyncio.sleep(self._chance.uniform(0.05, 0.5))
        if harm == "doubled":
            _, answer = await asyncio.gather(self._forward(request), self._forward(request))
            return answer
        answer = await self._forward(request)
        if harm == "echoed":
            echo = asyncio.create_task(self._echo(request, self._chance.uniform(0.2, 4.0)))
            self.echoes.add(echo)
            echo.add_done_callback(self.echoes.discard)
        return {"answer_lost": b"", "error_after": _BUSY}.get(harm, answer)

    async def _echo(self, request: bytes, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._forward(request)

    async def _forward(self, request: bytes) -> bytes:
        """The receiver's answer; a 503 where it cannot be reached."""
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            return _BUSY
        try:
            writer.write(request)
            await writer.drain()
            return await asyncio.wait_for(reader.read(MOST_BYTES), WITHIN_S) or _BUSY
        except (OSError, TimeoutError):
            return _BUSY
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """One whole request that asks for the connection to end with it; nothing at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    lines = head[:-4].split(b"\r\n")
    length = 0
    kept = [lines[0]]
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if name.lower() not in (b"connection", b"expect"):
            kept.append(line)
    body = await reader.readexactly(length)
    return b"\r\n".join(kept) + b"\r\nconnection: close\r\n\r\n" + body


async def run(links: Sequence[Link], *, ports: Mapping[str, int]) -> None:
    """Serves until it is told to end; SIGUSR1 makes every link behave from then on."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    loop.add_signal_handler(signal.SIGUSR1, _calm_down, links)
    servers = [
        await asyncio.start_server(
            link.take, "127.0.0.1", ports.get(link.name, 0), limit=MOST_BYTES
        )
        for link in links
    ]
    where = {
        link.name: server.sockets[0].getsockname()[1]
        for link, server in zip(links, servers, strict=True)
    }
    print(json.dumps(where), flush=True)
    await end.wait()
    for server in servers:
        server.close()
    for link in links:
        for echo in link.echoes:
            echo.cancel()
    print(json.dumps({link.name: dict(link.counts) for link in links}), flush=True)


def _calm_down(links: Sequence[Link]) -> None:
    for link in links:
        link.calm = True


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--link", action="append", default=[], metavar="NAME=HOST:PORT")
    parser.add_argument("--strip", action="append", default=[], metavar="NAME")
    found = parser.parse_args(words)
    links = [
        Link(name, target, seed=found.seed, strips=name in found.strip)
        for name, _, target in (link.partition("=") for link in found.link)
    ]
    asyncio.run(run(links, ports={}))


if __name__ == "__main__":
    main(sys.argv[1:])
