"""The flow that watches endpoints: attempts become records, and records become news.

What came of attempts is added up in memory and put on record at once when it matters, and else
every few seconds: never with a write for each delivery. What a process that dies had not put on
record yet are numbers of its last second; whatever was told or changed is in one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from milepost.contracts.contract import Contract
from milepost.contracts.operational import notice_of
from milepost.delivery.health import TOLD_EVERY, Condition, Health, Judgment, Pulse, judge
from milepost.delivery.model import OPERATIONS, Endpoint, Outcome
from milepost.delivery.outcome import Abandon
from milepost.errors import MilepostError
from milepost.logs import logger
from milepost.ports import Judged, Now, Settlement, Store
from milepost.waiting import woken

AT_MOST_EVERY_S = 1.0
"""How often what matters is put on record at most."""

AT_LEAST_EVERY_S = 10.0
"""How old the record of an endpoint may be that simply goes on being well."""

SWEPT_EVERY_S = 60.0
"""How often it is looked for deliveries that were given up and that it is time to tell of."""

COUNTED_EVERY_S = 1.0

Name = tuple[str, str]
"""An endpoint's account and id."""


@dataclass(slots=True)
class _Tally:
    """What was seen of an endpoint since it was last put on record."""

    succeeded_at: datetime | None = None
    failures: int = 0
    first_failure_at: datetime | None = None
    last_failure_at: datetime | None = None
    outcome: Outcome | None = None
    abandoned: int = 0
    abandoned_since: datetime | None = None
    matters: bool = False

    def succeed(self, at: datetime) -> None:
        self.succeeded_at = at
        self.failures = 0
        self.first_failure_at = None

    def fail(self, at: datetime, outcome: Outcome) -> None:
        self.failures += 1
        self.first_failure_at = self.first_failure_at or at
        self.last_failure_at = at
        self.outcome = outcome
        self.matters = True

    def give_up(self, at: datetime) -> None:
        self.abandoned += 1
        self.abandoned_since = self.abandoned_since or at

    def pulse(self, name: Name) -> Pulse:
        return Pulse(
            account_id=name[0],
            endpoint_id=name[1],
            succeeded_at=self.succeeded_at,
            failures=self.failures,
            first_failure_at=self.first_failure_at,
            last_failure_at=self.last_failure_at,
            outcome=self.outcome,
            abandoned=self.abandoned,
            abandoned_since=self.abandoned_since,
        )

    def go_on_from(self, earlier: _Tally) -> None:
        """Adds what was seen before this, which could not be put on record."""
        if self.succeeded_at is None:
            self.succeeded_at = earlier.succeeded_at
            self.failures += earlier.failures
            self.first_failure_at = earlier.first_failure_at or self.first_failure_at
        self.last_failure_at = self.last_failure_at or earlier.last_failure_at
        self.outcome = self.outcome or earlier.outcome
        self.abandoned += earlier.abandoned
        self.abandoned_since = earlier.abandoned_since or self.abandoned_since
        self.matters = self.matters or earlier.matters


