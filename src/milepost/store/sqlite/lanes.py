"""Lanes: heads are claimed, what was sent is settled, and the next head follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple, assert_never

from milepost.delivery.health import OperationalNotice
from milepost.delivery.model import Claimed, DeliveryState, Endpoint, EndpointState, LanePolicy
from milepost.delivery.outcome import Abandon, Acknowledge, Pause, Retry
from milepost.ports import Lease, Settlement
from milepost.store.rows import Row, attempt_row, claimed_of, micros, moment
from milepost.store.sqlite.health import change_state, tell
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.session import Session

_PENDING = DeliveryState.PENDING.value
_ACKNOWLEDGED = DeliveryState.ACKNOWLEDGED.value
_ABANDONED = DeliveryState.ABANDONED.value


def endpoints_with_work(session: Session, *, now: datetime) -> list[Row]:
    """The account and id of each active endpoint that has a due lane nobody has leased."""
    return session.rows("endpoints_with_work", now=micros(now))


def claim(
    session: Session,
    rooms: Sequence[tuple[str, str, int]],
    *,
    lease: Lease,
    now: datetime,
    limit: int,
    registry: Registry,
) -> list[Claimed]:
    """Leases the due heads of these endpoints, oldest due first; each has so much room."""
    at = micros(now)
    due: list[tuple[int, Endpoint, str, int]] = []
    for account_id, endpoint_id, room in rooms:
        endpoint = registry.endpoint(session, account_id, endpoint_id)
        if endpoint is None or endpoint.state is not EndpointState.ACTIVE:
            continue
        names = {"account_id": account_id, "endpoint_id": endpoint_id}
        lanes = [
            *session.rows("due_lanes", **names, now=at, limit=room),
            *session.rows("lanes_with_old_leases", **names, now=at, limit=room),
        ]
        lanes.sort(key=itemgetter(0))
        due += ((due_at, endpoint, order_id, seq) for due_at, order_id, seq in lanes[:room])
    due.sort(key=itemgetter(0))
    del due[limit:]
    until = micros(lease.until)
    changes: list[Row] = []
    heads: list[_Head] = []
    for due_at, endpoint, order_id, sequence in due:
        lane = (endpoint.account_id, endpoint.endpoint_id, order_id)
        changes.append((*lane, sequence, due_at, lease.owner, until))
        heads.append((endpoint, order_id, sequence))
    session.batch("set_lanes", changes)
    return [claimed_of(row[1:], endpoint=head[0]) for head, row in _read_heads(session, heads)]


_Head = tuple[Endpoint, str, int]


def _read_heads(session: Session, heads: Sequence[_Head]) -> list[tuple[_Head, Row]]:
    """Each head with its due time and what a claim of it holds."""
    wanted = [
        (position, endpoint.account_id, order_id, endpoint.endpoint_id, sequence)
        for position, (endpoint, order_id, sequence) in enumerate(heads)
    ]
    return [(heads[row[0]], row[1:]) for row in session.batch("heads", wanted)]


def settle(
    session: Session,
    settlements: Sequence[Settlement],
    *,
    lease: Lease,
    now: datetime,
    registry: Registry,
) -> list[Claimed]:
    """Records what was sent, as far as it is still ours; returns the next heads, leased."""
    book = _Settling(session, lease=lease, now=now, registry=registry)
    for settlement, standing in _still_ours(session, settlements, owner=lease.owner):
        book.enter(settlement, standing)
    return book.write()


class _Standing(NamedTuple):
    """How a lane stands: its head, when that is due, and what follows the settled delivery.

    The head is before the settled delivery only after an operator's resend.
    """

    head: int
    due_at: int
    following: int | None


def _still_ours(
    session: Session, settlements: Sequence[Settlement], *, owner: str
) -> list[tuple[Settlement, _Standing]]:
    """The settlements that count."""
    ours: list[tuple[Settlement, _Standing]] = []
    seen: set[tuple[str, str, str]] = set()
    for position, *standing in _standing_of(session, [s.claimed for s in settlements], owner=owner):
        claimed = settlements[position].claimed
        lane = (claimed.endpoint.account_id, claimed.endpoint.endpoint_id, claimed.order_id)
        if lane not in seen:
            seen.add(lane)
            ours.append((settlements[position], _Standing(*standing)))
    return ours


def _standing_of(session: Session, claimed: Sequence[Claimed], *, owner: str) -> list[Row]:
    """The position and standing of each that is the owner's still."""
    wanted = [
        (
            position,
            one.endpoint.account_id,
            one.order_id,
            one.endpoint.endpoint_id,
            one.sequence,
            one.attempts,
            owner,
        )
        for position, one in enumerate(claimed)
    ]
    return session.batch("standing_of", wanted)


def confirm(session: Session, claimed: Sequence[Claimed], *, lease: Lease) -> list[Claimed]:
    """Those that are still this owner's, prolonged."""
    ours = [claimed[row[0]] for row in _standing_of(session, claimed, owner=lease.owner)]
    until = micros(lease.until)
    changes = [
        (one.endpoint.account_id, one.endpoint.endpoint_id, one.order_id, until) for one in ours
    ]
    session.batch("prolong_leases", changes)
    return ours


