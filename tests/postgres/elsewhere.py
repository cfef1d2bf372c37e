"""Another process at the same database, as far as a test can be one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from milepost.store.postgres import PostgresStore
from tests.keys import a_vault
from tests.store.desk import Desk

T = TypeVar("T")


class Elsewhere:
    """A store on a thread and a loop of its own: it can act while a decision is being made."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.store = PostgresStore(url, vault=a_vault())
        self.run(self.store.open())
        self.desk = Desk(self.store, self.run)

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(60)

    def close(self) -> None:
        self.run(self.store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