class HealthWatch:
    """Keeps the record of how endpoints are doing; who subscribed hears of what changes.

    `look` tells the dispatcher that something may be due.
    """

    def __init__(
        self,
        store: Store,
        *,
        rooms: Mapping[str, Contract],
        now: Now,
        look: Callable[[], None],
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._now = now
        self._look = look
        self._tallies: dict[Name, _Tally] = {}
        # Whether the endpoint has failed since it last succeeded, as far as is known here.
        self._troubled: dict[Name, bool] = {}
        self._matters = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.counted: Mapping[Condition, int] = dict.fromkeys(Condition, 0)
        self._counted_at: float | None = None
        self._log = logger("health")

    def note(self, settlements: Sequence[Settlement]) -> None:
        """Adds a batch of attempts that were just settled."""
        now = self._now()
        endpoint: Endpoint | None = None
        name, tally = ("", ""), _Tally()
        for settlement in settlements:
            if settlement.claimed.endpoint is not endpoint:
                endpoint = settlement.claimed.endpoint
                name = (endpoint.account_id, endpoint.endpoint_id)
                tally = self._tallies.get(name) or self._tallies.setdefault(name, _Tally())
            if settlement.attempt.outcome is not Outcome.ACKNOWLEDGED:
                self._note_failure(settlement, tally, at=now)
            elif tally.succeeded_at is not now or tally.failures:
                tally.succeed(now)
                # Of an endpoint that was not heard of yet anything is news.
                if self._troubled.get(name, True):
                    tally.matters = True
                    self._matters.set()

    def _note_failure(self, settlement: Settlement, tally: _Tally, *, at: datetime) -> None:
        tally.fail(at, settlement.attempt.outcome)
        self._matters.set()
        # What was given up of these themselves would be told for ever.
        operational = settlement.claimed.order_id.startswith(OPERATIONS)
        if isinstance(settlement.step, Abandon) and not operational:
            tally.give_up(at)
        if settlement.notice is not None:
            self._look()

    # life

    def start(self) -> None:
        """Begins to put on record what is noted."""
        self._task = asyncio.create_task(self._watch_for_ever())

    async def stop(self) -> None:
        """Puts on record what is left, if the database takes it."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        try:
            await self.beat()
        except MilepostError as error:
            self._log.error("beat_failed", error=str(error))

    async def _watch_for_ever(self) -> None:
        clock = asyncio.get_running_loop().time
        all_at = swept_at = clock()
        while True:
            await woken(self._matters, within_s=AT_LEAST_EVERY_S)
            self._matters.clear()
            try:
                if clock() - swept_at >= SWEPT_EVERY_S:
                    swept_at = clock()
                    await self.sweep()
                every = clock() - all_at >= AT_LEAST_EVERY_S
                if every:
                    all_at = clock()
                await self.beat(every=every)
            except MilepostError as error:
                self._log.error("beat_failed", error=str(error))
                self._matters.set()
            await asyncio.sleep(AT_MOST_EVERY_S)

    # beating

    async def beat(self, *, every: bool = True) -> None:
        """Puts on record what was noted, of every endpoint or where it matters alone.

        Raises StoreError, and then keeps it for the next time.
        """
        taken = {name: t for name, t in self._tallies.items() if every or t.matters}
        for name in taken:
            del self._tallies[name]
        try:
            await self._put([tally.pulse(name) for name, tally in taken.items()])
        except BaseException:
            for name, tally in taken.items():
                self._tallies.setdefault(name, _Tally()).go_on_from(tally)
            raise

    async def sweep(self) -> None:
        """Tells of deliveries that were given up since it was last told of them, when it is time.

        Raises StoreError.
        """
        names = await self._store.untold(before=self._now() - TOLD_EVERY)
        await self._put([Pulse(*name) for name in names])

    async def _put(self, pulses: Sequence[Pulse]) -> None:
        if not pulses:
            return
        now = self._now()
        judgments: dict[Name, Judgment] = {}

        def decide(endpoint: Endpoint, health: Health, pulse: Pulse) -> Judged:
            judgment = judge(endpoint, health=health, pulse=pulse, now=now)
            judgments[endpoint.account_id, endpoint.endpoint_id] = judgment
            notices = [notice_of(event, rooms=self._rooms) for event in judgment.events]
            return Judged(judgment.health, notices, judgment.pause)

        await self._store.beat(pulses, judge=decide, now=now)
        news = False
        for name, judgment in judgments.items():
            self._troubled[name] = judgment.health.failing_since is not None
            for event in judgment.events:
                news = True
                self._log.warning(
                    event.type.value.replace(".", "_"),
                    account=name[0],
                    endpoint=name[1],
                    why=event.why,
                    abandoned=event.abandoned,
                )
        if news:
            self._look()

    # reading

    async def counts(self) -> Mapping[Condition, int]:
        """How many endpoints are doing how, by a look that is at most a second old.

        Raises StoreError.
        """
        at = asyncio.get_running_loop().time()
        if self._counted_at is None or at - self._counted_at >= COUNTED_EVERY_S:
            self._counted_at = at
            self.counted = await self._store.conditions()
        return self.counted
