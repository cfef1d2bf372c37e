"""A process that sends, as far as the rules go: no loop, no socket, and a clock that is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from milepost.contracts import ROOMS
from milepost.delivery.holding import Holding, Lane, Term
from milepost.delivery.model import Attempt, Claimed, Failure, Reply
from milepost.delivery.outcome import next_step, outcome_of
from milepost.ports import Lease, Settlement
from tests.store.desk import Desk

LEASE = timedelta(seconds=60)
TIMEOUT = timedelta(seconds=15)


@dataclass
class OnWire:
    """A request that was begun; it arrives before its timeout or never."""

    claimed: Claimed
    until: datetime


@dataclass
class Process:
    """What one process knows. It is right about whose a lane is only while it is sure."""

    desk: Desk
    owner: str
    holding: Holding = field(default_factory=Holding)
    queue: list[Claimed] = field(default_factory=list)
    wire: list[OnWire] = field(default_factory=list)
    replies: list[tuple[Claimed, Reply]] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        return bool(self.queue or self.wire or self.replies)

    def lease(self, now: datetime) -> Lease:
        return Lease(self.owner, now + LEASE)

    def take(self, claimed: Sequence[Claimed], *, now: datetime) -> None:
        """Holds what it was just leased."""
        term = self._term(now)
        for item in claimed:
            if self.holding.take(item, term):
                self.queue.append(item)

    def claim(self, now: datetime, *, limit: int) -> None:
        found = self.desk.run(
            self.desk.store.claim(lease=self.lease(now), now=now, held={}, room=1_000, limit=limit)
        )
        self.take(found, now=now)

    def begin(self, now: datetime) -> None:
        """Begins every request whose lease is sure to last, after asking about the others."""
        unsure = [c for c in self.queue if not self._sure(c, now)]
        if unsure:
            lease = self.lease(now)
            ours = self.desk.run(self.desk.store.confirm(unsure, lease=lease))
            known = {(lane_of(c), c.sequence, c.attempts, c.replay) for c in ours}
            for item in unsure:
                if (lane_of(item), item.sequence, item.attempts, item.replay) in known:
                    self.holding.prolong(item, self._term(now))
                else:
                    self._leave(item)
        self.wire += [OnWire(c, now + TIMEOUT) for c in self.queue if self._sure(c, now)]
        self.queue = [c for c in self.queue if not self._sure(c, now)]

    def give_up_waiting(self, now: datetime) -> None:
        """What had no reply in time has failed."""
        late = [one for one in self.wire if one.until < now]
        self.wire = [one for one in self.wire if one.until >= now]
        self.replies += [(one.claimed, Reply(0, failure=Failure.TIMEOUT)) for one in late]

    def settle(self, now: datetime, *, chance: float = 0.0) -> None:
        """Settles every reply, and goes on with what follows."""
        replies, self.replies = self.replies, []
        settlements = [self._settlement(c, reply, now, chance) for c, reply in replies]
        following = self.desk.run(
            self.desk.store.settle(settlements, lease=self.lease(now), now=now)
        )
        for claimed, _ in replies:
            self._leave(claimed)
        self.take(following, now=now)

    def _settlement(
        self, claimed: Claimed, reply: Reply, now: datetime, chance: float
    ) -> Settlement:
        room = ROOMS[claimed.endpoint.contract]
        outcome = outcome_of(reply, received=room.received)
        step = next_step(
            outcome,
            schedule=room.schedule(claimed.endpoint.schedule),
            tries=claimed.tries + 1,
            now=now,
            chance=chance,
            retry_after=reply.header("retry-after"),
        )
        attempt = Attempt(
            claimed.attempts + 1, claimed.replay, now, 1.0, outcome, reply.status, reply.detail
        )
        return Settlement(claimed, attempt, step)

    def sure_lanes(self, now: datetime) -> set[Lane]:
        """The lanes of which it would begin a request without asking."""
        return {lane_of(c) for c, _ in self.holding._held.values() if self._sure(c, now)}

    def _term(self, now: datetime) -> Term:
        at = now + LEASE - TIMEOUT
        return Term(at, at.timestamp())

    def _sure(self, claimed: Claimed, now: datetime) -> bool:
        return self.holding.sure(claimed, now=now, now_s=now.timestamp())

    def _leave(self, claimed: Claimed) -> None:
        self.queue = [c for c in self.queue if c is not claimed]
        if (later := self.holding.leave(claimed)) is not None:
            self.queue.append(later)


def lane_of(claimed: Claimed) -> Lane:
    return claimed.endpoint.endpoint_id, claimed.order_id
