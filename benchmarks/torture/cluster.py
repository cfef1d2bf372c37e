"""The database as the hub's processes reach it: a primary and its synchronous standby.

The hub's URL names both. When the primary is killed for good the standby takes over, and a new
standby is built in the folder of the one that is gone, so that it can happen again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import asyncpg

from benchmarks.postgres import DURABLE, Server, ask, execute
from benchmarks.torture.facts import now

DATABASE = "hub"
SETTINGS = {
    **DURABLE,
    "shared_buffers": "128MB",
    # A standby that was away finds what it has missed, and looks for it soon.
    "wal_keep_size": "1GB",
    "wal_retrieve_retry_interval": "200ms",
    # After a crash every file is brought to the disk first; this asks for it in one call.
    "recovery_init_sync_method": "syncfs",
}
READY_S = 60.0
"""How long a server may take to recover, and a standby to be built and to catch up."""

TROUBLE = (OSError, subprocess.CalledProcessError, asyncpg.PostgresError, RuntimeError)

_BACKEND = f"SELECT pid FROM pg_stat_activity WHERE datname = '{DATABASE}' ORDER BY random()"
_CAUGHT_UP = """
    SELECT sync_state = 'sync' AND flush_lsn >= $1::text::pg_lsn FROM pg_stat_replication
"""


class Cluster:
    """Two servers; whatever one of them has confirmed, the other one has on its disk too."""

    def __init__(self, ports: tuple[socket.socket, socket.socket]) -> None:
        first, second = (int(port.getsockname()[1]) for port in ports)
        self.url = f"postgresql://postgres@127.0.0.1:{first},127.0.0.1:{second}/{DATABASE}"
        self._stopping = False
        self._building: threading.Thread | None = None
        self._servers: list[Server] = []
        try:
            self.primary = Server(settings=SETTINGS, port=first)
            self._servers.append(self.primary)
            asyncio.run(execute(self.primary.url("postgres"), f"CREATE DATABASE {DATABASE}"))
            self.standby = Server(settings=SETTINGS, copy_of=self.primary, port=second)
            self._servers.append(self.standby)
            self._rely_on_standby()
        except BaseException:
            self.remove()
            raise

    @property
    def primary_url(self) -> str:
        """Of the database, at the server that takes writes."""
        return self.primary.url(DATABASE)

    # What can be done to it. Each returns when the database answers again, and says since when it
    # could have (ns).

    def restart(self, *, after_s: float) -> int:
        """Kills the primary, all its processes, and starts it again."""
        return self._restart(self.primary, after_s=after_s)

    def restart_standby(self, *, after_s: float) -> int:
        """Kills the standby and starts it again; nothing can be confirmed meanwhile."""
        self.settle()
        return self._restart(self.standby, after_s=after_s)

    def _restart(self, server: Server, *, after_s: float) -> int:
        server.kill()
        time.sleep(after_s)
        since = now()
        server.start()
        return since

    def kill_backend(self) -> tuple[int, int]:
        """Kills a process that serves the hub, if there is one; the server ends all and recovers.

        Returns how many were killed besides.
        """
        found = ask(self.primary.url("postgres"), _BACKEND)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        since = now()
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            time.sleep(0.02)
            with suppress(*TROUBLE):
                ask(self.primary_url, "SELECT 1")
                return since, len(found)
        raise RuntimeError("the database server did not recover")

    def freeze(self, server: Server, *, for_s: float) -> None:
        """Stops every process of a server for so long."""
        server.send(signal.SIGSTOP)
        time.sleep(for_s)
        server.send(signal.SIGCONT)

    def fail_over(self) -> int:
        """Kills the primary for good and lets the standby take writes in its place."""
        self.settle()
        self.primary.kill()
        since = now()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        self._building = threading.Thread(target=self._build_standby, daemon=True)
        self._building.start()
        return since

    def settle(self) -> None:
        """Waits for a standby that is being built."""
        if self._building is not None:
            self._building.join(READY_S)
            if self._building.is_alive():
                raise RuntimeError("the new standby was not built in time")
            self._building = None

    def _build_standby(self) -> None:
        """Tries until it is done: the primary may be killed in the middle of it."""
        while not self._stopping:
            with suppress(*TROUBLE):
                self.standby.kill()
                self.standby.become_copy_of(self.primary)
                self._rely_on_standby()
                return
            time.sleep(0.2)

    def _rely_on_standby(self) -> None:
        """Once this returns nothing was or will be confirmed that the standby does not hold."""
        self.standby.reload(synchronous_standby_names="")
        self.primary.reload(synchronous_standby_names="*")
        # Commits that began before the server had read this are still confirmed by it alone.
        time.sleep(0.3)
        (reached,) = ask(self.primary.url("postgres"), "SELECT pg_current_wal_flush_lsn()::text")
        until = time.monotonic() + READY_S
        while ask(self.primary.url("postgres"), _CAUGHT_UP, reached) != [True]:
            if time.monotonic() > until or self._stopping:
                raise RuntimeError("the standby does not catch up")
            time.sleep(0.05)

    # the end

    def keep_logs(self, folder: Path) -> None:
        """Copies what the servers have said."""
        for number, server in enumerate(self._servers, start=1):
            with suppress(OSError):
                shutil.copyfile(server.log, folder / f"database-{number}.log")

    def remove(self) -> None:
        """Ends both servers, whatever they do, and removes what they hold."""
        self._stopping = True
        if self._building is not None:
            self._building.join(READY_S)
        for server in self._servers:
            server.remove()
