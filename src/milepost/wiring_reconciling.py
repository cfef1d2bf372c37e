"""Builds what compares orders with their providers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from milepost import __version__
from milepost.intake import Intake
from milepost.net.carriers import CarrierWire
from milepost.net.guard import Guard
from milepost.net.providers import LARGEST_ANSWER, provider_of
from milepost.ports import AccountNow, NewId, Now, Store
from milepost.ports.receiving import Source
from milepost.reconciling import Reconciling


@dataclass(slots=True)
class Comparisons:
    """What has to do with providers that are asked: the runs, and the wire to the providers."""

    runs: Reconciling
    wire: CarrierWire

    async def close(self) -> None:
        """Leaves what runs to whoever comes next."""
        await self.runs.stop()
        await self.wire.close()


def comparisons(
    store: Store,
    *,
    intake: Intake,
    guard: Guard,
    clock: Now,
    account_now: AccountNow,
    new_id: NewId,
    owner: str,
) -> Comparisons:
    """The reconciling of one process, not started yet."""

    async def sources(account_id: str | None) -> Sequence[Source]:
        return await store.sources(account_id)

    wire = CarrierWire(guard=guard, largest_answer=LARGEST_ANSWER)
    runs = Reconciling(
        store,
        sources=sources,
        provider_of=partial(
            provider_of, fetch=wire.send, now=clock, user_agent=f"Milepost/{__version__}"
        ),
        updates=intake.updates,
        now=clock,
        account_now=account_now,
        new_id=new_id,
        owner=owner,
    )
    return Comparisons(runs, wire)
