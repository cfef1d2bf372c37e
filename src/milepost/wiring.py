"""Builds everything from the settings; the only module that knows every other."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from milepost import __version__
from milepost.contracts import ROOMS
from milepost.contracts.contract import Contract
from milepost.dispatcher import Dispatcher
from milepost.errors import SettingInvalid
from milepost.insights import Insights
from milepost.intake import Intake
from milepost.metrics import Metrics
from milepost.net.guard import Guard, check_url
from milepost.net.sender import Sender
from milepost.operations import Operations
from milepost.ports import NewId, Now, Post, Store
from milepost.pressure import Pressure
from milepost.settings import Settings
from milepost.store.sqlite import SqliteStore

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(a + b for a in _CROCKFORD for b in _CROCKFORD)
_RANDOM_BYTES = 10
_DRAWN_AT_ONCE = 400 * _RANDOM_BYTES


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


class Ulids:
    """New ULIDs in lower case; those of one process rise strictly, also within a millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._random = b""

    def __call__(self) -> str:
        """A new one: 48 bits of milliseconds since the epoch, then 80 random bits."""
        with self._lock:
            # Many at once: asking the system for each costs more than all the rest.
            if not self._random:
                self._random = secrets.token_bytes(_DRAWN_AT_ONCE)
            chance = int.from_bytes(self._random[:_RANDOM_BYTES], "big")
            self._random = self._random[_RANDOM_BYTES:]
            drawn = (time.time_ns() // 1_000_000) << 80 | chance
            # Rising ids keep the tables' keys append-mostly; a step is too large to be guessed.
            self._last = value = max(drawn, self._last + (chance >> 16) + 1)
        return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])


@dataclass(slots=True)
class Hub:
    """One process of Milepost: the flows over one store."""

    settings: Settings
    store: Store
    intake: Intake
    dispatcher: Dispatcher
    operations: Operations
    insights: Insights
    pressure: Pressure
    metrics: Metrics
    rooms: Mapping[str, Contract]
    now: Now
    new_id: NewId
    sender: Sender | None = None
    dispatches: bool = False

    async def open(self, *, dispatch: bool) -> None:
        """Opens the store and, if asked, begins to send; looks first how full it is."""
        await self.store.open()
        if dispatch:
            await self.dispatcher.start()
            self.dispatches = True
            await self.pressure.look()

    async def close(self) -> None:
        """Stops without losing anything: intake first, then what is on the wire, then the store."""
        await self.intake.stop()
        await self.dispatcher.stop(within_s=self.settings.stop_s)
        if self.sender is not None:
            await self.sender.close()
        await self.pressure.stop()
        await self.store.close()


def open_store(settings: Settings, *, metrics: Metrics) -> Store:
    """The store that the database URL names. Raises SettingInvalid for one that is not known."""
    scheme, _, path = settings.database_url.partition("://")
    if scheme == "sqlite" and path.startswith("/") and len(path) > 1:
        return SqliteStore(path[1:], metrics=metrics, slow_s=settings.slow_store_s)
    raise SettingInvalid("MILEPOST_DATABASE_URL: expected sqlite:///path")


def _free_bytes(settings: Settings) -> Callable[[], int] | None:
    """What is left on the database's disk, where that is one of this machine's."""
    scheme, _, path = settings.database_url.partition("://")
    if scheme != "sqlite":
        return None
    folder = Path(path[1:]).absolute().parent
    return lambda: shutil.disk_usage(folder).free


def build(settings: Settings, *, post: Post | None = None, clock: Now = now) -> Hub:
    """A hub that is not open yet; `post` and `clock` are given by tests only."""
    metrics = Metrics()
    store = open_store(settings, metrics=metrics)
    new_id = Ulids()
    guard = Guard(
        allow_networks=tuple(ip_network(n) for n in settings.allow_networks),
        allow_private=settings.allow_private_networks,
    )
    sender = None
    if post is None:
        sender = Sender(guard=guard, connections=settings.max_connections)
        post = sender.post
    dispatcher = Dispatcher(
        store,
        post=post,
        rooms=ROOMS,
        now=clock,
        chance=random.random,
        owner=f"{os.getpid()}-{new_id()}",
        user_agent=f"Milepost/{__version__}",
        lease_s=settings.lease_s,
        poll_s=settings.poll_s,
        max_connections=settings.max_connections,
        metrics=metrics,
    )
    pressure = Pressure(
        store,
        free_bytes=_free_bytes(settings),
        min_free_bytes=settings.min_free_bytes,
        max_pending=settings.max_pending,
        now=clock,
        clock=time.monotonic,
    )
    intake = Intake(
        store,
        rooms=ROOMS,
        outlet=dispatcher,
        now=clock,
        new_id=new_id,
        max_waiting=settings.max_waiting,
        admit=pressure.admit,
        metrics=metrics,
    )
    operations = Operations(
        store,
        rooms=ROOMS,
        check_url=partial(check_url, guard=guard),
        now=clock,
        new_id=new_id,
        token=secrets.token_bytes,
        look=dispatcher.look,
    )
    return Hub(
        settings=settings,
        store=store,
        intake=intake,
        dispatcher=dispatcher,
        operations=operations,
        insights=Insights(store, rooms=ROOMS),
        pressure=pressure,
        metrics=metrics,
        rooms=ROOMS,
        now=clock,
        new_id=new_id,
        sender=sender,
    )
