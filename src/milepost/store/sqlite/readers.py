"""Reads run on threads of their own, so that a slow list never keeps intake waiting."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from milepost.errors import StoreError
from milepost.logs import logger
from milepost.metrics import Metrics
from milepost.store.sqlite.session import Session, connect, in_one_snapshot, store_errors

T = TypeVar("T")

READERS = 4


class Readers:
    """A few read-only connections, one to a thread; each read sees one state of the database."""

    def __init__(self, path: Path, *, metrics: Metrics, slow_s: float) -> None:
        self._path = path
        self._metrics = metrics
        self._slow_s = slow_s
        self._log = logger("store")
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="milepost-read")
        self._own = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._closed = False

    async def run(self, read: Callable[[Session], T]) -> T:
        """What `read` returns. Raises StoreError."""
        if self._closed:
            raise StoreError("It is closed")
        began = time.perf_counter()
        result = await asyncio.get_running_loop().run_in_executor(self._threads, self._read, read)
        took_s = time.perf_counter() - began
        self._metrics.read_s.see((took_s,))
        if took_s > self._slow_s:
            self._log.warning("slow_read", read=_name(read), ms=round(took_s * 1_000))
        return result

    def _read(self, read: Callable[[Session], T]) -> T:
        with store_errors():
            session: Session | None = getattr(self._own, "session", None)
            if session is None:
                session = Session(connect(self._path, read_only=True))
                self._open.append(session.connection)
                self._own.session = session
            return in_one_snapshot(session, read)

    async def close(self) -> None:
        """Waits for the reads that were begun and disconnects."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._open:
            connection.close()


def _name(read: Callable[[Session], object]) -> str:
    return str(getattr(getattr(read, "func", read), "__name__", "read"))
