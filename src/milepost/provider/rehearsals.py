"""Plays what happens to orders by itself: test mode, the sandbox, and orders that wait for a time.

The steps are data and their times stand in the database, so a process that dies leaves nothing but
a step that somebody else takes a little later. A step that was taken, and not yet noted as taken,
is told again and says nothing new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from milepost.errors import MilepostError, StoreError
from milepost.intake import Intake, UpdateInput
from milepost.logs import logger
from milepost.orders.events import Update
from milepost.orders.model import Order
from milepost.ports import AccountNow, Now, OrderRef, Store
from milepost.ports.rehearsals import Rehearsal
from milepost.provider.plays import Sequenced
from milepost.waiting import woken

AT_ONCE = 200
LEASE_S = 30.0
"""How long a step may take before it is due again for whoever is there."""

LOOKS_EVERY_S = 0.25
"""How soon it is noticed, at the latest, that another process has died or has moved a clock."""

SWEEPS_EVERY_S = 300.0
"""How often nonces are forgotten that can no longer be used."""


class Rehearsals:
    """Takes the steps that are due; any number of processes may."""

    def __init__(
        self,
        store: Store,
        *,
        intake: Intake,
        now: Now,
        account_now: AccountNow,
        sequences: Mapping[int, Sequenced],
    ) -> None:
        self._store = store
        self._intake = intake
        self._now = now
        self._account_now = account_now
        self._sequences = sequences
        self._log = logger("rehearsals")
        self._look_again = asyncio.Event()
        self._swept_at: datetime | None = None
        self._playing: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Something may be due soon."""
        self._look_again.set()

    def start(self) -> None:
        """Begins to play."""
        self._playing = asyncio.create_task(self._play_for_ever())

    async def stop(self) -> None:
        """Ends after the step that is being taken, which is noted or taken again later."""
        if self._playing is not None:
            self._playing.cancel()
            with suppress(asyncio.CancelledError):
                await self._playing
            self._playing = None

    async def play(self) -> int:
        """Takes what is due now; returns how many steps that were."""
        now = self._now()
        until = now + timedelta(seconds=LEASE_S)
        due = await self._store.claim_rehearsals(now=now, until=until, limit=AT_ONCE)
        accounts = dict.fromkeys(one.account_id for one in due)
        for account_id in accounts:
            mine = [one for one in due if one.account_id == account_id]
            await self._take(account_id, mine, now=now)
        return len(due)

    async def sweep(self) -> None:
        """Forgets old nonces, if that was not done lately."""
        now = self._now()
        if self._swept_at is None or now - self._swept_at >= timedelta(seconds=SWEEPS_EVERY_S):
            await self._store.drop_old_nonces(now=now)
            self._swept_at = now

    async def _take(self, account_id: str, due: Sequence[Rehearsal], *, now: datetime) -> None:
        refs = [OrderRef(account_id, order_id=one.order_id) for one in due]
        orders = await self._store.orders_named(refs)
        updates: list[UpdateInput] = []
        going_on: list[Rehearsal] = []
        there = await self._account_now(account_id)
        for ref, one, order in zip(refs, due, orders, strict=True):
            told = None if order is None else self._updates(order, one, now=there)
            if told is None:
                await self._store.end_rehearsal(one)
            else:
                updates += [UpdateInput(ref, update) for update in told]
                going_on.append(one)
        await self._intake.updates(account_id, updates)
        for one in going_on:
            await self._go_on(one, now=now)

    async def _go_on(self, one: Rehearsal, *, now: datetime) -> None:
        pause = self._sequences[one.mode].pause(one.step)
        if pause is None:
            await self._store.end_rehearsal(one)
        else:
            going_on = msgspec.structs.replace(one, step=one.step + 1, due_at=now + pause)
            await self._store.put_rehearsal(going_on)

    def _updates(self, order: Order, one: Rehearsal, *, now: datetime) -> Sequence[Update] | None:
        sequence = self._sequences.get(one.mode)
        told = None if sequence is None else sequence.updates(order, one.step)
        if told is None:
            return None
        at = max(now, order.state_at)
        return [msgspec.structs.replace(update, occurred_at=at) for update in told]

    async def _play_for_ever(self) -> None:
        while True:
            wait_s = LOOKS_EVERY_S
            self._look_again.clear()
            try:
                wait_s = await self._until_next()
                if not wait_s:
                    await self.play()
                    wait_s = await self._until_next()
                await self.sweep()
            except StoreError as error:
                self._log.error("rehearsal_failed", error=str(error))
            except MilepostError as error:
                # Intake is full or stopping; the steps are due again when their lease ends.
                self._log.warning("rehearsal_waits", error=str(error))
            await woken(self._look_again, within_s=wait_s)

    async def _until_next(self) -> float:
        at = await self._store.next_rehearsal_at()
        if at is None:
            return LOOKS_EVERY_S
        return min(max((at - self._now()).total_seconds(), 0.0), LOOKS_EVERY_S)
