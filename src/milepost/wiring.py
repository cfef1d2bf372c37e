"""Builds everything from the settings; the only module that knows every other."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from milepost import __version__
from milepost.attention import Attention
from milepost.clocks import Clocks
from milepost.contracts import ROOMS
from milepost.contracts.contract import Contract
from milepost.dispatcher import Dispatcher
from milepost.egress import Egress
from milepost.erasure import Eraser
from milepost.errors import SettingInvalid
from milepost.health import HealthWatch
from milepost.insights import Insights
from milepost.intake import Intake
from milepost.logs import logger
from milepost.metrics import Metrics
from milepost.net.address_checker import AddressChecker, read_config
from milepost.net.guard import Guard, check_url
from milepost.net.sender import Sender
from milepost.operations import Operations
from milepost.people import People, Portal
from milepost.ports import NewId, Now, Post, Store
from milepost.pressure import Pressure
from milepost.provider import (
    AddressCheck,
    Applications,
    Callers,
    Dropshipment,
    Fulfillment,
    MerchantOrders,
    Provider,
    Rehearsals,
    Replacements,
    WhenDown,
)
from milepost.provider.plays import sequences
from milepost.receiving import Receiving
from milepost.resends import Resends
from milepost.sealing import Vault, source_of
from milepost.secrecy import Secrecy
from milepost.settings import POSTGRES_SCHEMES, Settings
from milepost.silence import Silences
from milepost.store.sqlite import SqliteStore
from milepost.trends import Trends
from milepost.upkeep import Retention, Upkeep
from milepost.wiring_reconciling import Comparisons, comparisons
from milepost.wiring_tracking import Tracking, tracking

if TYPE_CHECKING:
    from milepost.traces.spans import Traces

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(a + b for a in _CROCKFORD for b in _CROCKFORD)
_RANDOM_BYTES = 10
_DRAWN_AT_ONCE = 400 * _RANDOM_BYTES
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


def steady_s() -> float:
    """Seconds of a clock that never goes back and, where there is one, counts through sleep."""
    return time.clock_gettime(_STEADY)


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
    """One process of Milepost: the flows over one store.

    `published` is the document of the interface that stands before it, empty where none does.
    """

    settings: Settings
    store: Store
    clocks: Clocks
    intake: Intake
    dispatcher: Dispatcher
    operations: Operations
    secrecy: Secrecy
    eraser: Eraser
    upkeep: Upkeep
    insights: Insights
    resends: Resends
    health: HealthWatch
    trends: Trends
    attention: Attention
    silences: Silences
    provider: Provider
    tracking: Tracking
    comparisons: Comparisons
    egress: Egress
    receiving: Receiving
    people: People
    portal: Portal
    pressure: Pressure
    metrics: Metrics
    vault: Vault
    rooms: Mapping[str, Contract]
    now: Now
    new_id: NewId
    post: Post
    published: Mapping[str, object] = field(default_factory=dict)
    sender: Sender | None = None
    traces: Traces | None = None
    dispatches: bool = False

    async def open(self, *, dispatch: bool) -> None:
        """Opens the store and, if asked, begins to send; looks first how full it is."""
        await self.store.open()
        if self.vault.made:
            logger("wiring").warning("secret_key_made", file=self.vault.shown)
        self.trends.start()
        self.receiving.start(applies=dispatch)
        if dispatch:
            self.health.start()
            self.upkeep.start()
            await self.dispatcher.start()
            self.dispatches = True
            self.resends.start()
            self.provider.rehearsals.start()
            self.tracking.tracker.start()
            self.comparisons.runs.start()
            self.silences.start()
            await self.pressure.look()

    async def close(self) -> None:
        """Stops without losing anything: intake first, then what is on the wire, then the store."""
        await self.tracking.close()
        await self.comparisons.close()
        await self.provider.rehearsals.stop()
        await self.receiving.stop()
        await self.intake.stop()
        await self.silences.stop()
        await self.resends.end()
        await self.dispatcher.stop(within_s=self.settings.stop_s)
        await self.health.stop()
        await self.trends.stop()
        await self.upkeep.stop()
        if self.sender is not None:
            await self.sender.close()
        await self.pressure.stop()
        await self.store.close()
        if self.traces is not None:
            await asyncio.to_thread(self.traces.close)


def open_store(settings: Settings, *, metrics: Metrics, vault: Vault) -> Store:
    """The store that the database URL names. Raises SettingInvalid for one that is not known."""
    scheme, _, path = settings.database_url.partition("://")
    if scheme == "sqlite" and path.startswith("/") and len(path) > 1:
        return SqliteStore(path[1:], metrics=metrics, slow_s=settings.slow_store_s, vault=vault)
    if scheme in POSTGRES_SCHEMES:
        # Its driver takes a while to load, which a command on SQLite need not wait for.
        from milepost.store.postgres import PostgresStore  # noqa: PLC0415

        return PostgresStore(
            settings.database_url, metrics=metrics, slow_s=settings.slow_store_s, vault=vault
        )
    raise SettingInvalid(
        "MILEPOST_DATABASE_URL: expected sqlite:///path or postgresql://user@host/database"
    )


def _upkeep(
    settings: Settings,
    *,
    store: Store,
    secrecy: Secrecy,
    clock: Now,
    owner: str,
    metrics: Metrics,
) -> Upkeep:
    ended, never_ended = (
        timedelta(days=days) if settings.retention_days and days else None
        for days in (settings.retention_days, settings.retention_open_days)
    )
    return Upkeep(
        store,
        secrecy=secrecy,
        retention=Retention(ended=ended, never_ended=never_ended),
        every=timedelta(seconds=settings.upkeep_every_s),
        owner=owner,
        now=clock,
        done=lambda report: metrics.removed.add_each(report.removed),
    )


def _free_bytes(settings: Settings) -> Callable[[], int] | None:
    """What is left on the database's disk, where that is one of this machine's."""
    scheme, _, path = settings.database_url.partition("://")
    if scheme != "sqlite":
        return None
    folder = Path(path[1:]).absolute().parent
    return lambda: shutil.disk_usage(folder).free


def _address_check(settings: Settings, *, post: Post) -> AddressCheck:
    """The check of addresses, with the checker of the settings if there is one."""
    ask = None
    if settings.address_checker:
        config = read_config(settings.address_checker)
        ask = AddressChecker(config, post=post, timeout_s=settings.address_checker_s).ask
    return AddressCheck(
        ask=ask,
        within_s=settings.address_checker_s,
        when_down=WhenDown(settings.address_checker_down),
    )


def _provider(
    settings: Settings,
    *,
    store: Store,
    intake: Intake,
    operations: Operations,
    guard: Guard,
    post: Post,
    clock: Now,
    clocks: Clocks,
) -> Provider:
    token = secrets.token_bytes
    step_s = settings.test_step_s
    rehearsals = Rehearsals(
        store,
        intake=intake,
        now=clock,
        account_now=clocks.now,
        sequences=sequences(
            test_step=timedelta(seconds=step_s), sandbox_speed=settings.sandbox_speed
        ),
    )
    clocks.wakes(rehearsals.look)
    addresses = _address_check(settings, post=post)
    fulfillment = Fulfillment(intake)
    return Provider(
        applications=Applications(
            store,
            operations=operations,
            check_url=partial(check_url, guard=guard),
            now=clock,
            token=token,
        ),
        callers=Callers(
            store, now=clock, token=token, calls_a_minute=settings.client_calls_per_minute
        ),
        dropshipment=Dropshipment(
            store,
            intake=intake,
            addresses=addresses,
            now=clock,
            account_now=clocks.now,
            token=token,
            step_s=step_s,
            look=rehearsals.look,
        ),
        merchants=MerchantOrders(
            store,
            intake=intake,
            addresses=addresses,
            now=clocks.now,
            fulfillment=fulfillment,
            sandbox_speed=settings.sandbox_speed if settings.sandbox else None,
            look=rehearsals.look,
        ),
        fulfillment=fulfillment,
        replacements=Replacements(intake=intake),
        rehearsals=rehearsals,
    )


def build(
    settings: Settings,
    *,
    traces: Traces | None = None,
    post: Post | None = None,
    clock: Now = now,
) -> Hub:
    """A hub that is not open yet, and closes `traces` too; tests alone give `post` and `clock`."""
    metrics = Metrics()
    vault = Vault(source_of(settings))
    store = open_store(settings, metrics=metrics, vault=vault)
    new_id = Ulids()
    clocks = Clocks(store, now=clock)
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
        post=post if traces is None else traces.sending(post),
        rooms=ROOMS,
        now=clock,
        steady_s=steady_s,
        chance=random.random,
        owner=f"{os.getpid()}-{new_id()}",
        user_agent=f"Milepost/{__version__}",
        lease_s=settings.lease_s,
        poll_s=settings.poll_s,
        max_connections=settings.max_connections,
        metrics=metrics,
    )
    health = HealthWatch(store, rooms=ROOMS, now=clock, look=dispatcher.look)
    trends = Trends(store, now=clock)
    dispatcher.tell(health.note, trends.note)
    clocks.wakes(dispatcher.look)
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
        accepted=trends.accepted,
        tracing=traces,
    )
    silences = Silences(
        store,
        rooms=ROOMS,
        now=clock,
        account_now=clocks.now,
        every_s=settings.silence_every_s,
        look=dispatcher.look,
        metrics=metrics,
    )
    intake.heard_by(silences.hear)
    clocks.wakes(silences.look_soon)
    clocks.helped_by(silences.look_at)
    operations = Operations(
        store,
        rooms=ROOMS,
        check_url=partial(check_url, guard=guard),
        now=clock,
        new_id=new_id,
        token=secrets.token_bytes,
        look=dispatcher.look,
    )
    secrecy = Secrecy(store, now=clock, token=secrets.token_bytes)
    people = People(
        store, now=clock, new_id=new_id, token=secrets.token_bytes, clock=time.monotonic
    )
    return Hub(
        settings=settings,
        store=store,
        clocks=clocks,
        intake=intake,
        dispatcher=dispatcher,
        operations=operations,
        secrecy=secrecy,
        trends=trends,
        eraser=Eraser(store, now=clock, account_now=clocks.now),
        upkeep=_upkeep(
            settings,
            store=store,
            secrecy=secrecy,
            clock=clock,
            owner=f"{os.getpid()}-{new_id()}",
            metrics=metrics,
        ),
        insights=Insights(store, rooms=ROOMS),
        resends=Resends(store, now=clock, new_id=new_id, look=dispatcher.look),
        health=health,
        attention=Attention(store, now=clock, account_now=clocks.now),
        silences=silences,
        provider=_provider(
            settings,
            store=store,
            intake=intake,
            operations=operations,
            guard=guard,
            post=post,
            clock=clock,
            clocks=clocks,
        ),
        tracking=tracking(
            settings,
            store=store,
            intake=intake,
            guard=guard,
            clock=clock,
            clocks=clocks,
            owner=f"{os.getpid()}-{new_id()}",
            metrics=metrics,
            hear=silences.hear,
            steady_s=steady_s,
        ),
        comparisons=comparisons(
            store,
            intake=intake,
            guard=guard,
            clock=clock,
            account_now=clocks.now,
            new_id=new_id,
            owner=f"{os.getpid()}-{new_id()}",
        ),
        egress=Egress(store, now=clock, new_id=new_id),
        receiving=Receiving(
            store,
            messages=intake.messages,
            now=clock,
            account_now=clocks.now,
            new_id=new_id,
            token=secrets.token_bytes,
            clock=time.monotonic,
            owner=f"{os.getpid()}-{new_id()}",
            metrics=metrics,
        ),
        people=people,
        portal=Portal(store, people=people, vault=vault, now=clock, new_id=new_id),
        pressure=pressure,
        metrics=metrics,
        vault=vault,
        rooms=ROOMS,
        now=clock,
        new_id=new_id,
        post=post,
        sender=sender,
        traces=traces,
    )
