"""A few connections to whichever of the hosts takes writes, made again when they are lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from milepost.errors import SettingInvalid, StoreError
from milepost.logs import logger
from milepost.metrics import Spread
from milepost.store.postgres.address import hosts_of
from milepost.store.postgres.session import Session, is_elsewhere, spoils, store_errors

CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_S = 30.0
GRACE_S = 5.0
"""How much longer the server has to end a statement before its connection is given up."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0

OLDEST_POSTGRES = (15, 0)

SETTINGS = {
    "application_name": "milepost",
    "jit": "off",
    "idle_in_transaction_session_timeout": "15s",
    # A process on a machine that has gone away shall not keep what it had locked.
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    # Every statement finds few rows by an index, whatever the tables hold: it is planned once,
    # without the values, and what a plan costs is how many rows it touches.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_memoize": "off",
    # Starting a worker takes longer than reading all that a statement reads.
    "max_parallel_workers_per_gather": "0",
    "random_page_cost": "0.1",
    "cpu_tuple_cost": "1",
    "cpu_index_tuple_cost": "1",
}

Prepare = Callable[[Any], Awaitable[None]]
"""Checks a new connection and sets it up; may raise StoreError."""


class Connector:
    """Makes connections to the host that takes writes; waits longer and longer when none does.

    While it waits, asking for a connection fails at once.
    """

    def __init__(self, url: str) -> None:
        self._hosts = hosts_of(url)
        self._log = logger("postgres")
        self._pause_s = 0.0
        self._not_before = 0.0
        self._error = ""

    async def connect(
        self, *, prepare: Prepare | None = None, timeout_s: float | None = STATEMENT_TIMEOUT_S
    ) -> Any:
        """A new connection, for statements of at most so long; None does not limit them.

        Raises StoreError when no host can be used, SettingInvalid for a URL that cannot be.
        """
        if time.monotonic() < self._not_before:
            raise StoreError(self._error)
        try:
            connection = await self._first_usable(timeout_s)
        except StoreError as error:
            self._failed(error)
            raise
        try:
            if prepare is not None:
                with store_errors():
                    await prepare(connection)
        except BaseException:
            connection.terminate()
            raise
        if self._pause_s:
            self._log.info("connected_again")
        self._pause_s = 0.0
        return connection

    async def _first_usable(self, timeout_s: float | None) -> Any:
        errors: list[str] = []
        for host in list(self._hosts):
            try:
                with store_errors():
                    connection = await _connect(host.url, timeout_s)
            except StoreError as error:
                errors.append(f"{host.name}: {error.detail}")
                continue
            # Whoever took writes last is asked first.
            self._hosts.remove(host)
            self._hosts.insert(0, host)
            return connection
        raise StoreError("; ".join(errors))

    def _failed(self, error: StoreError) -> None:
        if not self._pause_s:
            self._log.warning("cannot_connect", error=str(error))
        self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        # Processes that were cut off together do not all come back at the same moment.
        self._not_before = time.monotonic() + self._pause_s * random.uniform(0.5, 1.0)
        self._error = error.detail


async def _connect(url: str, timeout_s: float | None) -> Any:
    limit = {"statement_timeout": f"{timeout_s or 0:.0f}s"}
    try:
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=None if timeout_s is None else timeout_s + GRACE_S,
            server_settings=SETTINGS | limit,
            statement_cache_size=200,
            target_session_attrs="read-write",
        )
    except asyncpg.ClientConfigurationError as error:
        raise SettingInvalid(f"MILEPOST_DATABASE_URL: {error}") from None
    if connection.get_server_version()[:2] < OLDEST_POSTGRES:
        found = ".".join(map(str, connection.get_server_version()[:2]))
        connection.terminate()
        raise StoreError(f"PostgreSQL {found} is too old; {OLDEST_POSTGRES[0]} is needed")
    return connection


class Pool:
    """Sessions that are handed out to one at a time, at most so many at once.

    The one used last is handed out first, so that the others stay idle.
    """

    def __init__(
        self,
        connector: Connector,
        *,
        size: int,
        prepare: Prepare,
        timeout_s: float,
        taking: Spread,
        slow_s: float,
    ) -> None:
        self._connector = connector
        self._timeout_s = timeout_s
        self._prepare = prepare
        self._taking = taking
        self._slow_s = slow_s
        self._log = logger("postgres")
        self._size = size
        self._room = asyncio.Semaphore(size)
        self._idle: list[Session] = []
        self._closed = False

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session, None]:
        """A session for what runs inside. Raises StoreError, for what happens inside too."""
        began = time.perf_counter()
        async with self._room:
            session = await self._take()
            try:
                with store_errors():
                    yield session
                self._measure(time.perf_counter() - began)
            except BaseException as error:
                if spoils(error):
                    session.connection.terminate()
                if is_elsewhere(error):
                    self._drop_idle()
                raise
            finally:
                self._give_back(session)

    def _measure(self, took_s: float) -> None:
        self._taking.see((took_s,))
        if took_s > self._slow_s:
            self._log.warning("slow", what=self._taking.name, ms=round(took_s * 1_000))

    async def _take(self) -> Session:
        if self._closed:
            raise StoreError("It is closed")
        while self._idle:
            session = self._idle.pop()
            if session.usable:
                return session
        connection = await self._connector.connect(prepare=self._prepare, timeout_s=self._timeout_s)
        return Session(connection)

    def _give_back(self, session: Session) -> None:
        if self._closed or not session.usable:
            session.connection.terminate()
        else:
            self._idle.append(session)

    def _drop_idle(self) -> None:
        for session in self._idle:
            session.connection.terminate()
        self._idle.clear()

    async def close(self) -> None:
        """Waits for the sessions that are out, and disconnects."""
        self._closed = True
        for _ in range(self._size):
            await self._room.acquire()
        for _ in range(self._size):
            self._room.release()
        idle, self._idle = self._idle, []
        for session in idle:
            try:
                await session.connection.close(timeout=2)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                session.connection.terminate()
