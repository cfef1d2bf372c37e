"""Lanes: heads are claimed, what was sent is settled, leases are renewed and given back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from milepost.delivery.model import Claimed
from milepost.ports import Lease, Settlement
from milepost.store.postgres.heads import Head, hand_out
from milepost.store.postgres.leases import Leases
from milepost.store.postgres.queue import lane_of
from milepost.store.postgres.registry import Registry
from milepost.store.postgres.session import Session
from milepost.store.postgres.settling import Settling
from milepost.store.rows import micros

Names = tuple[str, str]
"""An endpoint's account and id."""


async def claim(
    session: Session,
    *,
    lease: Lease,
    now: datetime,
    held: Mapping[str, int],
    room: int,
    limit: int,
    registry: Registry,
    leases: Leases,
) -> list[Claimed]:
    """Leases due heads, the oldest due of each endpoint; writes nothing when nothing is due.

    One or two endpoints get what is due in its order; of more, each gets its share first, so that
    no more lanes are locked than can be taken.
    """
    at = micros(now)
    busy = await session.rows("busy_endpoints", now=at)
    rooms = {(row[0], row[1]): room - held.get(row[1], 0) for row in busy}
    heads: list[Head] = []
    while limit > len(heads) and (rooms := {n: left for n, left in rooms.items() if left > 0}):
        share = max(2 * (limit - len(heads)) // len(rooms), 1)
        wanted = [(*names, min(left, share, limit - len(heads))) for names, left in rooms.items()]
        found = await session.batch(
            "claim_lanes", wanted, at, limit - len(heads), lease.owner, micros(lease.until)
        )
        if not found:
            break
        heads += [Head((row[0], row[1], row[2]), *row[3:]) for row in found]
        rooms = _left(rooms, wanted, (head.lane[:2] for head in heads[-len(found) :]))
    return await hand_out(session, heads, owner=lease.owner, registry=registry, leases=leases)


def _left(
    rooms: Mapping[Names, int],
    wanted: Iterable[tuple[str, str, int]],
    got: Iterable[Names],
) -> dict[Names, int]:
    """The room that is left of those endpoints that may have more than they were asked for."""
    counts: dict[Names, int] = {}
    for names in got:
        counts[names] = counts.get(names, 0) + 1
    return {
        (account_id, endpoint_id): rooms[account_id, endpoint_id] - asked
        for account_id, endpoint_id, asked in wanted
        if counts.get((account_id, endpoint_id), 0) >= asked
    }


async def settle(
    session: Session,
    settlements: Sequence[Settlement],
    *,
    lease: Lease,
    now: datetime,
    registry: Registry,
    leases: Leases,
) -> list[Claimed]:
    """Records what was sent, as far as it is still ours; returns the next heads, leased."""
    settling = Settling(
        session, settlements, lease=lease, now=now, registry=registry, leases=leases
    )
    heads = await settling.write()
    return await hand_out(session, heads, owner=lease.owner, registry=registry, leases=leases)


async def confirm(
    session: Session, claimed: Sequence[Claimed], *, lease: Lease, leases: Leases
) -> list[Claimed]:
    """Those that are still this owner's, prolonged; the others are not renewed from now on."""
    # Whoever locks lanes does so in the order of their key.
    wanted = sorted(claimed, key=lane_of)
    rows = await session.batch(
        "confirm_lanes",
        [(*lane_of(one), one.sequence, one.attempts) for one in wanted],
        lease.owner,
        micros(lease.until),
    )
    found = {row[0] - 1 for row in rows}
    for position, one in enumerate(wanted):
        if position not in found:
            leases.lose(lease.owner, lane_of(one), sequence=one.sequence, attempts=one.attempts)
    return [wanted[position] for position in sorted(found)]


async def renew(session: Session, *, lease: Lease, leases: Leases) -> None:
    """Prolongs what the owner has; lanes that are being worked on are prolonged by that."""
    lanes = leases.only_these(lease.owner)
    until = micros(lease.until)
    if lanes is None:
        await session.write("renew_leases", owner=lease.owner, until=until)
    elif lanes:
        await session.batch("renew_these", lanes, lease.owner, until)


async def release(session: Session, *, owner: str, leases: Leases) -> None:
    """Ends every lease of this owner; lanes keep the time at which they were due."""
    await session.write("release_leases", owner=owner)
    leases.forget(owner)
