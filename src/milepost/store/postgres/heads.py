"""The heads of lanes as they are handed out to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from milepost.delivery.model import Claimed
from milepost.store.postgres.leases import Held, Lane, Leases
from milepost.store.postgres.registry import Registry
from milepost.store.postgres.session import Session
from milepost.store.rows import claimed_of


class Head(NamedTuple):
    """A lane that was leased just now, and its head."""

    lane: Lane
    sequence: int
    revision: int
    alone: bool


async def hand_out(
    session: Session, heads: Sequence[Head], *, owner: str, registry: Registry, leases: Leases
) -> list[Claimed]:
    """What a claim holds of each of these; the owner holds their lanes from now on.

    An endpoint that was deleted meanwhile has taken its lanes along.
    """
    claimed: list[Claimed] = []
    if not heads:
        return claimed
    for position, version, *row in await session.batch(
        "heads", [(*head.lane, head.sequence) for head in heads]
    ):
        head = heads[position - 1]
        account_id, endpoint_id, _ = head.lane
        setup = await registry.setup(session, account_id, version)
        endpoint = setup.by_id.get(endpoint_id)
        if endpoint is not None:
            one = claimed_of(tuple(row), endpoint=endpoint)
            claimed.append(one)
            held = Held(one.sequence, one.attempts, revision=head.revision, alone=head.alone)
            leases.took(owner, head.lane, held)
    return claimed
