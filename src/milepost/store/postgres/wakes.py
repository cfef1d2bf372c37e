"""Telling other processes that something is due, and being told.

Being told only makes it faster: who listens looks by itself now and then as well. So nothing waits
for a word to be sent, and one word stands for all that was queued within a few milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from milepost.errors import StoreError
from milepost.logs import logger
from milepost.store.postgres.pool import LONGEST_PAUSE_S, Connector, Pool
from milepost.store.postgres.session import store_errors
from milepost.waiting import woken

CHANNEL = "milepost_due"

BETWEEN_WORDS_S = 0.005
SIGN_OF_LIFE_S = 30.0
"""How often it is made sure that the connection on which we listen is still there."""


class Wakes:
    """The words that this process sends, and those that it listens to."""

    def __init__(self, pool: Pool, connector: Connector) -> None:
        self._pool = pool
        self._connector = connector
        self._log = logger("postgres")
        self._telling: asyncio.Task[None] | None = None
        self._tell_again = False
        self._listening: list[asyncio.Task[None]] = []

    def tell(self) -> None:
        """Tells whoever listens, soon, that something is due."""
        self._tell_again = True
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while self._tell_again:
            self._tell_again = False
            try:
                async with self._pool.session() as session:
                    await session.row("wake_others")
            except StoreError as error:
                self._log.warning("word_not_sent", error=str(error))
            await asyncio.sleep(BETWEEN_WORDS_S)

    def listen(self, callback: Callable[[], None]) -> None:
        """Calls back when something is due, and after every time that it was not heard of."""
        self._listening.append(asyncio.create_task(self._listen(callback)))

    async def _listen(self, callback: Callable[[], None]) -> None:
        while True:
            try:
                connection = await self._connector.connect()
            except StoreError:
                await asyncio.sleep(LONGEST_PAUSE_S / 2)
                continue
            try:
                with store_errors():
                    await self._hear(connection, callback)
            except StoreError as error:
                self._log.warning("listening_ended", error=str(error))
            finally:
                connection.terminate()

    async def _hear(self, connection: Any, callback: Callable[[], None]) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(CHANNEL, lambda *_: callback())
        callback()
        while not lost.is_set():
            if await woken(lost, within_s=SIGN_OF_LIFE_S):
                return
            await connection.execute("SELECT 1")

    async def close(self) -> None:
        """Says what is still to be said, and listens no more."""
        if self._telling is not None:
            await self._telling
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)
        self._listening.clear()
