"""Settling: records attempts and what they led to, and lets the lanes go on.

A lane is settled by a statement that is a transaction by itself, and so are most of a batch
together. One that was appended to in between, or changed by an operator, is looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, assert_never

from milepost.delivery.model import DeliveryState, EndpointState
from milepost.delivery.outcome import Abandon, Acknowledge, Pause, Retry, Step
from milepost.errors import StoreError
from milepost.ports import Lease, Settlement
from milepost.store.postgres.heads import Head
from milepost.store.postgres.health import change_state, setup_of, tell
from milepost.store.postgres.leases import Held, Lane, Leases
from milepost.store.postgres.queue import lane_of
from milepost.store.postgres.registry import Registry
from milepost.store.postgres.session import Session
from milepost.store.rows import Row, micros

LOOKS = 8
"""How often a lane that keeps changing is looked at before the caller must try again."""

_PENDING = DeliveryState.PENDING.value


class _Verdict(NamedTuple):
    """What a step makes of a delivery: its state, when it is due again, why it pauses."""

    state: str
    due_at: int | None = None
    pauses: str | None = None


def _verdict(step: Step, *, now: int) -> _Verdict:
    match step:
        case Acknowledge():
            return _Verdict(DeliveryState.ACKNOWLEDGED.value)
        case Abandon():
            return _Verdict(DeliveryState.ABANDONED.value)
        case Retry(at):
            return _Verdict(_PENDING, micros(at))
        case Pause(why):
            return _Verdict(_PENDING, now, why)
        case _:
            assert_never(step)


class Settling:
    """The settlements of one owner, lane by lane, while they are being written."""

    def __init__(
        self,
        session: Session,
        settlements: Sequence[Settlement],
        *,
        lease: Lease,
        now: datetime,
        registry: Registry,
        leases: Leases,
    ) -> None:
        self._session = session
        self._registry = registry
        self._at = now
        self._owner = lease.owner
        self._until = micros(lease.until)
        self._now = micros(now)
        self._leases = leases
        self._onward: list[Head] = []
        by_lane: dict[Lane, Settlement] = {}
        for settlement in settlements:
            by_lane.setdefault(lane_of(settlement.claimed), settlement)
        self._rows: dict[Lane, _Rows] = {}
        for lane in sorted(by_lane):
            verdict = _verdict(by_lane[lane].step, now=self._now)
            self._rows[lane] = _Rows(lane, by_lane[lane], verdict)

    async def write(self) -> list[Head]:
        """The lanes that go on, leased again; settlements whose lease is lost change nothing."""
        pausing = [lane for lane, rows in self._rows.items() if rows.verdict.pauses is not None]
        if pausing:
            await self._pause(pausing)
        left = await self._end([lane for lane in self._rows if lane not in pausing])
        await self._go_on(left)
        return self._onward

    async def _end(self, lanes: Sequence[Lane]) -> Sequence[Lane]:
        """Settles the lanes in which nothing follows; the others are left.

        If one of them turns out otherwise, which did is not asked: all are left, and those that
        have ended will not be found.
        """
        ending: dict[Lane, Row] = {}
        for lane in lanes:
            held = self._held(lane)
            if held is not None and held.alone and self._rows[lane].verdict.state != _PENDING:
                ending[lane] = self._rows[lane].settled(held.revision)
        if not ending:
            return lanes
        ((count,),) = await self._session.batch(
            "settle_last", ending.values(), self._owner, self._now
        )
        if count < len(ending):
            return lanes
        self._leases.let_go(self._owner, ending)
        return [lane for lane in lanes if lane not in ending]

    async def _go_on(self, lanes: Sequence[Lane]) -> list[Lane]:
        """Settles lanes of any kind; those come back whose settlement counted."""
        counted: list[Lane] = []
        left = list(lanes)
        for look in range(LOOKS):
            if not left:
                return counted
            revisions = {} if look else self._known(left)
            if len(revisions) < len(left):
                revisions |= await self._read_revisions(left)
            # Whatever is not ours has been settled already, or never will be by us.
            self._leases.let_go(self._owner, [lane for lane in left if lane not in revisions])
            left = await self._look(revisions, counted)
        raise StoreError("Lanes keep changing while they are settled")

    def _known(self, lanes: Sequence[Lane]) -> dict[Lane, int]:
        known = {lane: self._held(lane) for lane in lanes}
        return {lane: held.revision for lane, held in known.items() if held is not None}

    def _held(self, lane: Lane) -> Held | None:
        """How the lane was when what is settled was handed out; None if that is not known."""
        claimed = self._rows[lane].settlement.claimed
        return self._leases.held(
            self._owner, lane, sequence=claimed.sequence, attempts=claimed.attempts
        )

    async def _read_revisions(self, lanes: Sequence[Lane]) -> dict[Lane, int]:
        rows = await self._session.batch("revisions", lanes, self._owner)
        return {lanes[position - 1]: revision for position, revision in rows}

    async def _look(self, revisions: Mapping[Lane, int], counted: list[Lane]) -> list[Lane]:
        """Settles the lanes of these revisions; returns those that must be looked at again."""
        again = {lane for lane in self._rows if lane in revisions}
        lanes = [lane for lane in self._rows if lane in again]
        if not lanes:
            return []
        rows = [self._rows[lane].whole(revisions[lane]) for lane in lanes]
        done: list[Lane] = []
        for position, counts, is_again, following, alone in await self._session.batch(
            "settle_lanes", rows, self._owner, self._now, self._until
        ):
            lane = lanes[position - 1]
            if is_again:
                continue
            again.discard(lane)
            if counts:
                counted.append(lane)
                done.append(lane)
            if following is not None:
                self._onward.append(Head(lane, following, revisions[lane] + 1, alone))
        self._leases.let_go(self._owner, done)
        return [lane for lane in lanes if lane in again]

    async def _pause(self, lanes: Sequence[Lane]) -> None:
        """Settles these, pauses their endpoints and tells of it, all in one transaction."""
        session = self._session
        accounts = sorted({lane[0] for lane in lanes})
        async with session.transaction():
            for account_id in accounts:
                await session.row("hold_setup", account_id=account_id)
            counted = await self._go_on(lanes)
            for account_id in sorted({lane[0] for lane in counted}):
                by_endpoint = {lane[1]: lane for lane in counted if lane[0] == account_id}
                await self._pause_endpoints(account_id, by_endpoint)
                await session.write("raise_setup_version", account_id=account_id)

    async def _pause_endpoints(self, account_id: str, lanes: Mapping[str, Lane]) -> None:
        """Pauses those endpoints that are active, each for what happened in its lane."""
        session = self._session
        setup = await setup_of(session, account_id, registry=self._registry)
        for endpoint_id, lane in sorted(lanes.items()):
            endpoint = setup.by_id.get(endpoint_id)
            if endpoint is None or endpoint.state is EndpointState.PAUSED:
                continue
            rows = self._rows[lane]
            await change_state(
                session,
                endpoint,
                state=EndpointState.PAUSED,
                why=rows.verdict.pauses or "",
                now=self._at,
            )
            if rows.settlement.notice is not None:
                await tell(session, rows.settlement.notice, endpoints=setup.endpoints, now=self._at)


class _Rows(NamedTuple):
    """What is written of one settlement."""

    lane: Lane
    settlement: Settlement
    verdict: _Verdict

    def settled(self, revision: int) -> tuple[Any, ...]:
        """The lane, its delivery and the attempt; the lane must still be of this revision."""
        claimed, attempt = self.settlement.claimed, self.settlement.attempt
        return (
            *self.lane,
            claimed.sequence,
            revision,
            self.verdict.state,
            claimed.attempts + 1,
            claimed.tries + 1,
            attempt.replay,
            micros(attempt.started_at),
            attempt.duration_ms,
            attempt.outcome.value,
            attempt.status,
            attempt.detail,
            attempt.response,
        )

    def whole(self, revision: int) -> tuple[Any, ...]:
        """The same, and when the delivery is due again."""
        return (*self.settled(revision), self.verdict.due_at)