class _Settling:
    """The rows of one settle while they are gathered."""

    def __init__(
        self, session: Session, *, lease: Lease, now: datetime, registry: Registry
    ) -> None:
        self._session = session
        self._lease = lease
        self._until = micros(lease.until)
        self._now = micros(now)
        self._registry = registry
        self._attempts: list[Row] = []
        self._deliveries: list[Row] = []
        self._ended: list[Row] = []
        self._lanes: list[Row] = []
        self._onward: list[_Head] = []
        # Why each endpoint is paused, and what is told of it.
        self._paused: dict[tuple[str, str], tuple[str, OperationalNotice | None]] = {}

    def enter(self, settlement: Settlement, standing: _Standing) -> None:
        """Takes down one settlement."""
        claimed, step = settlement.claimed, settlement.step
        self._attempts.append(attempt_row(claimed, settlement.attempt))
        earlier = standing.head < claimed.sequence
        following = standing.head if earlier else standing.following
        match step:
            case Acknowledge():
                self._settle(settlement, _ACKNOWLEDGED, due_at=None)
                self._follow(claimed, following)
            case Abandon():
                self._settle(settlement, _ABANDONED, due_at=None)
                hold = self._endpoint_of(claimed).lane_policy is LanePolicy.HOLD
                self._follow(claimed, following, hold=hold)
            case Retry(at):
                due_at = micros(at)
                self._settle(settlement, _PENDING, due_at=due_at)
                self._wait(claimed, standing.head, due_at=standing.due_at if earlier else due_at)
            case Pause(why):
                self._settle(settlement, _PENDING, due_at=self._now)
                due_at = standing.due_at if earlier else self._now
                self._wait(claimed, standing.head, due_at=due_at)
                names = (claimed.endpoint.account_id, claimed.endpoint.endpoint_id)
                self._paused[names] = (why, settlement.notice)
            case _:
                assert_never(step)

    def _settle(self, settlement: Settlement, state: str, *, due_at: int | None) -> None:
        claimed = settlement.claimed
        self._deliveries.append(
            (
                claimed.endpoint.account_id,
                claimed.order_id,
                claimed.endpoint.endpoint_id,
                claimed.sequence,
                state,
                claimed.attempts + 1,
                claimed.tries + 1,
                due_at,
                None if state == _PENDING else self._now,
                settlement.attempt.outcome.value,
            )
        )

    def _endpoint_of(self, claimed: Claimed) -> Endpoint:
        """As it is now, which may not be as it was when the claim was made."""
        named = claimed.endpoint
        known = self._registry.endpoint(self._session, named.account_id, named.endpoint_id)
        return known or named

    def _follow(self, claimed: Claimed, sequence: int | None, *, hold: bool = False) -> None:
        """The lane goes on to its next delivery, is held before it, or ends."""
        if sequence is None:
            endpoint = claimed.endpoint
            self._ended.append((endpoint.account_id, endpoint.endpoint_id, claimed.order_id))
        elif hold:
            self._wait(claimed, sequence, due_at=None)
        else:
            self._onward.append((self._endpoint_of(claimed), claimed.order_id, sequence))

    def _wait(self, claimed: Claimed, sequence: int, *, due_at: int | None) -> None:
        lane = (claimed.endpoint.account_id, claimed.endpoint.endpoint_id, claimed.order_id)
        self._lanes.append((*lane, sequence, due_at, None, None))

    def write(self) -> list[Claimed]:
        session = self._session
        session.batch("insert_attempts", self._attempts)
        session.batch("settle_deliveries", self._deliveries)
        claimed = self._go_on() if self._onward else []
        session.batch("delete_lanes", self._ended)
        session.batch("set_lanes", self._lanes)
        for names, (why, notice) in self._paused.items():
            self._pause(names, why=why, notice=notice)
        return claimed

    def _pause(self, names: tuple[str, str], *, why: str, notice: OperationalNotice | None) -> None:
        """Pauses an endpoint, unless it is; last, because what is told goes into lanes as well."""
        endpoint = self._registry.endpoint(self._session, *names)
        if endpoint is None or endpoint.state is EndpointState.PAUSED:
            return
        now, registry = moment(self._now), self._registry
        change_state(
            self._session,
            endpoint,
            state=EndpointState.PAUSED,
            why=why,
            now=now,
            registry=registry,
        )
        if notice is not None:
            tell(self._session, notice, now=now, registry=registry)

    def _go_on(self) -> list[Claimed]:
        """Leases the next heads again, but for those that are not due or whose endpoint rests."""
        claimed: list[Claimed] = []
        for (endpoint, order_id, sequence), row in _read_heads(self._session, self._onward):
            names = (endpoint.account_id, endpoint.endpoint_id)
            active = endpoint.state is EndpointState.ACTIVE and names not in self._paused
            held: Row = (None, None)
            if active and row[0] <= self._now:
                held = (self._lease.owner, self._until)
                claimed.append(claimed_of(row[1:], endpoint=endpoint))
            self._lanes.append((*names, order_id, sequence, row[0], *held))
        return claimed


def renew(session: Session, *, lease: Lease, registry: Registry) -> None:
    """Endpoint by endpoint, so that only leased lanes are touched, however many wait."""
    for endpoint in registry.every_endpoint(session):
        session.write(
            "renew_leases",
            account_id=endpoint.account_id,
            endpoint_id=endpoint.endpoint_id,
            owner=lease.owner,
            until=micros(lease.until),
        )


def release(session: Session, *, owner: str | None, registry: Registry) -> None:
    """Ends every lease of this owner, or of all; lanes keep the time at which they were due."""
    for endpoint in registry.every_endpoint(session):
        session.write(
            "release_leases",
            account_id=endpoint.account_id,
            endpoint_id=endpoint.endpoint_id,
            owner=owner,
        )


def rooms_of(
    found: Sequence[Row], *, held: Mapping[str, int], room: int, limit: int
) -> list[tuple[str, str, int]]:
    """The endpoints that may get more, each with how much, which is never over the limit."""
    rooms = ((row[0], row[1], min(limit, room - held.get(row[1], 0))) for row in found)
    return [entry for entry in rooms if entry[2] > 0]
